"""Exponentially weighted variance per second from observations at irregular times.

`EwmaVariance` is the estimator to use: a ratio of decayed sums, N <- w N + r^2, D <- w D + dt, v = N/D with
w = 2^(-dt/H). The prior enters as pseudo-seconds (N0 = v0 tau0, D0 = tau0), so the value is never NaN, starts at v0
and forgets it smoothly. `EwmaRate` is the form v <- w v + (1-w) r^2/dt: one tick in a millisecond makes it explode,
so it belongs on a fixed grid only.

Both keep the last of several observations with one timestamp, and ignore (and count) time running backwards and
numbers outside the domain of the space. Times are seconds on any clock that does not jump; squares are per second of
it. Sample mids on a grid of 1-5 s before they come here, or bounce is measured instead of vol.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Final

import attrs

from hlomm.pricing.normal import logit, probit

_LN2: Final = math.log(2.0)
_SAME_TIME_S: Final = 1e-9
"""Observations closer than this share a timestamp: no clock in use resolves less."""
_ABS_LIMIT: Final = 1e100
"""Largest absolute value taken for an observation; squares stay finite."""


class Space(IntEnum):
    """Coordinate in which returns are taken."""

    ABS = 0
    LOG = 1
    """For an underlying; never for a probability, where it would treat YES and NO differently."""
    LOGIT = 2
    """For events without a known underlying."""
    PROBIT = 3


def coordinate(x: float, space: Space) -> float | None:
    """Value of x in `space`; None outside the domain (finite; positive for LOG; inside (0, 1) for LOGIT and PROBIT)."""
    if space is Space.ABS:
        return x if -_ABS_LIMIT < x < _ABS_LIMIT else None
    if space is Space.LOG:
        return math.log(x) if 0.0 < x < math.inf else None
    if not 0.0 < x < 1.0:
        return None
    return logit(x) if space is Space.LOGIT else probit(x)


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class _Ewma(ABC):
    """Intervals between observations; the newest observation may still be replaced, so its effect is provisional."""

    half_life_s: float = attrs.field(validator=attrs.validators.gt(0.0))
    space: Space = Space.ABS
    ignored: int = attrs.field(default=0, init=False)
    """Observations refused: outside the domain, or older than the newest."""
    _start_s: float = attrs.field(default=-math.inf, init=False)
    _start: float = attrs.field(default=0.0, init=False)
    _end_s: float = attrs.field(default=-math.inf, init=False)
    _end: float = attrs.field(default=0.0, init=False)

    def update(self, t_s: float, x: float) -> None:
        """Take an observation."""
        y = coordinate(x, self.space)
        if y is None or not self._end_s - _SAME_TIME_S < t_s < math.inf:
            self.ignored += 1
            return
        if t_s >= self._end_s + _SAME_TIME_S:
            self._commit()
            self._start_s, self._start = self._end_s, self._end
            self._end_s = t_s
        self._end = y
        dt_s = self._end_s - self._start_s
        if dt_s < math.inf:
            step = y - self._start
            self._apply(dt_s, step * step)

    @abstractmethod
    def _commit(self) -> None:
        """Make the effect of the newest observation final."""

    @abstractmethod
    def _apply(self, dt_s: float, squared: float) -> None:
        """Replace the provisional effect of the newest interval."""


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class EwmaVariance(_Ewma):
    """Ratio of decayed sums with a prior of `tau0_s` pseudo-seconds (30-120 is usual) at variance rate `v0`."""

    v0: float = attrs.field(validator=attrs.validators.ge(0.0))
    tau0_s: float = attrs.field(validator=attrs.validators.ge(1e-6))
    _n: float = attrs.field(default=0.0, init=False)
    _d: float = attrs.field(default=0.0, init=False)
    _n_committed: float = attrs.field(default=0.0, init=False)
    _d_committed: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._n = self._n_committed = self.v0 * self.tau0_s
        self._d = self._d_committed = self.tau0_s

    @property
    def variance_rate(self) -> float:
        """Value v per second; v0 before the first interval."""
        return self._n / self._d

    @property
    def sigma(self) -> float:
        """sqrt(v), per sqrt second."""
        return math.sqrt(self._n / self._d)

    @property
    def eff_seconds(self) -> float:
        """D: seconds of data, prior included, that still weigh in; at most half_life/ln 2 after a long run."""
        return self._d

    def _commit(self) -> None:
        self._n_committed, self._d_committed = self._n, self._d

    def _apply(self, dt_s: float, squared: float) -> None:
        w = math.exp2(-dt_s / self.half_life_s)
        self._n = w * self._n_committed + squared
        self._d = w * self._d_committed + dt_s


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class EwmaRate(_Ewma):
    """Recursion v <- w v + (1-w) r^2/dt; without `v0` the first interval sets the value."""

    v0: float | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0.0)))
    _v: float | None = attrs.field(default=None, init=False)
    _v_committed: float | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._v = self._v_committed = self.v0

    @property
    def variance_rate(self) -> float | None:
        """Value v per second; None before the first interval when there is no prior."""
        return self._v

    def _commit(self) -> None:
        self._v_committed = self._v

    def _apply(self, dt_s: float, squared: float) -> None:
        rate = squared / dt_s
        if self._v_committed is None:
            self._v = rate
        else:
            fresh = -math.expm1(-_LN2 * dt_s / self.half_life_s)
            self._v = (1.0 - fresh) * self._v_committed + fresh * rate
