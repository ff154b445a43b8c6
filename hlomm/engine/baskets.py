"""Baskets from the wish to the end: one per group at a time, all legs or none, every order through the gate.

Before anything is sent, every leg is rehearsed with the other legs counted as pending; then all leave in one turn
(`basket_orders`). What follows is the table in `basket`, and the limits of `basket_moves`. After a basket that had to
be sold back the group rests, longer each time; one that was left beyond what it may lose closes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hlomm.domain.basket_rows import BasketRow
from hlomm.domain.ids import StrategyId, VenueId, venue_of
from hlomm.domain.links import LinkState
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash, Qty, to_fixed, to_text
from hlomm.engine import arbitrage, basket_moves, basket_offers, basket_orders, resting
from hlomm.engine.basket import (
    OVER,
    BasketEvent,
    BasketState,
    Group,
    GroupState,
    Pairing,
    Phase,
    advance,
    event_group,
    link_group,
    pair_group,
    question_group,
)
from hlomm.engine.link_book import Link
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import RestingStrategy, Strategy, rests

TIMER: Final = "basket:"
"""Timer of a market whose basket has another try to make."""
REST_NS: Final = 30 * 10**9
"""After a basket that had to be sold back; doubled each time."""
DOUBLINGS: Final = 10

_CODE: Final = {phase: code for code, phase in enumerate(Phase)}


def due(state: State, market: MarketState) -> None:
    """Something about a contract of an event, or a leg of a pair, has changed."""
    if (group := group_of(market)) is not None:
        state.baskets.due[group] = None
    for link in state.links.links_of(market.market.id):
        group = link_group(*link.pair)
        if link.state is not LinkState.PROPOSED or group in state.baskets.by_group:
            _heed(state, group, link)
    for rungs in state.rungs.pairs_of(market.market.id):
        _heed(state, pair_group(rungs), rungs)


def _heed(state: State, group: Group, link: Pairing) -> None:
    """Look at a pair in this turn; one that was looked at a moment ago, with nothing going on, once after its rest."""
    known = state.baskets.by_group.get(group)
    if known is None or known.basket is not None or state.baskets.rests or state.now.mono_ns >= known.again_ns:
        state.baskets.due[group] = link
    else:
        basket_offers.later(state, group, known)


def due_again(state: State, group: Group) -> None:
    """A link that changed while it rested."""
    known = state.baskets.by_group.get(group)
    if known is not None:
        known.waits = False
        state.baskets.due[group] = known.link


def group_of(market: MarketState) -> Group | None:
    """What its contract may be bought in sets with."""
    spec = market.market
    if spec.question is not None:
        return question_group(spec.venue, spec.question)
    return event_group(spec.venue, spec.exclusive) if spec.exclusive else None


def under_way(state: State, market: MarketState) -> bool:
    """Whether a basket is at work in the market's question: its tokens are not to be converted before it is done."""
    group = group_of(market)
    known = None if group is None else state.baskets.by_group.get(group)
    return known is not None and known.basket is not None and not known.basket.over


def step(state: State) -> None:
    """Bring the basket of every group that is due one step on."""
    if state.halt is not HaltState.RUNNING:
        return
    for group, link in state.baskets.due.items():
        of_makers = resting.groups_of(state, link) if state.baskets.rests and isinstance(link, Link) else ()
        for known in (state.baskets.by_group.get(group), *of_makers):
            if known is not None and known.basket is not None:
                _step(state, known, known.basket)


def work(state: State, strategies: Mapping[StrategyId, Strategy]) -> None:
    """Look for a new basket in every group that is due; give up all of them where somebody else gets to safety."""
    groups, state.baskets.due = state.baskets.due, {}
    if state.halt is not HaltState.RUNNING:
        for known in state.baskets.by_group.values():
            if known.basket is not None and not known.basket.over:
                _take_over(state, known.basket, f"{state.halt.value}: {state.halt_reason}")
        if state.walk is not None and state.walk.sell:
            arbitrage.release(state, f"{state.halt.value}: {state.halt_reason}")
        resting.forget(state)
        return
    maker = next((one for one in strategies.values() if rests(one) and one.maker), None)
    for group, link in groups.items():
        known = state.baskets.by_group.setdefault(group, GroupState(link=link))
        known.link = link
        idle = known.basket is None or (known.basket.over and known.basket.ended)
        if link is None:
            live = [market for market in state.markets.values() if group_of(market) == group and not market.gone]
            if not live:
                del state.baskets.by_group[group]
            elif idle and live[0].market.question is None:
                basket_offers.of_event(state, group, known, live, strategies)
            elif idle:
                basket_offers.of_question(state, group, known, live, strategies)
        elif idle:
            basket_offers.of_pair(state, group, known, link, strategies)
        if isinstance(link, Link) and maker is not None:
            _of_maker(state, link, maker)
    if maker is not None and maker.id in state.strategy_faults:
        resting.pull_all(state, f"strategy_fault: {state.strategy_faults[maker.id]}")
    _forget_pairs(state)


