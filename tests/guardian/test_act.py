"""Making the account safe, against the real simulator: the order of steps, and everything that may stand in the way."""

from __future__ import annotations

import errno
import os

import pytest
import trio

from hlomm.domain.units import Px, Qty
from hlomm.guardian import act
from hlomm.link.guardian import Goodbye, Holding, Phase, Policy
from hlomm.rundir import halt_file, owned_file, replacing
from hlomm.rundir.lock import account_lock
from hlomm.sim.faults import FaultArgs

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
        p.puppet.die()
        while "done" not in [line.get("now") for line in p.record()]:
            await trio.sleep(0.1)
        await p.trade(resting=2, tokens=100)
        assert p.resting == 2
        assert await p.end() is Phase.DONE
        assert p.resting == 0
        assert not p.tokens
        late = next(line for line in p.record() if line["event"] == "late look")
        assert late["canceled"] == 2


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
    from hlomm.domain.inputs import OperatorAction
    from hlomm.link.protocol import Command

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
        monkeypatch.setattr(act, "account_lock", full)
        await p.daemon()
        await p.trade(resting=2, tokens=100)
        p.puppet.die()
        while p.resting or p.tokens:
            await trio.sleep(0.05)
        monkeypatch.undo()
        assert await p.end() is Phase.DONE
        assert halt_file.read(p.paths.halt) is not None, "the disk has room again: the note is written after all"


async def test_a_fault_of_our_own_is_a_failed_round(post, autojump_clock, monkeypatch):
    real, calls = act.cancel_all, 0

    async def stumbling(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ZeroDivisionError("planted")
        return await real(*args, **kwargs)

    monkeypatch.setattr(act, "cancel_all", stumbling)
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
        held = account_lock("hyperliquid", p.charge.hyperliquid.rest, p.charge.hyperliquid.account)
        try:
            p.puppet.die()
            assert await p.end() is Phase.STOOD_DOWN
        finally:
            held.release()
        assert p.resting == 1
        assert "holds account" in done(p)["why"]


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
