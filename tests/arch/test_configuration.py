"""The shipped configuration: every key explained, known, read by something, and packed into the wheel."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hlomm.settings.load import PROFILES, load, packaged_config
from hlomm.settings.schema import Settings
from tests.arch import scanning
from tests.arch.scanning import ROOT, files_of, source_of

DEFAULT = ROOT / "config" / "default.toml"
EVENTS = ROOT / "config" / "events.toml"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]


def keys(tree: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict) and f"{prefix}{key}" not in SETTINGS:
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def fields(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from fields(field.type, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}"


SETTINGS = set(fields(Settings))


# -- the file


def test_every_setting_is_explained_where_it_stands() -> None:
    """Errors point there: "see its comment in config/default.toml"."""
    for path in (DEFAULT, EVENTS):
        assert list(scanning.uncommented_keys(path.read_text())) == []


def test_the_settings_of_the_file_are_the_settings_there_are() -> None:
    shipped_keys = [key for path in (DEFAULT, EVENTS) for key in keys(tomllib.loads(path.read_text()))]
    assert sorted(shipped_keys) == sorted(SETTINGS)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_loads(profile: str) -> None:
    loaded = load(profile, environ={})
    assert set(loaded.origins) >= SETTINGS
    assert set(loaded.origins.values()) <= {"default.toml", "events.toml", f"profiles/{profile}.toml"}


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.toml")), ids=lambda path: path.name)
def test_no_key_stands_twice_and_profiles_change_only_what_there_is(path: Path) -> None:
    tree = tomllib.loads(path.read_text())  # TOML itself refuses a key that is given twice
    assert set(keys(tree)) <= SETTINGS
    assert path.parent.name != "profiles" or path.stem in PROFILES


def test_every_profile_has_its_file() -> None:
    assert {path.stem for path in (ROOT / "config" / "profiles").glob("*.toml")} == set(PROFILES)


def attributes_read(rooms: tuple[str, ...]) -> set[str]:
    """Names of attributes read anywhere in these rooms."""
    return {
        node.attr
        for path in files_of(*rooms)
        for node in ast.walk(ast.parse(source_of(path)))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


def test_every_setting_is_read_by_something() -> None:
    """A knob that turns nothing is worse than none."""
    rooms = ("assembly", "daemon", "cli", "guardian", "research", "sim", "strategy")
    read = attributes_read(tuple(f"hlomm/{room}" for room in rooms))
    unread = [key for key in SETTINGS if key.rpartition(".")[2] not in read]
    assert [key for key in unread if not key.endswith(".enabled")] == []


def test_a_setting_that_nothing_reads_would_be_noticed() -> None:
    assert "max_position" in attributes_read(("hlomm/assembly",))
    assert "max_positron" not in attributes_read(("hlomm/assembly",))


# -- the wheel


def shipped(name: str, wheel: dict[str, Any] = WHEEL) -> str | None:
    """Where a file of the repository stands in the wheel, None if it is not in it."""
    for source, target in wheel["force-include"].items():
        if name == source or name.startswith(f"{source}/"):
            return f"{target}{name[len(source) :]}"
    return name if any(name.startswith(f"{package}/") for package in wheel["packages"]) else None


def tracked(*folders: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.split()
    # An unpacked archive knows no git: then whatever lies there, but for what Python leaves behind.
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.is_file())
    return [path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts]


def test_what_the_program_reads_at_run_time_is_in_the_wheel() -> None:
    assert shipped("config/default.toml") == "hlomm/_config/default.toml"
    assert shipped("config/profiles/mainnet.toml") == "hlomm/_config/profiles/mainnet.toml"
    for data in ("tui/hlomm.tcss", "hlomm/py.typed"):
        assert (ROOT / data).is_file()
        assert shipped(data) == data


def test_a_file_left_out_of_the_wheel_would_be_noticed() -> None:
    bare = {"packages": ["hlomm"], "force-include": {}}
    assert shipped("config/default.toml", bare) is None
    assert shipped("tui/hlomm.tcss", bare) is None
    assert shipped("hlommer/x.py", bare) is None


def test_every_file_of_the_packages_is_in_the_wheel_and_none_is_ignored() -> None:
    """The builder leaves out what git ignores."""
    names = tracked("hlomm", "tui", "config")
    assert "tui/hlomm.tcss" in names
    assert [name for name in names if shipped(name) is None] == []
    ignored = [line for line in (ROOT / ".gitignore").read_text().split() if not line.endswith("/")]
    assert not any(Path(name).match(pattern) for name in names for pattern in ignored)


def test_every_style_sheet_named_in_the_terminal_is_there() -> None:
    named = {
        path.parent / sheet for path in files_of("tui") for sheet in re.findall(r'"([\w./-]+\.tcss)"', source_of(path))
    }
    assert named
    assert all(sheet.is_file() for sheet in named)


def test_the_configuration_is_found_from_a_checkout() -> None:
    assert (packaged_config() / "default.toml").is_file()


# -- other names people type


def test_the_command_is_the_one_the_wheel_installs() -> None:
    module, _, function = PYPROJECT["project"]["scripts"]["hlomm"].partition(":")
    assert f"def {function}(" in source_of(ROOT / (module.replace(".", "/") + ".py"))


def test_every_pinned_package_is_pinned_exactly_and_the_direct_ones_are_pinned() -> None:
    lines = (ROOT / "config" / "constraints.txt").read_text().splitlines()
    pins = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==\S+(\s*;.*)?", pin) for pin in pins)
    pinned = {_plain(pin.partition("==")[0]) for pin in pins}
    wanted = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"]["dev"]]
    assert {_plain(re.split(r"[<>=!~\[; ]", one)[0]) for one in wanted} <= pinned


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
