"""What is held, what it is worth and what may still happen to it: the engine's own books of one market."""

from __future__ import annotations

from typing import Any

from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.formulas import SCALE, notional_ceil, notional_floor, share
from hlomm.research.kernel.layout import BUY, HALTS, NO, YES

_DAY_NS = 86_400_000_000_000
_SLACK = 1.0 - 1e-9


@compiled
def held(s: Any, leg: int) -> int:
    return int(s.yes if leg == YES else s.no)


@compiled
def pairs(s: Any) -> int:
    return int(max(min(s.yes, s.no), 0))


@compiled
def add(s: Any, leg: int, qty: int, cost: int) -> None:
    if leg == YES:
        s.yes += qty
        s.cost_yes += cost
    else:
        s.no += qty
        s.cost_no += cost


@compiled
def release(s: Any, leg: int, qty: int) -> int:
    """Take tokens out; the cost that goes with them."""
    have, cost = held(s, leg), int(s.cost_yes if leg == YES else s.cost_no)
    released = cost if qty >= have else share(cost, qty, have)
    add(s, leg, -qty, -released)
    return released


@compiled
def traded(s: Any, leg: int, side: int, px: int, qty: int, fee: int) -> None:
    """A fill, booked."""
    if side == BUY:
        paid = notional_ceil(px, qty)
        s.cash -= paid
        add(s, leg, qty, paid)
    else:
        got = notional_floor(px, qty)
        released = release(s, leg, qty)
        s.cash += got
        s.realised += got - released
    s.volume += notional_floor(px, qty)
    s.fills += 1
    s.cash -= fee
    s.fees += fee
    s.net_max = max(s.net_max, abs(s.yes - s.no))


@compiled
def merged(s: Any, qty: int) -> None:
    """Pairs became cash."""
    s.cash += qty
    s.realised += qty - release(s, YES, qty) - release(s, NO, qty)


@compiled
def settled(s: Any, leg: int, px: int) -> None:
    have = held(s, leg)
    if have:
        got = notional_floor(px, have)
        released = release(s, leg, have)
        s.cash += got
        s.realised += got - released


@compiled
def equity_of(s: Any) -> int:
    """At conservative marks; what was never priced counts at cost, a pair at what it pays."""
    both = pairs(s)
    value = s.cash + both
    if s.yes > both:
        rest = s.yes - both
        value += share(s.cost_yes, rest, s.yes) if s.mark_bid < 0 else notional_floor(s.mark_bid, rest)
    if s.no > both:
        rest = s.no - both
        value += share(s.cost_no, rest, s.no) if s.mark_ask < 0 else notional_floor(SCALE - s.mark_ask, rest)
    return int(value)


@compiled
def watch(s: Any, p: Any) -> None:
    """Follow the equity. Where a limit may be near the set is left to the engine, which would stop."""
    s.equity = equity_of(s)
    s.high_water = max(s.high_water, s.equity)
    drawdown = s.high_water - s.equity
    s.max_drawdown = max(s.max_drawdown, drawdown)
    result = s.equity - p.cash
    if s.now // _DAY_NS > s.day:
        s.day, s.day_start = s.now // _DAY_NS, result
    loss = s.day_start - result
    if (
        drawdown > min(p.max_drawdown, p.drawdown_share * s.high_water) * _SLACK - 1.0
        or loss > p.daily_loss * _SLACK - 1.0
        or loss > p.equity_stop * (s.equity + loss) * _SLACK - 1.0
    ):
        s.beyond |= HALTS


@compiled
def pnl(s: Any) -> int:
    """Result at the reference price, as `report.pnl` has its total."""
    cost = s.cost_yes + s.cost_no
    worth = cost
    if s.ref2 >= 0:
        both = pairs(s)
        worth = both + share(s.yes - both, s.ref2, 2 * SCALE) + share(s.no - both, 2 * SCALE - s.ref2, 2 * SCALE)
    return int(s.realised + worth - cost - s.fees)


# -- what may still happen


@compiled
def exposed(o: Any) -> int:
    return int(o.leaves + o.amend_qty) if o.id else 0


@compiled
def selling(w: Any, leg: int, replaced: int) -> int:
    """Tokens of a leg that orders claim, but for the one of a side that is about to be replaced (-1: none)."""
    claimed = 0
    for side in range(2):
        o = w.orders[side]
        if o.id and side != replaced and o.side != BUY and o.leg == leg:
            claimed += exposed(o)
    return claimed


@compiled
def resting_buys(w: Any) -> int:
    locked = 0
    for side in range(2):
        o = w.orders[side]
        if o.id and o.side == BUY:
            locked += notional_ceil(max(o.px, o.amend_px), exposed(o))
    return locked


@compiled
def available(s: Any, w: Any, leg: int, replaced: int) -> int:
    return int(max(held(s, leg) - selling(w, leg, replaced) - s.merging, 0))


@compiled
def locked_cost(s: Any) -> int:
    """Cash sunk in unpaired tokens, rounded up."""
    both, locked = pairs(s), 0
    if s.yes > both:
        locked += s.cost_yes - share(s.cost_yes, both, s.yes)
    if s.no > both:
        locked += s.cost_no - share(s.cost_no, both, s.no)
    return int(locked)


@compiled
def reachable_gross(s: Any, w: Any, leg: int, side: int) -> int:
    """The most collateral that fills of what is pending, and then of a wanted order, can leave at risk."""
    worst = locked_cost(s)
    if pairs(s):
        for of in range(2):
            if (side == BUY) == (leg == of) or _touches(w, of):
                worst = max(worst, int(s.cost_yes if of == YES else s.cost_no))
    return resting_buys(w) + worst


@compiled
def _touches(w: Any, leg: int) -> bool:
    found = False
    for side in range(2):
        o = w.orders[side]
        found |= bool(o.id and (o.side == BUY) == (o.leg == leg))
    return found
