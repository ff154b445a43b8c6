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
from hlomm.domain.units import Cash, Qty, to_fixed, to_text
from hlomm.engine import arbitrage, basket_moves, basket_offers, basket_orders
from hlomm.engine.basket import (
    OVER,
    BasketEvent,
    BasketState,
    Group,
    GroupState,
    Phase,
    advance,
    link_group,
    question_group,
)
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import Strategy

TIMER: Final = "basket:"
"""Timer of a market whose basket has another try to make."""
REST_NS: Final = 30 * 10**9
"""After a basket that had to be sold back; doubled each time."""
DOUBLINGS: Final = 10

_CODE: Final = {phase: code for code, phase in enumerate(Phase)}


def due(state: State, market: MarketState) -> None:
    """Something about an outcome of a question, or a leg of a link, has changed."""
    if (group := group_of(market)) is not None:
        state.baskets.due[group] = None
    for link in state.links.links_of(market.market.id):
        group = link_group(*link.pair)
        if link.state is not LinkState.PROPOSED or group in state.baskets.by_group:
            state.baskets.due[group] = link


def group_of(market: MarketState) -> Group | None:
    spec = market.market
    return None if spec.question is None else question_group(spec.venue, spec.question)


def under_way(state: State, market: MarketState) -> bool:
    """Whether a basket is at work in the market's question: its tokens are not to be converted before it is done."""
    group = group_of(market)
    known = None if group is None else state.baskets.by_group.get(group)
    return known is not None and known.basket is not None and not known.basket.over


def work(state: State, strategies: Mapping[StrategyId, Strategy]) -> None:
    """Look at every group that is due: first at the basket it has, then for a new one."""
    groups, state.baskets.due = state.baskets.due, {}
    if state.halt is not HaltState.RUNNING:
        for known in state.baskets.by_group.values():
            if known.basket is not None and not known.basket.over:
                _take_over(state, known.basket, f"{state.halt.value}: {state.halt_reason}")
        if state.walk is not None and state.walk.sell:
            arbitrage.release(state, f"{state.halt.value}: {state.halt_reason}")
        return
    for group, link in groups.items():
        known = state.baskets.by_group.setdefault(group, GroupState(link=link))
        if known.basket is not None:
            _step(state, known, known.basket)
        idle = known.basket is None or (known.basket.over and known.basket.ended)
        if link is None:
            live = [market for market in state.markets.values() if group_of(market) == group and not market.gone]
            if not live:
                del state.baskets.by_group[group]
            elif idle:
                basket_offers.of_question(state, group, known, live, strategies)
        elif idle:
            basket_offers.of_link(state, group, known, link, strategies)
    _forget_links(state)


def _forget_links(state: State) -> None:
    """Groups of links that have ended, once their basket is over."""
    for group, known in list(state.baskets.by_group.items()):
        over = known.basket is None or (known.basket.over and known.basket.ended)
        if over and known.link is not None and known.link.state is LinkState.GONE:
            del state.baskets.by_group[group]


# -- the one there is


def _step(state: State, known: GroupState, basket: BasketState) -> None:
    if not basket.over and (end := _ended(state, basket)) is not None:
        _take_over(state, basket, end)
        return
    if not basket.ended:
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
        basket.mended = True
        patient = not down and not _late(state, basket)
        if patient and basket.attempts < rules.attempts and _sent(state, basket, basket_moves.mending(state, basket)):
            return
        _meet(state, basket, BasketEvent.SPENT)
    if basket.attempts < rules.attempts:
        basket.unwound = True
        _sent(state, basket, basket_moves.unwinding(state, basket))
        return
    _meet(state, basket, BasketEvent.SPENT)
    _abandoned(state, known, basket)


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
    elif basket.mended:
        state.baskets.count("mended")


def _abandoned(state: State, known: GroupState, basket: BasketState) -> None:
    state.baskets.count("abandoned")
    _trouble(state, known)
    worst = basket.loss(basket.sets)
    known.closed = worst > basket.plan.max_unwind_loss
    if basket.pair:
        arbitrage.keep(state, basket)
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
    found = []
    for known in state.baskets.by_group.values():
        basket = known.basket
        if basket is None:
            continue
        found.append(
            BasketRow(
                group=basket.group, legs=tuple(of.leg for of in basket.legs),
                phase=basket.phase.value, over=basket.phase in OVER, qty=basket.plan.qty,
                held={of.market: Qty(of.held) for of in basket.legs}, spent=Cash(basket.spent), edge=basket.plan.edge,
                note=basket.note,
            )
        )  # fmt: skip
    return tuple(found)
