"""The venue's clock as its answers tell it: a `Date` header, to the second (venue sheet section 2)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

import attrs

from hlomm.venues.counters import Counters
from hlomm.venues.venue_time import VenueTime

SKEW_FLOOR_MS: Final = 2_000
"""The header has whole seconds: a smaller difference is none."""


@attrs.define(eq=False)
class Dates:
    """What the last header said; the first one is believed until somebody measures."""

    _time: VenueTime
    _counters: Counters
    told_ms: int | None = None
    ahead_ms: int | None = None
    """The server's clock minus ours."""

    def note(self, text: str, sent_ms: int) -> None:
        """Take in the header of an answer to what was sent at that time of ours."""
        if not text:
            return
        try:
            server_ms = int(parsedate_to_datetime(text).timestamp() * 1_000)
        except ValueError:
            self._counters.add("malformed.date")
            return
        self.told_ms = server_ms
        # The header is cut to whole seconds: half of one is the best guess.
        self.ahead_ms = ahead_ms = server_ms + 500 - (sent_ms + self._time.clock.wall_ms()) // 2
        if self._time.ahead_ms is None and self._time.clock.map.speed == 1.0:
            self._time.ahead_ms = ahead_ms if abs(ahead_ms) >= SKEW_FLOOR_MS else 0

    def correct(self, believed_ms: int) -> bool:
        """Whether the venue's clock is not where it was believed to be; then it is taken over."""
        ahead_ms = self.ahead_ms
        if ahead_ms is None or self._time.clock.map.speed != 1.0 or abs(ahead_ms - believed_ms) < SKEW_FLOOR_MS:
            return False
        self._counters.add("signed_by_a_wrong_clock")
        self._time.ahead_ms = ahead_ms
        return True
