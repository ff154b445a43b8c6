"""Entering and leaving the halt states; see `halt` for the table and `flatten` for the walk."""

from __future__ import annotations

from typing import Final

from hlomm.domain.carried import Sale
from hlomm.domain.faults import IllegalTransition
from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import AlertLevel, HaltChanged, HaltState
from hlomm.domain.units import to_fixed
from hlomm.engine import arbitrage, braking, halt, inventory, tripped, unhedged
from hlomm.engine.config import OnDisconnect
from hlomm.engine.flatten import TIMER, step
from hlomm.engine.halt import HaltEvent
from hlomm.engine.reconcile import take_over, unsettled
from hlomm.engine.state import State
from hlomm.engine.walk import Walk

_BEFORE: Final = " — before that: "


def out_of_reach(state: State) -> list[str]:
    """Venues that have to be up and are not; all of them if none is.

    One whose policy is to pause may come later, and go: nothing is quoted there until it is back.
    """
    down = [venue.venue for venue in state.venues.values() if not venue.up]
    if len(down) == len(state.venues):
        return [*down]
    rules = state.config.flatten.on_disconnect
    return [name for name in down if rules.get(name, OnDisconnect.FLATTEN) is OnDisconnect.FLATTEN]


def ready(state: State) -> None:
    """Every session that has to be up is, for the first time."""
    if state.carried_halt is None:
        _enter(state, HaltEvent.READY, "quoting", persist=False)
    else:
        state.walk = _walk(state, state.carried_halt, sell=False)
        _enter(state, HaltEvent.READY_HALTED, state.carried_halt, persist=True)


def danger(state: State, reason: str, *, sell: bool, latch: bool = False) -> None:
    """Get to safety. A walk under way is kept; it sells if either reason wants it to.

    `latch`: the next run is HALTED, even if this one was being stopped.
    """
    if state.halt is HaltState.STOPPED:
        return
    sell = sell and not state.journal_failed
    kept = _with_the_first(state, reason)
    _set_out(state, kept, sell=sell)
    stopping = state.halt is HaltState.STOPPING
    if state.halt is not HaltState.FLATTENING:
        _enter(state, HaltEvent.DANGER, kept, persist=latch or not stopping)
    state.out.alert(AlertLevel.CRITICAL, "danger", f"{reason}: cancelling everything{', selling' if sell else ''}")


def stop(state: State, reason: str, *, sell: bool) -> None:
    if state.halt is HaltState.STOPPED:
        return
    _set_out(state, reason, sell=sell and not state.journal_failed)
    if state.halt is not HaltState.STOPPING:
        _enter(state, HaltEvent.STOP, reason, persist=False)


def resume(state: State, actor: str) -> None:
    """Back to quoting, if every venue is up; a pending account difference is taken over, visibly."""
    if state.journal_failed:
        state.out.alert(
            AlertLevel.WARNING, "resume_refused", "cannot resume: the journal cannot be written — restart the daemon"
        )
        return
    blown = [f"{venue.venue} ({venue.fuse})" for venue in state.venues.values() if venue.fuse is not None]
    if blown:
        state.out.alert(
            AlertLevel.WARNING, "resume_refused",
            f"cannot resume: the fuse of {', '.join(blown)} has tripped — restart the daemon, then resume",
        )  # fmt: skip
        return
    down = out_of_reach(state)
    if down:
        state.out.alert(
            AlertLevel.WARNING, "resume_refused", f"cannot resume: {', '.join(down)} is down — wait for it, then resume"
        )
        return
    if state.halt is HaltState.HALTED and _still_moves(state):
        return
    reset = tripped.resume(state, actor)
    try:
        halt.advance(state.halt, HaltEvent.RESUME)
    except IllegalTransition as refusal:
        if reset:
            return  # it was not HALTED: the venue's breaker was all that kept it from going on
        state.out.alert(AlertLevel.WARNING, "resume_refused", f"{refusal}: nothing to resume")
        return
    for venue in state.venues.values():
        if venue.mismatch and venue.account is not None:
            take_over(state, venue, venue.account, f"{actor} accepted the venue's figures")
    state.strategy_faults.clear()
    state.unfinished, state.sale, state.books_moved = None, Sale.NONE, True
    state.strategy_strikes = 0
    state.high_water = state.equity()
    _enter(state, HaltEvent.RESUME, f"resumed by {actor}", persist=False)
    for market_id in state.markets:
        state.touch(market_id)


