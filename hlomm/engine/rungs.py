"""Keeps the pairs of strikes up to date with what the engine is told of markets, for a strategy that trades them."""

from __future__ import annotations

from hlomm.domain.fills import FillKind
from hlomm.domain.inputs import (
    FillReceived,
    Input,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
)
from hlomm.engine.rung_book import Rungs
from hlomm.engine.state import State
from hlomm.strategy.base import Strategies, climbs


def heed(state: State, item: Input, strategies: Strategies) -> None:
    """Show one input, already applied, to the ladders. Without a strategy for them nothing is kept."""
    if not isinstance(item, MarketListed | MarketChanged | MarketSettled | MarketDelisted | FillReceived):
        return
    if not any(climbs(strategy) for strategy in strategies.values()):
        return
    if isinstance(item, MarketListed | MarketChanged):
        market = state.markets.get(item.market.id)
        if market is not None and not market.gone:
            _follow(state, state.rungs.told(item.market))
    elif isinstance(item, FillReceived):
        for fill in item.fills:
            if fill.kind is FillKind.SETTLEMENT:
                _follow(state, state.rungs.left(fill.market))
    else:
        _follow(state, state.rungs.left(item.market))


def _follow(state: State, new: list[Rungs]) -> None:
    """Books are needed of both strikes, whoever quotes them."""
    for rungs in new:
        for part in rungs.pair:
            state.digest.mix_text(part)
            market = state.markets.get(part)
            if market is not None and market.strategy is None:
                state.out.subscribe(part)
            state.touch(part)
