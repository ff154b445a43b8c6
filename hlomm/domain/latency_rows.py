"""How long the daemon takes for what it does, as people are shown it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Stage(StrEnum):
    """What is timed, each against a budget of its own (`[latency]` in the configuration)."""

    DECODE = "decode"
    """From bytes read to the decision's beginning: parsing, and waiting for decisions before it."""
    DECIDE = "decide"
    """The engine: books, fair values, wishes, limits."""
    RECORD = "record"
    """Encoding the decision and handing it to the kernel."""
    SEND = "send"
    """Signing, and handing what was decided to its sessions; only decisions with orders."""
    TOTAL = "total"
    """From bytes read to orders handed over; only decisions with orders."""
    LOOP = "loop"
    """How late the event loop wakes a task that has nothing to wait for."""
    COLLECT = "collect"
    """One collection of cyclic garbage that the interpreter began: nothing else runs meanwhile, whatever waits."""
    TIDY = "tidy"
    """One that we began in a gap between decisions."""


STAGES: Final = tuple(Stage)
EDGES_US: Final = (10, 25, 50, 100, 150, 200, 300, 500, 750, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000)
"""Durations up to which those of a stage are counted."""


class StageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stage since the start, in host microseconds; percentiles are right to 1 part in 16, never too low."""

    stage: str
    """A `Stage`; a newer daemon may have others."""
    budget_us: float
    """Of p99."""
    count: int = 0
    p50_us: float = 0
    p90_us: float = 0
    p99_us: float = 0
    p999_us: float = 0
    max_us: float = 0
    sum_us: float = 0
    """Of all that were timed."""
    up_to: tuple[int, ...] = ()
    """How many took no longer than each of `EDGES_US`, to 1 part in 16."""
    recent_us: float | None = None
    """p99 of the last whole minute; None if too little happened in it."""
    missed: int = 0
    """`tidy`: times at which it was due and there was no gap for it."""

    @property
    def late(self) -> bool:
        """Out of its budget in the last whole minute."""
        return self.recent_us is not None and self.recent_us > self.budget_us


class QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One bounded queue since the start."""

    name: str
    peak: int
    limit: int | None = None
    """None if it is only known where it is configured."""
    lost: int = 0
    """What did not fit."""
