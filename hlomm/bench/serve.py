"""The loopback venue as a process: `python -m hlomm.bench.serve CERTIFICATE KEY MARKETS`.

It is told what to do on standard input. Each line is a JSON command and is answered by one line: the first says where
it listens. `feed` sends frames to the newest websocket, paced (`rate` a second) or as fast as they are taken (`rate`
0), and says what came back meanwhile.
"""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import attrs
import msgspec
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage
from wsproto.utilities import RemoteProtocolError

from hlomm.bench.frames import Frame, across
from hlomm.bench.venue import BenchVenue, periods
from hlomm.daemon.histogram import Histogram
from hlomm.domain.times import NS_PER_MS
from hlomm.rundir.certificate import HOST
from hlomm.sim.hl.schema import Malformed
from hlomm.sim.http_server import ConnectionOver, HttpReply, HttpServer
from hlomm.sim.ws_peer import text_frame

Json = dict[str, Any]

LUMP: Final = 16
"""Frames handed to the kernel together when nothing paces them."""
TRAILING_S: Final = 0.1
"""After the last frame: orders that are on their way still count."""
_READ_BYTES: Final = 65_536
_IDLE_S: Final = 600.0
_ORDERS: Final = frozenset({"order", "batchModify"})
_GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError, RemoteProtocolError, ssl.SSLError)


