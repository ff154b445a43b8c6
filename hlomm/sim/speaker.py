"""The server of any simulated venue, over any stream: its clock, its connections, and what goes wrong with them.

The world is advanced by one task; connections only submit and listen. Venue time, and with it all latency, comes from
the injected clock. What a venue says to a request, and what it makes of a websocket, is the subclass's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, NoReturn, Protocol, TypeVar

import attrs
import msgspec
import trio

from hlomm.domain.times import NS_PER_S
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimConfig
from hlomm.sim.control import Control, Json, Malformed
from hlomm.sim.faults import FaultName, Switchboard
from hlomm.sim.http_server import ConnectionOver, HttpReply, HttpRequest, HttpServer
from hlomm.sim.outbox import Outbox
from hlomm.sim.ws_peer import Conversation, Mischief, WsPeer

CONTROL: Final = "/sim"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
PLAIN: Final = "text/plain; charset=utf-8"
_NOT_JSON: Final = "Failed to parse the request body as JSON"
_IDLE_S: Final = 75.0
_CLOSE_S: Final = 1.0
_REPLY_WAIT_NS: Final = 60 * NS_PER_S
"""How long a request whose answer got lost keeps its connection."""
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

_Reply = TypeVar("_Reply")
_Peer = TypeVar("_Peer", bound=WsPeer)


class World(Protocol):
    """What happens at a venue, in steps."""

    @property
    def next_step_ns(self) -> int:
        """Venue time of the next step."""

    def advance(self, until_ns: int, *, steps_max: int | None = None) -> int:
        """Run the steps up to an instant, at most `steps_max` of them; returns how many ran."""


class Venue(Protocol):
    """What a server needs to know of its venue."""

    @property
    def config(self) -> SimConfig: ...

    @property
    def world(self) -> World: ...

    @property
    def faults(self) -> Switchboard[Any]:
        """Must know the names `ws_killed`, `rest_slow`, `rest_429`, `rest_500` and `rest_html`."""


@attrs.frozen(kw_only=True)
class Wording:
    """How a venue puts what any server may have to say."""

    not_found: HttpReply
    too_many: HttpReply
    broken: HttpReply


class Speaker(ABC):
    """One venue's server. Run `run` in a nursery and call `serve_stream` for each connection."""

    def __init__(self, venue: Venue, clock: VenueClock, control: Control, wording: Wording) -> None:
        self.clock = clock
        self.clients = 0
        """Connections that are open."""
        self.counters: dict[str, int] = {}
        self._world = venue.world
        self._faults = venue.faults
        self._buffers = venue.config.buffers
        self._control = control
        self._wording = wording
        self._peers: dict[WsPeer, None] = {}

    async def run(self) -> NoReturn:
        """Advance the world with the clock, for ever."""
        world, limit = self._world, self._buffers.catch_up_blocks
        killed = self._faults.named(FaultName.WS_KILLED)
        while True:
            behind = world.advance(self.clock.now_ns(), steps_max=limit) == limit
            if self._peers and self._faults.take(killed) is not None:
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
        return self.counters | {"clients": self.clients, "websockets": len(self._peers)}

    def state(self) -> Json:
        """The document that a control request of type `state` is answered with."""
        return self._control.answer({"type": "state"}, self.statistics())

    async def _converse(self, stream: trio.abc.Stream, address: str) -> None:
        server = HttpServer(stream, body_bytes_max=self._buffers.body_bytes, idle_s=_IDLE_S)
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

    @abstractmethod
    async def _websocket(self, stream: trio.abc.Stream, server: HttpServer, request: HttpRequest, address: str) -> None:
        """Refuse a handshake, or serve it with `_peer` and `_serve_peer` until its end."""

    def _peer(self, kind: type[_Peer], stream: trio.abc.Stream, mischief: Mischief, silence_s: float) -> _Peer:
        return kind(
            stream,
            self.clock,
            Outbox(self.clock, self._buffers),
            mischief,
            self.counters,
            message_bytes_max=self._buffers.body_bytes,
            silence_s=silence_s,
        )

    async def _serve_peer(self, peer: WsPeer, session: Conversation, request: HttpRequest) -> None:
        self._peers[peer] = None
        try:
            await peer.run(session, request.headers, request.target, request.rest)
        finally:
            del self._peers[peer]

    # -- REST

    @abstractmethod
    def _serves(self, request: HttpRequest) -> bool:
        """Whether there may be such a route; what is not even that no fault can spoil."""

    @abstractmethod
    async def _answer(self, request: HttpRequest, address: str) -> HttpReply | None:
        """The answer to a request that nothing has spoiled, None if it gets lost."""

    async def _respond(self, request: HttpRequest, address: str) -> HttpReply | None:
        await trio.lowlevel.checkpoint()
        if (request.method, request.path) == ("POST", CONTROL):
            return self._respond_control(request, address)
        if not self._serves(request):
            return self._wording.not_found
        spoiled = await self._spoiled(request.path)
        return await self._answer(request, address) if spoiled is None else spoiled

    async def _spoiled(self, path: str) -> HttpReply | None:
        """What a fault says instead of the venue."""
        await trio.lowlevel.checkpoint()
        slow = self._faults.take_at(FaultName.REST_SLOW, path)
        if slow is not None:
            await self._pause(int(slow.delay_s * NS_PER_S))
        if self._faults.take_at(FaultName.REST_429, path) is not None:
            return self._wording.too_many
        if self._faults.take_at(FaultName.REST_500, path) is not None:
            return self._wording.broken
        if self._faults.take_at(FaultName.REST_HTML, path) is not None:
            return HttpReply(502, _HTML, "text/html")
        return None

    def _respond_control(self, request: HttpRequest, address: str) -> HttpReply:
        if address not in LOOPBACK:
            return self._wording.not_found
        try:
            value = self._control.answer(msgspec.json.decode(request.body), self.statistics())
        except msgspec.DecodeError:
            return self._control_refusal(400, _NOT_JSON)
        except Malformed as error:
            return self._control_refusal(422, str(error))
        return HttpReply(200, msgspec.json.encode(value))

    def _control_refusal(self, status: int, text: str) -> HttpReply:
        return HttpReply(status, text.encode(), PLAIN)

    async def _carried_out(self, submit: Callable[[Callable[[_Reply | None, int], None]], None]) -> _Reply | None:
        """Hand a request to the world and wait until what came of it reaches the client; None if it gets lost.

        `submit` is given the function to call, now or from a later step, with the reply and the venue time at which it
        arrives. The client's leaving does not stop what was begun.
        """
        done = trio.Event()
        answers: list[tuple[_Reply | None, int]] = []

        def answer(reply: _Reply | None, due_ns: int) -> None:
            answers.append((reply, due_ns))
            done.set()

        submit(answer)
        await done.wait()
        reply, due_ns = answers[0]
        if reply is not None:
            await self.clock.sleep_until(due_ns)
        return reply

    async def _pause(self, venue_ns: int) -> None:
        await self.clock.sleep_until(self.clock.now_ns() + venue_ns)

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1
