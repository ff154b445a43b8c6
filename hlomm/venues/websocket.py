"""One websocket connection: a drain task that calls a handler, one writer task, a bounded queue between them and us.

Theory of operation. trio-websocket's reader stops answering pings once its inbound queue is full, so one task does
nothing but take messages out and hand them to a synchronous handler. Its `send_message` leaves half a frame on the
wire when cancelled, so exactly one task writes, and a write that times out or fails ends the connection. Whatever
ends it, the first reason is kept, both tasks are cancelled, and what was queued but never begun is handed back.
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

OnFrame = Callable[[str | bytes, int], None]

# What a peer that talks nonsense makes trio-websocket's reader raise. h11's error is one of ours by its class: the
# reader answers a broken handshake with a response, which a client may not send.
_PEER_FAULTS: Final = (trio_websocket.HandshakeError, wsproto.utilities.ProtocolError, h11.ProtocolError)


@attrs.frozen(kw_only=True)
class WebSocketLimits:
    """Seconds of the host's clock, messages and bytes."""

    open_s: float = 5.0
    write_s: float = 5.0
    outbound_queue: int = 256
    inbound_queue: int = 1_024
    frame_bytes_max: int = 4 * 2**20
    receive_bytes: int = 64 * 2**10


@attrs.frozen
class _Outgoing:
    text: str
    tag: int | None


@attrs.define(eq=False)
class WebSocketLink:
    """The sending side of an open websocket, and what became of it."""

    _queue: trio.MemorySendChannel[_Outgoing]
    _backlog: trio.MemoryReceiveChannel[_Outgoing]
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    lost_because: str | None = None
    """Reason the connection ended, None while it lives."""
    frames_in: int = 0
    frames_out: int = 0
    queue_peak: int = 0

    def send_nowait(self, text: str, tag: int | None = None) -> None:
        """Queue a text frame. trio.WouldBlock if the queue is full, trio.BrokenResourceError once the link is lost.

        `tag` is given back by `unsent` if the frame never began to leave.
        """
        if self.lost_because is not None:
            raise trio.BrokenResourceError(self.lost_because)
        self._queue.send_nowait(_Outgoing(text, tag))
        self.queue_peak = max(self.queue_peak, self._queue.statistics().current_buffer_used)

    def lose(self, reason: str) -> None:
        """Drop the connection; only the first reason is kept."""
        if self.lost_because is None:
            self.lost_because = reason
        self._scope.cancel(reason=reason)

    def unsent(self) -> list[int]:
        """Tags of frames that were queued and certainly never left; call after the connection ended."""
        assert self.lost_because is not None
        tags: list[int] = []
        while True:
            try:
                outgoing = self._backlog.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                return tags
            if outgoing.tag is not None:
                tags.append(outgoing.tag)

    async def _write(self, socket: trio_websocket.WebSocketConnection, deadline_s: float) -> None:
        while True:
            outgoing = await self._backlog.receive()
            try:
                with trio.fail_after(deadline_s):
                    await socket.send_message(outgoing.text)
            except trio_websocket.ConnectionClosed as closed:
                self.lose(f"closed while writing: {closed.reason}")
            except trio.TooSlowError:
                # An unknown part of the frame is on the wire: this connection can carry nothing more.
                self.lose(f"a write took longer than {deadline_s:g} s")
            else:
                self.frames_out += 1

    async def _drain(
        self, socket: trio_websocket.WebSocketConnection, on_frame: OnFrame, now_ns: Callable[[], int]
    ) -> None:
        while True:
            try:
                message = await socket.get_message()
            except trio_websocket.ConnectionClosed as closed:
                self.lose(f"closed by the peer: {closed.reason}")
                await trio.lowlevel.checkpoint()  # never passed: the scope is cancelled
            else:
                self.frames_in += 1
                on_frame(message, now_ns())


@asynccontextmanager
async def open_link(
    stream: trio.abc.Stream,
    host: str,
    path: str,
    on_frame: OnFrame,
    now_ns: Callable[[], int],
    limits: WebSocketLimits,
    headers: Sequence[tuple[str, str]] = (),
) -> AsyncIterator[WebSocketLink]:
    """A websocket over a connected stream, which the caller closes. The block is cancelled when it is lost.

    `headers` go with the upgrade. VenueUnavailable if the handshake fails.
    """
    queue, backlog = trio.open_memory_channel[_Outgoing](limits.outbound_queue)
    link = WebSocketLink(queue, backlog)
    opened = False
    try:
        with link._scope:  # noqa: SLF001 - built here, and only here
            async with trio.open_nursery() as nursery:
                socket = await _handshake(nursery, stream, host, path, limits, headers)
                opened = True
                nursery.start_soon(link._write, socket, limits.write_s)  # noqa: SLF001
                nursery.start_soon(link._drain, socket, on_frame, now_ns)  # noqa: SLF001
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
                message_queue_size=limits.inbound_queue,
                max_message_size=limits.frame_bytes_max,
                receive_buffer_size=limits.receive_bytes,
            )
    except trio.TooSlowError:
        # Also what a peer that closes or talks nonsense instead of upgrading ends in: trio-websocket only waits.
        raise trio_websocket.ConnectionTimeout(f"no upgrade in {limits.open_s:g} s") from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> str:
    """The errors of a group in one line."""
    leaves = [_leaves(error) if isinstance(error, BaseExceptionGroup) else repr(error) for error in group.exceptions]
    return "; ".join(leaves)[:400]
