"""Rung: stateful async, against a real Unix server speaking the real protocol (and its opposite)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hlomm.domain.inputs import OperatorAction
from hlomm.link.guardian import LEFT_ALONE, UNSEEN, Met, Phase, Told, decode_to_guardian
from hlomm.link.protocol import (
    VERSION,
    Access,
    Answer,
    Command,
    Frames,
    Hello,
    Look,
    Refused,
    ToClient,
    ToDaemon,
    Update,
    Watch,
    Welcome,
    encode,
)
from tests.tui.daemons import PATIENT, QUICK, WELCOME, Peer, Script, World, updates, world
from tests.tui.driving import drive
from tests.tui.examples import halted, snapshot
from tests.tui.looking import look
from tui import guardian
from tui.client import Answered, Declined, Guarded, Lost, Pictured, Rejected, Times, Unanswered, Unguarded, Up


def test_it_says_hello_watches_and_delivers(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.7 51000 10.0.0.1 22")
    heard: list[ToDaemon] = []

    async def script(peer: Peer) -> None:
        heard.append(await peer.read())
        await peer.send(WELCOME)
        heard.append(await peer.read())
        await peer.send(Update(id=0, snapshot=snapshot()))
        await peer.until_closed()

    async def main() -> None:
        async with world(socket_path) as here, here.serving(script):
            assert await here.until(Pictured) == Pictured(snapshot())
            assert here.events[0] == Up(profile="sim", pid=42)

    drive(main())
    assert heard == [Hello(version=VERSION, role="terminal", origin="10.0.0.7"), Watch(id=0, interval_ms=250)]


def test_a_lost_daemon_is_regained(socket_path: Path) -> None:
    async def once(peer: Peer) -> None:
        watch = await peer.welcome()
        await peer.send(Update(id=watch.id, snapshot=snapshot()))

    async def main() -> None:
        async with world(socket_path) as here:
            async with here.serving(once, updates):
                assert await here.until(Lost) == Lost("the daemon closed the connection")
                await here.until(Up, 2)
                await here.until(Pictured, 2)
            await here.until(Lost, 2)
            async with here.serving(updates):
                await here.until(Up, 3)

    drive(main())


def test_it_waits_for_a_daemon_that_is_not_there_yet(socket_path: Path) -> None:
    async def main() -> None:
        async with world(socket_path) as here:
            assert await here.until(Lost, 3) == Lost("nobody answers")
            async with here.serving(updates):
                await here.until(Pictured)

    drive(main())


def test_attempts_slow_down_to_a_bound(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    real = asyncio.sleep

    async def sleep(delay: float) -> None:
        pauses.append(delay)
        await real(0)

    monkeypatch.setattr("tui.client.asyncio.sleep", sleep)

    async def main() -> None:
        async with world(socket_path, Times()) as here:
            await here.until(Lost, 6)

    drive(main())
    assert pauses[:6] == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0][: len(pauses)]


def test_a_path_no_socket_can_have_is_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path / ("x" * 200)) as here:
            assert await here.until(Lost) == Lost("nobody answers")

    drive(main())


def test_a_refusal_is_shown_with_its_reason_and_tried_again(socket_path: Path) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.read()
        await peer.send(Refused(id=0, code="version", text="the daemon speaks link version 2"))

    async def main() -> None:
        async with world(socket_path) as here, here.serving(refuse, refuse, updates):
            assert await here.until(Rejected) == Rejected("the daemon speaks link version 2")
            await here.until(Pictured)

    drive(main())


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (Welcome(version=VERSION + 1, pid=1, profile="sim"), "it speaks link version 2, this terminal 1"),
        (Update(id=0, snapshot=snapshot()), "expected Welcome, was Update"),
    ],
)
def test_a_wrong_beginning_is_shown(socket_path: Path, first: ToClient, why: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        await peer.send(first)
        await peer.until_closed()

    async def main() -> None:
        async with world(socket_path) as here, here.serving(script):
            assert await here.until(Rejected) == Rejected(why)

    drive(main())


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack("<I", 3) + b"\xc1\xc1\xc1", struct.pack("<I", 1) + b"\x80"],
)
@pytest.mark.parametrize("welcomed", [False, True])
def test_garbage_is_shown_not_raised(socket_path: Path, garbage: bytes, welcomed: bool) -> None:
    async def script(peer: Peer) -> None:
        if welcomed:
            await peer.welcome()
        await peer.raw(garbage)
        await peer.until_closed()

    async def main() -> None:
        async with world(socket_path) as here, here.serving(script, updates):
            event = await here.until(Rejected)
            assert isinstance(event, Rejected)
            assert "use the same hlomm for both" in event.why
            await here.until(Pictured)

    drive(main())


def test_a_second_welcome_and_a_refused_watch_end_the_connection(socket_path: Path) -> None:
    async def twice(peer: Peer) -> None:
        await peer.welcome()
        await peer.send(WELCOME)
        await peer.until_closed()

    async def refused(peer: Peer) -> None:
        watch = await peer.welcome()
        await peer.send(Refused(id=watch.id, code="full", text="too many watchers"))
        await peer.until_closed()

    async def main() -> None:
        async with world(socket_path) as here, here.serving(twice, refused, updates):
            assert await here.until(Rejected, 2) == Rejected("too many watchers")
            await here.until(Pictured)

    drive(main())


def test_frames_may_arrive_byte_by_byte_and_all_at_once(socket_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        data = encode(WELCOME) + encode(Update(id=0, snapshot=snapshot(())))
        for index in range(len(data)):
            await peer.raw(data[index : index + 1])
        await peer.until_closed()

    async def at_once(peer: Peer) -> None:
        await peer.read()
        await peer.send(WELCOME, *(Update(id=0, snapshot=snapshot(())) for _ in range(3)))
        await peer.until_closed()

    async def main(script: Script, count: int) -> None:
        async with world(socket_path) as here, here.serving(script):
            await here.until(Pictured, count)

    drive(main(script, 1))
    drive(main(at_once, 3))


def test_silence_is_a_loss(socket_path: Path) -> None:
    """A stopped process keeps its sockets open: only silence tells."""

    async def mute(peer: Peer) -> None:
        await peer.welcome()
        await peer.until_closed()

    async def deaf(peer: Peer) -> None:
        await peer.until_closed()

    async def main() -> None:
        async with world(socket_path, QUICK) as here, here.serving(mute, deaf):
            assert await here.until(Lost) == Lost("silent for 0.1 s — is it stopped?")
            assert await here.until(Lost, 2) == Lost("connected, but no welcome in 0.05 s — is it stopped?")

    drive(main())


# -- commands


async def answering(peer: Peer, reply: Callable[[Command], ToClient | None], *, delay_s: float = 0.0) -> None:
    await peer.welcome()
    while True:
        message = await peer.read()
        assert isinstance(message, Command)
        await asyncio.sleep(delay_s)
        said = reply(message)
        if said is None:
            return
        await peer.send(said)


def test_a_command_carries_its_reason_and_is_answered_by_id(socket_path: Path) -> None:
    heard: list[Command] = []

    async def script(peer: Peer) -> None:
        def reply(message: Command) -> ToClient:
            heard.append(message)
            return Answer(id=message.id, snapshot=halted())

        await answering(peer, reply)

    async def main() -> None:
        async with world(socket_path) as here, here.serving(script):
            await here.until(Up)
            first = here.client.command(OperatorAction.KILL, "book looks wrong")
            second = here.client.command(OperatorAction.PAUSE, target="avellaneda")
            assert await here.until(Answered, 1) == Answered(first or 0, halted())
            assert await here.until(Answered, 2) == Answered(second or 0, halted())
            assert await here.until(Pictured) == Pictured(halted()), "an answer is news as well"

    drive(main())
    assert [(one.action, one.reason, one.target) for one in heard] == [
        (OperatorAction.KILL, "book looks wrong", ""), (OperatorAction.PAUSE, "", "avellaneda"),
    ]  # fmt: skip
    assert [one.id for one in heard] == [1, 2]


def test_a_command_may_be_declined(socket_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await answering(peer, lambda message: Refused(id=message.id, code="fault", text="the engine is frozen"))

    async def main() -> None:
        async with world(socket_path) as here, here.serving(script):
            await here.until(Up)
            number = here.client.command(OperatorAction.RESUME)
            assert await here.until(Declined) == Declined(number or 0, "the engine is frozen")

    drive(main())


def test_a_slow_answer_is_first_missed_then_delivered(socket_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await answering(peer, lambda message: Answer(id=message.id, snapshot=halted()), delay_s=0.08)

    async def main() -> None:
        async with world(socket_path, QUICK) as here, here.serving(script):
            await here.until(Up)
            number = here.client.command(OperatorAction.KILL)
            assert await here.until(Unanswered) == Unanswered(number or 0, "no answer in 0.05 s")
            await here.until(Answered)

    drive(main())


def test_a_command_on_a_link_that_breaks_is_unanswered(socket_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await answering(peer, lambda _: None)

    async def main() -> None:
        async with world(socket_path) as here, here.serving(script):
            await here.until(Up)
            number = here.client.command(OperatorAction.KILL)
            assert await here.until(Unanswered) == Unanswered(number or 0, "the link was lost before an answer came")

    drive(main())


def test_without_a_link_nothing_but_a_kill_is_sent(socket_path: Path) -> None:
    async def main() -> None:
        async with world(socket_path) as here:
            await here.until(Lost)
            assert here.client.command(OperatorAction.FLATTEN) is None
            number = here.client.command(OperatorAction.KILL)
            assert number is not None
            assert await here.until(Unguarded) == Unguarded(number, "no guardian answers")
            assert await here.until(Unanswered) == Unanswered(number, "no daemon takes it, and no guardian answers")

    drive(main())


Step = tuple[Phase, tuple[str, ...], int]


async def guardian_at(path: Path, asked: list[str], *goes_on: Step) -> asyncio.Server:
    """A guardian that takes every kill, and what it answers one time after the other."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        phases = list(goes_on)
        try:
            while data := await reader.read(65_536):
                for body in frames.feed(data):
                    message = decode_to_guardian(body)
                    if isinstance(message, Hello):
                        writer.write(encode(Met(version=1, pid=43)))
                        continue
                    if isinstance(message, Command):
                        asked.append(message.reason)
                    phase, did, audit = phases.pop(0) if phases else (Phase.ACTING, (), 0)
                    told = Told(
                        id=1, phase=phase, reason="kill; and so on", daemon_pid=42, beat_age_s=3.0, did=did, audit=audit
                    )
                    writer.write(encode(told))
        finally:
            writer.close()

    return await asyncio.start_unix_server(handle, path.with_name("guardian.sock"))


