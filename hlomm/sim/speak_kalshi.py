"""Serves the simulated Kalshi: REST and websocket on one port; what any venue's server does is in `speaker`."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Final

import attrs
import msgspec
import trio
from wsproto.events import Ping

from hlomm.domain.times import NS_PER_S
from hlomm.sim.clock import VenueClock
from hlomm.sim.faults import FaultName
from hlomm.sim.http_server import HttpReply, HttpRequest, HttpServer
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.auth import credentials
from hlomm.sim.kalshi.control import Control
from hlomm.sim.kalshi.hub import Hub
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.kalshi.rest import TOO_MANY, Rest
from hlomm.sim.kalshi.session import Session
from hlomm.sim.kalshi.venue import API, WS_PATH, KalshiVenue
from hlomm.sim.speaker import Speaker, Wording
from hlomm.sim.ws_peer import FrameFaults, WsPeer

HEARTBEAT: Final = b"heartbeat"
_NOT_FOUND: Final = HttpReply(404, msgspec.json.encode(refusals.NOT_FOUND.body("enveloped")))


class KalshiPeer(WsPeer):
    """A peer that is pinged, where another is closed for silence."""

    async def _watch_silence(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now_ns() + self._silence_ns)
            if not self._mischief.silent():
                self._pongs.append(self._ws.send(Ping(payload=HEARTBEAT)))
                self._queue(b"", self._clock.now_ns())


class KalshiSpeaker(Speaker):
    def __init__(self, venue: KalshiVenue, clock: VenueClock) -> None:
        broken = HttpReply(500, msgspec.json.encode(refusals.SERVER_ERROR.body(venue.rules.error_form)))
        wording = Wording(not_found=_NOT_FOUND, too_many=TOO_MANY, broken=broken)
        super().__init__(venue, clock, Control(venue), wording)
        self.venue = venue
        self._rest = Rest(venue)
        self._hub = Hub(venue)

    def statistics(self) -> dict[str, int]:
        venue = self.venue
        return super().statistics() | {
            "actions": self._rest.executed,
            "auth_refused": venue.keys.refused,
            "rate_limited": sum(budget.refused() for budget in venue.budgets.values()),
            "mempool_refused": venue.world.sequencer.refused,
            "gaps": self._hub.gaps,
            "overflows": self._hub.overflows,
            "client_ids_forgotten": sum(engine.client_ids_forgotten for engine in venue.exchange.engines.values()),
        }

    # -- websocket

    async def _websocket(self, stream: trio.abc.Stream, server: HttpServer, request: HttpRequest, address: str) -> None:
        del address
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
        peer = self._peer(KalshiPeer, stream, FrameFaults(self.venue.faults), rules.ping_s)
        await self._serve_peer(peer, Session(self.venue, self._hub, account, peer), request)

    def _admitted(self, request: HttpRequest) -> Account | None:
        """The member who asks for an upgrade, None if the signature is not good."""
        given = credentials(request.headers)
        try:
            account = self.venue.keys.account_of(given, "GET", request.path, self.clock.now_ns())
        except Refused:
            return None
        return account if self.venue.faults.take(FaultName.AUTH_REFUSED) is None else None

    # -- REST

    def _serves(self, request: HttpRequest) -> bool:
        return request.path.startswith(API + "/")

    async def _answer(self, request: HttpRequest, address: str) -> HttpReply | None:
        del address
        target, now_ns = request.target.decode("ascii", "replace"), self.clock.now_ns()
        signed, body = credentials(request.headers), request.body

        def submit(answer: Callable[[HttpReply | None, int], None]) -> None:
            self._rest.submit(request.method, target, signed, body, now_ns, answer)

        reply = await self._carried_out(submit)
        if reply is None:
            return None
        # Cut to a second, as every server's: clients that sign with the time compare clocks by it.
        date = formatdate(self.clock.now_ns() // NS_PER_S, usegmt=True)
        return attrs.evolve(reply, headers=(*reply.headers, ("Date", date)))
