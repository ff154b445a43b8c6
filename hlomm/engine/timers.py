"""Named deadlines on the monotonic clock. Setting a name again replaces it; ties fire in the order of setting."""

from __future__ import annotations

import heapq


class Timers:
    __slots__ = ("_deadlines", "_heap", "_next_ns", "_sequence", "_stale")

    def __init__(self) -> None:
        self._deadlines: dict[str, tuple[int, int]] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._sequence = 0
        self._next_ns: int | None = None
        """Of the earliest; asked for several times with every input."""
        self._stale = False
        """The earliest one was put off, or is gone: the next has to be looked for."""

    def set(self, name: str, deadline_ns: int) -> None:
        current = self._deadlines.get(name)
        if current is not None and current[0] == deadline_ns:
            return
        self._sequence += 1
        self._deadlines[name] = (deadline_ns, self._sequence)
        heapq.heappush(self._heap, (deadline_ns, self._sequence, name))
        if current is not None and current[0] == self._next_ns:
            self._stale = True
        elif self._next_ns is None or deadline_ns < self._next_ns:
            self._next_ns = deadline_ns
        if len(self._heap) > 64 + 4 * len(self._deadlines):
            self._heap = [(at, order, key) for key, (at, order) in self._deadlines.items()]
            heapq.heapify(self._heap)

    def set_earliest(self, name: str, deadline_ns: int) -> None:
        """Set unless an earlier deadline of that name is already running."""
        current = self._deadlines.get(name)
        if current is None or deadline_ns < current[0]:
            self.set(name, deadline_ns)

    def clear(self, name: str) -> None:
        gone = self._deadlines.pop(name, None)
        if gone is not None and gone[0] == self._next_ns:
            self._stale = True

    def running(self, name: str) -> bool:
        return name in self._deadlines

    def next_deadline(self) -> int | None:
        if self._stale:
            self._next_ns, self._stale = self._earliest(), False
        return self._next_ns

    def _earliest(self) -> int | None:
        heap = self._heap
        while heap:
            deadline_ns, order, name = heap[0]
            if self._deadlines.get(name) == (deadline_ns, order):
                return deadline_ns
            heapq.heappop(heap)  # replaced or cleared
        return None

    def pop_due(self, mono_ns: int) -> list[str]:
        """Names whose time has come, earliest first; they are no longer running."""
        due: list[str] = []
        while (deadline := self.next_deadline()) is not None and deadline <= mono_ns:
            _, _, name = heapq.heappop(self._heap)
            del self._deadlines[name]
            self._stale = True
            due.append(name)
        return due
