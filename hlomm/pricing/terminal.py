"""Where an underlying may settle: variance to expiry with a term structure, and a kernel with fat tails.

A constant sigma times sqrt(tau) fails a dated contract in three ways, and each is answered by one term:

- Quiet hours end. Expected variance relaxes from what is realised now to its long-run level (mean reversion, the
  expectation of a square-root variance process): W = L^2 (tau - r) + sigma^2 r, r = theta (1 - e^(-tau/theta)).
- The settlement value is not the price we see (QUANT 4.4): its standing difference adds noise^2, whatever the time
  left, so the last seconds do not become certain before they are over.
- Standardised returns have fat tails: at three standard deviations and more a normal kernel is wrong by orders of
  magnitude, which is where a dated favourite lives. The kernel is a scale mixture of two normals.

Parameters come from other recordings than those a backtest is run on (QUANT 3.2, 4.1; seconds and annual units):

- `RELAX_S`: regression of future on trailing variance, Binance BTC 15-minute returns 2024-05 to 2025-08 (44,241):
  slope .72 over the next 15 minutes, .55 over 2 h, .47 over 6 h, .33 over 24 h. One theta cannot meet all of these;
  8 h meets the decay between the shortest and the longest horizon (r/tau at 24 h is .32).
- `KERNEL`: maximum likelihood of a two-scale mixture on returns over trailing vol gives weight and variance ratio
  .11, 7.6 on that file and .21, 7.0 on Hyperliquid's hourly candles (2025-05 to 2025-08). The shape hardly depends
  on the horizon, so it is one constant shape, .15 and 7, scaled to variance 1 (kurtosis 7). A jump of fixed absolute
  size fits both files worse, and in quiet hours far worse.

Each component is centred so that its mean is the spot: the mixture is a martingale and W its variance.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hlomm.pricing import normal
from hlomm.pricing.digital import YEAR_S, Comparator, log_moneyness

RELAX_S: Final = 8 * 3600.0
"""Time in which the surplus of realised over long-run variance falls to 1/e."""

_WIDE_WEIGHT: Final = 0.15
_WIDE_RATIO: Final = 7.0
_NARROW: Final = 1.0 / (1.0 + _WIDE_WEIGHT * (_WIDE_RATIO - 1.0))
KERNEL: Final = ((1.0 - _WIDE_WEIGHT, math.sqrt(_NARROW)), (_WIDE_WEIGHT, math.sqrt(_NARROW * _WIDE_RATIO)))
"""(weight, standard deviation): variance 1 together."""
NORMAL: Final = ((1.0, 1.0),)
"""The Black-Scholes kernel."""

_TAIL: Final = 1e-290
"""Below this probability the quantile is taken from the widest component's asymptotics instead of a subnormal."""
_Z_MAX: Final = 1e6
"""|z| and its slopes beyond this say the same as this."""
_PRICE_MIN, _PRICE_MAX = 1e-30, 1e30
_V_MIN, _V_MAX = 1e-12, 1e3
"""Outside these a price or a standard deviation is taken for the nearest one inside (below the least: for 0)."""


class Odds(msgspec.Struct, frozen=True, gc=False):
    """P(YES) with its complement and what moves it; z = PhiInv(p_yes), infinite once the outcome is certain."""

    p_yes: float
    p_no: float
    z: float
    z_per_log_v: float
    """dz/d ln v: negative for a favourite; 0 when certain."""
    z_per_log_s: float
    """dz/d ln S, >= 0; 0 when certain."""
    delta: float
    """dP(YES)/dS; 0 when certain."""
    gamma: float
    """d2P(YES)/dS2; 0 when certain."""


def variance(sigma: float, tau_s: float, *, long_run: float, relax_s: float = RELAX_S) -> float:
    """Expected log-variance from now to expiry; sigma and long_run per sqrt(year), 0 at or past expiry."""
    if not tau_s > 0.0:
        return 0.0
    relaxed = -relax_s * math.expm1(-tau_s / relax_s)
    return (sigma * sigma * relaxed + long_run * long_run * max(tau_s - relaxed, 0.0)) / YEAR_S


