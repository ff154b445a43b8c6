"""Intervals by block bootstrap: what happens within a minute hangs together, minutes much less.

Blocks are minutes of a market, drawn with replacement; a statistic is a function of sums over blocks, so that a draw is
a matrix product and nothing is estimated anew from single events. Percentile intervals at 95 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from hlomm.domain.times import NS_PER_S
from hlomm.research.calibrate.series import Floats, Ints

BLOCK_NS: Final = 60 * NS_PER_S
BLOCKS_MIN: Final = 10
"""Fewer minutes say nothing about how minutes differ."""
DRAWS: Final = 800
COVERED: Final = (2.5, 97.5)
_SEED: Final = 20_261_121
"""The same data give the same interval."""


def block_of(ns: Ints, origin_ns: int) -> Ints:
    return (ns - origin_ns) // BLOCK_NS


def interval(sums: Floats, statistic: Callable[[Floats], Floats]) -> tuple[tuple[float, float] | None, ...]:
    """95 % intervals of every component.

    `sums` is (blocks, sums); `statistic` maps (draws, sums) to (draws, components), nan where it cannot be told. None
    where fewer than `BLOCKS_MIN` blocks, or more than one draw in twenty, could not tell.
    """
    components = int(statistic(sums.sum(axis=0, keepdims=True)).shape[1])
    if len(sums) < BLOCKS_MIN:
        return (None,) * components
    rng = np.random.default_rng(_SEED)
    weights = rng.multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), size=DRAWS).astype(np.float64)
    found = statistic(weights @ sums)
    return tuple(_covered(found[:, index]) for index in range(components))


def _covered(values: Floats) -> tuple[float, float] | None:
    told = values[np.isfinite(values)]
    if len(told) < 0.95 * len(values):
        return None
    low, high = np.percentile(told, COVERED)
    return float(low), float(high)
