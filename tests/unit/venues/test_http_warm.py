"""Lines kept warm: open when they are needed, and never in doubt for longer than it takes to say so.

What they share with the pool (answers, deadlines, limits) is tested for both in `test_transport.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import h11
import pytest
import trio
import trio.testing

from hlomm.domain.faults import InvariantBroken, VenueUnavailable
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer, HttpLimits, NotSent
from hlomm.venues.http_warm import Warming, WarmLines
from hlomm.venues.public_transport import PublicTransport
from hlomm.venues.transport import Transport
from tests.unit.venues.fake_hyperliquid import Stallable, mock_clock, settle
from tests.unit.venues.harness import config
from tests.unit.venues.peers import served, warming

MockClock = trio.testing.MockClock
Pem = tuple[Path, Path]
ORDER = b'{"action":{"type":"order"}}'
HUNG_UP = (trio.ClosedResourceError, h11.RemoteProtocolError)
QUICK = HttpLimits(request_s=0.3, connect_s=2)


@attrs.define(eq=False, slots=False)
class Server:
    """Serves HTTP by h11. `answers` are bytes for each order in turn; the last one stays. Questions get `null`."""

    answers: list[bytes | None] = attrs.field(factory=lambda: [answer(b"done")])
    """None: it hangs up after reading the request."""
    piece: int = 1 << 20
    """Bytes sent at once."""
    reads: int = 1 << 16
    """Bytes read at once."""
    idle_s: float = float("inf")
    """It closes a connection on which nothing was asked for so long."""
    orders: list[bytes] = attrs.field(factory=list)
    questions: int = 0
    streams: list[trio.abc.Stream] = attrs.field(factory=list)

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.streams.append(stream)
        if isinstance(stream, trio.SSLStream):
            await stream.do_handshake()
        with (
            trio.CancelScope(deadline=trio.current_time() + self.idle_s) as patience,
            suppress(*HUNG_UP),
        ):
            await self._converse(stream, patience)
        await trio.aclose_forcefully(stream)

    async def _converse(self, stream: trio.abc.Stream, patience: trio.CancelScope) -> None:
        http, path, body = h11.Connection(h11.SERVER), b"", b""
        while True:
            match http.next_event():
                case h11.NEED_DATA:
                    http.receive_data(await stream.receive_some(self.reads))
                case h11.Request(target=path):
                    body = b""
                case h11.Data(data=part):
                    body += part
                case h11.EndOfMessage():
                    raw = self._answer(path, body)
                    if raw is None:
                        return
                    for start in range(0, len(raw), self.piece):
                        await stream.send_all(raw[start : start + self.piece])
                    http = h11.Connection(h11.SERVER)
                    patience.deadline = trio.current_time() + self.idle_s
                case _:
                    return

    def _answer(self, path: bytes, body: bytes) -> bytes | None:
        if path == b"/info":
            self.questions += 1
            return answer(b"null")
        self.orders.append(body)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def answer(body: bytes, status: str = "200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status.encode(), len(body), extra, body)


@attrs.define(eq=False)
class Lab:
    lines: WarmLines
    counters: Counters

    async def order(self, body: bytes = ORDER) -> HttpAnswer:
        return await self.lines.request("POST", "/exchange", body)

    async def ready(self, count: int = 1) -> None:
        with trio.fail_after(100):
            while self.lines.ready < count:
                await trio.sleep(0.005)


@asynccontextmanager
async def lines_over_tls(server: Server, pem: Pem, limits: HttpLimits = QUICK) -> AsyncIterator[Lab]:
    """One line, open, to a server at a real socket under TLS."""
    async with served(server.serve, pem, tls=True) as port, trio.open_nursery() as nursery:
        lab = make(
            Transport(),
            f"https://127.0.0.1:{port}",
            limits,
            Clock(),
            warming(lines=1, pace=config(reconnect_base_s=0.02)),
        )
        nursery.start_soon(lab.lines.run)
        await lab.ready()
        yield lab
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def lines_in_memory(connect: Any, limits: HttpLimits | None = None, **fields: Any) -> AsyncIterator[Lab]:
    """Lines over streams of the test's own making, in mock time; they need not be open yet."""
    async with trio.open_nursery() as nursery:
        lab = make(Transport(connect), "http://venue.test", limits or HttpLimits(), mock_clock(), warming(**fields))
        nursery.start_soon(lab.lines.run)
        await settle()
        yield lab
        nursery.cancel_scope.cancel()


