"""Where the time goes, by looking now and then: a signal after every millisecond of processor time.

A profiler that counts calls makes small functions look dear. A look costs the same whatever runs, so shares are true
to about one part in the square root of the number of looks.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

EVERY_S: Final = 0.001
_ROOM: Final = "hlomm."


@contextmanager
def looking(package: str = _ROOM) -> Iterator[Counter[str]]:
    """Looks by module: the innermost one of the package on the stack. Only in the main thread."""
    seen: Counter[str] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        while frame is not None:
            module = str(frame.f_globals.get("__name__", ""))
            if module.startswith(package):
                seen[module] += 1
                return
            frame = frame.f_back
        seen["elsewhere"] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield seen
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shares(seen: Counter[str], most: int = 15) -> list[dict[str, Any]]:
    """Modules with the largest shares first, the rest together."""
    total = seen.total() or 1
    top = seen.most_common(most)
    rows = [{"module": module, "share": round(count / total, 4)} for module, count in top]
    rest = total - sum(count for _, count in top)
    return [*rows, {"module": "all others", "share": round(rest / total, 4)}] if rest > 0 and seen else rows


def rooms(seen: Counter[str]) -> dict[str, float]:
    """Shares by folder of the package, largest first."""
    total = seen.total() or 1
    found: Counter[str] = Counter()
    for module, count in seen.items():
        found[module.split(".")[1] if module.startswith(_ROOM) else module] += count
    return {room: round(count / total, 4) for room, count in found.most_common()}
