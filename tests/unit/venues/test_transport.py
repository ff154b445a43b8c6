"""Sockets: HTTP with deadlines and limits, websockets with one writer, and what a broken peer does to them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Any

import httpx2
import pytest
import trio
import trio.testing

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpClient, HttpLimits, NotSent
from hlomm.venues.http_warm import WarmLines
from hlomm.venues.socket_stream import open_stream
from hlomm.venues.transport import Address, Transport
from hlomm.venues.websocket import Burst, WebSocketKind, WebSocketLimits, WebSocketLink
from tests.unit.venues.fake_hyperliquid import FakeHyperliquid, Stallable, mock_clock, settle
from tests.unit.venues.peers import Handler, warming

# -- addresses


@pytest.mark.parametrize(
    ("url", "address", "header"),
    [
        ("https://api.hyperliquid.xyz", Address("api.hyperliquid.xyz", 443, True, "/"), "api.hyperliquid.xyz"),
        ("wss://api.hyperliquid.xyz/ws", Address("api.hyperliquid.xyz", 443, True, "/ws"), "api.hyperliquid.xyz"),
        ("http://127.0.0.1:8080", Address("127.0.0.1", 8080, False, "/"), "127.0.0.1:8080"),
        ("ws://localhost/a/b", Address("localhost", 80, False, "/a/b"), "localhost"),
    ],
)
def test_urls_have_host_port_and_path(url: str, address: Address, header: str) -> None:
    assert Address.of(url) == address
    assert address.host_header == header


@pytest.mark.parametrize("url", ["", "localhost", "ftp://x", "https://", "unix:/tmp/x"])
def test_urls_of_another_kind_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Address.of(url)


async def test_the_default_connect_opens_real_sockets() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def echo(stream: trio.SocketStream) -> None:
            await stream.send_all(await stream.receive_some())

        nursery.start_soon(trio.serve_listeners, echo, listeners)
        port = listeners[0].socket.getsockname()[1]
        stream = await open_stream("127.0.0.1", port, False)
        await stream.send_all(b"hello")
        assert await stream.receive_some() == b"hello"
        await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_tls_to_a_peer_that_speaks_none_fails_and_closes() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        ended = trio.Event()

        async def plain(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            with suppress(trio.BrokenResourceError):  # reset, for it was closed without being read
                while await stream.receive_some():
                    pass
            ended.set()

        nursery.start_soon(trio.serve_listeners, plain, listeners)
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises((trio.BrokenResourceError, ssl.SSLError)):
            await open_stream("127.0.0.1", port, True)
        with trio.fail_after(5):
            await ended.wait()
        nursery.cancel_scope.cancel()


# -- HTTP over memory streams


def answering(*parts: bytes) -> Handler:
    """A server that reads one request and sends these bytes."""

    async def handle(stream: trio.abc.Stream) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += bytes(await stream.receive_some())
        for part in parts:
            await stream.send_all(part)
            await settle()

    return handle


def response(body: bytes, status: str = "200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(body), extra, body)


class Way(StrEnum):
    """What carries a request: one suite for both."""

    POOL = "pool"
    LINE = "line"


@pytest.fixture(params=list(Way), ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


class Lab:
    """One HTTP client, or one line kept warm, against one handler per connection."""

    def __init__(self, nursery: trio.Nursery, way: Way, *handlers: Handler) -> None:
        self.nursery = nursery
        self.way = way
        self.handlers = list(handlers)
        self.dialled: list[tuple[str, int, bool]] = []
        self.closed: list[Stallable] = []

    async def connect(self, host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        self.dialled.append((host, port, tls))
        await trio.lowlevel.checkpoint()
        if not self.handlers:
            raise OSError("connection refused")
        client, server = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.handlers.pop(0), server)
        stream = Stallable(client)
        self.closed.append(stream)
        return stream

    @asynccontextmanager
    async def client(
        self, limits: HttpLimits | None = None, url: str = "http://venue.test:8080"
    ) -> AsyncIterator[HttpClient | WarmLines]:
        transport, limits = Transport(self.connect), limits or HttpLimits()
        if self.way is Way.POOL:
            async with transport.http(url, limits) as client:
                yield client
        else:
            lines = transport.warm_lines(url, limits, warming(lines=1), mock_clock(), Counters())
            self.nursery.start_soon(lines.run)
            await settle()
            yield lines

    async def post(self, limits: HttpLimits | None = None, url: str = "http://venue.test:8080") -> Any:
        async with self.client(limits, url) as client:
            try:
                return await client.request("POST", "/info", b"{}")
            finally:
                await settle()


async def in_lab(way: Way, run: Callable[[Lab], Any], *handlers: Handler) -> None:
    async with trio.open_nursery() as nursery:
        await run(Lab(nursery, way, *handlers))
        nursery.cancel_scope.cancel()


async def test_an_answer_is_its_status_and_body(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: Lab) -> None:
        answer = await lab.post()
        assert (answer.status, answer.body) == (429, b"null")
        assert lab.dialled == [("venue.test", 8080, False)]

    await in_lab(way, run, answering(response(b"null", "429 Too Many Requests")))


async def test_an_answer_may_come_byte_by_byte(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    whole = response(b'{"time":5}')

    async def run(lab: Lab) -> None:
        assert (await lab.post()).body == b'{"time":5}'

    await in_lab(way, run, answering(*(whole[i : i + 1] for i in range(len(whole)))))


async def test_an_answer_may_end_with_its_connection(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    async def handle(stream: trio.abc.Stream) -> None:
        await answering(b"HTTP/1.1 200 OK\r\n\r\nall", b" of it")(stream)
        await stream.aclose()

    async def run(lab: Lab) -> None:
        assert (await lab.post()).body == b"all of it"

    await in_lab(way, run, handle)


async def test_tls_is_asked_of_connect_by_the_scheme(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: Lab) -> None:
        assert (await lab.post(url="https://venue.test")).status == 200
        assert lab.dialled == [("venue.test", 443, True)]

    await in_lab(way, run, answering(response(b"null")))


async def test_requests_are_json_and_reuse_the_connection(autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeHyperliquid()
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        async with Transport(venue.connect).http("http://venue.test:8080", HttpLimits()) as client:
            for _ in range(3):
                answer = await client.post("/info", b'{"type":"exchangeStatus"}')
                assert answer.status == 200
        assert venue.http_connections == 1
        assert venue.counted("exchangeStatus") == 3
        nursery.cancel_scope.cancel()


async def test_a_refused_connection_is_not_sent(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: Lab) -> None:
        with pytest.raises(NotSent, match="not sent"):
            await lab.post()

    await in_lab(way, run)


async def test_a_connection_that_does_not_come_about_is_not_sent(autojump_clock: trio.testing.MockClock) -> None:
    async def never(host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    start = trio.current_time()
    async with Transport(never).http("http://venue.test", HttpLimits(request_s=5, connect_s=3)) as client:
        with pytest.raises(NotSent):
            await client.post("/info", b"{}")
    assert trio.current_time() - start == pytest.approx(3)


async def test_silence_after_the_request_is_unknown(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    async def silent(stream: trio.abc.Stream) -> None:
        while await stream.receive_some():
            pass

    async def run(lab: Lab) -> None:
        start = trio.current_time()
        with pytest.raises(VenueUnavailable) as failed:
            await lab.post()
        assert not isinstance(failed.value, NotSent)
        assert trio.current_time() - start == pytest.approx(5)
        assert lab.closed[0].closed.is_set(), "a connection with a request under way must not be used again"

    await in_lab(way, run, silent)


async def test_a_trickle_does_not_outlast_the_deadline(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    """Each byte resets a read timeout; the deadline is over the whole request."""

    async def trickle(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        for byte in response(b"x" * 1_000):
            await stream.send_all(bytes([byte]))
            await trio.sleep(1)

    async def run(lab: Lab) -> None:
        start = trio.current_time()
        with pytest.raises(VenueUnavailable):
            await lab.post()
        assert trio.current_time() - start == pytest.approx(5)

    await in_lab(way, run, trickle)


async def test_a_request_that_does_not_go_out_is_unknown(autojump_clock: trio.testing.MockClock) -> None:
    async def stalled(host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        client, _ = trio.testing.memory_stream_pair()
        stream = Stallable(client)
        stream.stall_writes = True
        return stream

    async with Transport(stalled).http("http://venue.test", HttpLimits()) as client:
        with pytest.raises(VenueUnavailable) as failed:
            await client.post("/info", b"{}")
        assert not isinstance(failed.value, NotSent)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="closed at once"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", id="cut short"),
        pytest.param(b"HTTP/1.1 999999 X\r\n\r\n", id="no status"),
        pytest.param(response(b"\x1f\x8b", extra=b"Content-Encoding: gzip\r\n"), id="compressed"),
    ],
)
async def test_answers_that_are_none_are_unavailable(
    way: Way, autojump_clock: trio.testing.MockClock, raw: bytes
) -> None:
    async def handle(stream: trio.abc.Stream) -> None:
        await answering(raw)(stream)
        await stream.aclose()

    async def run(lab: Lab) -> None:
        with pytest.raises(VenueUnavailable) as failed:
            await lab.post()
        assert not isinstance(failed.value, NotSent)

    await in_lab(way, run, handle)


async def test_an_endless_answer_stops_at_the_limit(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    sent = 0

    async def endless(stream: trio.abc.Stream) -> None:
        nonlocal sent
        await answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")(stream)
        try:
            while True:
                await stream.send_all(b"400\r\n" + b"x" * 1_024 + b"\r\n")
                sent += 1_024
                await settle()
        except trio.BrokenResourceError:
            pass

    async def run(lab: Lab) -> None:
        with pytest.raises(VenueUnavailable, match="longer than 100000 bytes"):
            await lab.post(HttpLimits(answer_bytes_max=100_000))
        assert sent < 1_000_000

    await in_lab(way, run, endless)


async def test_a_kept_connection_the_server_closed_costs_one_request(autojump_clock: trio.testing.MockClock) -> None:
    """Over memory streams nothing tells that the peer is gone. Whether the request arrived is not known either."""

    async def close_after_one(stream: trio.abc.Stream) -> None:
        await answering(response(b"1"))(stream)
        await stream.aclose()

    async def run(lab: Lab) -> None:
        async with Transport(lab.connect).http("http://venue.test", HttpLimits()) as client:
            assert (await client.post("/info", b"{}")).body == b"1"
            with pytest.raises(VenueUnavailable) as failed:
                await client.post("/info", b"{}")
            assert not isinstance(failed.value, NotSent)
            assert (await client.post("/info", b"{}")).body == b"2"

    await in_lab(Way.POOL, run, close_after_one, answering(response(b"2")))


async def test_the_limit_is_per_answer_not_per_connection(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    async def many(stream: trio.abc.Stream) -> None:
        for _ in range(5):
            await answering(response(b"x" * 600))(stream)

    async def run(lab: Lab) -> None:
        async with lab.client(HttpLimits(answer_bytes_max=1_000)) as client:
            for _ in range(5):
                assert len((await client.request("POST", "/info", b"{}")).body) == 600

    await in_lab(way, run, many)


async def test_cancelling_a_request_does_not_wait_for_a_dead_peer(
    way: Way, autojump_clock: trio.testing.MockClock
) -> None:
    async def silent(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    async def run(lab: Lab) -> None:
        start = trio.current_time()
        with trio.move_on_after(1):
            await lab.post()
        assert trio.current_time() - start == pytest.approx(1)
        await settle()
        assert lab.closed[0].closed.is_set()

    await in_lab(way, run, silent)


async def test_the_pool_is_bounded_and_a_full_pool_is_not_sent(autojump_clock: trio.testing.MockClock) -> None:
    async def silent(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    outcomes: list[str] = []

    async def run(lab: Lab) -> None:
        limits = HttpLimits(connections_max=1, request_s=20)

        async def ask(client: HttpClient, name: str) -> None:
            try:
                await client.post("/info", b"{}")
            except NotSent:
                outcomes.append(f"{name} not sent")
            except VenueUnavailable:
                outcomes.append(f"{name} unknown")

        async with Transport(lab.connect).http("http://venue.test", limits) as client, trio.open_nursery() as tasks:
            tasks.start_soon(ask, client, "first")
            await settle()
            tasks.start_soon(ask, client, "second")
        assert sorted(outcomes) == ["first unknown", "second not sent"] or outcomes.count("first unknown") == 1
        assert len(lab.dialled) <= 2

    await in_lab(Way.POOL, run, silent, silent)


async def test_the_operators_proxy_settings_are_not_looked_at(
    way: Way, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:3128")

    async def run(lab: Lab) -> None:
        assert (await lab.post()).status == 200
        assert lab.dialled == [("venue.test", 8080, False)]

    await in_lab(way, run, answering(response(b"null")))


def test_httpx_exceptions_are_what_the_client_expects() -> None:
    """The split between "not sent" and "unknown" hangs on these classes being unrelated."""
    for certain in (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
        for unknown in (httpx2.ReadError, httpx2.WriteError, httpx2.ReadTimeout, httpx2.RemoteProtocolError):
            assert not issubclass(unknown, certain)


# -- websockets

LIMITS = WebSocketLimits(open_s=5, write_s=5, outbound_queue=4)


class SocketLab:
    def __init__(self, nursery: trio.Nursery, kind: WebSocketKind) -> None:
        self.kind = kind
        self.venue = FakeHyperliquid()
        self.venue.ws_greeting = None
        self.venue.nursery = nursery
        self.frames: list[tuple[str | bytes, int]] = []
        self.ticks = 0

    def on_frame(self, frame: str | bytes, received_ns: int) -> None:
        self.frames.append((frame, received_ns))

    def take(self, frame: str | bytes, received_ns: int) -> None:
        self.on_frame(frame, received_ns)

    def now_ns(self) -> int:
        self.ticks += 1
        return self.ticks

    def open(self, limits: WebSocketLimits = LIMITS, burst: Burst | None = None) -> Any:
        connect = Transport(self.venue.connect).websocket
        return connect("ws://venue.test:8081/ws", self.take, self.now_ns, limits, burst=burst, kind=self.kind)


@pytest.fixture(params=list(WebSocketKind), ids=str)
def kind(request: pytest.FixtureRequest) -> WebSocketKind:
    """One suite for both implementations."""
    chosen: WebSocketKind = request.param
    return chosen


async def with_socket(kind: WebSocketKind, run: Callable[[SocketLab], Any]) -> None:
    async with trio.open_nursery() as nursery:
        await run(SocketLab(nursery, kind))
        nursery.cancel_scope.cancel()


async def test_frames_come_in_order_with_their_stamps(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            for message in ("one", "two", b"\x00\x01"):
                await lab.venue.socket.send(message)
                await settle()
            assert lab.frames == [("one", 1), ("two", 2), (b"\x00\x01", 3)]
            assert (link.frames_in, link.lost_because) == (3, None)
        assert link.lost_because == "left"

    await with_socket(kind, run)


async def test_frames_may_arrive_byte_by_byte(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    """TCP keeps no frame borders: one byte at a time, and two frames in one piece, read the same."""
    import wsproto

    async def run(lab: SocketLab) -> None:
        async with lab.open():
            socket = lab.venue.socket
            first = socket.ws.send(wsproto.events.TextMessage(data="split in the middle"))
            for byte in first:
                await socket.send_raw(bytes([byte]))
                await settle()
            two = b"".join(socket.ws.send(wsproto.events.TextMessage(data=text)) for text in ("one", "two"))
            await socket.send_raw(two)
            parts = [
                socket.ws.send(wsproto.events.TextMessage(data="frag", message_finished=False)),
                socket.ws.send(wsproto.events.TextMessage(data="ments", message_finished=True)),
            ]
            for part in parts:
                await socket.send_raw(part)
            await settle()
            assert [frame for frame, _ in lab.frames] == ["split in the middle", "one", "two", "fragments"]

    await with_socket(kind, run)


class Pieces:
    """A burst that notes its beginnings and ends among the frames."""

    def __init__(self, frames: list[tuple[str | bytes, int]]) -> None:
        self.frames = frames

    def gather(self) -> None:
        self.frames.append(("(", 0))

    def flush(self, received_ns: int) -> None:
        self.frames.append((")", received_ns))


async def test_what_is_read_in_one_piece_is_told_to_be(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    """One stamp for all of it; half a frame belongs to the piece that completes it."""
    import wsproto

    async def run(lab: SocketLab) -> None:
        async with lab.open(WebSocketLimits(receive_bytes=64), Pieces(lab.frames)) as link:
            socket = lab.venue.socket
            one, two, three = (
                socket.ws.send(wsproto.events.TextMessage(data=text)) for text in ("one", "two", "three")
            )
            await socket.send_raw(one + two + three[:2])
            await settle()
            await socket.send_raw(three[2:])
            await settle()
            told = [("(", 0), ("one", 1), ("two", 1), (")", 1), ("(", 0), ("three", 2), (")", 2)]
            assert lab.frames == told
            assert not link.backlogged
            await socket.send_raw(socket.ws.send(wsproto.events.TextMessage(data="x" * 62)))
            await settle()
            assert link.backlogged, "as much as is read at once: there may be more"

    await with_socket(kind, run)


async def test_nothing_of_a_piece_is_told_after_the_link_was_given_up(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    import wsproto

    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            lab.on_frame = lambda frame, received_ns: link.lose("enough")  # type: ignore[method-assign]
            frames = [lab.venue.socket.ws.send(wsproto.events.TextMessage(data=text)) for text in ("one", "two")]
            await lab.venue.socket.send_raw(b"".join(frames))
            await trio.sleep_forever()
        assert (link.lost_because, link.frames_in) == ("enough", 1)

    await with_socket(kind, run)


async def test_news_does_not_wait_for_the_answer_to_a_ping(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    """The peer sends more and takes nothing: what came before its ping, and in the same piece, is told at once."""
    import wsproto

    async def run(lab: SocketLab) -> None:
        async with lab.open():
            lab.venue.client_streams[0].stall_writes = True
            events = [wsproto.events.TextMessage(data="news"), wsproto.events.Ping(payload=b"p")]
            await lab.venue.socket.send_raw(b"".join(lab.venue.socket.ws.send(event) for event in events))
            await trio.sleep(0.1)
            assert [frame for frame, _ in lab.frames] == ["news"]

    await with_socket(kind, run)


async def test_what_came_before_a_close_is_told(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    import wsproto

    async def run(lab: SocketLab) -> None:
        async with lab.open(burst=Pieces(lab.frames)) as link:
            events = [wsproto.events.TextMessage(data="last"), wsproto.events.CloseConnection(code=1001)]
            await lab.venue.socket.send_raw(b"".join(lab.venue.socket.ws.send(event) for event in events))
            await trio.sleep_forever()
        assert link.lost_because == "closed by the peer: 1001 GOING_AWAY"
        assert lab.frames == [("(", 0), ("last", 1), (")", 1)]

    await with_socket(kind, run)


async def test_a_piece_is_told_before_the_next_is_read(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    """So `backlogged` speaks of the piece that is being told, however fast the next follows."""
    import wsproto

    behind: list[bool] = []
    buffer = bytearray()

    async def run(lab: SocketLab) -> None:
        async with lab.open(WebSocketLimits(receive_bytes=64)) as link:
            stream = lab.venue.client_streams[0]

            async def at_once(max_bytes: int) -> bytes:
                """What is there is given without a turn of anybody else's."""
                if not buffer:
                    buffer.extend(await stream.inner.receive_some())
                piece = bytes(buffer[:max_bytes])
                del buffer[:max_bytes]
                return piece

            stream.receive_some = at_once  # type: ignore[method-assign]
            lab.on_frame = lambda frame, received_ns: behind.append(link.backlogged)  # type: ignore[method-assign]
            texts = ["x" * 14] * 10  # four of them, with their heads, are one full piece
            data = b"".join(lab.venue.socket.ws.send(wsproto.events.TextMessage(data=text)) for text in texts)
            await lab.venue.socket.send_raw(data)
            await settle()
        assert behind == [True] * 8 + [False] * 2

    await with_socket(kind, run)


