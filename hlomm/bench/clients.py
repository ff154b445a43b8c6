"""Light clients of the loopback venue: one for each way to speak websocket, all of them under the same clock."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, cast

import trio
import trio_websocket

from hlomm.bench.meter import Meter
from hlomm.bench.peer import Peer
from hlomm.bench.probes import Tap
from hlomm.bench.quiet import Watch
from hlomm.bench.rungs import Core
from hlomm.bench.serve import spread
from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.hyperliquid.wire.actions import post_frame
from hlomm.venues.socket_stream import open_stream
from hlomm.venues.transport import Address, Transport
from hlomm.venues.websocket import WebSocketKind, WebSocketLimits, WebSocketLink

Json = dict[str, Any]

STOCK: Final = "stock"
"""trio-websocket as its documentation shows it: get a message, work, send."""
_MARKET: Final = ('{"channel":"l2Book"', '{"channel":"bbo"', '{"channel":"trades"')
_CATCH_UP_S: Final = 60.0
_OUTBOUND: Final = 65_536
"""Frames that may wait for the writer: a flood asks for an order with every book."""


async def measure(peer: Peer, how: str, core: Core, rate: float, frames: int, *, warm: int = 100) -> Json:
    """So many frames at a rate (0: flood) through a client; what it took."""
    meter = Meter()
    async with _connected(peer, how, core, meter) as again:
        with meter.woken.watching():
            if warm:
                await _fed(peer, meter, rate or 200.0, warm)
            meter = again()
            before = await _posts(peer)
            watch, cpu_s, begun_ns = Watch((peer.pid,)), time.process_time(), time.perf_counter_ns()
            told = await _fed(peer, meter, rate, frames)
            cpu_s = time.process_time() - cpu_s
            taken = await _all_taken(peer, before + meter.orders) - before
    took_s = max((meter.last_ns - begun_ns) / 1e9, 1e-9)
    return {
        "frames": sum(told["sent"].values()), "handled": meter.messages, "orders": meter.orders,
        "posts": taken, "receive": spread(meter.receive), "work": spread(meter.work),
        "send": spread(meter.send), "total": spread(meter.total), "wire": told["wire_us"],
        "cpu_us_per_frame": round(cpu_s / frames * 1e6, 2), "frames_per_s": round(frames / took_s, 1), **watch.seen(),
    }  # fmt: skip


async def _fed(peer: Peer, meter: Meter, rate: float, frames: int) -> Json:
    """Feed, and wait until the last frame was handled. VenueUnavailable if it never comes."""
    told = await peer.feed(rate, frames)
    with trio.move_on_after(_CATCH_UP_S):
        while meter.messages < frames:  # noqa: ASYNC110 - an event for each message would be measured, too
            await trio.sleep(0.002)
        return told
    raise VenueUnavailable(f"{frames - meter.messages} of {frames} frames never came")


async def _posts(peer: Peer) -> int:
    """Actions that have reached the venue."""
    return sum(count for kind, count in (await peer.acted()).items() if kind != "orders")


async def _all_taken(peer: Peer, posts: int) -> int:
    """Actions that have reached the venue; waits a moment for those that are on their way."""
    taken = 0
    with trio.move_on_after(_CATCH_UP_S):
        while (taken := await _posts(peer)) < posts:  # noqa: ASYNC110 - another process has no event of ours
            await trio.sleep(0.01)
    return taken


def _connected(peer: Peer, how: str, core: Core, meter: Meter) -> AbstractAsyncContextManager[Callable[[], Meter]]:
    """A client that trades on what it is told. The block's value exchanges its meter for a new one."""
    return _stock(peer, core, meter) if how == STOCK else _ours(peer, WebSocketKind(how), core, meter)


class _Desk:
    """What all clients do with a message."""

    def __init__(self, core: Core, meter: Meter) -> None:
        self._core = core
        self.meter = meter
        self._posts = 0

    def text_for(self, message: str | bytes) -> str | None:
        """The frame of an order; answers of the venue are nobody's business here."""
        assert isinstance(message, str), "the venue sends text"
        return self.meter.take(message, self._work) if message.startswith(_MARKET) else None

    def again(self) -> Meter:
        self.meter = Meter(woken=self.meter.woken)
        return self.meter

    def has_read(self, called_ns: int) -> None:
        self.meter.has_read(called_ns)

    def has_sent(self) -> None:
        self.meter.has_sent()

    def _work(self, message: str | bytes) -> str | None:
        self._posts += 1
        nonce = time.time_ns() // 1_000_000
        body = self._core.order_for(message, nonce, f"0x{self._posts:032x}")
        return None if body is None else post_frame(self._posts, body.encode())


@asynccontextmanager
async def _ours(peer: Peer, kind: WebSocketKind, core: Core, meter: Meter) -> AsyncIterator[Callable[[], Meter]]:
    desk = _Desk(core, meter)
    links: list[WebSocketLink] = []

    async def connect(host: str, port: int, tls: bool, /) -> trio.abc.Stream:  # noqa: FBT001 - see Connect
        return Tap(await open_stream(host, port, tls), desk)

    def on_frame(message: str | bytes, received_ns: int) -> None:
        del received_ns
        text = desk.text_for(message)
        if text is not None:
            links[0].send_nowait(text)

    limits = WebSocketLimits(outbound_queue=_OUTBOUND)
    async with Transport(connect=connect).websocket(
        peer.ws, on_frame, time.monotonic_ns, limits, kind=kind
    ) as link:  # fmt: skip
        links.append(link)
        yield desk.again


@asynccontextmanager
async def _stock(peer: Peer, core: Core, meter: Meter) -> AsyncIterator[Callable[[], Meter]]:
    desk, address = _Desk(core, meter), Address.of(peer.ws)
    stream = Tap(await open_stream(address.host, address.port, address.tls), desk)

    async def trade(socket: trio_websocket.WebSocketConnection) -> None:
        while True:
            text = desk.text_for(await socket.get_message())
            if text is not None:
                await socket.send_message(text)

    try:
        async with trio.open_nursery() as nursery:
            socket = await trio_websocket.wrap_client_stream(
                nursery, cast("trio.SocketStream", stream), address.host_header, address.path
            )
            nursery.start_soon(trade, socket)
            yield desk.again
            nursery.cancel_scope.cancel(reason="measured")
    finally:
        with trio.move_on_after(1, shield=True):
            await trio.aclose_forcefully(stream)
