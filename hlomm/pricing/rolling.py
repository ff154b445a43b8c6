"""Realised volatility that is robust to observation noise, running: two-scale variance over a moving window.

The plain estimator squares every move between grid points, so bounce and stale quotes count as volatility; the
two-scale estimator (QUANT 3.3; Zhang, Mykland & Ait-Sahalia 2005) subtracts what the finest grid shows beyond the
coarse ones. The prior enters as pseudo-seconds, as in `hlomm.pricing.volatility`: the value is never NaN, starts at
the prior and is never negative.
"""

from __future__ import annotations

import math
from collections import deque

import attrs

from hlomm.pricing.digital import YEAR_S
from hlomm.pricing.realized import two_scale
from hlomm.pricing.volatility import Space


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class RollingTwoScale:
    """Vol of an underlying's log price on a grid; each grid point takes the price that stood when it was crossed.

    Points missed while nothing was seen keep the last price: a pause is counted as time without moves, as the EWMA
    counts it. Prices that are not positive and finite, and times going back, are ignored and counted.
    """

    prior: float = attrs.field(validator=attrs.validators.gt(0.0))
    """Per sqrt(year)."""
    prior_s: float = attrs.field(validator=attrs.validators.gt(0.0))
    window_s: float = attrs.field(default=1_800.0, validator=attrs.validators.gt(0.0))
    grid_s: float = attrs.field(default=2.0, validator=attrs.validators.gt(0.0))
    coarse: int = attrs.field(default=15, validator=attrs.validators.ge(2))
    """Grid steps of the slow grids: 30 s at the default grid."""
    ignored: int = attrs.field(default=0, init=False)
    _points: deque[float] = attrs.field(init=False)
    """Log prices."""
    _cell: int | None = attrs.field(default=None, init=False)
    _last: float = attrs.field(default=math.nan, init=False)
    _annual: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._points = deque(maxlen=max(math.ceil(self.window_s / self.grid_s), 2 * self.coarse) + 1)
        self._annual = self.prior

    @property
    def annual(self) -> float:
        """Standard deviation per square root of a 365-day year."""
        return self._annual

    def update(self, t_s: float, price: float) -> None:
        """Take a price at a time."""
        if not (0.0 < price < math.inf and -math.inf < t_s < math.inf):
            self.ignored += 1
            return
        cell = math.floor(t_s / self.grid_s)
        if self._cell is not None:
            if cell < self._cell:
                self.ignored += 1
                return
            crossed = min(cell - self._cell, self._points.maxlen or 1)
            if crossed:
                self._points.extend([self._last] * crossed)
                self._estimate()
        self._cell, self._last = cell, math.log(price)

    def _estimate(self) -> None:
        n = len(self._points) - 1
        if n <= self.coarse:
            return
        seen = max(two_scale(self._points, self.coarse, Space.ABS).tsrv_adj, 0.0)
        prior = self.prior * self.prior * self.prior_s / YEAR_S
        self._annual = math.sqrt((prior + seen) / (self.prior_s + n * self.grid_s) * YEAR_S)
