"""What everything held, pending and hedged on one underlying can lose, over every way it can settle (QUANT 7). Exact.

All payoffs are constant between the bounds of the contracts, so looking just below, at and just above each of them is
looking everywhere. A perp gains or loses along the way: it is followed as far as the stress move and no farther.
Pending orders may fill in any combination; at one settlement price the worst combination is that of all orders that
lose there, so adding those up covers every interleaving. An outcome that no price decides (a fallback, a deployer's)
is an event of its own, lost either way.

Losses of an outcome are those of its whole life: what was paid for it, less what it has brought in and will pay. So a
fill changes them by exactly what was reckoned with before it. A perp's are counted from the price of closing it. Fees
are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Comparator, Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.report import ScenarioRow
from hlomm.domain.units import SCALE, Cash, Px, notional_ceil
from hlomm.engine.order import Order
from hlomm.engine.state import MarketState, State
from hlomm.pricing.scenario import Claim

STRESS: Final = SCALE // 5
"""Largest move of an underlying reckoned with: a fifth, for a day."""
NO_PRICE: Final = (0, 1)
"""Settlements of an event that no price decides: NO and YES."""


@attrs.frozen(kw_only=True)
class Profile:
    """Losses of one underlying (or one undecidable event) by settlement; negative is a gain."""

    at: tuple[int, ...]
    """Settlement prices in 1e-8, or 0 and 1 for an event without a price."""
    losses: tuple[int, ...]
    """With the worst combination of pending orders filled."""

    @property
    def worst(self) -> int:
        return max(self.losses, default=0)


def pays_yes(market: Market, at: int) -> bool:
    """Whether YES is paid at a settlement price (0 or 1 for an outcome without one)."""
    if not priced(market):
        return at == 1
    if market.strike is not None:
        return at > market.strike if market.comparator is Comparator.ABOVE else at >= market.strike
    return (market.floor is None or at >= market.floor) and (market.ceiling is None or at < market.ceiling)


def priced(market: Market) -> bool:
    """Whether a price alone decides the outcome."""
    return not market.fallback and (market.strike is not None or market.floor is not None or market.ceiling is not None)


def claim(market: Market, yes: int, no: int) -> Claim:
    """Tokens as the scenarios of `pricing` take them; one that no price decides hangs on nothing."""
    if not priced(market):
        return Claim(yes=yes, no=no)
    floor = market.floor if market.strike is None else market.strike
    above = market.strike is not None and market.comparator is Comparator.ABOVE
    return Claim(yes=yes, no=no, floor=floor, ceiling=market.ceiling, above=above)


def stress(value: int) -> int:
    """What the stress move loses on a perp position of that (signed) value, rounded up."""
    return -(-abs(value) * STRESS // SCALE)


def group_of(state: State, market: MarketState) -> tuple[MarketState, ...]:
    """The outcomes that one settlement price decides together with this one; itself alone where none does."""
    if not priced(market.market) or market.underlying is None:
        return (market,)
    return tuple(
        other
        for other in state.markets.values()
        if other.underlying == market.underlying and other.settled is None and other.is_outcome and priced(other.market)
    )


def profile(state: State, markets: Sequence[MarketState]) -> Profile:
    """Losses of a group of outcomes, with the perp of their underlying if they have one."""
    points = _points(state, markets)
    return Profile(at=points, losses=tuple(_loss(state, markets, at) for at in points))


def event(state: State, market: MarketState) -> Profile:
    """Losses of one outcome by itself, YES paid or not."""
    held, pending = _held(state, market), state.orders.exposed_in(market.market.id)
    return Profile(
        at=NO_PRICE,
        losses=tuple(held[yes] + sum(_if_filled(order, yes=bool(yes)) for order in pending) for yes in NO_PRICE),
    )


def unit_loss(leg: Leg, side: Side, px: int, *, yes: bool) -> int:
    """What one contract of an order loses if YES is (not) paid, in 1e-8; negative if it gains."""
    paid = SCALE if yes is (leg is Leg.YES) else 0
    return px - paid if side is Side.BUY else paid - px


# -- parts


def _points(state: State, markets: Sequence[MarketState]) -> tuple[int, ...]:
    if not priced(markets[0].market):
        return NO_PRICE
    bounds = {bound for market in markets for bound in _bounds(market.market)}
    found = {max(bound + step, 0) for bound in bounds for step in (-1, 0, 1)}
    mark = _mark(state, markets[0].underlying)
    if mark is not None:
        found |= {mark - mark * STRESS // SCALE, mark, mark + mark * STRESS // SCALE}
    return tuple(sorted(found))


def _bounds(market: Market) -> tuple[int, ...]:
    return tuple(bound for bound in (market.strike, market.floor, market.ceiling) if bound is not None)


def _loss(state: State, markets: Sequence[MarketState], at: int) -> int:
    total = -_perp_gain(state, markets[0].underlying, at) if priced(markets[0].market) else 0
    for market in markets:
        yes = pays_yes(market.market, at)
        total += _held(state, market)[yes]
        total += sum(_if_filled(order, yes=yes) for order in state.orders.exposed_in(market.market.id))
    return total


def _held(state: State, market: MarketState) -> tuple[int, int]:
    """(loss if NO is paid, loss if YES is paid) of what was traded so far."""
    position = state.portfolio.position(market.market.id)
    spent = position.cost_yes + position.cost_no - position.realised
    return spent - position.no, spent - position.yes


def _if_filled(order: Order, *, yes: bool) -> int:
    """What a pending order loses if it fills; nothing where it would gain, for it need not fill.

    While an amend is out both sizes may fill, each at its own price; what is already said to have filled, at the worse.
    """
    worse = order.exposed_px
    if order.side is Side.SELL:
        worse = order.px if order.amend_px is None else min(order.px, order.amend_px)
    parts = ((order.px, order.leaves), (order.amend_px or order.px, order.amend_qty), (worse, order.due))
    total = 0
    for px, qty in parts:
        lost = unit_loss(order.leg, order.side, px, yes=yes)
        total += notional_ceil(lost, qty) if lost > 0 else 0
    return total


def _mark(state: State, perp: MarketId | None) -> int | None:
    market = None if perp is None else state.markets.get(perp)
    if market is None:
        return None
    qty = 0 if perp is None else state.portfolio.perps.position(perp).qty
    return market.closing_px(qty) if qty else None


def _perp_gain(state: State, perp: MarketId | None, at: int) -> int:
    """Gain of the hedge from its closing price to a settlement price, followed as far as the stress move.

    Less the jump margin: it is not there to be closed at the very price that settles the outcomes.
    """
    mark = _mark(state, perp)
    if mark is None or perp is None:
        return 0
    qty = state.portfolio.perps.position(perp).qty
    move = min(max(at - mark, -mark * STRESS // SCALE), mark * STRESS // SCALE)
    margin = -(-abs(qty) * (mark + move) * state.config.hedge.jump_margin // SCALE**2)
    return qty * move // SCALE - margin


def groups(state: State) -> Iterator[tuple[MarketState, ...]]:
    """Every group of outcomes that settle together, each once."""
    seen: set[MarketId] = set()
    for market in state.markets.values():
        if market.market.id in seen or not market.is_outcome or market.settled is not None:
            continue
        group = group_of(state, market)
        seen.update(other.market.id for other in group)
        yield group


def total_worst(state: State) -> int:
    """The worst of every group added up: nothing is netted between underlyings."""
    return sum(max(profile(state, group).worst, 0) for group in groups(state))


def rows(state: State) -> tuple[ScenarioRow, ...]:
    """The payoff profile for people: only where something is at stake."""
    found = []
    for group in groups(state):
        shown = profile(state, group)
        if not any(shown.losses):
            continue
        decided = priced(group[0].market)
        name = group[0].market.underlying if decided else group[0].market.ticker
        for at, loss in zip(shown.at, shown.losses, strict=True):
            word = name if decided else f"{name}-{'YES' if at else 'NO'}"
            found.append(ScenarioRow(name=word, at=Px(at) if decided else None, loss=Cash(loss)))
    return tuple(found)
