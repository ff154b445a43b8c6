"""Making the account safe, against the real simulator: the order of steps, and everything that may stand in the way."""

from __future__ import annotations

import errno
import os
import threading

import msgspec
import pytest
import trio

from hlomm.domain.inputs import OperatorAction
from hlomm.domain.units import Px, Qty
from hlomm.guardian import account
from hlomm.link.guardian import UNSEEN, Goodbye, Holding, Phase, Policy
from hlomm.link.protocol import Ask, Command
from hlomm.rundir import halt_file, owned_file, replacing
from hlomm.rundir.lock import account_lock
from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness import simulated_hyperliquid
from tests.guardian.conftest import charge_for

KEEP = Policy(sell=False, slippage=Px(5_000_000), hold_to_expiry_s=0.0)


def done(p) -> dict:
    return next(line for line in p.record() if line.get("now") in ("done", "gave_up", "stood_down"))


async def test_orders_go_tokens_are_sold_and_the_next_run_is_halted(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=3, tokens=100)
        assert p.tokens
        died = trio.current_time()
        p.puppet.die()
        while p.resting:
            await trio.sleep(0.02)
        assert trio.current_time() - died < 1.5
        while p.tokens:
            await trio.sleep(0.02)
        assert trio.current_time() - died < 5
        assert await p.end() is Phase.DONE
        note = halt_file.read(p.paths.halt)
        assert note is not None
        assert note.reason.startswith(
            "guardian: the daemon died; found the daemon dead; cancelled 3 orders; sent 1 sales"
        )
        assert owned_file.read(p.paths.owned) is None
        assert done(p)["held_back"] == 0
        assert p.sim.state()["conservation_ok"]


async def test_policy_keep_cancels_and_sells_nothing(post, autojump_clock):
    async with post() as p:
        await p.daemon(policy=KEEP)
        await p.trade(resting=1, tokens=100)
        before = p.tokens
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert p.resting == 0
        assert p.tokens == before
        assert halt_file.read(p.paths.halt) is not None


async def test_an_outcome_about_to_settle_is_held(post, autojump_clock):
    async with post() as p:
        voice = await p.daemon()
        await p.trade(tokens=100)
        expiry_ns = p.sim.clock.now_ns() + 5 * 10**9
        near = Holding(market=p.market, yes=Qty(100), no=Qty(0), expiry_ns=expiry_ns)
        hold = Policy(sell=True, slippage=Px(5_000_000), hold_to_expiry_s=60.0)
        from tests.guardian.conftest import beat

        await voice.ask(beat(2, holdings=(near,), policy=hold))
        before = p.tokens
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert p.tokens == before
        assert "near_expiry" in done(p)["why"]


async def test_orders_that_are_not_ours_are_left_alone(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1, ours=False)
        await p.trade(resting=2)
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert p.resting == 1


async def test_an_order_that_arrives_after_the_sweep_is_found(post, autojump_clock):
    """Bytes the dead daemon had already handed to its kernel may reach the venue until `expires_after_s` later."""
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        died = trio.current_time()
        p.puppet.die()
        while "done" not in [line.get("now") for line in p.record()]:
            await trio.sleep(0.1)
        await trio.sleep_until(died + p.charge.venues[0].late_s)
        await p.trade(resting=2, tokens=100)
        assert p.resting == 2
        assert await p.end() is Phase.DONE
        assert p.resting == 0
        assert not p.tokens
        late = next(line for line in p.record() if line["event"] == "late look")
        assert late["canceled"] == 2


