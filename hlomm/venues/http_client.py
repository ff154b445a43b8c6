"""HTTP with JSON bodies: httpx2 over a network backend that takes its streams from a given dial function.

Two kinds of failure matter to callers and are kept apart: the request certainly never left (`NotSent`), or nobody
knows (`VenueUnavailable`). Every request has a deadline over all of it, answers have a size limit.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import httpcore2
import httpx2
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.socket_stream import SocketStream

Dial = Callable[[str, int], Awaitable[trio.abc.Stream]]

HEADERS: Final = {
    "Content-Type": "application/json",
    # Compressed answers would make the size limit meaningless.
    "Accept-Encoding": "identity",
    "User-Agent": "hlomm",
}
_CLOSE_S: Final = 1.0
SHOWN: Final = 120


def bad_certificate(error: BaseException) -> str | None:
    """Why TLS was refused, by us or by the peer, if that is what is behind a failed connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return getattr(cause, "verify_message", "") or cause.reason or "TLS failed"
        cause = cause.__cause__
    return None


def unconnected(where: str, error: BaseException) -> str:
    """What kept a connection from being made, for an operator."""
    why = bad_certificate(error)
    if why is not None:
        return f"{where} shows a certificate that is not to be trusted: {why}"
    return f"cannot connect to {where}: {error!r}"


class NotSent(VenueUnavailable):
    """No byte of the request left this machine."""


@attrs.frozen(kw_only=True)
class HttpLimits:
    """Seconds of the host's clock, and bytes. Connecting must fail well before the whole request does."""

    request_s: float = 5.0
    connect_s: float = 3.0
    answer_bytes_max: int = 16 * 2**20
    connections_max: int = 8
    keepalive_s: float = 55.0
    """Longer than any poll period, so that each reuses the last connection; below the usual 60 s of servers."""


@attrs.frozen
class HttpAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Names in lower case."""

    @property
    def redirect(self) -> str | None:
        """Where it sends us, which is never followed: what is signed goes to the configured address and no other."""
        return self.headers.get("location", "nowhere")[:SHOWN] if 300 <= self.status < 400 else None

    @property
    def said(self) -> str:
        """Status in words, for a fault that an operator reads."""
        away = self.redirect
        return f"HTTP {self.status}" if away is None else f"HTTP {self.status}, a redirect to {away} (not followed)"


Permits = Callable[[str, str, Mapping[str, str] | None], None]
"""Method, path and further headers of a request."""
Heard = Callable[[str, bytes, bytes], None]
"""Method and path, body of the request, body of the answer."""


@attrs.frozen
class HttpClient:
    """Requests to one base URL."""

    _client: httpx2.AsyncClient
    _limits: HttpLimits
    heard: Heard | None = None
    """Told of every answer before anybody has read it."""
    permits: Permits | None = None
    """Raises for a request that must never leave."""

    async def post(self, path: str, body: bytes) -> HttpAnswer:
        """The answer, whatever its status. NotSent or VenueUnavailable if there is none within the deadline."""
        return await self.request("POST", path, body)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """As `post`, by any method and with further headers; `path` may carry a query."""
        if self.permits is not None:
            self.permits(method, path, headers)
        try:
            with trio.fail_after(self._limits.request_s):
                response = await self._client.request(method, path, content=body, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NotSent(f"{method} {path} was not sent: {error!r}") from error
        except httpx2.HTTPError as error:
            raise VenueUnavailable(f"{method} {path} was not answered: {error!r}") from error
        except trio.TooSlowError:
            raise VenueUnavailable(f"{method} {path} was not answered in {self._limits.request_s:g} s") from None
        if self.heard is not None:
            self.heard(f"{method} {path}", body, response.content)
        return HttpAnswer(
            response.status_code, response.content, {name.lower(): value for name, value in response.headers.items()}
        )


@asynccontextmanager
async def open_http(base_url: str, dial: Dial, limits: HttpLimits) -> AsyncIterator[HttpClient]:
    timeout = httpx2.Timeout(limits.request_s, connect=limits.connect_s, pool=limits.connect_s)
    transport = _Pool(dial, limits)
    # trust_env off: proxies and netrc of the operator's shell have no business in an order's path.
    async with httpx2.AsyncClient(
        base_url=base_url, transport=transport, timeout=timeout, headers=HEADERS, trust_env=False
    ) as client:
        yield HttpClient(client, limits)


class _Pool(httpx2.AsyncBaseTransport):
    """httpx2 transport over an httpcore2 pool with our backend; errors are renamed to httpx2's."""

    def __init__(self, dial: Dial, limits: HttpLimits) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            max_connections=limits.connections_max,
            max_keepalive_connections=limits.connections_max,
            keepalive_expiry=limits.keepalive_s,
            network_backend=_Backend(dial, limits.answer_bytes_max),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        core = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=_Body(request.content),
            extensions=request.extensions,
        )
        try:
            response = await self._pool.handle_async_request(core)
            body = await response.aread()
            await response.aclose()
        except httpcore2.ConnectTimeout as error:
            raise httpx2.ConnectTimeout(str(error), request=request) from error
        except httpcore2.ConnectError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except httpcore2.PoolTimeout as error:
            raise httpx2.PoolTimeout(str(error), request=request) from error
        except (
            httpcore2.TimeoutException,
            httpcore2.NetworkError,
            httpcore2.ProtocolError,
            httpcore2.UnsupportedProtocol,
        ) as error:
            raise httpx2.TransportError(repr(error), request=request) from error
        if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in response.headers):
            raise httpx2.TransportError("the answer is compressed although it must not be", request=request)
        return httpx2.Response(response.status, headers=response.headers, content=body)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body:
    """A request body to iterate over. httpcore2's own is a generator that a cancelled write leaves dangling."""

    def __init__(self, body: bytes) -> None:
        self._left: bytes | None = body
        self._body = body

    def __aiter__(self) -> _Body:
        return _Body(self._body)

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._left is None:
            raise StopAsyncIteration
        part, self._left = self._left, None
        return part


