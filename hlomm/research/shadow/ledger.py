"""Rows of a shadow in the run's ledger: under their tag, and never beside those of another."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs

from hlomm.domain.report import EngineReport
from hlomm.domain.units import to_fixed
from hlomm.research.fill_model import FillModel
from hlomm.research.shadow.rows import Row
from hlomm.rundir.ledger_schema import connect, exact

_TABLES: Final = ("shadows", "shadow_decisions", "shadow_fills")


@attrs.frozen(kw_only=True)
class Label:
    """What tells two shadows apart: its name, the fill model, and every setting that it trades with."""

    name: str
    fill_model: str
    settings: str
    """The engine's part of its configuration, canonical JSON."""

    @property
    def tag(self) -> str:
        digest = hashlib.sha256(self.settings.encode()).hexdigest()[:12]
        return f"{self.name} {self.fill_model} {digest}"


def label(name: str, model: FillModel, settings: str) -> Label:
    return Label(name=name, fill_model=model.tag, settings=settings)


class ShadowLedger:
    """Writes one shadow of one run. sqlite3.Error where the ledger cannot be written."""

    def __init__(self, path: Path, of: Label, epoch_ms: int) -> None:
        """What an earlier call wrote of the same shadow of the same run is made anew."""
        self._connection = connect(path)
        self._of = of
        self._epoch = epoch_ms
        with ExitStack() as failing:
            failing.callback(self._connection.close)
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                for table in _TABLES:
                    connection.execute(f"DELETE FROM {table} WHERE tag = ? AND epoch = ?", (of.tag, epoch_ms))  # noqa: S608 - a name of ours
            failing.pop_all()

    def close(self) -> None:
        self._connection.close()

    def write(
        self, seq: int, wall_ms: int, decisions: Sequence[Row], fills: Sequence[Row], now: EngineReport
    ) -> None:  # fmt: skip
        """New rows and where the shadow stands, in one short transaction: the run's own writer waits for it."""
        key = (self._of.tag, self._epoch)
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO shadow_decisions VALUES (?,?,?,?,?,?,?,?,?,?,?)", [key + _stored(row) for row in decisions]
            )
            connection.executemany(
                "INSERT INTO shadow_fills VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", [key + _stored(row) for row in fills]
            )
            connection.execute(
                "INSERT OR REPLACE INTO shadows VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *key, self._of.name, self._of.fill_model, self._of.settings, seq, wall_ms,
                    now.orders_placed + now.amends, now.fills, exact(now.cash), exact(now.pnl.fees),
                    exact(now.pnl.total), now.state,
                ),
            )  # fmt: skip


def _stored(row: Row) -> Row:
    return tuple(exact(value) if type(value) is not str and isinstance(value, int) else value for value in row)


def shadows(path: Path) -> list[dict[str, Any]]:
    """Every shadow on record, newest run first. One row per tag and run: they are never added up."""
    if not path.exists():
        return []
    connection = connect(path)
    connection.row_factory = sqlite3.Row
    try:
        found = connection.execute("SELECT * FROM shadows ORDER BY epoch DESC, tag").fetchall()
    finally:
        connection.close()
    return [_document(row) for row in found]


def _document(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tag": row["tag"], "epoch": row["epoch"], "name": row["name"], "fill_model": row["fill_model"],
        "settings": json.loads(row["settings"]), "seq": row["seq"], "wall_ms": row["wall_ms"],
        "quotes": row["orders"], "fills": row["fills"], "state": row["state"],
        **{name: int(row[name]) / 1e8 for name in ("cash", "fees", "total")},
    }  # fmt: skip


def text(row: Mapping[str, Any]) -> str:
    """One line of `hlomm shadow --list`."""
    total = to_fixed(round(row["total"] * 1e8), 2)
    return f"{row['epoch']}  {row['tag']}: {row['quotes']} quotes, {row['fills']} fills, pnl {total} ({row['state']})"
