"""Time average of the mark, which decides a deployer's contracts (venue sheet 7.2)."""

from __future__ import annotations

from collections import deque
from typing import Final

from hlomm.domain.times import NS_PER_S
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.path import Mark

_KEEP_NS: Final = 4000 * NS_PER_S
"""Longest window plus what a late settlement may need."""


class MarkAverage:
    """Updates of the mark, each of which holds until the next."""

    def __init__(self) -> None:
        self._marks: deque[Mark] = deque()

    def note(self, mark: Mark) -> None:
        """Add an update; times must not go back."""
        assert not self._marks or mark.time_ns >= self._marks[-1].time_ns
        self._marks.append(mark)
        while self._marks[0].time_ns < mark.time_ns - _KEEP_NS:
            self._marks.popleft()

    def over(self, end_ns: int, window_ns: int) -> int:
        """Average over the window up to `end_ns` in 1e-8, rounded up.

        Rounding up keeps "above a whole threshold" exact: an average above it stays above, one at it stays at it.
        Before the first known update that one is taken to have held.
        """
        assert self._marks
        assert window_ns > 0
        start_ns = end_ns - window_ns
        total, since, ticks = 0, start_ns, self._marks[0].ticks
        for mark in self._marks:
            if mark.time_ns >= end_ns:
                break
            if mark.time_ns > since:
                total += ticks * (mark.time_ns - since)
                since = mark.time_ns
            ticks = mark.ticks
        total += ticks * (end_ns - since)
        return -(-total * PERP_GRID.tick // window_ns)
