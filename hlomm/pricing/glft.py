"""Quotes of Gueant, Lehalle and Fernandez-Tapia (Math. Financ. Econ. 2013) and the intensity they need.

Model of `hlomm.pricing.avellaneda` without its expansion near the horizon. `closed_form` is the asymptotic
approximation used live; `exact_finite` and `exact_limit` solve the model with |q| <= Q lots and are the yardstick.
Units: sigma price/sqrt(time), A fills per that time, k per price, gamma per (price * lot).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from hlomm.pricing.avellaneda import liquidity_half

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SERIES_BELOW: Final = 1e-5
"""x = xi lot/k under which (1 + 1/x) ln(1 + x) comes from its series (error x^4/20)."""
_TAYLOR_TERMS: Final = 20
"""Terms of exp on a matrix of norm <= 1: the remainder is below 1e-19."""


@attrs.frozen
class GlftQuote:
    c1: float
    c2: float
    half: float
    skew: float
    """Shift of the reservation per contract of inventory."""
    delta_bid: float
    delta_ask: float
    """Distances from the fair price; negative means through it."""


@attrs.frozen
class ExactQuotes:
    """Distances by inventory -Q..Q in lots; None where the limit forbids the side."""

    q: tuple[int, ...]
    delta_bid: tuple[float | None, ...]
    delta_ask: tuple[float | None, ...]
    lambda_min: float
    """Smallest eigenvalue of M: the long-run rate is -lambda_min/k."""


@attrs.frozen
class Intensity:
    """Fill rate A e^(-k d) at distance d from mid."""

    a: float
    k: float


def log_power(x: float) -> float:
    """(1 + 1/x) ln(1 + x) for x >= 0; 1 at x = 0, so that xi = 0 gives the factor e."""
    if x < _SERIES_BELOW:
        return 1.0 + x * (0.5 - x * (1.0 / 6.0 - x / 12.0))
    return (1.0 + 1.0 / x) * math.log1p(x)


def coefficients(gamma: float, a: float, k: float, lot: float, xi: float) -> tuple[float, float]:
    """(c1, c2) of Gueant 2017 (arXiv 1605.01862) equations 4.6 and 4.7.

    c1 = ln(1 + xi D/k)/(xi D), c2 = sqrt(gamma/(2 A D k) (1 + xi D/k)^(k/(xi D) + 1)). xi is the aversion to the
    risk of not being filled: gamma for CARA, 0 for a trader neutral to it (c1 = 1/k, the power becomes e).
    """
    return liquidity_half(xi * lot, k), math.sqrt(gamma / (2.0 * a * lot * k) * math.exp(log_power(xi * lot / k)))


def closed_form(
    q: float, gamma: float, sigma: float, a: float, k: float, lot: float = 1.0, xi: float | None = None
) -> GlftQuote:
    """Half-spread c1 + D/2 sigma c2, skew per contract sigma c2; xi None means gamma.

    Linear in q, hence too strong at large |q|: clamp it with `hlomm.pricing.cara`.
    """
    c1, c2 = coefficients(gamma, a, k, lot, gamma if xi is None else xi)
    skew = sigma * c2
    half = c1 + 0.5 * lot * skew
    return GlftQuote(c1, c2, half, skew, half + q * skew, half - q * skew)


def exact_finite(
    gamma: float, sigma: float, a: float, k: float, q_max: int, tau: float, mu: float = 0.0
) -> ExactQuotes:
    """Optimal quotes tau before the horizon (theorem 1): v(tau) = exp(-M tau) 1, |q| <= q_max lots.

    M is tridiagonal with alpha q^2 - k mu q on the diagonal and -eta beside it, alpha = k gamma sigma^2/2,
    eta = A (1 + gamma/k)^-(1 + k/gamma). Its symmetric eigenvectors would subtract contributions of both signs and
    lose v at the edges; shifted by its largest diagonal element, -M has no negative entry, so the exponential is
    formed by scaling and squaring without a single subtraction: every v keeps its relative precision.
    """
    import numpy as np  # noqa: PLC0415 - the live path must not load numpy

    diagonal, eta = _operator(gamma, sigma, a, k, q_max, mu)
    minus_m = np.diag(diagonal.max() - diagonal) + eta * (np.eye(2 * q_max + 1, k=1) + np.eye(2 * q_max + 1, k=-1))
    norm = float(minus_m.sum(axis=1).max()) * tau
    squarings = max(0, math.ceil(math.log2(norm))) if norm > 0.0 else 0
    scaled = minus_m * (tau / 2.0**squarings)
    term = np.eye(2 * q_max + 1)
    exponential = term.copy()
    for order in range(1, _TAYLOR_TERMS + 1):
        term = term @ scaled / order
        exponential += term
    for _ in range(squarings):
        exponential = exponential @ exponential
        exponential /= exponential.max()
    v = exponential.sum(axis=1)
    return _quotes(v[1:] / v[:-1], gamma, k, q_max, _lowest(diagonal, eta))


def exact_limit(gamma: float, sigma: float, a: float, k: float, q_max: int, mu: float = 0.0) -> ExactQuotes:
    """Limit tau -> infinity (theorem 2): v is the eigenvector of the smallest eigenvalue of M.

    Only the eigenvalue comes from the decomposition. The ratios v_(q+1)/v_q follow from the three-term recursion run
    from each edge inwards, where it is stable and all terms are positive; the two halves meet at the heaviest state.
    """
    import numpy as np  # noqa: PLC0415 - the live path must not load numpy

    diagonal, eta = _operator(gamma, sigma, a, k, q_max, mu)
    lowest = _lowest(diagonal, eta)
    n = 2 * q_max + 1
    gap = (diagonal - lowest) / eta
    rising = np.empty(n - 1)  # v[i+1]/v[i], exact left of the peak
    falling = np.empty(n - 1)  # the same ratio, exact right of it
    rising[0] = gap[0]
    for i in range(1, n - 1):
        rising[i] = gap[i] - 1.0 / rising[i - 1]
    falling[-1] = 1.0 / gap[-1]
    for i in range(n - 2, 0, -1):
        falling[i - 1] = 1.0 / (gap[i] - falling[i])
    peak = int(np.argmin(diagonal))
    ratios = np.concatenate((rising[:peak], falling[peak:]))
    return _quotes(ratios, gamma, k, q_max, lowest)


def fit_intensity(distances: Sequence[float], rates: Sequence[float]) -> Intensity:
    """A and k by least squares of ln(rate) on distance; at least two distinct distances, rates > 0.

    A rate is the share of intervals with a print deeper than the distance, divided by the interval. Fit only the
    depths you quote: the curve is concave in practice.
    """
    n = len(distances)
    assert n == len(rates)
    logs = [math.log(rate) for rate in rates]
    mean_d, mean_l = math.fsum(distances) / n, math.fsum(logs) / n
    cross = math.fsum((d - mean_d) * (value - mean_l) for d, value in zip(distances, logs, strict=True))
    slope = cross / math.fsum((d - mean_d) ** 2 for d in distances)
    return Intensity(math.exp(mean_l - slope * mean_d), -slope)


def _operator(
    gamma: float, sigma: float, a: float, k: float, q_max: int, mu: float
) -> tuple[NDArray[np.float64], float]:
    import numpy as np  # noqa: PLC0415 - the live path must not load numpy

    assert q_max >= 1
    q = np.arange(-q_max, q_max + 1, dtype=np.float64)
    return 0.5 * k * gamma * sigma * sigma * q * q - k * mu * q, a * math.exp(-log_power(gamma / k))


def _lowest(diagonal: NDArray[np.float64], eta: float) -> float:
    import numpy as np  # noqa: PLC0415 - the live path must not load numpy

    side = np.full(len(diagonal) - 1, -eta)
    return float(np.linalg.eigvalsh(np.diag(diagonal) + np.diag(side, 1) + np.diag(side, -1))[0])


def _quotes(ratios: NDArray[np.float64], gamma: float, k: float, q_max: int, lambda_min: float) -> ExactQuotes:
    """Distances from v_(q+1)/v_q: the bid at q is liq - ln(ratio_q)/k, the ask at q + 1 is liq + ln(ratio_q)/k."""
    liquidity = liquidity_half(gamma, k)
    shifts = [math.log(ratio) / k for ratio in ratios.tolist()]
    bids: list[float | None] = [liquidity - shift for shift in shifts]
    asks: list[float | None] = [liquidity + shift for shift in shifts]
    return ExactQuotes(tuple(range(-q_max, q_max + 1)), (*bids, None), (None, *asks), lambda_min)
