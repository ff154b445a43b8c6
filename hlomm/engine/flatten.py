"""Getting to safety: everything cancelled, pairs merged, single tokens and perps closed or held by policy.

Runs once per turn while FLATTENING or STOPPING. No order of a market may rest before it is reduced. Outcome tokens:
see `flatten_outcomes`; perps: `flatten_perps`. What cannot be closed is held, and the loss that could still come of it
is reported.

Order of the walk, per underlying: no step is taken while it would raise the worst case of outcomes and perp together
(`payoffs`) and the other leg is still being worked on. So a perp goes at once if the worst case is no worse without
it, and otherwise after the outcomes it hedges; an outcome whose sale would bare the perp waits until that is closed.
Both kinds of patience end with half the time, because a bounded loss must not keep an unbounded one waiting. Outcomes
that are held to settlement do not keep their hedge: a perp that nobody watches can lose more than what it protects.

Two things are waited for until the deadline, because they say nothing about a buyer: a book that is not there (a lost
session took it, requests bring a new one) and orders on their way out. An order that the venue has twice been asked
about in vain holds nothing up any longer: it may never have existed, and the tokens are a risk now.

The end is the venue's word, not ours: once our books say that all is done, every venue is asked for its account, and
the walk ends when each gives the picture we have. News of a fill can be lost with a session, so a picture that keeps
differing is taken over, loudly, and the walk goes on with what it shows.
"""

from __future__ import annotations

from hlomm.domain.ids import MarketId, is_ours
from hlomm.domain.orders import Purpose
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.units import to_fixed, to_text
from hlomm.engine import flatten_outcomes, flatten_perps, payoffs, quoting, reconcile
from hlomm.engine.exposure import worst_loss
from hlomm.engine.state import State, VenueState
from hlomm.engine.walk import Walk

TIMER = "flatten"


def step(state: State, walk: Walk) -> bool:
    """Do what can be done now; True when nothing is left to do (or the deadline has passed)."""
    for order in list(state.orders.live()):
        if order.purpose is not Purpose.FLATTEN:
            quoting.cancel(state, order)
    late, done = state.now.mono_ns >= walk.deadline_ns, True
    if walk.sell and not late:
        done = _reduce(state, walk)
    clear = done and state.orders.live_count == 0 and not state.orders.awaiting_fills()
    clear = clear and not state.conversions.answered()
    if not clear:
        walk.clear_ns = None
    confirmed = clear and _confirmed(state, walk) and _all_heard(state)
    walk.blind.update(venue.venue for venue in state.venues.values() if not venue.up)
    walk.confirmed = confirmed
    if confirmed or late:
        _report(state, walk, confirmed=confirmed)
        return True
    state.timers.set_earliest(TIMER, min(state.now.mono_ns + state.config.flatten.retry_ns, walk.deadline_ns))
    return False


def _reduce(state: State, walk: Walk) -> bool:
    """One step in every market, in the order that never raises the worst case; True when nothing is left to do."""
    patient = walk.deadline_ns - state.now.mono_ns > state.config.flatten.deadline_ns // 2
    done, busy = True, set[MarketId]()
    first = {perp for perp in state.markets if flatten_perps.goes_first(state, walk, perp)} if patient else set()
    for market in list(state.markets.values()):
        if not market.is_outcome or market.settled is not None:
            continue
        waits = market.underlying in first and flatten_perps.bares(state, market)
        if waits or not flatten_outcomes.reduce(state, walk, market):
            done = False
            if market.underlying is not None and state.venues[market.market.venue].reachable:
                busy.add(market.underlying)  # what nobody can reach is not worked on: its hedge does not wait for it
    for market_id in list(state.portfolio.perps.positions):
        waits = patient and market_id in busy and market_id not in first
        if waits or not flatten_perps.close(state, walk, market_id):
            done = False
    return done


def _all_heard(state: State) -> bool:
    """Whether every venue was reached in this run: another may hold what an earlier run left.

    A stop does not wait for one: the account is looked at after it, without the engine.
    """
    return state.halt is HaltState.STOPPING or all(venue.ever_up for venue in state.venues.values())