def odds(
    spot: float,
    strike: float,
    v: float,
    *,
    comparator: Comparator = Comparator.AT_LEAST,
    kernel: tuple[tuple[float, float], ...] = KERNEL,
) -> Odds:
    """P(S_T >= K) = sum w_i Phi(d_i), d_i = ln(S/K)/(c_i v) - c_i v/2, for total standard deviation v of ln S_T.

    v = 0 compares the spot with the strike by the venue's comparator; a strike at or below 0 is a certain YES and a
    spot at or below 0 settles below any positive strike. Nothing that comes out is NaN for finite arguments.
    """
    if strike < _PRICE_MIN:
        return _CERTAIN_YES
    if spot < _PRICE_MIN:
        return _CERTAIN_NO
    if spot > _PRICE_MAX or strike > _PRICE_MAX or v > _V_MAX:
        spot, strike, v = min(spot, _PRICE_MAX), min(strike, _PRICE_MAX), min(v, _V_MAX)
    if not v >= _V_MIN:
        yes = spot >= strike if comparator is Comparator.AT_LEAST else spot > strike
        return _CERTAIN_YES if yes else _CERTAIN_NO
    moneyness = log_moneyness(spot, strike)
    terms = []
    p_yes = p_no = 0.0
    for w, c in kernel:
        s = c * v
        d = _bounded(moneyness / s - 0.5 * s)
        terms.append((w, s, d))
        p_yes += w * normal.cdf(d)
        p_no += w * normal.tail(d)
    z = _quantile(p_yes, p_no, terms)
    log_v = log_s = delta = gamma = 0.0
    for w, s, d in terms:
        # phi(d)/phi(z): neither density alone survives the tails, their ratio does.
        share = w * math.exp(min(0.5 * (z - d) * (z + d), 700.0))
        log_v -= share * (d + s)
        log_s += share / s
        density = w * normal.pdf(d) / (spot * s)
        delta += density
        gamma -= density * (d + s) / (spot * s)
    return Odds(p_yes, p_no, z, _bounded(log_v), _bounded(log_s), delta, gamma)


def between(
    spot: float,
    floor: float | None,
    ceiling: float | None,
    v: float,
    *,
    kernel: tuple[tuple[float, float], ...] = KERNEL,
) -> Odds:
    """P(floor <= S_T < ceiling), None for an open end: a price bucket (QUANT 4.4, half-open).

    A bucket is the difference of two digitals; on whichever side of the spot it lies, the difference is taken of the
    smaller tails. Its z has a well in ln v (a far bucket gains by vol, the one around the spot loses), so slopes may
    have either sign.
    """
    low = _CERTAIN_YES if floor is None else odds(spot, floor, v, kernel=kernel)
    high = _CERTAIN_NO if ceiling is None else odds(spot, ceiling, v, kernel=kernel)
    if ceiling is None:
        return low
    p_no = low.p_no + high.p_yes
    p_yes = max(low.p_yes - high.p_yes if low.p_yes < low.p_no else high.p_no - low.p_no, 0.0)
    delta, gamma = low.delta - high.delta, low.gamma - high.gamma
    if not (p_yes > 0.0 and p_no > 0.0):
        return Odds(p_yes, min(p_no, 1.0), math.inf if p_yes > 0.0 else -math.inf, 0.0, 0.0, delta, gamma)
    z = normal.inv_cdf(p_yes) if p_yes < 0.5 else -normal.inv_cdf(p_no)
    density = normal.pdf(z)
    if not density > 0.0:
        return Odds(p_yes, p_no, z, 0.0, 0.0, delta, gamma)
    log_v = (_slope(low, low.z_per_log_v) - _slope(high, high.z_per_log_v)) / density
    return Odds(p_yes, p_no, z, _bounded(log_v), _bounded(spot * delta / density), delta, gamma)


def _slope(side: Odds, z_slope: float) -> float:
    """A slope of z as one of p."""
    return 0.0 if math.isinf(side.z) else normal.pdf(side.z) * z_slope


def _quantile(p_yes: float, p_no: float, terms: list[tuple[float, float, float]]) -> float:
    if p_yes < _TAIL or p_no < _TAIL:
        # Mills: Phi(d) ~ phi(d)/|d|, so a weight w moves the quantile by ln(1/w)/|d|.
        w, _, d = terms[-1]
        return d - math.log(w) / d
    return normal.inv_cdf(p_yes) if p_yes < p_no else -normal.inv_cdf(p_no)


def _bounded(x: float) -> float:
    return x if -_Z_MAX <= x <= _Z_MAX else min(max(x, -_Z_MAX), _Z_MAX)


_CERTAIN_YES: Final = Odds(1.0, 0.0, math.inf, 0.0, 0.0, 0.0, 0.0)
_CERTAIN_NO: Final = Odds(0.0, 1.0, -math.inf, 0.0, 0.0, 0.0, 0.0)
