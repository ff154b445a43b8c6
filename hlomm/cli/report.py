"""`hlomm report`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.research.report.contents import Section, contents, unaccounted
from hlomm.research.report.gather import Gathered, from_journal, from_recording, is_recording
from hlomm.research.report.page import page, plotly_js
from hlomm.research.report.sweeps import from_sweep, is_sweep
from hlomm.research.sweep import summary
from hlomm.settings.load import load
from hlomm.strategy.registry import STRATEGIES


def report_command(
    path: Path, *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str | None,
    out: Path | None, every_s: float, gif: bool, parquet: bool, drift: bool, as_json: bool,
) -> ExitCode:  # fmt: skip
    plotly_js()  # what is missing is said before minutes of work
    if is_sweep(path):
        if config_files or sets or strategy is not None or gif or parquet or drift:
            raise UsageError(f"{path}: a sweep is drawn as it is; --config, --set, --strategy, --gif, --parquet and "
                             "--drift are for runs and recordings")  # fmt: skip
        return _sweep(path, out, as_json=as_json)
    if drift and is_recording(path):
        raise UsageError(f"{path}: a recording was traded by nobody; --drift is for the journal of a run")
    gathered = _gathered(path, profile, config_files, sets, strategy, every_s=every_s, decisions=parquet)
    file = _file(out, str(gathered.source), gathered.name)
    try:
        written, missing = _write(gathered, file, _compared(path) if drift else [], gif=gif, parquet=parquet)
    except OSError as error:
        raise UsageError(f"cannot write the report: {error}") from None
    _say(gathered, written, missing, as_json=as_json)
    return ExitCode.CLEAN if gathered.sound and not unaccounted(gathered.tables["equity"]) else ExitCode.DIVERGED


def _sweep(path: Path, out: Path | None, *, as_json: bool) -> ExitCode:
    made, said = from_sweep(path)
    file = _file(out, made.source, made.name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(made), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the report: {error}") from None
    if as_json:
        click.echo(json.dumps({**said, "files": [str(file)]}))
    else:
        click.echo("\n".join(summary.lines(said)))
        click.echo(f"{file} ({made.source}, {file.stat().st_size / 1e6:.1f} MB)")
    return ExitCode.CLEAN if made.sound else ExitCode.DIVERGED


def _file(out: Path | None, source: str, name: str) -> Path:
    """A folder gets a name of its own in it."""
    file = out if out is not None else Path()
    return file if file.suffix == ".html" else file / f"report-{source}-{name}.html"


def _compared(path: Path) -> list[Section]:
    from hlomm.research.drift.drifting import drift
    from hlomm.research.drift.section import section

    return [section(drift(path))]


def _write(
    gathered: Gathered, file: Path, more: list[Section], *, gif: bool, parquet: bool
) -> tuple[list[Path], list[str]]:
    """What was written, and why something was not."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page(contents(gathered, more)), encoding="utf-8")
    written: list[Path] = [file]
    missing: list[str] = []
    if parquet:
        from hlomm.research.report import parquet as columns

        written += columns.write(gathered, file.with_suffix(""))
    if gif:
        from hlomm.research.report import gif as moving

        made, missing = moving.write(gathered, file.with_suffix(""))
        written += made
    return written, missing


def _gathered(
    path: Path, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], strategy: str | None, *,
    every_s: float, decisions: bool,
) -> Gathered:  # fmt: skip
    if is_recording(path):
        chosen = "avellaneda" if strategy is None else strategy
        if chosen not in STRATEGIES:
            raise UsageError(f"no strategy {chosen!r}; there are: {', '.join(STRATEGIES)}")
        only = [f"strategy.{name}.enabled={'true' if name == chosen else 'false'}" for name in STRATEGIES]
        return from_recording(path, load(profile, config_files, [*sets, *only]), every_s=every_s, decisions=decisions)
    if config_files or sets or strategy is not None:
        raise UsageError(f"{path}: a run is reported with the settings it ran with; --config, --set and --strategy "
                         "are for recordings (`hlomm replay --set` asks what if)")  # fmt: skip
    return from_journal(path, every_s=every_s, decisions=decisions)


def _say(gathered: Gathered, written: list[Path], missing: list[str], *, as_json: bool) -> None:
    if as_json:
        document = {
            "source": str(gathered.source), "profile": gathered.boot.profile, "run": gathered.name,
            "seed": gathered.boot.seed, "sound": gathered.sound,
            "unaccounted": unaccounted(gathered.tables["equity"]), "told": [*gathered.told, *missing],
            "rows": {name: len(frame) for name, frame in gathered.tables.items()},
            "files": [str(file) for file in written],
        }  # fmt: skip
        click.echo(json.dumps(document))
        return
    for line in (*gathered.told, *missing):
        click.echo(line)
    for file in written:
        click.echo(f"{file} ({gathered.source}, {file.stat().st_size / 1e6:.1f} MB)")
