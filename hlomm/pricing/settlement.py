"""Digitals on what venues really settle: an average, an interpolated mark, a change over a window.

Units as in `hlomm.pricing.digital`: years of 365 days, sigma per sqrt(year), zero drift.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from hlomm.pricing import normal
from hlomm.pricing.digital import Comparator, log_moneyness


@attrs.frozen
class AveragePrice:
    """Digital on the mean of n prints, some of which may be known."""

    k_eff: float | None
    """Strike the mean of the missing prints must reach; None when none is missing."""
    var_eff: float | None
    """Log-variance of that mean by lognormal moment match; None when the outcome is certain."""
    var_eff_linear: float | None
    """First-order value sigma^2 mean(min(t_i, t_j)), for comparison."""
    d: float
    p_yes: float
    p_no: float


def average_price(
    spot: float,
    strike: float,
    sigma: float,
    offsets: Sequence[float],
    *,
    known_sum: float,
    n_total: int,
    comparator: Comparator = Comparator.AT_LEAST,
) -> AveragePrice:
    """P(mean of n prints reaches the strike); `offsets` are the years to each print still missing.

    K_eff = (n K - known_sum)/(n - m) with m prints known, v^2 = ln(mean_ij exp(sigma^2 min(t_i, t_j))),
    d = (ln(S/K_eff) - v^2/2)/v. K_eff <= 0 is a certain YES. The double mean needs one pass over the sorted times:
    the i-th smallest is the minimum of 2(n - i) + 1 ordered pairs.
    """
    missing = len(offsets)
    assert 0 <= missing <= n_total
    assert n_total > 0
    short = n_total * strike - known_sum
    if missing == 0:
        return _certain(None, _reaches(-short, 0.0, comparator))
    k_eff = short / missing
    if k_eff <= 0.0:
        return _certain(k_eff, yes=True)
    moment, linear = 0.0, 0.0
    for rank, offset in enumerate(sorted(offsets)):
        pairs = 2 * (missing - rank) - 1
        moment += pairs * math.expm1(sigma * sigma * offset)
        linear += pairs * offset
    var = math.log1p(moment / missing**2)
    if var <= 0.0:
        return _certain(k_eff, _reaches(spot, k_eff, comparator))
    v = math.sqrt(var)
    d = log_moneyness(spot, k_eff) / v - 0.5 * v
    return AveragePrice(k_eff, var, sigma * sigma * linear / missing**2, d, normal.cdf(d), normal.tail(d))


def average_tau(tau: float, window: float, n: int) -> float:
    """Time that gives a point digital the variance of a mean of n equally spaced prints ending at tau.

    The prints lie at tau - window + window i/n, i = 1..n, all ahead: tau - w + w (n+1)(2n+1)/(6 n^2).
    """
    return tau - window + window * (n + 1) * (2 * n + 1) / (6 * n * n)


def forward_start(sigma: float, window: float, averaging: float = 0.0) -> float:
    """P(value at the end >= value at the start) before the window opens: Phi(-v/2).

    v^2 = sigma^2 (window - averaging/3) when both ends are averages over `averaging` years, else sigma^2 window.
    """
    return normal.cdf(-0.5 * sigma * math.sqrt(max(window - averaging / 3.0, 0.0)))


def interpolated_variance(sigma: float, tau: float, gap: float, a: float) -> float:
    """Log-variance of (1-a) S(tau - a gap) + a S(tau + (1-a) gap): sigma^2 [(tau - a gap) + a^2 gap].

    The settlement value of Hyperliquid outcomes: the mark interpolated between the two updates around expiry, `gap`
    apart, expiry being the fraction `a` of the way. The result is unknown until the later update.
    """
    return sigma * sigma * ((tau - a * gap) + a * a * gap)


def _reaches(value: float, level: float, comparator: Comparator) -> bool:
    return value >= level if comparator is Comparator.AT_LEAST else value > level


def _certain(k_eff: float | None, yes: bool) -> AveragePrice:  # noqa: FBT001 - private, one meaning
    d = math.inf if yes else -math.inf
    return AveragePrice(k_eff, None, None, d, 1.0 if yes else 0.0, 0.0 if yes else 1.0)
