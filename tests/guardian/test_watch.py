"""The watch over a puppet daemon, on a real socket under a mock clock: what wakes it and what does not."""

from __future__ import annotations

import math

import trio

from hlomm.domain.inputs import OperatorAction
from hlomm.link.guardian import VERSION, Goodbye, Leave, Met, Phase, Taken, Told
from hlomm.link.protocol import READ_ONLY, Access, Ask, Command, Hello, Refused
from hlomm.rundir import halt_file, owned_file
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.owned_file import OwnedNote
from tests.guardian.conftest import beat, keep_beating


def transitions(post) -> list[tuple[str, str]]:
    return [(line["was"], line["now"]) for line in post.record() if line["event"] == "phase"]


async def test_a_clean_stop_ends_the_watch_and_does_nothing(post, autojump_clock):
    async with post() as p:
        voice = await p.daemon()
        assert owned_file.read(p.paths.owned) is not None
        await p.trade(resting=1)
        assert isinstance(await voice.ask(Goodbye(reason="SIGINT", clean=True)), Taken)
        assert await p.end(5) is Phase.STOOD_DOWN
        assert p.puppet.kills == 0
        assert p.resting == 1, "it does nothing when the daemon says it stopped clean"
        assert owned_file.read(p.paths.owned) is None
        assert halt_file.read(p.paths.halt) is None


async def test_a_daemon_that_beats_is_left_alone(post, autojump_clock):
    async with post() as p, trio.open_nursery() as nursery:
        voice = await p.daemon()
        await p.trade(resting=1)
        nursery.start_soon(keep_beating, voice)
        await trio.sleep(120)
        assert not p.ended.is_set()
        assert p.puppet.kills == 0
        assert p.resting == 1
        assert transitions(p) == [("waiting", "watching")]
        nursery.cancel_scope.cancel()


async def test_late_is_noted_and_in_time_again_forgiven(post, autojump_clock):
    async with post() as p:
        voice = await p.daemon()
        await trio.sleep(2.0)
        await voice.ask(beat(2))
        await trio.sleep(0.5)
        assert transitions(p)[1:] == [("watching", "warned"), ("warned", "watching")]
        assert p.puppet.kills == 0


async def test_silence_kills_first_and_sweeps_then(post, autojump_clock):
    async with post() as p:
        seen: list[int] = []
        p.puppet.on_kill = lambda: seen.append(p.resting)
        await p.daemon()
        await p.trade(resting=2)
        began = trio.current_time()
        assert await p.end() is Phase.DONE
        assert seen == [2], "killed once, before anything was cancelled"
        acting = next(line for line in p.record() if line.get("now") == "acting")
        assert 3.0 <= acting["beat_age_s"] < 3.3
        assert trio.current_time() - began < 40
        assert p.resting == 0


async def test_an_engine_past_its_deadline_is_a_hang_although_it_beats(post, autojump_clock):
    async with post() as p, trio.open_nursery() as nursery:
        voice = await p.daemon()
        nursery.start_soon(keep_beating, voice, 0.5)
        await trio.sleep(5)
        assert p.puppet.kills == 0
        nursery.cancel_scope.cancel()
    async with post() as p:
        voice = await p.daemon()
        await voice.ask(beat(2, overdue_ms=3100))
        await trio.sleep(0.3)
        assert p.puppet.kills == 1


async def test_a_frozen_engine_gets_the_time_of_its_own_sweep(post, autojump_clock):
    async with post() as p, trio.open_nursery() as nursery:
        voice = await p.daemon()
        nursery.start_soon(keep_beating, voice, 0.5)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    async with post() as p:
        voice = await p.daemon()
        for second in range(11):
            await voice.ask(beat(second + 2, frozen=True, overdue_ms=1000 * second))
            await trio.sleep(1)
        assert p.puppet.kills == 0
        for second in range(3):
            await voice.say(beat(second + 20, frozen=True, overdue_ms=11_000 + 1000 * second))
            await trio.sleep(1)
        assert p.puppet.kills == 1


async def test_a_connection_that_ends_without_a_goodbye_is_a_death(post, autojump_clock):
    async with post() as p:
        voice = await p.daemon()
        await p.trade(resting=1)
        await voice.stream.aclose()
        await trio.sleep(3)
        assert p.resting == 0
        assert p.puppet.kills == 1


