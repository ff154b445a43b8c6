"""One HTTP/1.1 connection, spoken with h11: one request at a time, and certainty about what became of it.

Theory of operation. `read` takes what comes also while nothing is asked, so that a peer that closes is known before the
next request, not by it; and whoever asks looks once more just before it writes. Until then nothing has left (NotSent).
Once a first byte was handed to the stream only an answer tells what became of a request: a connection that gives none
is never used again, and nothing is sent twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol, runtime_checkable

import attrs
import h11
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.http_client import HEADERS, HttpAnswer, HttpLimits, NotSent

HEAD_BYTES_MAX: Final = 16 * 2**10
"""Of status line and headers, and of the line before each chunk."""
_BARE: Final = frozenset({"GET", "DELETE"})
"""Without a body they need not say how long it is."""
_RECEIVE_BYTES: Final = 64 * 2**10
_WRITE_ON_S: Final = 0.05
"""A quick answer may overtake the news that the request is written; a peer that has answered reads no more of it."""
_BROKEN: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


@runtime_checkable
class Prompt(Protocol):
    """A stream that can be read without waiting (see `socket_stream.SocketStream.receive_now`)."""

    def receive_now(self, most: int) -> bytes | None: ...


@attrs.define(eq=False)
class _Asked:
    """A request under way, and as much of its answer as is there."""

    over: trio.Event = attrs.field(factory=trio.Event)
    writing: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    written: bool = False
    received: int = 0
    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytearray = attrs.field(factory=bytearray)
    answer: HttpAnswer | None = None


@attrs.define(eq=False)
class HttpConnection:
    """See above. `host` is what the Host header says."""

    stream: trio.abc.Stream
    host: str
    limits: HttpLimits
    lost: str | None = None
    """Why it can carry nothing any more."""
    touched_s: float = attrs.field(factory=trio.current_time)
    """When bytes last went either way."""
    _http: h11.Connection = attrs.field(
        factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
    )
    _asked: _Asked | None = None
    _reading: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    @property
    def free(self) -> bool:
        return self.lost is None and self._asked is None

    def idle_s(self) -> float:
        return trio.current_time() - self.touched_s

    def lose(self, reason: str) -> None:
        """Have it closed by `read`. The first reason counts."""
        if self.lost is None:
            self.lost = reason
            asked, self._asked = self._asked, None
            if asked is not None:
                asked.over.set()
            self._reading.cancel(reason=reason)

    # -- out

    async def ask(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str] | None, deadline_s: float
    ) -> HttpAnswer:
        """The answer, whatever its status. NotSent if nothing of the request left, else VenueUnavailable."""
        self._look()
        if self.idle_s() > self.limits.keepalive_s:
            self.lose("idle for so long that the peer may be closing it")
        if not self.free:
            raise NotSent(f"{method} {target} was not sent: {self.lost or 'another request is under way'}")
        try:
            data = self._framed(method, target, body, headers)
        except h11.LocalProtocolError as error:
            self.lose(f"half a request stands on it: {error}")
            raise NotSent(f"{method} {target} cannot be written as HTTP: {error}") from None
        asked = self._asked = _Asked()
        with trio.move_on_after(deadline_s):
            try:
                await self._exchange(asked, data)
            finally:
                self._settle(asked, deadline_s)
        if asked.answer is None:
            raise VenueUnavailable(f"{method} {target} was not answered: {self.lost}")
        return asked.answer

    async def _exchange(self, asked: _Asked, data: bytes) -> None:
        self.touched_s = trio.current_time()
        with asked.writing, suppress(*_BROKEN):  # what the peer had to say before it hung up is still to be read
            await self.stream.send_all(data)
            asked.written = True
        await asked.over.wait()

    def _settle(self, asked: _Asked, deadline_s: float) -> None:
        """The exchange is over, or given up; whether the connection can carry another."""
        http = self._http
        if asked.answer is None:
            self.lose(f"no answer in {deadline_s:g} s")  # or its asker left: half of an exchange is on it either way
        elif not asked.written:
            self.lose("the peer answered before it had heard all")
        elif http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            self.lose("the peer closes after its answer")
        elif http.trailing_data[0]:
            self.lose("the peer speaks unasked")
        elif self.lost is None:
            http.start_next_cycle()
            self._asked = None

    def _framed(self, method: str, target: str, body: bytes, headers: Mapping[str, str] | None) -> bytes:
        lines = {"Host": self.host, **HEADERS, **(headers or {})}
        if body or method not in _BARE:
            lines["Content-Length"] = str(len(body))
        http = self._http
        head = http.send(h11.Request(method=method, target=target, headers=list(lines.items())))
        return b"".join(part or b"" for part in (head, http.send(h11.Data(data=body)), http.send(h11.EndOfMessage())))

    # -- in

    async def read(self) -> None:
        """Take what comes until the connection is lost, then close it."""
        try:
            with self._reading:
                while self.lost is None:
                    try:
                        data = bytes(await self.stream.receive_some(_RECEIVE_BYTES))
                    except _BROKEN:
                        data = b""
                    self._take(data)
        finally:
            self.lose("left")
            with trio.move_on_after(1, shield=True):
                await trio.aclose_forcefully(self.stream)

    def _look(self) -> None:
        """Take what is there already, above all that the peer has closed."""
        if self.free and isinstance(self.stream, Prompt):
            try:
                data = self.stream.receive_now(_RECEIVE_BYTES)
            except _BROKEN:
                data = b""
            if data is not None:
                self._take(data)

    def _take(self, data: bytes) -> None:
        """What the stream gave; b"" is its end."""
        asked, self.touched_s = self._asked, trio.current_time()
        if asked is None or asked.answer is not None:
            self.lose("the peer speaks unasked" if data else "the peer closed it")
            return
        asked.received += len(data)
        if asked.received > self.limits.answer_bytes_max:
            self.lose(f"the answer is longer than {self.limits.answer_bytes_max} bytes")
            return
        try:
            self._http.receive_data(data)
            self._listen(asked)
        except h11.RemoteProtocolError as error:
            self.lose(f"the peer speaks no HTTP: {error}" if data else f"the peer closed it: {error}")
        if not data:
            self.lose("the peer closed it")

    def _listen(self, asked: _Asked) -> None:
        """Take in as much of the answer as is there."""
        while asked.answer is None:
            match self._http.next_event():
                case h11.Response(status_code=status, headers=headers):
                    asked.status = status
                    asked.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
                    if asked.headers.get("content-encoding", "identity") != "identity":
                        self.lose("the answer is compressed although it must not be")
                        return
                case h11.Data(data=part):
                    asked.body += part
                case h11.EndOfMessage():
                    asked.answer = HttpAnswer(asked.status, bytes(asked.body), asked.headers)
                    asked.writing.deadline = trio.current_time() + _WRITE_ON_S
                    asked.over.set()
                case h11.InformationalResponse():
                    pass  # the real one follows
                case _:
                    return  # more is needed
