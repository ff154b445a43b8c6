"""One market in full, for whoever looks at it. Reading only: nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.look_rows import LookRow, PrintRow, SurfaceRow
from hlomm.domain.times import NS_PER_S
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import Charting, Strategy

GONE = "this market is not listed any more"
NO_STRATEGY = "no strategy trades this market"


def look(state: State, strategies: Mapping[StrategyId, Strategy], market_id: MarketId) -> LookRow:
    """Without queues and surface: the one is watched, the other costs more and is the caller's to make, seldom."""
    market, at_ms = state.markets.get(market_id), state.now.wall_ms
    if market is None:
        return LookRow(market=market_id, at_ms=at_ms, note=GONE)
    charting = _charting(strategies, market)
    drains = market.is_outcome and market.strategy is not None and market.market.expiry_ns is not None
    return LookRow(
        market=market_id, at_ms=at_ms,
        trades=tuple(
            PrintRow(wall_ms=one.venue_ms, px=one.px, qty=one.qty, aggressor=one.aggressor) for one in market.prints
        ),
        figures=None if charting is None else charting.figures(market_id),
        drain_s=state.config.quotes.drain_ns / NS_PER_S if drains else None,
    )  # fmt: skip


def surface(state: State, strategies: Mapping[StrategyId, Strategy], market_id: MarketId) -> SurfaceRow:
    """What the market's strategy draws; a note where there is nothing to draw."""
    market = state.markets.get(market_id)
    if market is None or market.strategy is None:
        return SurfaceRow(note=GONE if market is None else NO_STRATEGY)
    charting = _charting(strategies, market)
    if charting is None:
        return SurfaceRow(source=market.strategy, note=f"{market.strategy} does not quote: there is nothing to draw")
    try:
        return charting.surface(market_id, state.config.limits.max_position)
    except (ArithmeticError, ValueError) as error:  # a picture that cannot be computed must not cost the others
        return SurfaceRow(source=market.strategy, note=f"cannot be computed: {type(error).__name__} {error}")


def _charting(strategies: Mapping[StrategyId, Strategy], market: MarketState) -> Charting | None:
    """Not asked of every market in every turn: `isinstance` over a protocol is slow, and good enough here."""
    strategy: object = None if market.strategy is None else strategies.get(market.strategy)
    return strategy if isinstance(strategy, Charting) else None
