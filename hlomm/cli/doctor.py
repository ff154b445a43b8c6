"""`hlomm doctor`."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import click
import trio

from hlomm.cli.canary import as_canary, profile_of
from hlomm.cli.client import tell_guardian
from hlomm.cli.keys import forget, key_openers
from hlomm.cli.password import Password
from hlomm.cli.venues import beneath
from hlomm.daemon import doctor, doctor_live, doctor_machine, logs
from hlomm.daemon.desks import Keys
from hlomm.daemon.doctor_keys import keystore, refusal
from hlomm.daemon.doctor_records import examine
from hlomm.daemon.doctor_venues import venues
from hlomm.daemon.ledger_store import rebuild
from hlomm.daemon.sim_process import read_document
from hlomm.domain.checkup import Check, Code, Status, fail
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError, KeyExpired, KeyFault, ProtocolViolation, UsageError
from hlomm.domain.ids import VenueId
from hlomm.link.guardian import Told
from hlomm.link.protocol import Ask
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.lock import Lock
from hlomm.settings.load import PROFILES, UNREAL, Layer, Loaded, leaves, load
from hlomm.settings.paths import StatePaths, state_paths

WIDTH: Final = 100


@attrs.frozen(kw_only=True)
class Live:
    """What `--live` asks with."""

    sim_file: Path | None
    password_fd: int | None
    i_know: bool


def doctor_command(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None,
    rebuild_ledger: bool, port: int, live: Live | None, as_json: bool,
) -> ExitCode:  # fmt: skip
    settings_of = profile_of(profile)
    if settings_of not in PROFILES:
        raise UsageError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    paths = state_paths(state_dir, profile)
    if rebuild_ledger:
        _rebuild(paths)
    checks = look(paths, profile, config_files, sets, port)
    if live is not None:
        checks += ask_venues(settings_of, config_files, sets, live, canary=settings_of != profile)
    sound = not any(check.status is Status.FAIL for check in checks)
    if as_json:
        document = {
            "state_dir": str(paths.root), "profile": profile, "live": live is not None, "ok": sound,
            "checks": [attrs.asdict(check) for check in checks], "origins": _origins(profile, config_files, sets),
        }  # fmt: skip
        click.echo(json.dumps(document))
    else:
        click.echo(_text(checks))
    return ExitCode.CLEAN if sound else ExitCode.DIVERGED


def look(
    paths: StatePaths, name: str, files: Sequence[Path], sets: Sequence[str],
    port: int = doctor_machine.METRICS_PORT,
) -> list[Check]:  # fmt: skip
    """Every check that can be made on this machine alone, in the order in which one would want to know.

    `name` is the daemon's: a profile, or a canary's.
    """
    loaded, profile = _loaded(name, files, sets), profile_of(name)
    checks = [*doctor_machine.versions(), *doctor.configuration(profile, files, sets, _beneath(name))]
    if loaded is not None:
        checks += [*venues(loaded, os.environ), *keystore(loaded)]
        checks.append(doctor_machine.processors(loaded.settings.daemon.cpus))
    checks += [doctor_machine.metrics_port(port), *doctor.directory(paths)]
    if not paths.root.is_dir():
        return [*checks, *doctor_machine.disk(paths)]
    pid = doctor.running(paths)
    try:
        records, found = examine(paths, live=pid is not None)
    except PermissionError as error:
        text = f"{error.filename}: {error.strerror}"
        return [*checks, fail("records", Code.RECORDS_UNREADABLE, text, "run doctor as their owner")]
    wanted = loaded is None or loaded.settings.guardian.enabled
    return [
        *checks, doctor.daemon(paths, pid), doctor.guardian(paths, pid, _told(paths), wanted=wanted),
        *doctor.halt(paths, pid), *records, *doctor_machine.disk(paths), doctor_machine.clock(paths, found),
    ]  # fmt: skip


def _told(paths: StatePaths) -> Told | str:
    """The guardian's own answer, or why there is none."""
    try:
        return tell_guardian(paths.guardian_socket, Ask(id=1))
    except (UsageError, ProtocolViolation) as error:
        return str(error)


def _beneath(name: str) -> Layer | None:
    profile = profile_of(name)
    return beneath(profile, canary=profile != name)


def _loaded(name: str, files: Sequence[Path], sets: Sequence[str]) -> Loaded | None:
    """None for a configuration that does not load: that is a check of its own."""
    try:
        return load(profile_of(name), files, sets, beneath=_beneath(name))
    except ConfigError:
        return None


def _origins(name: str, files: Sequence[Path], sets: Sequence[str]) -> dict[str, Any]:
    """Dotted key to the layer that set it; empty for a configuration that does not load."""
    loaded = _loaded(name, files, sets)
    return {} if loaded is None else {key: loaded.origins[key] for key, _ in leaves(loaded.tree, "")}


# -- the venues


def ask_venues(
    profile: str, files: Sequence[Path], sets: Sequence[str], live: Live, *, canary: bool = False
) -> list[Check]:
    """What only the venues can settle, with the keys that a run would take; ConfigError where no canary can be."""
    document = None if live.sim_file is None else read_document(live.sim_file)
    if document is not None and profile != "sim":
        raise UsageError(f"--sim has no meaning in profile {profile}: its venues are those of the configuration")
    try:
        loaded = load(profile, files, sets, beneath=beneath(profile, live.sim_file, canary=canary))
    except ConfigError:
        return []
    own, loaded = loaded, as_canary(loaded) if canary else loaded
    logs.configure(loaded.settings.daemon.log, loaded.settings.daemon.log_of)  # to stderr: stdout is one document
    checks: list[Check] = []
    keys: dict[VenueId, Keys] = {}
    if profile not in UNREAL:
        password = Password(os.environ, live.password_fd)
        for venue, opened in key_openers(own, os.environ, password, i_know=live.i_know).items():
            checks += _opened(venue, opened, keys)
    forget(os.environ)
    asking = doctor_live.Asking(loaded=loaded, keys=keys, document=document)
    return [*checks, *trio.run(doctor_live.ask, asking, strict_exception_groups=True)]


def _opened(venue: VenueId, opened: Any, keys: dict[VenueId, Keys]) -> Iterator[Check]:
    """Put the keys of one venue with the others; a check for what keeps them from being opened."""
    name = f"{venue} key"
    try:
        found = opened()
    except KeyFault as fault:
        yield refusal(name, fault)
    except KeyExpired as expired:
        text, _, remedy = str(expired).rpartition(" — ")
        yield fail(name, Code.KEY_EXPIRED, text, remedy)
    except (ConfigError, UsageError) as error:
        yield fail(name, Code.KEY_UNUSABLE, str(error), "see `hlomm keys list`, and how the password is given")
    else:
        if found is not None:
            keys[venue] = found


# -- the ledger


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


# -- words


def _text(checks: Sequence[Check]) -> str:
    width = max(len(check.name) for check in checks)
    lines: list[str] = []
    for check in checks:
        head = f"{check.status.value:<4}  {check.name:<{width}}  "
        said = f"{check.text} [{check.code}]" if check.code else check.text
        lines += textwrap.wrap(said, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
        if check.next:
            lines += textwrap.wrap(
                check.next, WIDTH, initial_indent=f"{'':{len(head)}}next: ", subsequent_indent=" " * (len(head) + 6)
            )
    failed = sum(check.status is Status.FAIL for check in checks)
    warned = sum(check.status is Status.WARN for check in checks)
    return "\n".join([*lines, f"{failed} failed, {warned} to look at, {len(checks) - failed - warned} fine"])
