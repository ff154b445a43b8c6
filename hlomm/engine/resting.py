"""Pairs that begin with a leg that rests: its order at one venue, and the basket that takes the other leg on a fill.

Each way round of each reviewed link with a leg at the strategy's `maker` is a group of its own, with one post-only
order at a time and one basket at a time. The order stands only while its hedge could be taken at once: every guard that
keeps a pair from being taken pulls it, in the turn in which the guard speaks, and both legs are rehearsed before the
gate, where the resting one counts as filled and not hedged. It is never amended: it is cancelled, and made anew once it
is known to be gone.

A fill begins a basket of which one leg is there already (`basket`), and the rest of the order is cancelled: what fills
of it meanwhile joins. Only what is below the smallest order of the hedge's venue lets it rest until more has come, no
longer than the basket's deadline; then it is sold back. What is too small for that as well stays, and is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.ids import VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Purpose, Side, Tif, direction
from hlomm.domain.report import SideNote
from hlomm.domain.units import SCALE, Qty, to_fixed, to_text
from hlomm.domain.view import Basket
from hlomm.engine import (
    arbitrage,
    basket_moves,
    basket_offers,
    basket_orders,
    gate,
    quoting,
    resting_view,
    unhedged,
)
from hlomm.engine.basket import BasketLegState, BasketState, Group, GroupState, Phase, resting_group
from hlomm.engine.hedge_state import OK
from hlomm.engine.link_book import Link
from hlomm.engine.order import Order
from hlomm.engine.quoting import AGAIN
from hlomm.engine.resting_state import Resting
from hlomm.engine.state import State
from hlomm.strategy.base import RestingStrategy

KEPT: Final = 8
"""Orders of a group that ended, remembered for late fills."""


def groups(state: State, link: Link, maker: VenueId) -> Iterator[tuple[Group, GroupState, Resting]]:
    """The two ways round of a link with a leg at that venue."""
    for at, market_id in enumerate(link.pair):
        if venue_of(market_id) == maker:
            for leg in Leg:
                group = resting_group(*link.pair, leg, maker)
                known = state.baskets.by_group.get(group)
                if known is None:
                    rest = Resting(leg=leg, maker=market_id, hedge=link.pair[1 - at])
                    known = state.baskets.by_group[group] = GroupState(link=link, rest=rest)
                    state.baskets.rests = True
                assert known.rest is not None, "made here"
                yield group, known, known.rest


def groups_of(state: State, link: Link) -> Iterator[GroupState]:
    """Those of a link that there are."""
    for market_id in link.pair:
        for leg in Leg:
            known = state.baskets.by_group.get(resting_group(*link.pair, leg, venue_of(market_id)))
            if known is not None:
                yield known


def look(state: State, group: Group, known: GroupState, rest: Resting, strategy: RestingStrategy) -> None:
    """Begin a basket if something has filled; else let the order rest that should, and none that should not."""
    basket = known.basket
    if basket is None or (basket.over and basket.ended):
        if begun(state, group, known, rest):
            return
        basket = None
    why = _guard(state, known, rest, strategy)
    if why is None and basket is not None:
        if accumulates(state, basket):
            return
        why = f"hedging: {to_text(basket.most - basket.sets)} of {to_text(basket.most)} are still to be hedged"
    if why is None:
        why = _wanted(state, group, known, rest, strategy)
    if why is not None:
        _pull(state, known, rest, why)


def pull_all(state: State, why: str) -> None:
    """Nothing may rest."""
    for known in state.baskets.by_group.values():
        if known.rest is not None and resting_orders(known):
            _pull(state, known, known.rest, why)


def forget(state: State) -> None:
    """On the way to safety everything is cancelled; what fills meanwhile is sold with it, or once it runs again."""
    for known in state.baskets.by_group.values():
        if known.rest is not None and known.rest.orders:
            token = known.rest.maker, known.rest.leg
            news = sum(order.filled - order.voided for order in known.rest.orders)
            state.baskets.rested.setdefault(token, max(unhedged.left_over(state, *token) - news, 0))
            known.rest.orders = []


def leave(state: State, group: Group, known: GroupState, rest: Resting) -> None:
    """Its link has ended."""
    if known.basket is None or (known.basket.over and known.basket.ended):
        begun(state, group, known, rest)
    if resting_orders(known):
        _pull(state, known, rest, "link: gone")
    market = state.markets.get(rest.maker)
    if market is not None and market.strategy is None:
        market.notes.pop(direction(rest.leg, Side.BUY), None)


def resting_orders(known: GroupState) -> list[Order]:
    """All orders of a group that may still rest, those of its basket included."""
    found = [] if known.rest is None else known.rest.live
    if known.basket is not None:
        orders = (order for of in known.basket.legs for order in of.orders)
        found += [order for order in orders if order.live and order.purpose is Purpose.REST]
    return found


def accumulates(state: State, basket: BasketState) -> bool:
    """Whether so little has filled that its hedge could not be sent, and more may come in time."""
    patient = state.now.mono_ns - basket.began_ns < basket.plan.deadline_ns
    return patient and basket.maker and not basket.ended and not basket.even and basket_moves.small(state, basket)


def levelled(state: State, basket: BasketState) -> bool:
    """A maker's pair: whether all that has filled is hedged, and only what rests is waited for."""
    now_ns = state.now.mono_ns
    if basket.sets > basket.hedged and basket.phase is Phase.MENDING:
        # An attempt that filled is none that failed; and what is complete is put aside.
        basket.hedged, basket.attempts, basket.again_ns = basket.sets, 0, now_ns
        basket.put_aside()
    if basket.even and not basket.level:
        basket.level = True
        if basket.sets > 0 and basket.phase is Phase.MENDING:
            state.pairs.hedge_delays.append(now_ns - basket.began_ns)
    elif basket.level and not basket.even:
        basket.level, basket.began_ns = False, now_ns
    return basket.even and not basket.ended


