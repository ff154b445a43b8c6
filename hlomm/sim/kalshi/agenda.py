"""Things to do at their venue time, in order of time and then of being written down."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Agenda:
    """Grows only with the listing: a handful of entries per market."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._count = 0

    def at(self, time_ns: int, do: Callable[[int], None]) -> None:
        """Have `do(now_ns)` called in the first step at or after an instant."""
        self._count += 1
        heapq.heappush(self._heap, (time_ns, self._count, do))

    def run(self, now_ns: int) -> None:
        while self._heap and self._heap[0][0] <= now_ns:
            heapq.heappop(self._heap)[2](now_ns)
