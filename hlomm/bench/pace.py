"""When the events of a paced feed are due: known to both ends, so that no event has to carry it.

Venues tell what happened since the last time in one piece, and so does a lane: all events of a lump are due together.
An age counts from when an event was due, not from when it was sent: a sender that is held up makes events older.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Pace:
    """So many events spread over a span. `at_ns` is of the host's monotonic clock, which all processes share."""

    at_ns: int
    events: int
    span_ns: int
    lump_ns: int

    def due_ns(self, number: int) -> int:
        """When the event of that number, from 0, is due."""
        return self.at_ns + number * self.span_ns // (self.events * self.lump_ns) * self.lump_ns

    def due_by(self, now_ns: int) -> int:
        """How many events are due at an instant."""
        lumps = (now_ns - self.at_ns) // self.lump_ns + 1
        return min(max(-(-lumps * self.lump_ns * self.events // self.span_ns), 0), self.events)
