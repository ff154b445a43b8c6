"""`hlomm record`."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Final

import click
import trio

from hlomm.cli.keys import forget
from hlomm.daemon import logs
from hlomm.daemon.desks import patient
from hlomm.daemon.sim_process import SimDocument, read_document
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.research.record.recorder import Recorder, Report
from hlomm.research.record.sources import Place, Source, open_recorder, sources
from hlomm.rundir.lock import Lock
from hlomm.settings.load import load
from hlomm.settings.schema import Settings
from hlomm.sim.config import VENUES
from hlomm.venues.clock import Clock

_SIZE: Final = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[kMGT]?)(?:B|iB)?", re.ASCII)
_UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def record_command(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], venues: str | None, markets: str,
    sim_file: Path | None, out: Path, duration_s: float | None, disk_max: str | None, as_json: bool,
) -> ExitCode:  # fmt: skip
    forget(os.environ)  # it needs none of them, and what packs for it would inherit them
    if profile == "sim" and sim_file is None:
        raise UsageError("nothing to listen to: name a profile such as --profile mainnet, or --sim FILE of `hlomm sim`")
    budget = None if disk_max is None else size(disk_max)
    loaded = load(profile, config_files, sets)
    logs.configure(loaded.settings.daemon.log, loaded.settings.daemon.log_of)
    document = None if sim_file is None else read_document(sim_file)
    clock = Clock() if document is None else Clock(document.clock.map())
    chosen = sources(places(loaded.settings, document, venues), _names_of(markets))
    out.mkdir(parents=True, exist_ok=True)
    lock = Lock(out / "record.lock", f"recording into {out}", "stop it, or choose another --out")
    try:
        report = trio.run(_record, chosen, clock, out, "live" if document is None else "sim", budget, duration_s)
    finally:
        lock.release()
    click.echo(json.dumps(report.document()) if as_json else _human(report))
    return ExitCode.CLEAN if report.complete else ExitCode.HALTED


async def _record(
    chosen: list[Source], clock: Clock, out: Path, source: str, budget: int | None, duration_s: float | None
) -> Report:
    run = time.time_ns() // 1_000_000
    recorder: Recorder = open_recorder(chosen, clock, out, run=run, source=source, budget=budget)
    click.echo(f"recording {', '.join(one.venue for one in chosen)} into {out} · stop with Ctrl-C", err=True)
    return await recorder.run(duration_s)


def size(text: str) -> int:
    """Bytes of `500M`, `20G`, `1000000`. UsageError for what is none."""
    match = _SIZE.fullmatch(text)
    if match is None or not float(match["number"]):
        raise UsageError(f"--disk-max {text}: expected a number of bytes such as 20G")
    return int(float(match["number"]) * _UNITS[match["unit"]])


def places(settings: Settings, document: SimDocument | None, venues: str | None) -> list[Place]:
    """Where the venues are: those named, or all that have an address.

    UsageError for a name that is none, ConfigError for a venue without an address.
    """
    speed = 1.0 if document is None else document.clock.speed
    found = {}
    for name in VENUES:
        section = patient(getattr(settings.venue, name), speed)
        served = None if document is None else getattr(document.venues, name)
        there = section if served is None else served
        rest = getattr(there, "rest", "") or getattr(there, "clob", "")
        if (document is None or served is not None) and rest:
            found[name] = Place(section=section, rest=rest, ws=there.ws, gamma=getattr(there, "gamma", ""))
    names = list(found) if venues is None else _names_of(venues)
    unknown = [name for name in names if name not in VENUES]
    if unknown or not names:
        raise UsageError(f"--venues {venues!r}: no venue {', '.join(unknown)}; there are: {', '.join(VENUES)}")
    lost = [name for name in names if name not in found]
    if lost:
        where = "the simulator serves none" if document is not None else "this profile has no address of it"
        raise ConfigError(f"{', '.join(lost)}: {where}; there are: {', '.join(found)}")
    return [found[name] for name in names]


def _names_of(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _human(report: Report) -> str:
    return (
        f"{report.stopped}: {report.rows} rows, {report.frames} of them raw, {report.gaps} gaps;"
        f" {report.stored_bytes / 1e6:.1f} MB in {report.root}\n"
        f"look it over: hlomm data check {report.root}"
    )