def _still_moves(state: State) -> bool:
    """Whether an account that differs was asked for too early to be taken over: what has moved would be undone."""
    moved = [
        venue.venue
        for venue in state.venues.values()
        if venue.mismatch and venue.account is not None and unsettled(state, venue.account)
    ]
    for venue in moved:
        state.out.query_account(venue)
    if moved:
        state.out.alert(
            AlertLevel.WARNING, "resume_refused",
            f"cannot resume: the account at {', '.join(moved)} differs, and has moved since it was read — it is being "
            "read again, resume in a few seconds",
        )  # fmt: skip
    return bool(moved)


def walk_on(state: State) -> None:
    """One step of the walk, if one is under way."""
    if state.walk is None or state.halt not in (HaltState.FLATTENING, HaltState.STOPPING):
        return
    if step(state, state.walk):
        walk, state.walk = state.walk, None
        state.timers.clear(TIMER)
        if walk.sell:
            _sold(state, walk)
        state.unfinished = walk if walk.blind and not walk.confirmed else None
        state.last_walk = walk
        if walk.sell:
            state.sale, state.books_moved = Sale.OVER if state.unfinished is None else Sale.OWED, True
        _enter(state, HaltEvent.SAFE, walk.reason, persist=state.halt is HaltState.FLATTENING)
        if all(state.venues[venue].up for venue in walk.blind):
            take_up(state)


def _sold(state: State, walk: Walk) -> None:
    """What was left on one leg is sold, or was offered in vain: whoever resumes is told what is held.

    Not so where a venue with tokens was out of reach: nothing was offered there.
    """
    baskets = state.baskets
    arbitrage.rejoin(state, walk.reason)
    state.books_moved |= baskets.stuck is not None or bool(baskets.rested)
    loose = {venue_of(m) for m in state.portfolio.positions for leg in Leg if unhedged.left_over(state, m, leg)}
    if walk.confirmed or not walk.blind & loose:
        baskets.stuck = None
    if walk.confirmed:
        baskets.rested = {}


def take_up(state: State) -> None:
    """A venue answers again: a walk that ended without its word, because it could not be reached, goes on.

    If several were out of reach it waits for all: none of the others can tell what was missing. One that was never
    reached in this run keeps no other waiting; when it comes, the walk goes on once more.
    """
    walk = state.unfinished
    if walk is None or state.halt is not HaltState.HALTED:
        return
    blind = [state.venues[name] for name in walk.blind]
    away = [venue for venue in blind if not (venue.reachable if venue.ever_up else venue.up)]
    if len(away) == len(blind) or any(venue.ever_up for venue in away):
        return
    state.unfinished = None
    state.out.alert(AlertLevel.WARNING, "walk_taken_up", f"reachable again, going on with: {walk.reason}")
    danger(state, walk.reason, sell=walk.sell)


def moved_since(state: State, market: MarketId, what: str) -> None:
    """Something of ours moved where a way to safety has sold and is over: what that leaves naked goes the same way."""
    if state.sale is Sale.NONE or (state.sale is Sale.OWED and state.unfinished is None):
        return  # what is owed goes on anyway
    position, perp = state.portfolio.position(market), state.portfolio.perps.position(market)
    parted = any(state.pairs.tokens(market, leg) > position.held(leg) for leg in Leg)
    parted |= state.baskets.stuck is not None  # the other leg of a pair is naked
    if not (parted or position.net or perp.qty):
        return
    if state.unfinished is not None and not parted and not state.venues[venue_of(market)].reachable:
        return  # `take_up` goes on as soon as the venue is said to answer
    if state.halt is HaltState.HALTED and _agreed(state):
        known = state.markets.get(market)
        danger(state, f"{what} of {market if known is None else known.market.ticker} after all was sold", sell=True)
    else:
        state.sale, state.books_moved = Sale.OWED, True


def _agreed(state: State) -> bool:
    """Whether the books are confirmed wherever anything can be sold: what a guardian sold meanwhile is in them."""
    return all(venue.reconciled for venue in state.venues.values() if venue.ever_up)


def watch_sale(state: State) -> None:
    """What the last run did not bring to its end is sold, once the accounts agree with the books."""
    if state.halt is not HaltState.HALTED or state.sale is not Sale.OWED or state.journal_failed:
        return
    if not (state.unfinished is not None and state.unfinished.sell) and _agreed(state):
        reason = state.halt_reason
        state.out.alert(AlertLevel.WARNING, "walk_taken_up", f"a sale is owed, going on with: {reason}")
        danger(state, reason, sell=True)


