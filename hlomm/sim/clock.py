"""Venue time read from trio's clock, so that a test's mock clock drives the venue as well."""

from __future__ import annotations

from typing import Final

import attrs
import trio

from hlomm.domain.times import NS_PER_S

_NAP_MAX_S: Final = 3600.0


@attrs.frozen(kw_only=True)
class VenueClock:
    """Maps trio time to venue time: `venue_origin_ns` at `trio_origin_s`, running `speed` times as fast."""

    trio_origin_s: float
    venue_origin_ns: int
    speed: float = 1.0

    @classmethod
    def starting_now(cls, venue_origin_ns: int, speed: float = 1.0) -> VenueClock:
        """The clock that shows `venue_origin_ns` at this moment."""
        return cls(trio_origin_s=trio.current_time(), venue_origin_ns=venue_origin_ns, speed=speed)

    def now_ns(self) -> int:
        elapsed = (trio.current_time() - self.trio_origin_s) * self.speed
        return self.venue_origin_ns + round(elapsed * NS_PER_S)

    def trio_time(self, venue_ns: int) -> float:
        """Trio time at which the venue's clock shows `venue_ns`."""
        return self.trio_origin_s + (venue_ns - self.venue_origin_ns) / NS_PER_S / self.speed

    async def sleep_until(self, venue_ns: int) -> None:
        """Sleep to a venue instant; returns at once, after a checkpoint, if it is past."""
        await trio.sleep_until(min(self.trio_time(venue_ns), trio.current_time() + _NAP_MAX_S))
