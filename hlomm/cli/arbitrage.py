"""`hlomm arbitrage`: linked events and what they would bring, pairs being made and kept, totals; a line for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from hlomm.assembly.documents import amount, arbitrage_document
from hlomm.cli.tables import in_columns
from hlomm.domain.basket_rows import BasketRow, SignalRow, TradeRow
from hlomm.domain.edge_rows import DeviationRow, EdgeRow, ExecutableRow, IncomeRow
from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.markets import Comparator, Leg
from hlomm.domain.naming import venue_short
from hlomm.domain.report import EngineReport, Snapshot
from hlomm.domain.ticker import parse_ticker
from hlomm.domain.times import NS_PER_MS, utc_clock
from hlomm.domain.units import SCALE, Cash, Px, ceil_to, to_fixed, to_text

_NAME: Final = 17
_WHY: Final = 13
_LATEST: Final = 5
_MILL: Final = SCALE // 1000


def arbitrage(snapshot: Snapshot) -> tuple[Any, str]:
    """Everything about pairs across venues: the document in full, the lines at 80 columns."""
    engine = snapshot.engine
    names = _names(engine)
    open_now = [row for row in engine.baskets if row.pair and (not row.over or row.phase == "abandoned")]
    kept = [row for row in engine.arbitrage.trades if row.how == "held"]
    document = {
        "links": [_edge_document(row, engine) for row in engine.edges.edges],
        "links_left_out": engine.edges.left_out,
        "machines": [_machine_document(row) for row in open_now],
        **arbitrage_document(engine.arbitrage, engine.edges),
        "kept": [_kept_document(row) for row in kept],
        "log": [_signal_document(row) for row in engine.arbitrage.signals],
    }
    parts = [
        _links(engine, names), _machines(open_now, names), _kept(kept, names), _totals(engine),
        "\n".join(_income(row) for row in engine.edges.income), _log(engine, names),
    ]  # fmt: skip
    return document, "\n\n".join(part for part in parts if part)


def _names(engine: EngineReport) -> dict[MarketId, str]:
    found = {row.left: row.left_ticker for row in engine.links} | {row.right: row.right_ticker for row in engine.links}
    return found | {row.id: row.ticker for row in engine.markets}


def _short(ticker: str) -> str:
    """`BTC>=86352 16:09Z`."""
    parsed = parse_ticker(ticker)
    if parsed is None:
        return ticker[:_NAME]
    strike, minute = parsed.terms.strike, parsed.minute_of_day
    sign = ">" if parsed.terms.comparator is Comparator.ABOVE else ">="
    terms = f" {parsed.terms}" if strike is None else f"{sign}{to_text(strike)}"
    return f"{parsed.underlying}{terms}" + ("" if minute is None else f" {minute // 60:02d}:{minute % 60:02d}Z")


def _event(markets: Iterable[MarketId], names: dict[MarketId, str]) -> str:
    """The name of the first contract whose name there is room for."""
    said = [_short(names.get(market, market)) for market in markets]
    return next((name for name in said if len(name) <= _NAME), said[0][:_NAME])


# -- links


def _links(engine: EngineReport, names: dict[MarketId, str]) -> str:
    grades = {(row.left, row.right): row for row in engine.links}
    strikes = {row.id: row.strike for row in engine.markets if row.strike is not None}
    cells = []
    for row in engine.edges.edges:
        link = grades.get((row.left.market, row.right.market))
        ages = [side.age_s for side in (row.left, row.right) if side.age_s is not None]
        legs = "/".join(venue_short(venue_of(side.market)) for side in (row.left, row.right))
        cells.append((
            _event((row.left.market, row.right.market), names), legs, _prices(row.left), _prices(row.right),
            f"{min(max(ages), 999):.0f}s" if len(ages) == 2 else "-",
            "?" if link is None else f"{link.grade}{_gap(row, strikes)}", _leaves(row), _why(row),
        ))  # fmt: skip
    head = ("event", "legs", "left", "right", "age", "is", "leaves", "why not")
    table = in_columns(head, cells, "no two venues list one event", gap=1)
    more = engine.edges.left_out
    return f"{table}\n{more} more are not shown" if more else table


def _gap(row: EdgeRow, strikes: dict[MarketId, Px]) -> str:
    """How much higher the strike of the right leg is, in whole units of the underlying, where that is anything."""
    left, right = strikes.get(row.left.market), strikes.get(row.right.market)
    apart = 0 if left is None or right is None else round((right - left) / SCALE)
    return f" {apart:+d}" if apart else ""


def _prices(side: ExecutableRow) -> str:
    """`.258/.293`: bid and ask of YES, both made worse where they are cut."""
    bid = "-" if side.bid is None else to_fixed(side.bid, 3)[1:]
    ask = "-" if side.ask is None else to_fixed(min(ceil_to(side.ask, _MILL), SCALE - 1), 3)[1:]
    return f"{bid}/{ask}"


def _leaves(row: EdgeRow) -> str:
    """What one contract leaves after everything, in cents; in brackets what it would before anything is taken off."""
    if row.leaves is not None:
        return f"{row.leaves / row.qty * 100:+.2f}c"
    return "-" if row.gross is None else f"({row.gross / row.qty * 100:+.1f}c)"


def _why(row: EdgeRow) -> str:
    guard, _, detail = row.why_not.partition(": ")
    word = detail.partition(",")[0] if guard == "link" else guard
    return (word or "-")[:_WHY]


def _edge_document(row: EdgeRow, engine: EngineReport) -> dict[str, Any]:
    link = next((one for one in engine.links if (one.left, one.right) == (row.left.market, row.right.market)), None)
    return {
        "pair": row.group,
        "grade": None if link is None else link.grade, "state": None if link is None else link.state,
        "reason": "" if link is None else link.reason, "review": "" if link is None else link.review,
        "terms": [] if link is None else [[one.term, one.left, one.right, one.makes] for one in link.terms],
        "legs": [
            {"market": side.market, "bid": _amount(side.bid), "ask": _amount(side.ask), "age_s": side.age_s}
            for side in (row.left, row.right)
        ],
        "qty": amount(row.qty), "buys": None if row.buys is None else [leg.name for leg in row.buys],
        "gross": _amount(row.gross), "fees": [amount(fee) for fee in row.fees], "rounding": amount(row.rounding),
        "bridge": amount(row.bridge), "time": amount(row.capital), "basis": amount(row.basis),
        "legging": amount(row.legging), "leaves": _amount(row.leaves), "needs": _amount(row.needs),
        "apart": _amount(row.apart), "note": row.note, "why_not": row.why_not, "held": amount(row.held),
    }  # fmt: skip


# -- pairs


def _machines(rows: Iterable[BasketRow], names: dict[MarketId, str]) -> str:
    lines = [
        f"{_event(row.held, names):<{_NAME}} {row.phase.upper():<9} {_filled(row)}  {_deadline(row)}  "
        f"loss {to_fixed(row.loss, 2)}/{to_fixed(row.max_loss, 2)}"
        for row in rows
    ]
    return "\n".join(lines) or "no pair is being made"


def _filled(row: BasketRow) -> str:
    return " ".join(
        f"{venue_short(venue_of(market))} {leg.name} {to_text(held)}/{to_text(row.qty)}"
        for (market, held), leg in zip(row.held.items(), row.legs, strict=True)
    )


def _deadline(row: BasketRow) -> str:
    if row.deadline_s is None:
        return "no deadline"
    return f"{row.deadline_s:.1f} s left" if row.deadline_s >= 0 else f"PAST {-row.deadline_s:.1f} s"


def _kept(rows: Iterable[TradeRow], names: dict[MarketId, str]) -> str:
    lines = [
        f"{_event([market for market, _ in row.legs], names):<{_NAME}} kept {to_text(row.qty)} {_bought(row.legs)} "
        f"for {to_fixed(row.spent, 2)} expects {_signed(row.expected)} settles {_clock(row.settles_ms)}"
        for row in rows
    ]
    return "\n".join(lines) or "no pair is kept"


def _bought(legs: Iterable[tuple[MarketId, Leg]]) -> str:
    return "+".join(f"{venue_short(venue_of(market))} {leg.name}" for market, leg in legs)


def _totals(engine: EngineReport) -> str:
    book = engine.arbitrage
    return (
        f"taken {book.taken}, settled {book.settled}, mismatched {book.mismatched}: expected {_signed(book.expected)}, "
        f"realised {_signed(book.realised)}\nlegging loss {to_fixed(book.legging_loss, 2)}, "
        f"signals {len(book.signals)}, deviations {len(engine.edges.deviations)}"
    )


def _income(row: IncomeRow) -> str:
    said = f"{venue_short(row.venue)} would pay (estimate, in no result): rebates {to_fixed(row.rebates, 4)}"
    if row.quoted:
        said += f", {row.scoring}/{row.quoted} score"
        said += f" {row.share / SCALE:.0%}" if row.scoring else ""
        said += f", {to_fixed(row.per_day, 2)} a day" if row.per_day else ""
    return said


def _log(engine: EngineReport, names: dict[MarketId, str]) -> str:
    """The latest of what was wanted and of what stood apart, oldest first."""
    wanted = [(row.wall_ms, _signal(row, names)) for row in engine.arbitrage.signals[-_LATEST:]]
    apart = [(row.wall_ms, _deviation(row)) for row in engine.edges.deviations[-_LATEST:]]
    return "\n".join(f"{_clock(at)} {text}"[:80] for at, text in sorted((*wanted, *apart))[-_LATEST:])


def _signal(row: SignalRow, names: dict[MarketId, str]) -> str:
    markets = [MarketId(market) for market in row.group.split(" <-> ")]
    return f"{_event(markets, names)} wanted {to_text(row.qty)} at {row.edge / SCALE * 100:+.2f}c"


def _deviation(row: DeviationRow) -> str:
    return (
        f"{_short(row.ticker)[:_NAME]} {venue_short(venue_of(row.market))} stands "
        f"{row.deviation / SCALE * 100:+.2f}c apart, trading on it costs {row.threshold / SCALE * 100:.2f}c"
    )


# -- documents


def _amount(value: int | None) -> float | None:
    return None if value is None else amount(value)


def _machine_document(row: BasketRow) -> dict[str, Any]:
    return {
        "pair": row.group, "phase": row.phase, "qty": amount(row.qty), "legs": [leg.name for leg in row.legs],
        "held": {market: amount(held) for market, held in row.held.items()}, "age_s": row.age_s,
        "deadline_s": row.deadline_s, "loss": amount(row.loss), "max_loss": amount(row.max_loss),
        "attempts": row.attempts, "note": row.note,
    }  # fmt: skip


def _kept_document(row: TradeRow) -> dict[str, Any]:
    return {
        "pair": row.group, "legs": [[market, leg.name] for market, leg in row.legs], "qty": amount(row.qty),
        "spent": amount(row.spent), "expected": amount(row.expected), "began_ms": row.began_ms,
        "settles_ms": row.settles_ms,
    }  # fmt: skip


def _signal_document(row: SignalRow) -> dict[str, Any]:
    return {
        "wall_ms": row.wall_ms, "pair": row.group, "qty": amount(row.qty), "edge": amount(row.edge),
        "reason": row.reason,
    }  # fmt: skip


def _signed(value: Cash) -> str:
    return ("+" if value >= 0 else "") + to_fixed(value, 2)


def _clock(wall_ms: int | None) -> str:
    return "-" if wall_ms is None else f"{utc_clock(wall_ms * NS_PER_MS)}Z"
