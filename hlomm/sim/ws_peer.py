"""One websocket connection of the simulated venue: a reader, a single writer, and a watch on silence.

wsproto does the framing. Nothing but the writer task touches the send side of the stream; whatever must go out is
queued. A peer that does not read is disconnected when its queue is full, and a fault can make the connection die,
fall silent, or send nonsense.
"""

from __future__ import annotations

from typing import Final, Protocol

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from hlomm.domain.times import seconds_to_ns
from hlomm.sim.clock import VenueClock
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.hl.peers import Lane
from hlomm.sim.outbox import Outbox, OutboxFull

_READ_BYTES: Final = 65_536
_OVERSIZE_BYTES: Final = 2 << 20
_TORN_FRAME: Final = b'\x81\x7e\x01\x00{"channel":"l2Bo'
"""Header of a 256-byte text frame and the first bytes of it."""
_GOODBYE_S: Final = 0.2
_TOO_BIG: Final = 1009


class Conversation(Protocol):
    """What a venue makes of a connection."""

    def open(self, now_ns: int) -> None:
        """The handshake is done."""

    def receive(self, text: str, now_ns: int) -> None:
        """One whole text message."""

    def close(self) -> None:
        """The connection is over."""


class Mischief(Protocol):
    """What a venue's faults do to a connection."""

    def frames(self, payload: bytes, lane: Lane) -> list[bytes]:
        """The frames actually sent in place of one."""

    def swallows_pong(self) -> bool:
        """Whether this answer to a ping of the protocol is not sent."""

    def silent(self) -> bool:
        """Whether nothing at all is sent at the moment."""


