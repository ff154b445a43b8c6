"""What else the machine did while something was measured.

A latency that another process caused is no fact about this program. So every measurement watches four signs, and
reasons to doubt it stand in its document.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

OTHERS_MAX: Final = 0.10
"""Processors that others may have kept busy, on average."""
STEAL_MAX: Final = 0.01
"""Share of all processors that the host of a virtual machine may have taken."""
SWITCHED_MAX: Final = 50.0
"""Involuntary context switches a second: each is a moment at which we wanted to run and did not."""
LOAD_MAX: Final = 0.75
"""Of the load average per processor before the first measurement."""
_HERTZ: Final = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class _Reading:
    at_s: float
    busy_s: float
    """Of all processors and processes."""
    steal_s: float
    ours_s: float
    switched: int


@attrs.define(eq=False)
class Watch:
    """From its making to `seen`. `children`: processes of ours beside this one; those that it waited for are ours."""

    children: Sequence[int] = ()
    _begun: _Reading = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._begun = self._read()

    def seen(self) -> dict[str, Any]:
        """Figures, and `disturbed`: reasons not to believe what was measured meanwhile; empty if there is none."""
        before, after = self._begun, self._read()
        span_s = max(after.at_s - before.at_s, 1e-3)
        cores = os.cpu_count() or 1
        others = max((after.busy_s - before.busy_s - (after.ours_s - before.ours_s)) / span_s, 0.0)
        steal = (after.steal_s - before.steal_s) / span_s / cores
        switched = (after.switched - before.switched) / span_s
        reasons = []
        if others > OTHERS_MAX + 2 / _HERTZ / span_s:  # a tick of each kind is what the counters round to
            reasons.append(f"other processes used {others:.2f} processors")
        if steal > STEAL_MAX + 1 / _HERTZ / span_s:
            reasons.append(f"the host took {steal:.1%} of the processors")
        if switched > SWITCHED_MAX:
            reasons.append(f"{switched:.0f} involuntary context switches a second")
        return {
            "others": round(others, 3), "steal": round(steal, 4), "switched_per_s": round(switched, 1),
            "disturbed": reasons,
        }  # fmt: skip

    def _read(self) -> _Reading:
        usage, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        busy_s, steal_s = _processors()
        ours_s = usage.ru_utime + usage.ru_stime + ended.ru_utime + ended.ru_stime + sum(map(cpu_s, self.children))
        return _Reading(time.monotonic(), busy_s, steal_s, ours_s, usage.ru_nivcsw)


def load_before() -> list[str]:
    """A reason if the machine was busy before anything began."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    return [f"load average {load:.2f} on {cores} processors before the start"] if load > LOAD_MAX * cores else []


def _processors() -> tuple[float, float]:
    """(busy, stolen) seconds of all processors since boot; zeros where the system does not tell."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    except OSError:
        return 0.0, 0.0
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq) / _HERTZ, steal / _HERTZ


def cpu_s(pid: int) -> float:
    """Processor time of another process, all its threads; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _HERTZ
