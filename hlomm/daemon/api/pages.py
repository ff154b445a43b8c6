"""The ASGI application: a few pages, all of them only to be read, all of them bounded.

Every page that a browser shows may ask this machine for something, and any name may be made to point here: so a request
must name this machine as its host, and nothing is said about other origins.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import attrs
import trio

from hlomm.daemon.api.decisions import Asked, decisions
from hlomm.daemon.api.exposition import CONTENT_TYPE, exposition
from hlomm.daemon.api.health import Health, Verdict, judge
from hlomm.daemon.api.snapshots import Seen, Snapshots
from hlomm.domain.faults import UsageError
from hlomm.domain.report import Snapshot
from hlomm.settings.paths import StatePaths

AT_ONCE: Final = 100
"""Requests; one more is told to come later."""
ANSWER_S: Final = 8.0
"""Prometheus gives up after ten."""
QUERY_MAX: Final = 512
_JSON: Final = "application/json"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
View = Callable[[Snapshot], Any]


@attrs.frozen
class Reply:
    status: int
    body: bytes
    kind: str = _JSON


class Pages:
    """`views`: further pages by path, each a document made of a snapshot."""

    def __init__(self, paths: StatePaths, snapshots: Snapshots, views: Mapping[str, View]) -> None:
        self._paths = paths
        self._snapshots = snapshots
        self._views = dict(views)
        self._busy = 0
        self._reading = trio.CapacityLimiter(1)
        """Of ledger and journal: one reader at a time, whoever asks."""
        self.served: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return  # a websocket that nobody accepts is refused by the server
        reply = await self._bounded(scope)
        self.served[str(reply.status)] = self.served.get(str(reply.status), 0) + 1
        headers = [
            (b"content-type", reply.kind.encode()), (b"content-length", str(len(reply.body)).encode()),
            (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
        ]  # fmt: skip
        if reply.status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})

    async def _bounded(self, scope: Scope) -> Reply:
        refused = _refusal(scope)
        if refused is not None:
            return refused
        if self._busy >= AT_ONCE:
            return _error(503, f"{AT_ONCE} requests are being answered", "ask again in a second")
        self._busy += 1
        try:
            with trio.move_on_after(ANSWER_S):
                return await self._answer(scope["path"], scope["query_string"])
            return _error(503, f"no answer within {ANSWER_S:.0f} s", "see `hlomm doctor`")
        finally:
            self._busy -= 1

    async def _answer(self, path: str, query: bytes) -> Reply:
        if path == "/metrics":
            seen = await self._snapshots.get()
            return Reply(200, exposition(seen.snapshot, self.served), CONTENT_TYPE)
        if path in ("/health", "/health/ready"):
            return _health(await self._snapshots.get(), ready=path.endswith("ready"))
        if path == "/decisions":
            return await self._decisions(query)
        view = self._views.get(path)
        if view is None:
            there = ", ".join(("/metrics", "/health", "/health/ready", "/decisions", *self._views))
            return _error(404, "no such page", f"there are {there}")
        seen = await self._snapshots.get()
        if seen.snapshot is None:
            return _error(503, seen.error, "start it with `hlomm run`; `hlomm doctor` says how it stands")
        return _json(200, view(seen.snapshot))

    async def _decisions(self, query: bytes) -> Reply:
        try:
            asked = Asked.of(dict(parse_qsl(query[:QUERY_MAX].decode("ascii", "replace"), keep_blank_values=True)))
        except UsageError as error:
            return _error(400, str(error), "such as /decisions?limit=20&market=hyperliquid:o15")
        seen = await self._snapshots.get()
        read = partial(decisions, self._paths, asked, seen.snapshot)
        try:
            return _json(200, await trio.to_thread.run_sync(read, limiter=self._reading))
        except UsageError as error:
            return _error(503, str(error), "see `hlomm doctor`")


def _refusal(scope: Scope) -> Reply | None:
    if scope["method"] not in ("GET", "HEAD"):
        return _error(405, "these pages are only read", "kill, flatten and resume are commands: `hlomm kill`")
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    if not names_this_machine(host):
        return _error(403, f"this address is not called {host[:80]}", "ask for localhost or 127.0.0.1")
    return None


def names_this_machine(host: str) -> bool:
    """Whether the Host of a request is a loopback name, with or without a port."""
    if "@" in host or "/" in host:
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _health(seen: Seen, *, ready: bool) -> Reply:
    verdict = Verdict(Health.DOWN, (seen.error,)) if seen.snapshot is None else judge(seen.snapshot)
    good = verdict.ready if ready else verdict.alive
    return _json(200 if good else 503, {"health": verdict.health.value, "reasons": list(verdict.reasons)})


def _json(status: int, document: Any) -> Reply:
    return Reply(status, json.dumps(document).encode())


def _error(status: int, error: str, next_step: str) -> Reply:
    return _json(status, {"error": error, "next": next_step})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