class FrameFaults:
    """The frame faults of the simulated Hyperliquid."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def frames(self, payload: bytes, lane: Lane) -> list[bytes]:
        take = self._faults.take
        if take(FaultName.WS_SILENT) is not None:
            return []
        if lane is Lane.REPLY:
            return [payload]
        if take(FaultName.WS_STALLED) is not None:
            return []
        if take(FaultName.FRAME_TRUNCATED) is not None:
            return [payload[: len(payload) // 2]]
        if take(FaultName.FRAME_DUPLICATED) is not None:
            return [payload, payload]
        if take(FaultName.FRAME_OVERSIZED) is not None:
            return [payload[:-1] + b',"padding":"' + b"x" * _OVERSIZE_BYTES + b'"}']
        if take(FaultName.FRAME_GARBAGE) is not None:
            return [b'{"channel":[not json', payload]
        return [payload]

    def swallows_pong(self) -> bool:
        return self._faults.take(FaultName.WS_SILENT) is not None

    def silent(self) -> bool:
        return self._faults.active(FaultName.WS_SILENT) is not None


def text_frame(payload: bytes) -> bytes:
    """A whole text message of a server (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class WsPeer:
    """Serves one client until either side ends it. `counters` is shared with the speaker."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        clock: VenueClock,
        outbox: Outbox,
        mischief: Mischief,
        counters: dict[str, int],
        *,
        message_bytes_max: int,
        silence_s: float,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._outbox = outbox
        self._mischief = mischief
        self._counters = counters
        self._message_bytes_max = message_bytes_max
        self._silence_ns = seconds_to_ns(silence_s)
        self._ws = WSConnection(ConnectionType.SERVER)
        self._scope = trio.CancelScope()
        self._pongs: list[bytes] = []
        self._closing: tuple[int, str] | None = None
        self._torn = False
        self._mid_send = False
        self._text: list[str] = []
        self._text_bytes = 0
        self._last_sent_ns = clock.now_ns()

    # -- the Peer protocol

    def push(self, payload: bytes, due_ns: int, lane: Lane) -> None:
        """Queue a text frame; faults may drop, double or spoil it."""
        if self._closing is not None:
            return
        for spoiled in self._mischief.frames(payload, lane):
            self._queue(spoiled, due_ns)

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._queue(None, self._clock.now_ns())

    def _queue(self, payload: bytes | None, due_ns: int) -> None:
        try:
            self._outbox.push(payload, due_ns)
        except OutboxFull:
            self._count("slow_consumers")
            self._scope.cancel(reason="the client does not read")

    def kill(self) -> None:
        """End without a closing handshake, in the middle of a frame."""
        self._torn = True
        self._scope.cancel(reason="killed by a fault")

    # -- life

    async def run(self, session: Conversation, request: list[tuple[bytes, bytes]], target: bytes, rest: bytes) -> None:
        """Accept the upgrade and serve until the end. The stream is closed by the caller."""
        hello = self._accept(request, target)
        with self._scope:
            await self._send(hello)
            session.open(self._clock.now_ns())
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._watch_silence)
                    await self._read(session, rest)
                    nursery.cancel_scope.cancel(reason="the client ended the connection")
            finally:
                session.close()
        with trio.move_on_after(_GOODBYE_S, shield=True):
            # Half a frame when killed; else the echo of a close that the writer had no time for.
            await self._send(_TORN_FRAME if self._torn else b"".join(self._pongs))

    def _accept(self, request: list[tuple[bytes, bytes]], target: bytes) -> bytes:
        """The answer to the handshake; a request that is none ends the connection."""
        try:
            self._ws.initiate_upgrade_connection(request, target)
            for event in self._ws.events():
                if isinstance(event, Request):
                    return self._ws.send(AcceptConnection())
        except (RemoteProtocolError, LocalProtocolError):
            self._count("bad_handshakes")
        self._scope.cancel(reason="not a websocket handshake")
        return b""

    async def _send(self, data: bytes) -> None:
        """Write, or end the connection if the client is gone. After a write that was cut short nothing may follow."""
        await trio.lowlevel.checkpoint()
        if self._mid_send:
            return
        self._mid_send = True
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._scope.cancel(reason="the client is gone")
        self._mid_send = False

    async def _read(self, session: Conversation, data: bytes) -> None:
        """Feed what arrives to the session until the client closes or breaks the protocol."""
        await trio.lowlevel.checkpoint()
        while True:
            if not self._fed(session, data):
                return
            data = await self._receive()
            if not data:
                return

    def _fed(self, session: Conversation, data: bytes) -> bool:
        """Hand bytes to the framing and its events to the session; False when the conversation is over."""
        try:
            if data:
                self._ws.receive_data(data)
            return all(self._handle(session, event) for event in self._ws.events())
        except RemoteProtocolError:
            self._count("bad_frames")
            return False

    async def _receive(self) -> bytes:
        """Bytes from the client, empty at the end."""
        await trio.lowlevel.checkpoint()
        try:
            return bytes(await self._stream.receive_some(_READ_BYTES))
        except trio.BrokenResourceError:
            return b""

    def _handle(self, session: Conversation, event: Event) -> bool:
        """One websocket event; False when the conversation is over."""
        match event:
            case TextMessage():
                self._text.append(event.data)
                self._text_bytes += len(event.data)
                if self._text_bytes > self._message_bytes_max:
                    self._count("oversized_messages")
                    self.close(_TOO_BIG, "message too big")
                elif event.message_finished:
                    text = "".join(self._text)
                    self._text.clear()
                    self._text_bytes = 0
                    session.receive(text, self._clock.now_ns())
            case Ping():
                self._pong(event)
            case CloseConnection():
                if self._ws.state is ConnectionState.REMOTE_CLOSING:
                    self._pongs.append(self._ws.send(event.response()))
                return False
            case BytesMessage():
                self._count("binary_messages")
            case _:
                pass
        return True

    def _pong(self, event: Ping) -> None:
        if self._ws.state is ConnectionState.OPEN and not self._mischief.swallows_pong():
            self._pongs.append(self._ws.send(event.response()))
            self._queue(b"", self._clock.now_ns())

    async def _write(self) -> None:
        """The only task that sends while the connection lives."""
        while True:
            due = await self._outbox.take()
            if self._ws.state is not ConnectionState.OPEN:
                return  # the client's close was answered meanwhile
            told = due[: due.index(None)] if None in due else due
            data = b"".join([*self._pongs, *(text_frame(payload) for payload in told if payload)])
            self._pongs.clear()
            if None in due and self._closing is not None:
                code, reason = self._closing
                data += self._ws.send(CloseConnection(code=code, reason=reason))
            if data:
                self._last_sent_ns = self._clock.now_ns()
                await self._send(data)
            if None in due:
                self._scope.cancel(reason="closed by the venue")

    async def _watch_silence(self) -> None:
        """Close a connection to which nothing was sent for a minute."""
        while True:
            await self._clock.sleep_until(self._last_sent_ns + self._silence_ns)
            if self._mischief.silent():
                self._last_sent_ns = self._clock.now_ns()
            elif self._clock.now_ns() - self._last_sent_ns >= self._silence_ns:
                self._count("silence_closes")
                self.close(1000, "Inactive")
                await trio.sleep_forever()

    def _count(self, name: str) -> None:
        self._counters[name] = self._counters.get(name, 0) + 1
