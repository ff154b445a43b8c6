"""Serves the simulated Polymarket over any stream: all of its hosts on one port, and the control requests.

The CLOB is at the root, Gamma below `/gamma`, the Data API below `/data-api`, the streams at `/ws/market`, `/ws/user`
and, for prices, `/rtds`. The world is advanced by one task; connections only submit and listen.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn
from urllib.parse import parse_qs, parse_qsl

import attrs
import msgspec
import trio

from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.clock import VenueClock
from hlomm.sim.http_server import ConnectionOver, HttpReply, HttpRequest, HttpServer
from hlomm.sim.outbox import Outbox
from hlomm.sim.pm import refusals
from hlomm.sim.pm.chain import CHAIN_ID
from hlomm.sim.pm.control import Control
from hlomm.sim.pm.faults import PmFault
from hlomm.sim.pm.gamma import Gamma
from hlomm.sim.pm.gateway import TRADING, refusal_reply, reply_of
from hlomm.sim.pm.hub import Hub
from hlomm.sim.pm.prices import PriceSession
from hlomm.sim.pm.private import Private
from hlomm.sim.pm.public import Public
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.session import FrameMischief, MarketSession, UserSession
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.ws_peer import Conversation, WsPeer

GAMMA: Final = "/gamma"
DATA: Final = "/data-api"
PRICES: Final = "/rtds"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_IDLE_S: Final = 75.0
_CLOSE_S: Final = 1.0
_REPLY_WAIT_NS: Final = 60 * NS_PER_S
"""How long a request whose answer got lost keeps its connection."""
_SILENCE_S: Final = 3600.0
"""The venue does not close quiet connections; PING is the client's business."""
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_PRIVATE: Final = ("auth/", "balance-allowance", "data/", "v1/", "notifications")


