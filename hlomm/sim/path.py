"""The BTC price all markets are about: a seeded path, independent of what anyone trades.

dS/S = sigma dW + jumps, ln(sigma) an Ornstein-Uhlenbeck process around its long-run level. The path is generated
ahead of the clock on the grid of blocks, so that informed traders may look a little into the future.
"""

from __future__ import annotations

import math
import random
from typing import Final

import attrs

from hlomm.sim.config import PathConfig

YEAR_S: Final = 365.0 * 86_400.0
_KEEP: Final = 4096
"""Steps of the past that stay available; at 70 ms per step nearly five minutes."""


class PricePath:
    """Prices in USD and annualised volatilities, by step number (may be negative before the origin)."""

    def __init__(self, rng: random.Random, config: PathConfig, *, step_s: float, first_step: int) -> None:
        self._rng = rng
        self._config = config
        self._base = first_step
        start = config.price if config.price is not None else rng.uniform(72_000.0, 96_000.0)
        self._prices = [start]
        self._log_vol = rng.gauss(0.0, config.vol_of_vol)
        self._vols = [self._vol()]
        self._decay = math.exp(-step_s / config.vol_reversion_s)
        self._shock = config.vol_of_vol * math.sqrt(1.0 - self._decay**2)
        self._root_dt = math.sqrt(step_s / YEAR_S)
        self._jump_chance = config.jumps_per_day * step_s / 86_400.0

    def price(self, step: int) -> float:
        return self._prices[self._index(step)]

    def vol(self, step: int) -> float:
        """Instantaneous annualised volatility."""
        return self._vols[self._index(step)]

    def mean_vol(self, step: int, horizon_s: float) -> float:
        """Root of the expected mean variance over a horizon: volatility now decays to its long-run level."""
        long_run = self._config.annual_vol
        ratio = horizon_s / self._config.vol_reversion_s
        weight = (1.0 - math.exp(-ratio)) / ratio if ratio > 1e-9 else 1.0
        now = self.vol(step)
        return math.sqrt(long_run**2 + (now**2 - long_run**2) * weight)

    def _index(self, step: int) -> int:
        while step - self._base >= len(self._prices):
            self._step()
        if len(self._prices) > 2 * _KEEP:
            del self._prices[:_KEEP]
            del self._vols[:_KEEP]
            self._base += _KEEP
        index = step - self._base
        assert index >= 0, "that part of the path is forgotten"
        return index

    def _step(self) -> None:
        rng, vol = self._rng, self._vols[-1]
        move = vol * self._root_dt
        log_return = move * rng.gauss(0.0, 1.0) - 0.5 * move * move
        if rng.random() < self._jump_chance:
            log_return += rng.gauss(0.0, self._config.jump_sd)
        self._prices.append(self._prices[-1] * math.exp(log_return))
        self._log_vol = self._log_vol * self._decay + self._shock * rng.gauss(0.0, 1.0)
        self._vols.append(self._vol())

    def _vol(self) -> float:
        # Centred so that the mean variance, not the median, is the configured level squared.
        return self._config.annual_vol * math.exp(self._log_vol - self._config.vol_of_vol**2)


@attrs.frozen
class Mark:
    """One update of the mark price. `ticks` of the perp grid."""

    time_ns: int
    ticks: int


def settlement_ticks(before: Mark, after: Mark, expiry_ns: int) -> int:
    """Mark at expiry by linear interpolation between its neighbours, rounded to the nearest tick."""
    assert before.time_ns <= expiry_ns <= after.time_ns
    span = after.time_ns - before.time_ns
    if span == 0:
        return before.ticks
    return before.ticks + round((after.ticks - before.ticks) * (expiry_ns - before.time_ns) / span)