async def test_a_late_look_that_the_venue_does_not_answer_is_repeated(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        p.puppet.die()
        while "done" not in [line.get("now") for line in p.record()]:
            await trio.sleep(0.1)
        await p.trade(resting=2)
        p.sim.refuse_connections = True
        await trio.sleep(60)
        assert p.resting == 2
        p.sim.refuse_connections = False
        with trio.fail_after(8):
            while p.resting:
                await trio.sleep(0.05)
        assert await p.end() is Phase.DONE
        late = next(line for line in p.record() if line["event"] == "late look")
        assert (late["canceled"], late["safe"]) == (2, True)


async def test_a_late_look_that_is_never_answered_ends_and_says_so(post, autojump_clock):
    async with post(sets=("guardian.give_up_s=30",), linger_s=600) as p:
        await p.daemon()
        p.puppet.die()
        while "done" not in [line.get("now") for line in p.record()]:
            await trio.sleep(0.1)
        p.sim.refuse_connections = True
        operator = await (await p.knock()).greet()
        await trio.sleep(70)
        late = next(line for line in p.record() if line["event"] == "late look")
        assert late["safe"] is False
        told = await operator.ask(Ask(id=1))
        assert "check the venue by hand" in told.did[-1]
        asked = await operator.ask(Command(id=2, action=OperatorAction.KILL))
        assert (asked.phase, asked.counters[UNSEEN]) == (Phase.DONE, 1), "no proof, to whom asks later"
        assert "check the venue by hand" in halt_file.read(p.paths.halt).reason


async def test_a_venue_out_of_reach_is_tried_until_it_answers(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=2, tokens=100)
        p.sim.refuse_connections = True
        p.puppet.die()
        await trio.sleep(60)
        note = halt_file.read(p.paths.halt)
        assert note is not None, "nobody is to quote on it meanwhile"
        assert p.resting == 2
        p.sim.refuse_connections = False
        back = trio.current_time()
        while p.resting:
            await trio.sleep(0.05)
        assert trio.current_time() - back < 8
        assert await p.end() is Phase.DONE
        assert not p.tokens
        assert done(p)["failed_rounds"] >= 3


async def test_it_gives_up_in_the_end_and_says_so_and_tries_again_when_asked(post, autojump_clock):
    async with post(sets=("guardian.give_up_s=30",), linger_s=600) as p:
        await p.daemon()
        await p.trade(resting=1)
        p.sim.refuse_connections = True
        p.puppet.die()
        operator = await (await p.knock()).greet()
        await trio.sleep(60)
        assert done(p)["now"] == "gave_up"
        p.sim.refuse_connections = False
        await operator.ask(Command(id=1, action=OperatorAction.KILL))
        await trio.sleep(10)
        assert p.resting == 0
        told = await operator.ask(Command(id=2, action=OperatorAction.KILL))
        assert told.phase is Phase.DONE


async def test_asked_again_while_it_still_looks_it_does_not_take_itself_for_another(post, autojump_clock):
    async with post(sets=("guardian.give_up_s=30",), linger_s=600) as p:
        await p.daemon()
        await p.trade(resting=1)
        p.sim.refuse_connections = True
        p.puppet.die()
        operator = await (await p.knock()).greet()
        while "gave_up" not in [line.get("now") for line in p.record()]:
            await trio.sleep(0.1)
        await operator.ask(Command(id=1, action=OperatorAction.KILL))
        p.sim.refuse_connections = False
        await trio.sleep(60)
        assert p.resting == 0
        assert "stood_down" not in [line.get("now") for line in p.record()]


@pytest.mark.parametrize("fault", ["rest_429", "rest_500", "rest_html", "reply_lost"])
async def test_a_venue_that_answers_badly_costs_rounds_not_the_account(post, autojump_clock, fault):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=3, tokens=100)
        p.sim.faults.arm(fault, FaultArgs(count=4))
        died = trio.current_time()
        p.puppet.die()
        while p.resting or p.tokens:
            await trio.sleep(0.05)
        assert trio.current_time() - died < 25
        assert await p.end() is Phase.DONE
        assert p.sim.state()["conservation_ok"]


async def test_a_full_disk_does_not_stop_it(post, autojump_clock, monkeypatch):
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_room(paths) -> None:
        paths.guardian_log.symlink_to("/dev/full")
        paths.guardian_lock.symlink_to("/dev/full")

    monkeypatch.setattr(replacing.os, "fsync", full)
    async with post(prepare=no_room) as p:
        monkeypatch.setattr(account, "account_lock", full)
        await p.daemon()
        await p.trade(resting=2, tokens=100)
        p.puppet.die()
        while p.resting or p.tokens:
            await trio.sleep(0.05)
        monkeypatch.undo()
        assert await p.end() is Phase.DONE
        assert halt_file.read(p.paths.halt) is not None, "the disk has room again: the note is written after all"


@pytest.mark.slow
async def test_a_disk_that_hangs_does_not_stop_it(post):
    """What hangs the daemon may well be the disk that the guardian writes to as well."""

    def stuck(paths) -> None:
        os.mkfifo(paths.guardian_log)  # opened for writing it waits for a reader, like a device that does not answer

    async with post(prepare=stuck) as p:
        await p.daemon()
        await p.trade(resting=2, tokens=100)
        p.puppet.die()
        try:
            with trio.fail_after(10):
                while p.resting or p.tokens:
                    await trio.sleep(0.02)
        finally:
            reader = os.open(p.paths.guardian_log, os.O_RDONLY | os.O_NONBLOCK)
    os.close(reader)


