"""What the best of many sets is worth, after so many trials.

Results become a table of observations by sets: the blocks of all recordings, in the order in which they settled; from
`EVENTS_MIN` recordings on one observation per recording, because blocks of one event are not independent. A winner has
the highest Sharpe ratio per observation. It is promoted only when every rule of `Rules` holds (QUANT 8.5): otherwise it
is what the luckiest of many sets looks like.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import numpy as np
import polars as pl
from numpy.typing import NDArray

from hlomm.domain.faults import DataDefect
from hlomm.pricing.overfitting import pbo
from hlomm.pricing.trials import Deflated, Moments, dsr, min_trl, moments, psr

EVENTS_MIN: Final = 30
PARTS_MOST: Final = 12
PARTS_LEAST: Final = 8
"""Fewer halves than C(8, 4) = 70 cannot tell 5 % from nothing."""


@attrs.frozen(kw_only=True)
class Rules:
    """A winner is promoted when all of them hold."""

    min_dsr: float = 0.95
    max_pbo: float = 0.05
    min_t: float = 3.0
    least: int = 30
    """Observations and fills."""
    confidence: float = 0.95
    """Of the minimum track record."""


@attrs.frozen(kw_only=True)
class Table:
    """Observations [T][N] of the sets that have a result over every recording."""

    points: tuple[int, ...]
    """Number of each column's set."""
    returns: NDArray[np.float64]
    recordings: tuple[int, ...]
    """Recording of each row."""
    by_event: bool
    fills: Mapping[int, tuple[int, ...]] | None
    """Of each column, by recording; None for a part of one, of which results say no fills of its own."""
    pnl: tuple[float, ...]
    failed: int
    """Sets without a result."""

    @property
    def trials(self) -> int:
        return len(self.points) + self.failed

    def rows(self, chosen: Sequence[int]) -> Table:
        """The same sets over some of the observations, with what they filled in these and in no others."""
        recordings = tuple(self.recordings[at] for at in chosen)
        kept, fills = Counter(recordings), None
        if self.fills is not None and kept.items() <= Counter(self.recordings).items():
            fills = {recording: self.fills[recording] for recording in kept}
        return attrs.evolve(self, returns=self.returns[list(chosen)], recordings=recordings, fills=fills)

    def filled(self, column: int) -> int | None:
        """How often a set was filled in all of it; None where nobody knows."""
        return None if self.fills is None else sum(each[column] for each in self.fills.values())


@attrs.frozen(kw_only=True)
class Verdict:
    """On one set out of a table. Numbers are None where there is no spread, or too little to tell."""

    point: int
    observations: int
    pnl: float
    moments: Moments | None
    psr: float | None
    deflated: Deflated | None
    min_trl: float | None
    trials: int
    var_sr: float
    pbo: float | None
    pbo_choices: int
    reasons: tuple[str, ...]
    """Why it is not promoted; empty if it is."""

    @property
    def promoted(self) -> bool:
        return not self.reasons


def table(results: pl.DataFrame, order: Sequence[int]) -> Table:
    """`order`: recordings in the order in which they settled. DataDefect where sets have blocks of their own."""
    whole = results.filter(pl.col("error").is_null())
    complete = whole.group_by("point").len().filter(pl.col("len") == len(order))["point"].sort()
    failed = results["point"].n_unique() - len(complete)
    if complete.is_empty():
        return Table(
            points=(), returns=np.zeros((0, 0)), recordings=(), by_event=False, fills={}, pnl=(), failed=failed
        )
    kept = whole.filter(pl.col("point").is_in(complete.implode()))
    by_event = len(order) >= EVENTS_MIN
    pieces, recordings = [], []
    fills: dict[int, tuple[int, ...]] = {}
    for recording in order:
        rows = kept.filter(pl.col("recording") == recording).sort("point")
        lengths = rows["returns"].list.len().unique().to_list()
        if len(lengths) > 1:
            raise DataDefect(f"sets over recording {recording} have {min(lengths)} to {max(lengths)} blocks")
        if by_event:
            piece = rows["pnl"].to_numpy()[None, :]
        else:
            piece = np.array(rows["returns"].to_list(), dtype=np.float64).reshape(len(rows), -1).T
        pieces.append(piece)
        fills[recording] = tuple(rows["fills"].to_list())
        recordings += [recording] * len(piece)
    sums = kept.group_by("point").agg(pl.col("pnl").sum()).sort("point")
    return Table(
        points=tuple(complete.to_list()), returns=np.concatenate(pieces), recordings=tuple(recordings),
        by_event=by_event, fills=fills, pnl=tuple(sums["pnl"].to_list()), failed=failed,
    )  # fmt: skip


