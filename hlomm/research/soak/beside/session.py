"""One process's session at a venue beside Hyperliquid: what is the same at each of them.

A stream brings news and books, orders go by request, one after the other for each order; while the stream is down the
account is polled. What takes several requests is written as a generator that yields them (or seconds to wait), which
ends early at the first that is not answered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

from hlomm.assembly.venues import fuse_limits
from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.inputs import (
    BookSnapshot,
    ClockSkew,
    Input,
    SessionDown,
    SessionUp,
)
from hlomm.research.soak.beside.door import Door
from hlomm.research.soak.inside import Within
from hlomm.research.soak.network import Failure, Line
from hlomm.research.soak.timeline import S
from hlomm.research.soak.weather import Weather
from hlomm.settings.schema import Settings
from hlomm.venues.counters import Counters
from hlomm.venues.fuse import Fuse
from hlomm.venues.pacing import backoff_s

IDLE_S: Final = 60.0
BUSY_S: Final = 10.0
"""Between two looks at the account: when nothing of ours happens, and for a while after something did."""
BUSY_FOR_S: Final = 40.0
SKEW_S: Final = 120.0
POLL_S: Final = 10.0
RECONNECT_CAP_S: Final = 30.0

Steps = Generator[Callable[[], Any] | float, Any, Any]
Turn = Callable[[Callable[[], None]], None]
"""Something to do with an order when its turn has come; it calls back when it is over."""


class Nudge:
    """The stream says that the list of contracts is another one."""


class Session(ABC):
    """See the module."""

    def __init__(
        self, inside: Within, weather: Weather, door: Door, settings: Settings, fills_from_ms: int | None
    ) -> None:
        self._in = inside
        self._weather = weather
        self.door = door
        self.venue = door.venue
        self._fills_from_ms = fills_from_ms
        self.counters = Counters()
        self.fuse = Fuse(self.venue, fuse_limits(settings.limits))
        self.up = False
        self.line: Line | None = None
        self.book_heard_ns: dict[MarketId, int] = {}
        """When each market's book last reached this process."""
        self._introduced = False
        self._told_rest: bool | None = None
        self._failures = 0
        self._subscribed: dict[MarketId, None] = {}
        self._turns: dict[ClientId, deque[Turn]] = {}
        self._asking: set[ClientId] = set()
        self._readers: list[Callable[[Any], None]] = []
        self._busy_ns = -(10**18)

    # -- what a venue does its own way

    @abstractmethod
    def _introduce(self) -> Steps:
        """Everything that must be known before the first connection; emits what is news."""

    @abstractmethod
    def _read_lists(self) -> Steps:
        """Contracts listed, changed and ended."""

    @abstractmethod
    def _read_account(self) -> Steps:
        """Fills that are not told yet, then the account itself."""

    @abstractmethod
    def _news(self, item: object) -> list[Input]:
        """What the private stream brings."""

    @abstractmethod
    def _came_up(self, line: Line) -> None:
        """The session is up: begin what it does by the clock."""

    # -- life

    def start(self) -> None:
        self._in.after(0.1, self._connect)
        self._in.after(POLL_S, self._poll_while_down)

    def kill(self) -> None:
        """The process is gone: the venue sees its connection end."""
        self._in.life.dead = True
        if self.line is not None:
            self.line.drop("process died")

    def _do(self, steps: Steps, done: Callable[[Any], None] = lambda _result: None) -> None:
        """Walk through the requests; `done` is told what the steps return, or the first Failure."""

        def resume(value: Any) -> None:
            if isinstance(value, Failure):
                steps.close()
                done(value)
                return
            try:
                wanted = steps.send(value)
            except StopIteration as end:
                done(end.value)
                return
            if isinstance(wanted, float):
                self._in.after(wanted, lambda: resume(None))
            else:
                self._in.request(wanted, resume)

        resume(None)

    # -- connecting

    def _connect(self) -> None:
        self._do(self._first_steps(), self._open)

    def _first_steps(self) -> Steps:
        yield from self._measure()
        if not self._introduced:
            yield from self._introduce()
            self._introduced = True
        else:
            yield from self._read_lists()

    def _measure(self) -> Steps:
        venue_ms = yield lambda: self.door.now_ms
        self._in.ahead_ms = venue_ms - self._in.clock.wall_ms()
        self._in.emit([ClockSkew(self.venue, self._in.ahead_ms)])

    def _open(self, result: Any) -> None:
        if isinstance(result, Failure):
            self._down(result.value)
            self._again()
            return
        inside = self._in
        line = Line(
            inside.timeline, inside.weather, inside.rng, inside.network, inside.mine(self._receive),
            inside.mine(self._lost),
        )  # fmt: skip
        self.line = line
        self._in.after(0.3, lambda: self._come_up(line))

    def _come_up(self, line: Line) -> None:
        def done(result: Any) -> None:
            if self.line is not line:
                return
            if isinstance(result, Failure):
                line.drop("not reconciled")
                return
            self.up, self._told_rest, self._failures = True, None, 0
            self._in.emit([SessionUp(self.venue)])
            for market in list(self._subscribed):
                self.publish_book(market)
            self._in.after(BUSY_S, lambda: self._keep_reconciled(line, 0))
            self._in.after(SKEW_S, lambda: self._keep_time(line))
            self._came_up(line)

        if self.line is line:
            self._read(done)

    def _lost(self, reason: str) -> None:
        self.line = None
        self._down(reason)
        self._again()

    def _again(self) -> None:
        self._failures += 1
        pause_s = backoff_s(self._failures - 1, base_s=0.5, cap_s=RECONNECT_CAP_S, jitter=self._in.rng.random())
        self._in.after(pause_s, self._connect)

    def _down(self, reason: str) -> None:
        rest = self._in.rest_ok is not False
        was_up, self.up = self.up, False
        if was_up or self._told_rest != rest:
            self._told_rest = rest
            self._in.emit([SessionDown(self.venue, reason, rest)])

    def _poll_while_down(self) -> None:
        self._in.after(POLL_S, self._poll_while_down)
        if self.up or not self._introduced:
            return

        def done(result: Any) -> None:
            if not self.up:
                ok = not isinstance(result, Failure)
                self._down("requests are answered again" if ok else "requests are not answered")

        self._read(done)
        self._do(self._read_books())

    def _read_books(self) -> Steps:
        for market in list(self._subscribed):
            book = yield partial(self.door.book, market)
            if book is not None:
                self._heard(book)

    # -- upkeep

    def busy(self) -> None:
        """Something of ours happens: the account is looked at more often for a while."""
        self._busy_ns = self._in.timeline.now_ns

    def _keep_reconciled(self, line: Line, looks: int) -> None:
        """The account when its time has come, and every few looks the contracts."""
        if self.line is not line:
            return
        busy = self._in.timeline.now_ns - self._busy_ns < BUSY_FOR_S * S
        if busy or looks % round(IDLE_S / BUSY_S) == 0:
            self._read(lambda _result: None)
        if looks % round(IDLE_S / BUSY_S) == 0:
            self._do(self._read_lists())
        self._in.after(BUSY_S, lambda: self._keep_reconciled(line, looks + 1))

    def _keep_time(self, line: Line) -> None:
        if self.line is line:
            self._do(self._measure())
            self._in.after(SKEW_S, lambda: self._keep_time(line))

    # -- from the line

    def push(self, item: object) -> None:
        """Something the venue's streams say."""
        if self.line is not None:
            self.line.down(item)

    def publish_books(self) -> None:
        for market in self._subscribed:
            book = self.door.book(market)
            if book is not None:
                self.push(book)

    def _receive(self, item: object) -> None:
        if isinstance(item, BookSnapshot):
            self._heard(item)
        elif isinstance(item, Nudge):
            self._do(self._read_lists())
        else:
            self.busy()
            self._in.emit(self._news(item))

    def _heard(self, book: BookSnapshot) -> None:
        if book.market in self._subscribed:
            self.book_heard_ns[book.market] = self._in.timeline.now_ns
            self._in.emit([book])

    def publish_book(self, market: MarketId) -> None:
        book = self.door.book(market)
        if self.line is not None and book is not None and market in self._subscribed:
            self.line.down(book)

    def _read(self, done: Callable[[Any], None]) -> None:
        """Read the account; who asks while it is being read is told the same."""
        self._readers.append(done)
        if len(self._readers) == 1:
            self._do(self._read_account(), self._was_read)

    def _was_read(self, result: Any) -> None:
        readers, self._readers = self._readers, []
        for done in readers:
            done(result)
