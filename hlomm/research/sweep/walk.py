"""Walk-forward: the winner of every stretch of time, on the stretch that follows it.

A stretch is counted in settlement days; where everything settled on one day, in recordings; and within one recording
in blocks, which are neither independent of each other (positions carry over) nor another market.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import attrs

from hlomm.domain.faults import UsageError
from hlomm.pricing.trials import Moments, moments, psr
from hlomm.research.sweep.judge import Judge, Rules, Table, Verdict


class Unit(StrEnum):
    DAY = "settlement days"
    RECORDING = "recordings, all of one settlement day"
    BLOCK = "blocks of time within one recording: positions carry over, and it is one market"


@attrs.frozen(kw_only=True)
class Window:
    train: tuple[str, str]
    """Names of its first and last unit."""
    test: tuple[str, str]
    winner: Verdict
    returns: tuple[float, ...]
    """Of the winner, over the test."""

    @property
    def pnl(self) -> float:
        return math.fsum(self.returns)


@attrs.frozen(kw_only=True)
class Walk:
    unit: Unit
    train: int
    test: int
    windows: tuple[Window, ...]
    moments: Moments | None
    """Of all tests, one after the other."""
    psr: float | None

    @property
    def returns(self) -> tuple[float, ...]:
        return tuple(each for window in self.windows for each in window.returns)


def walk(
    whole: Table, days: Sequence[str], train: int, test: int, rules: Rules, earlier: int = 0
) -> Walk:  # fmt: skip
    """`days`: settlement day by number of recording. UsageError where there is no room for one train and one test."""
    unit, names, rows = _units(whole, days)
    if len(names) < train + test:
        raise UsageError(f"--train {train} --test {test} need {train + test} {unit}; there are {len(names)}")
    windows = []
    for begin in range(0, len(names) - train - test + 1, test):
        middle, end = begin + train, begin + train + test
        inside = [at for each in rows[begin:middle] for at in each]
        after = [at for each in rows[middle:end] for at in each]
        judge = Judge.of(whole.rows(inside), rules, earlier)
        best = judge.ranked()[0]
        windows.append(
            Window(
                train=(names[begin], names[middle - 1]), test=(names[middle], names[end - 1]),
                winner=judge.verdict(best), returns=tuple(whole.returns[after, best].tolist()),
            )
        )  # fmt: skip
    found = moments([each for window in windows for each in window.returns])
    return Walk(
        unit=unit, train=train, test=test, windows=tuple(windows), moments=found,
        psr=None if found is None else psr(found.sharpe, found.n, found.skew, found.kurtosis)[1],
    )  # fmt: skip


def _units(whole: Table, days: Sequence[str]) -> tuple[Unit, list[str], list[list[int]]]:
    """What is counted, the name of each, and its rows of the table."""
    held: dict[str, list[int]] = {}
    several = dict.fromkeys(whole.recordings)
    if len({days[recording] for recording in several}) > 1:
        unit = Unit.DAY
        for at, recording in enumerate(whole.recordings):
            held.setdefault(days[recording], []).append(at)
    elif len(several) > 1:
        unit = Unit.RECORDING
        for at, recording in enumerate(whole.recordings):
            held.setdefault(str(recording), []).append(at)
    else:
        unit = Unit.BLOCK
        held = {str(at): [at] for at in range(len(whole.recordings))}
    return unit, list(held), list(held.values())