def test_a_kill_that_the_daemon_does_not_take_goes_to_its_guardian(socket_path: Path) -> None:
    times = Times(guardian_after_s=0.05, command_s=0.2, pause_first_s=0.005, pause_last_s=0.02)

    async def main() -> None:
        asked: list[str] = []

        async def silent(peer: Peer) -> None:
            await peer.welcome()
            await peer.until_closed()

        server = await guardian_at(socket_path, asked)
        async with server, world(socket_path, times) as here, here.serving(silent):
            await here.until(Up)
            number = here.client.command(OperatorAction.KILL, "drill") or 0
            assert await here.until(Guarded) == Guarded(number, "acting: kill")
            here.client.command(OperatorAction.FLATTEN, "not for a guardian")
            await here.until(Unanswered, 2)
            assert asked == ["drill"]

    drive(main())


def test_what_the_guardian_does_is_followed_to_its_end(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "_ASK_EVERY_S", 0.005)
    dead, gone = "killed the daemon (pid 42)", "cancelled 2 orders"
    steps = ((Phase.ACTING, (), 0), (Phase.ACTING, (dead,), 7), (Phase.DONE, (dead, gone), 7))

    async def main() -> None:
        server = await guardian_at(socket_path, [], *steps)
        async with server, world(socket_path) as here:
            number = here.client.command(OperatorAction.KILL) or 0
            assert await here.until(Guarded, 1) == Guarded(number, "acting: kill")
            assert await here.until(Guarded, 2) == Guarded(number, "acting: kill", (dead,), audit=7)
            last = await here.until(Guarded, 3)
            assert last == Guarded(number, "done: kill", (dead, gone), safe=True, audit=7)
            await asyncio.sleep(0.05)
            assert sum(isinstance(event, Guarded) for event in here.events) == 3, "then nobody is asked any more"

    drive(main())


