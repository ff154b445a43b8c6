"""The breaker that a venue keeps for us: whether it holds, and what has been done about it. Pure.

It trips when our orders match faster than we said they ever should: the venue cancels all of them and refuses new ones.
Nothing sets it again by itself: either a quiet time passes (`AUTOMATIC` times in `SPAN_NS`, so that a mistake cannot
go round in a circle) or an operator resumes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.faults import IllegalTransition
from hlomm.domain.times import NS_PER_S

AUTOMATIC: Final = 1
SPAN_NS: Final = 3_600 * NS_PER_S


class Arming(StrEnum):
    ARMED = "armed"
    TRIPPED = "tripped"
    RESETTING = "resetting"
    """Asked for and not answered."""


class ArmingEvent(StrEnum):
    TRIPPED = "tripped"
    ASKED = "asked"
    REARMED = "rearmed"
    UNANSWERED = "unanswered"


_A = Arming
_E = ArmingEvent

TRANSITIONS: Final[dict[tuple[Arming, ArmingEvent], Arming]] = {
    (_A.ARMED, _E.TRIPPED): _A.TRIPPED,
    (_A.ARMED, _E.REARMED): _A.ARMED,  # somebody reset it by hand, and we never knew
    (_A.TRIPPED, _E.TRIPPED): _A.TRIPPED,
    (_A.TRIPPED, _E.ASKED): _A.RESETTING,
    (_A.TRIPPED, _E.REARMED): _A.ARMED,  # likewise by hand, or an answer that came late
    (_A.RESETTING, _E.TRIPPED): _A.TRIPPED,  # the reset failed, or the limit was exceeded at once
    (_A.RESETTING, _E.REARMED): _A.ARMED,
    (_A.RESETTING, _E.UNANSWERED): _A.TRIPPED,
}


def advance(arming: Arming, event: ArmingEvent) -> Arming:
    """Next state; IllegalTransition for a pair outside the table."""
    try:
        return TRANSITIONS[(arming, event)]
    except KeyError:
        raise IllegalTransition(f"cannot {event.value} while {arming.value}") from None


@attrs.define(eq=False)
class VenueBreaker:
    """Times are monotonic."""

    arming: Arming = Arming.ARMED
    why: str = ""
    quiet_from_ns: int = 0
    """The last trip or fill: quiet is counted from here."""
    asked_ns: int = 0
    by_itself: bool = True
    """Whether a quiet time is enough this time."""
    automatic_ns: tuple[int, ...] = ()
    """When it was reset without a person, newest last."""

    @property
    def open(self) -> bool:
        """Whether it keeps orders out."""
        return self.arming is not Arming.ARMED

    def advance(self, event: ArmingEvent) -> None:
        self.arming = advance(self.arming, event)

    def trip(self, why: str, now_ns: int) -> None:
        self.advance(ArmingEvent.TRIPPED)
        self.why, self.quiet_from_ns = why, now_ns
        self.automatic_ns = tuple(at_ns for at_ns in self.automatic_ns if now_ns - at_ns < SPAN_NS)
        self.by_itself = len(self.automatic_ns) < AUTOMATIC

    def ask(self, now_ns: int, *, automatic: bool) -> None:
        self.advance(ArmingEvent.ASKED)
        self.asked_ns = now_ns
        if automatic:
            self.automatic_ns = (*self.automatic_ns, now_ns)
