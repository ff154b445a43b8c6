"""The life of a session, whichever the venue: connect, stay connected, tell when that changes.

Theory of operation. `run` owns one nursery for the life of the session: the venue's own tasks, and the poll while the
stream is down; each connection has one of its own. Whatever ends a connection, the sequence is the same: SessionDown
together with what became of what was in flight, requests poll what matters, and a new connection is tried after a
pause, longer after each failure in a row. A venue that refuses us ends the session.

What a venue does at each stage it hands in; nothing here knows what a connection is made of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueRefused, VenueUnavailable
from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import Input, SessionDown, SessionUp
from hlomm.venues.clock import Clock
from hlomm.venues.outlet import Outlet
from hlomm.venues.protocol import Sink
from hlomm.venues.reconnecting import Pace, Reconnects
from hlomm.venues.rounds import Rounds

CONNECTING: Final = "connecting"
LIVE: Final = "live"
REST_ONLY: Final = "rest_only"
DOWN: Final = "down"
FAREWELL_S: Final = 2.0
"""Host seconds for what a session wants to have said before it is gone."""


@attrs.frozen(kw_only=True)
class Ended:
    """A connection that was lost."""

    reason: str
    lived_ns: int
    """Host time it was usable."""
    lost: Sequence[Input] = ()
    """What became of what was in flight."""


@attrs.frozen(kw_only=True)
class Stages:
    """What one venue does in the course of a session."""

    begin: Callable[[trio.Nursery], None]
    """The session begins: start what runs for all of it, and tell what an earlier run has learned."""
    introduce: Callable[[], Awaitable[None]]
    """What must be known before the first connection, tried until it succeeds. VenueRefused, VenueUnavailable."""
    connect: Callable[[Callable[[], None]], Awaitable[Ended]]
    """Open a connection, call the argument once it is usable, return when it is lost. VenueUnavailable if none comes
    about."""
    poll: Callable[[], Awaitable[object]]
    """Ask for what matters while the stream is down; what fails is counted."""
    end: Callable[[], None]
    """Let go of the nursery."""
    refresh: Callable[[], Awaitable[None]] | None = None
    """What must be known before every later attempt. VenueUnavailable."""
    arrived: Callable[[], None] | None = None
    """SessionUp was told."""
    farewell: Callable[[], Awaitable[None]] | None = None
    """Last words to the venue, for `FAREWELL_S` at most, before `end`."""


class LifePace(Pace, Protocol):
    """How a session reconnects and polls, in venue seconds."""

    @property
    def rest_poll_s(self) -> float: ...


class Requests(Protocol):
    """The venue's other way in."""

    @property
    def ok(self) -> bool | None:
        """Whether the last request was answered, None before the first."""

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Keep connections open between requests."""


@attrs.define(eq=False, kw_only=True)
class Life:
    _venue: VenueId
    _pace: LifePace
    _clock: Clock
    _outlet: Outlet
    _rest: Requests
    _rounds: Rounds
    _markets: Callable[[], int]
    """How many are known, for the log."""
    _stages: Stages
    state: str = attrs.field(init=False, default=DOWN)
    introduced: bool = attrs.field(init=False, default=False)
    """Whether that has succeeded in this run."""
    _told_rest: bool | None = attrs.field(init=False, default=None)
    """What the last SessionDown said of REST; None while up or before anything was said."""
    _connections: int = attrs.field(init=False, default=0)
    _on_first_up: Callable[[], None] = attrs.field(init=False, default=lambda: None)
    _reconnects: Reconnects = attrs.field(init=False)
    _log: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._reconnects = Reconnects(self._pace, self._clock)
        self._log = structlog.get_logger(f"hlomm.venues.{self._venue}")

    @property
    def reconnects(self) -> int:
        return max(self._connections - 1, 0)

    def is_live(self) -> bool:
        return self.state == LIVE

    async def run(self, sink: Sink, task_status: trio.TaskStatus[None]) -> None:
        """Connect and stay connected until cancelled; `started()` after the first SessionUp. VenueRefused."""
        assert self._outlet.sink is None, "a session runs once at a time"
        self._outlet.sink = sink
        self.state, self.introduced, self._told_rest, self._connections = CONNECTING, False, None, 0

        def first_up() -> None:
            task_status.started()

        self._on_first_up = first_up
        refused: VenueRefused | None = None
        try:
            async with self._rest.opened(), trio.open_nursery() as nursery:
                nursery.start_soon(self._poll_while_down)
                self._stages.begin(nursery)
                try:
                    await self._stay_connected()
                except VenueRefused as error:
                    # Kept until the nursery is closed, which would wrap it in a group.
                    refused = error
                nursery.cancel_scope.cancel(reason="the venue refuses us")
        finally:
            if self._stages.farewell is not None:
                with trio.move_on_after(FAREWELL_S, shield=True):
                    await self._stages.farewell()
            self._stages.end()
            self._outlet.sink = None
            self.state = DOWN
        if refused is not None:
            raise refused

    async def _stay_connected(self) -> None:
        self._reconnects.begin()
        while True:
            lived_ns = 0
            try:
                await self._prepare()
                ended = await self._stages.connect(self._up)
                lived_ns = ended.lived_ns
                self._down(ended.reason, ended.lost)
            except VenueUnavailable as error:
                self._down(str(error))
            await self._rounds.pause(self._reconnects.pause_s(lived_ns))

    async def _prepare(self) -> None:
        if not self.introduced:
            await self._stages.introduce()
            self.introduced = True
        elif self._stages.refresh is not None:
            await self._stages.refresh()

    def _up(self) -> None:
        self._connections += 1
        self.state = LIVE
        self._told_rest = None
        self._log.info("session up", markets=self._markets(), connection=self._connections)
        self._outlet.emit([SessionUp(self._venue)])
        if self._stages.arrived is not None:
            self._stages.arrived()
        if self._connections == 1:
            self._on_first_up()

    def _down(self, reason: str, lost: Sequence[Input] = ()) -> None:
        """Tell that the session is down if that is news, together with what became of what was in flight."""
        rest = self._rest.ok is not False
        was_up = self.state == LIVE
        self.state = REST_ONLY if rest else DOWN
        if was_up or self._told_rest != rest:
            self._log.warning("session down", reason=reason, rest=rest, in_flight_lost=len(lost))
            self._told_rest = rest
            self._outlet.emit([SessionDown(self._venue, reason, rest), *lost])
        else:
            self._outlet.emit(lost)

    async def _poll_while_down(self) -> None:
        """While the stream is down, what matters is asked for."""
        while True:
            await self._rounds.pause(self._pace.rest_poll_s)
            if self.introduced and self.state in (REST_ONLY, DOWN):
                await self._stages.poll()
                if self.state in (REST_ONLY, DOWN):
                    self._down("requests are answered again" if self._rest.ok else "requests are not answered")