def _of_maker(state: State, link: Link, strategy: RestingStrategy) -> None:
    """Both ways round in which a leg of the link may rest."""
    assert strategy.maker is not None
    for group, known, rest in resting.groups(state, link, strategy.maker):
        if known.basket is not None:
            _step(state, known, known.basket)
        before = known.basket
        resting.look(state, group, known, rest, strategy)
        if known.basket is not None and known.basket is not before:
            _step(state, known, known.basket)  # hedged in the turn in which it filled, and the rest of it cancelled
            resting.look(state, group, known, rest, strategy)


def _forget_pairs(state: State) -> None:
    """Groups of pairs that have ended, once their basket is over and nothing of them rests."""
    gone = [(group, known) for group, known in state.baskets.by_group.items() if known.link and known.link.ended]
    for group, known in gone:
        if known.rest is not None:
            resting.leave(state, group, known, known.rest)
        if known.basket is not None and not known.basket.over:
            _step(state, known, known.basket)  # of its markets nobody hears any more
        if (known.basket is None or (known.basket.over and known.basket.ended)) and not resting.resting_orders(known):
            del state.baskets.by_group[group]


# -- the one there is


def _step(state: State, known: GroupState, basket: BasketState) -> None:
    if not basket.over and (end := _ended(state, basket)) is not None:
        _take_over(state, basket, end)
        return
    if not basket.quiet or (basket.maker and not basket.over and resting.levelled(state, basket)):
        return
    before = basket.phase
    _meet(state, basket, BasketEvent.EVEN if basket.even else BasketEvent.UNEVEN)
    if basket.phase is not before:
        if before is Phase.DONE:
            state.baskets.count("reopened")
        if basket.phase is Phase.DONE:
            _finished(state, known, basket)
        else:
            basket.put_aside()
    if not basket.over:
        _try(state, known, basket)


def _ended(state: State, basket: BasketState) -> str | None:
    """Why none of its tokens can be traded any more."""
    for of in basket.legs:
        market = state.markets.get(of.market)
        if market is None or market.gone or market.market.tau_ns(state.now.wall_ns) == 0:
            return f"{of.market if market is None else market.market.ticker} has ended"
    return None


def _try(state: State, known: GroupState, basket: BasketState) -> None:
    """One attempt of the phase if it is time; the next phase if it has none left, or no way."""
    down = {venue for venue in basket.venues if not state.venues[venue].up}
    if down == basket.venues or (down and basket.phase is Phase.UNWINDING and _surplus_at(basket) <= down):
        return  # what a lost session means is decided elsewhere
    rules, now_ns = state.config.flatten, state.now.mono_ns
    if now_ns < basket.again_ns:
        return  # the timer of the last attempt is running
    if basket.phase is Phase.MENDING:
        if basket.maker and not basket.ended and not _late(state, basket) and basket_moves.small(state, basket):
            state.timers.set_earliest(f"{TIMER}{basket.legs[0].market}", basket.began_ns + basket.plan.deadline_ns)
            return  # more may come, or the order that rests is on its way out
        basket.mended = True
        patient = not down and not _late(state, basket)
        if patient and basket.attempts < rules.attempts and _sent(state, basket, basket_moves.mending(state, basket)):
            return
        _meet(state, basket, BasketEvent.SPENT)
    if resting.in_the_way(state, basket):
        return
    dust = basket.maker and basket_moves.dust(state, basket)
    if basket.attempts < rules.attempts and not dust:
        basket.unwound = True
        _sent(state, basket, basket_moves.unwinding(state, basket))
        return
    _meet(state, basket, BasketEvent.SPENT)
    if dust:
        basket.note = "too little to be hedged or sold"
    _abandoned(state, known, basket, dust=dust)


def _late(state: State, basket: BasketState) -> bool:
    """Whether unequal legs are to be completed no longer."""
    deadline_ns = basket.plan.deadline_ns
    return bool(deadline_ns) and state.now.mono_ns - basket.began_ns >= deadline_ns


def _surplus_at(basket: BasketState) -> set[VenueId]:
    """Venues of the legs that hold more than complete sets."""
    return {venue_of(of.market) for of in basket.legs if of.held > basket.sets}


