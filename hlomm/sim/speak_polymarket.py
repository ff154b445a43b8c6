"""Serves the simulated Polymarket, all of its hosts on one port; what any venue's server does is in `speaker`.

The CLOB is at the root, Gamma below `/gamma`, the Data API below `/data-api`, the streams at `/ws/market`, `/ws/user`
and, for prices, `/rtds`.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl

import msgspec
import trio

from hlomm.domain.times import NS_PER_MS
from hlomm.sim.clock import VenueClock
from hlomm.sim.http_server import HttpReply, HttpRequest, HttpServer
from hlomm.sim.pm import refusals
from hlomm.sim.pm.control import Control
from hlomm.sim.pm.gamma import Gamma
from hlomm.sim.pm.gateway import TRADING, refusal_reply, reply_of
from hlomm.sim.pm.hub import Hub
from hlomm.sim.pm.prices import PriceSession
from hlomm.sim.pm.private import Private
from hlomm.sim.pm.public import Public
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.session import FrameMischief, MarketSession, UserSession
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.speaker import Speaker, Wording
from hlomm.sim.ws_peer import Conversation, WsPeer

GAMMA: Final = "/gamma"
DATA: Final = "/data-api"
PRICES: Final = "/rtds"
_SILENCE_S: Final = 3600.0
"""The venue does not close quiet connections; PING is the client's business."""
_PRIVATE: Final = ("auth/", "balance-allowance", "data/", "v1/", "notifications")
_WORDING: Final = Wording(
    not_found=reply_of({"error": "Not Found"}, 404),
    too_many=HttpReply(429, b'{"error":"Too Many Requests"}', headers=(("Retry-After", "1"),)),
    broken=reply_of({"error": refusals.INTERNAL}, 500),
)


class PolymarketSpeaker(Speaker):
    def __init__(self, venue: PolymarketVenue, clock: VenueClock) -> None:
        super().__init__(venue, clock, Control(venue), _WORDING)
        self.venue = venue
        self._public = Public(venue)
        self._private = Private(venue)
        self._gamma = Gamma(venue)
        self._hub = Hub(venue)

    def statistics(self) -> dict[str, int]:
        return super().statistics() | {"frames": self._hub.frames}

    # -- websocket

    async def _websocket(self, stream: trio.abc.Stream, server: HttpServer, request: HttpRequest, address: str) -> None:
        del address
        if request.path not in {"/ws/market", "/ws/user", PRICES}:
            await server.refuse(HttpReply(404, b"404 page not found", "text/plain"))
            return
        silence_s = _SILENCE_S * max(self.clock.speed, 1.0)
        peer = self._peer(WsPeer, stream, FrameMischief(self.venue.faults), silence_s)
        await self._serve_peer(peer, self._session(request.path, peer), request)

    def _session(self, path: str, peer: WsPeer) -> Conversation:
        if path == PRICES:
            return PriceSession(self._hub.prices, peer)
        kind = MarketSession if path == "/ws/market" else UserSession
        return kind(self.venue, self._hub, peer)

    # -- REST

    def _serves(self, request: HttpRequest) -> bool:
        del request  # every path leads to one of its hosts
        return True

    async def _answer(self, request: HttpRequest, address: str) -> HttpReply | None:
        del address
        await trio.lowlevel.checkpoint()
        try:
            if (request.method, request.path) in TRADING:
                return await self._trade(request)
            value = self._read(request)
        except Refused as error:
            reply = refusal_reply(error)
        except KeyError:
            reply = self._wording.not_found
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
        body, now_ns = _json(request.body), self.clock.now_ns()
        return await self._carried_out(
            lambda answer: self.venue.gateway.submit(request.method, request.path, body, key, now_ns, answer)
        )

    def _control_refusal(self, status: int, text: str) -> HttpReply:
        return reply_of({"error": text}, status)


def _json(body: bytes) -> Any:
    """The value of a JSON body, None for an empty one."""
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused(refusals.INVALID_PAYLOAD) from None
