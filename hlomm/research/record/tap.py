"""What goes over the wires of a venue, before anybody has read it: a transport that lets somebody listen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import attrs

from hlomm.venues.http_client import HttpClient, HttpLimits
from hlomm.venues.transport import Address, Transport
from hlomm.venues.websocket import Burst, OnFrame, WebSocketKind, WebSocketLimits, WebSocketLink


class Listener(Protocol):
    """Hears of one venue. Both are called when the bytes are there, before anything is made of them."""

    def message(self, connection: int, path: str, data: bytes, received_ns: int) -> None:
        """A message of a websocket; `received_ns` is the host's monotonic clock."""

    def heard(self) -> None:
        """What the message led to has been told."""

    def answer(self, channel: str, request: bytes, data: bytes) -> None:
        """The answer to a request, just read."""


@attrs.frozen
class TappedTransport(Transport):
    """Opens what `Transport` opens. Not for a path that trades: it does more for every message."""

    listener: Listener = attrs.field(kw_only=True)
    _connections: list[int] = attrs.field(factory=lambda: [0])
    """How many there were, in the one cell of a frozen object."""

    @asynccontextmanager
    async def http(self, base_url: str, limits: HttpLimits) -> AsyncIterator[HttpClient]:
        async with Transport.http(self, base_url, limits) as client:
            # Headers are not told: they may carry what is nobody's business.
            yield attrs.evolve(client, heard=self.listener.answer)

    @asynccontextmanager
    async def websocket(
        self,
        url: str,
        on_frame: OnFrame,
        now_ns: Callable[[], int],
        limits: WebSocketLimits,
        headers: Sequence[tuple[str, str]] = (),
        burst: Burst | None = None,
        kind: WebSocketKind = WebSocketKind.DIRECT,
    ) -> AsyncIterator[WebSocketLink]:
        self._connections[0] += 1
        connection, path, listener = self._connections[0], Address.of(url).path, self.listener

        def tapped(message: str | bytes, received_ns: int) -> None:
            data = message.encode() if isinstance(message, str) else bytes(message)
            listener.message(connection, path, data, received_ns)
            try:
                on_frame(message, received_ns)
            finally:
                listener.heard()

        async with Transport.websocket(self, url, tapped, now_ns, limits, headers, burst, kind) as link:
            yield link
