"""The daemon's socket: who may speak, what it answers, and that nobody there can hold up trading."""

from __future__ import annotations

import os
import stat
import struct

import pytest
import trio

from hlomm.daemon.link_server import user_of
from hlomm.domain.inputs import OperatorAction
from hlomm.link.protocol import (
    VERSION,
    Answer,
    Ask,
    Command,
    Frames,
    Hello,
    Refused,
    ToClient,
    Update,
    Watch,
    Welcome,
    decode_to_client,
    encode,
)


class Peer:
    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.frames = Frames()
        self.pending: list[ToClient] = []

    async def say(self, message) -> None:
        await self.stream.send_all(encode(message))

    async def hear(self) -> ToClient | None:
        with trio.fail_after(10):
            while not self.pending:
                data = await self.stream.receive_some(65_536)
                if not data:
                    return None
                self.pending += [decode_to_client(body) for body in self.frames.feed(bytes(data))]
        return self.pending.pop(0)

    async def greet(self) -> Peer:
        await self.say(Hello(version=VERSION, role="test", origin="10.0.0.7"))
        assert isinstance(await self.hear(), Welcome)
        return self


@pytest.fixture
async def connect():
    """Opens peers and closes them after the test."""
    opened: list[Peer] = []

    async def open_peer(r) -> Peer:
        opened.append(Peer(await trio.open_unix_socket(str(r.paths.socket))))
        return opened[-1]

    yield open_peer
    for peer in opened:
        await peer.stream.aclose()


async def test_socket_is_private(rig, autojump_clock):
    async with rig() as r:
        await r.quoting()
        mode = r.paths.socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert mode & 0o777 == 0o600
        assert r.paths.root.stat().st_mode & 0o777 == 0o700
        await r.stop()
        assert not r.paths.socket.exists()


async def test_ask_and_watch(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        peer = await (await connect(r)).greet()
        await peer.say(Ask(id=5))
        answer = await peer.hear()
        assert isinstance(answer, Answer)
        assert answer.id == 5
        assert answer.snapshot.engine.state == "running"
        assert answer.snapshot.engine.open_orders >= 2
        assert answer.snapshot.pid == os.getpid()
        await peer.say(Watch(id=6, interval_ms=200))
        updates = [await peer.hear() for _ in range(3)]
        assert all(isinstance(update, Update) and update.id == 6 for update in updates)


async def test_command_is_taken_at_once_and_audited_with_its_origin(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        peer = await (await connect(r)).greet()
        await peer.say(Command(id=1, action=OperatorAction.KILL, reason="drill"))
        answer = await peer.hear()
        assert isinstance(answer, Answer)
        assert answer.snapshot.engine.state == "flattening"
        assert answer.snapshot.engine.reason == f"kill by {user_of(os.getuid())} from 10.0.0.7 (drill)"
        await r.until(lambda: r.state == "halted", 30)


async def test_wrong_version_is_refused_with_words(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting()
        peer = await connect(r)
        await peer.say(Hello(version=99, role="test"))
        refused = await peer.hear()
        assert isinstance(refused, Refused)
        assert "use the same hlomm" in refused.text
        assert await peer.hear() is None


@pytest.mark.parametrize(
    "garbage",
    [b"\x00" * 64, struct.pack("<I", 1 << 31), struct.pack("<I", 5) + b"abcde", encode(Ask(id=1)), os.urandom(4096)],
    ids=["zeros", "huge", "not msgpack", "no hello", "noise"],
)
async def test_garbage_ends_that_client_and_nothing_else(rig, connect, autojump_clock, garbage):
    async with rig() as r:
        await r.quoting(2)
        before = r.engine.state.counters.turns
        peer = await connect(r)
        await peer.stream.send_all(garbage)
        await peer.stream.send_eof()
        with trio.fail_after(20):
            assert await peer.stream.receive_some(100) == b""
        await r.until(lambda: r.engine.state.counters.turns > before + 5, 20)
        assert r.state == "running"
        await (await connect(r)).greet()


async def test_client_that_never_reads_is_dropped(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        peer = await (await connect(r)).greet()
        await peer.say(Watch(id=1, interval_ms=100))
        await trio.sleep(300)
        assert r.state == "running"
        heard = b"x"
        with trio.fail_after(30):
            while heard:
                heard = await peer.stream.receive_some(1 << 20)
        assert heard == b"", "the daemon hung up"


async def test_silent_client_is_dropped_and_too_many_are_refused(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting()
        silent = await connect(r)
        await trio.sleep(10)
        assert await silent.stream.receive_some(10) == b""
        peers = [await (await connect(r)).greet() for _ in range(16)]
        extra = await connect(r)
        assert await extra.stream.receive_some(10) == b""
        await peers[0].stream.aclose()
        await r.until(lambda: True, 1)
        await trio.sleep(0.5)
        await (await connect(r)).greet()


async def test_view_that_cannot_be_drawn_does_not_stop_trading(rig, connect, autojump_clock, monkeypatch):
    async with rig() as r:
        await r.quoting(2)

        def broken():
            raise ZeroDivisionError("planted")

        peer = await (await connect(r)).greet()
        monkeypatch.setattr(r.daemon.monitor, "snapshot", broken)
        await peer.say(Ask(id=1))
        assert await peer.hear() is None
        monkeypatch.undo()
        assert r.state == "running"
        await (await connect(r)).greet()
