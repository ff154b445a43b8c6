"""Hyperliquid's dead-man: `scheduleCancel` (venue sheet 4.1).

It cancels every order of the account, foreign ones too. At least 5 s ahead; renewed as often as one likes; 10 triggers
per UTC day; refused to accounts below a traded volume of 1,000,000 USD, which is expected and asked again rarely.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.venues.deadman import Declined
from hlomm.venues.hyperliquid.direct import DirectRequests
from hlomm.venues.hyperliquid.limits import AddressBudget
from hlomm.venues.hyperliquid.wire.errors import error_code
from hlomm.venues.venue_time import VenueTime

VOLUME_AGAIN_S: Final = 3_600.0
"""Volume grows slowly: the gate is tried that often."""
_DAY_MS: Final = 86_400_000


@attrs.frozen
class ScheduleCancel:
    """See `hlomm.venues.deadman.VenueDeadman`."""

    _direct: DirectRequests
    _budget: AddressBudget
    _time: VenueTime

    async def arm(self, term_s: float) -> int | Declined:
        until_ms = self._time.clock.wall_ms() + round(term_s * 1_000)
        self._budget.spend(1)
        refusal = await self._direct.schedule_cancel(until_ms + (self._time.ahead_ms or 0))
        return until_ms if refusal is None else self._declined(refusal)

    async def disarm(self) -> Declined | None:
        self._budget.spend(1)
        refusal = await self._direct.schedule_cancel(None)
        return None if refusal is None else self._declined(refusal)

    def _declined(self, text: str) -> Declined:
        code = error_code(text)
        again_s: float | None = None
        if code == "ScheduleCancelVolume":
            again_s = VOLUME_AGAIN_S
        elif code == "ScheduleCancelDaily":
            again_s = (_DAY_MS - self._time.wall_ms() % _DAY_MS) / 1_000 + 1
        return Declined(code, text, again_s)
