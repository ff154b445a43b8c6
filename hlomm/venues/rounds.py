"""What a session does every so often: how long it waits in between, and what becomes of a round that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters

FLOOR_S: Final = 0.1


@attrs.frozen
class Rounds:
    """Periodic work of one session."""

    _clock: Clock
    _counters: Counters
    _affords: Callable[[int], bool] = lambda _cost: True
    """Whether the budget of requests has room for optional work of that cost."""
    floor_s: float = FLOOR_S
    """Host seconds that are always waited."""

    def host_s(self, venue_s: float) -> float:
        """Venue seconds in host seconds, but never so few that a fast simulation turns a loop into a storm."""
        return max(self._clock.host_seconds(venue_s), self.floor_s)

    async def pause(self, venue_s: float) -> None:
        await trio.sleep(self.host_s(venue_s))

    async def attempt(self, work: Callable[[], Awaitable[None]], cost: int = 0) -> bool:
        """One round of periodic work if the budget affords it; whether it was done."""
        await trio.lowlevel.checkpoint()
        if not self._affords(cost):
            self._counters.add("rounds_skipped")
            return False
        try:
            await work()
        except VenueUnavailable:
            self._counters.add("rounds_failed")
            return False
        return True
