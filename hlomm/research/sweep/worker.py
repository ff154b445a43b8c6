"""The work itself, the same in a process of this machine and on a cluster. Data are loaded once per process."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from hlomm.research.recording import Recording
from hlomm.research.source import recordings
from hlomm.research.sweep.job import Batch, Job, Row, Unfit, code_digest, data_digests, one_digest, tier_at
from hlomm.research.tiers import CheckedTier, Outcome, Point, Tier

TOLERANCE: Final = 1e-6
"""Between a result and the sum of its blocks, in USDC or as a share of the largest block."""


@attrs.frozen
class _Held:
    key: str
    tier: Tier
    recordings: Sequence[Recording]


_lock: Final = threading.Lock()
_held: list[_Held] = []
"""The last job that this process worked for. A cluster's workers serve one sweep after another."""


def recordings_of(job: Job) -> list[Recording]:
    """In the order in which they are numbered."""
    return [recording for folder in job.data for recording in recordings(Path(folder)).recordings]


def prepare(job: Job) -> _Held:
    """Everything that all batches share. Unfit where this process has other data or another program."""
    with _lock:  # a cluster's worker may have several threads
        if _held and _held[0].key == job.key:
            return _held[0]
        _held.clear()
        if code_digest() != job.code:
            raise Unfit(
                f"{_name()}: its hlomm is not the one that asks (code {code_digest()[:12]}, not {job.code[:12]})"
            )
        if one_digest([data_digests(Path(folder)) for folder in job.data]) != job.digest:
            raise Unfit(f"{_name()}: the data at {', '.join(job.data)} are not those that the sweep began with")
        _held.append(_Held(job.key, tier_at(job.tier), recordings_of(job)))
        return _held[0]


def evaluate(job: Job, batch: Batch) -> list[Row]:
    """One row per set, in order. A set whose evaluation raises is a row that says so; the others do not suffer."""
    held = prepare(job)
    recording = held.recordings[batch.recording]
    started = time.perf_counter()
    made = _attempt(held.tier, job, recording, batch.points)
    if isinstance(made, str) and len(batch.points) > 1:
        return [
            row
            for number, point in zip(batch.numbers, batch.points, strict=True)
            for row in evaluate(job, _alone(batch, number, point))
        ]
    wall_s = (time.perf_counter() - started) / len(batch.points)
    outcomes: Sequence[Outcome | None] = [None] if isinstance(made, str) else made
    error = made if isinstance(made, str) else ""
    rows = [
        Row(point=number, recording=batch.recording, outcome=outcome, error=error, wall_s=wall_s, worker=_name())
        for number, outcome in zip(batch.numbers, outcomes, strict=True)
    ]
    return [_held_against(held, job, batch, row, point) for row, point in zip(rows, batch.points, strict=True)]


def _alone(batch: Batch, number: int, point: Point) -> Batch:
    return Batch(recording=batch.recording, numbers=(number,), points=(point,), checked=batch.checked & {number})


def _held_against(held: _Held, job: Job, batch: Batch, row: Row, point: Point) -> Row:
    """The row with what the engine makes of its set, if it is one of those that are looked at."""
    tier, made = held.tier, row.outcome
    if row.point not in batch.checked or made is None or made.left or not isinstance(tier, CheckedTier):
        return row
    differs = tier.difference(held.recordings[batch.recording], job.loaded, point)
    return attrs.evolve(row, checked=differs is None, differs=differs or "")


def _attempt(tier: Tier, job: Job, recording: Recording, points: Sequence[Point]) -> list[Outcome] | str:
    try:
        made = tier.evaluate(recording, job.loaded, points, block_s=job.block_s)
    except Exception as error:  # noqa: BLE001 - whatever a set of settings does to a tier, the others are still tried
        return f"{type(error).__name__}: {error}"[:500]
    if len(made) != len(points):
        return f"tier {tier.name} made {len(made)} outcomes of {len(points)} sets"
    wrong = next((said for each in made if (said := _wrong(each))), "")
    return f"tier {tier.name}: {wrong}" if wrong else made


def _wrong(outcome: Outcome) -> str:
    """What cannot be, and would be believed all the same: it would rank first, or last."""
    numbers = (outcome.pnl, outcome.fees, outcome.volume, outcome.max_drawdown, outcome.inventory_max)
    if not all(map(math.isfinite, (*numbers, *outcome.returns))):
        return "a number of its outcome is not finite"
    total = math.fsum(outcome.returns)
    if abs(total - outcome.pnl) > TOLERANCE * max(1.0, *map(abs, outcome.returns)):
        return f"its blocks add up to {total:g}, its result is {outcome.pnl:g}"
    return ""


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
