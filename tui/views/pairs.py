"""Pairs across venues: those being made, with what is left of their time and allowance, and those kept to the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hlomm.domain.basket_rows import ArbitrageReport, BasketRow, TradeRow
from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.naming import venue_short
from tui.formats import DASH, age, dated, elapsed, fitted, number, quantity, remaining
from tui.state import Store
from tui.views.edges import event_name
from tui.views.line import Line, Span, Tone, clean, cut, joined, left, line, right, signed_tone, spread
from tui.views.money import share_tone

EMPTY: Final = "no pair is being made, none is kept"
ABANDONED: Final = "abandoned"
HELD: Final = "held"

_NAME, _PHASE, _TIME = 17, 9, 11
_ROOMY: Final = 100
"""From this width on: what an attempt said."""

Pair = BasketRow | TradeRow


def pairs(store: Store) -> list[Pair]:
    """What is under way first, then what is left on one leg, then what is kept, soonest settlement first."""
    if store.shown is None:
        return []
    engine = store.shown.engine
    machines = [row for row in engine.baskets if row.pair and (not row.over or row.phase == ABANDONED)]
    kept = [row for row in engine.arbitrage.trades if row.how == HELD]
    return [
        *sorted(machines, key=lambda row: row.over),
        *sorted(kept, key=lambda row: (row.settles_ms is None, row.settles_ms or 0)),
    ]


def key(row: Pair) -> object:
    return (row.group, "machine") if isinstance(row, BasketRow) else (row.group, row.began_ms, row.qty)


def head(store: Store, width: int) -> Line:
    """How many, and what became of those that are over."""
    every = pairs(store)
    machines = sum(isinstance(row, BasketRow) for row in every)
    book = ArbitrageReport() if store.shown is None else store.shown.engine.arbitrage
    title = f" PAIRS {machines} open {len(every) - machines} kept"
    room = width - len(title) - 1
    figures = next((said for said in _totals(book) if len(said) <= room), "")
    return spread(line(Span(title, Tone.HEAD)), line(Span(figures, Tone.LABEL)), width)


def _totals(book: ArbitrageReport) -> tuple[str, ...]:
    """What became of them, at length and in fewer words."""
    expected, realised = number(book.expected, signed=True), number(book.realised, signed=True)
    legs = number(-book.legging_loss, signed=True)
    counts = f"taken {book.taken}, settled {book.settled}, mismatched {book.mismatched}"
    return (
        f"{counts}; expected {expected}, realised {realised}; legging {legs}",
        f"{book.settled} settled {book.mismatched} mismatched exp {expected} real {realised} legs {legs}",
        f"{book.settled} settled exp {expected} real {realised} legs {legs}",
        f"exp {expected} real {realised}",
    )


def row_lines(store: Store, rows: Iterable[Pair], now_s: float, width: int) -> list[Line]:
    lag_s = store.shown_lag_s(now_s)
    return [
        _machine(store, row, lag_s, width) if isinstance(row, BasketRow) else _kept(store, row, lag_s, width)
        for row in rows
    ]


def _machine(store: Store, row: BasketRow, lag_s: float, width: int) -> Line:
    stuck = row.phase == ABANDONED
    left_s = None if row.deadline_s is None else row.deadline_s - lag_s
    cells = [
        left(event_name(store, row.held), _NAME),
        left(clean(row.phase).upper(), _PHASE, Tone.ALARM if stuck else Tone.STRONG),
        left(filled(row), 24),
        right("" if stuck else deadline(left_s), _TIME, _deadline_tone(left_s)),
        Span(f"loss {_used(row)}", share_tone(max(row.loss, 0), row.max_loss)),
    ]
    if width >= _ROOMY:
        cells.append(Span(clean(row.note), Tone.LABEL))
    return cut(joined(line(cell) for cell in cells), width)


def filled(row: BasketRow) -> str:
    """`HL YES 20/20 KS NO 0/20`."""
    return " ".join(
        f"{venue_short(venue_of(market))} {leg.name} {quantity(held)}/{quantity(row.qty)}"
        for (market, held), leg in zip(row.held.items(), row.legs, strict=False)
    )


def deadline(left_s: float | None) -> str:
    """Time left to complete it; beyond that a word says so."""
    if left_s is None:
        return "no deadline"
    return f"{left_s:.1f}s left" if left_s >= 0 else f"PAST {elapsed(-left_s)}"


def _deadline_tone(left_s: float | None) -> Tone:
    if left_s is None:
        return Tone.LABEL
    return Tone.PLAIN if left_s >= 0 else Tone.ALARM


def _used(row: BasketRow) -> str:
    return f"{number(max(row.loss, 0))}/{number(row.max_loss, 0)}"


def _kept(store: Store, row: TradeRow, lag_s: float, width: int) -> Line:
    wall_ms = 0 if store.shown is None else store.shown.engine.wall_ms
    left_s = None if row.settles_ms is None else max((row.settles_ms - wall_ms) / 1000 - lag_s, 0.0)
    cells = [
        left(event_name(store, [market for market, _ in row.legs]), _NAME),
        left("KEPT", 4, Tone.LABEL),
        right(quantity(row.qty), 6, Tone.STRONG),
        left(bought(row.legs), 14),
        right(f"for {fitted(row.spent, 9)}", 13),
        right(f"exp {fitted(row.expected, 7, signed=True)}", 11, signed_tone(row.expected)),
        Span(f"in {remaining(left_s)}" if left_s is not None else "settling", Tone.LABEL),
    ]
    return cut(joined(line(cell) for cell in cells), width)


def bought(legs: Iterable[tuple[MarketId, Leg]]) -> str:
    return "+".join(f"{venue_short(venue_of(market))} {leg.name}" for market, leg in legs)


# -- one in full


def whole(store: Store, row: Pair, now_s: float) -> str:
    return _machine_text(row, store.shown_lag_s(now_s)) if isinstance(row, BasketRow) else _kept_text(row)


def _machine_text(row: BasketRow, lag_s: float) -> str:
    legs = "\n".join(
        f"  {leg.name} of {clean(market)}: {quantity(held)} of {quantity(row.qty)}"
        for (market, held), leg in zip(row.held.items(), row.legs, strict=False)
    )
    left_s = None if row.deadline_s is None else row.deadline_s - lag_s
    said = f"{clean(row.phase).upper()}, attempt {row.attempts}, sent {age(row.age_s + lag_s)} ago; {deadline(left_s)}"
    money = (
        f"took {number(row.spent)} so far; lost beside its complete pairs if the rest were worth nothing: "
        f"{number(row.loss, signed=True)} of {number(row.max_loss)} that it may lose"
    )
    parts = [f"{clean(row.group)}\n{said}", legs, money]
    if row.note:
        parts.append(clean(row.note))
    if row.phase == ABANDONED:
        parts.append("It is left on one leg: F sells it with everything else, or it settles as it is.")
    return "\n\n".join(parts)


def _kept_text(row: TradeRow) -> str:
    legs = "\n".join(f"  {leg.name} of {clean(market)}" for market, leg in row.legs)
    ends = DASH if row.settles_ms is None else dated(row.settles_ms)
    return (
        f"{clean(row.group)}\n{quantity(row.qty)} pairs, kept since {dated(row.began_ms)} until both legs settle: "
        f"{ends}\n\n{legs}\n\ncost {number(row.spent)}, fees included; expected to leave "
        f"{number(row.expected, signed=True)}"
    )