def in_the_way(state: State, basket: BasketState) -> bool:
    """Orders of ours that a sale of the surplus would meet: they are cancelled, and waited for."""
    markets = [of.market for of in basket.legs if of.held > basket.sets]
    found = [o for market in markets for o in state.orders.live_in(market) if o.purpose is Purpose.REST]
    for order in found:
        quoting.cancel(state, order)
    return bool(found)


# -- a fill


def begun(state: State, group: Group, known: GroupState, rest: Resting) -> bool:
    """A basket whose first leg is what has filled; the order that filled, and no other, goes with it."""
    filled = [order for order in rest.orders if order.filled > order.voided]
    if not filled or rest.plan is None:
        return False
    strategy = filled[0].strategy
    assert strategy is not None, "sent for one"
    rest.orders = [order for order in rest.orders if order not in filled]
    first, second = (BasketLegState(leg.market, leg.leg) for leg in rest.plan.legs)
    first.orders += filled
    known.basket = BasketState(
        group=group, strategy=strategy, plan=rest.plan, unit=SCALE, legs=(first, second),
        began_ns=state.now.mono_ns, pair=True, maker=True, note=rest.plan.reason,
    )  # fmt: skip
    arbitrage.signal(state, group, rest.plan, ArbitrageKind.CROSS)
    state.books_moved = True  # on record before the hedge leaves: the next run must know that a leg is open
    state.baskets.count("started")
    state.digest.mix_text(group)
    state.digest.mix(first.held)
    return True


# -- what keeps it away


def _guard(state: State, known: GroupState, rest: Resting, strategy: RestingStrategy) -> str | None:
    """`guard: detail`, before the strategy is asked."""
    assert known.link is not None
    if (why := basket_offers.blocked(state, known, known.link, strategy)) is not None:
        return why
    market = state.markets[rest.maker]
    if market.strategy is not None:
        return f"owner: {market.strategy} quotes {rest.maker}"
    left_ns = known.again_ns - state.now.mono_ns
    if left_ns > 0:
        state.timers.set_earliest(f"{AGAIN}{rest.maker}", known.again_ns)
        return f"cooldown: {left_ns / 1e9:.0f} s after a pair that was not completed"
    allowed, naked = (
        0 if rest.plan is None else rest.plan.max_unwind_loss,
        unhedged.left_over(state, rest.maker, rest.leg),
    )
    cost = unhedged.cost_of(state, rest.maker, rest.leg, naked)
    if rest.plan is not None and cost > allowed:
        return f"left_over: {to_text(naked)} {rest.leg.name} that nothing hedges cost {to_fixed(cost, 2)}, no more then"
    return None