def make(transport: Transport, url: str, limits: HttpLimits, clock: Clock, how: Warming) -> Lab:
    counters = Counters()
    return Lab(transport.warm_lines(url, limits, how, clock, counters), counters)


# -- over real sockets, under TLS


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        pytest.param(answer(b"null", "429 Too Many Requests"), 429, b"null", id="429"),
        pytest.param(answer(b"<html>Bad Gateway", "502 Bad Gateway"), 502, b"<html>Bad Gateway", id="502"),
        pytest.param(answer(b"bye", extra=b"Connection: close\r\n"), 200, b"bye", id="closes"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"done"), 200, b"done", id="told to go on"),
        pytest.param(answer(b"", "307 X", b"Location: https://elsewhere.test/\r\n"), 307, b"", id="redirect"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\ndo\r\n2\r\nne\r\n0\r\nA: b\r\n\r\n",
            200, b"done", id="chunked",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1, 1 << 20], ids=["byte by byte", "whole"])
async def test_answers_of_every_kind(pem: Pem, raw: bytes, status: int, body: bytes, piece: int) -> None:
    server = Server([raw], piece=piece)
    async with lines_over_tls(server, pem) as lab:
        for number in (1, 2):
            await lab.ready()
            got = await lab.order()
            assert (got.status, got.body) == (status, body)
            assert got.redirect == ("https://elsewhere.test/" if status == 307 else None)
            assert server.orders == [ORDER] * number
    closes = b"close" in raw
    assert len(server.streams) == (2 if closes else 1)


async def test_what_cannot_be_written_is_not_sent_and_the_next_goes_over_a_new_line(pem: Pem) -> None:
    """A key id with a line break in it, say: the pool would refuse it by name, and so must a line."""
    server = Server()
    async with lines_over_tls(server, pem) as lab:
        with pytest.raises(NotSent):
            await lab.lines.request("POST", "/exchange", ORDER, {"Key": "broken\r\nX: y"})
        await lab.ready()
        assert (await lab.order()).body == b"done"
    assert server.orders == [ORDER]
    assert len(server.streams) == 2


async def test_a_request_that_leaves_in_pieces_arrives_whole(pem: Pem) -> None:
    big = b'{"x":"' + b"y" * 3_000_000 + b'"}'
    server = Server(reads=10_000)
    async with lines_over_tls(server, pem, HttpLimits()) as lab:
        assert (await lab.order(big)).body == b"done"
        assert server.orders == [big]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param(None, "closed it", id="hangs up after reading"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "no answer in 0.3 s", id="stops half-way"),
        pytest.param(b"", "no answer in 0.3 s", id="says nothing"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP", id="garbage"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 20_000, "no HTTP", id="endless headers"),
        pytest.param(answer(b"x" * 5_000), "longer than 4000 bytes", id="too long"),
        pytest.param(answer(b"\x1f\x8b", extra=b"Content-Encoding: gzip\r\n"), "compressed", id="compressed"),
    ],
)
async def test_without_an_answer_nobody_knows_and_nothing_is_sent_again(pem: Pem, raw: bytes | None, why: str) -> None:
    """The request was read to its end each time: whether it was carried out cannot be told."""
    server = Server([raw, answer(b"done")])
    limits = attrs.evolve(QUICK, answer_bytes_max=30_000 if why == "no HTTP" else 4_000)
    async with lines_over_tls(server, pem, limits) as lab:
        with pytest.raises(VenueUnavailable, match=why) as failed:
            await lab.order()
        assert not isinstance(failed.value, NotSent)
        await trio.sleep(0.05)
        await lab.ready()
        assert server.orders == [ORDER]
        assert (await lab.order(b"{}")).body == b"done"
        assert server.orders == [ORDER, b"{}"]
        assert (len(server.streams), lab.counters.get("warm_lines_lost")) == (2, 1), "half an answer was on the first"


