"""Probability of backtest overfitting by combinatorially symmetric cross-validation.

Bailey, Borwein, Lopez de Prado, Zhu 2015; QUANT 8.4.

Time is cut into S parts. For every choice of half of them the best of all strategies there is looked up, and how it
ranks among all in the other half. Where the best in one half is below the middle in the other more often than not,
choosing by backtest is worse than choosing by lot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, islice
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CELLS: Final = 4_000_000
"""Ratios held at once, so that 25,000 strategies fit in memory."""
_DECIMALS: Final = 9
_ROUNDING: Final = 1e-14
"""Share of the mean square that sums of squares leave of a variance that is none."""


@attrs.frozen(kw_only=True)
class Overfitting:
    n_comb: int
    logits: tuple[float, ...]
    """ln(w/(1-w)) of each choice, in the order of `itertools.combinations`; w = rank out of sample/(N+1)."""
    pbo: float
    """Share of logits <= 0."""


def pbo(returns: NDArray[np.float64], parts: int) -> Overfitting:
    """Of results [T][N], one column per strategy, in an even number of parts of (nearly) equal length.

    Ranks count from the worst; those that did equally well, as all do that did not trade in a half, share the mean of
    theirs: the last of them for the chosen one would call a choice good that led to nothing. Without any spread a ratio
    is 0. ValueError for fewer rows than parts, or an odd number of them.
    """
    import numpy as np  # noqa: PLC0415 - the live path does not pay for it

    rows, count = returns.shape
    if parts < 2 or parts % 2 or rows < parts or not count:
        raise ValueError(f"{rows} rows of {count} strategies cannot be halved in {parts} parts")
    centre = returns.mean(axis=0)
    pieces = np.array_split(returns - centre, parts)
    lengths = np.array([len(piece) for piece in pieces], dtype=np.float64)
    first = np.array([piece.sum(axis=0) for piece in pieces])
    second = np.array([(piece * piece).sum(axis=0) for piece in pieces])
    floor = _ROUNDING * (centre * centre + second.sum(axis=0) / rows)
    logits: list[float] = []
    for inside in _choices(parts, max(CELLS // count, 1)):
        within = _ratios(inside, lengths, first, second, centre, floor)
        without = _ratios(1.0 - inside, lengths, first, second, centre, floor)
        best = within.argmax(axis=1)
        chosen = without[np.arange(len(best)), best][:, None]
        below, equal = (without < chosen).sum(axis=1), (without == chosen).sum(axis=1)
        ranks = (below + 0.5 * (equal + 1)).tolist()
        logits += [math.log(rank / (count + 1 - rank)) for rank in ranks]
    return Overfitting(
        n_comb=len(logits), logits=tuple(logits), pbo=sum(each <= 0.0 for each in logits) / len(logits)
    )  # fmt: skip


def _choices(parts: int, at_once: int) -> Iterator[NDArray[np.float64]]:
    """Halves as rows of ones and zeros, so many at a time."""
    import numpy as np  # noqa: PLC0415

    every = combinations(range(parts), parts // 2)
    while some := list(islice(every, at_once)):
        chosen = np.zeros((len(some), parts))
        for row, members in zip(chosen, some, strict=True):
            row[list(members)] = 1.0
        yield chosen


def _ratios(
    chosen: NDArray[np.float64], lengths: NDArray[np.float64], first: NDArray[np.float64],
    second: NDArray[np.float64], centre: NDArray[np.float64], floor: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Mean over spread of every strategy within every choice of parts, from the sums of the parts.

    Rounded: what is equal, as of all that traded once in a half, must not be told apart by the last bits of sums.
    """
    import numpy as np  # noqa: PLC0415

    n = (chosen @ lengths)[:, None]
    off = chosen @ first / n
    variance = chosen @ second / n - off * off
    spread = variance > floor
    made: NDArray[np.float64] = np.where(spread, (off + centre) / np.sqrt(np.where(spread, variance, 1.0)), 0.0)
    return made.round(_DECIMALS)
