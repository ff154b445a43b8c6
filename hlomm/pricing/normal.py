"""Normal distribution and the two link functions, with both tails to full relative precision.

Never write ``1 - cdf(x)``: it is `tail`. A probability is clipped to [1e-12, 1 - 1e-12] only on its way into
`probit` or `logit`; nothing that comes out of this module is clipped.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

P_MIN: Final = 1e-12
P_MAX: Final = 1.0 - 1e-12

_SQRT2: Final = math.sqrt(2.0)
_INV_SQRT_2PI: Final = 1.0 / math.sqrt(2.0 * math.pi)
_HALF_LOG_2PI: Final = 0.5 * math.log(2.0 * math.pi)
_ERFC_LIMIT: Final = -36.0
"""Below this argument erfc loses bits to subnormals: the asymptotic series takes over (error under 1e-13 there)."""

inv_cdf = NormalDist().inv_cdf
"""Quantile of the standard normal for 0 < p < 1 (Wichura AS 241, relative error about 1e-16). ValueError outside."""


def pdf(x: float) -> float:
    """Density phi(x) = exp(-x^2/2)/sqrt(2 pi)."""
    return _INV_SQRT_2PI * math.exp(-0.5 * x * x)


def cdf(x: float) -> float:
    """Phi(x) = erfc(-x/sqrt 2)/2: keeps its digits far into the lower tail, unlike (1 + erf)/2."""
    return 0.5 * math.erfc(-x / _SQRT2)


def tail(x: float) -> float:
    """Upper tail 1 - Phi(x) = Phi(-x), to full relative precision."""
    return 0.5 * math.erfc(x / _SQRT2)


def log_cdf(x: float) -> float:
    """Logarithm of Phi(x) for any x, finite long after Phi itself has underflowed.

    Three branches: ``log1p(-tail)`` above the median, ``log(cdf)`` in the body, and below -36 the asymptotic series
    Phi(x) ~ phi(x)/|x| * (1 - 1/x^2 + 3/x^4 - 15/x^6 + ...) (Abramowitz & Stegun 26.2.12).
    """
    if x > 0.0:
        return math.log1p(-tail(x))
    if x >= _ERFC_LIMIT:
        return math.log(cdf(x))
    u = 1.0 / (x * x)
    series = -u * (1.0 - u * (3.0 - u * (15.0 - u * (105.0 - u * 945.0))))
    return -0.5 * x * x - _HALF_LOG_2PI - math.log(-x) + math.log1p(series)


def log_tail(x: float) -> float:
    """Logarithm of 1 - Phi(x) for any x."""
    return log_cdf(-x)


def clip_probability(p: float) -> float:
    """Probability moved into [1e-12, 1 - 1e-12]; for arguments of a link function, never for results. NaN stays NaN."""
    if p < P_MIN:
        return P_MIN
    return min(p, P_MAX)  # in this order NaN stays NaN


def probit(p: float) -> float:
    """Quantile z = PhiInv(p), p clipped on entry. NaN stays NaN."""
    if p < P_MIN:
        return inv_cdf(P_MIN)
    if p > P_MAX:
        return inv_cdf(P_MAX)
    return inv_cdf(p) if p == p else p  # noqa: PLR0124 - NaN test


def logit(p: float) -> float:
    """Log-odds x = ln(p/(1-p)), p clipped on entry. NaN stays NaN."""
    p = clip_probability(p)
    return math.log(p) - math.log1p(-p)


def expit(x: float) -> tuple[float, float]:
    """(p, 1-p) for p = 1/(1+e^-x); both to full relative precision, branching on the sign of x."""
    small = math.exp(-abs(x))
    lower, upper = small / (1.0 + small), 1.0 / (1.0 + small)
    return (upper, lower) if x >= 0.0 else (lower, upper)


def softplus(x: float) -> float:
    """Log of 1 + e^x without overflow; -softplus(-x) is ln expit(x)."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
