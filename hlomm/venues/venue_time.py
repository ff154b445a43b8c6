"""The venue's clock, as well as we know it: ours, corrected by the difference last measured.

What a venue compares with its own clock (when an action expires, whether a nonce is recent) has to be said in its time.
On our time alone a host clock ten seconds slow has every cancel refused as expired, and one a minute fast lets an
order arrive long after it is believed dead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from hlomm.venues.clock import Clock

AHEAD_MAX_MS: Final = 60_000
"""A stamp may be ahead of the venue's clock as we know it by no more than this."""


@attrs.define(eq=False)
class VenueTime:
    clock: Clock
    ahead_ms: int | None = None
    """The venue's clock minus ours; None before the first measurement."""
    measure: Callable[[], None] = attrs.field(default=lambda: None)
    """Starts a measurement soon."""

    def wall_ms(self) -> int:
        return self.clock.wall_ms() + (self.ahead_ms or 0)

    def expired(self) -> None:
        """The venue called something late that was sent in time: what we know is no longer true."""
        self.measure()
