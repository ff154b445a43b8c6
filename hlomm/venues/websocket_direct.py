"""A websocket that we frame ourselves, on wsproto: a reader that calls a handler, one writer task.

Theory of operation. The reader takes what the socket has, as wsproto frames it, and hands every message of that piece
to the handler before it waits again: no channel and no other task sits between socket and decision. It never writes;
pings are answered by the writer, which looks for them whenever it is woken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.websocket import Burst, OnFrame, WebSocketLimits, WebSocketLink

PONGS_MAX: Final = 16
"""Pings not answered yet; only the newest have to be."""
_ABNORMAL: Final = 1006
"""The connection broke without a word (RFC 6455)."""


@attrs.define(eq=False)
class _Socket:
    """The framing of one connection, and the two tasks on it."""

    link: WebSocketLink
    stream: trio.abc.Stream
    limits: WebSocketLimits
    on_frame: OnFrame
    now_ns: Callable[[], int]
    burst: Burst | None
    _ws: WSConnection = attrs.field(factory=lambda: WSConnection(ConnectionType.CLIENT))
    _text: str = ""
    """Of a message that is not whole yet."""
    _bytes: bytes = b""
    _length: int = 0
    _pongs: deque[bytes] = attrs.field(factory=lambda: deque(maxlen=PONGS_MAX))
    """Answers to pings that the writer has not sent yet."""

    async def upgrade(self, host: str, path: str, headers: Sequence[tuple[str, str]]) -> None:
        """The opening handshake. VenueUnavailable if none comes about in time."""
        extra = [(name.encode(), value.encode()) for name, value in headers]
        reason = f"no upgrade in {self.limits.open_s:g} s"
        with trio.move_on_after(self.limits.open_s):
            try:
                await self.stream.send_all(self._ws.send(Request(host=host, target=path, extra_headers=extra)))
                if await self._accepted():
                    return
                reason = "the peer closed the connection"
            except (trio.BrokenResourceError, trio.ClosedResourceError, RemoteProtocolError) as error:
                reason = f"{error!r}"
            except _Rejected as error:
                reason = f"the upgrade was refused with {error}"
        raise VenueUnavailable(f"no websocket at {host}{path}: {reason}")

    async def _accepted(self) -> bool:
        """Read until the upgrade is accepted; False if the peer closes instead. _Rejected if it says no."""
        while True:
            data = await self.stream.receive_some(self.limits.receive_bytes)
            if not data:
                return False
            self._ws.receive_data(bytes(data))
            for event in self._ws.events():
                if isinstance(event, RejectConnection):
                    raise _Rejected(event.status_code)
                if isinstance(event, AcceptConnection):
                    return True

    async def read(self) -> None:
        """Hand on what comes, until the connection is lost."""
        link = self.link
        while True:
            self._take_all()
            try:
                data = await self.stream.receive_some(self.limits.receive_bytes)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                link.closed_by_peer(_ABNORMAL, _named(_ABNORMAL), None)
                await trio.lowlevel.checkpoint()  # never passed: the scope is cancelled
            link.backlogged = len(data) >= self.limits.receive_bytes
            self._ws.receive_data(bytes(data))

    def _take_all(self) -> None:
        """Every message that is whole, and what else the peer has said."""
        link, received_ns = self.link, None
        for event in self._ws.events():
            if link.lost_because is not None:
                break  # what decided that wants to hear no more of it
            if isinstance(event, TextMessage | BytesMessage):
                message = self._whole(event)
                if message is None:
                    continue
                if received_ns is None:
                    received_ns = self.now_ns()
                    if self.burst is not None:
                        self.burst.gather()
                link.frames_in += 1
                self.on_frame(message, received_ns)
            elif isinstance(event, Ping):
                self._pongs.append(bytes(event.payload))
                link.wake_writer()
            elif isinstance(event, CloseConnection):
                link.closed_by_peer(int(event.code), _named(event.code), event.reason)
        if received_ns is not None and self.burst is not None:
            self.burst.flush(received_ns)

    def _whole(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        """The message that this piece completes, None if more is to come. A message too long ends the connection."""
        self._length += len(event.data)
        if self._length > self.limits.frame_bytes_max:
            self.link.lose(f"a message of more than {self.limits.frame_bytes_max} bytes")
            return None
        if isinstance(event, TextMessage):
            self._text += event.data
        else:
            self._bytes += event.data
        if not event.message_finished:
            return None
        whole = self._text if isinstance(event, TextMessage) else bytes(self._bytes)
        self._text, self._bytes, self._length = "", b"", 0
        return whole

    async def write(self) -> None:
        """Send what is queued, one frame at a time."""
        link, deadline_s = self.link, self.limits.write_s
        while True:
            outgoing = await link.backlog.receive()
            try:
                data = b"".join(self._ws.send(Pong(payload=payload)) for payload in self._pongs)
                self._pongs.clear()
                if outgoing.text is not None:
                    data += self._ws.send(TextMessage(data=outgoing.text))
                with trio.fail_after(deadline_s):
                    await self.stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError) as error:
                link.lose(f"closed while writing: {error!r}")
            except trio.TooSlowError:
                # An unknown part of the frame is on the wire: this connection can carry nothing more.
                link.lose(f"a write took longer than {deadline_s:g} s")
            else:
                link.frames_out += outgoing.text is not None


class _Rejected(Exception):  # noqa: N818 - an answer, not a failure of ours
    """The peer answered the upgrade with another status."""


@asynccontextmanager
async def open_link(
    stream: trio.abc.Stream,
    host: str,
    path: str,
    on_frame: OnFrame,
    now_ns: Callable[[], int],
    limits: WebSocketLimits,
    headers: Sequence[tuple[str, str]],
    burst: Burst | None,
    /,
) -> AsyncIterator[WebSocketLink]:
    """See `OpenLink`."""
    link = WebSocketLink.of(limits)
    socket = _Socket(link, stream, limits, on_frame, now_ns, burst)
    await socket.upgrade(host, path, headers)
    with link.scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(socket.write)
            nursery.start_soon(socket.read)
            yield link
            link.lose("left")


def _named(code: int) -> str:
    try:
        return CloseReason(code).name
    except ValueError:
        return "UNKNOWN"
