"""`hlomm bundle`."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

import attrs
import click

from hlomm import __version__
from hlomm.cli.alert_urls import VARIABLE as URLS
from hlomm.cli.canary import profile_of
from hlomm.cli.doctor import look
from hlomm.cli.replay import bundled
from hlomm.cli.venues import beneath
from hlomm.daemon.bundle import Bundle, Run, run_row, runs_since, shown
from hlomm.daemon.guardian_process import SECRETS
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.secret import Secret
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.research.replay import replay_segments
from hlomm.rundir.bundle_file import MANIFEST, SCHEMA
from hlomm.settings.load import PROFILES, leaves, load
from hlomm.settings.paths import StatePaths, state_paths

_AGO: Final = re.compile(r"(\d{1,6})(s|m|h|d)", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SECRET_MIN: Final = 6
"""Shorter than that, a variable's text would be found everywhere."""


def bundle_command(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None, since: str,
    logs: tuple[Path, ...], out: Path | None, verdicts: bool, as_json: bool,
) -> ExitCode:  # fmt: skip
    """Pack, prove that it replays, search it, and say what it holds. Nothing that lies there is changed."""
    if profile_of(profile) not in PROFILES:
        raise UsageError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    paths, since_ns = state_paths(state_dir, profile), moment(since, time.time_ns())
    for log in logs:
        if not log.is_file():
            raise UsageError(f"--log {log}: no such file")
    try:
        runs = runs_since(paths, since_ns)
        target = out if out is not None else Path(f"hlomm-{profile}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
        bundle = Bundle(target)
        try:
            document = _manifest(profile, runs, since_ns)
            bundle.add_document(MANIFEST, document)
            document |= _pack(bundle, paths, runs, profile, config_files, sets, logs, verdicts=verdicts)
            size = bundle.finish(_handed(os.environ))
        finally:
            bundle.drop()
    except OSError as error:
        raise UsageError(
            f"{error.filename or out or 'bundle'}: {error.strerror or error} — nothing was written"
        ) from None
    document |= {"file": str(target), "bytes": size, "members": bundle.members}
    click.echo(json.dumps(document) if as_json else _text(document))
    return ExitCode.CLEAN


def moment(text: str, now_ns: int) -> int:
    """Unix ns of `90m`, `2h`, `3d` ago, or of an ISO time (UTC where it names no zone); UsageError for another text."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return now_ns - int(ago[1]) * _SECONDS[ago[2]] * NS_PER_S
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text}: expected 90m, 2h, 3d, or a time such as 2026-11-01T12:00") from None
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * NS_PER_S)


def _handed(environ: Mapping[str, str]) -> dict[str, Secret]:
    """What this process knows of secrets: the search can look for those themselves."""
    whole = {name: environ.get(name, "") for name in SECRETS}
    urls = whole.pop(URLS, "").split()  # several: each of them is one
    named = whole | {f"{URLS}, URL {number}": url for number, url in enumerate(urls, 1)}
    return {name: Secret(text) for name, text in named.items() if len(text.strip()) >= SECRET_MIN}


def _manifest(profile: str, runs: Sequence[Run], since_ns: int) -> dict[str, Any]:
    return {
        "bundle": SCHEMA, "version": __version__, "profile": profile, "made_ms": time.time_ns() // NS_PER_MS,
        "since_ms": since_ns // NS_PER_MS, "runs": [run_row(run) for run in runs],
    }  # fmt: skip


def _pack(
    bundle: Bundle, paths: StatePaths, runs: Sequence[Run], profile: str, files: tuple[Path, ...],
    sets: tuple[str, ...], logs: tuple[Path, ...], *, verdicts: bool,
) -> dict[str, Any]:  # fmt: skip
    for run in runs:
        bundle.add_run(run)
    for path in (paths.audit, paths.halt, paths.owned, paths.guardian_log, paths.guardian_errors, paths.log,
                 paths.root / "sim.log"):  # fmt: skip
        bundle.add_file(path, path.name)
    for number, path in enumerate(logs, 1):
        bundle.add_file(path, f"logs/{number:02}-{path.name}")
    bundle.add_document("config.json", _configuration(profile, files, sets))
    bundle.add_document("versions.json", _versions())
    checks = [attrs.asdict(check) for check in look(paths, profile, files, sets)]
    bundle.add_document("doctor.json", checks)
    replayed = {str(run.epoch_ms): _replayed(bundle.partial, run.epoch_ms) for run in runs} if verdicts else None
    if replayed is not None:
        bundle.add_document("replay.json", replayed)
    return {
        "failed_checks": [check["name"] for check in checks if check["status"] == "fail"],
        "identical": None if replayed is None else {name: row["identical"] for name, row in replayed.items()},
    }  # fmt: skip


def _configuration(name: str, files: tuple[Path, ...], sets: tuple[str, ...]) -> dict[str, Any]:
    """As configured now, each value with the layer it is from; what a run had stands in its first record."""
    profile = profile_of(name)
    try:
        loaded = load(profile, files, sets, beneath=beneath(profile, canary=profile != name))
    except ConfigError as error:
        return {"error": str(error)}
    return {key: {"value": shown(value), "origin": loaded.origins[key]} for key, value in leaves(loaded.tree)}


def _versions() -> dict[str, Any]:
    return {
        "hlomm": __version__, "python": platform.python_version(), "platform": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "packages": dict(sorted((found.name.lower(), found.version) for found in distributions())),
    }  # fmt: skip


def _replayed(bundle: Path, epoch_ms: int) -> dict[str, Any]:
    try:
        return replay_segments(bundled(bundle, epoch_ms)).document()
    except UsageError as error:  # a run that ended within its first record
        return {"identical": False, "corrupt": str(error)}


def _text(document: Mapping[str, Any]) -> str:
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for run in document["runs"]:
        identical = None if document["identical"] is None else document["identical"][str(run["epoch_ms"])]
        said = {True: "replays identically", False: "DOES NOT REPLAY as it is on record", None: "not replayed"}
        yield f"run {run['epoch_ms']}: {len(run['segments'])} segments, {said[identical]}"
    failed = document["failed_checks"]
    yield f"doctor: {'failed: ' + ', '.join(failed) if failed else 'no check failed'}"
    yield f"{document['file']}: {document['members']} members, {document['bytes']} bytes, no secret found in it"
    yield f"look: hlomm replay {document['file']}"
