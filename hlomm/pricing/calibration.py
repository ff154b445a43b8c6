"""How good forecasts of P(YES) were: the Brier score and what it is made of (QUANT 10).

    Brier = reliability - resolution + uncertainty + within-bin variance - within-bin covariance

exactly, whatever the bins; without the last two it holds only where forecasts are constant within a bin. Forecasts in
[0, 1], outcomes likewise (a settlement at a fraction is one). Snapshots of one event are not independent: say how many
events there were beside how many forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import attrs

CLIP: Final = 1e-6
"""Forecasts are kept that far from certainty in the log loss."""


@attrs.frozen(kw_only=True)
class Bin:
    count: int
    mean_p: float
    freq: float
    """Mean outcome."""


@attrs.frozen(kw_only=True)
class Calibration:
    n: int
    brier: float
    log_loss: float
    base_rate: float
    uncertainty: float
    """Mean squared distance of outcomes from their mean: the score of always saying the base rate."""
    reliability: float
    """Distance of forecasts from what followed them; 0 is perfect."""
    resolution: float
    """How far bins tell outcomes apart; more is better."""
    within_bin_var: float
    within_bin_cov: float
    ece: float
    """Mean distance of a bin's forecasts from its outcomes."""
    skill: float | None
    """1 - Brier/uncertainty; None where every outcome was the same."""
    bins: tuple[Bin | None, ...]


def calibration(p: Sequence[float], o: Sequence[float], bins: int) -> Calibration | None:
    """Of forecasts p with outcomes o in so many bins of equal width, the last one closed; None without any."""
    n = len(p)
    assert n == len(o)
    assert bins > 0
    if not n:
        return None
    inside: list[list[int]] = [[] for _ in range(bins)]
    for at, forecast in enumerate(p):
        inside[min(int(forecast * bins), bins - 1)].append(at)
    base = math.fsum(o) / n
    spread = math.fsum((each - base) ** 2 for each in o) / n
    brier = math.fsum((said - came) ** 2 for said, came in zip(p, o, strict=True)) / n
    reliability, resolution, variance, covariance, error = 0.0, 0.0, 0.0, 0.0, 0.0
    rows: list[Bin | None] = []
    for members in inside:
        if not members:
            rows.append(None)
            continue
        count = len(members)
        mean, freq = math.fsum(p[at] for at in members) / count, math.fsum(o[at] for at in members) / count
        rows.append(Bin(count=count, mean_p=mean, freq=freq))
        reliability += count * (mean - freq) ** 2 / n
        resolution += count * (freq - base) ** 2 / n
        variance += math.fsum((p[at] - mean) ** 2 for at in members) / n
        covariance += 2.0 * math.fsum((p[at] - mean) * (o[at] - freq) for at in members) / n
        error += count * abs(mean - freq) / n
    return Calibration(
        n=n, brier=brier, log_loss=math.fsum(map(_loss, p, o)) / n, base_rate=base, uncertainty=spread,
        reliability=reliability, resolution=resolution, within_bin_var=variance, within_bin_cov=covariance, ece=error,
        skill=1.0 - brier / spread if spread > 0.0 else None, bins=tuple(rows),
    )  # fmt: skip


def _loss(said: float, came: float) -> float:
    kept = min(max(said, CLIP), 1.0 - CLIP)
    return -(came * math.log(kept) + (1.0 - came) * math.log1p(-kept))
