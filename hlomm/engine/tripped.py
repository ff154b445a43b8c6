"""A venue's own breaker has acted: our orders there are gone and new ones are refused, until it is reset.

Nothing but the way home is sent there meanwhile (`goes_home`): flattening and selling a leg back pass, outside of the
breaker. It is reset after `breakers.venue_quiet_s` without a fill, once an hour; what trips again within the hour waits
for an operator's resume, whether the daemon is HALTED or not.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import VenueTripped
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.engine import braking
from hlomm.engine.state import State, VenueState
from hlomm.engine.venue_breaker import Arming, ArmingEvent

CODE: Final = "venue_breaker"
TIMER: Final = "venue_breaker:"


def heard(state: State, venue: VenueState, item: VenueTripped) -> None:
    """It tripped, or a reset did not succeed. Said once per trip, with what brings it back."""
    breaker = venue.breaker
    was = breaker.arming
    breaker.trip(item.reason, state.now.mono_ns)
    state.digest.mix_text(item.reason)
    _wake(state, venue)
    braking.touch_all(state)
    if was is Arming.TRIPPED:
        return
    if was is Arming.ARMED:
        braking.count(state, CODE)
    what = "cancelled our orders and refuses new ones" if was is Arming.ARMED else "could not be reset"
    state.out.alert(
        AlertLevel.CRITICAL, CODE,
        f"{item.venue} {what} ({item.reason}): nothing but flattening is sent there — find out what filled so fast; "
        f"{_remedy(state, venue)}",
    )  # fmt: skip


def rearmed(state: State, venue: VenueState) -> None:
    """It takes orders again."""
    was_open = venue.breaker.open
    venue.breaker.advance(ArmingEvent.REARMED)
    state.timers.clear(f"{TIMER}{venue.venue}")
    state.digest.mix_text(CODE)
    if was_open:
        state.out.alert(AlertLevel.INFO, "venue_rearmed", f"{venue.venue}: its breaker was reset, orders pass again")
        braking.touch_all(state)


def why(state: State, name: VenueId) -> str | None:
    """Why only the way home passes there; None if everything does."""
    venue = state.venues.get(name)
    if venue is None or not venue.breaker.open:
        return None
    return f"{name} breaker has tripped ({venue.breaker.why}): {_remedy(state, venue)}"


def filled(state: State, name: VenueId) -> None:
    """A fill: quiet is counted anew."""
    venue = state.venues.get(name)
    if venue is not None and venue.breaker.open:
        venue.breaker.quiet_from_ns = state.now.mono_ns
        _wake(state, venue)


def lapse(state: State) -> None:
    """Reset what was quiet for long enough, while we are trading; take back what nobody answered."""
    now_ns, quiet_ns = state.now.mono_ns, state.config.breakers.venue_quiet_ns
    for venue in state.venues.values():
        breaker = venue.breaker
        if breaker.arming is Arming.RESETTING and now_ns - breaker.asked_ns >= quiet_ns:
            breaker.advance(ArmingEvent.UNANSWERED)
            breaker.by_itself = False
            state.out.alert(
                AlertLevel.CRITICAL, CODE, f"{venue.venue}: nobody answered the reset of its breaker — `hlomm resume`"
            )
        quiet = now_ns - breaker.quiet_from_ns >= quiet_ns
        if breaker.arming is Arming.TRIPPED and breaker.by_itself and quiet and state.halt is HaltState.RUNNING:
            _ask(state, venue, automatic=True)


def resume(state: State, actor: str) -> bool:
    """An operator wants to go on: ask for the reset of whatever has tripped. Whether there was anything."""
    tripped = [venue for venue in state.venues.values() if venue.breaker.open]
    for venue in tripped:
        if venue.breaker.arming is Arming.TRIPPED:
            _ask(state, venue, automatic=False)
            state.out.alert(AlertLevel.INFO, "venue_reset", f"{venue.venue}: {actor} had its breaker reset")
    return bool(tripped)


def _ask(state: State, venue: VenueState, *, automatic: bool) -> None:
    venue.breaker.ask(state.now.mono_ns, automatic=automatic)
    braking.count(state, "venue_reset")
    state.out.reset_breaker(venue.venue)
    state.timers.set(f"{TIMER}{venue.venue}", state.now.mono_ns + state.config.breakers.venue_quiet_ns)


def _wake(state: State, venue: VenueState) -> None:
    at_ns = venue.breaker.quiet_from_ns + state.config.breakers.venue_quiet_ns
    state.timers.set(f"{TIMER}{venue.venue}", at_ns)


def _remedy(state: State, venue: VenueState) -> str:
    if venue.breaker.arming is Arming.RESETTING:
        return "its reset was asked for"
    if not venue.breaker.by_itself:
        return "it was reset within the hour already: `hlomm resume` resets it"
    seconds = state.config.breakers.venue_quiet_ns // NS_PER_S
    return f"reset after {seconds} s without a fill, or at once by `hlomm resume`"
