"""Peers at real sockets of this machine, under TLS or not."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trio

from hlomm.bench.trust import trusted
from hlomm.venues.http_warm import Warming
from tests.unit.venues.harness import config

Handler = Callable[[trio.abc.Stream], Any]


@asynccontextmanager
async def served(handler: Handler, pem: tuple[Path, Path], *, tls: bool) -> AsyncIterator[int]:
    """The port at which a peer waits, for the block."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pem)

    async def handle(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):  # the other side closes without a goodbye
            await handler(trio.SSLStream(stream, context, server_side=True) if tls else stream)

    with trusted(pem[0]), trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, handle, listeners)
            yield listeners[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()


def warming(**fields: Any) -> Warming:
    """How lines are kept in tests: as a session does, and affordable."""
    usual: dict[str, Any] = {
        "lines": 2, "after_s": 20.0, "method": "POST", "path": "/info", "body": b'{"type":"exchangeStatus"}',
        "may_ask": lambda: True, "pace": config(),
    }  # fmt: skip
    return Warming(**{**usual, **fields})
