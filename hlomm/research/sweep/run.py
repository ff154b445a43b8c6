"""Giving out batches and taking in results until all are there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from hlomm.domain.faults import DataDefect
from hlomm.research.sweep.directory import Directory
from hlomm.research.sweep.job import Batch, Row, sample
from hlomm.research.sweep.local import Executor, Finished
from hlomm.research.tiers import Disagreement, Point

BATCH_S: Final = 5.0
"""How long a batch should take: what a kill loses, and long enough that giving out costs nothing."""
BATCH_MAX: Final = 4096
ATTEMPTS: Final = 2
"""Of a set whose worker died with it."""
FAILURES_MAX: Final = 20
"""At the beginning and without any success: then it is not the settings."""


@attrs.frozen(kw_only=True)
class Progress:
    done: int
    total: int
    failed: int
    before: int
    """Done by earlier starts."""
    elapsed_s: float

    @property
    def rate(self) -> float:
        """Sets over a recording, per second of this start."""
        return (self.done - self.before) / self.elapsed_s if self.elapsed_s > 0.0 else 0.0

    @property
    def left_s(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0.0 else None


@attrs.define(eq=False)
class _Work:
    """What is still to do."""

    points: Sequence[Point]
    recordings: list[tuple[int, deque[int]]]
    slots: int
    check: int
    size: int = 1
    """Of the next batch; grows and shrinks with how long they take."""
    again: deque[tuple[int, int]] = attrs.field(factory=deque)
    """(recording, point) of those whose worker died: alone, so that it is known which of them it is."""
    deaths: dict[tuple[int, int], int] = attrs.field(factory=dict)

    def next(self) -> Batch | None:
        if self.again:
            recording, number = self.again.popleft()
            return self._batch(recording, [number])
        while self.recordings and not self.recordings[0][1]:
            self.recordings.pop(0)
        if not self.recordings:
            return None
        recording, numbers = self.recordings[0]
        fair = -(-len(numbers) // self.slots)  # so that nobody is left waiting for the last batch
        return self._batch(recording, [numbers.popleft() for _ in range(min(self.size, fair))])

    def _batch(self, recording: int, numbers: Sequence[int]) -> Batch:
        return Batch(
            recording=recording, numbers=tuple(numbers), points=tuple(self.points[at] for at in numbers),
            checked=sample(recording, len(self.points), self.check) & frozenset(numbers),
        )  # fmt: skip

    def learn(self, finished: Finished) -> None:
        count = len(finished.batch.numbers)
        if finished.wall_s < BATCH_S / 2 and count >= self.size:
            self.size = min(self.size * 2, BATCH_MAX)
        elif finished.wall_s > 2 * BATCH_S:
            self.size = max(count // 2, 1)

    def died(self, finished: Finished) -> list[Row]:
        """Everything of a dead worker's batch is tried once more, each alone; what kills twice is given up."""
        given_up = []
        for number in finished.batch.numbers:
            key = finished.batch.recording, number
            self.deaths[key] = self.deaths.get(key, 0) + 1
            if self.deaths[key] < ATTEMPTS:
                self.again.append(key)
                continue
            given_up.append(
                Row(
                    point=number, recording=key[0], outcome=None, error=f"{finished.death}, twice with this set",
                    wall_s=finished.wall_s, worker="",
                )
            )  # fmt: skip
        return given_up


def run(
    directory: Directory, recordings: int, executor: Executor, *, check: int = 0,
    progress: Callable[[Progress], None] = lambda _progress: None, said: Callable[[str], None] = lambda _line: None,
) -> None:  # fmt: skip
    """Until every set has been tried over every recording. DataDefect where nothing but failures comes.

    `check`: how many sets of each recording are held against the engine; Disagreement where one differs. Whatever ends
    it early, what was finished is on the disk.
    """
    done = directory.done()
    total, before, failed = len(directory.points) * recordings, len(done), 0
    started = time.monotonic()
    queues = [
        (recording, deque(at for at in range(len(directory.points)) if (at, recording) not in done))
        for recording in range(recordings)
    ]
    work = _Work(directory.points, queues, executor.slots, check)
    flying = 0
    count = before
    while count < total:
        while flying < executor.slots and (batch := work.next()) is not None:
            executor.submit(batch)
            flying += 1
        for finished in executor.wait(1.0):
            flying -= 1
            if finished.death:
                said(f"{finished.death}; it had {_named(finished.batch)}")
                rows: Sequence[Row] = work.died(finished)
            else:
                work.learn(finished)
                rows = finished.rows
            if not rows:
                continue
            if (other := next((row for row in rows if row.differs), None)) is not None:
                raise Disagreement(f"set {other.point} over recording {other.recording} is another one in the engine: "
                                   f"{other.differs} — nothing of it is accepted, use --tier queue")  # fmt: skip
            directory.append(rows)
            count += len(rows)
            errors = [row for row in rows if row.outcome is None]
            for row in errors:
                said(f"set {row.point} over recording {row.recording} failed: {row.error}")
            failed += len(errors)
            if failed == count - before and failed >= FAILURES_MAX:
                raise DataDefect(f"the first {failed} sets all failed, the last of them: {errors[-1].error} — "
                                 "choose another --out once it is mended")  # fmt: skip
        progress(Progress(done=count, total=total, failed=failed, before=before, elapsed_s=time.monotonic() - started))


def _named(batch: Batch) -> str:
    first = ", ".join(map(str, batch.numbers[:5]))
    return f"set{'s' if len(batch.numbers) > 1 else ''} {first}{', …' if len(batch.numbers) > 5 else ''}"
