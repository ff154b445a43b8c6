"""An order over REST three ways: over a line kept warm, by the pool, and with a connection of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio

from hlomm.bench.peer import Peer
from hlomm.bench.probes import Tap
from hlomm.bench.quiet import Watch
from hlomm.bench.serve import spread
from hlomm.daemon.histogram import Histogram
from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer, HttpLimits
from hlomm.venues.http_warm import Warming
from hlomm.venues.socket_stream import open_stream
from hlomm.venues.transport import Transport

Json = dict[str, Any]
Post = Callable[[bytes], Awaitable[HttpAnswer]]

WAYS: Final = ("warm", "pool", "first")
_PATH: Final = "/exchange"
_OPEN_WITHIN_S: Final = 5.0
_LIMITS: Final = HttpLimits()


@attrs.frozen
class _Pace:
    """Of opening a lost line again."""

    reconnect_base_s: float = 0.5
    reconnect_cap_s: float = 30.0
    stable_after_s: float = 30.0
    jitter_seed: int = 0


@attrs.define(eq=False)
class _Sent:
    """When bytes were last with the kernel. Implements `probes.Listener`."""

    at_ns: int = 0

    def has_read(self, called_ns: int) -> None:
        """The answer is timed by whoever waits for it."""

    def has_sent(self) -> None:
        self.at_ns = time.perf_counter_ns()


async def measure(peer: Peer, way: str, body: bytes, count: int) -> Json:
    """So many posts, one after the other. `send`: call to the last byte with the kernel; `total`: to the answer.

    VenueUnavailable if one is not answered well.
    """
    sent, send, total = _Sent(), Histogram(), Histogram()

    async def connect(host: str, port: int, tls: bool, /) -> trio.abc.Stream:  # noqa: FBT001 - see Connect
        return Tap(await open_stream(host, port, tls), sent)

    async with _open(way, Transport(connect), peer.rest) as post:
        if way != "first":
            await post(body)
        watch, cpu_s = Watch((peer.pid,)), time.process_time()
        for _ in range(count):
            begun_ns = time.perf_counter_ns()
            answer = await post(body)
            total.add(time.perf_counter_ns() - begun_ns)
            send.add(sent.at_ns - begun_ns)
            if answer.status != 200:
                raise VenueUnavailable(f"the loopback venue answered {answer.said}")
        cpu_s = time.process_time() - cpu_s
    return {
        "requests": count, "send": spread(send), "total": spread(total),
        "cpu_us_per_request": round(cpu_s / count * 1e6, 2), **watch.seen(),
    }  # fmt: skip


@asynccontextmanager
async def _open(way: str, transport: Transport, url: str) -> AsyncIterator[Post]:
    if way == "warm":
        lines = transport.warm_lines(url, _LIMITS, _warming(), Clock(), Counters())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lines.run)  # noqa: ASYNC113 - it runs until cancelled
            with trio.fail_after(_OPEN_WITHIN_S):
                while not lines.ready:  # noqa: ASYNC110 - nobody else waits for that
                    await trio.sleep(0.002)
            yield lambda body: lines.request("POST", _PATH, body)
            nursery.cancel_scope.cancel(reason="measured")
    elif way == "pool":
        async with transport.http(url, _LIMITS) as client:
            yield lambda body: client.post(_PATH, body)
    else:
        yield lambda body: _once(transport, url, body)


async def _once(transport: Transport, url: str, body: bytes) -> HttpAnswer:
    async with transport.http(url, _LIMITS) as client:
        return await client.post(_PATH, body)


def _warming() -> Warming:
    return Warming(
        lines=1, after_s=_LIMITS.keepalive_s / 2, method="POST", path="/info", body=b'{"type":"exchangeStatus"}',
        may_ask=lambda: True, pace=_Pace(),
    )  # fmt: skip
