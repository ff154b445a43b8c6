"""The machine the daemon runs on: its clocks, which the weather may move."""

from __future__ import annotations

from hlomm.domain.times import Now
from hlomm.research.soak.front import EPOCH_MS
from hlomm.research.soak.timeline import MS, Timeline

BOOT_NS = 1_000_000_000_000
"""What the monotonic clock shows at the start of a run."""


class HostClock:
    """Monotonic time is the timeline's; wall time is the venue's plus an offset that steps and drifts."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._offset_ns = 0
        self._rate = 0.0
        self._drifting_since_ns = 0

    @property
    def offset_ns(self) -> int:
        return self._offset_ns + round((self._timeline.now_ns - self._drifting_since_ns) * self._rate)

    def now(self) -> Now:
        venue_ns = EPOCH_MS * MS + self._timeline.now_ns
        return Now(BOOT_NS + self._timeline.now_ns, venue_ns + self.offset_ns)

    def wall_ms(self) -> int:
        return self.now().wall_ms

    def step(self, by_ns: int) -> None:
        self._offset_ns += by_ns

    def drift(self, rate: float) -> None:
        """From now on the wall clock gains that many seconds a second."""
        self._offset_ns, self._drifting_since_ns, self._rate = self.offset_ns, self._timeline.now_ns, rate

    def correct(self) -> None:
        """Somebody sets the clock right."""
        self._offset_ns, self._rate = 0, 0.0
