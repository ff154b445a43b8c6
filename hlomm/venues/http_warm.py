"""Connections for requests that must not wait: open before they are needed, and kept from going cold.

Theory of operation. Each line is a connection of its own with a task that opens it, reopens it after a growing pause,
and asks a cheap question whenever it has been idle for a while: a server that closes idle connections then has no
reason to, and a path that has died in silence is found out by that question and not by an order. The question is the
owner's, who may have it put off; a line that has grown too old meanwhile is replaced. What finds no line free and open
is told so at once (NotSent) and may go another way. What went out on a line never goes another way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer, HttpLimits, NotSent
from hlomm.venues.http_connection import HttpConnection
from hlomm.venues.reconnecting import Pace, Reconnects

_log = structlog.get_logger("hlomm.venues")


@attrs.frozen(kw_only=True)
class Warming:
    """How lines are kept. Seconds of the host's clock, for it is the peer's patience that counts."""

    lines: int
    after_s: float
    """Idle for so long, a line is asked the question."""
    method: str
    path: str
    body: bytes = b""
    may_ask: Callable[[], bool]
    """Takes what the question costs, False if that cannot be spared now."""
    pace: Pace
    """Of opening again."""


@attrs.define(eq=False)
class WarmLines:
    """Lines to one host. `prefix` is what the base URL has before every path."""

    _dial: Callable[[], Awaitable[trio.abc.Stream]]
    """VenueUnavailable if no connection comes about in time."""
    _host: str
    _prefix: str
    _limits: HttpLimits
    _warming: Warming
    _clock: Clock
    _counters: Counters
    _lines: list[HttpConnection] = attrs.field(factory=list)
    """Open ones."""
    _one_at_a_time: trio.Lock = attrs.field(factory=trio.Lock)
    """Questions take turns, so that they never occupy all lines."""

    @property
    def ready(self) -> int:
        """Lines that would take a request now."""
        return sum(line.free for line in self._lines)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """The answer, whatever its status.

        NotSent at once if no line takes it: then, and only then, it may be sent another way. VenueUnavailable if it
        was not answered within the deadline.
        """
        for line in tuple(self._lines):
            if line.free:
                try:
                    return await line.ask(method, self._prefix + path, body, headers, self._limits.request_s)
                except NotSent:
                    self._counters.add("warm_lines_found_closed")
        raise NotSent(f"{method} {path} was not sent: no connection is open and free")

    async def run(self) -> None:
        """Have the lines open until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(self._warming.lines):
                nursery.start_soon(self._stay_open)

    async def _stay_open(self) -> None:
        reconnects, said = Reconnects(self._warming.pace, self._clock), False
        while True:
            lived_ns = 0
            try:
                line = HttpConnection(await self._dial(), self._host, self._limits)
            except VenueUnavailable as error:
                self._counters.add("warm_lines_not_opened")
                if not said:
                    _log.warning("no connection is kept warm for requests", host=self._host, reason=str(error))
                said = True
            else:
                self._counters.add("warm_lines_opened")
                said, opened_ns = False, self._clock.read().mono_ns
                await self._live(line)
                lived_ns = self._clock.read().mono_ns - opened_ns
                self._counters.add("warm_lines_lost")
                _log.debug("a connection kept warm was lost", host=self._host, reason=line.lost)
            await self._clock.sleep(reconnects.pause_s(lived_ns))

    async def _live(self, line: HttpConnection) -> None:
        """Until the line is lost."""
        self._lines.append(line)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_warm, line)
                await line.read()
                nursery.cancel_scope.cancel(reason="the line is lost")
        finally:
            self._lines.remove(line)

    async def _keep_warm(self, line: HttpConnection) -> None:
        after_s = self._warming.after_s
        while True:
            due_s = (line.touched_s if line.free else trio.current_time()) + after_s
            if trio.current_time() < due_s:
                await trio.sleep_until(due_s)  # an instant: what is left of a span may be too little to move a clock
            elif line.idle_s() > self._limits.keepalive_s:
                line.lose("idle for too long, and no question could be spared")
            elif not self._warming.may_ask():
                self._counters.add("warm_questions_put_off")
                await trio.sleep(after_s / 4)
            else:
                await self._question(line)

    async def _question(self, line: HttpConnection) -> None:
        """Ask; what the answer says is nobody's business, that it came is what matters."""
        ask, question = line.ask, self._warming
        async with self._one_at_a_time:
            try:
                await ask(question.method, self._prefix + question.path, question.body, None, self._limits.connect_s)
            except NotSent:
                return  # an order was faster, or it is lost
            except VenueUnavailable:
                self._counters.add("warm_questions_failed")
            else:
                self._counters.add("warm_questions")
