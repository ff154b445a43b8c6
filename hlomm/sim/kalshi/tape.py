"""The venue's pen: knows the time, hands out ids, collects the events of a step."""

from __future__ import annotations

import random
from uuid import UUID

from hlomm.domain.times import NS_PER_MS
from hlomm.sim.kalshi.events import Event


class Tape:
    """One per exchange. `now_ns` is the step being executed."""

    def __init__(self, seed: int) -> None:
        self.now_ns = 0
        self.events: list[Event] = []
        self._ids = random.Random(f"{seed}/kalshi/ids")
        self._number = 0

    @property
    def now_ms(self) -> int:
        return self.now_ns // NS_PER_MS

    def next_id(self) -> str:
        """A UUID of version 4 in shape, from the seed."""
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def write(self, event: Event) -> None:
        self.events.append(event)

    def drain(self) -> list[Event]:
        events, self.events = self.events, []
        return events
