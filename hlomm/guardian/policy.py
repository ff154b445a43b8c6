"""When a guardian acts. Pure: what is seen goes in, what it means comes out; the table says what follows.

Theory of operation. A daemon is trusted while it beats in time and its engine keeps its own deadlines. Everything
else leads to ACTING, and nothing leads back from there: the daemon is killed first, so that whatever was wrong with
it, it cannot place an order behind our back. A false alarm therefore costs a run, never an account.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.faults import IllegalTransition
from hlomm.link.guardian import Phase
from hlomm.settings.schema import Guardian


class Event(StrEnum):
    REGISTERED = "registered"
    IN_TIME = "in_time"
    LATE = "late"
    DEAD = "dead"
    """The daemon is gone, or hung up without a goodbye, and may have left something."""
    VANISHED = "vanished"
    """It is gone and never had anything to leave."""
    HUNG = "hung"
    """It lives and does not answer for what it holds."""
    ASKED = "asked"
    """An operator wants it now."""
    GOODBYE = "goodbye"
    HANDED_OVER = "handed_over"
    """It ends, and says itself that it leaves something."""
    SAFE = "safe"
    STUCK = "stuck"
    """The venue did not confirm within `give_up_s`."""
    TAKEN_OVER = "taken_over"
    """Another process holds the account: two that act on one account are worse than either alone."""


_P, _E = Phase, Event

TRANSITIONS: Final[dict[tuple[Phase, Event], Phase]] = {
    (_P.WAITING, _E.REGISTERED): _P.WATCHING,
    (_P.WAITING, _E.VANISHED): _P.STOOD_DOWN,
    (_P.WAITING, _E.DEAD): _P.ACTING,
    (_P.WAITING, _E.HUNG): _P.ACTING,
    (_P.WAITING, _E.ASKED): _P.ACTING,
    (_P.WATCHING, _E.LATE): _P.WARNED,
    (_P.WATCHING, _E.DEAD): _P.ACTING,
    (_P.WATCHING, _E.HUNG): _P.ACTING,
    (_P.WATCHING, _E.ASKED): _P.ACTING,
    (_P.WATCHING, _E.GOODBYE): _P.STOOD_DOWN,
    (_P.WATCHING, _E.HANDED_OVER): _P.ACTING,
    (_P.WARNED, _E.IN_TIME): _P.WATCHING,
    (_P.WARNED, _E.DEAD): _P.ACTING,
    (_P.WARNED, _E.HUNG): _P.ACTING,
    (_P.WARNED, _E.ASKED): _P.ACTING,
    (_P.WARNED, _E.GOODBYE): _P.STOOD_DOWN,
    (_P.WARNED, _E.HANDED_OVER): _P.ACTING,
    (_P.ACTING, _E.SAFE): _P.DONE,
    (_P.ACTING, _E.STUCK): _P.GAVE_UP,
    (_P.ACTING, _E.TAKEN_OVER): _P.STOOD_DOWN,
    (_P.ACTING, _E.ASKED): _P.ACTING,
    (_P.DONE, _E.ASKED): _P.DONE,
    (_P.GAVE_UP, _E.ASKED): _P.ACTING,
    (_P.STOOD_DOWN, _E.ASKED): _P.STOOD_DOWN,
}

ATTENDING: Final = frozenset({Phase.WAITING, Phase.WATCHING, Phase.WARNED})
"""There is somebody to watch."""


def advance(phase: Phase, event: Event) -> Phase:
    """Next phase; IllegalTransition for a pair outside the table."""
    try:
        return TRANSITIONS[(phase, event)]
    except KeyError:
        raise IllegalTransition(f"a guardian that is {phase.value} cannot meet {event.value}") from None


@attrs.frozen(kw_only=True)
class Sight:
    """Everything a judgement rests on, at one instant. Host seconds."""

    phase: Phase
    alive: bool
    """The process exists."""
    hung_up: bool
    """The connection of the beats ended without a goodbye."""
    owning: bool
    """An earlier run or this one may have left something (the marker stands)."""
    silent_s: float
    """Since the last beat; since the guardian's start before the first."""
    overdue_s: float = 0.0
    """How far past its own deadline the engine was at the last beat."""
    frozen_s: float | None = None
    """How long the daemon has been sweeping without its engine, None while that turns."""


def judge(sight: Sight, rules: Guardian, frozen_limit_s: float) -> tuple[Event, str] | None:
    """What this means, with the reason in words; None if nothing changes."""
    if sight.phase not in ATTENDING:
        return None
    gone = "the daemon died" if not sight.alive else "the daemon hung up without a goodbye" if sight.hung_up else ""
    if gone:
        unregistered_and_clean = sight.phase is Phase.WAITING and not sight.owning
        return (Event.VANISHED if unregistered_and_clean else Event.DEAD), gone
    if sight.phase is Phase.WAITING:
        if sight.owning and sight.silent_s > rules.start_s:
            return Event.HUNG, f"no daemon registered in {rules.start_s:g} s, and an earlier run never said goodbye"
        return None
    if sight.silent_s > rules.dead_s:
        return Event.HUNG, f"no beat for {sight.silent_s:.1f} s"
    if sight.frozen_s is not None:
        # It says of itself that the engine is gone and that it is sweeping: it gets the time a walk to safety takes.
        if sight.frozen_s > frozen_limit_s:
            return Event.HUNG, f"its engine is frozen and its own sweep takes longer than {frozen_limit_s:g} s"
    elif sight.overdue_s > rules.dead_s:
        return Event.HUNG, f"it beats, but its engine is {sight.overdue_s:.1f} s past its deadline"
    late = sight.silent_s > rules.warn_s or sight.overdue_s > rules.warn_s
    if late and sight.phase is Phase.WATCHING:
        return Event.LATE, f"last beat {sight.silent_s:.1f} s ago, engine {sight.overdue_s:.1f} s overdue"
    if not late and sight.phase is Phase.WARNED:
        return Event.IN_TIME, "beats again"
    return None
