"""What loads what: contracts stay light, codecs and signers stay pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
VENUES = ROOT / "hlomm" / "venues"

FORBIDDEN_TO_PURE = {
    "asyncio",
    "datetime",
    "eth_account",
    "httpcore2",
    "httpx2",
    "io",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "ssl",
    "structlog",
    "threading",
    "time",
    "trio",
    "trio_websocket",
    "uuid",
}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules a fresh interpreter holds after a statement."""
    code = f"import sys; {statement}; print(chr(10).join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return {name.partition(".")[0] for name in run.stdout.split()}


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
    return found


@pytest.mark.slow
def test_the_contract_loads_neither_http_nor_wallets() -> None:
    loaded = loaded_by("import hlomm.venues.protocol")
    assert not loaded & {"httpx2", "httpcore2", "eth_account", "trio_websocket", "coincurve", "structlog"}


@pytest.mark.slow
def test_a_session_does_not_load_the_wallet_library() -> None:
    loaded = loaded_by("import hlomm.venues.hyperliquid.session, hlomm.venues.sweep")
    assert not loaded & {"eth_account", "eth_keys", "numpy", "textual"}


@pytest.mark.parametrize("path", sorted((VENUES / "hyperliquid" / "wire").glob("*.py")), ids=lambda path: path.stem)
def test_codecs_import_nothing_of_the_world(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports_of(path)} & FORBIDDEN_TO_PURE


@pytest.mark.parametrize("name", ["signing", "nonces", "limits", "batches", "answers", "registry", "market_feed"])
def test_pure_machines_read_no_clock_and_draw_no_dice(name: str) -> None:
    imported = {one.partition(".")[0] for one in imports_of(VENUES / "hyperliquid" / f"{name}.py")}
    assert not imported & (FORBIDDEN_TO_PURE - {"structlog"})


def test_only_the_transport_opens_sockets() -> None:
    """`trio.open_*_stream`, `trio.socket` and the standard library's appear where names are looked up, and there."""
    openers = ("open_tcp_stream", "open_ssl_over_tcp", "trio.socket", "open_unix_socket", "connect_websocket")
    users = {
        path.name for path in VENUES.rglob("*.py") for opener in openers if opener in path.read_text(encoding="utf-8")
    }
    assert users == {"names.py", "socket_stream.py"}
    assert {path.name for path in VENUES.rglob("*.py") if "socket" in imports_of(path)} == users


def test_only_the_clock_reads_the_time() -> None:
    readers = {path.name for path in VENUES.rglob("*.py") if "time" in imports_of(path)}
    assert readers == {"clock.py"}


def test_venues_know_no_sibling_rooms() -> None:
    for path in VENUES.rglob("*.py"):
        rooms = {name.split(".")[1] for name in imports_of(path) if name.startswith("hlomm.") and "." in name}
        assert rooms <= {"domain", "venues"}, path


def test_no_broad_excepts_and_no_notes_to_self() -> None:
    for path in VENUES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, path
                named = ast.unparse(node.type)
                assert named not in ("Exception", "BaseException"), path
        for mark in ("TO" + "DO", "FIX" + "ME", "XX" + "X"):
            assert mark not in text, path
