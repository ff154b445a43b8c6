"""The daemon's socket: who may speak, what it answers, and that nobody there can hold up trading."""

from __future__ import annotations

import os
import stat
import struct

import msgspec
import pytest
import trio

from hlomm.daemon.link_server import user_of
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.link.protocol import (
    MAX_FRAME,
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
from hlomm.rundir import halt_file


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


async def answered(r, connect, message):
    """What one client is answered."""
    peer = await (await connect(r)).greet()
    await peer.say(message)
    answer = await peer.hear()
    assert isinstance(answer, Answer)
    return answer


async def test_command_is_taken_at_once_and_audited_with_its_origin(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        answer = await answered(r, connect, Command(id=1, action=OperatorAction.KILL, reason="drill"))
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


# -- watchers share one picture


async def test_watchers_share_a_picture_however_many_they_are(rig, connect, autojump_clock):
    """Terminals that came at different instants fall due together: one report and one encoding serves them all."""
    async with rig() as r:
        await r.quoting(2)
        peers = []
        for number in range(8):
            peers.append(await (await connect(r)).greet())
            await peers[-1].say(Watch(id=number, interval_ms=250))
            await trio.sleep(0.13)
        for peer in peers:
            await peer.hear()
        pictures, before, heard = r.daemon._link._pictures, 0, []

        async def listen(peer: Peer) -> None:
            while True:
                heard.append(await peer.hear())

        async with trio.open_nursery() as nursery:
            for peer in peers:
                nursery.start_soon(listen, peer)
            await trio.sleep(1)
            before, count = pictures.made, len(heard)
            await trio.sleep(10)
            nursery.cancel_scope.cancel()
        assert len(heard) - count >= 8 * 39
        assert 39 <= pictures.made - before <= 41, "four a second, as for one watcher"
        assert {update.id for update in heard} == set(range(8)), "the number is each watcher's own"
        walls = [update.snapshot.engine.wall_ms for update in heard if update.id == 3]
        assert walls == sorted(set(walls)), "each one is told something newer every time"


async def test_a_watcher_is_shown_a_kill_at_once_and_never_an_older_picture_after_it(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        pictures = r.daemon._link._pictures
        assert pictures.shared() is pictures.shared()
        before = pictures.shared()
        (await answered(r, connect, Command(id=1, action=OperatorAction.KILL, reason="drill")))
        after = msgspec.msgpack.decode(bytes(pictures.shared()))
        assert bytes(pictures.shared()) != bytes(before)
        assert after["engine"]["state"] != "running"
        await r.until(lambda: r.state == "halted", 30)


async def test_more_than_a_frame_holds_is_told_in_part_to_all_who_ask(rig, connect, autojump_clock, monkeypatch):
    """Too long a picture ended every connection, also that of a kill which had been taken."""
    async with rig() as r:
        await r.quoting(2)
        whole = r.daemon.monitor.snapshot

        def huge():
            seen = whole()
            rows = seen.engine.markets * (MAX_FRAME // len(msgspec.msgpack.encode(seen.engine.markets)) + 1)
            return msgspec.structs.replace(seen, engine=msgspec.structs.replace(seen.engine, markets=rows))

        monkeypatch.setattr(r.daemon.monitor, "snapshot", huge)
        peer = await (await connect(r)).greet()
        await peer.say(Watch(id=2, interval_ms=100))
        for _ in range(2):
            update = await peer.hear()
            assert isinstance(update, Update)
            assert update.snapshot.engine.left_out["markets"] > 0
            assert len(update.snapshot.engine.orders) >= 2
        answer = await answered(r, connect, Command(id=1, action=OperatorAction.KILL, reason="drill"))
        assert answer.snapshot.engine.state == "flattening"
        monkeypatch.undo()
        await r.until(lambda: r.state == "halted", 30)


# -- tuning, and what watchers are told beside the snapshots

GAMMA = "strategy.avellaneda.gamma"


async def test_a_tune_is_taken_journalled_chained_and_told(rig, connect, autojump_clock):
    async with rig(sets=("strategy.avellaneda.max_size=30",)) as r:
        await r.quoting(2)
        watcher = await (await connect(r)).greet()
        await watcher.say(Watch(id=9, interval_ms=200))
        first = await watcher.hear()
        assert isinstance(first, Update)
        settings = {row.key: row for row in first.settings}
        assert (settings[GAMMA].value, settings[GAMMA].origin, settings[GAMMA].bounds) == (
            "0.0004", "default.toml", "at least 0, below 1e+12",
        )  # fmt: skip
        assert settings["strategy.avellaneda.max_size"].origin == "--set"
        assert settings["strategy.avellaneda.model"].bounds == ""
        assert not any(key.startswith("strategy.btc_parity") for key in settings), "it is not enabled"

        peer = await (await connect(r)).greet()
        await peer.say(Command(id=1, action=OperatorAction.TUNE, target=f"{GAMMA}=0.002", reason="drill"))
        answer = await peer.hear()
        assert isinstance(answer, Answer)
        (row,) = answer.snapshot.engine.tuned
        assert (row.key, row.value, row.configured, row.reason) == (GAMMA, "0.002", "0.0004", "drill")
        assert row.who == f"{user_of(os.getuid())} from 10.0.0.7"
        await peer.say(Command(id=2, action=OperatorAction.TUNE, target=f"{GAMMA}=-1"))
        refused = await peer.hear()
        assert isinstance(refused, Answer)
        assert refused.snapshot.alerts[-1].code == "tune_refused"
        assert refused.snapshot.engine.tuned == answer.snapshot.engine.tuned

        chained, updates = [], 0
        while len(chained) < 2:
            update = await watcher.hear()
            assert isinstance(update, Update)
            assert update.settings == (), "they are told once"
            chained += update.audit
            updates += 1
            assert updates < 100
        assert [(link.action, link.target) for link in chained] == [("tune", f"{GAMMA}=0.002"), ("tune", f"{GAMMA}=-1")]
        assert chained[0].result.startswith(f"running: {GAMMA} 0.0004 -> 0.002: ")
        assert chained[1].result.startswith("refused, still running: ")
        assert all(link.who.endswith("from 10.0.0.7") for link in chained)


async def test_a_target_that_would_have_to_be_cut_is_refused_for_it_would_say_something_else(
    rig, connect, autojump_clock
):
    async with rig() as r:
        await r.quoting(2)
        peer = await (await connect(r)).greet()
        await peer.say(Command(id=4, action=OperatorAction.TUNE, target=f"{GAMMA}=0.{'0' * 4_096}1"))
        refused = await peer.hear()
        assert isinstance(refused, Refused)
        assert (refused.id, refused.code) == (4, "target")
        assert r.engine.state.tuned == {}
        await r.until(lambda: len(r.daemon.ledger.audit_tail.rows) == 1, 10)
        assert r.daemon.ledger.audit_tail.rows[0].result.startswith("refused: ")


@pytest.mark.parametrize(
    "value", ["[" * 3_900, "{a=" * 1_300, "9" * 4_050, "\x00", "0.1\nstrategy.avellaneda.max_size=1"]
)
async def test_no_text_of_an_operator_stops_the_engine(rig, connect, autojump_clock, value):
    async with rig() as r:
        await r.quoting(2)
        answer = await answered(r, connect, Command(id=1, action=OperatorAction.TUNE, target=f"{GAMMA}={value}"))
        assert answer.snapshot.alerts[-1].code == "tune_refused"
        assert r.daemon.pump.fault is None
        assert answer.snapshot.engine.state == "running"


async def test_a_reason_is_shown_to_others_on_one_line_and_without_control_characters(rig, connect, autojump_clock):
    async with rig() as r:
        await r.quoting(2)
        answer = await answered(r, connect, Command(id=1, action=OperatorAction.KILL, reason="why\n\x1b[2Jnot\x07"))
        assert answer.snapshot.engine.reason.endswith("(why  [2Jnot )")
        await r.until(lambda: r.state == "halted", 30)


async def test_an_engine_that_is_dead_is_not_shown_as_trading(rig, connect, autojump_clock, monkeypatch):
    async with rig(seed=7) as r:
        await r.quoting(2)

        def broken(now):
            raise ArithmeticError("planted")

        monkeypatch.setattr(r.engine, "turn", broken)
        with trio.fail_after(60):
            await r.daemon.pump.faulted.wait()
        answer = await answered(r, connect, Ask(id=5))
        assert answer.snapshot.engine.state == "flattening"
        assert "planted" in answer.snapshot.engine.reason
        with trio.fail_after(120):
            await r.done.wait()


@pytest.mark.parametrize("action", [OperatorAction.KILL, OperatorAction.RESUME])
async def test_after_a_crash_no_command_is_said_to_be_taken(rig, connect, autojump_clock, monkeypatch, action):
    """A kill goes on to the guardian then; a resume would have taken the note of the crash away."""
    async with rig() as r:
        await r.quoting(2)

        def broken() -> None:
            raise ArithmeticError("planted")

        peer = await (await connect(r)).greet()
        r.daemon.pump([OperatorCommand(action=OperatorAction.CANCEL, actor="test")], 0)
        await r.until(lambda: r.state == "halted")
        monkeypatch.setattr(r.daemon.pump, "tick", broken)
        await r.until(lambda: r.daemon._trouble.crash is not None, 300)
        await peer.say(Command(id=1, action=action))
        refused = await peer.hear()
        assert isinstance(refused, Refused)
        assert "sweeping" in refused.text
        with trio.fail_after(120):
            await r.done.wait()
        assert halt_file.read(r.paths.halt) is not None
        assert r.daemon.ledger.document()["unchained"] == 0