def left_open(state: State) -> bool:
    """Whether the last walk was to sell and ended with its time instead of the venues' word, or left a perp open."""
    walk = state.last_walk
    if walk is None or not walk.sell:
        return False
    perps = state.portfolio.perps.positions
    return not walk.confirmed or any(perp.qty for market, perp in perps.items() if market in state.markets)


def watch_equity(state: State) -> None:
    """Drawdown of marked equity from its high-water mark, and the day's result; beyond a limit the kill switch latches.

    The harder answer comes first: what ends the run also flattens, whatever `flatten.on_kill` says.
    """
    if not state.opened:
        return
    equity = state.equity_of_turn()
    state.high_water = max(state.high_water, equity)
    drawdown = state.high_water - equity
    state.max_drawdown = max(state.max_drawdown, drawdown)
    ended = braking.watch_day(state, equity)
    if state.halt is not HaltState.RUNNING:
        return
    limit = state.drawdown_limit()
    if ended is not None:
        braking.count(state, "equity_stop")
        danger(state, f"{ended}, then the daemon ends (`hlomm run` comes back HALTED)", sell=True)
        state.out.exit(ended)
    elif drawdown > limit:
        braking.count(state, "drawdown")
        reason = f"drawdown {to_fixed(drawdown, 2)} > {to_fixed(limit, 2)}"
        danger(state, reason, sell=state.config.flatten.on_kill)


def watch_inventory(state: State) -> None:
    """A position that our orders cannot have led to is sold, and a person looks at it."""
    if state.halt is not HaltState.RUNNING or not state.dirty:
        return
    reason = inventory.surprise(state)
    if reason is not None:
        braking.count(state, "inventory")
        danger(state, reason, sell=True)


def watch_strategies(state: State) -> None:
    """One strategy that raises is an accident and stands alone; the second fault of a run is a pattern."""
    if state.strategy_strikes > 1 and state.halt is HaltState.RUNNING:
        strategy, what = list(state.strategy_faults.items())[-1]
        danger(state, f"second strategy fault: {strategy} ({what})", sell=True)


def watch_pairs(state: State) -> None:
    """A pair that is left on one leg is naked risk that nothing else would take away.

    Until everything was sold, or nobody bought it, it is remembered, over restarts as well: whoever resumes may not
    know of it.
    """
    baskets = state.baskets
    if state.halt is not HaltState.RUNNING:
        return
    if baskets.stuck is None and baskets.rested:
        baskets.stuck = unhedged.found_filled(state)
    if baskets.stuck is None:
        return
    if not all(position.flat for position in state.portfolio.positions.values()):
        state.books_moved = True
        danger(state, baskets.stuck, sell=True)
    elif state.reconciled and next(state.orders.exposed(), None) is None:  # a guardian has sold it
        baskets.stuck, state.books_moved = None, True


def _set_out(state: State, reason: str, *, sell: bool) -> None:
    """Start the walk, or change what the one under way is for."""
    walk = state.walk
    if walk is None:
        sell |= state.unfinished is not None and state.unfinished.sell  # nobody else would take it up
        state.walk = _walk(state, reason, sell=sell and not state.journal_failed)
    elif state.journal_failed:
        walk.sell = False
    elif sell and not walk.sell:
        walk.sell = True
        walk.deadline_ns = state.now.mono_ns + state.config.flatten.deadline_ns  # once: selling needs its own time
    if state.walk is not None and state.walk.sell and state.sale is not Sale.OWED:
        state.sale, state.books_moved = Sale.OWED, True


def _with_the_first(state: State, reason: str) -> str:
    """What a person looks into is why it halted first: what comes on top of that while HALTED does not hide it."""
    if state.halt is HaltState.HALTED:
        earlier: str | None = state.halt_reason
    else:
        earlier = state.carried_halt if state.halt is HaltState.STARTING else None
    first = "" if earlier is None else earlier.rpartition(_BEFORE)[2]
    return reason if first in reason else f"{reason}{_BEFORE}{first}"


def _walk(state: State, reason: str, *, sell: bool) -> Walk:
    return Walk(reason, sell, state.now.mono_ns + state.config.flatten.deadline_ns)


def _enter(state: State, event: HaltEvent, reason: str, *, persist: bool) -> None:
    state.halt = halt.advance(state.halt, event)
    state.halt_reason = reason
    state.digest.mix_text(state.halt.value)
    state.out.halt(HaltChanged(state=state.halt, reason=reason, persist=persist))
