"""Asking for a conversion, and what becomes of it. No conversion leaves without having passed `refusal`.

A conversion changes no payoff, but it moves positions between the markets of a question and turns cash into tokens;
so it has limits: what is free to convert, the net position of every market it touches, and for splits the cash that
may sit in sets (`limits.max_sets`). Walks to safety merge by themselves (`flatten_outcomes`).
"""

from __future__ import annotations

from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.inputs import ConversionFailed
from hlomm.domain.outputs import AlertLevel, ConvertSet, HaltState
from hlomm.domain.report import SideNote
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Qty, to_text
from hlomm.engine import closed, gate, restraint
from hlomm.engine.conversions import LEGS_OF, Pending
from hlomm.engine.exposure import exposure
from hlomm.engine.state import MarketState, State

TIMER = "conversions"


def request(state: State, action: SetAction, markets: tuple[MarketState, ...], qty: int) -> SideNote | None:
    """Send a conversion of so many scaled contracts, or say why not. The first market is the one to be named."""
    note = refusal(state, action, markets, qty)
    if note is not None:
        state.counters.reject(note.guard)
        return note
    first, now_ns = markets[0].market, state.now.mono_ns
    question = first.question if action in (SetAction.NEGATE, SetAction.MERGE_QUESTION) else None
    state.conversions.pending[first.id] = Pending(
        action=action, markets=tuple(market.market.id for market in markets), qty=qty, sent_ns=now_ns
    )
    state.out.convert(first.id, ConvertSet(action=action, market=first.id, qty=Qty(qty), question=question))
    state.budgets.spend(first.venue, 1)
    state.digest.mix_text(action.value)
    state.digest.mix(qty)
    state.timers.set_earliest(TIMER, now_ns + state.config.orders.settle_doubt_ns)
    for market in markets:
        state.touch(market.market.id)
    return None


def refusal(state: State, action: SetAction, markets: tuple[MarketState, ...], qty: int) -> SideNote | None:
    """The guard that forbids a conversion, with its numbers; None if it may go."""
    venue = state.venues.get(markets[0].market.venue)
    if not state.config.can(markets[0].market.venue).can_convert:
        return SideNote(
            guard="no_conversion", detail=f"{markets[0].market.venue} has none that this program can ask for"
        )
    if state.halt is not HaltState.RUNNING or state.journal_failed:
        return SideNote(guard="halted", detail=f"{state.halt.value}: {state.halt_reason}")
    if venue is None or not venue.up:
        return SideNote(guard="session", detail=f"{markets[0].market.venue} session is down")
    if (shut := closed.why(state, venue.venue)) is not None:
        return SideNote(guard="venue_paused", detail=shut)
    if state.unguarded is not None:
        return SideNote(guard="guardian", detail=state.unguarded)
    if venue.doubt is not None:
        return SideNote(guard="doubt", detail=f"{venue.doubt}, the account is being read")
    if not venue.reconciled:
        return SideNote(guard="reconciling", detail="the account is being compared with the books of the last run")
    if state.budgets.exhausted(venue.venue):
        left = state.budgets.left(venue.venue)
        return SideNote(guard="budget", detail=f"{left} actions left, kept for cancels")
    for market in markets:
        spec, wall_ns = market.market, state.now.wall_ns
        over = market.gone or market.settled is not None or (spec.expiry_ns is not None and not spec.tau_ns(wall_ns))
        if over:
            return SideNote(guard="market", detail=f"{spec.ticker} settled, past its expiry or no longer listed")
        if state.conversions.involving(spec.id) is not None:
            return SideNote(guard="converting", detail=f"{spec.ticker} takes part in one that is under way")
    return _room(state, action, markets, qty)


def _room(state: State, action: SetAction, markets: tuple[MarketState, ...], qty: int) -> SideNote | None:
    if action is SetAction.SPLIT:
        return _split_room(state, markets[0], qty)
    giving = markets if action is SetAction.MERGE_QUESTION else markets[:1]
    for market in giving:
        for leg in LEGS_OF[action]:
            free = state.free_tokens(market.market.id, leg)
            if free < qty:
                return SideNote(guard="tokens", detail=f"{to_text(free)} {leg.name} free of {to_text(qty)}")
    cap = state.config.limits.max_position
    for market, change in zip(markets, _changes(action, len(markets), qty), strict=True):
        market_id = market.market.id
        pending = exposure(state.portfolio.position(market_id), state.orders.pending(market_id))
        worst = pending.longest if change > 0 else -pending.shortest
        if change and worst + abs(change) > cap:
            text = f"{market.market.ticker}: worst case {to_text(worst)} and {to_text(abs(change))} of {to_text(cap)}"
            return SideNote(guard="max_position", detail=text)
    return None


def _split_room(state: State, market: MarketState, qty: int) -> SideNote | None:
    braked = restraint.paused(state, market)
    if braked is not None:
        return SideNote(guard="breaker", detail=braked)
    free, cap, tied = gate.free_cash(state, market.market.venue), state.config.limits.max_sets, in_sets(state)
    if free < qty:
        return SideNote(guard="cash", detail=f"{to_text(free)} free of {to_text(qty)}")
    if tied + qty > cap:
        return SideNote(guard="max_sets", detail=f"{to_text(tied)} in sets and {to_text(qty)} of {to_text(cap)}")
    return None


def _changes(action: SetAction, markets: int, qty: int) -> tuple[int, ...]:
    """What a conversion adds to the net position of each of its markets."""
    if action is SetAction.NEGATE:
        return (qty,) * markets
    return (-qty if action is SetAction.MERGE_QUESTION else 0,) * markets


def in_sets(state: State) -> int:
    """Cash that is tied up in pairs, and in those that are being made."""
    return sum(position.pairs for position in state.portfolio.positions.values()) + state.conversions.cash


# -- what becomes of them


def failed(state: State, item: ConversionFailed) -> None:
    """It was refused or never sent: free what it had claimed. Of a lost one the fills tell, or `lapse` gives it up."""
    one = state.conversions.pending.get(item.market)
    if item.lost and one is not None and one.action is item.action:
        one.lost = True
        return
    if state.conversions.take(item.market, item.action) is not None:
        state.conversions.failed += 1
        state.conversions.resting_until_ns[item.market] = state.now.mono_ns + state.config.orders.reject_pause_ns


def lapse(state: State) -> None:
    """Give up those whose fills should have come by now: nothing can arrive that late any more."""
    now_ns, patience_ns = state.now.mono_ns, state.config.orders.settle_doubt_ns
    for market_id, one in list(state.conversions.pending.items()):
        if now_ns - one.sent_ns < patience_ns:
            state.timers.set_earliest(TIMER, one.sent_ns + patience_ns)
            continue
        del state.conversions.pending[market_id]
        state.conversions.failed += 1
        state.conversions.resting_until_ns[market_id] = now_ns + state.config.orders.reject_pause_ns
        state.digest.mix(now_ns)
        state.touch(market_id)
        if not one.lost:
            state.out.alert(
                AlertLevel.WARNING, "conversion_unseen",
                f"{one.action} of {to_text(one.qty)} {market_id} was accepted, no fills of it came in "
                f"{patience_ns / 1e9:.0f} s: the account decides", market_id,
            )  # fmt: skip
            state.out.query_account(venue_of(market_id))


def forget(state: State, market: MarketId) -> None:
    """A market is over: nothing of it converts any more."""
    one = state.conversions.involving(market)
    if one is not None:
        del state.conversions.pending[one.markets[0]]
    state.conversions.resting_until_ns.pop(market, None)