def _confirmed(state: State, walk: Walk) -> bool:
    """Whether every venue that we ever reached has, since our books are clear, described the account as they do."""
    now_ns = state.now.mono_ns
    if walk.clear_ns is None or walk.clear_ns < state.last_move_ns:
        walk.clear_ns = now_ns
        walk.judged = {venue.venue: venue.account for venue in state.venues.values()}
    waiting = [venue for venue in state.venues.values() if venue.ever_up and not _agrees(state, walk, venue)]
    if waiting and now_ns >= walk.ask_again_ns:
        walk.ask_again_ns = now_ns + state.config.flatten.retry_ns
        for venue in waiting:
            state.out.query_account(venue.venue)
    return not waiting


def _agrees(state: State, walk: Walk, venue: VenueState) -> bool:
    account = venue.account
    if account is None or account is walk.judged[venue.venue]:
        return False
    if walk.clear_ns is None or account.asked_mono_ns < walk.clear_ns:
        return False
    resting = any(is_ours(order.client_id) for order in account.orders)
    different = walk.sell and bool(reconcile.difference(state, account))
    if not resting and not different:
        return True
    walk.judged[venue.venue] = account
    if resting:
        return False
    walk.disputes[venue.venue] = walk.disputes.get(venue.venue, 0) + 1
    if walk.disputes[venue.venue] >= state.config.reconcile.strikes:
        walk.disputes[venue.venue] = 0
        reconcile.take_over(state, venue, account, f"{venue.venue} keeps showing another account than our books")
    return False


def _report(state: State, walk: Walk, *, confirmed: bool) -> None:
    tokens = [
        f"{market_id if market is None else market.market.ticker} {to_text(position.yes)} YES {to_text(position.no)} NO"
        f" (worst {to_fixed(worst_loss(position), 2)}; {walk.held.get(market_id, 'not sold')})"
        for market_id, position in state.portfolio.positions.items()
        if not position.flat and ((market := state.markets.get(market_id)) is None or market.settled is None)
    ]
    perps = _open_perps(state, walk)
    resting = state.orders.live_count
    what = f"{walk.reason}: " + ("all orders cancelled" if not resting else f"{resting} orders not confirmed gone")
    unproven = state.journal_failed and bool(tokens or perps)
    if not walk.sell:
        why = "because nothing is sold that no record proves" if unproven else "by policy"
        what += f", tokens kept {why}: {'; '.join((*tokens, *perps))}" if tokens or perps else ", flat"
    else:
        what += ", flat" if not tokens and not perps else ""
        what += "; held to settlement: " + "; ".join(tokens) if tokens else ""
        what += "; still open: " + "; ".join(perps) if perps else ""
    bad = not confirmed
    if bad and not resting:
        what += " by our books, which the venue has not confirmed"
    bare = (walk.sell and bool(perps)) or unproven
    next_step = " — check the venue by hand" if bad or (bare and not unproven) else ""
    if unproven:
        next_step += " — mend or free the disk, start again, then `hlomm flatten`"
    elif state.halt is HaltState.FLATTENING:
        next_step += " — `hlomm resume` to quote again"
    level = AlertLevel.CRITICAL if bad or bare else AlertLevel.WARNING if tokens or perps else AlertLevel.INFO
    state.out.alert(level, "flattened" if not bad else "flatten_deadline", what + next_step)


def _open_perps(state: State, walk: Walk) -> list[str]:
    left = []
    for market_id, perp in state.portfolio.perps.positions.items():
        if perp.qty:
            loss = to_fixed(payoffs.stress(state.perp_value(market_id)), 2)
            market = state.markets.get(market_id)
            name = market_id if market is None else market.market.ticker
            why = walk.held.get(market_id, "not closed")
            left.append(f"{name} {to_text(perp.qty)} (a stress move loses {loss}; {why})")
    return left
