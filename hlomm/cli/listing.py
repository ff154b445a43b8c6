"""`hlomm markets`: what the venues list, under every name a command takes, and what is done with it."""

from __future__ import annotations

from typing import Any

from hlomm.cli.tables import in_columns
from hlomm.domain.markets import Leg, MarketKind
from hlomm.domain.naming import coin_name
from hlomm.domain.report import MarketRow, SideNote, Snapshot
from hlomm.domain.ticker import parse_ticker
from hlomm.domain.units import to_text

_NOT_TRADED = "not_traded."


def markets(snapshot: Snapshot) -> tuple[Any, str]:
    """Listed markets, soonest expiry first, and how many outcomes were passed over for which reason."""
    rows = sorted(snapshot.engine.markets, key=_order)
    passed_over = {
        row.venue: {
            kind.removeprefix(_NOT_TRADED): count
            for kind, count in sorted(row.counters.items())
            if kind.startswith(_NOT_TRADED)
        }
        for row in snapshot.venues
    }
    head = ("market", "coins", "period", "expires", "strategy", "now")
    cells = [
        (row.ticker, " ".join(_coins(row).values()) or row.id, row.period or "-", _left(row), row.strategy or "-",
         _now(row))
        for row in rows
    ]  # fmt: skip
    lines = [in_columns(head, cells, "no markets are listed")]
    lines += [
        f"{venue}: not traded " + ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        for venue, reasons in passed_over.items()
        if reasons
    ]
    return {"markets": [_document(row) for row in rows], "not_traded": passed_over}, "\n".join(lines)


def _order(row: MarketRow) -> tuple[bool, bool, float, str]:
    return row.settled is not None, row.kind is MarketKind.PERP, row.tau_s or 0.0, row.id


def _document(row: MarketRow) -> dict[str, Any]:
    name = parse_ticker(row.ticker)
    return {
        "market": row.ticker, "id": row.id, "coins": _coins(row), "kind": row.kind.name.lower(),
        "class": row.klass, "underlying": row.underlying, "deployer": row.deployer, "question": row.question,
        "quote_token": row.quote_token, "terms": None if name is None else str(name.terms),
        "period": row.period, "expires_in_s": row.tau_s, "strategy": row.strategy or None,
        "settled": None if row.settled is None else float(to_text(row.settled)),
        "bid": _guard(row.bid_note), "ask": _guard(row.ask_note),
    }  # fmt: skip


def _coins(row: MarketRow) -> dict[str, str]:
    """Coin of each side; empty for a perp."""
    names = ((leg.name, coin_name(row.id, leg)) for leg in Leg)
    return {leg: name for leg, name in names if name is not None}


def _guard(note: SideNote | None) -> str:
    return "not_traded" if note is None else note.guard


def _now(row: MarketRow) -> str:
    if row.settled is not None:
        return f"settled, YES pays {to_text(row.settled)}"
    bid, ask = _guard(row.bid_note), _guard(row.ask_note)
    return bid if bid == ask else f"bid {bid}, ask {ask}"


def _left(row: MarketRow) -> str:
    """Time to settlement as `2d04h`, `7h38m`, `12m03s`."""
    if row.tau_s is None:
        return "-"
    minutes, seconds = divmod(int(row.tau_s), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d{hours % 24:02d}h"
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s"
