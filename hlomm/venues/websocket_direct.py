"""A websocket framed by the Sans-I/O protocol of `websockets`: a reader that calls a handler, frames sent at once.

Theory of operation. The reader takes what the stream has and hands every message of that piece to the handler before it
waits again: no channel and no other task sits between socket and decision. What is to be sent leaves in the call that
sends it, if the stream can write without waiting (`socket_stream`) and nothing is before it. Otherwise it is queued for
the one task that waits to write; that sends first what was begun, then answers to pings, then the queue. The reader
never writes.

It is there beside `websocket_library` as long as that takes half as long again. On two virtual processors the same core
had an order with the kernel 217 us after its book could be read, against 393 over trio-websocket, and took 11,900 books
a second with an order for each against 7,600 (`hlomm bench naive`: 200 books a second, p50, undisturbed).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol, runtime_checkable

import attrs
import trio
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import WebSocketURI

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.websocket import Burst, OnFrame, WebSocketLimits, WebSocketLink

PONGS_MAX: Final = 16
"""Pings not answered yet; only the newest have to be."""
_MESSAGES: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_ABNORMAL: Final = 1006
"""The connection broke without a word (RFC 6455)."""
_QUIET: Final = logging.getLogger("hlomm.venues.websockets")
_QUIET.setLevel(logging.WARNING)  # at DEBUG it would write out headers, and those of some venues are secrets


@runtime_checkable
class Eager(Protocol):
    """A stream that can write without waiting (see `socket_stream.SocketStream.send_some`)."""

    def send_some(self, data: bytes) -> int: ...


@attrs.define(eq=False)
class Socket:
    """The framing of one connection, and the two tasks on it."""

    link: WebSocketLink
    stream: trio.abc.Stream
    limits: WebSocketLimits
    on_frame: OnFrame
    now_ns: Callable[[], int]
    burst: Burst | None
    ws: ClientProtocol
    _send_some: Callable[[bytes], int] | None = None
    _parts: list[bytes] = attrs.field(factory=list)
    """Of a message that is not whole yet."""
    _is_text: bool = True
    _pongs: deque[bytes] = attrs.field(factory=lambda: deque(maxlen=PONGS_MAX))
    """Answers to pings that the writer has not sent yet."""
    _tail: bytes = b""
    """What is left of a frame that was begun."""
    _writing: bool = False

    # -- the opening handshake

    async def upgrade(self, host: str, path: str, headers: Sequence[tuple[str, str]]) -> None:
        """VenueUnavailable if no websocket comes about in time."""
        request = self.ws.connect()
        del request.headers["Host"]
        for name, value in (("Host", host), *headers):
            request.headers[name] = value
        self.ws.send_request(request)
        reason = f"no upgrade in {self.limits.open_s:g} s"
        with trio.move_on_after(self.limits.open_s):
            try:
                await self.stream.send_all(b"".join(self.ws.data_to_send()))
                found = await self._accepted()
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                found = f"{error!r}"
            if found is None:
                return
            reason = found
        raise VenueUnavailable(f"no websocket at {host}{path}: {reason}")

    async def _accepted(self) -> str | None:
        """Read until the upgrade is decided on; why it was not accepted, None if it was."""
        while True:
            data = await self.stream.receive_some(self.limits.receive_bytes)
            if not data:
                return "the peer closed the connection"
            self.ws.receive_data(data)
            refusal = self.ws.handshake_exc
            if isinstance(refusal, InvalidStatus):
                return f"the upgrade was refused with {refusal.response.status_code}"
            if refusal is not None:
                return f"{refusal}"
            if self.ws.state is OPEN:
                return None

    # -- in

    async def read(self) -> None:
        """Hand on what comes, until the connection is lost."""
        link = self.link
        self._take_all(None)  # came with the upgrade
        while True:
            try:
                data = await self.stream.receive_some(self.limits.receive_bytes)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                link.closed_by_peer(_ABNORMAL, _named(_ABNORMAL), None)
                await trio.lowlevel.checkpoint()  # never passed: the scope is cancelled
            self.take(data)

    def take(self, data: bytes | bytearray) -> None:
        """Hand on what the stream gave."""
        self.link.backlogged = len(data) >= self.limits.receive_bytes
        received_ns = self.now_ns()  # taking many frames apart takes time, too
        self.ws.receive_data(data)
        self._take_all(received_ns)

    def _take_all(self, received_ns: int | None) -> None:
        """Every message that is whole, and what else the peer has said. None: received about now."""
        link, gathering = self.link, False
        for event in self.ws.events_received():
            if link.lost_because is not None:
                break  # what decided that wants to hear no more of it
            if not isinstance(event, Frame) or event.opcode not in _MESSAGES:
                continue  # the upgrade; what the protocol answers by itself
            message = self._whole(event)
            if message is None:
                continue
            if received_ns is None:
                received_ns = self.now_ns()
            if self.burst is not None and not gathering:
                gathering = True
                self.burst.gather()
            link.frames_in += 1
            self.on_frame(message, received_ns)
        if self.burst is not None and gathering and received_ns is not None:
            self.burst.flush(received_ns)
        self._answers()

    def _whole(self, frame: Frame) -> str | bytes | None:
        """The message that this frame completes, None if more is to come. Text that is none ends the connection."""
        data = bytes(frame.data)
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        if not frame.fin or self._parts:
            self._parts.append(data)
            if not frame.fin:
                return None
            data, self._parts = b"".join(self._parts), []
        if not self._is_text:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            self.link.lose(f"a text that is not UTF-8: {error.reason} at byte {error.start}")
            return None

    def _answers(self) -> None:
        """What the protocol has to say to what came, and whether it has had enough."""
        ws, link = self.ws, self.link
        if ws.writes:
            self._pongs.append(b"".join(ws.data_to_send()))
            link.wake_writer()
        if ws.close_rcvd is not None:
            link.closed_by_peer(ws.close_rcvd.code, _named(ws.close_rcvd.code), ws.close_rcvd.reason)
        elif isinstance(ws.parser_exc, PayloadTooBig):
            link.lose(f"a message of more than {self.limits.frame_bytes_max} bytes")
        elif ws.parser_exc is not None:
            link.lose(f"the peer speaks no websocket: {ws.parser_exc}")

    # -- out

    def send_now(self, text: str) -> bool:
        """Send a frame in this call, False if something is before it. One that was begun is finished by the writer."""
        if self._send_some is None or self._writing or self._tail or self._pongs or self.link.waiting:
            return False
        data = framed(text)
        try:
            sent = self._send_some(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.link.lose(f"closed while writing: {error!r}")
            return True  # how much of it left is not known
        self.link.frames_out += 1
        if sent < len(data):
            self._tail = data[sent:]
            self.link.wake_writer()
        return True

    async def write(self) -> None:
        """Send what is queued, one frame at a time."""
        link, deadline_s = self.link, self.limits.write_s
        while True:
            outgoing = await link.next()
            data, self._tail = self._tail + b"".join(self._pongs), b""
            self._pongs.clear()
            if outgoing.text is not None:
                data += framed(outgoing.text)
            self._writing = True
            try:
                with trio.fail_after(deadline_s):
                    await self.stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                link.lose(f"closed while writing: {error!r}")
            except trio.TooSlowError:
                # An unknown part of the frame is on the wire: this connection can carry nothing more.
                link.lose(f"a write took longer than {deadline_s:g} s")
            else:
                link.frames_out += outgoing.text is not None
                self._writing = False


def framed(text: str) -> bytes:
    """A masked frame, serialised here: the protocol's own queue may hold answers that are not ours to send."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=True)


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
    uri = WebSocketURI(secure=False, host="", port=80, path=path, query="")  # only `path` is used, and the Host is ours
    ws = ClientProtocol(uri, max_size=limits.frame_bytes_max, logger=_QUIET)
    send_some = stream.send_some if isinstance(stream, Eager) else None
    socket = Socket(link, stream, limits, on_frame, now_ns, burst, ws, send_some)
    await socket.upgrade(host, path, headers)
    with link.scope:
        async with trio.open_nursery() as nursery:
            link.at_once = socket.send_now
            nursery.start_soon(socket.write)
            nursery.start_soon(socket.read)
            yield link
            link.lose("left")


def _named(code: int) -> str:
    try:
        return CloseCode(code).name
    except ValueError:
        return "UNKNOWN"
