"""nu, realised over implied volatility, where it is stationary: in probit space (QUANT 2.1, `pricing.probit_vol`).

y = sqrt(tau) PhiInv(mid) on the grid on which the live estimator samples; nu^2 = sum dy^2 / sum dt over the steps at
whose two ends a book with two sides stood (for at most `STANDS_NS`), with mids inside `INSIDE`: closer to 0 or 1 a tick
moves y by more than the market does. The interval is by block (`blocks`). Beside it stands nu on a grid four times as
wide: a much smaller value there says that the narrow grid measures the bounce of the book.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.pricing.normal import probit
from hlomm.research.calibrate.blocks import BLOCKS_MIN, block_of, interval
from hlomm.research.calibrate.intensity import ANY, STANDS_NS, Cell
from hlomm.research.calibrate.series import Floats, Ints, Series
from hlomm.research.report.quality import p_bucket, tau_bucket

STEPS_MIN: Final = 100
"""Fewer leave nu with a standard error above 7 %, and that of a normal one."""
INSIDE: Final = (0.01, 0.99)
WIDER: Final = 4


@attrs.frozen(kw_only=True)
class FoundNu:
    cell: Cell
    steps: int
    nu: float | None
    interval: tuple[float, float] | None
    wider: float | None
    """On the wider grid."""
    refused: str

    def document(self) -> dict[str, Any]:
        return attrs.asdict(self)


@attrs.frozen(kw_only=True, eq=False)
class Steps:
    """Increments of one market: squares, durations, and where they belong."""

    klass: str
    square: Floats
    dt_s: Floats
    block: Ints
    tau_s: Floats
    p: Floats


def steps_of(series: Series, grid_s: float) -> Steps:
    """Of a market with an end; empty for one without."""
    expiry_ns, grid_ns = series.expiry_ns, seconds_to_ns(grid_s)
    if expiry_ns is None or not len(series.book_ns):
        empty = np.zeros(0)
        return Steps(klass=series.klass, square=empty, dt_s=empty, block=np.zeros(0, dtype=np.int64),
                     tau_s=empty, p=empty)  # fmt: skip
    ns = series.book_ns
    last = min(int(ns[-1]), expiry_ns - grid_ns)
    points = np.arange(-(-int(ns[0]) // grid_ns) * grid_ns, last + 1, grid_ns, dtype=np.int64)
    before = np.searchsorted(ns, points, side="right") - 1
    mid = series.mid[before]
    with np.errstate(invalid="ignore"):
        good = (mid >= INSIDE[0]) & (mid <= INSIDE[1]) & (points - ns[before] <= STANDS_NS)
    tau_s = (expiry_ns - points) / NS_PER_S
    y = np.array(
        [math.sqrt(tau) * probit(p) if fine else math.nan for tau, p, fine in zip(tau_s, mid, good, strict=True)]
    )
    square = np.diff(y) ** 2
    fine = np.isfinite(square)
    return Steps(
        klass=series.klass, square=square[fine], dt_s=np.full(int(fine.sum()), grid_s),
        block=block_of(points[1:][fine], int(ns[0])), tau_s=tau_s[1:][fine], p=mid[1:][fine],
    )  # fmt: skip


def nus(markets: Sequence[Series], grid_s: float) -> list[FoundNu]:
    """Per class: all of it, then every (time left, price) bucket."""
    narrow = [steps_of(one, grid_s) for one in markets]
    wide = [steps_of(one, WIDER * grid_s) for one in markets]
    found: list[FoundNu] = []
    for klass in sorted({one.klass for one in narrow if len(one.square)}):
        cells = {(ANY, ANY)} | {key for one in narrow if one.klass == klass for key in _keys(one)}
        for tau, p in sorted(cells, key=lambda key: (key != (ANY, ANY), key)):
            cell = Cell(klass=klass, tau=tau, p=p)
            found.append(_nu(cell, *(_sums(cell, steps) for steps in (narrow, wide))))
    return found


def _keys(steps: Steps) -> list[tuple[str, str]]:
    return [(tau_bucket(tau), p_bucket(p)) for tau, p in zip(steps.tau_s, steps.p, strict=True)]


def _sums(cell: Cell, markets: Sequence[Steps]) -> tuple[Floats, int]:
    """(sum of squares, sum of durations) by minute, and the number of steps."""
    parts, steps = [], 0
    for one in markets:
        if one.klass != cell.klass:
            continue
        chosen = np.array([cell.tau == ANY or key == (cell.tau, cell.p) for key in _keys(one)], dtype=bool)
        if not chosen.any():
            continue
        names, at = np.unique(one.block[chosen], return_inverse=True)
        parts.append(
            np.stack(
                (np.bincount(at, one.square[chosen], len(names)), np.bincount(at, one.dt_s[chosen], len(names))), 1
            )
        )
        steps += int(chosen.sum())
    return (np.concatenate(parts) if parts else np.zeros((0, 2))), steps


def _nu(cell: Cell, narrow: tuple[Floats, int], wide: tuple[Floats, int]) -> FoundNu:
    sums, steps = narrow
    reason = ""
    if steps < STEPS_MIN:
        reason = f"{steps} steps of the grid, {STEPS_MIN} are needed"
    elif len(sums) < BLOCKS_MIN:
        reason = f"{len(sums)} minutes, {BLOCKS_MIN} are needed for an interval"
    elif not sums[:, 0].any():
        reason = "the mid never moved"
    if reason:
        return FoundNu(cell=cell, steps=steps, nu=None, interval=None, wider=None, refused=reason)
    (covered,) = interval(sums, _statistic)
    return FoundNu(
        cell=cell, steps=steps, nu=_value(sums), interval=covered,
        wider=_value(wide[0]) if wide[1] * WIDER >= STEPS_MIN else None, refused="",
    )  # fmt: skip


def _value(sums: Floats) -> float:
    return float(_statistic(sums.sum(axis=0, keepdims=True))[0, 0])


def _statistic(total: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(total[:, :1] / total[:, 1:])
