"""One guardian from start to end."""

from __future__ import annotations

import signal
from typing import Final

import structlog
import trio

from hlomm.assembly.venues import guardian_session
from hlomm.domain.faults import VenueUnavailable
from hlomm.guardian import policy
from hlomm.guardian.account import Account
from hlomm.guardian.act import Act
from hlomm.guardian.record import Careful, Record
from hlomm.guardian.reduce_only import ReduceOnly
from hlomm.guardian.server import Access, Server
from hlomm.guardian.watch import Process, Watch
from hlomm.link.guardian import Phase
from hlomm.rundir import owned_file
from hlomm.rundir.lock import Lock
from hlomm.rundir.processes import HeldProcess
from hlomm.settings.charge import Charge
from hlomm.settings.paths import StatePaths
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Transport

FAREWELL_S: Final = 0.2
"""Between the last change of phase and the end, so that whoever caused it hears of it."""
ACCESS_TRIES: Final = 3


async def guard(
    charge: Charge,
    paths: StatePaths,
    *,
    clock: Clock | None = None,
    process: Process | None = None,
    transport: Transport | None = None,
) -> Phase:
    """Watch one daemon until that is over; the phase it ended in. AnotherInstance if the place is taken."""
    lock = Lock(paths.guardian_lock, f"the guardian's place in {paths.root}")
    record = Record(paths.guardian_log)
    try:
        return await _Guardian(charge, paths, clock, process, transport, record).run()
    finally:
        record.close()
        lock.release()


class _Guardian:
    def __init__(
        self, charge: Charge, paths: StatePaths, clock: Clock | None, process: Process | None,
        transport: Transport | None, record: Record,
    ) -> None:  # fmt: skip
        self._charge = charge
        self._record = record
        clock = Clock(charge.clock) if clock is None else clock
        several = len(charge.venues) > 1
        accounts = []
        for venue in charge.venues:
            session = ReduceOnly(guardian_session(venue, clock, transport))
            name = f"{venue.venue} " if several else ""
            accounts.append(Account(venue, venue.place(charge.profile), session, clock, record, name=name))
        self._accounts = accounts
        held = HeldProcess(charge.pid, charge.started) if process is None else process
        marker = owned_file.read(paths.owned)
        # A halt note says that somebody has been at this account after whatever left the marker.
        owning = marker is not None and not paths.halt.exists()
        self._watch = Watch(charge, held, self._record, owning=owning)
        self._act = Act(charge, paths, accounts, clock, self._record)
        self._access = Access()
        self._server = Server(charge, paths, self._watch, self._act, self._access, self._record, clock)
        self._record(
            "started", daemon=charge.pid, owning=owning, profile=charge.profile,
            accounts=[f"{venue.venue} {venue.account}" for venue in charge.venues],
        )  # fmt: skip

    async def run(self) -> Phase:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._server.serve)
            nursery.start_soon(self._signals)
            nursery.start_soon(self._check_access)
            await self._watch.run()
            if self._watch.act.is_set():
                await self._make_safe()
            await trio.sleep(FAREWELL_S)
            nursery.cancel_scope.cancel(reason="nothing is left to guard")
        self._record("ended", phase=self._watch.phase.value)
        return self._watch.phase

    async def _make_safe(self) -> None:
        try:
            while self._watch.phase is Phase.ACTING:
                await self._act.run(self._watch)
                await self._stay()
        finally:
            self._act.release()

    async def _stay(self) -> None:
        """Look once more, and be there to be asked, until the time is over or somebody wants the place or an act."""
        until_s = trio.current_time() + self._charge.rules.linger_s
        async with trio.open_nursery() as nursery:

            async def until(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel(reason="wanted elsewhere, or again")

            nursery.start_soon(until, self._server.leave)
            nursery.start_soon(until, self._watch.act)
            if self._watch.phase is not Phase.STOOD_DOWN:
                await self._act.late_look(self._watch)
            self._act.release()
            await trio.sleep_until(max(until_s, trio.current_time()))
            nursery.cancel_scope.cancel(reason="it was there long enough")

    async def _check_access(self) -> None:
        """Find out whether the venues take our keys while there is still time to say so."""
        async with trio.open_nursery() as nursery:
            for account in self._accounts:
                nursery.start_soon(self._check_one, account)
        self._access.known.set()

    async def _check_one(self, account: Account) -> None:
        for _ in range(ACCESS_TRIES):
            try:
                refusal = await account.session.check_access()
            except VenueUnavailable as error:
                self._access.inconclusive += 1
                self._record("access unknown", venue=account.charge.venue, why=str(error)[:200])
            else:
                if refusal is not None:
                    self._access.refusal = f"{account.charge.venue}: {refusal}"
                    self._record("access refused", venue=account.charge.venue, why=refusal[:200])
                return

    async def _signals(self) -> None:
        """A service manager ends everybody at once; a guardian leaves last, when its daemon is gone and safe."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async for number in signals:
                self._record("signal", name=signal.Signals(number).name, phase=self._watch.phase.value)
                self._server.leave.set()
                if self._watch.phase is Phase.WAITING and not self._watch.owning:
                    self._watch.meet(policy.Event.VANISHED, "told to end before any daemon registered")


def configure_logs(stream: Careful) -> None:
    """Logs of the rooms below, as JSON lines that a full disk cannot turn into a crash."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=stream),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
