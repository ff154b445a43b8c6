"""Public trades of the selected market, newest first, in the prices of the ladder."""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import is_outcome
from hlomm.domain.look_rows import PrintRow
from hlomm.domain.orders import Side
from hlomm.domain.units import complement
from tui.formats import age, clock, coin_price, coins_in, price, quantity
from tui.state import Store
from tui.views.line import Line, Span, Tone, clean, cut, joined, line, right, rule
from tui.views.market import OLD_DAEMON, WAITING

NO_TRADES: Final = "no trade since the daemon watches"
_PX, _SIZE = 8, 8


def lines(store: Store, now_s: float, width: int, height: int) -> list[Line]:
    row, look, snapshot = store.market(), store.look(), store.shown
    if row is None or snapshot is None:
        return [rule("TRADES", width)]
    if look is None:
        return [rule("TRADES", width), cut(line(Span(WAITING if store.looked.able else OLD_DAEMON, Tone.LABEL)), width)]
    if look.note or not look.trades:
        return [rule("TRADES", width), cut(line(Span(clean(look.note) or NO_TRADES, Tone.LABEL)), width)]
    newest = max(one.wall_ms for one in look.trades)
    since_s = max(snapshot.engine.wall_ms - newest, 0) / 1000 + store.shown_lag_s(now_s)
    outcome = is_outcome(row.id)
    mirrored = store.as_no and outcome
    heading = rule("TRADES, taker's side", width, note=f"last {age(since_s)} ago")
    shown = list(reversed(look.trades))[: max(height - 1, 0)]
    return [heading, *(_line(one, width, mirrored=mirrored, outcome=outcome) for one in shown)]


def _line(one: PrintRow, width: int, *, mirrored: bool, outcome: bool) -> Line:
    """`14:22:05 sell .57020 40`; seen from NO, who sold YES bought NO."""
    buys = (one.aggressor is Side.BUY) is not mirrored
    px = complement(one.px) if mirrored else one.px
    cells = [
        line(Span(clock(one.wall_ms), Tone.LABEL)),
        line(Span("buy " if buys else "sell", Tone.GAIN if buys else Tone.LOSS)),
        line(right(price(px, 5) if outcome else coin_price(px, _PX), _PX)),
        line(right(quantity(one.qty) if outcome else coins_in(one.qty, _SIZE), _SIZE)),
    ]
    return cut(joined(cells), width)
