"""One basket from its orders to its end: attempts while legs are unequal, and what is said when it is over.

The table is in `basket`, the limits of an attempt in `basket_moves`. After a basket that had to be sold back the group
rests, longer each time; one that was left beyond what it may lose closes it.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import VenueId, venue_of
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.units import to_fixed, to_text
from hlomm.engine import arbitrage, basket_moves, basket_orders, resting
from hlomm.engine.basket import BasketEvent, BasketState, GroupState, Phase, advance
from hlomm.engine.state import State

TIMER: Final = "basket:"
"""Timer of a market whose basket has another try to make."""
REST_NS: Final = 30 * 10**9
"""After a basket that had to be sold back; doubled each time."""
DOUBLINGS: Final = 10

_CODE: Final = {phase: code for code, phase in enumerate(Phase)}


def step(state: State, known: GroupState, basket: BasketState) -> None:
    """Bring it as far as it goes in this turn."""
    if not basket.over and (end := _ended(state, basket)) is not None:
        take_over(state, basket, end)
        return
    if not basket.quiet or (basket.maker and not basket.over and resting.levelled(state, basket)):
        return
    before = basket.phase
    _meet(state, basket, BasketEvent.EVEN if basket.even else BasketEvent.UNEVEN)
    if basket.phase is not before:
        if before is Phase.DONE:
            state.baskets.count("reopened")
            if _ended(state, basket) is None:
                arbitrage.reopened(state, basket)
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


def interrupted(state: State, known: GroupState, basket: BasketState, why: str) -> None:
    """On the way to safety it is given up; but where nothing is sold, a pair that comes out whole is one.

    Its orders are waited for as long as the walk takes; until then it is on record as being made.
    """
    if basket.pair and not (state.walk is not None and state.walk.sell):
        if basket.ended and basket.even:
            step(state, known, basket)
        elif not basket.ended and state.walk is not None:
            return
    if not basket.over:
        take_over(state, basket, why)


def take_over(state: State, basket: BasketState, why: str) -> None:
    """Give it up: its tokens are like any other from now on."""
    _meet(state, basket, BasketEvent.TAKEN_OVER)
    state.books_moved |= basket.pair
    if basket.pair and state.halt is not HaltState.RUNNING and (basket.most > 0 or not basket.ended):
        stuck = f"pair {basket.group} may be left on one leg: it was being made ({why})"
        state.baskets.stuck = state.baskets.stuck or stuck
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
