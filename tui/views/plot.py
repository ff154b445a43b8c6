"""Curves made of block characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_BLOCKS: Final = "▁▂▃▄▅▆▇█"


def resampled(values: Sequence[int], width: int) -> list[int]:
    """At most `width` values: the last one of each of `width` equal stretches, so that the end is the present."""
    count = len(values)
    if count <= width:
        return list(values)
    return [values[(column + 1) * count // width - 1] for column in range(width)]


def sparkline(values: Sequence[int], width: int) -> str:
    """One line of blocks from the lowest value to the highest; right-aligned while it is still short."""
    return rows_of(values, width, 1)[0]


def rows_of(values: Sequence[int], width: int, height: int) -> list[str]:
    """The curve as `height` lines of `width` characters, top line first."""
    points = resampled(values, width)
    if not points:
        return [" " * width for _ in range(height)]
    low, high = min(points), max(points)
    steps = height * len(_BLOCKS) - 1
    heights = [round((value - low) * steps / (high - low)) if high > low else 0 for value in points]
    lines: list[str] = []
    for row in reversed(range(height)):
        floor = row * len(_BLOCKS)
        lines.append("".join(_block(value - floor) for value in heights).rjust(width))
    return lines


def _block(level: int) -> str:
    if level < 0:
        return " "
    return _BLOCKS[min(level, len(_BLOCKS) - 1)]


def bar(value: int, low: int, high: int, width: int) -> str:
    """A signed bar from the axis, which stands where zero is between `low` (not above it) and `high` (not below it).

    Counted in half characters; what is not nothing is at least one of them.
    """
    axis = -low * (width - 1) // (high - low) if high > low else 0
    room, extent = (axis, -low) if value < 0 else (width - 1 - axis, high)
    halves = max(2 * room * abs(value) // extent, 1) if value and room else 0
    full, half = "█" * (halves // 2), halves % 2
    if value < 0:
        return f"{'▐' * half}{full}".rjust(axis) + "│"
    return " " * axis + "│" + full + "▌" * half
