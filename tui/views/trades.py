"""Orders and fills in full: whose each order is and why it stands there, what each fill was worth a little later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.ids import is_outcome, venue_of
from hlomm.domain.orders import OrderState
from hlomm.domain.report import FillRow, OrderRow
from hlomm.domain.units import to_text
from tui.formats import (
    DASH,
    age_if_old,
    cents,
    coin_price,
    coins_in,
    fitted,
    number,
    price,
    quantity,
    short_ticker,
    stamp,
)
from tui.state import Store
from tui.views.activity import fill_text
from tui.views.holdings import traded
from tui.views.line import Line, Span, Tone, clean, cut, joined, left, line, right, signed_tone

_TRADE: Final = "trade"
_KINDS: Final = {"settlement": "settled", "merge_question": "merge q"}
NO_ORDERS: Final = "no order rests"
NO_FILLS: Final = "no fills yet"
PENDING: Final = "…"
"""A markout whose time has not come."""

_SHORT: Final = {"hyperliquid": "HL", "polymarket": "PM", "kalshi": "KA"}
_WIDE: Final = 110
_MARKET, _WIDE_MARKET = 16, 26
_CENTS: Final = 5


def venue(row: OrderRow | FillRow) -> str:
    name = clean(venue_of(row.market))
    return _SHORT.get(name, name[:2].upper())


def _matching(text: str, words: str) -> bool:
    return all(word in text.casefold() for word in words.casefold().split())


def _name_width(width: int) -> int:
    return _WIDE_MARKET if width >= _WIDE else _MARKET


# -- orders


def orders(store: Store, words: str) -> list[OrderRow]:
    """Live orders that the filter lets through."""
    rows = () if store.shown is None else store.shown.engine.orders
    return [row for row in rows if _matching(_order_words(row), words)]


def _order_words(row: OrderRow) -> str:
    return " ".join((row.market, row.ticker, traded(row), row.state.value, row.strategy, row.purpose.value, row.reason))


def orders_head(store: Store, shown: int, words: str, width: int) -> Line:
    total = 0 if store.shown is None else len(store.shown.engine.orders)
    count = f' ORDERS {shown}/{total} "{words}"' if words else f" ORDERS {total}"
    cells = [
        left(count, 3 + _name_width(width) + 1), left("SIDE", 8), right("PRICE", 6), right("LEFT", 5),
        right("FILLD", 5), right("AGE", 4), left("STATE", 7), left("OWNER", 10), left("FOR", 3),
    ]  # fmt: skip
    return cut(tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells)), width)


def order_lines(store: Store, rows: Sequence[OrderRow], now_s: float, width: int) -> list[Line]:
    wall_ms = 0 if store.shown is None else store.shown.engine.wall_ms
    return [_order(row, wall_ms, store.shown_lag_s(now_s), width) for row in rows]


def _order(row: OrderRow, wall_ms: int, lag_s: float, width: int) -> Line:
    perp, name = not is_outcome(row.market), _name_width(width)
    unsure = row.state is OrderState.UNKNOWN
    word = clean(row.state.value)
    sized = coins_in if perp else _contracts
    cells = [
        left(venue(row), 2, Tone.LABEL),
        left(short_ticker(row.ticker, name, wall_ms), name),
        left(traded(row), 8),
        right(coin_price(row.px, 6) if perp else price(row.px, 5), 6, Tone.OURS),
        right(sized(row.leaves, 5), 5, Tone.OURS),
        right(sized(row.filled, 5) if row.filled else DASH, 5),
        right(age_if_old(row.age_s + lag_s), 4, Tone.LABEL),
        left(word.upper() if unsure else word.removeprefix("pending_"), 7, Tone.WARN if unsure else Tone.PLAIN),
        left(clean(row.strategy) or DASH, 10),
        Span(_why(row), Tone.LABEL),
    ]
    return cut(joined(line(cell) for cell in cells), width)


def _contracts(value: int, width: int) -> str:
    del width
    return quantity(value)


def _why(row: OrderRow) -> str:
    return f"{row.purpose.value}: {clean(row.reason)}" if row.reason else row.purpose.value


def order_text(row: OrderRow) -> str:
    """Everything about one order."""
    return (
        f"{clean(row.ticker)}  at {clean(venue_of(row.market))}\n{traded(row)}: {to_text(row.leaves)} left at "
        f"{to_text(row.px)}, {to_text(row.filled)} filled\n\n"
        f"state {clean(row.state.value)}, {row.age_s:.1f} s old, {row.purpose.value} of "
        f"{clean(row.strategy) or 'no strategy'}\n"
        f"why {clean(row.reason) or 'it stands where it is wanted'}\n\n{row.client_id}"
    )


# -- fills


def fills(store: Store, words: str) -> list[FillRow]:
    """As many as the daemon remembers, newest first, that the filter lets through."""
    rows = () if store.shown is None else store.shown.engine.recent_fills
    return [row for row in reversed(rows) if _matching(f"{row.market} {row.ticker} {traded(row)} {row.kind}", words)]


def fills_head(store: Store, width: int) -> Line:
    total = 0 if store.shown is None else store.shown.engine.fills
    cells = [
        left(f" FILLS {total}", 21 if width >= _WIDE else 18), right("QTY", 6), right("PRICE", 6),
        left("MARKET", _name_width(width)), right("EDGE", _CENTS),
        *(right(f"{after}s ¢", _CENTS) for after in MARKOUT_S),
    ]  # fmt: skip
    return cut(tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells)), width)


def fill_lines(store: Store, rows: Sequence[FillRow], width: int) -> list[Line]:
    wall_ms = 0 if store.shown is None else store.shown.engine.wall_ms
    return [_fill(row, wall_ms, width) for row in rows]


def _fill(row: FillRow, wall_ms: int, width: int) -> Line:
    perp, name, wide = not is_outcome(row.market), _name_width(width), width >= _WIDE
    cells = [left(stamp(row.wall_ms, wall_ms), 8, Tone.LABEL)]
    if wide:
        cells.append(left(venue(row), 2, Tone.LABEL))
    cells += [
        left(traded(row) if row.kind == _TRADE else _KINDS.get(row.kind, clean(row.kind)), 8),
        right(coins_in(row.qty, 6) if perp else quantity(row.qty), 6),
        right(coin_price(row.px, 6) if perp else price(row.px, 5), 6),
        left(short_ticker(row.ticker, name, row.wall_ms), name),
        _hundredths(row.edge, DASH),
        *(_markout(row, place, wall_ms) for place in range(len(MARKOUT_S))),
    ]
    if wide:
        said = "" if row.kind != _TRADE else "maker" if row.maker else "taker"
        cells += [left(said, 5, Tone.LABEL if row.maker else Tone.WARN), Span(f"fee {number(row.fee, 4)}", Tone.LABEL)]
    return cut(joined(line(cell) for cell in cells), width)


def _markout(row: FillRow, place: int, wall_ms: int) -> Span:
    if place >= len(row.markouts):
        return right(DASH, _CENTS, Tone.LABEL)
    due = wall_ms - row.wall_ms >= MARKOUT_S[place] * 1000
    return _hundredths(row.markouts[place], DASH if due else PENDING)


def _hundredths(px: int | None, instead: str) -> Span:
    if px is None:
        return right(instead, _CENTS, Tone.LABEL)
    return right(fitted(px * 100, _CENTS, signed=True), _CENTS, signed_tone(px))


def fill_in_full(row: FillRow) -> str:
    after = ", ".join(
        f"{seconds} s {DASH if made is None else cents(made)}"
        for seconds, made in zip(MARKOUT_S, row.markouts, strict=False)
    )
    return fill_text(row) + (f"\nmarkout {after}" if after else "")


# -- the result


def split(store: Store, width: int) -> list[Line]:
    """The result and its parts, in full: they add up to the last unit. Then what fills were worth on average."""
    if store.shown is None:
        return []
    engine = store.shown.engine
    pnl = engine.pnl
    parts = (
        ("spread", pnl.spread), ("inventory", pnl.inventory - pnl.hedge), ("hedge", pnl.hedge),
        ("settlement", pnl.settlement), ("fees", -pnl.fees), ("rewards", pnl.rewards), ("rounding", pnl.rounding),
    )  # fmt: skip
    cells = [line(Span(" PNL ", Tone.HEAD), Span(exact(pnl.total), signed_tone(pnl.total)), Span(" =", Tone.LABEL))]
    cells += [line(Span(f"{name} ", Tone.LABEL), Span(exact(value), signed_tone(value))) for name, value in parts]
    lines: list[Line] = [()]
    for cell in cells:
        wider = joined([lines[-1], cell]) if lines[-1] else cell
        if lines[-1] and len("".join(span.text for span in wider)) > width:
            lines.append((Span("  "), *cell))
        else:
            lines[-1] = wider
    return [*lines, cut(_means(store), width)]


def _means(store: Store) -> Line:
    assert store.shown is not None
    rows = [row for row in store.shown.engine.markouts if row.mean is not None]
    if not rows:
        return line(Span(" mean markout as maker: no fill is old enough", Tone.LABEL))
    cells = [line(Span(" mean markout as maker", Tone.LABEL))]
    for row in rows:
        assert row.mean is not None
        figure = Span(cents(row.mean), signed_tone(row.mean))
        cells.append(line(Span(f"{row.horizon_s}s ", Tone.LABEL), figure, Span(f" n={row.fills}", Tone.LABEL)))
    return joined(cells, 2)


def exact(value: int) -> str:
    """To the last unit, grouped by nothing: `+58.2`, `−9.31000001`."""
    text = to_text(abs(value))
    return text if not value else ("+" if value > 0 else "−") + text
