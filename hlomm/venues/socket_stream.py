"""A byte stream over a non-blocking socket, under TLS or not, that can write without waiting.

Trio's own `SSLStream` keeps TLS between two memory buffers and passes a checkpoint for each of them; here OpenSSL reads
and writes the socket itself, which spares both and lets a frame leave in the call that made it (`send_some`).

Three rules of OpenSSL's hold it together. Reading is tried before it is waited for, since bytes may have been decrypted
already. A write that could not be finished is finished, with the same bytes, before any other. After an error nothing
but closing is allowed.
"""

from __future__ import annotations

import select
import socket
import ssl
from typing import Final

import trio

from hlomm.venues import names

RECEIVE_BYTES: Final = 64 * 2**10
RECORD_BYTES: Final = 16 * 2**10
"""Most that a TLS record holds. OpenSSL gives one at a time: a larger buffer is only cut down again, thousands of times
a second, and leaves holes in the heap."""
_HANDSHAKE_CLOSE_S: Final = 1.0


async def open_stream(host: str, port: int, tls: bool, /) -> SocketStream:  # noqa: FBT001 - see `transport.Connect`
    """A TCP stream, under TLS with a checked certificate if asked for; the handshake is done when it returns.

    OSError or ssl.SSLError if it cannot be had.
    """
    names.use()
    plain = await trio.open_tcp_stream(host, port)  # sets TCP_NODELAY
    raw = socket.socket(fileno=plain.socket.detach())
    raw.setblocking(False)
    if not tls:
        return SocketStream(raw)
    try:
        secured = ssl.create_default_context().wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    except (OSError, ValueError):
        raw.close()
        raise
    stream = SocketStream(secured)
    try:
        await _shake_hands(secured)
    except (OSError, trio.Cancelled):
        with trio.move_on_after(_HANDSHAKE_CLOSE_S, shield=True):
            await trio.aclose_forcefully(stream)
        raise
    return stream


async def _shake_hands(secured: ssl.SSLSocket) -> None:
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            await trio.lowlevel.wait_readable(secured)
        except ssl.SSLWantWriteError:
            await trio.lowlevel.wait_writable(secured)
        else:
            return


class SocketStream(trio.abc.Stream):
    """See above. One task reads, one writes; `send_some` may be called by anybody while no write is under way."""

    def __init__(self, raw: socket.socket) -> None:
        """`raw` is connected and does not block; it is closed with the stream."""
        self.socket = raw
        self._more_at_once = isinstance(raw, ssl.SSLSocket)
        """A TLS socket gives one record at a time, and several may be there."""
        self._sending = False

    # -- in

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """All that is there, b"" at the end. trio.BrokenResourceError, trio.ClosedResourceError."""
        await trio.lowlevel.checkpoint_if_cancelled()
        most, waited = RECEIVE_BYTES if max_bytes is None else max_bytes, False
        while True:
            data = self.receive_now(most)
            if data is not None:
                break
            waited = True
            await trio.lowlevel.wait_readable(self.socket)
        if not waited:
            await trio.lowlevel.cancel_shielded_checkpoint()  # a peer that never stops must not starve the others
        return data

    def receive_now(self, most: int) -> bytes | None:
        """What is there now, b"" at the end, None if nothing is. trio.BrokenResourceError, trio.ClosedResourceError."""
        if not self._more_at_once:
            return self._receive_once(most)
        data = self._receive_once(min(most, RECORD_BYTES))
        if not data:
            return data
        parts, length = [data], len(data)
        while length < most:
            try:
                data = self._receive_once(min(most - length, RECORD_BYTES))
            except trio.BrokenResourceError:
                break  # what came before it counts; the next call meets it again
            if not data:
                break
            parts.append(data)
            length += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def is_readable(self) -> bool:
        """Whether something is there to be read, the end included."""
        if self.socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    def _receive_once(self, most: int) -> bytes | None:
        try:
            return self.socket.recv(most)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except ssl.SSLEOFError:
            return b""  # peers close without a TLS goodbye
        except OSError as error:
            raise self._broken(error) from error

    # -- out

    def send_some(self, data: bytes) -> int:
        """Hand to the kernel what it takes without waiting; how many bytes that was.

        0 while another write is under way. What is left must be the first to be sent next, even if that is all of it:
        TLS tells of a write when it is done, so some of it may be on its way.
        trio.BrokenResourceError, trio.ClosedResourceError.
        """
        return 0 if self._sending else self._send(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """All of it. trio.BrokenResourceError, trio.ClosedResourceError; trio.BusyResourceError for a second writer.

        Cancelled, it leaves an unknown part of it sent.
        """
        if self._sending:
            raise trio.BusyResourceError("another task is writing")
        self._sending = True
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            left, waited = memoryview(data), False
            while True:
                left = left[self._send(left) :]
                if not left:
                    break
                waited = True
                await trio.lowlevel.wait_writable(self.socket)
            if not waited:
                await trio.lowlevel.cancel_shielded_checkpoint()
        finally:
            self._sending = False

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self.socket.send(data) if data else 0
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise self._broken(error) from error

    async def wait_send_all_might_not_block(self) -> None:
        if self.socket.fileno() < 0:
            raise trio.ClosedResourceError("this stream was already closed")
        await trio.lowlevel.wait_writable(self.socket)

    # -- the end

    async def aclose(self) -> None:
        """Close at once, without a TLS goodbye."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        await trio.lowlevel.checkpoint()

    def _broken(self, error: OSError) -> trio.BrokenResourceError | trio.ClosedResourceError:
        if self.socket.fileno() < 0:
            return trio.ClosedResourceError("this stream was already closed")
        return trio.BrokenResourceError(f"socket connection broken: {error}")
