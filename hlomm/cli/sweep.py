"""`hlomm sweep`."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import click

from hlomm.cli.tables import in_columns
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.times import NS_PER_S
from hlomm.research.recording import Recording
from hlomm.research.report.source import Source, of_data
from hlomm.research.source import recordings
from hlomm.research.sweep import axes, summary
from hlomm.research.sweep.axes import Asked, Plan
from hlomm.research.sweep.cluster import Cluster
from hlomm.research.sweep.directory import SCHEMA, SUMMARY, Directory
from hlomm.research.sweep.job import TIERS, Job, code_digest, data_digests, one_digest, tier_at
from hlomm.research.sweep.local import Executor, Processes
from hlomm.research.sweep.run import Progress, run
from hlomm.research.sweep.summary import Asking
from hlomm.rundir.replacing import replace_file
from hlomm.settings.load import Loaded, load
from hlomm.strategy.registry import STRATEGIES

PLAIN_EVERY_S = 10.0
"""Between lines of progress where nobody watches a terminal."""


@attrs.frozen(kw_only=True)
class Where:
    """What runs the sets, and how much of it."""

    jobs: int | None
    scheduler: str | None
    point_s: float
    check_sets: int = 3
    """Of each recording, held against the engine where the tier is another one."""


def sweep_command(
    data: tuple[Path, ...], *, loaded: Loaded, asked: Asked, tier: str, block_s: float, out: Path, where: Where,
    asking: Asking, as_json: bool,
) -> ExitCode:  # fmt: skip
    if bool(asking.train) != bool(asking.test):
        raise UsageError("--train and --test belong together")
    plan = axes.plan(asked, loaded, tier_at(TIERS[tier]).keys)
    _tell_left_out(plan)
    folders = tuple(folder.resolve() for folder in data)
    source = _source(folders)
    digests = [data_digests(folder) for folder in folders]
    job = Job(
        data=tuple(map(str, folders)), digest=one_digest(digests), code=code_digest(), tier=TIERS[tier],
        loaded=loaded, block_s=block_s,
    )  # fmt: skip
    found = _recordings(folders)
    manifest = {
        "schema": SCHEMA, "source": str(source), "paths": list(job.data), "data": digests,
        "recordings": [_described(recording) for recording in found], "tier": tier, "block_s": block_s,
        "keys": list(plan.keys), "sets": len(plan.points), "points": _points_digest(plan),
        "seed": asked.seed if asked.ranges else None,
        "config": json.loads(loaded.engine_json()), "code": job.code,
    }  # fmt: skip
    directory = Directory.open(out, manifest, plan.points)
    try:
        interrupted = _run(directory, job, len(found), where)
        if interrupted:
            return ExitCode.HALTED
        made = summary.summarise(manifest, directory.finish(), asking)
        said = summary.document(made)
        replace_file(out / SUMMARY, json.dumps(said, indent=1).encode())
    finally:
        directory.close()
    _say(said, out, as_json=as_json)
    unchecked = said["checked"] is not None and said["checked"]["unchecked_recordings"]
    return ExitCode.DIVERGED if said["failed"] or unchecked else ExitCode.CLEAN


def only_strategy(strategy: str, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...]) -> Loaded:
    """Configuration in which that strategy alone is on."""
    if strategy not in STRATEGIES:
        raise UsageError(f"no strategy {strategy!r}; there are: {', '.join(STRATEGIES)}")
    only = [f"strategy.{name}.enabled={'true' if name == strategy else 'false'}" for name in STRATEGIES]
    return load(profile, config_files, [*sets, *only])


def asked_for(
    grid: tuple[str, ...], ranges: tuple[str, ...], draws: int | None, seed: int, file: Path | None
) -> Asked:  # fmt: skip
    """UsageError unless it was said in exactly one way."""
    if sum((bool(grid), draws is not None, file is not None)) != 1:
        raise UsageError(
            "say what to try in one way: --grid KEY=VALUES, --random N with --range KEY=LO..HI, or --points FILE"
        )
    if bool(ranges) != (draws is not None):
        raise UsageError("--random N and --range KEY=LO..HI belong together")
    if file is not None:
        return axes.from_file(file)
    return Asked(
        axes=tuple(map(axes.axis, grid)), ranges=tuple(map(axes.spread, ranges)), draws=draws or 0, seed=seed
    )  # fmt: skip


# -- before


def _source(folders: tuple[Path, ...]) -> Source:
    tags = {folder: of_data(folder) for folder in folders}
    if len(set(tags.values())) > 1:
        said = ", ".join(f"{folder} is {tag}" for folder, tag in tags.items())
        raise UsageError(f"results of different sources are never mixed: {said}")
    return tags[folders[0]]


def _recordings(folders: tuple[Path, ...]) -> list[Recording]:
    found: list[Recording] = []
    for folder in folders:
        chosen = recordings(folder)
        for left_out in chosen.excluded:
            click.echo(f"left out: {left_out.ticker or left_out.market}: {left_out.reason}", err=True)
        found += chosen.recordings
    return found


def _described(recording: Recording) -> dict[str, Any]:
    expiry_ns = recording.outcome.expiry_ns
    assert expiry_ns is not None
    settles = datetime.fromtimestamp(expiry_ns // NS_PER_S, UTC)
    return {"market": recording.outcome.ticker, "settles": settles.isoformat(), "events": len(recording.events)}


def _points_digest(plan: Plan) -> str:
    return hashlib.sha256(json.dumps([list(point.items()) for point in plan.points]).encode()).hexdigest()


def _tell_left_out(plan: Plan) -> None:
    if plan.repeated:
        click.echo(f"{plan.repeated} sets came twice and are tried once", err=True)
    if plan.left_out:
        click.echo(
            f"{len(plan.left_out)} sets contradict themselves and are not tried, e.g. {plan.left_out[0]}", err=True
        )


# -- while it runs


def _run(directory: Directory, job: Job, count: int, where: Where) -> bool:
    """Whether it was interrupted."""
    if len(directory.done()) == len(directory.points) * count:
        return False
    showing = _Showing()
    executor: Executor
    if where.scheduler is not None:
        executor = Cluster(job, where.scheduler, point_s=where.point_s)
    else:
        jobs = where.jobs if where.jobs is not None else len(os.sched_getaffinity(0))
        executor = Processes(job, jobs, point_s=where.point_s)
    try:
        run(directory, count, executor, check=where.check_sets, progress=showing.show, said=showing.line)
    except KeyboardInterrupt:
        showing.line(f"interrupted; what is done is kept in {directory.root}, the same command goes on")
        return True
    finally:
        showing.end()
        executor.close()
    return False


class _Showing:
    """Progress on stderr: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last = time.monotonic() if not self._live else 0.0
        self._open = False

    def show(self, progress: Progress) -> None:
        if not self._live and progress.done < progress.total and time.monotonic() - self._last < PLAIN_EVERY_S:
            return
        self._last = time.monotonic()
        left = "-" if progress.left_s is None else _clock(progress.left_s)
        failed = f", {progress.failed} failed" if progress.failed else ""
        text = f"{progress.done}/{progress.total}{failed}, {progress.rate:.2f}/s, {left} left"
        click.echo(f"\r{text}\x1b[K" if self._live else text, nl=not self._live, err=True)
        self._open = self._live

    def line(self, text: str) -> None:
        self.end()
        click.echo(text, err=True)

    def end(self) -> None:
        if self._open:
            click.echo(err=True)
        self._open = False


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


# -- after


def _say(said: dict[str, Any], out: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**said, "out": str(out)}))
        return
    click.echo(in_columns(summary.HEAD, summary.top_rows(said), "no set has a result"))
    click.echo("\n".join(summary.lines(said)))
    click.echo(f"{out}: results.parquet, times.parquet; `hlomm report {out}` draws it")
