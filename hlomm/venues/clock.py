"""The shell's clock: two host clocks read together and mapped to venue time."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
import trio

from hlomm.domain.times import NS_PER_MS, NS_PER_S, ClockMap, Now


def read_system() -> Now:
    """Host monotonic and wall time."""
    return Now(time.monotonic_ns(), time.time_ns())


@attrs.frozen
class Clock:
    """Reads venue time; sleeping takes venue seconds.

    `read` is the host's pair of clocks; tests pass one driven by trio's mock clock.
    """

    map: ClockMap = attrs.field(factory=ClockMap)
    read: Callable[[], Now] = read_system

    def now(self) -> Now:
        host = self.read()
        return Now(self.map.venue_elapsed_ns(host.mono_ns), self.map.venue_ns(host.wall_ns))

    def wall_ms(self) -> int:
        return self.map.venue_ns(self.read().wall_ns) // NS_PER_MS

    def age_s(self, since_ns: int) -> float:
        """Venue seconds since an instant of the host's monotonic clock."""
        return self.map.venue_elapsed_ns(self.read().mono_ns - since_ns) / NS_PER_S

    async def sleep(self, venue_seconds: float) -> None:
        await trio.sleep(self.map.host_seconds(venue_seconds))

    def host_seconds(self, venue_seconds: float) -> float:
        return self.map.host_seconds(venue_seconds)
