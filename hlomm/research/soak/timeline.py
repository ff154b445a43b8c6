"""The queue of everything that is going to happen, in virtual nanoseconds."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

Run = Callable[[], None]

S: Final = 1_000_000_000
MS: Final = 1_000_000


class Timeline:
    """Events in the order of their time; ties in the order of entry, so that a run never depends on hashing."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.count = 0
        self._heap: list[tuple[int, int, Run]] = []
        self._entered = 0

    def at(self, when_ns: int, run: Run) -> None:
        """Run something at an instant, next if that has passed."""
        self._entered += 1
        heapq.heappush(self._heap, (max(when_ns, self.now_ns), self._entered, run))

    def after(self, delay_ns: int, run: Run) -> None:
        self.at(self.now_ns + delay_ns, run)

    def run_until(self, end_ns: int) -> None:
        """Everything up to and including an instant."""
        heap = self._heap
        while heap and heap[0][0] <= end_ns:
            self.now_ns, _, run = heapq.heappop(heap)
            self.count += 1
            run()
        self.now_ns = max(self.now_ns, end_ns)