def test_a_guardian_that_ends_while_it_is_followed_leaves_its_last_word(socket_path: Path) -> None:
    async def main() -> None:
        server = await guardian_at(socket_path, [])
        async with world(socket_path) as here:
            async with server:
                here.client.command(OperatorAction.KILL)
                await here.until(Guarded)
            await asyncio.sleep(0.05)
            assert not [event for event in here.events if isinstance(event, (Unguarded, Unanswered))]

    drive(main())


def test_a_viewer_orders_nothing_neither_here_nor_there(socket_path: Path) -> None:
    heard: list[Hello] = []

    async def script(peer: Peer) -> None:
        hello = await peer.read()
        assert isinstance(hello, Hello)
        heard.append(hello)
        await peer.send(Welcome(version=VERSION, pid=42, profile="sim", access=hello.access))
        await peer.until_closed()

    async def main() -> None:
        asked: list[str] = []
        server = await guardian_at(socket_path, asked)
        async with server, world(socket_path, access=Access.VIEWER, by="browser") as here, here.serving(script):
            await here.until(Up)
            assert here.client.command(OperatorAction.KILL) is None
            await asyncio.sleep(0.02)
            assert asked == []

    drive(main())
    assert (heard[0].access, heard[0].origin) == (Access.VIEWER, "browser")