class PolymarketSpeaker:
    """One venue's server. Run `run` in a nursery and call `serve_stream` for each connection."""

    def __init__(self, venue: PolymarketVenue, clock: VenueClock) -> None:
        self.venue = venue
        self.clock = clock
        self.clients = 0
        self.counters: dict[str, int] = {}
        self._public = Public(venue)
        self._private = Private(venue)
        self._gamma = Gamma(venue)
        self._hub = Hub(venue)
        self._control = Control(venue)
        self._peers: dict[WsPeer, None] = {}

    async def run(self) -> NoReturn:
        """Advance the world with the clock, for ever."""
        world, limit = self.venue.world, self.venue.config.buffers.catch_up_blocks
        while True:
            behind = world.advance(self.clock.now_ns(), steps_max=limit) == limit
            if self._peers and self.venue.faults.take(PmFault.WS_KILLED) is not None:
                for peer in list(self._peers):
                    peer.kill()
            if behind:
                self._count("catch_ups")
                await trio.lowlevel.checkpoint()
            else:
                await self.clock.sleep_until(world.next_step_ns)

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
        sizes = {"clients": self.clients, "websockets": len(self._peers), "frames": self._hub.frames}
        return self.counters | sizes

    async def _converse(self, stream: trio.abc.Stream, address: str) -> None:
        body_bytes = self.venue.config.buffers.body_bytes
        server = HttpServer(stream, body_bytes_max=body_bytes, idle_s=_IDLE_S)
        while True:
            request = await server.receive()
            if request.upgrade:
                await self._websocket(stream, server, request)
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

    async def _websocket(self, stream: trio.abc.Stream, server: HttpServer, request: HttpRequest) -> None:
        if request.path not in {"/ws/market", "/ws/user", PRICES}:
            await server.refuse(HttpReply(404, b"404 page not found", "text/plain"))
            return
        bounds = self.venue.config.buffers
        peer = WsPeer(
            stream,
            self.clock,
            Outbox(self.clock, bounds),
            FrameMischief(self.venue.faults),
            self.counters,
            message_bytes_max=bounds.body_bytes,
            silence_s=_SILENCE_S * max(self.clock.speed, 1.0),
        )
        self._peers[peer] = None
        try:
            await peer.run(self._session(request.path, peer), request.headers, request.target, request.rest)
        finally:
            del self._peers[peer]

    def _session(self, path: str, peer: WsPeer) -> Conversation:
        if path == PRICES:
            return PriceSession(self._hub.prices, peer)
        kind = MarketSession if path == "/ws/market" else UserSession
        return kind(self.venue, self._hub, peer)

    # -- REST

    async def _respond(self, request: HttpRequest, address: str) -> HttpReply | None:
        """The answer to a request, None if it gets lost."""
        await trio.lowlevel.checkpoint()
        if request.path == "/sim":
            return self._respond_control(request, address)
        spoiled = await self._rest_fault(request.path)
        if spoiled is not None:
            return spoiled
        try:
            if (request.method, request.path) in TRADING:
                return await self._trade(request)
            value = self._read(request)
        except Refused as error:
            reply = refusal_reply(error)
        except KeyError:
            reply = reply_of({"error": "Not Found"}, 404)
        else:
            reply = HttpReply(200, b"", "text/plain") if value == "" else reply_of(value)
        own = self.venue.config.polymarket
        await self._pause(int((own.request_ms + own.reply_ms) * NS_PER_MS))
        return reply

    def _read(self, request: HttpRequest) -> Any:
        """The value of a request that changes no order; Refused, or KeyError if there is no such route."""
        method, path = request.method, request.path
        text = request.target.decode("ascii", "replace").partition("?")[2]
        if path.startswith(GAMMA + "/"):
            return self._gamma.answer(path.removeprefix(GAMMA), parse_qs(text))
        if path.startswith(DATA + "/"):
            return self._gamma.data(path.removeprefix(DATA), parse_qs(text))
        query = dict(parse_qsl(text))
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
        if not path.lstrip("/").startswith(_PRIVATE):
            return self._public.answer(method, path, query, _json(request.body))
        given = self._private.key_request(method, path, headers)
        if given is not None:
            return given
        key = self._private.authenticate(method, path, request.body, headers)
        return self._private.answer(method, path, query, _json(request.body), key)

    async def _trade(self, request: HttpRequest) -> HttpReply | None:
        """Hand a request to the engine and wait for what comes of it; the client's leaving does not stop it."""
        await trio.lowlevel.checkpoint()
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
        key = self._private.authenticate(request.method, request.path, request.body, headers)
        done = trio.Event()
        answers: list[tuple[HttpReply | None, int]] = []

        def answer(reply: HttpReply | None, due_ns: int) -> None:
            answers.append((reply, due_ns))
            done.set()

        now_ns = self.clock.now_ns()
        self.venue.gateway.submit(request.method, request.path, _json(request.body), key, now_ns, answer)
        await done.wait()
        reply, due_ns = answers[0]
        if reply is not None:
            await self.clock.sleep_until(due_ns)
        return reply

    async def _rest_fault(self, path: str) -> HttpReply | None:
        await trio.lowlevel.checkpoint()
        faults = self.venue.faults

        def hit(name: PmFault) -> bool:
            args = faults.active(name)
            return args is not None and args.path in {"", path} and faults.take(name) is not None

        slow = faults.active(PmFault.REST_SLOW)
        if slow is not None and hit(PmFault.REST_SLOW):
            await self._pause(int(slow.delay_s * NS_PER_S))
        if hit(PmFault.REST_429):
            return HttpReply(429, b'{"error":"Too Many Requests"}', headers=(("Retry-After", "1"),))
        if hit(PmFault.REST_500):
            return reply_of({"error": refusals.INTERNAL}, 500)
        if hit(PmFault.REST_HTML):
            return HttpReply(502, _HTML, "text/html")
        return None

    def _respond_control(self, request: HttpRequest, address: str) -> HttpReply:
        if address not in LOOPBACK:
            return reply_of({"error": "Not Found"}, 404)
        try:
            return reply_of(self._control.answer(_json(request.body), self.statistics()))
        except Refused as error:
            return refusal_reply(error)

    async def _pause(self, venue_ns: int) -> None:
        await self.clock.sleep_until(self.clock.now_ns() + venue_ns)

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1


def announced(venue: PolymarketVenue, base: str) -> dict[str, Any]:
    """What a client needs to attach. `base` is `host:port`; `ws` is followed by `/market` or `/user`."""
    return {
        "rest": f"http://{base}",
        "gamma": f"http://{base}{GAMMA}",
        "data": f"http://{base}{DATA}",
        "ws": f"ws://{base}/ws",
        "prices": f"ws://{base}{PRICES}",
        "chain_id": CHAIN_ID,
        "accounts": [attrs.asdict(account) for account in venue.accounts],
    }


def _json(body: bytes) -> Any:
    """The value of a JSON body, None for an empty one."""
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused(refusals.INVALID_PAYLOAD) from None
