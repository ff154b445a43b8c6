"""Live orders and last fills, for people and for scripts."""

from __future__ import annotations

from typing import Any

from hlomm.assembly.documents import amount
from hlomm.cli.tables import in_columns
from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.ids import venue_of
from hlomm.domain.report import Snapshot
from hlomm.domain.times import NS_PER_MS, utc_clock
from hlomm.domain.units import to_text


def orders(snapshot: Snapshot) -> tuple[Any, str]:
    rows = snapshot.engine.orders
    document = [
        {
            "client_id": row.client_id, "venue": venue_of(row.market), "market": row.ticker,
            "leg": row.leg.name, "side": row.side.name,
            "px": amount(row.px), "leaves": amount(row.leaves), "filled": amount(row.filled),
            "state": row.state.value, "purpose": row.purpose.value, "age_s": round(row.age_s, 3),
            "strategy": row.strategy, "reason": row.reason,
        }
        for row in rows
    ]  # fmt: skip
    table = [
        (venue_of(row.market), row.ticker, row.side.name, row.leg.name, to_text(row.px), to_text(row.leaves),
         to_text(row.filled), f"{row.age_s:.1f}", row.state.value, row.strategy or "-", row.purpose.value, row.reason)
        for row in rows
    ]  # fmt: skip
    head = (
        "venue", "market", "side", "leg", "price", "leaves", "filled", "age s", "state", "owner", "purpose", "reason",
    )  # fmt: skip
    return document, in_columns(head, table, "no live orders")


def fills(snapshot: Snapshot) -> tuple[Any, str]:
    rows = snapshot.engine.recent_fills
    document = [
        {
            "time": _clock(row.wall_ms), "wall_ms": row.wall_ms, "market": row.ticker, "leg": row.leg.name,
            "side": row.side.name, "px": amount(row.px), "qty": amount(row.qty), "fee": amount(row.fee),
            "kind": row.kind, "maker": row.maker, "edge": None if row.edge is None else amount(row.edge),
            "markouts": {
                str(after): None if made is None else amount(made)
                for after, made in zip(MARKOUT_S, row.markouts, strict=False)
            },
        }
        for row in rows
    ]  # fmt: skip
    table = [
        (_clock(row.wall_ms), row.ticker, row.kind, row.side.name, row.leg.name, to_text(row.qty), to_text(row.px),
         _cents(row.edge), *(_cents(made) for made in row.markouts or (None,) * len(MARKOUT_S)))
        for row in rows
    ]  # fmt: skip
    head = ("time", "market", "kind", "side", "leg", "qty", "price", "edge", *(f"{after} s" for after in MARKOUT_S))
    means = [
        f"{row.horizon_s} s {_cents(row.mean)} ({row.fills})"
        for row in snapshot.engine.markouts
        if row.mean is not None
    ]
    text = in_columns(head, table, "no fills yet")
    return document, f"{text}\nmean markout of maker fills: {', '.join(means)}" if means else text


def _cents(px: int | None) -> str:
    return "" if px is None else f"{px / 1e6:+.2f}c"


def _clock(wall_ms: int) -> str:
    return utc_clock(wall_ms * NS_PER_MS)
