"""`hlomm alerts`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import attrs
import click
import structlog
import trio

from hlomm.cli.alert_urls import alert_urls
from hlomm.cli.canary import profile_of
from hlomm.cli.client import Client, guardian_beside, socket_path, tell_guardian
from hlomm.daemon.alerts.digest import whose
from hlomm.daemon.alerts.looks import Looks
from hlomm.daemon.alerts.message import Message
from hlomm.daemon.api.snapshots import Snapshots
from hlomm.daemon.logs import configure
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.outputs import AlertLevel
from hlomm.keystore.folder import keystore_at
from hlomm.link.protocol import Access, Ask
from hlomm.rundir.hardening import no_core_dumps
from hlomm.rundir.signals import ending
from hlomm.settings.load import Loaded, load
from hlomm.settings.paths import StatePaths

INSTALL: Final = "alerts need apprise: `pip install apprise`, or this checkout with `pip install '.[alerts]'`"
try:
    from hlomm.daemon.alerts.services import Service, services
    from hlomm.daemon.alerts.watch import Watch
except ModuleNotFoundError as missing:
    if missing.name is not None and missing.name.startswith("hlomm"):
        raise
    raise UsageError(INSTALL) from None

_log = structlog.get_logger("hlomm.alerts")

DAEMON_S: Final = 3.0
"""A daemon that takes longer to answer is silent."""


@attrs.frozen(kw_only=True)
class Given:
    profile: str
    config_files: tuple[Path, ...]
    sets: tuple[str, ...]
    state_dir: Path | None
    socket_file: Path | None


def alerts_command(given: Given, *, test: bool, as_json: bool) -> ExitCode:
    """Watch until SIGINT or SIGTERM, whether or not a daemon runs meanwhile; or send one message to each service."""
    undone = no_core_dumps()
    loaded = load(profile_of(given.profile), given.config_files, given.sets)
    rules = loaded.settings.alerts
    found = services(alert_urls(rules.urls_file, os.environ), send_s=rules.send_s, keep_s=rules.keep_s)
    configure(loaded.settings.daemon.log, loaded.settings.daemon.log_of)
    for what in undone:
        _log.warning("core dumps are not off", why=what)
    if test:
        return report(trio.run(attempts, found, given.profile, strict_exception_groups=True), as_json=as_json)
    path = socket_path(given.profile, given.state_dir, given.socket_file)
    watch = watch_of(loaded, path, found, given.profile)
    names = [f"{one.number} {one.scheme}" for one in found]
    ready = {"ready": True, "services": names}
    click.echo(json.dumps(ready) if as_json else f"alerts to {', '.join(names)} — Ctrl-C ends it")
    try:
        trio.run(_until_signalled, watch, strict_exception_groups=True)
    finally:
        watch.snapshots.close()
    return ExitCode.CLEAN


def watch_of(loaded: Loaded, path: Path, found: list[Service], name: str) -> Watch:
    """Of the daemon behind a socket and of the guardian beside it: a viewer to both."""
    guardian = guardian_beside(path)
    snapshots = Snapshots(lambda: Client(path, DAEMON_S, access=Access.VIEWER))
    looks = Looks(
        StatePaths(path.parent), keystore_at(loaded.settings.keys.folder),
        lambda: tell_guardian(guardian, Ask(id=1), Access.VIEWER),
    )  # fmt: skip
    return Watch(loaded.settings.alerts, name, snapshots, looks, found)


async def _until_signalled(watch: Watch) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await _signal()
        nursery.cancel_scope.cancel(reason="told to end")


async def _signal() -> None:
    with trio.open_signal_receiver(*ending()) as signals:
        async for _ in signals:
            return


async def attempts(found: list[Service], profile: str) -> list[dict[str, Any]]:
    """One message to each, all at once: what became of it, by number."""
    message = Message(
        level=AlertLevel.INFO, code="test", title=f"{whose(None, profile)}: test",
        body="this is a test of `hlomm alerts`: nothing happened, nothing was done — nothing to do",
    )  # fmt: skip
    rows: list[dict[str, Any]] = []

    async def attempt(service: Service) -> None:
        why = await service.attempt(message)
        rows.append({"service": service.number, "scheme": service.scheme, "sent": not why, "why": why})

    async with trio.open_nursery() as nursery:
        for service in found:
            nursery.start_soon(attempt, service)
    return sorted(rows, key=lambda row: int(row["service"]))


def report(rows: list[dict[str, Any]], *, as_json: bool) -> ExitCode:
    if as_json:
        click.echo(json.dumps({"services": rows}))
    else:
        for row in rows:
            click.echo(f"{row['service']} {row['scheme']}: {'sent' if row['sent'] else row['why']}")
    return ExitCode.CLEAN if all(row["sent"] for row in rows) else ExitCode.REFUSED
