"""Vol of a dated digital's price, estimated where it is stationary.

y = sqrt(tau) PhiInv(p) obeys dy = nu dW with nu = sigma_realised/sigma_implied: 1 when the market's vol is right,
whatever the price, the strike and the time left. Estimate nu^2 there, then sigma_p = nu phi(PhiInv(p))/sqrt(tau).
Feed mids, not size-weighted mids: those are 2-3 times noisier in the tails.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import attrs

from hlomm.pricing.horizon import p_vol
from hlomm.pricing.normal import probit
from hlomm.pricing.volatility import EwmaVariance

_TIME_LIMIT_S: Final = 1e12
"""Times beyond this (30,000 years) are not times."""


@attrs.frozen
class ProbitPath:
    y: tuple[float, ...]
    nu2: float
    """sum(dy^2)/sum(dt)."""


def probit_path(t_s: Sequence[float], expiry_s: float, p: Sequence[float]) -> ProbitPath:
    """Brownian test of a finished record: y and the mean square of its increments per second."""
    y = tuple(math.sqrt(expiry_s - t) * probit(price) for t, price in zip(t_s, p, strict=True))
    squares = math.fsum((b - a) ** 2 for a, b in pairwise(y))
    return ProbitPath(y, squares / (t_s[-1] - t_s[0]))


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class ProbitVol:
    """Running nu of one market, sampled on a grid so that bounce between updates is not measured.

    The grid is the multiples of `grid_s` of the caller's clock. When an update crosses grid points, the last of them
    takes the price that stood before the update (a book that does not change still has its price). Prices outside
    (0, 1), times going back and everything from expiry on are ignored and counted.
    """

    expiry_s: float = attrs.field(validator=[attrs.validators.gt(-_TIME_LIMIT_S), attrs.validators.lt(_TIME_LIMIT_S)])
    half_life_s: float = attrs.field(default=600.0, validator=attrs.validators.gt(0.0))
    nu0: float = attrs.field(default=1.0, validator=attrs.validators.ge(0.0))
    tau0_s: float = attrs.field(default=60.0, validator=attrs.validators.ge(1e-6))
    grid_s: float = attrs.field(default=2.0, validator=attrs.validators.ge(1e-3))
    ignored: int = attrs.field(default=0, init=False)
    _ewma: EwmaVariance = attrs.field(init=False)
    _last_s: float = attrs.field(default=-math.inf, init=False)
    _last_p: float = attrs.field(default=math.nan, init=False)
    _cell: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._ewma = EwmaVariance(half_life_s=self.half_life_s, v0=self.nu0**2, tau0_s=self.tau0_s)

    @property
    def nu(self) -> float:
        """Realised over implied vol; nu0 before two grid points."""
        return self._ewma.sigma

    @property
    def eff_seconds(self) -> float:
        return self._ewma.eff_seconds

    def update(self, t_s: float, p: float) -> None:
        """Take the price at a time; seconds on the clock of `expiry_s`."""
        if not (-_TIME_LIMIT_S < t_s < self.expiry_s and self._last_s <= t_s and 0.0 < p < 1.0):
            self.ignored += 1
            return
        cell = math.floor(t_s / self.grid_s)
        if self._last_s > -math.inf and cell > self._cell:
            grid_point_s = cell * self.grid_s
            tau_s = max(self.expiry_s - grid_point_s, 0.0)
            self._ewma.update(grid_point_s, math.sqrt(tau_s) * probit(self._last_p))
        self._last_s, self._last_p, self._cell = t_s, p, cell

    def sigma_p(self, p: float, tau_s: float) -> float:
        """Local vol nu phi(PhiInv(p))/sqrt(tau), absolute, per sqrt second; 0 at tau = 0."""
        return self.nu * p_vol(p, tau_s)
