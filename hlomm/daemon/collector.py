"""When cyclic garbage is looked for: between decisions, not whenever the interpreter likes.

The interpreter counts allocations and begins a collection in the middle of whatever runs; one of everything takes tens
of milliseconds, most of it spent on modules and classes that never die. So what the start has left is frozen, out of
the collector's sight; the counts that begin a collection by themselves are raised to where they only catch a daemon
without a gap; and a task collects when the last decision is a moment past and nothing else is ready to run. What cannot
be known is whether a frame is just arriving: it waits for the collection, which is why each is short and timed
(`Stage.TIDY`; those that came by themselves are `Stage.COLLECT`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

from hlomm.daemon.pump import Pump
from hlomm.domain.times import NS_PER_MS

THRESHOLDS: Final = (50_000, 50, 1_000)
"""Of allocations, and of collections of the generation before; the interpreter's own are (700, 10, 10)."""
WARM_S: Final = 15.0
"""Until everything has been connected, listed and quoted once: what lives then will live on."""
EVERY_S: Final = 0.25
WORTH: Final = 2_000
"""Allocations since the last collection below which there is nothing to gain."""
OLDER_EVERY: Final = 20
"""Collections of the young until one of the next generation."""
ALL_EVERY_S: Final = 300.0
GAP_NS: Final = 2 * NS_PER_MS
"""After a decision: answers to what it sent, and frames of the same moment, are through."""
LOOK_S: Final = 0.003
LOOKS: Final = 20
"""For a gap, each time round."""


class Collector:
    """Of the whole process: at most one may be installed."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._young = 0
        self._all_s = 0.0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Freeze what there is and raise the counts; both are undone at the end."""
        before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        self._freeze()
        try:
            yield
        finally:
            gc.set_threshold(*before)
            gc.unfreeze()

    async def keep(self) -> None:
        """Collect in gaps, for ever; once everything is warm, freeze that too."""
        await trio.sleep(WARM_S)
        await self._gap()
        self._freeze()
        self._all_s = trio.current_time()
        while True:
            await trio.sleep(EVERY_S)
            if gc.get_count()[0] < WORTH:
                continue
            if await self._gap():
                self._collect(self._generation())
            else:
                self._pump.stages.gaps_missed += 1

    async def _gap(self) -> bool:
        """Wait a moment for a gap between decisions; whether there was one."""
        for _ in range(LOOKS):
            quiet_ns = self._pump.clock.read().mono_ns - self._pump.decided_ns
            if quiet_ns >= GAP_NS and trio.lowlevel.current_statistics().tasks_runnable == 0:
                return True
            await trio.sleep(LOOK_S)
        return False

    def _generation(self) -> int:
        """How far to look this time."""
        now_s = trio.current_time()
        if now_s - self._all_s >= ALL_EVERY_S:
            self._all_s, self._young = now_s, 0
            return 2
        self._young += 1
        if self._young >= OLDER_EVERY:
            self._young = 0
            return 1
        return 0

    def _freeze(self) -> None:
        """What is not garbage now is never looked at again."""
        stages = self._pump.stages
        stages.freezing = True
        try:
            self._collect(2)
        finally:
            stages.freezing = False
        gc.freeze()

    def _collect(self, generation: int) -> None:
        stages = self._pump.stages
        stages.tidying = True
        try:
            gc.collect(generation)
        finally:
            stages.tidying = False
