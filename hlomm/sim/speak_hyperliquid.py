"""Serves the simulated Hyperliquid: REST and websocket on one port; what any venue's server does is in `speaker`."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import trio

from hlomm.domain.times import NS_PER_MS
from hlomm.sim.clock import VenueClock
from hlomm.sim.hl.actions import Reply, weight_of
from hlomm.sim.hl.control import Control
from hlomm.sim.hl.envelope import decode_envelope
from hlomm.sim.hl.hub import Hub
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.peers import Addresses, AddressState
from hlomm.sim.hl.schema import Malformed
from hlomm.sim.hl.session import Session
from hlomm.sim.hl.venue import Venue
from hlomm.sim.http_server import HttpReply, HttpRequest, HttpServer
from hlomm.sim.speaker import PLAIN, Speaker, Wording
from hlomm.sim.ws_peer import FrameFaults, WsPeer

_ORDERS_PER_WEIGHT: Final = 40
_HOST_SILENCE_S: Final = 20.0
"""However fast venue time runs, a process that gets no processor for so long is not a client that has left."""
_PATHS: Final = frozenset({"/info", "/exchange"})

NULL_429: Final = HttpReply(429, b"null")
NULL_500: Final = HttpReply(500, b"null")
BAD_JSON: Final = HttpReply(400, b"Failed to parse the request body as JSON", PLAIN)
BAD_TYPE: Final = HttpReply(415, b"Expected request with `Content-Type: application/json`", PLAIN)
BAD_SCHEMA: Final = HttpReply(422, b"Failed to deserialize the JSON body into the target type", PLAIN)
NOT_FOUND: Final = HttpReply(404, b"null")


class HyperliquidSpeaker(Speaker):
    def __init__(self, venue: Venue, clock: VenueClock) -> None:
        super().__init__(venue, clock, Control(venue), Wording(not_found=NOT_FOUND, too_many=NULL_429, broken=NULL_500))
        self.venue = venue
        self._info = Info(venue)
        self._hub = Hub(venue)
        self._addresses = Addresses(venue.config.rules)

    def statistics(self) -> dict[str, int]:
        return (
            super().statistics()
            | self._addresses.refusals()
            | {
                "frames": self._hub.frames,
                "mempool_refused": self.venue.world.sequencer.refused,
                "ip_weight_left": self._addresses.weight_left(self.clock.now_ns()),
            }
        )

    # -- websocket

    async def _websocket(self, stream: trio.abc.Stream, server: HttpServer, request: HttpRequest, address: str) -> None:
        rules = self.venue.config.rules
        state = self._addresses.of(address)
        if request.path != "/ws":
            await server.refuse(NOT_FOUND)
        if state.connections >= rules.ws_connections or not state.opened.take(self.clock.now_ns()):
            self._count("ws_refused")
            await server.refuse(NULL_429)
        silence_s = max(rules.ws_silence_s, _HOST_SILENCE_S * self.clock.speed)
        peer = self._peer(WsPeer, stream, FrameFaults(self.venue.faults), silence_s)
        session = Session(self.venue, self._hub, self._info, state, peer)
        state.connections += 1
        try:
            await self._serve_peer(peer, session, request)
        finally:
            state.connections -= 1

    # -- REST

    def _serves(self, request: HttpRequest) -> bool:
        return request.method == "POST" and request.path in _PATHS

    async def _answer(self, request: HttpRequest, address: str) -> HttpReply | None:
        await trio.lowlevel.checkpoint()
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
        now_ns = self.clock.now_ns()
        reply: Reply | None = await self._carried_out(
            lambda answer: self.venue.gateway.submit(envelope, now_ns, answer)
        )
        return None if reply is None else HttpReply(200, msgspec.json.encode(reply))
