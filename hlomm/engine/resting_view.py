"""What the resting leg of a pair is priced from: both books, that of the hedge less what is spoken for there."""

from __future__ import annotations

import msgspec

from hlomm.domain.inputs import Level
from hlomm.domain.markets import Leg
from hlomm.domain.view import MarketView, PairView
from hlomm.engine import arbitrage, quoting
from hlomm.engine.basket import Group, GroupState
from hlomm.engine.resting_state import Resting
from hlomm.engine.state import State


def view_of(state: State, group: Group, known: GroupState, rest: Resting) -> PairView:
    """Both legs, the hedge's book without what other pairs want there."""
    link = known.link
    assert link is not None
    maker, hedge = (quoting.view_of(state, state.markets[market]) for market in (rest.maker, rest.hedge))
    hedge = _without(hedge, rest.leg, reserved(state, rest, group))
    left, right = (maker, hedge) if link.pair[0] == rest.maker else (hedge, maker)
    return PairView(
        left=left, right=right, terms=link.terms, max_mismatch=link.max_mismatch,
        held=arbitrage.spoken_for(state, link, group), staked=arbitrage.staked(state, link, group),
    )  # fmt: skip


def reserved(state: State, rest: Resting, group: Group) -> int:
    """Contracts that the hedge's book is to give to our other pairs: those being made, and what rests elsewhere."""
    total = 0
    for name, known in state.baskets.by_group.items():
        if name == group:
            continue
        if known.rest is not None and known.rest.hedge == rest.hedge and known.rest.leg is rest.leg:
            total += sum(order.exposed for order in known.rest.live)
        if known.basket is not None and not known.basket.over:
            total += sum(
                max(known.basket.most - of.held, of.coming)
                for of in known.basket.legs
                if of.market == rest.hedge and of.leg is not rest.leg
            )
    return total


def _without(view: MarketView, leg: Leg, qty: int) -> MarketView:
    """The book less that much of what hedges `leg`: buyers of YES, who are the sellers of NO, or its sellers."""
    if leg is Leg.YES:
        return msgspec.structs.replace(view, bids=_behind(view.bids, qty))
    return msgspec.structs.replace(view, asks=_behind(view.asks, qty))


def _behind(levels: tuple[Level, ...], qty: int) -> tuple[Level, ...]:
    left: list[Level] = []
    for px, size in levels:
        gone = min(size, qty)
        qty -= gone
        if size > gone:
            left.append((px, size - gone))
    return tuple(left)
