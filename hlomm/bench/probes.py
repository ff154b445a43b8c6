"""Clocks around the program's own methods, for the length of a measurement.

Methods of its classes are wrapped, and unwrapped afterwards: the program knows of nothing, and what runs is what runs
without. Each wrapper costs two readings of a clock (`cost_us` says what one costs here); a decision passes about
fifteen of them.

A decision begins when the event loop came back from waiting with something to read, and is over when the first frame
of its orders was handed to the kernel. Only decisions that a frame of the market caused and that sent orders count;
their stages add up to their total.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from time import perf_counter_ns
from typing import Any, Final, Protocol

import attrs
import trio

from hlomm.bench.outside import SEEN, Outside
from hlomm.daemon.histogram import Histogram
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.pump import Pump
from hlomm.daemon.rehearsal import Rehearsal
from hlomm.domain.latency_rows import Stage
from hlomm.engine import gate
from hlomm.engine.core import Engine
from hlomm.strategy.base import Strategy
from hlomm.venues.http_connection import Prompt
from hlomm.venues.hyperliquid.batches import Encoder
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.transport import Connect
from hlomm.venues.websocket import WebSocketLink
from hlomm.venues.websocket_direct import Eager

WAITING_MAX: Final = 4_096
"""Frames queued and not written yet, of which the decision is remembered."""


class Step(StrEnum):
    """Parts of a decision, in their order."""

    READ = "read"
    """From the wake-up to plain bytes: system call and TLS."""
    PARSE = "parse"
    """Websocket and JSON to inputs, checked and merged, at the engine's door."""
    BOOK = "book"
    """The engine takes the input in."""
    QUOTE = "quote"
    """The strategy is asked."""
    RISK = "risk"
    """The gate's verdicts."""
    DECIDE = "decide"
    """All else of the turn: timers, difference to what rests, budgets, digest."""
    RECORD = "record"
    """The decision is encoded and written."""
    ENCODE_SIGN = "encode_sign"
    """Orders to signed bytes."""
    SEND = "send"
    """Everything from there to the kernel: queue, writer, framing, TLS, system call."""


STEPS: Final = tuple(Step)


@attrs.define
class Turn:
    """One decision under way: nanoseconds by step, and marks."""

    begun_ns: int
    read_ns: int
    at_engine_ns: int
    of_market: bool = False
    spent: dict[Step, int] = attrs.field(factory=lambda: dict.fromkeys(STEPS, 0))
    turned_ns: int = 0
    signed_ns: int = 0
    queued: bool = False


@attrs.define(eq=False)
class Phase:
    """What was seen while one thing was done."""

    steps: dict[Step, Histogram] = attrs.field(factory=lambda: {step: Histogram() for step in STEPS})
    parse_book: Histogram = attrs.field(factory=Histogram)
    """`read`, `parse` and `book` together: what one budget covers."""
    total: Histogram = attrs.field(factory=Histogram)
    outside: dict[Stage, Histogram] = attrs.field(factory=lambda: {stage: Histogram() for stage in SEEN})
    """The daemon's own stages of every turn, as they look from outside: what its own histograms are held against."""
    frames: dict[str, int] = attrs.field(factory=dict)
    """Frames of the market that the session took in, by kind."""
    last_frame_ns: int = 0
    turns: int = 0
    """Decisions of all kinds."""
    batches: int = 0
    """Signed actions."""

    @property
    def handled(self) -> int:
        return sum(self.frames.values())