async def test_a_line_that_the_server_closed_is_replaced_before_anybody_asks(pem: Pem) -> None:
    server = Server()
    async with lines_over_tls(server, pem) as lab:
        await trio.aclose_forcefully(server.streams[0])
        await trio.sleep(0.02)
        with pytest.raises(NotSent):
            await lab.order()
        await lab.ready()
        assert (await lab.order()).body == b"done"
        assert server.orders == [ORDER]
        assert len(server.streams) == 2


async def test_a_line_closed_in_this_very_moment_is_found_out_before_anything_is_written(pem: Pem) -> None:
    """The loop has not told its reader yet: only looking once more keeps the order's fate from being unknown."""
    server = Server()
    async with lines_over_tls(server, pem) as lab:
        assert (await lab.order()).status == 200
        stream = server.streams[0]
        assert isinstance(stream, trio.SSLStream)
        stream.transport_stream.socket.close()
        with pytest.raises(NotSent):
            await lab.order()
        assert lab.counters.get("warm_lines_found_closed") == 1


async def test_a_server_that_is_not_trusted_gets_no_line_and_no_order(pem: Pem, tmp_path: Path) -> None:
    from hlomm.bench.trust import trusted
    from hlomm.rundir import certificate

    server = Server()
    async with served(server.serve, pem, tls=True) as port, trio.open_nursery() as nursery:
        with trusted(certificate.make(tmp_path)[0]):
            lab = make(Transport(), f"https://127.0.0.1:{port}", QUICK, Clock(), warming(lines=1))
            nursery.start_soon(lab.lines.run)
            with trio.fail_after(5):
                while not lab.counters.get("warm_lines_not_opened"):
                    await trio.sleep(0.005)
            with pytest.raises(NotSent, match="no connection"):
                await lab.order()
        nursery.cancel_scope.cancel()
    assert server.orders == []


async def test_the_pool_too_sees_that_a_connection_was_closed(pem: Pem) -> None:
    """Else an order over it would be lost: nobody could say whether it arrived."""
    server = Server()
    async with (
        served(server.serve, pem, tls=True) as port,
        Transport().http(f"https://127.0.0.1:{port}", QUICK) as client,
    ):
        assert (await client.post("/exchange", ORDER)).body == b"done"
        await trio.aclose_forcefully(server.streams[0])
        await trio.sleep(0.02)
        assert (await client.post("/exchange", ORDER)).body == b"done"
        assert (await client.post("/exchange", ORDER)).body == b"done"
    assert (len(server.streams), len(server.orders)) == (2, 3)


# -- kept warm, in mock time