@attrs.define(eq=False)
class Link:
    """One websocket."""

    venue: BenchVenue
    stream: trio.abc.Stream
    _lock: trio.Lock = attrs.field(factory=trio.Lock)
    fed_ns: int = 0
    """When the last frame of the market left."""
    wire: Histogram = attrs.field(factory=Histogram)
    """From there to the arrival of an order."""
    _answers: list[bytes] = attrs.field(factory=list)
    """Frames to be sent; not more than the client has asked for."""
    _answered: trio.Event = attrs.field(factory=trio.Event)

    async def accept(self, ws: WSConnection) -> None:
        async with self._lock:
            await self.stream.send_all(ws.send(AcceptConnection()))

    async def send(self, payloads: list[bytes]) -> None:
        async with self._lock:
            await self.stream.send_all(b"".join(map(text_frame, payloads)))

    async def run(self, ws: WSConnection, rest: bytes) -> None:
        """Answer until the client leaves.

        Who listens never waits for what is sent: a client that writes before it reads on would wait for the venue, and
        the venue for it.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell)
            with suppress(*_GONE):
                await self._listen(ws, rest)
            nursery.cancel_scope.cancel(reason="the client has left")

    async def _tell(self) -> None:
        with suppress(*_GONE):
            while True:
                await self._answered.wait()
                self._answered = trio.Event()
                answers, self._answers = self._answers, []
                async with self._lock:
                    await self.stream.send_all(b"".join(answers))

    async def _listen(self, ws: WSConnection, rest: bytes) -> None:
        data = rest
        while True:
            if data:
                ws.receive_data(data)
            for event in ws.events():
                if isinstance(event, TextMessage):
                    self._answer(event.data)
                elif isinstance(event, Ping):
                    self._say_back(ws.send(event.response()))
                elif isinstance(event, CloseConnection):
                    return
            data = bytes(await self.stream.receive_some(_READ_BYTES))
            if not data:
                return

    def _answer(self, text: str) -> None:
        came_ns, posts = time.monotonic_ns(), sum(self.venue.counts.get(kind, 0) for kind in _ORDERS)
        answers = self.venue.heard(text)
        if self.fed_ns and sum(self.venue.counts.get(kind, 0) for kind in _ORDERS) > posts:
            self.wire.add(came_ns - self.fed_ns)
        self._say_back(*map(text_frame, answers))

    def _say_back(self, *frames: bytes) -> None:
        self._answers += frames
        self._answered.set()


@attrs.define(eq=False)
class Server:
    venue: BenchVenue = attrs.field(factory=BenchVenue)
    links: list[Link] = attrs.field(factory=list)
    _frames: Iterator[Frame] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._frames = across(self.venue.coins, self.venue.price)

    async def converse(self, stream: trio.abc.Stream) -> None:
        """One connection, HTTP or websocket."""
        server = HttpServer(stream, body_bytes_max=1 << 20, idle_s=_IDLE_S)
        try:
            while not (request := await server.receive()).upgrade:
                await server.reply(self._respond(request.path, request.body))
            ws = WSConnection(ConnectionType.SERVER)
            ws.initiate_upgrade_connection(request.headers, request.target)
            assert any(isinstance(event, Request) for event in ws.events())
            link = Link(self.venue, stream)
            self.links.append(link)  # before the client can know that it is connected, and ask for frames
            try:
                await link.accept(ws)
                await link.run(ws, request.rest)
            finally:
                self.links.remove(link)
        except (ConnectionOver, *_GONE):
            pass
        finally:
            with trio.move_on_after(1, shield=True):
                await trio.aclose_forcefully(stream)

    def _respond(self, path: str, body: bytes) -> HttpReply:
        request = msgspec.json.decode(body)
        try:
            answer = self.venue.act(request)[0] if path == "/exchange" else self.venue.info(request)
        except Malformed as error:
            return HttpReply(422, str(error).encode())
        return HttpReply(200, msgspec.json.encode(answer))

    # -- commands

    async def do(self, command: Json) -> Json:
        match command["do"]:
            case "feed":
                return await self._feed(self.links[-1], float(command["rate"]), int(command["frames"]))
            case "counts":
                return dict(self.venue.counts)
            case "verify":
                return self.venue.verified()
            case other:
                raise ValueError(f"no command {other!r}")

    async def _feed(self, link: Link, rate: float, count: int) -> Json:
        sent: dict[str, int] = {}
        link.wire = Histogram()
        begun_ns, late_ns = time.monotonic_ns(), 0
        frames = islice(self._frames, count)
        if rate:
            first_s = trio.current_time()
            for number, one in enumerate(frames):
                due_s = first_s + number / rate
                await trio.sleep_until(due_s)
                late_ns = max(late_ns, round((trio.current_time() - due_s) * 1e9))
                sent[one.kind] = sent.get(one.kind, 0) + 1
                data = one.at(time.time_ns() // NS_PER_MS)
                link.fed_ns = time.monotonic_ns()
                await link.send([data])
        else:
            while lump := list(islice(frames, LUMP)):
                wall_ms = time.time_ns() // NS_PER_MS
                for one in lump:
                    sent[one.kind] = sent.get(one.kind, 0) + 1
                link.fed_ns = time.monotonic_ns()
                await link.send([one.at(wall_ms) for one in lump])
        took_ns = time.monotonic_ns() - begun_ns
        await trio.sleep(TRAILING_S)
        link.fed_ns = 0
        return {
            "sent": sent, "took_s": took_ns / 1e9, "late_us": late_ns / 1e3,
            "wire_us": spread(link.wire),
        }  # fmt: skip


def spread(found: Histogram) -> dict[str, float]:
    """Percentiles of durations in microseconds; `count` 0 and nothing else if there are none."""
    if not found.count:
        return {"count": 0}
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
    figures = {name: round(found.percentile(share) / 1000, 2) for name, share in shares.items()}
    return {"count": found.count, **figures, "max": round(found.longest / 1000, 2)}


async def serve(certificate: Path, key: Path, markets: int) -> None:
    """Until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(BenchVenue(periods(markets)))
    async with trio.open_nursery() as nursery:
        ports = []
        for _ in ("rest", "ws"):
            listeners, port = await listen(context)
            ports.append(port)
            nursery.start_soon(trio.serve_listeners, server.converse, listeners)
        say(
            {
                "rest": f"https://{HOST}:{ports[0]}", "ws": f"wss://{HOST}:{ports[1]}/ws",
                "account": server.venue.account, "coin": server.venue.coins[0],
            }
        )  # fmt: skip
        await obey(server)
        nursery.cancel_scope.cancel(reason="nobody asks any more")


async def listen(context: ssl.SSLContext) -> tuple[list[trio.SSLListener[trio.SocketStream]], int]:
    """Listeners under TLS, and their port."""
    plain = await trio.open_tcp_listeners(0, host=HOST)
    port = int(plain[0].socket.getsockname()[1])
    return [trio.SSLListener(listener, context, https_compatible=True) for listener in plain], port


class Obedient(Protocol):
    """Carries out commands."""

    async def do(self, command: Json) -> Json: ...


async def obey(obedient: Obedient) -> None:
    """Carry out commands until standard input ends."""
    rest = b""
    async with trio.lowlevel.FdStream(os.dup(0)) as stream:
        while data := await stream.receive_some():
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                say(await obedient.do(msgspec.json.decode(line)))


def say(document: Json) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
