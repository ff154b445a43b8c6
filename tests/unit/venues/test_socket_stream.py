"""Our own stream over real sockets, with TLS and without: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.http11 import Request
from websockets.server import ServerProtocol

from hlomm.bench.trust import trusted
from hlomm.rundir import certificate
from hlomm.venues.socket_stream import RECORD_BYTES, SocketStream, open_stream
from hlomm.venues.transport import Transport
from hlomm.venues.websocket import WebSocketLimits, WebSocketLink
from tests.unit.venues.peers import served

BIG = random.Random(1).randbytes(3_000_000)


async def read_all(stream: trio.abc.Stream, length: int) -> bytes:
    got = b""
    while len(got) < length:
        data = await stream.receive_some(10_000)
        assert data, "ended too soon"
        got += data
    return got


async def test_every_byte_goes_both_ways(pem: tuple[Path, Path], tls: bool) -> None:
    async def echo(peer: trio.abc.Stream) -> None:
        async for data in peer:
            await peer.send_all(data)

    async with served(echo, pem, tls=tls) as port:
        stream = await open_stream("127.0.0.1", port, tls)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, BIG)
            assert await read_all(stream, len(BIG)) == BIG


async def test_what_does_not_leave_at_once_is_told_and_sent_next(pem: tuple[Path, Path], tls: bool) -> None:
    go, got = trio.Event(), b""

    async def slow(peer: trio.abc.Stream) -> None:
        nonlocal got
        if isinstance(peer, trio.SSLStream):
            await peer.do_handshake()
        await go.wait()
        got = await read_all(peer, len(BIG))

    async with served(slow, pem, tls=tls) as port, await open_stream("127.0.0.1", port, tls) as stream:
        sent = 0
        while more := stream.send_some(BIG[sent:]):
            sent += more
        assert sent < len(BIG), "the kernel took all of it: nothing was tried"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, BIG[sent:])
            await trio.testing.wait_all_tasks_blocked()
            assert stream.send_some(b"in between") == 0
            with pytest.raises(trio.BusyResourceError):
                await stream.send_all(b"in between")
            go.set()
        while len(got) < len(BIG):
            await trio.sleep(0.01)
        assert got == BIG


async def test_what_is_there_together_is_read_together(pem: tuple[Path, Path], tls: bool) -> None:
    """TLS gives one record at a time: the books in the others would be decided on one by one."""
    sent = trio.Event()

    async def talk(peer: trio.abc.Stream) -> None:
        for number in range(5):
            await peer.send_all(b"%d" % number)
        sent.set()
        await trio.sleep_forever()

    async with served(talk, pem, tls=tls) as port, await open_stream("127.0.0.1", port, tls) as stream:
        await sent.wait()
        await trio.sleep(0.05)
        assert await stream.receive_some(4) == b"0123"
        assert await stream.receive_some(4) == b"4"


async def test_tls_is_asked_for_no_more_than_it_gives(
    pem: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A record is 16 kB: a buffer for all that may come would be made for each, and cut down."""
    asked, real = [], ssl.SSLSocket.recv

    def recv(secured: ssl.SSLSocket, size: int) -> bytes:
        asked.append(size)
        return real(secured, size)

    async def send(peer: trio.abc.Stream) -> None:
        await peer.send_all(BIG)

    async with served(send, pem, tls=True) as port, await open_stream("127.0.0.1", port, True) as stream:
        monkeypatch.setattr(ssl.SSLSocket, "recv", recv)
        got, longest = b"", 0
        while len(got) < len(BIG):
            data = await stream.receive_some(256 * 2**10)
            got, longest = got + data, max(longest, len(data))
    assert got == BIG
    assert max(asked) == RECORD_BYTES < longest <= 256 * 2**10, "yet what is there is read together"


async def test_a_peer_that_leaves_is_the_end(pem: tuple[Path, Path], tls: bool) -> None:
    """Venues close without a TLS goodbye."""

    async def leave(peer: trio.abc.Stream) -> None:
        await peer.send_all(b"last")
        await trio.aclose_forcefully(peer.transport_stream if isinstance(peer, trio.SSLStream) else peer)

    async with served(leave, pem, tls=tls) as port, await open_stream("127.0.0.1", port, tls) as stream:
        assert await read_all(stream, 4) == b"last"
        assert await stream.receive_some() == b""


