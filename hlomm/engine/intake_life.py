"""Inputs about the run itself and about those it depends on: operator, journal, guardian, clocks, venue sessions."""

from __future__ import annotations

from hlomm.domain.carried import Sale
from hlomm.domain.faults import InvariantBroken
from hlomm.domain.ids import ClientIds, StrategyId, venue_of
from hlomm.domain.inputs import (
    AccountDoubted,
    Booted,
    ClockSkew,
    DeadmanArmed,
    FeeRates,
    FuseTripped,
    GuardianDown,
    GuardianUp,
    JournalFailed,
    OperatorAction,
    OperatorCommand,
    RateBudget,
    SendRates,
    SessionDown,
    SessionUp,
    StopRequested,
    VenuePaused,
    VenueRearmed,
    VenueTripped,
)
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.engine import closed, safety, stranded, tripped, tuning
from hlomm.engine.carry import restore
from hlomm.engine.config import OnDisconnect
from hlomm.engine.state import State, VenueState
from hlomm.strategy.base import Strategies


def booted(state: State, item: Booted, _: Strategies) -> None:
    if state.ids is not None:
        raise InvariantBroken("booted twice")
    state.ids = ClientIds(item.epoch_ms)
    state.booted_ms = state.now.wall_ms
    state.carried_halt = item.halted
    state.accounts = item.account_of
    state.guardian_required = item.guardian_required
    if item.carried is not None:
        restore(state, item.carried)
        tuning.ended(state, item.carried.tuned)
    if item.halted is None:
        state.sale = Sale.NONE
    state.digest.mix(item.epoch_ms)
    state.digest.mix_text(item.config)


def operator(state: State, item: OperatorCommand, strategies: Strategies) -> None:
    said = f"{item.action.value} by {item.actor}" + (f" ({item.reason})" if item.reason else "")
    state.digest.mix_text(said)
    match item.action:
        case OperatorAction.KILL:
            safety.danger(state, said, sell=state.config.flatten.on_kill, latch=True)
        case OperatorAction.FLATTEN:
            safety.danger(state, said, sell=True)
        case OperatorAction.CANCEL:
            safety.danger(state, said, sell=False)
        case OperatorAction.RESUME:
            safety.resume(state, item.actor)
        case OperatorAction.PAUSE:
            _pause(state, strategies, item.target, said, paused=True)
        case OperatorAction.UNPAUSE:
            _pause(state, strategies, item.target, said, paused=False)
        case OperatorAction.TUNE:
            tuning.tune(state, item, strategies, said)


def _pause(state: State, strategies: Strategies, target: str, said: str, *, paused: bool) -> None:
    strategy = StrategyId(target)
    if strategy not in strategies and (paused or strategy not in state.paused):
        known = ", ".join(strategies)
        state.out.alert(AlertLevel.WARNING, "unknown_strategy", f"no strategy {target!r}; there are: {known}")
        return
    if paused:
        state.paused[strategy] = said
    else:
        state.paused.pop(strategy, None)
        state.strategy_faults.pop(strategy, None)
    state.books_moved = True  # the next run is to know
    state.out.alert(AlertLevel.INFO, "paused" if paused else "unpaused", f"{target}: {said}")
    for market_id in state.markets:
        state.touch(market_id)


def stop(state: State, item: StopRequested, _: Strategies) -> None:
    safety.stop(state, item.reason, sell=item.flatten)


def journal_failed(state: State, item: JournalFailed, _: Strategies) -> None:
    # Selling would send what no record proves: cancel only, also where a sale is already under way.
    state.journal_failed = True
    safety.danger(state, f"journal cannot be written ({item.reason})", sell=False)


def guardian_up(state: State, _item: GuardianUp, _: Strategies) -> None:
    _guardian(state, None)
    state.out.alert(AlertLevel.INFO, "guardian_up", "a guardian watches over this run")


def guardian_down(state: State, item: GuardianDown, _: Strategies) -> None:
    _guardian(state, item.reason)
    consequence = "nothing is quoted until one is back" if state.guardian_required else "none is required"
    state.out.alert(AlertLevel.CRITICAL, "guardian_down", f"no guardian ({item.reason}): {consequence}")


def _guardian(state: State, missing: str | None) -> None:
    state.guardian_missing = missing
    state.digest.mix_text(missing or "guardian")
    for market_id in state.markets:
        state.touch(market_id)


def clock_skew(state: State, item: ClockSkew, _: Strategies) -> None:
    venue_of_input(state, item.venue).skew_ms = item.skew_ms


