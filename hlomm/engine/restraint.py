"""What breakers and inventory do to the wishes of a strategy, between the strategy and the differ.

A pause keeps a whole market from being quoted. Reduce-only leaves the side that brings the net position nearer to
flat, and no more of it than is there. A widening moves a wish away from fair by (factor - 1) half-spreads: the spread
becomes `factor` times as wide and keeps its skew; with one wish alone its distance from fair counts as the
half-spread. Prices are rounded away from fair (bids down, asks up); one that would leave (0, 1) is not quoted. Of
several factors the largest counts, they do not multiply.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.grid import ceil_px, floor_px
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px, Qty, floor_to, to_text
from hlomm.domain.view import Desired, Wish
from hlomm.engine import inventory
from hlomm.engine.breakers import MoveBreaker
from hlomm.engine.inventory import Stage
from hlomm.engine.state import MarketState, State

BID: Final = 1
ASK: Final = -1

Side = tuple[int, Wish | None, str]
"""(direction, what may be quoted, `guard: detail` where it is nothing)."""


def paused(state: State, market: MarketState) -> str | None:
    """`guard: detail` of the breaker that keeps the whole market from being quoted."""
    now_ns = state.now.mono_ns
    if market.underlying is not None:
        breaker = state.breakers.pause.get(market.underlying)
        if breaker is not None and breaker.active(now_ns):
            return f"price_pause: {breaker.why}, {breaker.left_s(now_ns):.0f} s left"
    errors = state.breakers.errors.get(market.market.venue)
    if errors is not None and errors.active(now_ns):
        return f"api_errors: {errors.why}, {errors.left_s(now_ns):.0f} s left"
    return None


def reduce_only(state: State, market: MarketState, direction: int) -> str | None:
    """`guard: detail` of what forbids this side to add to the position; None if it may."""
    if not market.is_outcome:
        return None
    if state.breakers.day.stopped:
        return "daily_loss: only reductions until 00:00 UTC"
    expiry_ns, drain_ns = market.market.expiry_ns, state.config.quotes.drain_ns
    if expiry_ns is not None and expiry_ns - state.now.wall_ns <= drain_ns:
        left_s = market.market.tau_ns(state.now.wall_ns) / NS_PER_S
        return f"drain: settles in {left_s:.0f} s, only reductions in the last {drain_ns / NS_PER_S:.0f} s"
    net = state.portfolio.position(market.market.id).net
    if not net:
        return None
    stage = inventory.stage_of(state, market)
    if stage is Stage.REDUCE or (stage is Stage.PAUSE and net * direction > 0):
        rules = state.config.inventory
        share = rules.reduce_above if stage is Stage.REDUCE else rules.pause_above
        return f"inventory: {inventory.numbers(state, market)} > {to_text(share * 100)} %, only reductions"
    return None


def sides(state: State, market: MarketState, desired: Desired) -> tuple[Side, Side]:
    """Both sides of what the strategy wants, after everything that restrains it."""
    market.restraints = {}
    if _unrestrained(state, market):
        return (
            (BID, desired.bid, desired.bid_reason if desired.bid is None else ""),
            (ASK, desired.ask, desired.ask_reason if desired.ask is None else ""),
        )
    return (
        _side(state, market, desired, BID, desired.bid, desired.bid_reason),
        _side(state, market, desired, ASK, desired.ask, desired.ask_reason),
    )


def _unrestrained(state: State, market: MarketState) -> bool:
    """Whether nothing below has a word to say about either side: as nearly always, so it is asked once for both."""
    if not market.is_outcome or state.breakers.day.stopped or _widening(state, market) is not None:
        return False
    expiry_ns = market.market.expiry_ns
    if expiry_ns is not None and expiry_ns - state.now.wall_ns <= state.config.quotes.drain_ns:
        return False
    return inventory.stage_of(state, market) is Stage.CALM


def _side(state: State, market: MarketState, desired: Desired, direction: int, wish: Wish | None, why: str) -> Side:
    if wish is None:
        return direction, None, why
    net = state.portfolio.position(market.market.id).net
    forbidden = reduce_only(state, market, direction)
    if forbidden is not None:
        qty = min(wish.qty, floor_to(max(-net * direction, 0), market.market.lot))
        if qty <= 0:
            return direction, None, forbidden
        market.restraints[direction] = forbidden
        wish = Wish(wish.px, Qty(qty))
    factor, reason = _factor(state, market, direction)
    if factor > SCALE:
        px = _widened(market, desired, direction, wish, factor)
        market.restraints[direction] = f"spread x{to_text(factor)}, {reason}"
        if px is None:
            return direction, None, f"widened: x{to_text(factor)} leaves no price inside (0, 1); {reason}"
        return direction, Wish(px, wish.qty), ""
    if forbidden is not None and state.config.inventory.reduce_at_touch:
        wish = _at_touch(state, market, desired, direction, wish)
    return direction, wish, ""


def _factor(state: State, market: MarketState, direction: int) -> tuple[int, str]:
    """(factor in 1e-8, why) of the widest restraint on a side; 1 for none."""
    factor, reason = SCALE, ""
    breaker = _widening(state, market)
    if breaker is not None:
        left_s = (breaker.until_ns - state.now.mono_ns) / NS_PER_S
        factor, reason = state.config.breakers.widen_factor, f"price_widen: {breaker.why}, {left_s:.0f} s left"
    net = state.portfolio.position(market.market.id).net
    rules = state.config.inventory
    if net * direction > 0 and rules.widen_factor > factor and inventory.stage_of(state, market) >= Stage.WIDEN:
        text = f"inventory: {inventory.numbers(state, market)} > {to_text(rules.widen_above * 100)} %"
        return rules.widen_factor, text
    return factor, reason


def _widening(state: State, market: MarketState) -> MoveBreaker | None:
    breaker = None if market.underlying is None else state.breakers.widen.get(market.underlying)
    return breaker if breaker is not None and breaker.active(state.now.mono_ns) else None


def _widened(market: MarketState, desired: Desired, direction: int, wish: Wish, factor: int) -> Px | None:
    """The price farther from fair; None if there is none inside (0, 1), or nothing to measure a spread by."""
    if desired.bid is not None and desired.ask is not None:
        spread = max(desired.ask.px - desired.bid.px, 0)
    elif desired.fair is not None:
        spread = 2 * abs(wish.px - desired.fair)
    else:
        return None
    shift = -(-(factor - SCALE) * spread // (2 * SCALE))  # rounded up: away from fair
    spec = market.market
    px = floor_px(spec, Px(wish.px - shift)) if direction == BID else ceil_px(spec, Px(wish.px + shift))
    return px if 0 < px < SCALE else None


def _at_touch(state: State, market: MarketState, desired: Desired, direction: int, wish: Wish) -> Wish:
    """Join the best of the others if that is nearer to a trade than the wish; never beyond fair, never without one."""
    if desired.fair is None or inventory.stage_of(state, market) is not Stage.REDUCE:
        return wish
    others, spec = state.others(market), market.market
    levels = others.bids if direction == BID else others.asks
    if not levels:
        return wish
    if direction == BID:
        return Wish(Px(max(wish.px, min(levels[0][0], floor_px(spec, desired.fair)))), wish.qty)
    return Wish(Px(min(wish.px, max(levels[0][0], ceil_px(spec, desired.fair)))), wish.qty)
