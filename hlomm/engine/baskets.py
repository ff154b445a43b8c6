"""Baskets from the wish to the end: one per group at a time, all legs or none, every order through the gate.

Before anything is sent, every leg is rehearsed with the other legs counted as pending; then all leave in one turn
(`basket_orders`). What follows is in `basket_course`; here is which group is looked at when.
"""

from __future__ import annotations

from collections.abc import Mapping

from hlomm.domain.basket_rows import BasketRow
from hlomm.domain.ids import StrategyId
from hlomm.domain.links import LinkState
from hlomm.domain.outputs import HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash, Qty
from hlomm.engine import arbitrage, basket_course, basket_offers, resting
from hlomm.engine.basket import (
    OVER,
    BasketState,
    Group,
    GroupState,
    Pairing,
    event_group,
    link_group,
    pair_group,
    question_group,
)
from hlomm.engine.link_book import Link
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import RestingStrategy, Strategy, rests


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
                basket_course.step(state, known, known.basket)


def work(state: State, strategies: Mapping[StrategyId, Strategy]) -> None:
    """Look for a new basket in every group that is due; give up all of them where somebody else gets to safety."""
    groups, state.baskets.due = state.baskets.due, {}
    if state.halt is not HaltState.RUNNING:
        for known in state.baskets.by_group.values():
            if known.basket is not None and not known.basket.over:
                why = f"{state.halt.value}: {state.halt_reason}"
                basket_course.interrupted(state, known, known.basket, why)
        if state.walk is not None and state.walk.sell:
            arbitrage.release(state, f"{state.halt.value}: {state.halt_reason}")
        resting.forget(state)
        return
    if not (groups or state.baskets.by_group):
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
            basket_course.step(state, known, known.basket)
        before = known.basket
        resting.look(state, group, known, rest, strategy)
        if known.basket is not None and known.basket is not before:
            # Hedged in the turn in which it filled, and the rest of it cancelled.
            basket_course.step(state, known, known.basket)
            resting.look(state, group, known, rest, strategy)


def _forget_pairs(state: State) -> None:
    """Groups of pairs that have ended, once their basket is over and nothing of them rests."""
    gone = [(group, known) for group, known in state.baskets.by_group.items() if known.link and known.link.ended]
    for group, known in gone:
        if known.rest is not None:
            resting.leave(state, group, known, known.rest)
        if known.basket is not None and not known.basket.over:
            basket_course.step(state, known, known.basket)  # of its markets nobody hears any more
        if (known.basket is None or (known.basket.over and known.basket.ended)) and not resting.resting_orders(known):
            del state.baskets.by_group[group]


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
