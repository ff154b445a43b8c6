"""Ledgers that a test opens are closed after it: Python 3.13 counts what is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hlomm.rundir.ledger_schema import connect

_OPEN: list[sqlite3.Connection] = []


def connected(path: Path | str) -> sqlite3.Connection:
    """As `connect`, for as long as the test lasts."""
    _OPEN.append(connect(path))
    return _OPEN[-1]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()