# -- the order


def _wanted(state: State, group: Group, known: GroupState, rest: Resting, strategy: RestingStrategy) -> str | None:
    """Ask the strategy if it is time, and act on the difference; why nothing may rest."""
    now_ns, heard, live = state.now.mono_ns, state.markets[rest.hedge].book.count, rest.live
    if now_ns < rest.looked_ns and not (live and heard != rest.heard):
        state.timers.set_earliest(f"{AGAIN}{rest.maker}", rest.looked_ns)
        return None
    rest.heard = heard
    rest.looked_ns = now_ns + state.config.quotes.min_interval_ns * state.budgets.pace(venue_of(rest.maker))
    state.timers.set_earliest(f"{AGAIN}{rest.maker}", rest.looked_ns)
    market, pair = state.markets[rest.maker], resting_view.view_of(state, group, known, rest)
    plan = quoting.supervised(state, market, strategy, lambda: strategy.rest(pair, rest.leg))
    if plan is None or isinstance(plan, str):
        return plan or "strategy_fault: it raised"
    if live:
        return _kept(state, known, rest, live[-1], plan)
    return _place(state, known, rest, strategy, plan)


def _kept(state: State, known: GroupState, rest: Resting, order: Order, plan: Basket) -> str | None:
    """Whether the order that rests is still good enough."""
    known.why_not = ""
    if order.state is not OrderState.OPEN:
        return None
    rules, px = state.config.quotes, plan.legs[0].px
    resized = abs(plan.qty - order.leaves) > rules.min_size_change * order.leaves
    if px < order.px or px - order.px >= max(rules.min_move, 1) or resized:
        return f"moving: from {to_text(order.leaves)} at {to_text(order.px)} to {to_text(plan.qty)} at {to_text(px)}"
    rest.plan = attrs.evolve(plan, qty=Qty(order.leaves))
    return None


def _place(
    state: State, known: GroupState, rest: Resting, strategy: RestingStrategy, plan: Basket
) -> str | None:  # fmt: skip
    if state.now.mono_ns < rest.acted_ns:
        return None
    qty = basket_orders.rehearsed(state, plan, rests=True)
    if isinstance(qty, SideNote):
        state.counters.reject(qty.guard)
        return f"{qty.guard}: {qty.detail}"
    want = gate.Proposal(
        market=state.markets[rest.maker], leg=rest.leg, side=Side.BUY, px=plan.legs[0].px, qty=qty, tif=Tif.ALO,
        purpose=Purpose.REST,
    )  # fmt: skip
    admitted = quoting.admit(state, want)
    if isinstance(admitted, SideNote):
        return f"{admitted.guard}: {admitted.detail}"
    rest.orders = [*rest.orders[1 - KEPT :], quoting.send(state, want, admitted, strategy.id)]
    rest.plan = attrs.evolve(plan, qty=admitted)
    rest.acted_ns = state.now.mono_ns + state.config.quotes.min_interval_ns * state.budgets.pace(venue_of(rest.maker))
    if not rest.recorded:
        rest.recorded = state.books_moved = True
    known.why_not = ""
    _note(state, rest, OK)
    return None


def _pull(state: State, known: GroupState, rest: Resting, why: str) -> None:
    known.why_not = why
    for order in resting_orders(known):
        quoting.cancel(state, order)
    guard, _, detail = why.partition(": ")
    _note(state, rest, SideNote(guard=guard, detail=detail))


def _note(state: State, rest: Resting, note: SideNote) -> None:
    """For people who look at the market; the order of another link there says more than that this one has none."""
    market = state.markets.get(rest.maker)
    side = direction(rest.leg, Side.BUY)
    if market is not None and market.strategy is None:
        orders = state.orders.live_in(rest.maker)
        others = any(o.purpose is Purpose.REST and o.direction == side and o not in rest.orders for o in orders)
        if note is OK or not others:
            market.notes[side] = note
