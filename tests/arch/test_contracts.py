"""Import contracts: they hold, they cover every room, and they would notice."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.arch.scanning import ROOT

LINT = Path(sys.executable).parent / "lint-imports"
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def contract(start: str) -> dict[str, Any]:
    (found,) = [one for one in CONTRACTS if one["name"].startswith(start)]
    return found


def test_every_import_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


def test_every_room_has_its_place_in_the_layers() -> None:
    """A room that no layer names may import anything, and be imported by anything."""
    rooms = {f"hlomm.{entry.name}" for entry in (ROOT / "hlomm").iterdir() if (entry / "__init__.py").exists()}
    named = {room.strip() for layer in contract("Arrows point down")["layers"] for room in layer.split("|")}
    assert rooms == named


@pytest.mark.parametrize("start", ["Arrows point down", "The core reads no clock", "The terminal sees only"])
def test_the_contracts_have_no_exceptions(start: str) -> None:
    assert not contract(start).get("ignore_imports")


def test_the_core_of_the_contract_is_the_core() -> None:
    core = contract("The core reads no clock")
    assert set(core["source_modules"]) == {"hlomm.domain", "hlomm.pricing", "hlomm.strategy", "hlomm.engine"}
    assert {"time", "random", "os", "secrets", "uuid", "socket", "threading", "asyncio", "trio"} <= set(
        core["forbidden_modules"]
    )


BAD = """
[project]
name = "bad"
version = "0"
[tool.importlinter]
root_package = "bad"
include_external_packages = true
[[tool.importlinter.contracts]]
name = "The core reads no clock"
type = "forbidden"
source_modules = ["bad.core"]
forbidden_modules = ["time"]
"""


@pytest.mark.parametrize(
    ("line", "kept"),
    [("import time", False), ("def f():\n    from time import monotonic", False), ("import math", True)],
)
def test_such_a_contract_would_notice(line: str, kept: bool, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(BAD)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "__init__.py").write_text("")
    (tmp_path / "bad" / "core.py").write_text(line + "\n")
    done = lint(tmp_path)
    assert (done.returncode == 0) is kept, done.stdout + done.stderr
    assert ("1 kept, 0 broken" if kept else "0 kept, 1 broken") in done.stdout
