"""From a command line to a running daemon: state, locks, simulator or accounts, sessions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec
import structlog
import trio

from hlomm.daemon import sim_process
from hlomm.daemon.app import Daemon, RunResult
from hlomm.daemon.beat import policy
from hlomm.daemon.desks import Desk, Keys, Local, enabled, held, live_desks, simulated_desks
from hlomm.daemon.guardian_process import GuardianKeeper, make_room
from hlomm.daemon.processors import Processors
from hlomm.daemon.restart import last_books
from hlomm.daemon.service import Service
from hlomm.domain.ids import VenueId
from hlomm.domain.units import Cash
from hlomm.rundir.lock import Lock
from hlomm.rundir.processes import started_ticks
from hlomm.settings.charge import Charge
from hlomm.settings.load import Loaded
from hlomm.settings.paths import StatePaths
from hlomm.settings.schema import Guardian, Settings
from hlomm.venues.clock import Clock

_log = structlog.get_logger("hlomm")


@attrs.frozen(kw_only=True)
class RunOptions:
    loaded: Loaded
    paths: StatePaths
    sim_file: Path | None
    duration_s: float | None
    seed: int
    speed: float
    armed: Cash
    keys: Mapping[VenueId, Keys]
    """Of the venues of a live profile, already decrypted."""
    service: Service
    """Who started this process and wants to know how it is."""
    label: str = ""
    """What people are shown for the profile, where that does not say it all."""
    local: Local | None = None
    """Accounts that are nowhere but here, of profile paper."""


async def launch(options: RunOptions) -> RunResult:
    Processors.of(options.loaded.settings.daemon.cpus)  # refuses before anything is begun
    options.paths.prepare()
    lock = Lock(options.paths.lock, f"state directory {options.paths.root}")
    try:
        await make_room(options.paths)
        if options.loaded.profile == "sim":
            return await _simulated(options)
        if options.local is not None:
            return await _run(options, options.local.clock, options.local.desks, seed=options.local.seed)
        clock = Clock()
        return await _run(options, clock, live_desks(options.loaded.settings, options.keys, clock))
    finally:
        lock.release()


async def _simulated(options: RunOptions) -> RunResult:
    settings = options.loaded.settings
    process: trio.Process | None = None
    if options.sim_file is not None:
        document = sim_process.read_document(options.sim_file)
    else:
        process, document = await sim_process.start(
            settings.sim, venues=enabled(settings), seed=options.seed, speed=options.speed,
            log=options.paths.root / "sim.log",
        )  # fmt: skip
    try:
        clock = Clock(document.clock.map())
        desks = simulated_desks(settings, document, clock)
        return await _run(options, clock, desks, simulator=process, seed=document.seed)
    finally:
        if process is not None:
            with trio.move_on_after(sim_process.STOP_S, shield=True):
                await sim_process.stop(process)


async def _run(
    options: RunOptions, clock: Clock, desks: Sequence[Desk], *, simulator: Any = None, seed: int | None = None
) -> RunResult:
    """Trade at all desks. `simulator`: the process that the venues live in, if it is ours."""
    with held(desks, options.loaded.profile):
        accounts = {desk.venue: desk.books for desk in desks}
        carried = last_books(options.paths.journal, accounts)
        sessions = {desk.venue: desk.session(None if carried is None else carried.of(desk.venue)) for desk in desks}
        guardian = _guardian(options, clock, desks)
        daemon = Daemon(
            options.loaded, options.paths, clock, sessions, armed=options.armed, seed=seed, accounts=accounts,
            carried=carried, guardian=guardian, service=options.service, tidy=True,
            fill_model="" if options.local is None else options.local.fill_model,
            label=options.label,
        )  # fmt: skip
        try:
            return await daemon.run(duration_s=options.duration_s)
        finally:
            if simulator is not None and guardian is not None:
                guardian.end()  # the venues end with this run, and nothing is left that could be made safe


def _guardian(options: RunOptions, clock: Clock, desks: Sequence[Desk]) -> GuardianKeeper | None:
    """The keeper of this run's guardian, None where the configuration wants none."""
    settings = options.loaded.settings
    charges = tuple(desk.charge for desk in desks if desk.charge is not None)
    if not charges:
        return None  # orders are in this process and end with it: nothing to make safe
    if not settings.guardian.enabled:
        _log.warning("no guardian", why="guardian.enabled is false: nobody acts if this process is killed or hangs")
        return None
    started = started_ticks(os.getpid())
    assert started is not None, "a running process has begun"
    late_s = clock.host_seconds(max(venue.late_s for venue in charges))
    charge = Charge(
        pid=os.getpid(), started=started, profile=options.loaded.profile,
        rules=_rules(settings, options.loaded.profile),
        policy=policy(settings), frozen_s=settings.flatten.deadline_s + late_s, clock=clock.map,
        venues=charges,
    )  # fmt: skip
    return GuardianKeeper(charge, options.paths, "; ".join(desk.books for desk in desks))


def _rules(settings: Settings, profile: str) -> Guardian:
    """The configured ones; but nobody waits longer for a simulator than that lives without clients."""
    if profile != "sim":
        return settings.guardian
    return msgspec.structs.replace(settings.guardian, give_up_s=min(settings.guardian.give_up_s, settings.sim.linger_s))
