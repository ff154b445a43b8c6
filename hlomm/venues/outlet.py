"""Where inputs of a session go: the sink of whoever runs it.

News of markets that was read in one piece goes on in one piece, so that it is decided on once and not frame by frame.
Everything else goes on at once, with the news that came before it in front: nothing is ever overtaken.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.inputs import MARKET_NEWS, Input
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.deadman import Resting
from hlomm.venues.protocol import Sink


@attrs.define(eq=False)
class Outlet:
    """A `Burst` of the session's connections."""

    _clock: Clock
    _counters: Counters
    resting: Resting | None = None
    """Watches what is handed on, if anybody wants to know what rests."""
    sink: Sink | None = None
    _gathering: bool = False
    _gathered: list[Input] = attrs.field(factory=list)
    """Bounded by what a connection reads in one piece."""

    def emit(self, events: Sequence[Input]) -> None:
        """Hand on what did not come in a frame, stamped with the host's time of now."""
        self.emit_at(events, self._clock.read().mono_ns)

    def emit_at(self, events: Sequence[Input], received_ns: int) -> None:
        if not events:
            return
        if self.resting is not None:
            self.resting.note(events)
        if self._gathering and all(type(event) in MARKET_NEWS for event in events):
            self._gathered += events
            return
        self._hand_on(events, received_ns)

    def gather(self) -> None:
        """News of markets waits for `flush`, or for something that must not wait."""
        self._gathering = True

    def flush(self, received_ns: int) -> None:
        self._gathering = False
        self._hand_on((), received_ns)

    def _hand_on(self, events: Sequence[Input], received_ns: int) -> None:
        gathered, self._gathered = self._gathered, []
        events = [*gathered, *events] if gathered else events
        if not events:
            return
        if self.sink is None:
            self._counters.add("inputs_without_sink", len(events))
            return
        self.sink(events, received_ns)
