"""Blocks of time that a result is cut into, the same for every tier and every set of settings."""

from __future__ import annotations

from collections.abc import Iterable

from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.research.recording import Recording


def block_count(recording: Recording, block_s: float) -> int:
    """Blocks of `block_s` that its events span, at least one; the last may be shorter."""
    events = recording.events
    return max(-((events[0].received_ns - events[-1].received_ns) // _length(block_s)), 1)


def block_returns(
    recording: Recording, marks: Iterable[tuple[int, int]], final: int, block_s: float
) -> tuple[float, ...]:  # fmt: skip
    """Change of the result in each block, in USDC. Within a block it counts as of its last mark.

    `marks`: (time in ns, result in 1e-8) in order of time; `final`: what it is when all is settled. What comes after
    the last event, settlement above all, belongs to the last block, so the sum is `final`.
    """
    first, length, count = recording.events[0].received_ns, _length(block_s), block_count(recording, block_s)
    at_end: list[int | None] = [None] * count
    for at_ns, pnl in marks:
        at_end[min((at_ns - first) // length, count - 1)] = pnl
    at_end[-1] = final
    made, before = [], 0
    for end in at_end:
        after = before if end is None else end
        made.append((after - before) / SCALE)
        before = after
    return tuple(made)


def _length(block_s: float) -> int:
    return max(round(block_s * NS_PER_S), 1)
