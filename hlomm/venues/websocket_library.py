"""A websocket of trio-websocket's: its reader frames, a drain task of ours calls the handler, one writer task.

Theory of operation. The library's reader stops answering pings while its inbound queue is full, so one task does
nothing but take messages out and hand them to a synchronous handler. Its `send_message` leaves half a frame on the wire
when cancelled, so exactly one task writes messages, and a write that times out or fails ends the connection.

What is read together is told together. The library does not say where a piece ends, but the stream it reads from is
ours: when it asks for more, it has passed on everything it was given. Its queue holds nothing, so by then everything is
in the drain's hands, which tells it before the reader reads on. The reader may be stuck in between, in an answer to a
ping that the peer does not take; what came before the ping does not wait for that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

import attrs
import h11
import trio
import trio_websocket
import wsproto.utilities

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.websocket import Burst, OnFrame, WebSocketLimits, WebSocketLink

# What a peer that talks nonsense makes trio-websocket's reader raise. h11's error is one of ours by its class: the
# reader answers a broken handshake with a response, which a client may not send.
_PEER_FAULTS: Final = (trio_websocket.HandshakeError, wsproto.utilities.ProtocolError, h11.ProtocolError)
_PIECE_S: Final = 0.01
"""The rest of a piece is not waited for longer: its messages are told in two lots."""


@attrs.define(eq=False)
class _Drain:
    """Takes messages out of the library, and tells them piece by piece."""

    link: WebSocketLink
    on_frame: OnFrame
    now_ns: Callable[[], int]
    burst: Burst | None
    _piece: list[str | bytes] = attrs.field(factory=list)
    """Bounded by what is read in one piece."""
    _taking: trio.CancelScope | None = None
    """Cancelled when the piece is over; None until the drain runs."""
    _told: trio.Event = attrs.field(factory=trio.Event)

    async def follow(self, socket: trio_websocket.WebSocketConnection) -> None:
        """Hand on what comes, until the connection is lost."""
        while True:
            try:
                await self._take(socket)
            except trio_websocket.ConnectionClosed as closed:
                self._tell()
                reason = closed.reason
                if reason is None:
                    self.link.lose("closed")
                else:
                    self.link.closed_by_peer(reason.code, reason.name, reason.reason)
                await trio.lowlevel.checkpoint()  # never passed: the scope is cancelled
            self._tell()

    async def piece_over(self) -> None:
        """Return when all that the library passed on has been told. Its reader calls this before it reads."""
        if self._taking is None:
            await trio.lowlevel.checkpoint()
            return
        self._told = trio.Event()
        self._taking.cancel()
        await self._told.wait()

    async def _take(self, socket: trio_websocket.WebSocketConnection) -> None:
        """Gather messages until the piece is over. Cancelling `get_message` loses none."""
        with trio.CancelScope() as self._taking:
            while True:
                self._piece.append(await socket.get_message())
                if len(self._piece) == 1:
                    self._taking.deadline = trio.current_time() + _PIECE_S

    def _tell(self) -> None:
        piece, self._piece = self._piece, []
        if piece:
            received_ns = self.now_ns()
            if self.burst is not None:
                self.burst.gather()
            for message in piece:
                if self.link.lost_because is not None:
                    break  # what decided that wants to hear no more of it
                self.link.frames_in += 1
                self.on_frame(message, received_ns)
            if self.burst is not None:
                self.burst.flush(received_ns)
        self._told.set()


@attrs.define(eq=False, slots=False)
class _Watched(trio.abc.Stream):
    """The stream as trio-websocket sees it: it is not given more before the drain is through."""

    stream: trio.abc.Stream
    drain: _Drain

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await self.drain.piece_over()
        data = await self.stream.receive_some(max_bytes)
        self.drain.link.backlogged = max_bytes is not None and len(data) >= max_bytes
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.stream.aclose()


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
    drain = _Drain(link, on_frame, now_ns, burst)
    opened = False
    try:
        with link.scope:
            async with trio.open_nursery() as nursery:
                socket = await _handshake(nursery, _Watched(stream, drain), host, path, limits, headers)
                opened = True
                nursery.start_soon(_write, socket, link, limits.write_s)
                nursery.start_soon(drain.follow, socket)
                yield link
                link.lose("left")
    except* _PEER_FAULTS as errors:
        link.lose(f"websocket failed: {_leaves(errors)}")
    if not opened:
        raise VenueUnavailable(f"no websocket at {host}{path}: {link.lost_because}")


async def _handshake(
    nursery: trio.Nursery,
    stream: trio.abc.Stream,
    host: str,
    path: str,
    limits: WebSocketLimits,
    headers: Sequence[tuple[str, str]],
) -> trio_websocket.WebSocketConnection:
    try:
        with trio.fail_after(limits.open_s):
            return await trio_websocket.wrap_client_stream(
                nursery,
                cast("trio.SocketStream", stream),  # any trio stream will do; the annotation is narrower than the code
                host,
                path,
                extra_headers=[(name.encode(), value.encode()) for name, value in headers],
                message_queue_size=0,
                max_message_size=limits.frame_bytes_max,
                receive_buffer_size=limits.receive_bytes,
            )
    except trio.TooSlowError:
        # Also what a peer that closes or talks nonsense instead of upgrading ends in: trio-websocket only waits.
        raise trio_websocket.ConnectionTimeout(f"no upgrade in {limits.open_s:g} s") from None


async def _write(socket: trio_websocket.WebSocketConnection, link: WebSocketLink, deadline_s: float) -> None:
    """Send what is queued, one frame at a time."""
    while True:
        outgoing = await link.next()
        if outgoing.text is None:
            continue
        try:
            with trio.fail_after(deadline_s):
                await socket.send_message(outgoing.text)
        except trio_websocket.ConnectionClosed as closed:
            link.lose(f"closed while writing: {closed.reason}")
        except trio.TooSlowError:
            # An unknown part of the frame is on the wire: this connection can carry nothing more.
            link.lose(f"a write took longer than {deadline_s:g} s")
        else:
            link.frames_out += 1


def _leaves(group: BaseExceptionGroup[BaseException]) -> str:
    """The errors of a group in one line."""
    leaves = [_leaves(error) if isinstance(error, BaseExceptionGroup) else repr(error) for error in group.exceptions]
    return "; ".join(leaves)[:400]
