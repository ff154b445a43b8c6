"""From a command line to a running daemon: state, locks, simulator or account, sessions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import structlog
import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.daemon import sim_process
from hlomm.daemon.app import Daemon, RunResult
from hlomm.daemon.beat import policy
from hlomm.daemon.guardian_process import GuardianKeeper, make_room
from hlomm.daemon.restart import last_books
from hlomm.domain.carried import Carried
from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import HYPERLIQUID, VenueId
from hlomm.domain.units import Cash
from hlomm.rundir.lock import Lock, account_lock
from hlomm.rundir.processes import started_ticks
from hlomm.settings.charge import Charge, HyperliquidCharge
from hlomm.settings.load import Loaded
from hlomm.settings.paths import StatePaths
from hlomm.settings.schema import Guardian, Hyperliquid, Settings
from hlomm.venues.clock import Clock

_log = structlog.get_logger("hlomm")

PATIENCE_S: Final = 1.0


@attrs.frozen(kw_only=True)
class RunOptions:
    loaded: Loaded
    paths: StatePaths
    sim_file: Path | None
    duration_s: float | None
    seed: int
    speed: float
    armed: Cash
    key: str | None
    """Agent key for live profiles, already decrypted."""
    guardian_key: str | None
    """The guardian's own agent key likewise; None: it shares the daemon's."""


async def launch(options: RunOptions) -> RunResult:
    options.paths.prepare()
    lock = Lock(options.paths.lock, f"state directory {options.paths.root}")
    try:
        await make_room(options.paths)
        if options.loaded.profile == "sim":
            return await _simulated(options)
        return await _live(options)
    finally:
        lock.release()


async def _simulated(options: RunOptions) -> RunResult:
    process: trio.Process | None = None
    if options.sim_file is not None:
        document = sim_process.read_document(options.sim_file)
    else:
        process, document = await sim_process.start(
            options.loaded.settings.sim, seed=options.seed, speed=options.speed, log=options.paths.root / "sim.log"
        )
    try:
        venue = document.venues["hyperliquid"]
        clock = Clock(document.clock.map())
        account = venue.accounts[0]
        held = account_lock("hyperliquid", venue.rest, account.address)
        try:
            # A new simulator is a new venue, whatever address it has: its beginning tells it from an earlier one.
            books = _books(options, f"simulated|{venue.rest}|{account.address}|{document.clock.host_origin_ns}")
            settings = options.loaded.settings
            session = hyperliquid_session(
                patient(settings.venue.hyperliquid, clock.map.speed), clock, limits=settings.limits,
                key=account.agent_key, rest=venue.rest, ws=venue.ws, account=account.address,
                fills_from_ms=books.fills_from_ms,
            )  # fmt: skip
            guardian = _guardian(
                options, clock, books, key=account.guardian_key, rest=venue.rest, ws=venue.ws, account=account.address
            )
            try:
                return await _run(options, clock, session, books, guardian, seed=document.seed)
            finally:
                if process is not None and guardian is not None:
                    guardian.end()  # the venue ends with this run, and nothing is left that could be made safe
        finally:
            held.release()
    finally:
        if process is not None:
            with trio.move_on_after(sim_process.STOP_S, shield=True):
                await sim_process.stop(process)


def patient(section: Hyperliquid, speed: float) -> Hyperliquid:
    """Deadlines of the transport, none shorter than `PATIENCE_S` of the host.

    Venue time may run faster, but not the host's sockets and scheduler: five seconds at twenty times the pace are a
    quarter of one, and any other load on the machine would pass for a venue that is down.
    """
    least = PATIENCE_S * speed
    return msgspec.structs.replace(
        section, request_s=max(section.request_s, least), post_s=max(section.post_s, least),
        pong_s=max(section.pong_s, least), silence_s=max(section.silence_s, least),
    )  # fmt: skip


async def _live(options: RunOptions) -> RunResult:
    section = options.loaded.settings.venue.hyperliquid
    if not section.account:
        raise ConfigError("venue.hyperliquid.account is empty: set the account address to trade")
    if options.key is None:
        raise ConfigError("no agent key: set venue.hyperliquid.key_file, or HL_OMM_AGENT_KEY in the environment")
    held = account_lock("hyperliquid", section.chain, section.account)  # whichever address leads to it
    try:
        clock = Clock()
        books = _books(options, f"{section.chain}|{section.rest}|{section.account.lower()}")
        session = hyperliquid_session(
            section, clock, limits=options.loaded.settings.limits, key=options.key, fills_from_ms=books.fills_from_ms
        )
        guardian = _guardian(
            options, clock, books, key=_guardian_key(options, options.key), rest=section.rest, ws=section.ws,
            account=section.account,
        )  # fmt: skip
        return await _run(options, clock, session, books, guardian, seed=None)
    finally:
        held.release()


@attrs.frozen
class _Books:
    """Whose books a run keeps, by venue, and how the last run left them."""

    accounts: dict[VenueId, str]
    carried: Carried | None

    @property
    def fills_from_ms(self) -> int | None:
        """From when on fills of Hyperliquid may be missing."""
        return None if self.carried is None else self.carried.fills_from_ms_of(HYPERLIQUID)


def _books(options: RunOptions, account: str) -> _Books:
    accounts = {HYPERLIQUID: account}
    return _Books(accounts, last_books(options.paths.journal, accounts))


def _guardian(
    options: RunOptions, clock: Clock, books: _Books, *, key: str, rest: str, ws: str, account: str
) -> GuardianKeeper | None:
    """The keeper of this run's guardian, None where the configuration wants none."""
    settings = options.loaded.settings
    if not settings.guardian.enabled:
        _log.warning("no guardian", why="guardian.enabled is false: nobody acts if this process is killed or hangs")
        return None
    started = started_ticks(os.getpid())
    assert started is not None, "a running process has begun"
    charge = Charge(
        pid=os.getpid(), started=started, profile=options.loaded.profile,
        rules=_rules(settings, options.loaded.profile),
        policy=policy(settings), frozen_s=settings.flatten.deadline_s, clock=clock.map,
        venues=(HyperliquidCharge(section=settings.venue.hyperliquid, rest=rest, ws=ws, account=account, key=key),),
    )  # fmt: skip
    return GuardianKeeper(charge, options.paths, books.accounts[HYPERLIQUID])


def _rules(settings: Settings, profile: str) -> Guardian:
    """The configured ones; but nobody waits longer for a simulator than that lives without clients."""
    if profile != "sim":
        return settings.guardian
    return msgspec.structs.replace(settings.guardian, give_up_s=min(settings.guardian.give_up_s, settings.sim.linger_s))


def _guardian_key(options: RunOptions, shared: str) -> str:
    """The guardian's own key, or the one that the daemon has.

    Sharing is safe only because it acts when the daemon is dead: before, both would draw nonces of one signer.
    """
    if options.guardian_key is not None:
        return options.guardian_key
    if options.loaded.settings.guardian.enabled:
        _log.warning(
            "guardian shares the daemon's key", next="approve a second agent: venue.hyperliquid.guardian_key_file"
        )
    return shared


async def _run(
    options: RunOptions, clock: Clock, session: Any, books: _Books, guardian: GuardianKeeper | None, *,
    seed: int | None,
) -> RunResult:  # fmt: skip
    daemon = Daemon(
        options.loaded, options.paths, clock, {HYPERLIQUID: session}, armed=options.armed, seed=seed,
        accounts=books.accounts, carried=books.carried, guardian=guardian,
    )  # fmt: skip
    return await daemon.run(duration_s=options.duration_s)
