"""A venue that takes no new orders for a while: its weekly maintenance, the restart of its matching engine, a pause.

Nothing is placed or amended there until it says that it is over, or its time has come; cancels go out as ever, and
what rests there is cancelled, because the prices at which it reopens are not those it closed at. A walk to safety
waits for it with what it holds there, and closes elsewhere what can be closed.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import VenuePaused
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.times import NS_PER_MS, utc_clock
from hlomm.engine.state import State, VenueState

TIMER: Final = "closed:"


def heard(state: State, venue: VenueState, item: VenuePaused) -> None:
    """It closes until then; 0, or a time that has passed, means that it is open again."""
    was, until_ns = why(state, item.venue), item.until_ms * NS_PER_MS
    left_ns = until_ns - state.now.wall_ns
    state.digest.mix(item.until_ms)
    state.digest.mix_text(item.reason)
    if left_ns <= 0:
        reopened(state, item.venue)
        if was is not None:
            state.out.alert(AlertLevel.INFO, "venue_open", f"{item.venue} takes orders again")
        return
    venue.paused, venue.paused_until_ns = item.reason or "no reason given", until_ns
    state.timers.set(f"{TIMER}{item.venue}", state.now.mono_ns + left_ns)
    _touch(state, item.venue)
    if was is None:
        state.out.alert(
            AlertLevel.WARNING, "venue_paused",
            f"{why(state, item.venue)}: its quotes are cancelled, nothing is placed there until then",
        )  # fmt: skip


def why(state: State, venue: VenueId) -> str | None:
    """Why it takes no orders now, and until when; None if it does."""
    known = state.venues.get(venue)
    if known is None or known.paused is None or state.now.wall_ns >= known.paused_until_ns:
        return None
    return f"{venue} takes no new orders until {utc_clock(known.paused_until_ns)} UTC ({known.paused})"


def reopened(state: State, venue: VenueId) -> None:
    """It has said so, or its time has come: decide anew in all its markets."""
    known = state.venues[venue]
    known.paused, known.paused_until_ns = None, 0
    state.timers.clear(f"{TIMER}{venue}")
    _touch(state, venue)


def lapse(state: State) -> None:
    """Forget closures whose time has passed."""
    for venue in state.venues.values():
        if venue.paused is not None and state.now.wall_ns >= venue.paused_until_ns:
            reopened(state, venue.venue)


def _touch(state: State, venue: VenueId) -> None:
    for market_id, market in state.markets.items():
        if market.market.venue == venue:
            state.touch(market_id)