@pytest.mark.slow
async def test_an_account_lock_that_hangs_is_gone_without(post, monkeypatch):
    released = threading.Event()

    def hanging(*_args: object) -> None:
        released.wait(30)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(account, "account_lock", hanging)
    monkeypatch.setattr(account, "DISK_S", 0.05)
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        p.puppet.die()
        with trio.fail_after(10):
            while p.resting:
                await trio.sleep(0.02)
        released.set()
    assert "no lock" in p.events()


async def test_a_fault_of_our_own_is_a_failed_round(post, autojump_clock, monkeypatch):
    real, calls = account.cancel_all, 0

    async def stumbling(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ZeroDivisionError("planted")
        return await real(*args, **kwargs)

    monkeypatch.setattr(account, "cancel_all", stumbling)
    async with post() as p:
        await p.daemon()
        await p.trade(resting=2)
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert p.resting == 0
        assert p.events().count("round failed") == 2


async def test_an_account_that_another_daemon_holds_is_left_to_it(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        held = account_lock("hyperliquid", p.charge.venues[0].rest, p.charge.venues[0].account)
        try:
            p.puppet.die()
            assert await p.end() is Phase.STOOD_DOWN
        finally:
            held.release()
        assert p.resting == 1
        assert "holds account" in done(p)["why"]


async def test_on_a_real_network_too_it_asks_for_the_lock_that_a_daemon_takes(post, autojump_clock):
    """Live daemons name the network (`launch`), not the address that leads to it; another name would be no lock."""
    async with simulated_hyperliquid(seed=7) as sim:
        charge = msgspec.structs.replace(charge_for(sim), profile="testnet")
        held = account_lock("hyperliquid", charge.venues[0].section.chain, charge.venues[0].account)
        try:
            async with post(sim=sim, charge=charge) as p:
                await p.daemon()
                await p.trade(resting=1)
                p.puppet.die()
                assert await p.end() is Phase.STOOD_DOWN
                assert p.resting == 1
        finally:
            held.release()


async def test_a_daemon_that_cannot_die_keeps_its_lock_and_not_the_guardian_from_acting(post, autojump_clock):
    """Killed, but a thread of it is stuck in the kernel (a disk that hangs): what it held stays held."""
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        p.puppet.stuck = True
        held = account_lock("hyperliquid", p.charge.venues[0].rest, p.charge.venues[0].account)
        try:
            assert await p.end() is Phase.DONE
        finally:
            held.release()
        assert p.puppet.kills == 1
        assert p.resting == 0


async def test_a_daemon_that_could_not_make_it_safe_hands_over_and_is_not_killed_in_mid_sentence(post, autojump_clock):
    async with post() as p:
        voice = await p.daemon()
        await p.trade(resting=2)
        await voice.ask(Goodbye(reason="venue does not answer", clean=False))
        await voice.stream.aclose()
        await trio.sleep(1)
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert p.puppet.kills == 0
        assert p.resting == 0


async def test_an_earlier_halt_keeps_its_reason(post, autojump_clock):
    async with post() as p:
        await p.daemon(halt="halted", reason="drawdown")
        halt_file.write(p.paths.halt, halt_file.HaltNote("drawdown 151 > 150", 1))
        p.puppet.die()
        assert await p.end() is Phase.DONE
        note = halt_file.read(p.paths.halt)
        assert note is not None
        assert note.reason.startswith("guardian: ")
        assert note.reason.endswith("before that: drawdown 151 > 150")


async def test_an_earlier_halt_keeps_its_reason_however_often_the_note_is_written(post, autojump_clock):
    def halted(paths) -> None:
        halt_file.write(paths.halt, halt_file.HaltNote("drawdown 31.00 > 30.00", 1))

    async with post(prepare=halted) as p:
        await p.daemon()
        p.sim.refuse_connections = True
        p.puppet.die()
        await trio.sleep(30)
        p.sim.refuse_connections = False
        assert await p.end() is Phase.DONE
        assert p.events().count("halt note") == 2
        assert halt_file.read(p.paths.halt).reason.endswith("before that: drawdown 31.00 > 30.00")


async def test_a_false_alarm_leaves_the_key_of_the_daemon_usable(post, autojump_clock):
    """The guardian signs with a key of its own: no nonce of the daemon's is spent, no order of it is doubled."""
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        p.puppet.die()
        assert await p.end() is Phase.DONE
        p._ids = type(p._ids)(2)
        await p.trade(resting=1)
        assert p.resting == 1
        assert p.sim.state()["conservation_ok"]
