"""`hlomm doctor`."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import click

from hlomm.daemon import doctor
from hlomm.daemon.doctor import Check, Status
from hlomm.daemon.doctor_keys import keystore
from hlomm.daemon.doctor_records import examine
from hlomm.daemon.doctor_venues import venues
from hlomm.daemon.ledger_store import rebuild
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.lock import Lock
from hlomm.settings.load import PROFILES, load
from hlomm.settings.paths import StatePaths, state_paths

WIDTH = 100


def doctor_command(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None,
    rebuild_ledger: bool, as_json: bool,
) -> ExitCode:  # fmt: skip
    if profile not in PROFILES:
        raise UsageError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    paths = state_paths(state_dir, profile)
    if rebuild_ledger:
        _rebuild(paths)
    checks = look(paths, profile, config_files, sets)
    sound = not any(check.status is Status.FAIL for check in checks)
    if as_json:
        document = {
            "state_dir": str(paths.root), "profile": profile, "ok": sound,
            "checks": [attrs.asdict(check) for check in checks],
        }  # fmt: skip
        click.echo(json.dumps(document))
    else:
        click.echo(_text(checks))
    return ExitCode.CLEAN if sound else ExitCode.DIVERGED


def look(paths: StatePaths, profile: str, files: Sequence[Path], sets: Sequence[str]) -> list[Check]:
    """Every check that can be made, in the order in which one would want to know."""
    checks = [doctor.versions(), doctor.configuration(profile, files, sets), *_venues(profile, files, sets)]
    checks += doctor.directory(paths)
    if not paths.root.is_dir():
        return [*checks, doctor.disk(paths)]
    pid = doctor.running(paths)
    try:
        records, found = examine(paths, live=pid is not None)
    except PermissionError as error:
        return [*checks, doctor.fail("records", f"{error.filename}: {error.strerror}", "run doctor as their owner")]
    return [
        *checks, doctor.daemon(paths, pid), *doctor.halt(paths, pid), *records, doctor.disk(paths),
        doctor.clock(paths, found),
    ]  # fmt: skip


def _venues(profile: str, files: Sequence[Path], sets: Sequence[str]) -> Iterator[Check]:
    """Nothing for a configuration that does not load: that is said already."""
    try:
        loaded = load(profile, files, sets)
    except ConfigError:
        return
    yield from venues(loaded, os.environ)
    yield from keystore(loaded)


def _rebuild(paths: StatePaths) -> None:
    paths.prepare()
    lock = Lock(paths.lock, f"state directory {paths.root}")
    try:
        found = rebuild(
            paths.ledger, paths.journal, AuditFile(paths.audit),
            lambda records: click.echo(f"\r{records} records folded", err=True, nl=False),
        )  # fmt: skip
    finally:
        lock.release()
    click.echo(f"\r{paths.ledger.name} built from {found.records} records in {found.segments} segments", err=True)


def _text(checks: Sequence[Check]) -> str:
    width = max(len(check.name) for check in checks)
    lines: list[str] = []
    for check in checks:
        head = f"{check.status.value:<4}  {check.name:<{width}}  "
        lines += textwrap.wrap(check.text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
        if check.next:
            lines += textwrap.wrap(
                check.next, WIDTH, initial_indent=f"{'':{len(head)}}next: ", subsequent_indent=" " * (len(head) + 6)
            )
    failed = sum(check.status is Status.FAIL for check in checks)
    warned = sum(check.status is Status.WARN for check in checks)
    return "\n".join([*lines, f"{failed} failed, {warned} to look at, {len(checks) - failed - warned} fine"])
