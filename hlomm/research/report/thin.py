"""Series short enough to draw, without losing what stands out.

The rule: a series longer than `POINTS` is cut into `POINTS // 5` equal stretches of time, and of each stretch the
first, the smallest, the largest, the last value and one gap are kept, each where it was. So every extreme and every
hole wider than a stretch stays, and a line through what is left differs from the whole by less than a stretch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import attrs

Value = TypeVar("Value", int, float)

POINTS: Final = 2_000
_KEPT: Final = 5
"""Of a stretch."""


@attrs.define
class Tally:
    """How much of what there was is drawn."""

    points: int = 0
    drawn: int = 0
    series: int = 0
    """Those that were thinned."""

    def text(self) -> str:
        if not self.series:
            return f"all {self.points} points are drawn"
        gone = self.points - self.drawn
        return (
            f"{gone} of {self.points} points are not drawn: {self.series} series were thinned to first, least, "
            "greatest and last of each stretch"
        )


def thin(
    times: Sequence[int], values: Sequence[Value | None], tally: Tally, *, points: int = POINTS
) -> tuple[list[int], list[Value | None]]:
    """Times (ascending) and values, at most about `points` of them; None is a gap."""
    assert len(times) == len(values)
    tally.points += len(times)
    if len(times) <= points:
        tally.drawn += len(times)
        return list(times), list(values)
    stretches = max(points // _KEPT, 1)
    width = max(-(-(times[-1] - times[0] + 1) // stretches), 1)
    kept: list[int] = []
    start = 0
    for at in range(1, len(times) + 1):
        if at == len(times) or (times[at] - times[0]) // width != (times[start] - times[0]) // width:
            kept.extend(_of_stretch(values, start, at))
            start = at
    tally.drawn += len(kept)
    tally.series += 1
    return [times[at] for at in kept], [values[at] for at in kept]


def _of_stretch(values: Sequence[Value | None], start: int, end: int) -> list[int]:
    chosen = {start, end - 1}
    least = greatest = gap = None
    for at in range(start, end):
        value = values[at]
        if value is None:
            gap = at if gap is None else gap
            continue
        if least is None or value < least[0]:
            least = (value, at)
        if greatest is None or value > greatest[0]:
            greatest = (value, at)
    chosen.update(at for at in (gap, least and least[1], greatest and greatest[1]) if at is not None)
    return sorted(chosen)
