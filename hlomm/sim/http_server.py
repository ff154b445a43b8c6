"""HTTP/1.1 over any trio stream, by h11: one request at a time, keep-alive, bounded bodies."""

from __future__ import annotations

from typing import Final

import attrs
import h11
import trio

_READ_BYTES: Final = 65_536
JSON: Final = "application/json"


@attrs.frozen
class HttpRequest:
    """A whole request. `upgrade` tells a websocket handshake, whose further bytes are in `rest`."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    upgrade: bool
    rest: bytes

    @property
    def path(self) -> str:
        return self.target.decode("ascii", "replace").partition("?")[0]

    def header(self, name: bytes) -> str:
        """Value of a header in lower case, empty if absent."""
        return next((value.decode("latin-1").lower() for key, value in self.headers if key == name), "")


@attrs.frozen
class HttpReply:
    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    """Further ones."""


class ConnectionOver(Exception):  # noqa: N818 - how a conversation ends, not a failure
    """The client left, or said something that ends the conversation."""


class HttpServer:
    """The server's half of one connection."""

    def __init__(self, stream: trio.abc.Stream, *, body_bytes_max: int, idle_s: float) -> None:
        self._stream = stream
        self._body_bytes_max = body_bytes_max
        self._idle_s = idle_s
        self._connection = h11.Connection(h11.SERVER)

    async def receive(self) -> HttpRequest:
        """The next request; ConnectionOver at the end, after an idle time, or on nonsense (which is answered)."""
        broken: h11.RemoteProtocolError | None = None
        try:
            with trio.move_on_after(self._idle_s):
                return await self._receive()
        except h11.RemoteProtocolError as error:
            broken = error
        if broken is not None:
            await self._refuse(HttpReply(broken.error_status_hint, b"null"))
        raise ConnectionOver

    async def _receive(self) -> HttpRequest:
        request: h11.Request | None = None
        body = bytearray()
        while True:
            await trio.lowlevel.checkpoint()
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                await self._fill()
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._body_bytes_max:
                    await self._refuse(HttpReply(413, b"null"))
                    raise ConnectionOver
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return self._whole(request, bytes(body))
            else:
                raise ConnectionOver

    async def _fill(self) -> None:
        if self._connection.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            await self._send(self._connection.send(go_on) or b"")
        try:
            data = await self._stream.receive_some(_READ_BYTES)
        except trio.BrokenResourceError:
            raise ConnectionOver from None
        self._connection.receive_data(bytes(data))

    def _whole(self, request: h11.Request, body: bytes) -> HttpRequest:
        headers = list(request.headers)
        asks = {(key, value.lower()) for key, value in headers}
        return HttpRequest(
            method=request.method.decode("ascii"),
            target=request.target,
            headers=headers,
            body=body,
            upgrade=(b"upgrade", b"websocket") in asks,
            rest=self._connection.trailing_data[0],
        )

    async def reply(self, reply: HttpReply) -> None:
        """Send a response; ConnectionOver if the connection cannot take another request."""
        await self._send_reply(reply)
        if self._connection.our_state is not h11.DONE or self._connection.their_state is not h11.DONE:
            raise ConnectionOver
        self._connection.start_next_cycle()

    async def refuse(self, reply: HttpReply) -> None:
        """Send a response and have the connection closed."""
        await self._refuse(reply)
        raise ConnectionOver

    async def _refuse(self, reply: HttpReply) -> None:
        if self._connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._send_reply(reply, close=True)
        else:
            await trio.lowlevel.checkpoint()

    async def _send_reply(self, reply: HttpReply, *, close: bool = False) -> None:
        headers = [("content-type", reply.content_type), ("content-length", str(len(reply.body))), *reply.headers]
        if close:
            headers.append(("connection", "close"))
        data = self._connection.send(h11.Response(status_code=reply.status, headers=headers)) or b""
        data += self._connection.send(h11.Data(data=reply.body)) or b""
        data += self._connection.send(h11.EndOfMessage()) or b""
        await self._send(data)

    async def _send(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ConnectionOver from None
