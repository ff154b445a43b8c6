"""How long each stage of a decision takes, always on, with an alarm for a stage that leaves its budget.

Two histograms for each stage: one since the start, for people, and one of the minute that runs, for the alarm.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import trio

from hlomm.daemon.histogram import Histogram
from hlomm.domain.latency_rows import EDGES_US, STAGES, Stage, StageRow
from hlomm.domain.outputs import Alert, AlertLevel
from hlomm.domain.times import NS_PER_S
from hlomm.settings.schema import Settings

MINUTE_S: Final = 60.0
LEAST: Final = 100
"""So many in a minute, or its p99 says nothing. Collections are rarer and each stops everything: one is enough."""
_RARE: Final = frozenset({Stage.COLLECT, Stage.TIDY})
NAP_S: Final = 0.1
"""Between two looks at how late the loop is."""


def budgets(settings: Settings) -> dict[Stage, float]:
    """In microseconds, as configured."""
    of = settings.latency
    return {
        Stage.DECODE: of.decode_us, Stage.DECIDE: of.decide_us, Stage.RECORD: of.record_us, Stage.SEND: of.send_us,
        Stage.TOTAL: of.total_us, Stage.LOOP: of.loop_us, Stage.COLLECT: of.collect_us, Stage.TIDY: of.tidy_us,
    }  # fmt: skip


class _Watch:
    """One stage."""

    __slots__ = ("budget_ns", "late", "recent", "recent_ns", "whole")

    def __init__(self, budget_ns: int) -> None:
        self.budget_ns = budget_ns
        self.whole, self.recent = Histogram(), Histogram()
        self.recent_ns: int | None = None
        self.late = False
        """Out of its budget, and an alert said so."""


class Stages:
    """Times are read from the host's monotonic clock."""

    def __init__(self, budgets_us: Mapping[Stage, float]) -> None:
        self._watches = {stage: _Watch(round(budgets_us[stage] * 1000)) for stage in STAGES}
        self._collecting_ns = 0
        self.tidying = False
        """A collection of ours, in a gap; set by whoever begins it."""
        self.freezing = False
        """That of the start, which goes through everything there is, once: on record, and no reason for an alarm."""
        self.gaps_missed = 0
        """Times at which one was due and no gap was found; likewise."""

    def took(self, stage: Stage, duration_ns: int) -> None:
        watch = self._watches[stage]
        watch.whole.add(duration_ns)
        watch.recent.add(duration_ns)

    def rows(self) -> tuple[StageRow, ...]:
        missed = {Stage.TIDY: self.gaps_missed}
        return tuple(_row(stage, watch, missed.get(stage, 0)) for stage, watch in self._watches.items())

    def taken(self) -> dict[Stage, Histogram]:
        """All so far, as copies: what two of them differ by was taken between them."""
        return {stage: watch.whole.copy() for stage, watch in self._watches.items()}

    def turn_us(self) -> tuple[float | None, float | None]:
        """(p50, p99) from bytes read to orders handed over."""
        total = self._watches[Stage.TOTAL].whole
        if not total.count:
            return None, None
        return total.percentile(0.5) / 1000, total.percentile(0.99) / 1000

    # -- what is not a decision

    async def watch_loop(self, alert: Callable[[Alert], None]) -> None:
        """Measure how late the loop is, and every minute hold all stages against their budgets; for ever."""
        minute_ns = time.monotonic_ns()
        while True:
            asleep_ns = time.monotonic_ns()
            await trio.sleep(NAP_S)
            now_ns = time.monotonic_ns()
            self.took(Stage.LOOP, now_ns - asleep_ns - round(NAP_S * NS_PER_S))
            if now_ns - minute_ns >= MINUTE_S * NS_PER_S:
                minute_ns = now_ns
                for found in self.judge():
                    alert(found)

    @contextmanager
    def watching_collections(self) -> Iterator[None]:
        """Time the collections of cyclic garbage meanwhile."""
        gc.callbacks.append(self._collected)
        try:
            yield
        finally:
            gc.callbacks.remove(self._collected)

    def _collected(self, phase: str, info: dict[str, Any]) -> None:
        del info
        if phase == "start":
            self._collecting_ns = time.monotonic_ns()
        else:
            stage = Stage.TIDY if self.tidying else Stage.COLLECT
            duration_ns = time.monotonic_ns() - self._collecting_ns
            if self.freezing:
                self._watches[stage].whole.add(duration_ns)
            else:
                self.took(stage, duration_ns)

    # -- the alarm

    def judge(self) -> list[Alert]:
        """The minute is over: what has left its budget, and what is back in it. Said once each way."""
        found = []
        for stage, watch in self._watches.items():
            recent, least = watch.recent, 1 if stage in _RARE else LEAST
            watch.recent_ns = recent.percentile(0.99) if recent.count >= least else None
            if watch.recent_ns is not None:
                late, before = watch.recent_ns > watch.budget_ns, watch.late
                watch.late = late
                if late is not before:
                    found.append(_alert(stage, watch))
            recent.clear()
        return found


def _alert(stage: Stage, watch: _Watch) -> Alert:
    assert watch.recent_ns is not None
    numbers = f"p99 {watch.recent_ns / 1e6:.2f} ms in the last minute, budget {watch.budget_ns / 1e6:g} ms"
    if watch.late:
        text = (
            f"{stage.value} is slow: {numbers} — see screen 8 or `hlomm status --latency`; what else runs on this "
            "machine?"
        )
        return Alert(level=AlertLevel.WARNING, code="slow", text=text)
    return Alert(level=AlertLevel.INFO, code="slow_over", text=f"{stage.value} is back in its budget: {numbers}")


def _row(stage: Stage, watch: _Watch, missed: int) -> StageRow:
    whole = watch.whole
    p50, p90, p99, p999 = (found / 1000 for found in whole.percentiles((0.5, 0.9, 0.99, 0.999)))
    return StageRow(
        stage=stage.value, budget_us=watch.budget_ns / 1000, count=whole.count, p50_us=p50, p90_us=p90, p99_us=p99,
        p999_us=p999, max_us=whole.longest / 1000, sum_us=whole.total / 1000,
        up_to=tuple(whole.up_to([edge * 1000 for edge in EDGES_US])),
        recent_us=None if watch.recent_ns is None else watch.recent_ns / 1000, missed=missed,
    )  # fmt: skip