async def test_death_of_the_process_is_noticed_at_once(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        died = trio.current_time()
        p.puppet.die()
        while p.resting:
            await trio.sleep(0.05)
        assert trio.current_time() - died < 1.5
        assert "was dead" in p.events() or p.puppet.kills == 0


async def test_its_own_sleep_is_not_held_against_the_daemon(post, autojump_clock):
    """A guardian that was stopped, or starved, wakes up to a clock that has run on."""
    async with post() as p:
        voice = await p.daemon()
        await trio.sleep(0.3)
        autojump_clock.autojump_threshold = math.inf
        autojump_clock.jump(30)
        autojump_clock.autojump_threshold = 0
        await trio.sleep(1)  # the whole machine slept: the next beat is not due yet
        assert p.puppet.kills == 0
        await voice.ask(beat(2))
        await trio.sleep(0.5)
        assert p.puppet.kills == 0
        assert "own stall" in p.events()
        await trio.sleep(4)
        assert p.puppet.kills == 1, "but silence after that counts again"


async def test_an_operators_kill_acts_on_a_daemon_that_beats(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        operator = await (await p.knock()).greet()
        told = await operator.ask(Command(id=4, action=OperatorAction.KILL, reason="drill"))
        assert isinstance(told, Told)
        assert (told.id, told.phase) == (4, Phase.ACTING)
        assert "from 10.0.0.7 (drill)" in told.reason
        refused = await operator.ask(Command(id=5, action=OperatorAction.RESUME))
        assert isinstance(refused, Refused)
        await trio.sleep(6)
        assert p.puppet.kills == 1
        assert p.resting == 0
        again = await operator.ask(Command(id=6, action=OperatorAction.KILL))
        assert isinstance(again, Told)
        assert again.phase is Phase.DONE
        assert p.puppet.kills == 1
        assert any("cancelled 1 orders" in line for line in again.did)
        first, second = AuditFile(p.paths.audit).read().links
        assert (first.n, first.action.action, first.action.reason) == (told.audit, "kill", "drill")
        assert first.action.who.endswith("from 10.0.0.7")
        assert first.action.result.startswith("guardian acting: kill by ")
        assert (second.n, again.audit) == (2, 2)


async def test_a_chain_that_cannot_be_written_holds_up_no_kill(post, autojump_clock, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AuditFile, "append", full)
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        told = await (await (await p.knock()).greet()).ask(Command(id=4, action=OperatorAction.KILL))
        assert (told.phase, told.audit) == (Phase.ACTING, 0)
        await trio.sleep(6)
        assert p.resting == 0
        assert "not on the chain" in p.events()


async def test_a_viewer_may_ask_and_order_nothing(post, autojump_clock):
    async with post() as p, trio.open_nursery() as nursery:
        nursery.start_soon(keep_beating, await p.daemon())
        voice = await p.knock()
        assert isinstance(await voice.ask(Hello(version=VERSION, role="test", access=Access.VIEWER)), Met)
        for message in (Command(id=2, action=OperatorAction.KILL), Leave(id=3)):
            refused = await voice.ask(message)
            assert isinstance(refused, Refused)
            assert (refused.id, refused.code) == (message.id, READ_ONLY)
        told = await voice.ask(Ask(id=4))
        assert (told.phase, told.audit) == (Phase.WATCHING, 0)
        assert p.puppet.kills == 0
        nursery.cancel_scope.cancel()


async def test_it_makes_room_only_when_nobody_needs_it(post, autojump_clock):
    async with post(linger_s=3600) as p:
        await p.daemon()
        other = await (await p.knock()).greet()
        assert isinstance(await other.ask(Leave(id=1)), Refused)
        p.puppet.die()
        await trio.sleep(0.5)
        assert isinstance(await other.ask(Leave(id=2)), Told)
        assert await p.end(15) is Phase.DONE, "it finishes what it is at, then leaves without lingering"


async def test_a_daemon_that_dies_before_it_registers_left_nothing(post, autojump_clock):
    async with post() as p:
        asker = await (await p.knock()).greet()
        told = await asker.ask(Ask(id=1))
        assert isinstance(told, Told)
        assert (told.phase, told.beat_age_s) == (Phase.WAITING, None)
        p.puppet.die()
        assert await p.end(5) is Phase.STOOD_DOWN
        assert halt_file.read(p.paths.halt) is None


def marked(paths) -> None:
    owned_file.write(paths.owned, OwnedNote(pid=1, started=1, epoch_ms=1, account="earlier"))


async def test_restarted_beside_a_dead_daemon_that_never_said_goodbye_it_acts(post, autojump_clock):
    async with post(prepare=marked) as p:
        await p.trade(resting=2)
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert p.resting == 0
        assert halt_file.read(p.paths.halt) is not None
        assert owned_file.read(p.paths.owned) is None


async def test_restarted_beside_a_daemon_that_never_registers_it_acts_after_a_while(post, autojump_clock):
    async with post(prepare=marked) as p:
        await p.trade(resting=1)
        await trio.sleep(25)
        assert p.puppet.kills == 0
        await trio.sleep(10)
        assert p.puppet.kills == 1
        assert p.resting == 0


async def test_a_halt_note_says_that_the_earlier_run_was_seen_to(post, autojump_clock):
    def halted(paths) -> None:
        marked(paths)
        halt_file.write(paths.halt, halt_file.HaltNote("kill", 1))

    async with post(prepare=halted) as p:
        await trio.sleep(1)
        p.puppet.die()
        assert await p.end(5) is Phase.STOOD_DOWN