@attrs.define(eq=False)
class Venue:
    """A server over memory streams."""

    server: Server
    nursery: trio.Nursery
    refuses: bool = False
    dialled: list[float] = attrs.field(factory=list)
    streams: list[Stallable] = attrs.field(factory=list)

    async def connect(self, host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        self.dialled.append(trio.current_time())
        if self.refuses:
            raise OSError("connection refused")
        client, server = trio.testing.memory_stream_pair()
        self.streams.append(Stallable(client))
        self.nursery.start_soon(self.server.serve, server)
        return self.streams[-1]


@asynccontextmanager
async def venue(**fields: Any) -> AsyncIterator[Venue]:
    async with trio.open_nursery() as nursery:
        yield Venue(Server(**fields), nursery)
        nursery.cancel_scope.cancel()


async def test_idle_lines_are_kept_open_beyond_the_servers_patience(autojump_clock: MockClock) -> None:
    """A minute is what servers usually have. An hour later the order finds the first connection."""
    async with venue(idle_s=60) as peer, lines_in_memory(peer.connect) as lab:
        await trio.sleep(3_610)
        assert lab.lines.ready == 2
        assert (await lab.order()).body == b"done"
        assert len(peer.dialled) == 2
        assert peer.server.questions == pytest.approx(2 * 3_600 / 20, rel=0.05)
        assert lab.counters.get("warm_questions") == peer.server.questions


async def test_a_line_that_was_just_used_is_not_asked(autojump_clock: MockClock) -> None:
    async with venue() as peer, lines_in_memory(peer.connect, lines=1) as lab:
        for _ in range(20):
            await trio.sleep(19)
            await lab.order()
        assert peer.server.questions == 0


async def test_a_question_that_cannot_be_spared_is_put_off_and_an_old_line_replaced(autojump_clock: MockClock) -> None:
    async with venue() as peer, lines_in_memory(peer.connect, lines=1, may_ask=lambda: False) as lab:
        await trio.sleep(50)
        assert (len(peer.dialled), peer.server.questions) == (1, 0)
        assert lab.counters.get("warm_questions_put_off") > 0
        await trio.sleep(20)
        assert (len(peer.dialled), peer.server.questions, lab.lines.ready) == (2, 0, 1)


async def test_a_path_that_died_in_silence_is_found_by_a_question(autojump_clock: MockClock) -> None:
    async with venue() as peer, lines_in_memory(peer.connect, lines=1) as lab:
        peer.streams[0].swallow_writes = True
        await trio.sleep(30)
        assert lab.counters.get("warm_questions_failed") == 1
        assert (await lab.order()).body == b"done"
        assert len(peer.dialled) == 2


async def test_a_line_that_slept_through_is_not_trusted(autojump_clock: MockClock) -> None:
    """As after a process that stood still: its task has not had its turn, and the server has long given up."""
    async with venue() as peer, lines_in_memory(peer.connect, lines=1, after_s=10_000) as lab:
        await trio.sleep(56)
        with pytest.raises(NotSent):
            await lab.order()
        await lab.ready()
        assert (await lab.order()).body == b"done"
        assert peer.server.orders == [ORDER]


async def test_connections_that_are_refused_are_tried_ever_more_rarely(autojump_clock: MockClock) -> None:
    async with venue() as peer, lines_in_memory(peer.connect, lines=1) as lab:
        peer.refuses = True
        await peer.streams[0].aclose()
        await trio.sleep(600)
        assert 20 < len(peer.dialled) < 60
        assert lab.counters.get("warm_lines_not_opened") == len(peer.dialled) - 1
        peer.refuses = False
        await trio.sleep(30)
        assert lab.lines.ready == 1


# -- one request at a time


async def test_what_finds_every_line_busy_is_told_at_once(autojump_clock: MockClock) -> None:
    async with venue(answers=[b""]) as peer, lines_in_memory(peer.connect) as lab, trio.open_nursery() as tasks:
        lost: list[VenueUnavailable] = []

        async def order() -> None:
            try:
                await lab.order()
            except VenueUnavailable as error:
                lost.append(error)

        tasks.start_soon(order)
        tasks.start_soon(order)
        await settle()
        start = trio.current_time()
        with pytest.raises(NotSent, match="free"):
            await lab.order()
        assert trio.current_time() == start
        await trio.sleep(6)
        assert [isinstance(error, NotSent) for error in lost] == [False, False]
        assert len(peer.server.orders) == 2


async def test_the_lines_are_never_asked_together(autojump_clock: MockClock) -> None:
    """One is left for an order."""
    async with venue() as peer, lines_in_memory(peer.connect, HttpLimits(connect_s=3)) as lab:
        for stream in peer.streams:
            stream.swallow_writes = True
        await trio.sleep(20.5)
        assert lab.lines.ready == 1


async def test_given_up_half_way_a_line_is_never_used_again(autojump_clock: MockClock) -> None:
    async with venue() as peer, lines_in_memory(peer.connect, lines=1) as lab:
        peer.streams[0].stall_writes = True
        with trio.move_on_after(1):
            await lab.order()
        await settle()
        assert (lab.lines.ready, peer.streams[0].closed.is_set()) == (0, True)
        await lab.ready()
        assert (await lab.order(b"{}")).body == b"done"
        assert peer.server.orders == [b"{}"]


@pytest.mark.parametrize("spoken", [b"HTTP/1.1 408 Request Timeout\r\n\r\n", answer(b"more")])
async def test_a_peer_that_speaks_unasked_is_not_taken_for_an_answer(autojump_clock: MockClock, spoken: bytes) -> None:
    async with venue() as peer, lines_in_memory(peer.connect, lines=1) as lab:
        await peer.server.streams[0].send_all(spoken)
        await settle()
        assert lab.lines.ready == 0
        await lab.ready()
        assert (await lab.order()).body == b"done"


async def test_two_answers_to_one_request_end_the_line(autojump_clock: MockClock) -> None:
    answers: list[bytes | None] = [answer(b"one") + answer(b"two"), answer(b"three")]
    async with venue(answers=answers) as peer, lines_in_memory(peer.connect, lines=1) as lab:
        assert (await lab.order()).body == b"one"
        await lab.ready()
        assert (await lab.order()).body == b"three"
        assert len(peer.dialled) == 2


async def test_an_answer_before_the_request_was_heard_counts_and_ends_the_line(autojump_clock: MockClock) -> None:
    async def hasty(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(answer(b"null", "413 Content Too Large"))

    async with venue() as peer:
        peer.server.serve = hasty  # type: ignore[method-assign]
        async with lines_in_memory(peer.connect, lines=1) as lab:
            peer.streams[0].stall_writes = True
            start = trio.current_time()
            assert (await lab.order()).status == 413
            assert trio.current_time() - start < 1, "nobody waits for what the peer will never read"
            await settle()
            assert peer.streams[0].closed.is_set()


async def test_an_answer_may_overtake_the_news_that_its_request_is_written(autojump_clock: MockClock) -> None:
    """On a quick path it does, and the line is as good as before."""
    async with venue() as peer, lines_in_memory(peer.connect, lines=1) as lab:
        write = peer.streams[0].inner.send_all

        async def slow(data: bytes) -> None:
            await write(data)
            await trio.sleep(0.01)

        peer.streams[0].send_all = slow  # type: ignore[method-assign]
        for _ in range(3):
            assert (await lab.order()).body == b"done"
        assert (lab.lines.ready, len(peer.dialled)) == (1, 1)


async def test_a_stream_that_breaks_under_the_request_leaves_its_fate_unknown(autojump_clock: MockClock) -> None:
    async with venue() as peer, lines_in_memory(peer.connect, lines=1) as lab:

        async def broken(_data: bytes) -> None:
            await peer.server.streams[0].aclose()
            raise trio.BrokenResourceError

        peer.streams[0].send_all = broken  # type: ignore[method-assign]
        with pytest.raises(VenueUnavailable) as failed:
            await lab.order()
        assert not isinstance(failed.value, NotSent)
        assert peer.server.orders == []


def test_whoever_only_looks_has_no_lines() -> None:
    class Nothing:
        def asks(self, method: str, path: str) -> bool:
            return True

        def says(self, text: str) -> bool:
            return True

    transport: Callable[..., Any] = PublicTransport(rules=Nothing()).warm_lines
    with pytest.raises(InvariantBroken):
        transport("http://venue.test", HttpLimits(), warming(), Clock(), Counters())
