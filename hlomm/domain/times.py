"""Instants and the map from host time to venue time.

Durations are measured on the monotonic clock, expiries and stamps on the wall clock; both are nanoseconds.
The core is handed a `Now` and reads no clock.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000


class Now(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One reading of both clocks, in nanoseconds."""

    mono_ns: int
    wall_ns: int

    @property
    def wall_ms(self) -> int:
        return self.wall_ns // NS_PER_MS


@attrs.frozen(kw_only=True)
class ClockMap:
    """Host wall time to venue wall time: an affine map, the identity on real venues.

    A simulated venue may run faster than the host (`speed`) and starts at an instant of its own choosing.
    """

    host_origin_ns: int = 0
    venue_origin_ns: int = 0
    speed: float = 1.0

    def venue_ns(self, host_ns: int) -> int:
        """Venue wall time at a host wall time."""
        elapsed = host_ns - self.host_origin_ns
        return self.venue_origin_ns + (elapsed if self.speed == 1.0 else int(elapsed * self.speed))

    def venue_elapsed_ns(self, host_elapsed_ns: int) -> int:
        """Venue duration of a host duration."""
        return host_elapsed_ns if self.speed == 1.0 else int(host_elapsed_ns * self.speed)

    def host_seconds(self, venue_seconds: float) -> float:
        """Host seconds to wait for that many venue seconds."""
        return venue_seconds / self.speed


def utc_clock(wall_ns: int) -> str:
    """HH:MM:SS of a wall time, rounded down."""
    second = wall_ns // NS_PER_S % 86_400
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def seconds_to_ns(seconds: float) -> int:
    """Whole nanoseconds of a configured duration, rounded to nearest."""
    return round(seconds * NS_PER_S)