def account_doubted(state: State, item: AccountDoubted, _: Strategies) -> None:
    """Quotes go until the account is known again: with a fill missing, what passes every limit may be too much."""
    venue = venue_of_input(state, item.venue)
    if venue.doubt is None:
        state.out.alert(
            AlertLevel.INFO, "account_doubted",
            f"{item.venue}: {item.reason}: its quotes are cancelled until its account is read again",
        )  # fmt: skip
    venue.doubt, venue.doubted_ns = item.reason, state.now.mono_ns
    venue.ask_again_ns = 0
    state.digest.mix_text(item.reason)
    for market_id in state.markets:
        state.touch(market_id)


def deadman(state: State, item: DeadmanArmed, _: Strategies) -> None:
    venue = venue_of_input(state, item.venue)
    was = stranded.armed(state, venue)
    stranded.heard(state, venue, item)
    if stranded.armed(state, venue) is was:
        return  # renewed, every few seconds: what may rest depends on whether there is a promise, not on its time
    for market_id, market in state.markets.items():
        if market.market.venue == item.venue:
            state.touch(market_id)


def venue_tripped(state: State, item: VenueTripped, _: Strategies) -> None:
    tripped.heard(state, venue_of_input(state, item.venue), item)


def venue_rearmed(state: State, item: VenueRearmed, _: Strategies) -> None:
    tripped.rearmed(state, venue_of_input(state, item.venue))


def fuse_tripped(state: State, item: FuseTripped, _: Strategies) -> None:
    # What this engine wants cannot be trusted: it gets out and stays out. A new session, and engine, is a restart away.
    venue_of_input(state, item.venue).fuse = item.reason
    state.digest.mix_text(item.reason)
    state.out.alert(
        AlertLevel.CRITICAL, "fuse_tripped",
        f"{item.venue} session stopped sending ({item.reason}): only cancels and flattening sales pass — find out why, "
        "restart the daemon, then `hlomm resume`",
    )  # fmt: skip
    safety.danger(state, f"{item.venue} fuse: {item.reason}", sell=True)


# -- sessions


def venue_paused(state: State, item: VenuePaused, _: Strategies) -> None:
    closed.heard(state, venue_of_input(state, item.venue), item)


def venue_of_input(state: State, venue: str) -> VenueState:
    found = next((known for name, known in state.venues.items() if name == venue), None)
    if found is None:
        raise InvariantBroken(f"input from unknown venue {venue!r}")
    return found


def session_up(state: State, item: SessionUp, strategies: Strategies) -> None:
    venue = venue_of_input(state, item.venue)
    venue.up = venue.ever_up = venue.reachable = True
    if state.halt is HaltState.STARTING and not safety.out_of_reach(state):
        safety.ready(state)
    safety.take_up(state)
    _remind_of_patterns(state, strategies)
    for market_id in state.markets:
        state.touch(market_id)


def _remind_of_patterns(state: State, strategies: Strategies) -> None:
    """Say once of each pattern that selects nothing: a typing error would otherwise look like a quiet market."""
    listed = [market.market for market in state.markets.values() if not market.gone]
    for strategy in strategies.values():
        for pattern, text in strategy.unmatched(listed).items():
            key = f"{strategy.id} {pattern}"
            if key not in state.reminded:
                state.reminded[key] = None
                state.out.alert(AlertLevel.WARNING, "pattern_unmatched", f"strategy.{strategy.id}.{text}")


def session_down(state: State, item: SessionDown, _: Strategies) -> None:
    venue = venue_of_input(state, item.venue)
    was_up, venue.up, venue.reachable = venue.up, False, item.rest
    for market_id, market in state.markets.items():
        if market.market.venue == item.venue:
            market.book.forget()
            state.touch(market_id)
        elif market.underlying is not None and venue_of(market.underlying) == item.venue:
            state.touch(market_id)
    if not was_up:
        if item.rest:
            safety.take_up(state)
        return
    if state.config.flatten.on_disconnect.get(item.venue, OnDisconnect.FLATTEN) is OnDisconnect.FLATTEN:
        safety.danger(state, f"{item.venue} session lost ({item.reason})", sell=True)
    else:
        state.out.alert(
            AlertLevel.WARNING, "session_lost",
            f"{item.venue} session lost ({item.reason}): its quotes are cancelled, quoting resumes when it is back",
        )  # fmt: skip


def rate_budget(state: State, item: RateBudget, _: Strategies) -> None:
    said = state.budgets.apply(item, state.now.mono_ns)
    if said is not None:
        state.out.alert(AlertLevel.WARNING, "budget", said)


def send_rates(state: State, item: SendRates, _: Strategies) -> None:
    state.budgets.told[venue_of_input(state, item.venue).venue] = item
    state.digest.mix(item.per_min, item.place, item.cancel)


def fee_rates(state: State, item: FeeRates, _: Strategies) -> None:
    state.fees[item.venue] = item
