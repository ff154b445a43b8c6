"""How old book events are when they have been decided on, and how many were decided on together.

Looked at where the decision is over: its record is written, its orders are with their sessions. Events of a venue come
in the order in which they were sent, so the number of an event tells when it was due (`pace`). Of news that was read
together the newest state is decided on, once: such a turn counts all of its events as handled, and is one turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from hlomm.bench.pace import Pace
from hlomm.bench.probes import wrapped
from hlomm.daemon.histogram import Histogram
from hlomm.daemon.pump import Pump
from hlomm.domain.ids import MarketId, VenueId, venue_of
from hlomm.domain.inputs import BookSnapshot, BookSource

HALVES: Final = 2


@attrs.define(eq=False)
class Ages:
    """Of the events of one stretch: so many a venue, all at one pace. Before the first stretch nothing is looked at."""

    markets: frozenset[MarketId] = frozenset()
    """Whose books are fed; what venues tell of others is no event."""
    _pace: Pace | None = None
    handled: dict[VenueId, int] = attrs.field(factory=dict)
    turns: int = 0
    """That had at least one event."""
    most: int = 0
    """Events in one turn."""
    halves: tuple[Histogram, ...] = ()
    """Ages by the half of the stretch in which the event was due."""
    recent: Histogram = attrs.field(factory=Histogram)
    """Since somebody last emptied it."""
    _venues: dict[MarketId, VenueId] = attrs.field(factory=dict)

    def begin(self, pace: Pace) -> None:
        self._pace = pace
        self.handled, self.turns, self.most = {}, 0, 0
        self.halves, self.recent = tuple(Histogram() for _ in range(HALVES)), Histogram()

    @property
    def total(self) -> int:
        return sum(self.handled.values())

    @contextmanager
    def installed(self) -> Iterator[None]:
        with wrapped(Pump, "_turn", self._looked_at):
            yield

    def _looked_at(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(pump: Pump, items: Any, received_ns: int) -> None:
            original(pump, items, received_ns)
            self._decided(items, time.monotonic_ns())

        return call

    def _decided(self, items: Any, now_ns: int) -> None:
        pace, found = self._pace, 0
        if pace is None:
            return
        for item in items:
            if type(item) is BookSnapshot and item.market in self.markets and item.source is BookSource.STREAM:
                found += 1
                venue = self._venue(item.market)
                number = self.handled.get(venue, 0)
                self.handled[venue] = number + 1
                age_ns = now_ns - pace.due_ns(number)
                self.halves[min(number * HALVES // pace.events, HALVES - 1)].add(age_ns)
                self.recent.add(age_ns)
        self.turns += bool(found)
        self.most = max(self.most, found)

    def _venue(self, market: MarketId) -> VenueId:
        venue = self._venues.get(market)
        if venue is None:
            venue = self._venues[market] = venue_of(market)
        return venue
