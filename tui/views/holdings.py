"""What is held and what rests: positions and live orders."""

from __future__ import annotations

from hlomm.domain.ids import is_outcome
from hlomm.domain.orders import OrderState, Side
from hlomm.domain.report import FillRow, OrderRow, PositionRow
from tui.formats import age_if_old, coin_price, coins, coins_in, decimals_of, fitted, price, quantity, short_ticker
from tui.state import Store
from tui.views import hedge
from tui.views.line import Line, Span, Tone, clean, cut, joined, left, line, right, signed_tone

_MARKET = 17
_HELD, _GAIN = 9, 8
_ROOMY = 52


def positions(store: Store, width: int, height: int) -> list[Line]:
    """What is held now, and what the hedges should be; flat and settled ones are history and live in the fills."""
    snapshot = store.shown
    rows = held(() if snapshot is None else snapshot.engine.positions)
    wall_ms = 0 if snapshot is None else snapshot.engine.wall_ms
    name_width = _name_width(width)
    cells = [left(f"POSITIONS {len(rows)}", name_width), right("HELD", _HELD), right("IF SOLD", _GAIN)]
    if width >= _ROOMY:
        cells += [right("COST", 9), right("REAL", 9)]
    head = tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells))
    targets = hedge.targets(store, width)
    if not rows:
        return [head, line(Span("flat: nothing is held", Tone.LABEL)), *targets]
    return [head, *(_position(row, wall_ms, width) for row in rows[: max(height - 1 - len(targets), 0)]), *targets]


def held(rows: tuple[PositionRow, ...]) -> list[PositionRow]:
    return [row for row in rows if row.settled is None and (row.yes or row.no)]


def tokens(row: PositionRow) -> str:
    """`120 YES`, `30 NO`, or both: `75Y 60N`; the coins of a perp, signed."""
    if not is_outcome(row.market):
        return coins(row.yes, decimals_of(row.yes))
    if row.yes and row.no:
        return f"{quantity(row.yes)}Y {quantity(row.no)}N"
    return f"{quantity(row.yes)} YES" if row.yes else f"{quantity(row.no)} NO"


def _position(row: PositionRow, wall_ms: int, width: int) -> Line:
    gain = row.value - row.cost
    name_width = _name_width(width)
    cells = [
        left(short_ticker(row.ticker, name_width, wall_ms), name_width),
        right(tokens(row), _HELD, Tone.STRONG),
        right(fitted(gain, _GAIN, signed=True), _GAIN, signed_tone(gain)),
    ]
    if width >= _ROOMY:
        cells += [
            right(fitted(row.cost, 9), 9),
            right(fitted(row.realised, 9, signed=True), 9, signed_tone(row.realised)),
        ]
    return cut(joined(line(cell) for cell in cells), width)


def _name_width(width: int) -> int:
    """The name takes what the figures leave, within reason."""
    return min(max(width - _HELD - _GAIN - 2, 8), 19)


def orders(store: Store, now_s: float, width: int, height: int) -> list[Line]:
    snapshot = store.shown
    rows = () if snapshot is None else snapshot.engine.orders
    wall_ms = 0 if snapshot is None else snapshot.engine.wall_ms
    lag_s = store.shown_lag_s(now_s)
    cells = [
        left(f"ORDERS {len(rows)}", _MARKET),
        left("SIDE", 8),
        right("PRICE", 6),
        right("LEFT", 6),
        left("STATE", 7),
    ]
    head = tuple(Span(span.text, Tone.HEAD) for span in joined(line(cell) for cell in cells))
    if not rows:
        return [head, line(Span("no order rests", Tone.LABEL))]
    return [head, *(_order(row, wall_ms, lag_s, width) for row in rows[: max(height - 1, 0)])]


def traded(row: OrderRow | FillRow) -> str:
    """`buy YES`; of a perp the side alone."""
    side = "buy" if row.side is Side.BUY else "sell"
    return f"{side} {row.leg.name}" if is_outcome(row.market) else side


def _order(row: OrderRow, wall_ms: int, lag_s: float, width: int) -> Line:
    perp = not is_outcome(row.market)
    state = clean(row.state.value)
    unsure = row.state is OrderState.UNKNOWN
    cells = [
        left(short_ticker(row.ticker, _MARKET, wall_ms), _MARKET),
        left(traded(row), 8),
        right(coin_price(row.px, 6) if perp else price(row.px, 5), 6, Tone.OURS),
        right(coins_in(row.leaves, 6) if perp else quantity(row.leaves), 6, Tone.OURS),
        left(state.upper() if unsure else state.removeprefix("pending_"), 7, Tone.WARN if unsure else Tone.LABEL),
        right(age_if_old(row.age_s + lag_s), 5, Tone.LABEL),
    ]
    return cut(joined(line(cell) for cell in cells), width)