async def test_texts_go_out_in_order(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            for number in range(3):
                link.send_nowait(f'{{"method":"ping","n":{number}}}')
            await settle()
            assert [text[-2] for text in lab.venue.texts] == ["0", "1", "2"]
            assert link.frames_out == 3
            assert link.queue_peak == 3

    await with_socket(kind, run)


async def test_a_full_queue_is_told_at_once(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            lab.venue.client_streams[0].stall_writes = True
            link.send_nowait("first", 1)
            await settle()
            for number in range(4):
                link.send_nowait("next", 2 + number)
            with pytest.raises(trio.WouldBlock):
                link.send_nowait("too many")

    await with_socket(kind, run)


async def test_a_stalled_write_ends_the_connection_and_names_what_never_left(
    kind: WebSocketKind,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Half a frame may be on the wire: nothing more may follow it there."""

    async def run(lab: SocketLab) -> None:
        start = trio.current_time()
        async with lab.open() as link:
            lab.venue.client_streams[0].stall_writes = True
            link.send_nowait('{"method":"ping"}', 1)
            await settle()
            link.send_nowait("two", 2)
            link.send_nowait("untagged")
            link.send_nowait("three", 3)
            await trio.sleep_forever()
        assert trio.current_time() - start == pytest.approx(5)
        assert link.lost_because == "a write took longer than 5 s"
        assert link.unsent() == [2, 3]
        assert link.unsent() == []
        assert lab.venue.client_streams[0].closed.is_set()
        with pytest.raises(trio.BrokenResourceError):
            link.send_nowait("late")
        assert lab.venue.texts == []

    await with_socket(kind, run)


async def test_a_peer_that_goes_away_cancels_the_block(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            await lab.venue.socket.drop()
            await trio.sleep_forever()
        assert link.lost_because is not None
        assert "closed by the peer" in link.lost_because

    await with_socket(kind, run)


async def test_a_polite_close_is_a_loss_too(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    import wsproto

    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            socket = lab.venue.socket
            await socket.stream.send_all(socket.ws.send(wsproto.events.CloseConnection(code=1001, reason="restart")))
            await trio.sleep_forever()
        assert link.lost_because is not None
        assert "1001" in link.lost_because

    await with_socket(kind, run)


async def test_only_the_first_reason_is_kept(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            link.lose("first")
            link.lose("second")
            await trio.sleep_forever()
        assert link.lost_because == "first"

    await with_socket(kind, run)


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff\xff\xff", b"\x83\x00", b"\x81\x82ab", b"\xf1\x01a"])
async def test_garbage_below_the_frames_ends_the_connection(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock, raw: bytes
) -> None:
    async def run(lab: SocketLab) -> None:
        async with lab.open() as link:
            await lab.venue.socket.send_raw(raw)
            await lab.venue.socket.drop()
            await trio.sleep_forever()
        assert link.lost_because is not None
        assert lab.frames == []

    await with_socket(kind, run)


async def test_a_frame_beyond_the_limit_ends_the_connection(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    async def run(lab: SocketLab) -> None:
        async with lab.open(WebSocketLimits(frame_bytes_max=1_000)) as link:
            await lab.venue.socket.send("x" * 1_000)
            await settle()
            assert len(lab.frames) == 1
            await lab.venue.socket.send("x" * 1_001)
            await trio.sleep_forever()
        assert link.lost_because is not None
        assert len(lab.frames) == 1

    await with_socket(kind, run)


async def test_protocol_pings_are_answered_while_frames_pour_in(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    """They come between the frames, and are answered while those go on."""

    async def run(lab: SocketLab) -> None:
        async with lab.open():
            for number in range(500):
                await lab.venue.socket.send(f"frame {number}")
                if number % 100 == 0:
                    await lab.venue.socket.ws_ping(b"p%d" % number)
            await settle()
            assert len(lab.frames) == 500
            assert lab.venue.socket.ping_payloads == [b"p0", b"p100", b"p200", b"p300", b"p400"]

    await with_socket(kind, run)


async def test_a_refused_upgrade_is_unavailable(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: SocketLab) -> None:
        lab.venue.ws_status = 503
        with pytest.raises(VenueUnavailable, match="503"):
            async with lab.open():
                raise AssertionError("opened")
        assert lab.venue.client_streams[0].closed.is_set()

    await with_socket(kind, run)


async def test_a_refused_connection_is_unavailable(kind: WebSocketKind, autojump_clock: trio.testing.MockClock) -> None:
    async def run(lab: SocketLab) -> None:
        lab.venue.refuse_ws = True
        with pytest.raises(VenueUnavailable, match="cannot connect"):
            async with lab.open():
                raise AssertionError("opened")

    await with_socket(kind, run)


@pytest.mark.parametrize("raw", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"\x00\x01\x02\x03", b""])
async def test_a_peer_that_does_not_upgrade_is_unavailable_in_time(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock, raw: bytes | None
) -> None:
    async def connect(host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        client, server = trio.testing.memory_stream_pair()
        if raw is not None:
            await server.send_all(raw)
            if not raw:
                await server.aclose()
        return client

    start = trio.current_time()
    with pytest.raises(VenueUnavailable):
        async with Transport(connect).websocket("ws://venue.test/ws", lambda *_: None, lambda: 0, LIMITS, kind=kind):
            raise AssertionError("opened")
    assert trio.current_time() - start <= 5.001


async def test_a_connection_that_does_not_come_about_is_unavailable_in_time(
    kind: WebSocketKind,
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def never(host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    start = trio.current_time()
    with pytest.raises(VenueUnavailable, match="no connection"):
        async with Transport(never).websocket("ws://venue.test/ws", lambda *_: None, lambda: 0, LIMITS, kind=kind):
            raise AssertionError("opened")
    assert trio.current_time() - start == pytest.approx(5)


async def test_a_fault_of_the_handler_reaches_the_caller(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    """An engine assertion must not be mistaken for a lost connection."""

    class BrokenError(Exception):
        pass

    def broken(frame: str | bytes, received_ns: int) -> None:
        raise BrokenError

    async with trio.open_nursery() as nursery:
        venue = FakeHyperliquid()
        venue.nursery = nursery
        with pytest.RaisesGroup(BrokenError, flatten_subgroups=True):
            async with Transport(venue.connect).websocket(
                "ws://venue.test:8081/ws", broken, lambda: 0, LIMITS, kind=kind
            ):
                await trio.sleep_forever()
        nursery.cancel_scope.cancel()


async def test_cancelling_from_outside_passes_through_and_closes(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    async def run(lab: SocketLab) -> None:
        with trio.move_on_after(1) as scope:
            async with lab.open():
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert lab.venue.client_streams[0].closed.is_set()

    await with_socket(kind, run)


def test_a_link_before_its_end_has_no_unsent() -> None:
    with pytest.raises(AssertionError):
        WebSocketLink.of(LIMITS).unsent()


# -- methods and headers of one's own


async def test_any_method_may_have_headers_and_a_body(way: Way, autojump_clock: trio.testing.MockClock) -> None:
    received = bytearray()

    async def handle(stream: trio.abc.Stream) -> None:
        while b"}" not in received:
            received.extend(await stream.receive_some())
        await stream.send_all(response(b"{}", extra=b"Date: Fri, 20 Nov 2026 21:00:00 GMT\r\n"))

    async def run(lab: Lab) -> None:
        async with lab.client(url="http://venue.test:8080/below/v2") as client:
            answer = await client.request("DELETE", "/orders?a=b", b'{"orders":[]}', {"X-Key": "k", "X-Time": "5"})
        assert (answer.status, answer.headers["date"]) == (200, "Fri, 20 Nov 2026 21:00:00 GMT")

    await in_lab(way, run, handle)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "DELETE /below/v2/orders?a=b HTTP/1.1"
    assert {"x-key: k", "x-time: 5"} <= {line.lower() for line in lines[1:]}
    assert body == b'{"orders":[]}'


async def test_an_upgrade_carries_the_headers_it_is_given(
    kind: WebSocketKind, autojump_clock: trio.testing.MockClock
) -> None:
    received = bytearray()

    async def handle(stream: trio.abc.Stream) -> None:
        while b"\r\n\r\n" not in received:
            received.extend(await stream.receive_some())
        await stream.aclose()

    async def run(lab: Lab) -> None:
        limits = WebSocketLimits(open_s=1.0)
        with pytest.raises(VenueUnavailable):
            async with Transport(lab.connect).websocket(
                "ws://venue.test/ws", lambda *_: None, lambda: 0, limits, [("X-Key", "k")], kind=kind
            ):
                raise AssertionError
        assert b"\r\nx-key: k\r\n" in bytes(received).lower()

    await in_lab(Way.POOL, run, handle)
