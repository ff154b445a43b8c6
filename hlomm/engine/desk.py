"""What people are told of strategies and of their orders. Reading only."""

from __future__ import annotations

from collections import Counter

from hlomm.domain.desk_rows import StrategyRow
from hlomm.domain.ids import StrategyId
from hlomm.domain.orders import Purpose
from hlomm.domain.units import Cash
from hlomm.engine.order import Order
from hlomm.engine.state import State


def strategies(state: State) -> tuple[StrategyRow, ...]:
    markets = Counter(market.strategy for market in state.markets.values() if not market.gone)
    orders = Counter(order.strategy for order in state.orders.live())
    rows = []
    for strategy in state.strategies:
        word, why = _standing(state, strategy)
        rows.append(
            StrategyRow(
                id=strategy, state=word, why=why, markets=markets[strategy], orders=orders[strategy],
                result=Cash(state.attribution.brought(strategy)),
            )
        )  # fmt: skip
    return tuple(rows)


def _standing(state: State, strategy: StrategyId) -> tuple[str, str]:
    if strategy in state.strategy_faults:
        return "stopped", state.strategy_faults[strategy]
    if strategy in state.paused:
        return "paused", state.paused[strategy]
    return "running", ""


def reason(state: State, order: Order) -> str:
    """What made an order, or holds it where it is; empty for a quote that stands where its strategy wants it."""
    market = state.markets.get(order.market)
    match order.purpose:
        case Purpose.FLATTEN:
            return state.halt_reason
        case Purpose.HEDGE:
            hedge = state.hedges.get(order.market)
            return "" if hedge is None else f"{hedge.note.guard}: {hedge.note.detail}".rstrip(": ")
        case Purpose.LEG:
            return _basket_of(state, order)
        case Purpose.QUOTE if market is not None:
            note = market.notes.get(order.direction)
            restrained = market.restraints.get(order.direction, "")
            if note is None or note.guard in ("ok", order.state.value):
                return restrained
            return f"{note.guard}: {note.detail}" if note.detail else note.guard
    return ""


def _basket_of(state: State, order: Order) -> str:
    for group, known in state.baskets.by_group.items():
        basket = known.basket
        if basket is not None and any(of is order for leg in basket.legs for of in leg.orders):
            return f"{basket.phase.value}: {group}"
    return ""
