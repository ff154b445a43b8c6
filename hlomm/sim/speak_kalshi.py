"""Serves the simulated Kalshi over any stream: REST and websocket on the same port, and the control requests.

The world is advanced by one task on the clock of its steps; connections only submit and listen.
"""

from __future__ import annotations

from typing import Final, NoReturn

import msgspec
import trio
from wsproto.events import Ping

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.sim.clock import VenueClock
from hlomm.sim.faults import FaultName
from hlomm.sim.http_server import ConnectionOver, HttpReply, HttpRequest, HttpServer
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.auth import credentials
from hlomm.sim.kalshi.control import Control, Malformed
from hlomm.sim.kalshi.hub import Hub
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.kalshi.rest import TOO_MANY, Rest
from hlomm.sim.kalshi.session import Session
from hlomm.sim.kalshi.venue import API, WS_PATH, KalshiVenue
from hlomm.sim.outbox import Outbox
from hlomm.sim.ws_peer import FrameFaults, WsPeer

LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
HEARTBEAT: Final = b"heartbeat"
_IDLE_S: Final = 75.0
_CLOSE_S: Final = 1.0
_REPLY_WAIT_NS: Final = 60 * NS_PER_S
"""How long a request whose answer got lost keeps its connection."""
_PLAIN: Final = "text/plain; charset=utf-8"
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_NOT_FOUND: Final = HttpReply(404, msgspec.json.encode(refusals.NOT_FOUND.body("enveloped")))
_BAD_CONTROL: Final = HttpReply(400, b"Failed to parse the request body as JSON", _PLAIN)


class KalshiPeer(WsPeer):
    """A peer that is pinged every few seconds of venue time, and never closed for silence."""

    _ping_ns = 10 * NS_PER_S

    def ping_every(self, seconds: float) -> KalshiPeer:
        self._ping_ns = seconds_to_ns(seconds)
        return self

    async def _watch_silence(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now_ns() + self._ping_ns)
            if not self._mischief.silent():
                self._pongs.append(self._ws.send(Ping(payload=HEARTBEAT)))
                self._queue(b"", self._clock.now_ns())


class KalshiSpeaker:
    """One venue's server. Run `run` in a nursery and call `serve_stream` for each connection."""

    def __init__(self, venue: KalshiVenue, clock: VenueClock) -> None:
        self.venue = venue
        self.clock = clock
        self.clients = 0
        self.counters: dict[str, int] = {}
        self._rest = Rest(venue)
        self._hub = Hub(venue)
        self._control = Control(venue)
        self._peers: dict[WsPeer, None] = {}

    async def run(self) -> NoReturn:
        """Advance the world with the clock, for ever."""
        world, limit = self.venue.world, self.venue.config.buffers.catch_up_blocks
        while True:
            behind = world.advance(self.clock.now_ns(), steps_max=limit) == limit
            if self._peers and self.venue.faults.take(FaultName.WS_KILLED) is not None:
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
        venue = self.venue
        return self.counters | {
            "clients": self.clients,
            "websockets": len(self._peers),
            "actions": self._rest.executed,
            "auth_refused": venue.keys.refused,
            "rate_limited": sum(budget.refused() for budget in venue.budgets.values()),
            "mempool_refused": venue.world.sequencer.refused,
            "gaps": self._hub.gaps,
            "overflows": self._hub.overflows,
            "client_ids_forgotten": sum(engine.client_ids_forgotten for engine in venue.exchange.engines.values()),
        }

    async def _converse(self, stream: trio.abc.Stream, address: str) -> None:
        server = HttpServer(stream, body_bytes_max=self.venue.config.buffers.body_bytes, idle_s=_IDLE_S)
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
        rules = self.venue.rules
        if request.path != WS_PATH:
            await server.refuse(_NOT_FOUND)
        if len(self._peers) >= rules.connections:
            self._count("ws_refused")
            await server.refuse(TOO_MANY)
        account = self._admitted(request)
        if account is None:
            self._count("ws_unauthorized")
            await server.refuse(HttpReply(401, msgspec.json.encode(refusals.UNAUTHORIZED.body(rules.error_form))))
            return
        bounds = self.venue.config.buffers
        peer = KalshiPeer(
            stream,
            self.clock,
            Outbox(self.clock, bounds),
            FrameFaults(self.venue.faults),
            self.counters,
            message_bytes_max=bounds.body_bytes,
            silence_s=rules.ping_s,
        ).ping_every(rules.ping_s)
        session = Session(self.venue, self._hub, account, peer)
        self._peers[peer] = None
        try:
            await peer.run(session, request.headers, request.target, request.rest)
        finally:
            del self._peers[peer]

    def _admitted(self, request: HttpRequest) -> Account | None:
        """The member who asks for an upgrade, None if the signature is not good."""
        given = credentials(request.headers)
        try:
            account = self.venue.keys.account_of(given, "GET", request.path, self.clock.now_ns())
        except Refused:
            return None
        return account if self.venue.faults.take(FaultName.AUTH_REFUSED) is None else None

    # -- REST

    async def _respond(self, request: HttpRequest, address: str) -> HttpReply | None:
        """The answer to a request, None if it gets lost."""
        await trio.lowlevel.checkpoint()
        if request.path == "/sim" and request.method == "POST":
            return self._respond_control(request, address)
        if not request.path.startswith(API + "/"):
            return _NOT_FOUND
        spoiled = await self._rest_fault(request.path)
        if spoiled is not None:
            return spoiled
        done = trio.Event()
        answers: list[tuple[HttpReply | None, int]] = []

        def answer(reply: HttpReply | None, due_ns: int) -> None:
            answers.append((reply, due_ns))
            done.set()

        target = request.target.decode("ascii", "replace")
        self._rest.submit(
            request.method, target, credentials(request.headers), request.body, self.clock.now_ns(), answer
        )
        await done.wait()
        reply, due_ns = answers[0]
        if reply is not None:
            await self.clock.sleep_until(due_ns)
        return reply

    async def _rest_fault(self, path: str) -> HttpReply | None:
        await trio.lowlevel.checkpoint()
        faults = self.venue.faults

        def hit(name: FaultName) -> bool:
            args = faults.active(name)
            return args is not None and args.path in {"", path} and faults.take(name) is not None

        slow = faults.active(FaultName.REST_SLOW)
        if slow is not None and hit(FaultName.REST_SLOW):
            await self.clock.sleep_until(self.clock.now_ns() + int(slow.delay_s * NS_PER_S))
        if hit(FaultName.REST_429):
            return TOO_MANY
        if hit(FaultName.REST_500):
            return HttpReply(500, msgspec.json.encode(refusals.SERVER_ERROR.body(self.venue.rules.error_form)))
        if hit(FaultName.REST_HTML):
            return HttpReply(502, _HTML, "text/html")
        return None

    def _respond_control(self, request: HttpRequest, address: str) -> HttpReply:
        if address not in LOOPBACK:
            return _NOT_FOUND
        try:
            value = self._control.answer(msgspec.json.decode(request.body), self.statistics())
        except msgspec.DecodeError:
            return _BAD_CONTROL
        except Malformed as error:
            return HttpReply(422, str(error).encode(), _PLAIN)
        return HttpReply(200, msgspec.json.encode(value))

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1
