"""The one place that touches the engine.

A synchronous function: whoever received an input calls it, and when it returns the engine has decided, the decision
is on record and the outputs are with their sessions. So inputs are totally ordered and nothing sits between socket
and order. An output may answer back at once (a full queue refuses an order): such an input waits its turn in the
inbox of the call that is running.

What comes in one call is fed input by input and decided on once, as long as it only tells how markets and our orders
stand: after the last of it, or with the first input that is more than that. A feed that delivers ten books in one piece
has moved on from nine of them: to act on those would cost the time that it takes to fall behind. A venue that answers
for two quotes has said nothing of either that the other could not wait for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import structlog
import trio

from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.stages import Stages
from hlomm.domain.inputs import MARKET_NEWS, Input, JournalFailed, OrderClosed, OrderOpened
from hlomm.domain.latency_rows import Stage
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, Output, PlaceOrders
from hlomm.domain.times import NS_PER_S
from hlomm.engine.core import Engine
from hlomm.journal.codec import FAULT_NOTE, CheckpointRecord, InputRecord, NoteRecord, Record, TurnRecord, encode
from hlomm.journal.framing import frame
from hlomm.venues.clock import Clock

_log = structlog.get_logger("hlomm.pump")

INBOX_LIMIT: Final = 100_000
"""Inputs waiting inside one call; beyond it something feeds the engine in a circle."""
_JOINED: Final = MARKET_NEWS | {OrderOpened, OrderClosed}
"""Inputs that wait for the others of their call before they are decided on."""
_RISKY: Final = (PlaceOrders, AmendOrders, ConvertSet)
_ORDERS: Final = (PlaceOrders, AmendOrders, CancelOrders)


class Pump:
    def __init__(
        self, engine: Engine, clock: Clock, journal: JournalWriter, route: Callable[[Output], None], stages: Stages
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.journal = journal
        self.stages = stages
        self._route = route
        self.tap: Callable[[Sequence[Record]], None] = _nobody
        """Told of records once they are written; it must neither wait nor raise."""
        self._inbox: deque[tuple[Sequence[Input], int]] = deque()
        """What is decided on together, and when it was received."""
        self._running = False
        self._seq = 0
        self._poke = trio.Event()
        self._armed_ns: int | None = None
        self.fault: Exception | None = None
        """What froze the engine; from then on inputs are dropped and a sweep takes over."""
        self.faulted = trio.Event()
        self.untimed = False
        """Its timers have ended: deadlines pass, and a sweep without the engine is under way or to come."""
        self.journal_dead: str | None = None
        self.withheld = 0
        """Outputs not sent because no record of them could be written."""
        self.dropped = 0
        """Inputs that came after the freeze."""
        self.news = 0
        """How often news of markets came."""
        self.inbox_peak = 0
        self.decided_ns = 0
        """When the last decision was on record, by the host's monotonic clock."""

    def __call__(self, items: Sequence[Input], received_ns: int) -> None:
        """Feed inputs in order and decide on them. `received_ns` is the host's monotonic receive time."""
        self.news += bool(items) and type(items[0]) in MARKET_NEWS
        self._inbox.extend((together, received_ns) for together in _turns(items))
        self.inbox_peak = max(self.inbox_peak, len(self._inbox))
        assert len(self._inbox) <= INBOX_LIMIT, "the engine is fed in a circle"
        self._drain()

    def tick(self) -> None:
        """A turn without an input, for deadlines."""
        self._inbox.append(((), 0))
        self._drain()

    def note(self, text: str) -> None:
        """Put something the shell did on record."""
        self._write([NoteRecord(self._next_seq(), self.clock.now(), text)])

    def _drain(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            while self._inbox and self.fault is None:
                self._turn(*self._inbox.popleft())
        except Exception as error:  # noqa: BLE001 - whatever the engine raises, the answer is to freeze and sweep
            self._freeze(error)
        finally:
            self._running = False
            if self.fault is not None:
                self.dropped += sum(len(items) for items, _ in self._inbox)
                self._inbox.clear()

    def _freeze(self, error: Exception) -> None:
        self.fault = error
        self.faulted.set()
        _log.critical("engine_fault", error=repr(error), next="cancelling and flattening without the engine")

    def _turn(self, items: Sequence[Input], received_ns: int) -> None:
        engine, stages, read, now = self.engine, self.stages, self.clock.read, self.clock.now()
        begun_ns = read().mono_ns
        records: list[Record] = []
        try:
            for item in items:
                records.append(InputRecord(self._next_seq(), now, item))
                engine.feed(item, now)
            outputs = engine.turn(now)
        except Exception as error:
            # The input that broke it goes on record, so that a replay breaks in the same place.
            self._write([*records, NoteRecord(self._next_seq(), now, f"{FAULT_NOTE}{error!r}")])
            raise
        decided_ns = read().mono_ns
        records.append(TurnRecord(self._next_seq(), now, engine.digest(), tuple(outputs)))
        books = engine.checkpoint()
        if books is not None:
            records.append(CheckpointRecord(self._next_seq(), now, books))
        self._write(records)
        self.decided_ns = recorded_ns = read().mono_ns
        for output in outputs:
            if self.journal_dead is not None and isinstance(output, _RISKY):
                self.withheld += 1
                continue
            self._route(output)
        stages.took(Stage.DECIDE, decided_ns - begun_ns)
        stages.took(Stage.RECORD, recorded_ns - decided_ns)
        if received_ns:
            stages.took(Stage.DECODE, begun_ns - received_ns)
        if any(isinstance(output, _ORDERS) for output in outputs):
            sent_ns = read().mono_ns
            stages.took(Stage.SEND, sent_ns - recorded_ns)
            if received_ns:
                stages.took(Stage.TOTAL, sent_ns - received_ns)
        self._rearm()

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _write(self, records: Sequence[Record]) -> None:
        if self.journal_dead is not None:
            return
        frames = b"".join(frame(encode(record)) for record in records)
        try:
            self.journal.append(frames, len(records))
        except OSError as error:
            self.journal_dead = error.strerror or str(error)
            _log.critical("journal_failed", error=self.journal_dead, next="cancelling everything, then HALTED")
            self._inbox.appendleft(((JournalFailed(self.journal_dead),), 0))
            return
        self.tap(records)

    # -- deadlines

    def _rearm(self) -> None:
        deadline_ns = self.engine.next_deadline()
        if deadline_ns is not None and (self._armed_ns is None or deadline_ns < self._armed_ns):
            self._poke.set()

    async def run_timers(self) -> None:
        """Call `tick` whenever the engine's next deadline comes."""
        try:
            while self.fault is None:
                deadline_ns = self.engine.next_deadline()
                self._armed_ns = deadline_ns
                self._poke = trio.Event()
                wait_s = float("inf")
                if deadline_ns is not None:
                    wait_s = max(self.clock.host_seconds((deadline_ns - self.clock.now().mono_ns) / NS_PER_S), 0.0)
                with trio.move_on_after(wait_s):
                    await self._poke.wait()
                await trio.lowlevel.checkpoint()
                deadline_ns = self.engine.next_deadline()
                if deadline_ns is not None and deadline_ns <= self.clock.now().mono_ns:
                    self.tick()
        finally:
            self.untimed = True


def _turns(items: Sequence[Input]) -> Iterator[Sequence[Input]]:
    """Inputs by the decision they share."""
    begun: list[Input] = []
    for item in items:
        begun.append(item)
        if type(item) not in _JOINED:
            yield begun
            begun = []
    if begun:
        yield begun


def _nobody(records: Sequence[Record]) -> None:
    del records
