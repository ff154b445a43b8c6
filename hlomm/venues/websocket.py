"""What a websocket connection is to a session: a handler that is called, a link to send on, limits.

Two implementations keep the promises made here, and one suite holds both to them: `websocket_direct` frames the stream
itself, `websocket_library` leaves that to trio-websocket. `Transport.websocket` opens the one that is asked for.

Every message of a piece of the stream is handed to a synchronous handler before the next piece is read; `Burst` is told
where a piece begins and ends. A write that was cancelled leaves half a frame on the wire, so exactly one task writes
messages, and a write that times out or fails ends the connection. Whatever ends it, the first reason is kept, the tasks
are cancelled, and what was queued but never begun is handed back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol, Self

import attrs
import trio

OnFrame = Callable[[str | bytes, int], None]


class WebSocketKind(StrEnum):
    """Who does the framing."""

    DIRECT = "direct"
    """We do, with the protocol of `websockets`: the reader itself calls the handler, and frames leave at once."""
    LIBRARY = "library"
    """trio-websocket does: a task of ours takes out what its reader puts in."""


class Burst(Protocol):
    """Wants to know which messages were there together."""

    def gather(self) -> None:
        """The messages that follow were read in one piece."""

    def flush(self, received_ns: int) -> None:
        """That was the last of them."""


class WebSocketSettings(Protocol):
    """What a venue's settings say of its websockets; seconds of the host's clock."""

    @property
    def connect_deadline_s(self) -> float: ...

    @property
    def request_deadline_s(self) -> float: ...

    @property
    def ws_write_deadline_s(self) -> float: ...

    @property
    def writer_queue(self) -> int: ...

    @property
    def frame_bytes_max(self) -> int: ...


@attrs.frozen(kw_only=True)
class WebSocketLimits:
    """Seconds of the host's clock, messages and bytes."""

    open_s: float = 5.0
    write_s: float = 5.0
    outbound_queue: int = 256
    frame_bytes_max: int = 4 * 2**20
    receive_bytes: int = 256 * 2**10
    """Read in one piece, so also what may be decided on together. Readers take turns: were it less than what the venue
    with the largest frames tells in one of them, that venue alone would fall behind when the processor is scarce."""

    @classmethod
    def of(cls, config: WebSocketSettings) -> Self:
        """Opening takes a connection and an answer to its upgrade."""
        return cls(
            open_s=config.connect_deadline_s + config.request_deadline_s,
            write_s=config.ws_write_deadline_s,
            outbound_queue=config.writer_queue,
            frame_bytes_max=config.frame_bytes_max,
        )


@attrs.frozen
class Outgoing:
    """What waits for the writer."""

    text: str | None
    """None: nothing but to look whether there is something else to say."""
    tag: int | None = None


@attrs.define(eq=False)
class WebSocketLink:
    """The sending side of an open websocket, and what became of it."""

    _queue: trio.MemorySendChannel[Outgoing]
    _backlog: trio.MemoryReceiveChannel[Outgoing]
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """For whoever opens the link; everything on it runs in here."""
    permits: Callable[[str], None] | None = None
    """Raises for a text that must never leave."""
    at_once: Callable[[str], bool] | None = None
    """Sends a frame in that very call, False if it has to be queued; None where there is no such way."""
    lost_because: str | None = None
    """Reason the connection ended, None while it lives."""
    backlogged: bool = False
    """The last piece was as large as a piece may be: more is waiting, so it is we who are behind."""
    frames_in: int = 0
    frames_out: int = 0
    waiting: int = 0
    """Frames that the writer has yet to begin: those in the queue, and one that it was handed and does not know of."""
    queue_peak: int = 0

    @classmethod
    def of(cls, limits: WebSocketLimits) -> Self:
        queue, backlog = trio.open_memory_channel[Outgoing](limits.outbound_queue)
        return cls(queue, backlog)

    def send_nowait(self, text: str, tag: int | None = None) -> None:
        """Send a text frame, or queue it.

        trio.WouldBlock if the queue is full, trio.BrokenResourceError once the link is lost. `tag` is given back by
        `unsent` if the frame never began to leave.
        """
        if self.permits is not None:
            self.permits(text)
        if self.lost_because is not None:
            raise trio.BrokenResourceError(self.lost_because)
        if self.at_once is not None and self.at_once(text):
            return
        self._queue.send_nowait(Outgoing(text, tag))
        self.waiting += 1
        self.queue_peak = max(self.queue_peak, self.waiting)

    async def next(self) -> Outgoing:
        """For the writer: what it has to send next. From here to the first byte of it there must be no checkpoint."""
        outgoing = await self._backlog.receive()
        self.waiting -= outgoing.text is not None
        return outgoing

    def wake_writer(self) -> None:
        """Have the writer look around. One that is busy does so by itself when it is done."""
        try:
            self._queue.send_nowait(Outgoing(None))
        except trio.WouldBlock:
            return

    def lose(self, reason: str) -> None:
        """Drop the connection; only the first reason is kept."""
        if self.lost_because is None:
            self.lost_because = reason
        self.scope.cancel(reason=reason)

    def closed_by_peer(self, code: int, name: str, reason: str | None) -> None:
        """Lost, with what the peer said about it."""
        self.lose(f"closed by the peer: {code} {name}" + (f", {reason[:200]}" if reason else ""))

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


class OpenLink(Protocol):
    """An implementation."""

    def __call__(
        self,
        stream: trio.abc.Stream,
        host: str,
        path: str,
        on_frame: OnFrame,
        now_ns: Callable[[], int],
        limits: WebSocketLimits,
        headers: Sequence[tuple[str, str]],
        burst: Burst | None,
        /,
    ) -> AbstractAsyncContextManager[WebSocketLink]:
        """A websocket over a connected stream, which the caller closes. The block is cancelled when it is lost.

        `headers` go with the upgrade. VenueUnavailable if the handshake fails.
        """
