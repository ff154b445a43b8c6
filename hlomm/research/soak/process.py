"""One run of the daemon: the engine, its pump and the journal, from boot to death.

The order within a turn is the product's: input, decision, record, then the outputs leave. A write that fails stops
everything risky; a write that is cut short ends the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from hlomm.assembly.engine import build_engine
from hlomm.domain.carried import Carried
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, venue_of
from hlomm.domain.inputs import Booted, Input, JournalFailed, StopRequested
from hlomm.domain.outputs import (
    Alert,
    AmendOrders,
    ConvertSet,
    ExitRequested,
    HaltChanged,
    HaltState,
    Output,
    PlaceOrders,
    Subscribe,
    Unsubscribe,
)
from hlomm.domain.times import Now
from hlomm.engine.core import Engine
from hlomm.journal.codec import FAULT_NOTE, CheckpointRecord, InputRecord, NoteRecord, Record, TurnRecord, encode
from hlomm.journal.framing import frame
from hlomm.research.soak.beside.desk import Desk as BesideDesk
from hlomm.research.soak.desk import Desk
from hlomm.research.soak.disk import Disk, PowerCut
from hlomm.research.soak.front import OURS
from hlomm.research.soak.host import BOOT_NS
from hlomm.research.soak.inside import Inside
from hlomm.settings.load import Loaded

_RISKY: Final = (PlaceOrders, AmendOrders, ConvertSet)


class Witness(Protocol):
    """Sees every decision, before it takes effect, and every byte that was written."""

    def before(self, process: Process) -> None: ...
    def decided(self, process: Process, now: Now, outputs: Sequence[Output]) -> None: ...
    def written(self, frames: bytes) -> None: ...
    def fault(self, process: Process, error: Exception) -> None: ...


class Process:
    """Alive from construction until `die` (the world's doing) or `left` (its own)."""

    def __init__(
        self, inside: Inside, disk: Disk, desk: Desk, beside: Mapping[VenueId, BesideDesk], loaded: Loaded,
        epoch_ms: int, carried: Carried | None, witness: Witness, ended: Callable[[Process], None],
    ) -> None:  # fmt: skip
        self.inside = inside
        self._disk = disk
        self.desk = desk
        self.beside = beside
        self.desks: dict[VenueId, Desk | BesideDesk] = {HYPERLIQUID: desk, **beside}
        self.epoch_ms = epoch_ms
        self._witness = witness
        self._ended = ended
        self.engine: Engine = build_engine(loaded.settings, tuple(self.desks))
        self.alive = True
        self.faulted = False
        self.journal_dead = False
        self.exit_wanted: str | None = None
        self._sold_at_stop = loaded.settings.flatten.on_stop == "flatten"
        self._inbox: deque[Input | None] = deque()
        self._running = False
        self._seq = 0
        self._armed_ns: int | None = None
        self._booted = Booted(
            epoch_ms=epoch_ms, profile=loaded.profile, version="soak", config=loaded.engine_json(),
            halted=disk.halted, account=OURS, carried=carried, guardian_required=True,
            accounts=tuple((venue, OURS) for venue in self.desks) if beside else (),
        )  # fmt: skip

    # -- from outside

    def boot(self) -> None:
        """Write the first record, then connect."""
        self._disk.open(self.epoch_ms)
        self.inside.life.emit = self.feed
        self.feed([self._booted])
        if self.alive:
            for desk in self.desks.values():
                desk.start()

    def feed(self, items: Sequence[Input]) -> None:
        """Inputs in order, each with its own turn."""
        if not self.alive or self.faulted:
            return
        self._inbox.extend(items)
        self._drain()

    def stop(self, reason: str) -> None:
        """SIGTERM."""
        self.feed([StopRequested(reason, self._sold_at_stop)])

    def die(self) -> None:
        """SIGKILL, or the machine's equivalent."""
        if self.alive:
            self.alive = False
            self.kill()
            self._ended(self)

    def kill(self) -> None:
        """Every venue sees its connection end."""
        for desk in self.desks.values():
            desk.kill()

    def book_heard_ns(self, market: MarketId) -> int | None:
        """When a market's book last reached this process."""
        return self.desks[venue_of(market)].book_heard_ns.get(market)

    @property
    def up(self) -> bool:
        """Every session."""
        return all(desk.up for desk in self.desks.values())

    @property
    def tripped(self) -> bool:
        """A fuse has: only another process can trade again."""
        return self.desk.posting.fuse.tripped is not None or any(
            desk.fuse.tripped is not None for desk in self.beside.values()
        )

    @property
    def halt(self) -> HaltState:
        return self.engine.state.halt

    @property
    def left(self) -> bool:
        """Nothing more will come of it: it stopped, or its engine is frozen."""
        return self.faulted or self.halt is HaltState.STOPPED

    # -- the pump

    def _drain(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            while self._inbox and self.alive and not self.faulted:
                self._turn(self._inbox.popleft())
        except PowerCut:
            self.die()
        finally:
            self._running = False
        if self.alive and self.left:
            self._ended(self)
        else:
            self._rearm()

    def _turn(self, item: Input | None) -> None:
        now = self.inside.clock.now()
        records: list[Record] = []
        if item is not None:
            records.append(InputRecord(self._next(), now, item))
        self._witness.before(self)
        try:
            if item is not None:
                self.engine.feed(item, now)
            outputs = self.engine.turn(now)
        except Exception as error:  # noqa: BLE001 - a fault of the engine is a finding, whatever it is
            self.faulted = True
            self._write([*records, NoteRecord(self._next(), now, f"{FAULT_NOTE}{error!r}")])
            self._witness.fault(self, error)
            return
        records.append(TurnRecord(self._next(), now, self.engine.digest(), tuple(outputs)))
        books = self.engine.checkpoint()
        if books is not None:
            records.append(CheckpointRecord(self._next(), now, books))
        self._write(records)
        self._witness.decided(self, now, outputs)
        for output in outputs:
            self._route(output)

    def _route(self, output: Output) -> None:
        match output:
            case Alert():
                pass
            case HaltChanged():
                if output.persist:
                    self._disk.halted = output.reason
                elif output.state is HaltState.RUNNING:
                    self._disk.halted = None
                elif output.state is HaltState.HALTED and self.journal_dead:
                    self.exit_wanted = "the journal cannot be written"
            case ExitRequested(reason=reason):
                self.exit_wanted = reason
            case _:
                if not (self.journal_dead and isinstance(output, _RISKY)):
                    self.desks[_venue(output)].submit(output)
        if self.exit_wanted is not None and self.halt not in (HaltState.STOPPING, HaltState.STOPPED):
            reason, self.exit_wanted = self.exit_wanted, None
            self._inbox.append(StopRequested(reason, self._sold_at_stop))

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _write(self, records: Sequence[Record]) -> None:
        if self.journal_dead:
            return
        frames = b"".join(frame(encode(record)) for record in records)
        try:
            self._disk.append(self.epoch_ms, frames)
        except OSError as error:
            self.journal_dead = True
            self._inbox.appendleft(JournalFailed(error.strerror or str(error)))
            return
        self._witness.written(frames)

    # -- deadlines

    def _rearm(self) -> None:
        if not self.alive or self.faulted:
            return
        deadline_ns = self.engine.next_deadline()
        if deadline_ns is None:
            return
        when_ns = max(deadline_ns - BOOT_NS, self.inside.timeline.now_ns)
        if self._armed_ns is None or when_ns < self._armed_ns:
            self._armed_ns = when_ns
            self.inside.timeline.at(when_ns, self.inside.mine(lambda: self._tick(when_ns)))

    def _tick(self, when_ns: int) -> None:
        if self._armed_ns != when_ns:
            return  # a nearer deadline took its place
        self._armed_ns = None
        deadline_ns = self.engine.next_deadline()
        if deadline_ns is not None and deadline_ns - BOOT_NS <= self.inside.timeline.now_ns:
            self._inbox.append(None)
        self._drain()


def _venue(output: Output) -> VenueId:
    if isinstance(output, ConvertSet | Subscribe | Unsubscribe):
        return venue_of(output.market)
    assert not isinstance(output, Alert | HaltChanged | ExitRequested), "not for a venue"
    return output.venue
