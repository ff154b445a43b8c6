"""Serves the simulated Hyperliquid over any stream: REST and websocket on the same port, and the control requests.

The world is advanced by one task on the block clock; connections only submit and listen. Venue time, and with it all
latency, comes from the injected clock.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import msgspec
import trio

from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.clock import VenueClock
from hlomm.sim.faults import FaultName
from hlomm.sim.hl.actions import Reply, weight_of
from hlomm.sim.hl.control import Control
from hlomm.sim.hl.envelope import decode_envelope
from hlomm.sim.hl.hub import Hub
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.peers import Addresses, AddressState
from hlomm.sim.hl.schema import Malformed
from hlomm.sim.hl.session import Session
from hlomm.sim.hl.venue import Venue
from hlomm.sim.http_server import ConnectionOver, HttpReply, HttpRequest, HttpServer
from hlomm.sim.outbox import Outbox
from hlomm.sim.ws_peer import FrameFaults, WsPeer

LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_IDLE_S: Final = 75.0
_CLOSE_S: Final = 1.0
_REPLY_WAIT_NS: Final = 60 * NS_PER_S
"""How long a request whose answer got lost keeps its connection."""
_ORDERS_PER_WEIGHT: Final = 40
_PLAIN: Final = "text/plain; charset=utf-8"
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

_HOST_SILENCE_S: Final = 20.0
"""However fast venue time runs, a process that gets no processor for so long is not a client that has left."""
NULL_429: Final = HttpReply(429, b"null")
NULL_500: Final = HttpReply(500, b"null")
BAD_JSON: Final = HttpReply(400, b"Failed to parse the request body as JSON", _PLAIN)
BAD_TYPE: Final = HttpReply(415, b"Expected request with `Content-Type: application/json`", _PLAIN)
BAD_SCHEMA: Final = HttpReply(422, b"Failed to deserialize the JSON body into the target type", _PLAIN)
NOT_FOUND: Final = HttpReply(404, b"null")


class HyperliquidSpeaker:
    """One venue's server. Run `run` in a nursery and call `serve_stream` for each connection."""

    def __init__(self, venue: Venue, clock: VenueClock) -> None:
        self.venue = venue
        self.clock = clock
        self.clients = 0
        self.counters: dict[str, int] = {}
        self._info = Info(venue)
        self._hub = Hub(venue)
        self._control = Control(venue)
        self._addresses = Addresses(venue.config.rules)
        self._peers: dict[WsPeer, None] = {}

    async def run(self) -> NoReturn:
        """Advance the world with the clock, for ever."""
        world, limit = self.venue.world, self.venue.config.buffers.catch_up_blocks
        while True:
            behind = world.advance(self.clock.now_ns(), blocks_max=limit) == limit
            if self._peers and self.venue.faults.take(FaultName.WS_KILLED) is not None:
                for peer in list(self._peers):
                    peer.kill()
            if behind:
                self._count("catch_ups")
                await trio.lowlevel.checkpoint()
            else:
                await self.clock.sleep_until(world.next_block_ns)

    async def serve_stream(self, stream: trio.abc.Stream, address: str = "127.0.0.1") -> None:
        """Serve one connection from `address` until it ends, and close it."""
        self.clients += 1
        try:
            await self._converse(stream, address)
        except ConnectionOver:
            self._count("connections_over")
        finally:
            self.clients -= 1
            with trio.move_on_after(_CLOSE_S, shield=True):
                await stream.aclose()

    def statistics(self) -> dict[str, int]:
        """Counters of everything refused, dropped or closed, with the sizes of what is open."""
        return (
            self.counters
            | self._addresses.refusals()
            | {
                "clients": self.clients,
                "websockets": len(self._peers),
                "frames": self._hub.frames,
                "mempool_refused": self.venue.world.sequencer.refused,
                "ip_weight_left": self._addresses.weight_left(self.clock.now_ns()),
            }
        )

    async def _converse(self, stream: trio.abc.Stream, address: str) -> None:
        body_bytes = self.venue.config.buffers.body_bytes
        server = HttpServer(stream, body_bytes_max=body_bytes, idle_s=_IDLE_S)
        while True:
            request = await server.receive()
            if request.upgrade:
                await self._websocket(stream, server, request, address)
                return
            reply = await self._respond(request, address)
            if reply is None:
                await self._hang(stream)
                return
            await server.reply(reply)

    async def _hang(self, stream: trio.abc.Stream) -> None:
        """Leave a request unanswered until the client gives up."""
        await trio.lowlevel.checkpoint()
        try:
            with trio.move_on_at(self.clock.trio_time(self.clock.now_ns() + _REPLY_WAIT_NS)):
                await stream.receive_some(1)
        except trio.BrokenResourceError:
            self._count("gave_up")

    # -- websocket

    async def _websocket(self, stream: trio.abc.Stream, server: HttpServer, request: HttpRequest, address: str) -> None:
        rules = self.venue.config.rules
        state = self._addresses.of(address)
        if request.path != "/ws":
            await server.refuse(NOT_FOUND)
        if state.connections >= rules.ws_connections or not state.opened.take(self.clock.now_ns()):
            self._count("ws_refused")
            await server.refuse(NULL_429)
        bounds = self.venue.config.buffers
        peer = WsPeer(
            stream,
            self.clock,
            Outbox(self.clock, bounds),
            FrameFaults(self.venue.faults),
            self.counters,
            message_bytes_max=bounds.body_bytes,
            silence_s=max(rules.ws_silence_s, _HOST_SILENCE_S * self.clock.speed),
        )
        session = Session(self.venue, self._hub, self._info, state, peer)
        state.connections += 1
        self._peers[peer] = None
        try:
            await peer.run(session, request.headers, request.target, request.rest)
        finally:
            del self._peers[peer]
            state.connections -= 1

    # -- REST

    async def _respond(self, request: HttpRequest, address: str) -> HttpReply | None:
        """The answer to a request, None if it gets lost."""
        await trio.lowlevel.checkpoint()
        if request.method != "POST" or request.path not in {"/info", "/exchange", "/sim"}:
            return NOT_FOUND
        if request.path == "/sim":
            return self._respond_control(request, address)
        spoiled = await self._rest_fault(request.path)
        if spoiled is not None:
            return spoiled
        if not request.header(b"content-type").startswith("application/json"):
            return BAD_TYPE
        try:
            body = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            return BAD_JSON
        state = self._addresses.of(address)
        if request.path == "/info":
            return await self._respond_info(body, state)
        return await self._respond_exchange(request.body, state)

    async def _rest_fault(self, path: str) -> HttpReply | None:
        await trio.lowlevel.checkpoint()
        faults = self.venue.faults

        def hit(name: FaultName) -> bool:
            args = faults.active(name)
            return args is not None and args.path in {"", path} and faults.take(name) is not None

        slow = faults.active(FaultName.REST_SLOW)
        if slow is not None and hit(FaultName.REST_SLOW):
            await self._pause(int(slow.delay_s * NS_PER_S))
        if hit(FaultName.REST_429):
            return NULL_429
        if hit(FaultName.REST_500):
            return NULL_500
        if hit(FaultName.REST_HTML):
            return HttpReply(502, _HTML, "text/html")
        return None

    async def _respond_info(self, body: Any, state: AddressState) -> HttpReply:
        try:
            answer = self._info.answer(body)
        except Malformed:
            answer = None
        admitted = answer is None or state.weight.take(self.clock.now_ns(), answer.weight)
        await self._pause(int(self.venue.config.latency.info_ms * NS_PER_MS))
        if answer is None:
            return BAD_SCHEMA
        return HttpReply(answer.status, msgspec.json.encode(answer.value)) if admitted else NULL_429

    async def _respond_exchange(self, body: bytes, state: AddressState) -> HttpReply | None:
        await trio.lowlevel.checkpoint()
        try:
            envelope = decode_envelope(body)
        except Malformed:
            return BAD_SCHEMA
        if not state.weight.take(self.clock.now_ns(), 1 + weight_of(envelope.action) // _ORDERS_PER_WEIGHT):
            return NULL_429
        done = trio.Event()
        answers: list[tuple[Reply | None, int]] = []

        def answer(reply: Reply | None, due_ns: int) -> None:
            answers.append((reply, due_ns))
            done.set()

        self.venue.gateway.submit(envelope, self.clock.now_ns(), answer)
        await done.wait()
        reply, due_ns = answers[0]
        if reply is None:
            return None
        await self.clock.sleep_until(due_ns)
        return HttpReply(200, msgspec.json.encode(reply))

    def _respond_control(self, request: HttpRequest, address: str) -> HttpReply:
        if address not in LOOPBACK:
            return NOT_FOUND
        try:
            value = self._control.answer(msgspec.json.decode(request.body), self.statistics())
        except msgspec.DecodeError:
            return BAD_JSON
        except Malformed as error:
            return HttpReply(422, str(error).encode(), _PLAIN)
        return HttpReply(200, msgspec.json.encode(value))

    async def _pause(self, venue_ns: int) -> None:
        await self.clock.sleep_until(self.clock.now_ns() + venue_ns)

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1
