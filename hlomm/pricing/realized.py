"""Realised-variance estimators over a finished sample: jump-robust, noise-robust, and from bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import attrs

from hlomm.pricing.volatility import Space, coordinate

ATR_PER_SIGMA: Final = math.sqrt(8.0 / math.pi)
"""Mean range of a driftless diffusion in units of its sigma: sigma = ATR/1.596, not ATR."""


@attrs.frozen
class Bipower:
    """Realised variance split into a continuous part and jumps (Barndorff-Nielsen & Shephard 2004)."""

    rv: float
    bv: float
    """(pi/2) sum |r_i||r_(i-1)| n/(n-1): blind to isolated jumps."""
    jump: float
    jump_ratio: float
    """max(rv - bv, 0)/rv; 0 when nothing moved."""
    sigma_rv: float
    sigma_bv: float
    """Per sqrt second."""


@attrs.frozen
class TwoScale:
    """Two-scale realised variance (Zhang, Mykland & Ait-Sahalia 2005). May be negative: floor it before a root."""

    rv_all: float
    rv_avg: float
    """Mean over the K subsampled grids."""
    tsrv: float
    """rv_avg - (nbar/n) rv_all, nbar = (n - K + 1)/K."""
    tsrv_adj: float
    """Divided by 1 - nbar/n: unbiased in small samples."""
    noise_var: float
    """rv_all/(2n): variance of the observation noise."""


@attrs.frozen
class OhlcVariance:
    """Variance per bar; range estimators are biased low when a bar holds few ticks."""

    parkinson: float
    garman_klass: float
    rogers_satchell: float
    """Free of drift."""
    yang_zhang: float
    """Handles gaps between bars; needs the previous close, so it uses n - 1 bars."""
    yz_k: float


def bipower(x: Sequence[float], dt_s: float, space: Space) -> Bipower:
    """From equally spaced observations, at least three."""
    returns = _returns(x, space)
    n = len(returns)
    assert n >= 2
    rv = math.fsum(r * r for r in returns)
    products = math.fsum(abs(a) * abs(b) for a, b in pairwise(returns))
    bv = 0.5 * math.pi * products * n / (n - 1)
    jump = max(rv - bv, 0.0)
    span_s = n * dt_s
    return Bipower(rv, bv, jump, jump / rv if rv > 0.0 else 0.0, math.sqrt(rv / span_s), math.sqrt(bv / span_s))


def two_scale(x: Sequence[float], k: int, space: Space) -> TwoScale:
    """From more than `k` + 1 observations; `k` is the step of the slow grids."""
    values = _coordinates(x, space)
    n = len(values) - 1
    assert 1 < k < n
    rv_all = math.fsum((b - a) ** 2 for a, b in pairwise(values))
    rv_avg = math.fsum((b - a) ** 2 for a, b in zip(values, values[k:], strict=False)) / k
    share = (n - k + 1) / k / n
    tsrv = rv_avg - share * rv_all
    return TwoScale(rv_all, rv_avg, tsrv, tsrv / (1.0 - share), rv_all / (2 * n))


def ohlc(
    opens: Sequence[float], highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]
) -> OhlcVariance:
    """From at least three bars of positive prices."""
    n = len(opens)
    assert n >= 3
    up = [math.log(h / o) for h, o in zip(highs, opens, strict=True)]
    down = [math.log(low / o) for low, o in zip(lows, opens, strict=True)]
    body = [math.log(c / o) for c, o in zip(closes, opens, strict=True)]
    gaps = [math.log(o / c) for o, c in zip(opens[1:], closes, strict=False)]
    rs = [u * (u - c) + d * (d - c) for u, d, c in zip(up, down, body, strict=True)]
    squared_range = [(u - d) ** 2 for u, d in zip(up, down, strict=True)]
    m = n - 1
    yz_k = 0.34 / (1.34 + (m + 1) / (m - 1))
    return OhlcVariance(
        parkinson=math.fsum(squared_range) / (4.0 * math.log(2.0) * n),
        garman_klass=math.fsum(
            0.5 * r - (2.0 * math.log(2.0) - 1.0) * c * c for r, c in zip(squared_range, body, strict=True)
        )
        / n,
        rogers_satchell=math.fsum(rs) / n,
        yang_zhang=_sample_variance(gaps) + yz_k * _sample_variance(body[1:]) + (1.0 - yz_k) * math.fsum(rs[1:]) / m,
        yz_k=yz_k,
    )


def _coordinates(x: Sequence[float], space: Space) -> list[float]:
    values = []
    for item in x:
        value = coordinate(item, space)
        assert value is not None, f"{item} has no {space.name} coordinate"
        values.append(value)
    return values


def _returns(x: Sequence[float], space: Space) -> list[float]:
    values = _coordinates(x, space)
    return [b - a for a, b in pairwise(values)]


def _sample_variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