class _Backend(httpcore2.AsyncNetworkBackend):
    """Streams come from `dial`, already under TLS where the URL asks for it."""

    def __init__(self, dial: Dial, answer_bytes_max: int) -> None:
        self._dial = dial
        self._answer_bytes_max = answer_bytes_max

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's interface
        local_address: str | None = None,  # noqa: ARG002 - httpcore2's interface
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - httpcore2's interface
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with trio.fail_after(float("inf") if timeout is None else timeout):
                return _Stream(await self._dial(host, port), self._answer_bytes_max)
        except trio.TooSlowError as error:
            raise httpcore2.ConnectTimeout(f"no connection to {host}:{port}") from error
        except (OSError, trio.BrokenResourceError) as error:
            raise httpcore2.ConnectError(unconnected(f"{host}:{port}", error)) from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore2's interface
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - httpcore2's interface
    ) -> httpcore2.AsyncNetworkStream:
        raise httpcore2.ConnectError(f"no unix sockets here: {path}")

    async def sleep(self, seconds: float) -> None:
        """Called between connection retries, of which the pool makes none."""
        await trio.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    """A trio stream as httpcore2 sees it, with a limit on what may be read per request written."""

    def __init__(self, stream: trio.abc.Stream, answer_bytes_max: int) -> None:
        self._stream = stream
        self._answer_bytes_max = answer_bytes_max
        self._received = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        try:
            with trio.fail_after(float("inf") if timeout is None else timeout):
                data = bytes(await self._stream.receive_some(max_bytes))
        except trio.TooSlowError as error:
            raise httpcore2.ReadTimeout("no answer") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore2.ReadError(repr(error)) from error
        self._received += len(data)
        if self._received > self._answer_bytes_max:
            raise httpcore2.ReadError(f"the answer is longer than {self._answer_bytes_max} bytes")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        self._received = 0
        try:
            with trio.fail_after(float("inf") if timeout is None else timeout):
                await self._stream.send_all(buffer)
        except trio.TooSlowError as error:
            raise httpcore2.WriteTimeout("the request does not go out") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore2.WriteError(repr(error)) from error

    async def aclose(self) -> None:
        # httpcore2 closes under a shield of its own that has no deadline, so this must not be able to block.
        with trio.move_on_after(_CLOSE_S, shield=True):
            await trio.aclose_forcefully(self._stream)

    async def start_tls(
        self,
        ssl_context: object,  # noqa: ARG002 - httpcore2's interface
        server_hostname: str | None = None,  # noqa: ARG002 - httpcore2's interface
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore2's interface
    ) -> httpcore2.AsyncNetworkStream:
        """The dial function has already done it."""
        await trio.lowlevel.checkpoint()
        return self

    def get_extra_info(self, info: str) -> object:
        """Whether an idle connection has something to read, i.e. was closed by the server."""
        if info != "is_readable":
            return None
        stream: object = self._stream
        if isinstance(stream, SocketStream):
            return stream.is_readable()
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        return stream.socket.is_readable() if isinstance(stream, trio.SocketStream) else False
