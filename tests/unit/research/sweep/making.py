"""Sweeps made in tests: over a small store, with a tier of tests, by what runs real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from hlomm.research.sweep.axes import Asked, axis, plan
from hlomm.research.sweep.directory import SCHEMA, Directory
from hlomm.research.sweep.job import Batch, Job, code_digest, data_digests, one_digest
from hlomm.research.sweep.local import Finished
from hlomm.research.sweep.run import run
from hlomm.research.sweep.worker import evaluate
from hlomm.research.tiers import Point
from hlomm.settings.load import load
from tests.unit.research.sweep import tiers

SETTINGS = load("sim", environ={})


def job_of(store: Path, tier: type[tiers.Noise]) -> Job:
    return Job(
        data=(str(store),), digest=one_digest([data_digests(store)]), code=code_digest(),
        tier=f"{tiers.__name__}:{tier.__name__}", loaded=SETTINGS, block_s=5.0,
    )  # fmt: skip


def points_of(*grids: str) -> tuple[Point, ...]:
    return plan(Asked(axes=tuple(map(axis, grids))), SETTINGS).points


def manifest_of(points: Sequence[Point], **other: Any) -> Mapping[str, Any]:
    return {
        "schema": SCHEMA, "keys": list(points[0]), "points": repr(points), "sets": len(points), "block_s": 5.0,
        "config": {"limits": {"max_position": 400.0}}, "source": "sim", "data": [], "recordings": [], "tier": "queue",
        "seed": 1, "code": "c" * 64, **other,
    }  # fmt: skip


@attrs.define(eq=False)
class Inline:
    """Batches in this process. `ends_after`: as many of them, and then Ctrl-C."""

    job: Job
    ends_after: int = 10**9
    batches: list[Batch] = attrs.field(factory=list)
    waiting: list[Batch] = attrs.field(factory=list)
    wall_s: float = 0.0
    """What it says that a batch took."""
    slots: int = 2

    def submit(self, batch: Batch) -> None:
        self.waiting.append(batch)

    def wait(self, timeout_s: float) -> list[Finished]:
        if len(self.batches) >= self.ends_after:
            raise KeyboardInterrupt
        batch = self.waiting.pop()  # not in the order in which they were given out
        self.batches.append(batch)
        return [Finished(batch=batch, rows=evaluate(self.job, batch), wall_s=self.wall_s)]

    def close(self) -> None:
        self.waiting.clear()


def sweep(
    out: Path, executor: Any, points: Sequence[Point], said: list[str] | None = None, *, check: int = 0
) -> bytes:  # fmt: skip
    """All the way; the bytes of its results."""
    directory = Directory.open(out, manifest_of(points), points)
    try:
        run(directory, 1, executor, check=check, said=(said if said is not None else []).append)
        directory.finish()
    finally:
        directory.close()
        executor.close()
    return (out / "results.parquet").read_bytes()
