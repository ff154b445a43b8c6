"""Estimators that strategies keep between decisions."""

from __future__ import annotations

import math

import attrs

from hlomm.pricing.volatility import EwmaVariance, Space

SECONDS_PER_YEAR = 31_536_000.0


@attrs.define(eq=False)
class UnderlyingVol:
    """Volatility of an underlying's log price, sampled on a grid of `grid_s` so that bounce is not measured.

    Several markets share one underlying and report it at their own times; a grid point takes the price that stood
    when it was crossed, whoever reports first.
    """

    grid_s: float
    ewma: EwmaVariance
    _cell: int = -1
    _last: float = math.nan

    @classmethod
    def with_prior(cls, *, annual: float, prior_s: float, halflife_s: float, grid_s: float) -> UnderlyingVol:
        ewma = EwmaVariance(half_life_s=halflife_s, v0=annual**2 / SECONDS_PER_YEAR, tau0_s=prior_s, space=Space.LOG)
        return cls(grid_s, ewma)

    def update(self, t_s: float, price: float) -> None:
        cell = math.floor(t_s / self.grid_s)
        if cell > self._cell:
            if self._cell >= 0:
                self.ewma.update(cell * self.grid_s, self._last)
            self._cell = cell
        self._last = price

    @property
    def annual(self) -> float:
        """Standard deviation per square root of a 365-day year."""
        return math.sqrt(self.ewma.variance_rate * SECONDS_PER_YEAR)
