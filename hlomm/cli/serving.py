"""`hlomm tui --serve`: the terminal in a browser. textual-serve draws it; this is the gate in front of it.

Every page a browser shows may open a socket to this machine, and any name may be made to point here. So a request must
name this machine as its host, and a socket must come from a page that was served here; the page itself may load
nothing from elsewhere. Each session is a process of its own with a link of its own, and the daemon holds it to its
role: a viewer's, unless the operator who serves says otherwise. Then, and where other machines are let in, the address
carries a key that nobody can guess.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import click
from aiohttp import web
from textual_serve.server import Server

from hlomm.domain.faults import UsageError

MAX_SESSIONS: Final = 4
"""Each is a process and a client of the daemon, which takes sixteen."""
CLOSE_S: Final = 5.0
_COOKIE: Final = "hlomm"
_LOCAL_NAMES: Final = frozenset({"localhost"})
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@attrs.frozen(kw_only=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """`127.0.0.1:8787`, `[::1]:8787`, `localhost:8787`; UsageError for what is none."""
        try:
            parts = urlsplit(f"//{text}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or not port or text != parts.netloc or "@" in text:
            raise UsageError(f"--serve {text}: expected HOST:PORT, such as 127.0.0.1:8787")
        return cls(host=host, port=port)

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"


def is_loopback(host: str) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Gate(Server):
    """textual-serve with a door: whom it lets in, and how many at once."""

    def __init__(self, command: str, address: Address, *, key: str | None) -> None:
        """`key`: what a browser must bring once, in the address; None where looking is open to whoever reaches it."""
        super().__init__(command, host=address.host, port=address.port, title="hlomm")
        self._address = address
        self._key = key
        self.sessions = 0
        self.refused = 0

    async def application(self) -> web.Application:
        application = await self._make_app()

        @web.middleware
        async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._pass(request, handler)

        application.middlewares.append(door)
        return application

    async def on_startup(self, app: web.Application) -> None:
        """Nothing to say: the banner would go to stdout."""

    async def handle_index(self, request: web.Request) -> Any:
        # The page opens its socket under the name it was reached by: a tunnel may end at another port.
        self.public_url = f"http://{request.host}"
        return await super().handle_index(request)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if self.sessions >= MAX_SESSIONS:
            self.refused += 1
            raise web.HTTPServiceUnavailable(text=f"{MAX_SESSIONS} sessions are open already: close one")
        self.sessions += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self.sessions -= 1

    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            self.refused += 1
            raise web.HTTPForbidden(text=refusal)
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = _POLICY
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["X-Content-Type-Options"] = "nosniff"
            if self._key is not None and self._brought(request) == self._key:
                response.set_cookie(_COOKIE, self._key, httponly=True, samesite="Strict")
        return response

    def _refusal(self, request: web.Request) -> str | None:
        host = urlsplit(f"//{request.host}").hostname or ""
        if self._address.loopback and not is_loopback(host):
            return f"this address is not called {host}"
        if request.path == "/ws" and urlsplit(request.headers.get("Origin", "")).netloc != request.host:
            return "a socket is opened by the page served here, and by no other"
        if self._key is not None and not hmac.compare_digest(self._brought(request), self._key):
            return "open the address that `hlomm tui --serve` printed, with its key"
        return None

    def _brought(self, request: web.Request) -> str:
        return request.query.get("key") or request.cookies.get(_COOKIE, "")


def serve(command: str, address: Address, *, operator: bool) -> None:
    """Serve until Ctrl-C. UsageError where the address cannot be had."""
    key = secrets.token_urlsafe(24) if operator or not address.loopback else None
    gate = Gate(command, address, key=key)
    role = "operator: it can kill, flatten and resume" if operator else "read-only"
    where = f"{address.url}?key={key}" if key else address.url
    click.echo(f"serving the terminal ({role}) at {where} — Ctrl-C ends it", err=True)
    try:
        web.run_app(
            gate.application(), host=address.host, port=address.port, loop=asyncio.new_event_loop(), print=None,
            access_log=None, shutdown_timeout=CLOSE_S,
        )  # fmt: skip
    except OSError as error:
        raise UsageError(f"cannot serve at {address.url}: {error.strerror or error}") from None
