"""The tables of the ledger, and how a file comes to have them.

Amounts are scaled integers (1e-8) as everywhere; one that does not fit into SQLite's 63 bits is stored as its decimal
digits, so the columns that hold amounts take integers and text and nothing else. Times are milliseconds of the run's
own clock. `epoch` is the run, `seq` the journal record that a row comes from: every row can be looked up.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

VERSION: Final = 3
BUSY_MS: Final = 2_000
"""How long a statement waits for another program that has the file open."""
_INT63: Final = 1 << 63

TABLES: Final = (
    "progress", "gaps", "tracker", "runs", "orders", "decisions", "fills", "funding", "settlements", "positions", "pnl",
    "alerts", "halts", "commands", "accounts", "voids",
)  # fmt: skip
"""What is folded from the journal, in the order in which doctor compares it. `audit` mirrors audit.log instead."""


def amount(name: str) -> str:
    return f"{name} ANY NOT NULL CHECK (typeof({name}) IN ('integer', 'text'))"


_FIRST: Final = f"""
CREATE TABLE progress (epoch INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
CREATE TABLE gaps (epoch INTEGER NOT NULL, after_seq INTEGER NOT NULL, next_seq INTEGER NOT NULL,
    PRIMARY KEY (epoch, after_seq)) STRICT, WITHOUT ROWID;
CREATE TABLE tracker (id INTEGER PRIMARY KEY CHECK (id = 1), state BLOB NOT NULL) STRICT;
CREATE TABLE runs (epoch INTEGER PRIMARY KEY, profile TEXT NOT NULL, version TEXT NOT NULL, account TEXT NOT NULL,
    booted_ms INTEGER NOT NULL, halted_before TEXT, carried INTEGER NOT NULL, opened INTEGER NOT NULL,
    state TEXT NOT NULL) STRICT;
CREATE TABLE orders (client_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, market TEXT NOT NULL,
    leg TEXT NOT NULL, side TEXT NOT NULL, {amount("px")}, {amount("qty")}, {amount("filled")}, tif TEXT NOT NULL,
    purpose TEXT NOT NULL, reduce_only INTEGER NOT NULL, state TEXT NOT NULL, venue_id TEXT, was_px ANY, was_qty ANY,
    placed_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, note TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX orders_by_run ON orders (epoch, seq);
CREATE TABLE decisions (epoch INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    kind TEXT NOT NULL, market TEXT NOT NULL, client_id TEXT, leg TEXT, side TEXT, px ANY, qty ANY, purpose TEXT,
    PRIMARY KEY (epoch, seq, n)) STRICT, WITHOUT ROWID;
CREATE TABLE fills (account TEXT NOT NULL, key TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL, venue_ms INTEGER NOT NULL, market TEXT NOT NULL, leg TEXT NOT NULL, side TEXT NOT NULL,
    {amount("px")}, {amount("qty")}, {amount("fee")}, kind TEXT NOT NULL, maker INTEGER NOT NULL, client_id TEXT,
    venue_id TEXT, booked INTEGER NOT NULL, PRIMARY KEY (account, key)) STRICT, WITHOUT ROWID;
CREATE INDEX fills_by_run ON fills (epoch, seq);
CREATE TABLE funding (account TEXT NOT NULL, key TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    venue_ms INTEGER NOT NULL, market TEXT NOT NULL, {amount("paid")}, booked INTEGER NOT NULL,
    PRIMARY KEY (account, key)) STRICT, WITHOUT ROWID;
CREATE TABLE settlements (account TEXT NOT NULL, market TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL, {amount("yes_px")}, detail TEXT NOT NULL,
    PRIMARY KEY (account, market)) STRICT, WITHOUT ROWID;
CREATE TABLE positions (account TEXT NOT NULL, market TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL, kind TEXT NOT NULL, {amount("yes")}, {amount("no")}, {amount("cost")}, {amount("value")},
    {amount("realised")}, {amount("fees")}, {amount("volume")}, fills INTEGER NOT NULL,
    PRIMARY KEY (account, market)) STRICT, WITHOUT ROWID;
CREATE TABLE pnl (account TEXT NOT NULL, minute INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL, {amount("cash")}, {amount("cost")}, {amount("realised")}, {amount("unrealised")},
    {amount("fees")}, {amount("total")}, {amount("volume")}, fills INTEGER NOT NULL, {amount("max_drawdown")},
    PRIMARY KEY (account, minute)) STRICT, WITHOUT ROWID;
CREATE TABLE alerts (epoch INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    level TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, market TEXT,
    PRIMARY KEY (epoch, seq, n)) STRICT, WITHOUT ROWID;
CREATE TABLE halts (epoch INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, persist INTEGER NOT NULL,
    PRIMARY KEY (epoch, seq, n)) STRICT, WITHOUT ROWID;
CREATE TABLE commands (epoch INTEGER NOT NULL, seq INTEGER NOT NULL, wall_ms INTEGER NOT NULL, action TEXT NOT NULL,
    who TEXT NOT NULL, reason TEXT NOT NULL, target TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE audit (n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, epoch INTEGER, seq INTEGER, action TEXT NOT NULL,
    who TEXT NOT NULL, reason TEXT NOT NULL, target TEXT NOT NULL, result TEXT NOT NULL, late INTEGER NOT NULL,
    hash TEXT NOT NULL) STRICT;
"""

_SECOND: Final = """
CREATE TABLE accounts (epoch INTEGER NOT NULL, venue TEXT NOT NULL, account TEXT NOT NULL,
    PRIMARY KEY (epoch, venue)) STRICT, WITHOUT ROWID;
CREATE TABLE voids (account TEXT NOT NULL, key TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (account, key)) STRICT, WITHOUT ROWID;
"""
"""Several venues: whose account a run had where (runs of one venue have it in `runs`), and fills that were undone."""

_THIRD: Final = f"""
CREATE TABLE shadows (tag TEXT NOT NULL, epoch INTEGER NOT NULL, name TEXT NOT NULL, fill_model TEXT NOT NULL,
    settings TEXT NOT NULL, seq INTEGER NOT NULL, wall_ms INTEGER NOT NULL, orders INTEGER NOT NULL,
    fills INTEGER NOT NULL, {amount("cash")}, {amount("fees")}, {amount("total")}, state TEXT NOT NULL,
    PRIMARY KEY (tag, epoch)) STRICT, WITHOUT ROWID;
CREATE TABLE shadow_decisions (tag TEXT NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    kind TEXT NOT NULL, market TEXT NOT NULL, client_id TEXT NOT NULL, leg TEXT NOT NULL, side TEXT, px ANY, qty ANY,
    PRIMARY KEY (tag, epoch, n)) STRICT, WITHOUT ROWID;
CREATE TABLE shadow_fills (tag TEXT NOT NULL, epoch INTEGER NOT NULL, n INTEGER NOT NULL, wall_ms INTEGER NOT NULL,
    venue_ms INTEGER NOT NULL, market TEXT NOT NULL, leg TEXT NOT NULL, side TEXT NOT NULL, {amount("px")},
    {amount("qty")}, {amount("fee")}, kind TEXT NOT NULL, maker INTEGER NOT NULL, client_id TEXT,
    PRIMARY KEY (tag, epoch, n)) STRICT, WITHOUT ROWID;
"""
"""Shadows: what a strategy would have done beside a run. Nothing of it happened, so it has tables of its own, and every
row the tag of the settings and the fill model that made it up. They are no fold of the journal alone: a ledger that is
built anew has none until `hlomm shadow` is run again."""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST, _SECOND, _THIRD)
"""Step n takes a file from version n to n + 1."""


def exact(value: int | None) -> int | str | None:
    """An amount as SQLite can hold it without loss."""
    return value if value is None or -_INT63 <= value < _INT63 else str(value)


def connect(path: Path | str) -> sqlite3.Connection:
    """Open for writing, made or migrated as need be. sqlite3.Error for a file that is no ledger of ours."""
    if isinstance(path, Path):
        os.close(
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        )  # companions copy its mode
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path, *, alone: bool) -> sqlite3.Connection:
    """Open for reading only; sqlite3.Error where that cannot be. `alone`: nobody writes it now.

    Then nothing is left beside a ledger that was read, even where its folder takes no new files.
    """
    name = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    return sqlite3.connect(name, uri=True, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False)


def written_by_somebody(path: Path) -> bool:
    """Nobody writes a ledger that has no log of changes beside it."""
    return path.with_name(f"{path.name}-wal").exists()


def _migrate(connection: sqlite3.Connection) -> None:
    if version_of(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    version = version_of(connection)  # of two that open an older file at once, the second finds it done
    if version > VERSION:
        raise sqlite3.DatabaseError(f"ledger of version {version}, this program knows up to {VERSION}")
    for step in MIGRATIONS[version:]:
        for statement in step.split(";"):  # a script would end the transaction first
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def version_of(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
