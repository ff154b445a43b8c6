"""The markets table: one row per market, the columns a trader reads from left to right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hlomm.domain.markets import MarketKind
from hlomm.domain.report import MarketRow, SideNote
from hlomm.domain.units import SCALE
from tui.formats import (
    DASH,
    MINUS,
    age_if_old,
    ask_price,
    bid_price,
    coin_price,
    coins_in,
    price,
    remaining,
    short_ticker,
)
from tui.state import Store
from tui.views.line import Line, Span, Tone, aged, clean, joined, left, line, right, spread
from tui.views.why import facts_of

OK: Final = "ok"
UNDER_WAY: Final = frozenset({"pending_new", "pending_amend", "pending_cancel"})
"""The order is there and is being changed: no reason to alarm anybody."""
SOURCES: Final = {"model": "m", "book": "b", "blend": "⊕", "mark": "k"}
"""What the fair value came from, as one character behind it."""

_CURSOR: Final = "▸"
_MARKET, _TTE, _PX, _POSITION, _WHY = 19, 5, 5, 5, 16
_OURS: Final = 2 * _PX + 1
_EXTRA_FROM: Final = 100
"""From this width on: half-spread, size and what bounds it, strategy."""


def head(store: Store, width: int) -> Line:
    snapshot = store.shown
    total = 0 if snapshot is None else sum(row.settled is None for row in snapshot.engine.markets)
    unseen = 0 if snapshot is None else snapshot.engine.left_out.get("markets", 0)
    title = f" MARKETS {total} of {total + unseen}" if unseen else f" MARKETS {total}"
    if store.filter:
        title = f' "{store.filter}" {len(store.markets())}/{total}'
    cells = [
        left(title, _MARKET + 1), right("TTE", _TTE), left(" FAIR", _PX + 1), right("BID", _PX), right("ASK", _PX),
        left("    OURS", _OURS), right("POS", _POSITION), left("WHY NOT", _WHY),
    ]  # fmt: skip
    if width >= _EXTRA_FROM:
        cells += [right("HALF", 6), left(" SIZE", 12)]
    return tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells))


def head_with(heading: Line, more: str, width: int) -> Line:
    """The heading with the number of rows out of sight at its end."""
    if not more:
        return heading
    *cells, last = heading
    return spread(line(*cells, Span(last.text.rstrip(), last.tone)), line(Span(more, Tone.HEAD)), width)


def rows(store: Store, visible: Iterable[MarketRow], now_s: float, width: int) -> list[Line]:
    """Lines of those rows of the table that there is room for."""
    lag_s, snapshot = store.shown_lag_s(now_s), store.shown
    wall_ms = 0 if snapshot is None else snapshot.engine.wall_ms
    return [_row(row, lag_s, wall_ms, width, selected=row.id == store.selected) for row in visible]


def empty(store: Store) -> str:
    """What to say instead of rows."""
    if store.filter:
        return f'no market matches "{store.filter}" — esc clears the filter'
    return "no markets are listed yet"


def why(row: MarketRow, book_age_s: float | None) -> Span:
    """The first side that is not quoting and its guard; `ok` when both are."""
    old = age_if_old(book_age_s)
    guards = [(name, _guard(note)) for name, note in (("bid", row.bid_note), ("ask", row.ask_note))]
    bad = [(name, guard) for name, guard in guards if guard != OK]
    if row.kind is MarketKind.PERP and row.bid_note is None:
        return Span(f"book {old}" if old else "", Tone.LABEL)
    if not bad:
        return Span(f"ok · book {old}" if old else OK, Tone.WARN if old else Tone.GOOD)
    name, guard = bad[0]
    both = len(bad) == 2 and bad[1][1] == guard
    return Span(guard if both else f"{name} {guard}", Tone.LABEL if row.bid_note is None else Tone.WARN)


def _guard(note: SideNote | None) -> str:
    if note is None:
        return "not traded"
    return OK if note.guard == OK or note.guard in UNDER_WAY else clean(note.guard)


def _row(row: MarketRow, lag_s: float, wall_ms: int, width: int, *, selected: bool) -> Line:
    book_age_s = None if row.book_age_s is None else row.book_age_s + lag_s
    reason = why(row, book_age_s)
    marker = Span(_CURSOR if selected else " ", Tone.STRONG)
    name = left(short_ticker(row.ticker, _MARKET, wall_ms), _MARKET, Tone.STRONG if selected else Tone.PLAIN)
    cells = [
        (marker, name),
        line(right(remaining(row.tau_s), _TTE)),
        _fair(row),
        line(_touch(row, row.bids[0][0] if row.bids else None, bid=True)),
        line(_touch(row, row.asks[0][0] if row.asks else None, bid=False)),
        _ours(row),
        line(_position(row)),
        line(left(reason.text, _WHY, reason.tone)),
    ]
    if width >= _EXTRA_FROM:
        cells += _extra(row)
    return aged(joined(cells), book_age_s)


def _fair(row: MarketRow) -> Line:
    if row.fair is None:
        return line(right(DASH, _PX), Span(" "))
    text = coin_price(row.fair, _PX) if row.kind is MarketKind.PERP else price(row.fair, _PX - 1)
    return line(right(text, _PX), Span(SOURCES.get(row.fair_source, " "), Tone.LABEL))


def _touch(row: MarketRow, px: int | None, *, bid: bool) -> Span:
    if px is None:
        return right(DASH, _PX, Tone.WARN)
    if row.kind is MarketKind.PERP:
        return right(coin_price(px, _PX), _PX)
    return right((bid_price if bid else ask_price)(px, _PX - 1), _PX)


def _ours(row: MarketRow) -> Line:
    if row.kind is MarketKind.PERP and row.own_bid is None and row.own_ask is None:
        return line(" " * _OURS)
    bid = DASH if row.own_bid is None else bid_price(row.own_bid.px, _PX - 1)
    ask = DASH if row.own_ask is None else ask_price(row.own_ask.px, _PX - 1)
    tone = Tone.LABEL if row.own_bid is None and row.own_ask is None else Tone.OURS
    return line(right(bid, _PX, tone), Span("/", tone), left(ask, _PX, tone))


def _position(row: MarketRow) -> Span:
    """Net contracts, signed, without grouping: the column is narrow and the limit is not in the millions."""
    if row.kind is MarketKind.PERP and row.yes:
        return right(coins_in(row.yes, _POSITION, signed=True), _POSITION, Tone.STRONG)
    net = row.yes - row.no
    size = abs(net) // SCALE or "<1"  # part of a contract is not nothing
    text = "0" if net == 0 else f"{'+' if net > 0 else MINUS}{size}"
    return right(text, _POSITION, Tone.LABEL if net == 0 else Tone.STRONG)


def _extra(row: MarketRow) -> list[Line]:
    facts = facts_of(row)
    bound = facts.get("size_bound", "")
    return [
        line(right(facts.get("half", ""), 6)),
        line(left(f" {facts.get('size', '')} {bound}".rstrip(), 12, Tone.LABEL)),
    ]
