"""Decisions out of the ledger, newest first: which rule fired, what it saw, and what happened.

The ledger has what was decided and what became of it, the journal what was seen. A live order's own words for why it is
where it is come from the daemon, if it answers.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from hlomm.assembly.documents import amount
from hlomm.daemon.api.saw import Ends, end_of_run, saw
from hlomm.domain.faults import UsageError
from hlomm.domain.report import OrderRow, Snapshot
from hlomm.rundir.ledger_schema import VERSION, connect_to_read, version_of, written_by_somebody
from hlomm.settings.paths import StatePaths

LIMIT: Final = 50
LIMIT_MAX: Final = 500
_DIGITS: Final = len(str(LIMIT_MAX))
QUERY_S: Final = 2.0
"""A question that the ledger does not answer within that is given up."""
_STEPS: Final = 10_000
_DECISIONS: Final = """SELECT d.epoch, d.seq, d.n, d.wall_ms, d.kind, d.market, d.client_id, d.leg, d.side, d.px, d.qty,
    coalesce(d.purpose, o.purpose), o.state, o.filled, o.note, o.changed_ms
    FROM decisions d LEFT JOIN orders o ON o.client_id = d.client_id
    WHERE (?1 IS NULL OR d.market = ?1) ORDER BY d.epoch DESC, d.seq DESC, d.n DESC LIMIT ?2"""
_FILLS: Final = """SELECT client_id, wall_ms, px, qty, fee, maker FROM fills
    WHERE epoch = ? AND seq > ? AND client_id IS NOT NULL ORDER BY seq"""
_ALERTS: Final = "SELECT seq, code, text FROM alerts WHERE epoch = ? AND seq BETWEEN ? AND ? AND level != 'note'"
_HALTS: Final = "SELECT seq, state, reason FROM halts WHERE epoch = ? AND seq BETWEEN ? AND ?"


@attrs.frozen
class Asked:
    """Which decisions."""

    limit: int = LIMIT
    market: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """From the query of an address; UsageError names what is wrong with it."""
        unknown = sorted(set(query) - {"limit", "market"})
        if unknown:
            raise UsageError(f"unknown parameter {unknown[0][:40]!r}: there are limit and market")
        text = query.get("limit", str(LIMIT))
        if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and 1 <= int(text) <= LIMIT_MAX):
            raise UsageError(f"limit: expected a number from 1 to {LIMIT_MAX}")
        return cls(int(text), query.get("market"))


def decisions(paths: StatePaths, asked: Asked, snapshot: Snapshot | None) -> dict[str, Any]:
    """Blocking. UsageError where there is no ledger to read, or it takes too long."""
    if not paths.ledger.exists():
        raise UsageError(f"{paths.ledger}: no ledger yet — the first `hlomm run` makes it")
    try:
        connection = connect_to_read(paths.ledger, alone=not written_by_somebody(paths.ledger))
        try:
            rows = list(_read(connection, paths, asked, snapshot))
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        raise UsageError(f"{paths.ledger}: {error} — `hlomm doctor` says what is wrong with it") from None
    return {"decisions": rows}


def _read(
    connection: sqlite3.Connection, paths: StatePaths, asked: Asked, snapshot: Snapshot | None
) -> Iterator[dict[str, Any]]:
    version = version_of(connection)
    if version != VERSION:
        raise UsageError(f"{paths.ledger}: of version {version}, this program reads {VERSION}")
    end_s = time.monotonic() + QUERY_S
    connection.set_progress_handler(lambda: time.monotonic() > end_s, _STEPS)
    connection.execute("BEGIN")  # all of it as of one moment
    found = connection.execute(_DECISIONS, (asked.market, asked.limit)).fetchall()
    live = {} if snapshot is None else {row.client_id: row for row in snapshot.engine.orders}
    owners = {} if snapshot is None else {row.id: row.strategy for row in snapshot.engine.markets}
    for epoch in dict.fromkeys(row[0] for row in found):
        of_run = [row for row in found if row[0] == epoch]
        beside = _Beside.read(connection, epoch, of_run)
        ends = end_of_run(paths.journal, epoch)
        for row in of_run:
            yield _document(row, beside, ends, live, owners)


@attrs.frozen(kw_only=True)
class _Beside:
    """What one run's ledger has beside its decisions."""

    fills: Mapping[str, Sequence[Sequence[Any]]]
    alerts: Mapping[int, Sequence[Sequence[Any]]]
    halts: Mapping[int, Sequence[Sequence[Any]]]

    @classmethod
    def read(cls, connection: sqlite3.Connection, epoch: int, rows: Sequence[Sequence[Any]]) -> _Beside:
        first, last = min(row[1] for row in rows), max(row[1] for row in rows)
        return cls(
            fills=_grouped(connection.execute(_FILLS, (epoch, first))),
            alerts=_grouped(connection.execute(_ALERTS, (epoch, first, last))),
            halts=_grouped(connection.execute(_HALTS, (epoch, first, last))),
        )


def _grouped(rows: sqlite3.Cursor) -> dict[Any, list[Sequence[Any]]]:
    found: dict[Any, list[Sequence[Any]]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row[1:])
    return found


def _document(
    row: Sequence[Any], beside: _Beside, ends: Ends, live: Mapping[Any, OrderRow], owners: Mapping[Any, str]
) -> dict[str, Any]:
    epoch, seq, n, wall_ms, kind, market, client_id, leg, side, px, qty, purpose, state, filled, note, changed_ms = row
    order = live.get(client_id)
    return {
        "epoch": epoch, "seq": seq, "n": n, "wall_ms": wall_ms, "kind": kind, "market": market,
        "client_id": client_id, "leg": leg, "side": side, "px": _amount(px), "qty": _amount(qty),
        "rule": {
            "purpose": purpose,
            "strategy": (order.strategy if order is not None else owners.get(market)) or None,
            "reason": order.reason or None if order is not None else None,
            "alerts": [{"code": code, "text": text} for code, text in beside.alerts.get(seq, ())],
            "halts": [{"state": halt, "reason": reason} for halt, reason in beside.halts.get(seq, ())],
        },
        "saw": saw(ends, seq, market),
        "happened": None if state is None else {
            "state": state, "filled": _amount(filled), "note": note, "changed_ms": changed_ms,
            "fills": [
                {"wall_ms": at, "px": _amount(price), "qty": _amount(size), "fee": _amount(fee), "maker": bool(maker)}
                for at, price, size, fee, maker in beside.fills.get(client_id, ())
            ],
        },
    }  # fmt: skip


def _amount(value: int | str | None) -> float | None:
    return None if value is None else amount(int(value))
