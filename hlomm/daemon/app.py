"""One run of the daemon: what is started in which order, and the ways it can end.

Nurseries, outside in: *outer* (journal sync, link, signals, housekeeping) is closed last, so that the record and the
operator's view last as long as there is anything to see; *trading* (timers, one session per venue) is closed first.
Whatever ends trading, the account is looked at afterwards: orders that still rest are swept, with the engine gone if
need be, and what could not be done is said.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import attrs
import structlog
import trio

from hlomm import __version__
from hlomm.assembly.engine import build_engine
from hlomm.assembly.setting_rows import setting_rows
from hlomm.daemon.beat import Beats
from hlomm.daemon.collector import Collector
from hlomm.daemon.faults import where
from hlomm.daemon.feed import Feed
from hlomm.daemon.guardian_process import GuardianKeeper
from hlomm.daemon.halt_note import HaltNoteKeeper
from hlomm.daemon.journal_files import newest_epoch
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.last_look import LastLook
from hlomm.daemon.last_resort import LastResort
from hlomm.daemon.ledger import Ledger
from hlomm.daemon.link_server import LinkServer
from hlomm.daemon.log_ring import LogRing, listening
from hlomm.daemon.monitor import Monitor
from hlomm.daemon.processors import Processors
from hlomm.daemon.pump import Pump
from hlomm.daemon.rehearsal import Rehearsal
from hlomm.daemon.service import Service
from hlomm.daemon.stages import Stages, budgets
from hlomm.daemon.summary import account_document, summarise
from hlomm.daemon.trouble import Trouble
from hlomm.daemon.waiting import first_of
from hlomm.domain.carried import Carried
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import VenueRefused
from hlomm.domain.ids import HYPERLIQUID, VenueId
from hlomm.domain.inputs import Booted, StopRequested
from hlomm.domain.outputs import (
    Alert,
    ConvertSet,
    ExitRequested,
    HaltChanged,
    HaltState,
    Output,
    Subscribe,
    Unsubscribe,
)
from hlomm.domain.units import Cash
from hlomm.rundir import owned_file
from hlomm.rundir.signals import ending
from hlomm.settings.load import Loaded
from hlomm.settings.paths import StatePaths
from hlomm.settings.running import keep
from hlomm.venues.clock import Clock
from hlomm.venues.protocol import VenueSession

_log = structlog.get_logger("hlomm")

HOUSEKEEPING_S: Final = 1.0
_HALTED: Final = frozenset({HaltState.HALTED, HaltState.FLATTENING})


@attrs.frozen(kw_only=True)
class RunResult:
    exit_code: ExitCode
    summary: dict[str, Any]


class Daemon:
    def __init__(
        self,
        loaded: Loaded,
        paths: StatePaths,
        clock: Clock,
        sessions: dict[VenueId, VenueSession],
        *,
        armed: Cash,
        seed: int | None,
        accounts: Mapping[VenueId, str] | None = None,
        carried: Carried | None = None,
        guardian: GuardianKeeper | None = None,
        tidy: bool = False,
        service: Service | None = None,
        fill_model: str = "",
        label: str = "",
    ) -> None:
        """`fill_model`: tag of what fills our orders, where no venue does. `label`: of the profile, as it is shown.

        `tidy`: the process is ours alone: garbage may be collected when it suits us, and gaps used to rehearse.
        """
        self._loaded = loaded
        self._paths = paths
        self._service = Service() if service is None else service
        self._guardian = guardian
        self._clock = clock
        self._sessions = sessions
        self._seed = seed
        self._fill_model = fill_model
        settings = loaded.settings
        host = clock.read()
        self._started_ns = host.mono_ns
        self._accounts = dict(accounts or {})
        """Whose books are kept, by venue."""
        self._carried = carried
        # Client ids begin with the epoch: it never repeats, whatever the wall clock does.
        last_ms = max(newest_epoch(paths.journal), 0 if carried is None else carried.epoch_ms)
        self._epoch_ms = max(host.wall_ms, last_ms + 1)
        engine = build_engine(settings, tuple(sessions))
        self.journal = JournalWriter.begin(paths.journal, self._epoch_ms, settings.daemon.segment_mb << 20)
        self._stages = Stages(budgets(settings))
        self.pump = Pump(engine, clock, self.journal, self._route, self._stages)
        every_s = settings.daemon.rehearse_s
        # On paper no order is ever signed, so that there is nothing to rehearse, and no signer.
        rehearses = tidy and every_s and not fill_model
        self.rehearsal = Rehearsal(loaded, self.pump, every_s) if rehearses else None
        self._collector = Collector(self.pump) if tidy and settings.daemon.collector == "gaps" else None
        self._processors = Processors.of(settings.daemon.cpus)
        if guardian is not None:
            guardian.on_start = self._processors.release
        self.monitor = Monitor(
            self.pump, sessions, profile=label or loaded.profile, armed=armed, guardian=guardian,
            fill_model=fill_model, cpus=self._processors.loop,
        )  # fmt: skip
        self.ledger = Ledger(paths, self._epoch_ms, self.monitor.alert)
        self.pump.tap, unrecorded = self.ledger.tap, self.ledger.unrecorded
        self._feed = Feed(setting_rows(loaded), LogRing(clock.wall_ms), self.ledger.audit_tail)
        self.monitor.audited = self.ledger.audited
        self.monitor.queues.append(self.ledger.queue_row)
        self._trouble = Trouble(self.pump, unattended=owned_file.read(paths.owned) is not None)
        self._link = LinkServer(
            paths.socket, self.pump, self.monitor, profile=label or loaded.profile, feed=self._feed,
            unrecorded=unrecorded, trouble=self._trouble.told,
        )  # fmt: skip
        self.last_resort = LastResort(settings.daemon.hard_stop_s)
        self._stop_wanted = trio.Event()
        self._stop_reason = ""
        self._hurry = trio.Event()
        self._stopped = trio.Event()
        self._halted_at_stop = False
        self._halt_note = HaltNoteKeeper(paths.halt)
        self._looked = False
        self._remaining: int | None = None
        """Orders of ours that rest after the end, if anybody knows."""
        self.last_look = LastLook(sessions, settings, clock, self.pump)

    # -- the run

    async def run(self, *, duration_s: float | None = None) -> RunResult:
        """Trade until told to stop; returns only with the account looked at."""
        with ExitStack() as cleanup:
            cleanup.enter_context(listening(self._feed.log))
            cleanup.enter_context(self._stages.watching_collections())
            cleanup.enter_context(self._processors.pinned())
            if self._collector is not None:
                cleanup.enter_context(self._collector.installed())
            cleanup.callback(self.last_resort.disarm)
            cleanup.callback(self.journal.close)
            cleanup.callback(self._service.close)
            async with trio.open_nursery() as outer:
                outer.start_soon(self.journal.keep_synced, self._loaded.settings.daemon.fsync_s)
                outer.start_soon(self.ledger.keep)
                await outer.start(self._link.serve)
                outer.start_soon(self._watch_signals)
                outer.start_soon(self._housekeeping)
                outer.start_soon(self._stages.watch_loop, self.monitor.alert)
                if self._collector is not None:
                    outer.start_soon(self._collector.keep)
                if self.rehearsal is not None:
                    outer.start_soon(self.rehearsal.keep)
                if duration_s is not None:
                    outer.start_soon(self._end_after, duration_s)
                self._boot()
                outer.start_soon(self._processors.keep, self.pump.note)
                outer.start_soon(self._service.keep, self.pump)
                if self._guardian is not None:
                    outer.start_soon(self._guardian.keep, self.pump, Beats(self.pump, self._loaded.settings))
                try:
                    await self._trade()
                finally:
                    self._begin_end("trading is over")
                    self._trouble.keep(self._halt_note, self._clock.wall_ms())
                    if not self._looked:
                        with trio.move_on_after(self._loaded.settings.daemon.stop_deadline_s, shield=True):
                            await self._look(live=False)
                if self._guardian is not None:
                    done = self._remaining == 0 and not self.last_look.unsold and not self._trouble.strands
                    await self._guardian.part(self._stop_reason or "the run is over", clean=done)
                outer.cancel_scope.cancel(reason="run over")
            self.journal.close()  # its last sync may tell that records are lost: before anybody says how it ended
            return self._result(self._remaining)

    async def _look(self, *, live: bool) -> None:
        """The last look, once a run."""
        self._looked = True
        self.last_look.orderly = self._trouble.broken is None
        with trio.move_on_after(self._loaded.settings.daemon.stop_deadline_s, shield=True):
            self._remaining = await self.last_look.at_all(trouble=self._in_trouble(), live=live)

    def request_stop(self, reason: str) -> None:
        """Ask for an orderly end; asked again, skip to the end of it."""
        if self._stop_wanted.is_set():
            self._hurry.set()
        else:
            self._stop_reason = reason
            self._stop_wanted.set()
            self._begin_end(reason)

    def _begin_end(self, reason: str) -> None:
        self.last_resort.start(reason)
        self._service.stopping(self._loaded.settings.daemon.hard_stop_s)

    def _boot(self) -> None:
        try:
            keep(self._paths.running, self._loaded)
        except OSError as error:
            _log.warning("running_unwritten", why=str(error), next="`hlomm config reload` has nothing to compare with")
        note, first = self._halt_note.read(), next(iter(self._sessions))
        self.pump(
            [
                Booted(
                    epoch_ms=self._epoch_ms, profile=self._loaded.profile, version=__version__,
                    config=self._loaded.engine_json(), halted=None if note is None else note.reason,
                    account=self._accounts.get(first, ""), carried=self._carried,
                    guardian_required=self._guardian is not None,
                    accounts=() if tuple(self._sessions) == (HYPERLIQUID,) else tuple(
                        (venue, self._accounts.get(venue, "")) for venue in self._sessions
                    ),
                    seed=self._seed, fill_model=self._fill_model,
                )
            ],
            0,
        )  # fmt: skip

    async def _trade(self) -> None:
        try:
            async with trio.open_nursery() as trading:
                trading.start_soon(self.pump.run_timers)
                for session in self._sessions.values():
                    trading.start_soon(self._run_session, session)
                await self._until_over()
                if not self._in_trouble():
                    await self._look(live=True)
                trading.cancel_scope.cancel(reason="run over")
        except* VenueRefused as group:
            self._trouble.refused = "; ".join(str(error) for error in group.exceptions)
            _log.critical("venue_refused", reason=self._trouble.refused, next="check account and key")
        except* Exception as group:  # noqa: BLE001 - the supervisor: whatever failed, the account is swept next
            self._trouble.crash = group
            places = where(group)
            _log.critical("crash", errors=[repr(error) for error in group.exceptions], at=places, next="sweeping")

    async def _run_session(self, session: VenueSession) -> None:
        try:
            await session.run(self.pump)
        except VenueRefused:
            self.last_look.refused_at.add(session.venue)
            raise

    def _in_trouble(self) -> bool:
        """Whether the engine could not see to the end itself."""
        return self._trouble.broken is not None or not self._stopped.is_set() or self.last_look.owes()

    async def _until_over(self) -> None:
        """Wait for the wish to stop, then for the engine to have stopped; a fault ends both waits."""
        await first_of(self._stop_wanted, self.pump.faulted)
        if self.pump.fault is not None:
            return
        self._halted_at_stop = self.pump.engine.state.halt in _HALTED
        _log.info("stopping", reason=self._stop_reason)
        flatten = self._loaded.settings.flatten.on_stop == "flatten" and not self._halted_at_stop
        self.pump([StopRequested(self._stop_reason, flatten)], 0)
        with trio.move_on_after(self._loaded.settings.daemon.stop_deadline_s) as patience:
            await first_of(self._stopped, self._hurry, self.pump.faulted)
        if patience.cancelled_caught:
            _log.critical("stop_deadline", next="sweeping the account")

    # -- outputs

    def _route(self, output: Output) -> None:
        match output:
            case Alert():
                self.monitor.alert(output)
            case HaltChanged():
                self._halt_changed(output)
            case ExitRequested(reason=reason):
                if not self._stop_wanted.is_set():  # a second request would cut the walk to safety short
                    self.request_stop(reason)
            case Subscribe(market=market) | Unsubscribe(market=market) | ConvertSet(market=market):
                self._sessions[VenueId(market.partition(":")[0])].submit(output)
            case _:
                self._sessions[output.venue].submit(output)

    def _halt_changed(self, output: HaltChanged) -> None:
        _log.info("state", state=output.state.value, reason=output.reason)
        if output.persist:
            self._halt_note.keep(output.reason, self._clock.wall_ms())
        elif output.state is HaltState.RUNNING:
            self._halt_note.clear()
        if output.state is HaltState.STOPPED:
            self._stopped.set()
        elif output.state is HaltState.HALTED and self.pump.journal_dead is not None:
            self.request_stop("the journal cannot be written")

    # -- beside trading

    async def _watch_signals(self) -> None:
        with trio.open_signal_receiver(*ending()) as signals:
            async for number in signals:
                self.request_stop(signal.Signals(number).name)

    async def _housekeeping(self) -> None:
        while True:
            await trio.sleep(HOUSEKEEPING_S)
            self.monitor.sample_pnl()
            self._halt_note.retry()

    async def _end_after(self, duration_s: float) -> None:
        await trio.sleep(duration_s)
        self.request_stop(f"duration of {duration_s:g} s is over")

    # -- the end

    def _result(self, remaining: int | None) -> RunResult:
        self._halt_note.retry()
        duration_s = (self._clock.read().mono_ns - self._started_ns) / 1e9
        summary = summarise(
            self.pump, self.monitor, profile=self._loaded.profile, seed=self._seed, duration_s=duration_s,
            venue_open_orders=remaining,
        )  # fmt: skip
        cash = {venue: self.ledger.cash(self._accounts.get(venue, "")) for venue in self.last_look.words}
        accounts = account_document(self.pump.engine.state, self.last_look.words, cash)
        resting = None if self.last_look.unsold else remaining
        unrecorded = self.pump.journal_dead is not None or self.journal.lost is not None
        return RunResult(
            exit_code=self._trouble.exit_code(unrecorded=unrecorded, halted=self._halted_at_stop, resting=resting),
            summary=summary | {"account": accounts, "ledger": self.ledger.document()},
        )