def sharpes(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each column, per observation; 0 without a spread, as of a set that never traded."""
    count = len(returns)
    if count < 2:
        return np.zeros(returns.shape[1])
    mean = returns.mean(axis=0)
    std = returns.std(axis=0, ddof=1)
    flat = std <= 1e-12 * np.abs(mean)
    made: NDArray[np.float64] = np.where(flat, 0.0, mean / np.where(flat, 1.0, std))
    return made


@attrs.frozen(kw_only=True)
class Judge:
    """Of one table: the ratios of all its sets, and how far choosing among them can be trusted."""

    table: Table
    rules: Rules
    trials: int
    """All that were ever made, earlier ones and failed ones too."""
    sharpes: NDArray[np.float64]
    var_sr: float
    """Of the ratio across sets; see `_variance`."""
    logits: tuple[float, ...]

    @classmethod
    def of(cls, whole: Table, rules: Rules, earlier: int = 0) -> Judge:
        returns, found, trials = whole.returns, sharpes(whole.returns), whole.trials + earlier
        distinct = _distinct(returns)
        others = trials - int(np.count_nonzero(found))
        return cls(
            table=whole, rules=rules, trials=trials, sharpes=found, logits=_logits(returns[:, distinct]),
            var_sr=_variance(found[distinct], others, len(returns)),
        )  # fmt: skip

    @property
    def pbo(self) -> float | None:
        return sum(each <= 0.0 for each in self.logits) / len(self.logits) if self.logits else None

    def ranked(self) -> list[int]:
        """Columns, best first; of equals the one with the lower number."""
        return [int(at) for at in np.argsort(-self.sharpes, kind="stable")]

    def verdict(self, column: int) -> Verdict:
        series = self.table.returns[:, column].tolist()
        found = moments(series)
        shape = None if found is None else (found.sharpe, found.n, found.skew, found.kurtosis)
        made = None if shape is None else dsr(*shape, self.var_sr, self.trials)
        needed = None if found is None else min_trl(found.sharpe, found.skew, found.kurtosis,
                                                    confidence=self.rules.confidence)  # fmt: skip
        return Verdict(
            point=self.table.points[column], observations=len(series), pnl=math.fsum(series), moments=found,
            psr=None if shape is None else psr(*shape)[1], deflated=made, min_trl=needed, trials=self.trials,
            var_sr=self.var_sr, pbo=self.pbo, pbo_choices=len(self.logits),
            reasons=tuple(self._reasons(found, made, needed, self.table.filled(column))),
        )  # fmt: skip

    def _reasons(
        self, found: Moments | None, made: Deflated | None, needed: float | None, fills: int | None
    ) -> list[str]:  # fmt: skip
        rules = self.rules
        if found is None or made is None or needed is None:
            return ["its result never changes, so there is no ratio"]
        said = []
        if made.dsr < rules.min_dsr:
            said.append(f"deflated Sharpe {made.dsr:.3f} is below {rules.min_dsr:g}")
        if self.pbo is None:
            said.append(f"too little to tell overfitting ({found.n} observations of {len(self.table.points)} sets)")
        elif self.pbo > rules.max_pbo:
            said.append(f"probability of overfitting {self.pbo:.3f} is above {rules.max_pbo:g}")
        if found.t_stat < rules.min_t:
            said.append(f"t {found.t_stat:.2f} is below {rules.min_t:g}")
        if found.n < max(rules.least, needed):
            enough = "a ratio above 0" if math.isinf(needed) else str(max(rules.least, math.ceil(needed)))
            said.append(f"{found.n} observations, needs {enough}")
        if fills is None:
            said.append("how often it was filled in a part of a recording is not on record")
        elif fills < rules.least:
            said.append(f"{fills} fills, needs {rules.least}")
        return said


def _distinct(returns: NDArray[np.float64]) -> list[int]:
    """Columns of different results, of equal ones the first.

    Sets with one and the same result are one set to whoever asks what a choice among them is worth.
    """
    return sorted({returns[:, at].tobytes(): at for at in reversed(range(returns.shape[1]))}.values())


def _variance(ratios: NDArray[np.float64], others: int, observations: int) -> float:
    """Of ratios, sets that never traded apart: any number of these would make luck seem not to reach far.

    Of a single one, beside `others` that have none, there is no telling: then it is what chance alone makes of a ratio
    of so many observations.
    """
    found = ratios[ratios != 0.0]
    if len(found) > 1:
        return float(found.var(ddof=1))
    return 1.0 / (observations - 1) if len(found) and others else 0.0


def _logits(returns: NDArray[np.float64]) -> tuple[float, ...]:
    """Empty where there is too little to halve."""
    parts = min(PARTS_MOST, len(returns) // 2)
    parts -= parts % 2
    if parts < PARTS_LEAST or returns.shape[1] < 2:
        return ()
    return pbo(returns, parts).logits