def test_a_viewer_does_not_stay_with_a_daemon_that_knows_no_viewers(socket_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        await peer.send(WELCOME)
        await peer.until_closed()

    async def main() -> None:
        async with world(socket_path, access=Access.VIEWER) as here, here.serving(script):
            said = await here.until(Rejected)
            assert said == Rejected("it grants operator, this terminal is viewer: restart the daemon")

    drive(main())


def test_a_kill_that_the_daemon_takes_never_reaches_its_guardian(socket_path: Path) -> None:
    times = Times(guardian_after_s=0.05, command_s=0.2, pause_first_s=0.005, pause_last_s=0.02)

    async def main() -> None:
        asked: list[str] = []

        async def prompt(peer: Peer) -> None:
            await peer.welcome()
            command = await peer.read()
            assert isinstance(command, Command)
            await peer.send(Answer(id=command.id, snapshot=snapshot()))
            await peer.until_closed()

        server = await guardian_at(socket_path, asked)
        async with server, world(socket_path, times) as here, here.serving(prompt):
            await here.until(Up)
            here.client.command(OperatorAction.KILL)
            await here.until(Answered)
            await asyncio.sleep(0.1)
            assert asked == []

    drive(main())


def test_cancelling_closes_the_connection(socket_path: Path) -> None:
    closed = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.until_closed()
        closed.append(True)

    async def main() -> None:
        made = World(socket_path, PATIENT)
        async with made.serving(script):
            running = asyncio.create_task(made.client.run())
            await made.until(Up)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            async with asyncio.timeout(2):
                while not closed:
                    await asyncio.sleep(0.001)

    drive(main())


def test_one_market_in_full_is_asked_for_over_every_connection_and_comes_with_the_pictures(socket_path: Path) -> None:
    heard: list[ToDaemon] = []
    able = msgspec.structs.replace(WELCOME, looks=True)
    shown = look()

    async def first(peer: Peer) -> None:
        await peer.read()
        await peer.send(able)
        heard.extend([await peer.read(), await peer.read(), await peer.read()])
        await peer.send(Update(id=0, snapshot=snapshot(), look=shown))

    async def second(peer: Peer) -> None:
        await peer.read()
        await peer.send(able)
        heard.extend([await peer.read(), await peer.read()])
        await peer.until_closed()

    async def main() -> None:
        async with world(socket_path, QUICK) as here, here.serving(first, second):
            assert await here.until(Up) == Up(profile="sim", pid=42, looks=True)
            here.client.look(shown.market)
            here.client.look(shown.market, surfaces=True)
            assert await here.until(Pictured) == Pictured(snapshot(), shown)
            await here.until(Up, 2)
            async with asyncio.timeout(5):
                while len(heard) < 5:
                    await asyncio.sleep(0.01)

    drive(main())
    watch, full = Watch(id=0, interval_ms=heard[0].interval_ms), Look(market=shown.market, surfaces=True)  # type: ignore[union-attr]
    assert heard == [watch, Look(market=shown.market), full, watch, full]


def test_an_older_daemon_is_not_asked_for_what_it_does_not_know(socket_path: Path) -> None:
    """It would take the wish for nonsense and hang up."""
    heard: list[ToDaemon] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        heard.append(await peer.read())

    async def main() -> None:
        async with world(socket_path) as here, here.serving(script):
            assert not (await here.until(Up)).looks  # type: ignore[union-attr]
            here.client.look(look().market, surfaces=True)
            here.client.command(OperatorAction.CANCEL)
            async with asyncio.timeout(5):
                while not heard:
                    await asyncio.sleep(0.01)

    drive(main())
    assert isinstance(heard[0], Command)


@pytest.mark.parametrize(
    ("phase", "counters", "safe", "over"),
    [
        (Phase.DONE, {LEFT_ALONE: 0}, True, False), (Phase.DONE, {LEFT_ALONE: 1}, False, True),
        (Phase.DONE, {LEFT_ALONE: 0, UNSEEN: 1}, False, True),
        (Phase.STOOD_DOWN, {}, False, True), (Phase.GAVE_UP, {}, False, True), (Phase.ACTING, {}, False, True),
    ],
)  # fmt: skip
def test_only_a_guardian_that_saw_every_account_safe_is_proof(socket_path, monkeypatch, phase, counters, safe, over):
    async def told(_path, _reason, _origin, _within_s, deliver):
        one = Told(id=1, phase=phase, reason="why", daemon_pid=42, beat_age_s=None, counters=counters, audit=7)
        deliver(one)
        await asyncio.sleep(0)
        return one

    monkeypatch.setattr(guardian, "kill", told)

    async def main() -> None:
        async with world(socket_path) as here:
            here.client.command(OperatorAction.KILL)
            await here.until(Guarded)
            await asyncio.sleep(0.01)
            last = [event for event in here.events if isinstance(event, Guarded)][-1]
            assert (last.safe, last.over) == (safe, over)

    drive(main())
