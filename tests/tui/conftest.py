"""The terminal looks the same on every machine: nothing of the developer's own environment reaches a test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.quiet import quietly


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "SSH_CONNECTION", "TERM_PROGRAM", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("TEXTUAL") and name != "TEXTUAL_SNAPSHOT_TEMPDIR"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.fixture(autouse=True)
def _no_waiting_by_the_clock() -> Iterator[None]:
    with quietly():
        yield


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A short path: Unix sockets allow about a hundred characters, pytest's own directories may be longer."""
    with tempfile.TemporaryDirectory(prefix="hl") as root:
        yield Path(root) / "d.sock"
