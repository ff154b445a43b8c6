"""How much a Sharpe ratio found by trying is worth (QUANT 8.4; Bailey & Lopez de Prado 2012, 2014; Lo 2002).

Ratios are per observation, never annualised, unless a name says so; kurtosis is not in excess (a normal has 3). The
formulas take observations as independent; `lo_factor` is what to multiply by where neighbours are correlated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.pricing.normal import cdf, inv_cdf

EULER: Final = 0.577215664901532860606512
"""Mean of a standard Gumbel: where the largest of many normals is to be expected."""


@attrs.frozen(kw_only=True)
class Moments:
    """Of a series of results. `std_sample` divides by n - 1, skew and kurtosis are those of the population."""

    n: int
    mean: float
    std_sample: float
    sharpe: float
    skew: float
    kurtosis: float
    t_stat: float


@attrs.frozen(kw_only=True)
class Deflated:
    sr0: float
    """What the best of so many trials without any skill is expected to show."""
    z: float
    dsr: float
    """Probability that the ratio is above `sr0`."""


def moments(r: Sequence[float]) -> Moments | None:
    """None for fewer than two results, and for results that are all the same: a ratio needs a spread."""
    n = len(r)
    if n < 2:
        return None
    mean = math.fsum(r) / n
    off = [each - mean for each in r]
    second = math.fsum(each * each for each in off) / n
    if second <= (1e-12 * mean) ** 2:  # what summing leaves of equal numbers
        return None
    std = math.sqrt(second * n / (n - 1))
    sharpe = mean / std
    return Moments(
        n=n, mean=mean, std_sample=std, sharpe=sharpe, skew=math.fsum(each**3 for each in off) / n / second**1.5,
        kurtosis=math.fsum(each**4 for each in off) / n / second**2, t_stat=sharpe * math.sqrt(n),
    )  # fmt: skip


def psr(sr: float, n: int, skew: float, kurtosis: float, sr_star: float = 0.0) -> tuple[float, float]:
    """(z, probability that the true ratio is above `sr_star`), after n observations."""
    z = (sr - sr_star) * math.sqrt(n - 1) / math.sqrt(_spread(sr, skew, kurtosis))
    return z, cdf(z)


def min_trl(sr: float, skew: float, kurtosis: float, sr_star: float = 0.0, confidence: float = 0.95) -> float:
    """Observations until the ratio is above `sr_star` with that confidence; infinite for one that is not above it."""
    if sr <= sr_star:
        return math.inf
    return 1.0 + _spread(sr, skew, kurtosis) * (inv_cdf(confidence) / (sr - sr_star)) ** 2


def exp_max_sr(var_sr: float, n_trials: int) -> float:
    """Expected largest of n independent ratios without skill. `var_sr`: variance of the ratio across trials."""
    if n_trials < 2:
        return 0.0
    first, second = inv_cdf(1.0 - 1.0 / n_trials), inv_cdf(1.0 - 1.0 / (n_trials * math.e))
    return math.sqrt(var_sr) * ((1.0 - EULER) * first + EULER * second)


def dsr(sr: float, n: int, skew: float, kurtosis: float, var_sr: float, n_trials: int) -> Deflated:
    """The ratio of the best of `n_trials`, deflated by what luck alone would have shown."""
    sr0 = exp_max_sr(var_sr, n_trials)
    z, probability = psr(sr, n, skew, kurtosis, sr0)
    return Deflated(sr0=sr0, z=z, dsr=probability)


def lo_factor(rho: Sequence[float], q: int) -> float:
    """What a ratio grows by over q observations with autocorrelations `rho` (lag 1 first, 0 beyond); sqrt q without.

    Infinite where they say that q observations together have no spread at all.
    """
    spread = q + 2.0 * math.fsum((q - lag) * each for lag, each in enumerate(rho[: q - 1], start=1))
    return q / math.sqrt(spread) if spread > 0.0 else math.inf


def autocorrelations(r: Sequence[float], lags: int) -> tuple[float, ...]:
    """Of lags 1 to `lags`; empty for results without a spread."""
    n = len(r)
    mean = math.fsum(r) / max(n, 1)
    off = [each - mean for each in r]
    whole = math.fsum(each * each for each in off)
    if n < 2 or whole <= n * (1e-12 * mean) ** 2:
        return ()
    return tuple(
        math.fsum(a * b for a, b in zip(off[lag:], off, strict=False)) / whole for lag in range(1, min(lags, n - 1) + 1)
    )


def min_n(sr: float, t_target: float) -> int:
    """Observations at which a ratio reaches a t statistic."""
    return math.ceil((t_target / sr) ** 2)


def _spread(sr: float, skew: float, kurtosis: float) -> float:
    """Variance of an estimated ratio, times n - 1. Never negative: kurtosis >= 1 + skew^2."""
    return max(1.0 - skew * sr + (kurtosis - 1.0) / 4.0 * sr * sr, 1e-300)
