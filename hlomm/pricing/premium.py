"""What the market pays for volatility over what the term structure expects, filtered from its own prices.

The state is m = ln(implied/expected): the factor e^m on the total standard deviation that makes the model agree with
the book. It reverts to 0 (Ornstein-Uhlenbeck with standard deviation `sd0`, time `relax_s`) and every two-sided book
of a contract on the underlying, binary or bucket, is an observation of it in probit space:

    z_book = z(m) + noise,   z(m) ~ z + (dz/d ln v)(m - m_now),   noise^2 = sd_book^2 + sd_model^2

That is an extended Kalman filter of one dimension. It needs no inversion, so there is no "no root" case: near the
money dz/d ln v is about 0 and a book simply says nothing about vol. Times may be irregular; books closer than
`apart_s` share their error (a standing quote is not new evidence every half second) and count for the share of
`apart_s` they cover. A cold start knows neither the premium nor the regime (m = 0 with `COLD_SD` on top of sd0); a
book gone silent is forgotten at the pace of `relax_s`.

QUANT 3.1 (precision weights in probit space), 3.2 (irregular times, prior), 4.2 (implied vol as a signal).
"""

from __future__ import annotations

import math
from typing import Final

import attrs

LIMIT: Final = math.log(4.0)
"""A book further than a factor of 4 from the expected vol is about something else than vol."""
COLD_SD: Final = 0.5
"""Spread of ln vol from one session to another: .43 between two-hour and .48 between six-hour windows of Binance
15-minute returns (2024-25), sampling error removed. Not known before anything was observed, when the realised vol is
still its prior."""
_TINY, _BIG = 1e-9, 1e6
"""Slopes, quantiles and errors beyond these are no observations; products of those inside stay finite."""
_STEP_MAX: Final = 1.0
"""Largest change of m by one observation, in its own standard deviations: the linearisation holds no further."""


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class VolPremium:
    """Running premium of one underlying; times in seconds on a clock that does not jump."""

    sd0: float = attrs.field(validator=attrs.validators.ge(0.0))
    """Standard deviation of m without observations: relative error of the expected vol."""
    relax_s: float = attrs.field(default=2 * 3600.0, validator=attrs.validators.gt(0.0))
    """A premium belongs to a session, not to a minute and not to a year: hours."""
    apart_s: float = attrs.field(default=60.0, validator=attrs.validators.gt(0.0))
    ignored: int = attrs.field(default=0, init=False)
    """Observations refused: not numbers, or older than the newest."""
    _m: float = attrs.field(default=0.0, init=False)
    _var: float = attrs.field(init=False)
    _last_s: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._var = self.sd0 * self.sd0 + COLD_SD * COLD_SD

    @classmethod
    def told(cls, m: float, *, sd0: float) -> VolPremium:
        """One that stands at `m` whenever it is asked: to price again what was priced with that."""
        made = cls(sd0=sd0)
        made._m = m
        return made

    def at(self, t_s: float) -> tuple[float, float]:
        """(m, its standard deviation) at a time; the prior before the first observation."""
        gap_s = t_s - self._last_s
        if not 0.0 < gap_s < math.inf:
            return self._m, math.sqrt(self._var)
        keep = math.exp(-gap_s / self.relax_s)
        prior = self.sd0 * self.sd0
        return self._m * keep, math.sqrt(max(prior + (self._var - prior) * keep * keep, 0.0))

    def update(
        self, t_s: float, *, z_book: float, sd_book: float, z_model: float, slope: float, sd_model: float
    ) -> None:
        """Take a book; z_model and slope = dz/d ln v as priced with the m of `at(t_s)`, sd_* in units of z."""
        numbers = -math.inf < t_s < math.inf and all(-_BIG <= x <= _BIG for x in (z_book, z_model, slope))
        if not (numbers and _TINY <= sd_book <= _BIG and 0.0 <= sd_model <= _BIG and self._last_s <= t_s):
            self.ignored += 1
            return
        m, sd = self.at(t_s)
        share = min((t_s - self._last_s) / self.apart_s, 1.0)
        self._last_s = t_s
        self._m, self._var = m, sd * sd
        if share <= 0.0 or sd <= 0.0:
            return
        noise = (sd_book * sd_book + sd_model * sd_model) / share
        explained = slope * slope * self._var
        step = self._var * slope / (explained + noise) * (z_book - z_model)
        step = min(max(step, -_STEP_MAX * sd), _STEP_MAX * sd)
        self._m = min(max(m + step, -LIMIT), LIMIT)
        self._var *= noise / (explained + noise)