def _sent(state: State, basket: BasketState, moves: list[basket_moves.Move] | str) -> bool:
    """Make an attempt; whether anything left."""
    basket.attempts += 1
    basket.again_ns = state.now.mono_ns + max(state.config.flatten.retry_ns, 1)
    state.timers.set(f"{TIMER}{basket.legs[0].market}", basket.again_ns)
    state.digest.mix_text(basket.group)
    state.digest.mix(_CODE[basket.phase], basket.attempts)
    if isinstance(moves, str):
        basket.note = moves
        return False
    return basket_orders.send_all(state, basket, moves) > 0


def _meet(state: State, basket: BasketState, event: BasketEvent) -> None:
    before, basket.phase = basket.phase, advance(basket.phase, event)
    if basket.phase is not before:
        basket.attempts = 0
        state.digest.mix_text(basket.group)
        state.digest.mix(_CODE[basket.phase], basket.sets, basket.most)


# -- its end


def _take_over(state: State, basket: BasketState, why: str) -> None:
    _meet(state, basket, BasketEvent.TAKEN_OVER)
    state.books_moved |= basket.pair
    state.baskets.count("dropped")
    left = basket_moves.left_over(state, basket) or "nothing is left over"
    state.out.alert(
        AlertLevel.INFO, "basket_dropped",
        f"basket of {basket.group} is given up ({why}): {left}, now tokens like any other",
    )  # fmt: skip


def _finished(state: State, known: GroupState, basket: BasketState) -> None:
    state.baskets.count("done")
    if basket.pair:
        arbitrage.keep(state, basket)
    state.treasury_ns = 0  # until it is converted a basket locks its cash, and counts at what its tokens would fetch
    if basket.unwound:
        state.baskets.count("unwound")
        _trouble(state, known)
        state.out.alert(
            AlertLevel.WARNING, "basket_unwound",
            f"basket of {basket.group} missed a leg: sold back down to {to_text(basket.sets)} sets, "
            f"{_result(basket)}; no other one for {_rest_ns(known) // 10**9} s",
        )  # fmt: skip
    elif basket.mended and not basket.maker:
        state.baskets.count("mended")


def _abandoned(state: State, known: GroupState, basket: BasketState, *, dust: bool) -> None:
    """Left to a person, or with everything else: `dust` is what no order could take away."""
    state.baskets.count("dust" if dust else "abandoned")
    _trouble(state, known)
    worst = basket.loss(basket.sets)
    known.closed = worst > basket.plan.max_unwind_loss
    if basket.pair:
        arbitrage.keep(state, basket)
    if basket.pair and (known.closed or not (dust or basket_moves.dust(state, basket))):
        state.baskets.stuck = f"pair {basket.group} is left on one leg ({basket.note})"
    state.out.alert(
        AlertLevel.CRITICAL if known.closed else AlertLevel.WARNING, "basket_abandoned",
        f"basket of {basket.group} stays uneven ({basket.note}): left over "
        f"{basket_moves.left_over(state, basket)}, at worst {to_fixed(worst, 2)} is lost with it; "
        + ("no other basket there in this run" if known.closed else f"no other one for {_rest_ns(known) // 10**9} s")
        + " — `hlomm flatten` sells it, or it settles as it is",
    )  # fmt: skip


def _trouble(state: State, known: GroupState) -> None:
    known.troubles += 1
    known.again_ns = state.now.mono_ns + _rest_ns(known)


def _rest_ns(known: GroupState) -> int:
    return REST_NS << min(known.troubles - 1, DOUBLINGS)


def _result(basket: BasketState) -> str:
    loss = basket.loss(basket.sets)
    return f"{to_fixed(loss, 2)} lost on it" if loss > 0 else f"{to_fixed(-loss, 2)} gained on it"


# -- for people


def rows(state: State) -> tuple[BasketRow, ...]:
    """The basket that every group has or had last."""
    return tuple(_row(state, known.basket) for known in state.baskets.by_group.values() if known.basket is not None)


def _row(state: State, basket: BasketState) -> BasketRow:
    age_ns, deadline_ns = state.now.mono_ns - basket.began_ns, basket.plan.deadline_ns
    return BasketRow(
        group=basket.group, legs=tuple(of.leg for of in basket.legs), phase=basket.phase.value,
        over=basket.phase in OVER, qty=basket.plan.qty, held={of.market: Qty(of.held) for of in basket.legs},
        spent=Cash(basket.spent), edge=basket.plan.edge, note=basket.note, pair=basket.pair, age_s=age_ns / NS_PER_S,
        deadline_s=(deadline_ns - age_ns) / NS_PER_S if deadline_ns else None, loss=Cash(basket.loss(basket.sets)),
        max_loss=basket.plan.max_unwind_loss, attempts=basket.attempts,
    )  # fmt: skip
