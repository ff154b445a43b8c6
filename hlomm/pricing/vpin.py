"""Volume-synchronised probability of informed trading (Easley, Lopez de Prado & O'Hara 2012).

Volume is cut into equal buckets V; VPIN = sum |buy - sell|/(n V) over the last n. In thin binaries one large trader
fills many buckets: use it together with a minimum count of prints.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from hlomm.pricing.markout import Aggressor
from hlomm.pricing.normal import cdf

_RESIDUE: Final = 1e-9
"""Share of a bucket below which what is missing or left over is rounding, not volume."""


@attrs.frozen
class Bucket:
    buy: float
    sell: float


@attrs.frozen
class Vpin:
    buckets: tuple[Bucket, ...]
    """Full buckets only."""
    vpin: tuple[float | None, ...]
    """By bucket; None until n buckets are full."""
    sigma: float | None = None
    """Sample sd of the price changes, for the classified form."""


def bulk_classified(changes: Sequence[float], volumes: Sequence[float], bucket: float, n: int) -> Vpin:
    """From bars without trade signs: buy share Phi(dP/sigma) per bar, bars split across buckets."""
    mean = math.fsum(changes) / len(changes)
    sigma = math.sqrt(math.fsum((change - mean) ** 2 for change in changes) / (len(changes) - 1))
    shares = [cdf(change / sigma) if sigma > 0.0 else 0.5 for change in changes]
    return _vpin(zip(shares, volumes, strict=True), bucket, n, sigma)


def signed(trades: Iterable[tuple[Aggressor, float]], bucket: float, n: int) -> Vpin:
    """From prints with the aggressor's side, which every venue here publishes: prefer it."""
    shares = ((1.0 if side is Aggressor.BUY else 0.0, qty) for side, qty in trades)
    return _vpin(shares, bucket, n, None)


def _vpin(flow: Iterable[tuple[float, float]], bucket: float, n: int, sigma: float | None) -> Vpin:
    assert bucket > 0.0
    assert n >= 1
    buckets: list[Bucket] = []
    buy = sell = 0.0
    for share, volume in flow:
        left = volume
        while left > _RESIDUE * bucket:
            part = min(left, bucket - buy - sell)
            buy += part * share
            sell += part * (1.0 - share)
            left -= part
            if bucket - buy - sell <= _RESIDUE * bucket:
                buckets.append(Bucket(buy, sell))
                buy = sell = 0.0
    values: list[float | None] = [
        math.fsum(abs(b.buy - b.sell) for b in buckets[i + 1 - n : i + 1]) / (n * bucket) if i + 1 >= n else None
        for i in range(len(buckets))
    ]
    return Vpin(tuple(buckets), tuple(values), sigma)
