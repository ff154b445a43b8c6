"""Order status words (venue sheet sections 2 and 4, error_strings fixture): does the order rest, did it ever."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Standing(Enum):
    RESTS = "rests"
    ENDED = "ended"
    REFUSED = "refused"
    TRIGGERED = "triggered"
    """A trigger order woke up: says nothing about resting. We send none."""
    UNKNOWN = "unknown"


OPEN: Final = "open"
FILLED: Final = "filled"
CANCELED: Final = "canceled"
UNKNOWN_OID: Final = "unknownOid"

_ENDED: Final = frozenset({FILLED, CANCELED, "scheduledCancel", "internalCancel"})


def standing(status: str) -> Standing:
    """What a status word says. The venue adds words, so families are recognised by their ending."""
    if status == OPEN:
        return Standing.RESTS
    if status in _ENDED or status.endswith("Canceled"):
        return Standing.ENDED
    if status == "rejected" or status.endswith("Rejected"):
        return Standing.REFUSED
    if status == "triggered":
        return Standing.TRIGGERED
    return Standing.UNKNOWN
