"""Inventory states of one market, by the share of `max_position` that its net position takes.

The strategy skews always; the engine adds, on the side that would load further:

    CALM    nothing
    WIDEN   above `widen_above`: that side stands farther from fair
    PAUSE   above `pause_above`: that side is not quoted
    REDUCE  above `reduce_above`: the other side, and only up to flat, moves to the touch (not beyond fair)

Beyond `flatten_above` no fill of ours can have led, because the gate counts pending orders as filled: what the books
or the venue tell us is a surprise, and the way to safety begins. It is said once for a position: an operator who
resumes with it gets the REDUCE state, unless it grows.
"""

from __future__ import annotations

from enum import IntEnum

from hlomm.domain.units import SCALE, to_text
from hlomm.engine.config import InventoryRules
from hlomm.engine.state import MarketState, State


class Stage(IntEnum):
    CALM = 0
    WIDEN = 1
    PAUSE = 2
    REDUCE = 3


def stage(net: int, cap: int, rules: InventoryRules) -> Stage:
    """State of a net position; at a threshold the lower one. Exact: shares are compared as products."""
    share = abs(net) * SCALE
    if share > rules.reduce_above * cap:
        return Stage.REDUCE
    if share > rules.pause_above * cap:
        return Stage.PAUSE
    return Stage.WIDEN if share > rules.widen_above * cap else Stage.CALM


def stage_of(state: State, market: MarketState) -> Stage:
    if not market.is_outcome or market.settled is not None:
        return Stage.CALM
    net = state.portfolio.position(market.market.id).net
    return stage(net, state.config.limits.max_position, state.config.inventory)


def numbers(state: State, market: MarketState) -> str:
    """`net 340 of 400 = 85 %`, rounded down."""
    net, cap = state.portfolio.position(market.market.id).net, state.config.limits.max_position
    return f"net {to_text(net)} of {to_text(cap)} = {abs(net) * 100 // cap} %"


def surprise(state: State) -> str | None:
    """A position that no order of ours can have led to, in words. Looks at the markets that changed."""
    cap, rules = state.config.limits.max_position, state.config.inventory
    found = None
    for market_id in state.dirty:
        market = state.markets.get(market_id)
        if market is None or not market.is_outcome or market.settled is not None:
            state.over_cap.pop(market_id, None)
            continue
        size = abs(state.portfolio.position(market_id).net)
        if size * SCALE <= rules.flatten_above * cap:
            state.over_cap.pop(market_id, None)
        elif size > state.over_cap.get(market_id, 0):
            state.over_cap[market_id] = size
            found = found or f"inventory of {market.market.ticker} beyond the limit: {numbers(state, market)}"
    return found