class Probes:
    """`phase` may be exchanged at any time: what follows is counted there."""

    def __init__(self) -> None:
        self.phase = Phase()
        self._turn: Turn | None = None
        self._begun_ns = self._read_ns = 0
        self._market = False
        self._outside = Outside(lambda: self.phase.outside)
        self._waiting: deque[Turn | None] = deque(maxlen=WAITING_MAX)
        self._io = _Woken()

    @contextmanager
    def installed(self, strategies: type[Strategy]) -> Iterator[None]:
        """Inside a trio run, before the objects that are measured are made. `strategies`: the class that quotes."""
        with ExitStack() as undo:
            for owner, name, wrap in (
                *self._outside.wrappers,
                (MarketFeed, "on_book", self._of_market), (MarketFeed, "on_touch", self._of_market),
                (MarketFeed, "on_prints", self._of_market), (Pump, "__call__", self._decision),
                (Pump, "tick", self._timer), (Engine, "feed", self._timed(Step.BOOK)),
                (Engine, "turn", self._turned), (strategies, "decide", self._timed(Step.QUOTE)),
                (gate, "judge", self._timed(Step.RISK)), (JournalWriter, "append", self._written),
                (Encoder, "encode", self._signed), (WebSocketLink, "send_nowait", self._queued),
            ):  # fmt: skip
                undo.enter_context(wrapped(owner, name, wrap))
            trio.lowlevel.add_instrument(self._io)
            undo.callback(trio.lowlevel.remove_instrument, self._io)
            yield

    def tapping(self, connect: Connect, port: int) -> Connect:
        """The same way to connect; connections to `port` tell when they read and when they have written."""

        async def tapped(host: str, to: int, tls: bool, /) -> trio.abc.Stream:  # noqa: FBT001 - see Connect
            stream = await connect(host, to, tls)
            return Tap(stream, self) if to == port else stream

        return tapped

    # -- the stream

    def has_read(self, called_ns: int) -> None:
        self._begun_ns, self._read_ns = max(called_ns, self._io.at_ns), perf_counter_ns()
        self._outside.read_ns = self._read_ns

    def has_sent(self) -> None:
        """The oldest frame in the queue is with the kernel."""
        if not self._waiting:
            return
        turn = self._waiting.popleft()
        if turn is None:
            return
        now_ns, spent, phase = perf_counter_ns(), turn.spent, self.phase
        spent[Step.SEND] = now_ns - turn.signed_ns
        for step, histogram in phase.steps.items():
            histogram.add(spent[step])
        phase.parse_book.add(spent[Step.READ] + spent[Step.PARSE] + spent[Step.BOOK])
        phase.total.add(now_ns - turn.begun_ns)

    # -- wrappers

    def _of_market(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            phase = self.phase
            phase.frames[name] = phase.frames.get(name, 0) + 1
            phase.last_frame_ns = perf_counter_ns()
            self._market = True
            return original(*args)

        return call

    def _decision(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.phase.turns += 1
            turn = self._turn = Turn(self._begun_ns, self._read_ns, perf_counter_ns(), self._market)
            self._market = False
            turn.spent[Step.READ] = turn.read_ns - turn.begun_ns
            turn.spent[Step.PARSE] = turn.at_engine_ns - turn.read_ns
            try:
                return original(*args)
            finally:
                self._turn = None

        return call

    def _timer(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self._turn = None
            return original(*args)

        return call

    def _timed(self, step: Step) -> Callable[[Callable[..., Any], str], Callable[..., Any]]:
        def wrap(original: Callable[..., Any], _name: str) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                turn = self._turn
                if turn is None:
                    return original(*args)
                begun_ns = perf_counter_ns()
                try:
                    return original(*args)
                finally:
                    turn.spent[step] += perf_counter_ns() - begun_ns

            return call

        return wrap

    def _turned(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            turn = self._turn
            if turn is None:
                return original(*args)
            spent, begun_ns = turn.spent, perf_counter_ns()
            inner_ns = spent[Step.QUOTE] + spent[Step.RISK]
            outputs = original(*args)
            turn.turned_ns = perf_counter_ns()
            spent[Step.DECIDE] += turn.turned_ns - begun_ns - (spent[Step.QUOTE] + spent[Step.RISK] - inner_ns)
            return outputs

        return call

    def _written(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            found = original(*args)
            turn = self._turn
            if turn is not None and turn.turned_ns:
                turn.spent[Step.RECORD] += perf_counter_ns() - turn.turned_ns
                turn.turned_ns = 0
            return found

        return call

    def _signed(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.phase.batches += 1
            turn = self._turn
            begun_ns = perf_counter_ns()
            found = original(*args)
            if turn is not None:
                turn.signed_ns = perf_counter_ns()
                turn.spent[Step.ENCODE_SIGN] += turn.signed_ns - begun_ns
            return found

        return call

    def _queued(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            turn = self._turn
            mine = turn is not None and turn.of_market and turn.signed_ns and not turn.queued
            if turn is not None and mine:
                turn.queued = True
            self._waiting.append(turn if mine else None)  # before it is sent: it may leave within the call
            return original(*args)

        return call


@contextmanager
def wrapped(owner: Any, name: str, wrap: Callable[[Callable[..., Any], str], Callable[..., Any]]) -> Iterator[None]:
    """A function of a class or module in a wrapper, for the length of the block. What is rehearsed is not looked at."""
    original = vars(owner)[name]
    clad = wrap(original, name)

    def call(*args: Any) -> Any:
        return (original if Rehearsal.playing else clad)(*args)

    setattr(owner, name, call if callable(original) else clad)
    try:
        yield
    finally:
        setattr(owner, name, original)


def cost_us(rounds: int = 20_000) -> float:
    """What one wrapper costs: two readings of the clock, and a call."""
    probes = Probes()
    probes._turn = Turn(0, 0, 0)  # noqa: SLF001 - as inside a decision
    plain, clad = _nothing, probes._timed(Step.BOOK)(_nothing, "")  # noqa: SLF001
    took = []
    for call in (plain, clad):
        begun_ns = perf_counter_ns()
        for _ in range(rounds):
            call()
        took.append(perf_counter_ns() - begun_ns)
    return (took[1] - took[0]) / rounds / 1000


def _nothing() -> None:
    return None


class _Woken(trio.abc.Instrument):
    """When the event loop last came back from waiting."""

    def __init__(self) -> None:
        self.at_ns = 0

    def after_io_wait(self, timeout: float) -> None:
        del timeout
        self.at_ns = perf_counter_ns()


class Listener(Protocol):
    """Is told what a stream does."""

    def has_read(self, called_ns: int) -> None:
        """Bytes are there; they were asked for at that time."""

    def has_sent(self) -> None:
        """What was to be written is with the kernel."""


class Tap(trio.abc.Stream):
    """A stream that tells when it has read and when it has written."""

    def __init__(self, stream: trio.abc.Stream, listener: Listener) -> None:
        self._stream = stream
        self._listener = listener

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        called_ns = perf_counter_ns()
        data = await self._stream.receive_some(max_bytes)
        self._listener.has_read(called_ns)
        return data

    def receive_now(self, most: int) -> bytes | None:
        return self._stream.receive_now(most) if isinstance(self._stream, Prompt) else None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)
        self._listener.has_sent()

    def send_some(self, data: bytes) -> int:
        sent = self._stream.send_some(data) if isinstance(self._stream, Eager) else 0
        if sent == len(data):
            self._listener.has_sent()
        return sent

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()
