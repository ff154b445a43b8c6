"""The venue's index: one print a second around the common path, and the average of sixty that decides contracts."""

from __future__ import annotations

import random
from collections import deque
from typing import Final

from hlomm.domain.times import NS_PER_S
from hlomm.sim.kalshi.events import IndexPrinted

WINDOW_S: Final = 60
_KEPT: Final = 1_200
"""Prints that stay known: enough for a quarter-hour average that is asked for late."""


class Index:
    """Prints at whole venue seconds; values are cents."""

    def __init__(self, rng: random.Random, noise_bp: float) -> None:
        self._rng = rng
        self._noise = noise_bp * 1e-4
        self.prints: deque[IndexPrinted] = deque(maxlen=_KEPT)

    def start(self, time_ns: int, price: float) -> None:
        """Know a minute before the first print, in which the price is taken to have stood still."""
        for second in range(WINDOW_S, 0, -1):
            self.prints.append(IndexPrinted(time_ns - second * NS_PER_S, round(price * 100.0)))

    def print(self, time_ns: int, price: float) -> IndexPrinted:
        """Note the price of a second."""
        assert time_ns % NS_PER_S == 0
        noisy = price * (1.0 + self._rng.gauss(0.0, 1.0) * self._noise)
        value = IndexPrinted(time_ns, round(noisy * 100.0))
        self.prints.append(value)
        return value

    def window(self, end_ns: int, seconds: int = WINDOW_S) -> list[int]:
        """The prints of [end - seconds, end), as far as they are known."""
        start_ns = end_ns - seconds * NS_PER_S
        return [p.cents for p in self.prints if start_ns <= p.time_ns < end_ns]

    def average(self, end_ns: int) -> int | None:
        """Simple average of the sixty prints before an instant in cents, halves up; None where one is missing."""
        values = self.window(end_ns)
        return (2 * sum(values) + len(values)) // (2 * len(values)) if len(values) == WINDOW_S else None
