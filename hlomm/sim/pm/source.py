"""This venue's own view of the BTC price: the common path, seen by other eyes.

The source is the path with a small basis that comes and goes. It is kept at one sample a second for averages, and its
last value for the close of a candle.
"""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Final

from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.path import PricePath

WINDOW_S: Final = 60
"""Length of the average that decides up/down markets."""
_KEEP_S: Final = 400
_CENT: Final = SCALE // 100


class Source:
    """Prices in USD by step of the path; averages and closes in 1e-8 USD."""

    def __init__(self, path: PricePath, config: PolymarketConfig, rng: random.Random, *, step_ns: int) -> None:
        self._path = path
        self._rng = rng
        self._decay = math.exp(-step_ns / NS_PER_S / config.basis_reversion_s)
        sd = config.basis_bp * 1e-4 if config.dislocations else 0.0
        self._shock = sd * math.sqrt(1.0 - self._decay**2)
        self._basis = rng.gauss(0.0, 1.0) * sd
        self._samples: deque[tuple[int, int]] = deque(maxlen=_KEEP_S)
        self.price = 0.0
        self.before = 0.0
        """Price of the step before."""

    def on_step(self, step: int, now_ns: int) -> None:
        """Read the path of one step; a sample is taken in the first step of each second."""
        self._basis = self._basis * self._decay + self._shock * self._rng.gauss(0.0, 1.0)
        self.before = self.price
        self.price = self._path.price(step) * (1.0 + self._basis)
        second = now_ns // NS_PER_S
        if not self._samples or self._samples[-1][0] < second:
            self._samples.append((second, round(self.price * SCALE)))

    def seen(self, step: int) -> float:
        """The price of another step with the present basis: what somebody with a lag, or a lead, knows."""
        return self._path.price(step) * (1.0 + self._basis)

    def close(self) -> int:
        """Close of the candle that ended in the present step, to the cent as its source prints it."""
        return round((self.before or self.price) * SCALE / _CENT) * _CENT

    def average(self, end_ns: int, window_s: int = WINDOW_S) -> int:
        """Mean of the samples of the window up to `end_ns`, in 1e-8; before the first sample that one held."""
        end = end_ns // NS_PER_S
        inside = [price for second, price in self._samples if end - window_s < second <= end]
        missing = window_s - len(inside)
        assert self._samples
        first = inside[0] if inside else self._samples[-1 if self._samples[-1][0] <= end else 0][1]
        return (sum(inside) + missing * first) // window_s

    def latest(self, count: int) -> list[tuple[int, int]]:
        """The last samples, (second, price), oldest first."""
        return list(self._samples)[-count:]
