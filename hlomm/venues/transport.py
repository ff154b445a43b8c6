"""The one place that opens sockets.

`Transport` is handed a `connect` function, so that tests run over memory streams and a faster TLS stream can be
swapped in without touching a session. Certificates are checked with the platform's default context.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol
from urllib.parse import urlsplit

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues import websocket_direct, websocket_library
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpClient, HttpLimits, open_http, unconnected
from hlomm.venues.http_warm import Warming, WarmLines
from hlomm.venues.socket_stream import open_stream
from hlomm.venues.websocket import Burst, OnFrame, OpenLink, WebSocketKind, WebSocketLimits, WebSocketLink

_DEFAULT_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_TLS: Final = frozenset({"https", "wss"})
_OPENERS: Final[Mapping[WebSocketKind, OpenLink]] = {
    WebSocketKind.DIRECT: websocket_direct.open_link,
    WebSocketKind.LIBRARY: websocket_library.open_link,
}


class Connect(Protocol):
    """Opens a byte stream to a host; OSError, ssl.SSLError or trio.BrokenResourceError if it cannot."""

    async def __call__(self, host: str, port: int, tls: bool, /) -> trio.abc.Stream: ...  # noqa: FBT001 - a protocol of three positions


@attrs.frozen
class Address:
    """Parts of a URL that a connection needs."""

    host: str
    port: int
    tls: bool
    path: str

    @classmethod
    def of(cls, url: str) -> Address:
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or parts.hostname is None:
            raise ValueError(f"expected an http, https, ws or wss URL with a host, was {url!r}")
        port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
        return cls(parts.hostname, port, parts.scheme in _TLS, parts.path or "/")

    @property
    def host_header(self) -> str:
        return self.host if self.port in (80, 443) else f"{self.host}:{self.port}"


@attrs.frozen
class Transport:
    """Opens HTTP clients, lines kept warm and websockets through `connect`."""

    connect: Connect = open_stream

    @asynccontextmanager
    async def http(self, base_url: str, limits: HttpLimits) -> AsyncIterator[HttpClient]:
        """A client for one host. Connections open on demand, stay open between requests, close with the block."""
        address = Address.of(base_url)

        async def dial(host: str, port: int) -> trio.abc.Stream:
            return await self.connect(host, port, address.tls)

        async with open_http(base_url, dial, limits) as client:
            yield client

    def warm_lines(
        self, base_url: str, limits: HttpLimits, warming: Warming, clock: Clock, counters: Counters
    ) -> WarmLines:
        """Lines to one host for what must not wait. They are open while their `run` does."""
        address = Address.of(base_url)

        async def dial() -> trio.abc.Stream:
            return await self._dial(address, limits.connect_s)

        return WarmLines(dial, address.host_header, address.path.rstrip("/"), limits, warming, clock, counters)

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
        """An open websocket. The block is cancelled when the connection is lost; `link.lost_because` then says why.

        `headers` go with the upgrade. `on_frame(frame, received_ns)` is called synchronously for every message, in
        order, from one task; `burst` is told which of them were read together. `kind` says whose framing it is.
        VenueUnavailable if the connection or its handshake fails. Leaving the block drops the connection at once:
        no close handshake is waited for, nothing in it protects us.
        """
        address = Address.of(url)
        stream = await self._dial(address, limits.open_s)
        try:
            open_link, host, path = _OPENERS[kind], address.host_header, address.path
            async with open_link(stream, host, path, on_frame, now_ns, limits, headers, burst) as link:
                yield link
        finally:
            with trio.move_on_after(1, shield=True):
                await trio.aclose_forcefully(stream)

    async def _dial(self, address: Address, deadline_s: float) -> trio.abc.Stream:
        try:
            with trio.fail_after(deadline_s):
                return await self.connect(address.host, address.port, address.tls)
        except (OSError, trio.BrokenResourceError) as error:
            raise VenueUnavailable(unconnected(f"{address.host}:{address.port}", error)) from error
        except trio.TooSlowError:
            raise VenueUnavailable(f"no connection to {address.host}:{address.port} in {deadline_s:g} s") from None