async def test_after_closing_nothing_works_and_who_waits_is_told(pem: tuple[Path, Path], tls: bool) -> None:
    async def wait(peer: trio.abc.Stream) -> None:
        await peer.receive_some()

    async with served(wait, pem, tls=tls) as port:
        stream = await open_stream("127.0.0.1", port, tls)
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await stream.receive_some()

            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            await stream.aclose()
        await stream.aclose()
        for use in (stream.receive_some, lambda: stream.send_all(b"x"), stream.wait_send_all_might_not_block):
            with pytest.raises(trio.ClosedResourceError):
                await use()
        with pytest.raises(trio.ClosedResourceError):
            stream.send_some(b"x")


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    pem: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def never(peer: trio.abc.Stream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await peer.receive_some()

    other, _ = certificate.make(tmp_path_factory.mktemp("other"))
    async with served(never, pem, tls=True) as port:
        with trusted(other), pytest.raises(ssl.SSLCertVerificationError):
            await open_stream("127.0.0.1", port, True)
        with pytest.raises(ssl.SSLCertVerificationError):
            await open_stream("localhost", port, True)  # the certificate is that of the address


async def test_a_handshake_that_never_ends_can_be_left(pem: tuple[Path, Path]) -> None:
    closed = trio.Event()

    async def mute(peer: trio.abc.Stream) -> None:
        while await peer.receive_some():
            pass
        closed.set()

    async with served(mute, pem, tls=False) as port:
        with trio.move_on_after(0.05) as scope:
            await open_stream("127.0.0.1", port, True)
        assert scope.cancelled_caught
        await closed.wait()


# -- the websocket on it


class Peer:
    """A websocket server that reads when it is told to."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.read = trio.Event()
        self.read.set()
        self.done = False

    async def __call__(self, stream: trio.abc.Stream) -> None:
        ws = ServerProtocol(max_size=None)
        while True:
            await self.read.wait()
            try:
                data = await stream.receive_some(20_000)
            except trio.BrokenResourceError:
                return
            if not data:
                return
            ws.receive_data(bytes(data))
            for event in ws.events_received():
                if isinstance(event, Request):
                    ws.send_response(ws.accept(event))
                else:
                    self.texts.append(bytes(event.data))
            for piece in ws.data_to_send():
                await stream.send_all(piece)


async def over_sockets(
    pem: tuple[Path, Path], tls: bool, run: Callable[[Peer, WebSocketLink], Any], limits: WebSocketLimits | None = None
) -> None:
    peer = Peer()
    async with served(peer, pem, tls=tls) as port:
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/ws"
        open_it = Transport().websocket(url, lambda *_: None, lambda: 0, limits or WebSocketLimits())
        async with open_it as link:
            await run(peer, link)
            peer.done = True
        assert peer.done, f"cancelled, for the link was lost: {link.lost_because}"


async def test_a_frame_leaves_in_the_call_that_sends_it(pem: tuple[Path, Path], tls: bool) -> None:
    async def run(peer: Peer, link: WebSocketLink) -> None:
        link.send_nowait("now", 1)
        assert (link.frames_out, link.waiting, link.queue_peak) == (1, 0, 0)
        while not peer.texts:
            await trio.sleep(0.005)
        assert peer.texts == [b"now"]

    await over_sockets(pem, tls, run)


@pytest.mark.parametrize("seed", range(3))
async def test_frames_of_any_size_arrive_whole_and_in_order(pem: tuple[Path, Path], tls: bool, seed: int) -> None:
    """At once, begun and finished by the writer, or queued: however the kernel's buffer fills and empties."""
    rng = random.Random(seed)
    texts = [f"{number}:" + "x" * rng.choice((3, 200, 70_000, 400_000)) for number in range(120)]

    async def run(peer: Peer, link: WebSocketLink) -> None:
        for text in texts:
            if rng.random() < 0.1 and peer.read.is_set():
                peer.read = trio.Event()
            while True:
                try:
                    link.send_nowait(text)
                except trio.WouldBlock:
                    peer.read.set()
                    await trio.sleep(0.001)
                else:
                    break
            if rng.random() < 0.3:
                await trio.lowlevel.checkpoint()
        assert link.queue_peak > 0, "all of it left at once: nothing was tried"
        peer.read.set()
        while len(peer.texts) < len(texts):
            await trio.sleep(0.005)
        assert [text.decode() for text in peer.texts] == texts
        assert link.frames_out == len(texts)

    await over_sockets(pem, tls, run, WebSocketLimits(outbound_queue=8))


async def test_a_frame_that_was_begun_and_stalls_ends_the_connection(pem: tuple[Path, Path], tls: bool) -> None:
    """Its tail is on the writer's deadline, and nothing behind it may be told to have left."""

    async def run(peer: Peer, link: WebSocketLink) -> None:
        peer.read = trio.Event()
        await trio.sleep(0.05)
        link.send_nowait("x" * 8_000_000, 1)
        link.send_nowait("behind", 2)
        await trio.sleep_forever()

    peer = Peer()
    async with served(peer, pem, tls=tls) as port:
        limits = WebSocketLimits(write_s=0.2)
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/ws"
        async with Transport().websocket(url, lambda *_: None, lambda: 0, limits) as link:
            await run(peer, link)
        assert link.lost_because == "a write took longer than 0.2 s"
        assert link.unsent() == [2]


async def test_a_broken_socket_is_a_lost_link_and_no_exception(pem: tuple[Path, Path]) -> None:
    """What was sent into it may have left: only the venue knows, so the session asks."""
    streams: list[SocketStream] = []

    async def connect(host: str, port: int, tls: bool, /) -> trio.abc.Stream:
        streams.append(await open_stream(host, port, tls))
        return streams[0]

    peer = Peer()
    async with served(peer, pem, tls=False) as port:
        open_it = Transport(connect).websocket(
            f"ws://127.0.0.1:{port}/", lambda *_: None, lambda: 0, WebSocketLimits()
        )  # fmt: skip
        async with open_it as link:
            streams[0].socket.close()
            link.send_nowait("into nothing", 1)
            assert link.lost_because is not None
            assert link.lost_because.startswith("closed while writing")
            with pytest.raises(trio.BrokenResourceError):
                link.send_nowait("again")
            await trio.sleep_forever()
        assert link.unsent() == []
