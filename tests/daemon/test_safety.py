"""Every way a run can go wrong ends cancelled and flat (or halted and said). Against the real simulator."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from contextlib import contextmanager

import pytest
import trio

from hlomm.daemon import journal_writer, last_look
from hlomm.domain.exits import ExitCode
from hlomm.domain.ids import HYPERLIQUID, perp_market
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.outputs import HaltState, Output
from hlomm.domain.times import Now
from hlomm.domain.units import Qty, parse
from hlomm.engine.state import State
from hlomm.research.replay import replay
from hlomm.rundir import halt_file
from hlomm.sim.faults import FaultArgs
from hlomm.sim.hl.gateway import Gateway
from hlomm.sim.sequencer import ActionClass
from hlomm.venues.flatten_plan import FlattenPlan, HeldPerp, HoldReason
from hlomm.venues.sweep import FlattenReport


async def holding(r, tokens: int = 1) -> None:
    """Wait until something is held that a flatten has to sell."""
    await r.until(lambda: sum(r.tokens_at_venue().values()) >= tokens * 10**8, 200)


async def test_kill_cancels_flattens_and_stays_halted_across_a_restart(rig, autojump_clock):
    async with rig(seed=7) as r:
        await r.quoting()
        await holding(r, 40)
        r.daemon.pump([OperatorCommand(action=OperatorAction.KILL, actor="test", reason="drill")], 0)
        await r.until(lambda: r.state == "halted", 30)
        assert r.resting_at_venue() == 0
        note = halt_file.read(r.paths.halt)
        assert note is not None
        assert "kill by test (drill)" in note.reason
        await trio.sleep(20)
        assert r.resting_at_venue() == 0, "HALTED emits nothing but cancels and reductions"
        result = await r.stop()
        assert result.exit_code is ExitCode.HALTED

        async with rig(sim=r.sim, state=r.paths.root) as again:
            await again.until(lambda: again.state == "halted", 30)
            await trio.sleep(15)
            assert again.resting_at_venue() == 0
            assert "kill by test (drill)" in again.engine.state.halt_reason
            again.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
            await again.quoting()
            assert halt_file.read(again.paths.halt) is None
            result = await again.stop()
            assert result.exit_code is ExitCode.CLEAN
    assert replay(r.paths.journal).identical


async def test_websocket_loss_cancels_within_a_second_and_flattens(rig, autojump_clock):
    async with rig(seed=7) as r:
        await r.quoting(4)
        await holding(r, 40)
        r.sim.faults.arm("ws_killed")
        await r.until(lambda: r.state != "running", 10)
        lost = trio.current_time()
        await r.until(lambda: r.resting_at_venue() == 0, 5)
        assert trio.current_time() - lost <= 1.5  # one venue round trip of 0.4 s beyond the second it may take
        await r.until(lambda: r.state == "halted", 30)
        assert "session lost" in r.engine.state.halt_reason
        held = r.tokens_at_venue()
        reported = r.daemon.monitor.alerts[-1].text
        assert not held or "held to settlement" in reported
        # The venue is back; nobody quotes until the operator says so.
        await trio.sleep(20)
        assert r.resting_at_venue() == 0
        r.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
        await r.quoting()


@pytest.mark.parametrize("key", ["on_disconnect", "on_disconnect_of.hyperliquid"])
async def test_websocket_loss_with_pause_quotes_again_by_itself(rig, autojump_clock, key):
    async with rig(seed=7, sets=(f"flatten.{key}=pause",)) as r:
        await r.quoting(4)
        r.sim.faults.arm("ws_killed")
        await r.until(lambda: r.resting_at_venue() == 0, 10)
        await r.until(lambda: r.daemon.monitor.alert_counts.get("session_lost", 0) == 1, 10)
        assert r.state == "running"
        await r.until(lambda: r.resting_at_venue() >= 2, 60)


async def test_engine_fault_is_swept_and_replays_to_the_same_fault(rig, autojump_clock, monkeypatch):
    async with rig(seed=7) as r:
        await r.quoting(4)
        await holding(r, 40)

        def broken(self: State) -> int:
            raise ArithmeticError("planted")

        monkeypatch.setattr(State, "equity", broken)
        with trio.fail_after(60):
            await r.daemon.pump.faulted.wait()
            await r.until(lambda: r.resting_at_venue() == 0, 10)
        monkeypatch.undo()
        with trio.fail_after(60):
            await r.done.wait()
        assert r.result.exit_code is ExitCode.FAULT
        assert r.result.summary["venue_open_orders"] == 0
        assert r.result.summary["invariant_breaks"] >= 1
        assert any("flattened without the engine" in line for line in r.daemon.last_look.swept)
        assert all(qty < 25 * 10**8 for qty in r.tokens_at_venue().values()), "only what is too small to sell stays"
    proof = replay(r.paths.journal)
    assert proof.recorded_fault is not None
    assert "planted" in proof.recorded_fault
    assert not proof.identical  # the fault was planted from outside, so a sound engine does not repeat it


async def test_an_order_that_arrives_after_the_sweep_of_an_engine_fault_is_found(rig, autojump_clock, monkeypatch):
    """It was posted a moment before the fault, and the venue is slow: after the sweep has seen everything gone."""
    async with rig(seed=7) as r:
        await r.quoting(4)
        orders = r.engine.state.orders
        await r.until(lambda: all(order.tallies for order in orders.live()))
        prompt = Gateway._arrival

        def slow(self: Gateway, klass: ActionClass, now_ns: int) -> int:
            late = not r.daemon.pump.faulted.is_set()
            self._last_arrival.clear()  # what is sent later does not wait for it
            return prompt(self, klass, now_ns) + (4_000_000_000 if late else 0)

        monkeypatch.setattr(Gateway, "_arrival", slow)
        await r.until(lambda: any(not order.tallies for order in orders.live()), 100)
        await trio.sleep(0.05)

        def broken(now: Now) -> list[Output]:
            raise ArithmeticError("planted")

        monkeypatch.setattr(r.engine, "turn", broken)
        with trio.fail_after(60):
            await r.daemon.pump.faulted.wait()
            await r.until(lambda: r.resting_at_venue() == 0, 2)
            await r.until(lambda: r.resting_at_venue() == 1, 5)
            await r.until(lambda: r.resting_at_venue() == 0, 3)
            await r.done.wait()
        assert r.result.summary["venue_open_orders"] == 0
        assert r.result.exit_code is ExitCode.FAULT
        assert sum("swept 1 orders" in line for line in r.daemon.last_look.swept) == 1


async def test_journal_that_cannot_be_written_cancels_halts_and_ends(rig, autojump_clock, monkeypatch):
    async with rig(seed=7) as r:
        await r.quoting(4)
        placed = r.engine.state.counters.placed

        def full(frames: bytes, records: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(r.daemon.journal, "append", full)
        await r.until(lambda: r.daemon.pump.journal_dead is not None, 10)
        await r.until(lambda: r.resting_at_venue() == 0, 10)
        with trio.fail_after(90):
            await r.done.wait()
        assert r.result.exit_code is ExitCode.FAULT
        assert r.result.summary["orders_placed"] == placed, "nothing new after the record stopped"
        note = halt_file.read(r.paths.halt)
        assert note is not None
        assert "journal" in note.reason


async def test_a_journal_whose_sync_fails_cancels_halts_and_ends(rig, autojump_clock, monkeypatch):
    async with rig(seed=7) as r:
        await r.quoting(4)
        honest, journal = os.fsync, r.daemon.journal

        def broken(fd: int) -> None:
            if fd == journal._fd:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            honest(fd)

        monkeypatch.setattr(os, "fsync", broken)
        await r.until(lambda: r.daemon.pump.journal_dead is not None, 10)
        await r.until(lambda: r.resting_at_venue() == 0, 10)
        with trio.fail_after(90):
            await r.done.wait()
        assert r.result.exit_code is ExitCode.FAULT
        assert "Input/output error" in halt_file.read(r.paths.halt).reason


@pytest.mark.parametrize("what", ["journal", "everything"])
async def test_a_journal_that_somebody_removes_cancels_halts_and_ends(rig, autojump_clock, what):
    """The kernel takes every record for a file that has no name any more, and none of them is there afterwards."""
    async with rig(seed=7) as r:
        await r.quoting(4)
        shutil.rmtree(r.paths.journal if what == "journal" else r.paths.root)
        await r.until(lambda: r.daemon.pump.journal_dead is not None, 10)
        await r.until(lambda: r.resting_at_venue() == 0, 10)
        with trio.fail_after(90):
            await r.done.wait()
        assert r.result.exit_code is ExitCode.FAULT
        assert "its file was removed" in r.daemon.journal.lost.strerror
        assert what == "everything" or "its file was removed" in halt_file.read(r.paths.halt).reason


async def test_a_halt_note_that_the_disk_refuses_is_written_when_it_can_be_and_ends_nothing(
    rig, autojump_clock, monkeypatch
):
    honest, refused = halt_file.write, []

    def write(path, note):
        if len(refused) < 3:
            refused.append(note)
            raise OSError(errno.ENOSPC, "No space left on device")
        honest(path, note)

    monkeypatch.setattr(halt_file, "write", write)
    async with rig(seed=7) as r:
        await r.quoting()
        r.daemon.pump([OperatorCommand(action=OperatorAction.KILL, actor="test", reason="drill")], 0)
        await r.until(lambda: r.state == "halted", 60)
        await r.until(lambda: halt_file.read(r.paths.halt) is not None, 10)
        assert "drill" in halt_file.read(r.paths.halt).reason
        assert len(refused) == 3
        assert r.daemon.pump.fault is None
        assert r.resting_at_venue() == 0


@contextmanager
def disposed(number, what):
    before = signal.signal(number, what)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_stop_in_order(rig, autojump_clock, number):
    with disposed(signal.SIGHUP, signal.SIG_DFL):  # the tests themselves may run under `nohup`
        async with rig(seed=7) as r:
            await r.quoting(2)
            os.kill(os.getpid(), number)
            with trio.fail_after(60):
                await r.done.wait()
        assert r.result.exit_code is ExitCode.CLEAN
        assert r.result.summary["halt"]["reason"] == number.name
        assert r.resting_at_venue() == 0


async def test_a_hangup_that_it_was_started_to_ignore_ends_nothing(rig, autojump_clock):
    """As under `nohup`."""
    with disposed(signal.SIGHUP, signal.SIG_IGN):
        async with rig(seed=7) as r:
            await r.quoting(2)
            os.kill(os.getpid(), signal.SIGHUP)
            await trio.sleep(5)
            assert r.state == "running"
            assert (await r.stop()).exit_code is ExitCode.CLEAN


async def test_a_stop_whose_time_is_over_before_all_is_sold_is_not_left_at_that(rig, autojump_clock, monkeypatch):
    """The venue is too slow for the walk: what that could not sell is sold by requests."""
    async with rig(seed=7, sets=("flatten.deadline_s=2",)) as r:
        await r.quoting(2)
        await holding(r, 40)
        prompt = Gateway._arrival

        def slow(self: Gateway, klass: ActionClass, now_ns: int) -> int:
            return prompt(self, klass, now_ns) + (2_000_000_000 if r.state == "stopping" else 0)

        monkeypatch.setattr(Gateway, "_arrival", slow)
        result = await r.stop()
        assert "flatten_deadline" in r.daemon.monitor.alert_counts
        assert result.summary["venue_open_orders"] == 0
        assert any("flattened without the engine" in line for line in r.daemon.last_look.swept)
        assert all(qty < 25 * 10**8 for qty in r.tokens_at_venue().values()), "only what is too small to sell stays"


async def test_second_signal_skips_to_the_end(rig, autojump_clock):
    async with rig(seed=7, sets=("flatten.deadline_s=24",)) as r:
        await r.quoting(2)
        await holding(r, 40)
        r.sim.faults.arm("reply_lost", FaultArgs(for_s=120))
        started = trio.current_time()
        r.daemon.request_stop("SIGINT")
        await trio.sleep(0.2)
        r.daemon.request_stop("SIGINT")
        with trio.fail_after(90):
            await r.done.wait()
        assert trio.current_time() - started < 24
        assert r.engine.state.halt is HaltState.STOPPING, "nobody waited for the engine's own end"
        assert r.resting_at_venue() == 0


async def test_venue_that_lists_nothing_then_dies_never_hangs_the_stop(rig, autojump_clock):
    async with rig(seed=7) as r:
        await r.quoting(2)
        r.sim.refuse_connections = True
        r.sim.faults.arm("ws_silent")
        r.sim.faults.arm("rest_slow", FaultArgs(delay_s=3600, for_s=3600))
        started = trio.current_time()
        r.daemon.request_stop("test")
        with trio.fail_after(200):
            await r.done.wait()
        assert trio.current_time() - started < 90
        assert r.result.summary["venue_open_orders"] is None, "not known is said, not guessed"
        assert r.result.exit_code is ExitCode.REFUSED, "and it is not a clean end"


async def test_drawdown_flips_the_kill_switch(rig, autojump_clock):
    async with rig(seed=7, sets=("limits.max_drawdown=0.05",)) as r:
        await r.until(lambda: r.state in ("flattening", "halted"), 200)
        await r.until(lambda: r.state == "halted", 30)
        assert "drawdown" in r.engine.state.halt_reason
        assert r.resting_at_venue() == 0
        result = await r.stop()
        assert result.exit_code is ExitCode.HALTED


async def test_wrong_key_is_refused_with_its_own_exit_code(rig, autojump_clock):
    async with rig(seed=7) as r:
        r.sim.faults.arm("agent_expired", FaultArgs(for_s=3600))
        await r.until(lambda: r.state in ("flattening", "halted") or r.done.is_set(), 60)
        if not r.done.is_set():
            result = await r.stop()
            assert result.exit_code is ExitCode.HALTED
            assert "refuses us" in result.summary["halt"]["reason"] or "agent" in result.summary["halt"]["reason"]
        assert parse(r.truth["hold"]) == 0


@pytest.mark.parametrize("on_stop", ["flatten", "keep"])
async def test_after_an_engine_fault_it_is_flat_and_the_next_run_is_halted(rig, autojump_clock, monkeypatch, on_stop):
    async with rig(seed=7, sets=(f"flatten.on_stop={on_stop}",)) as r:
        await r.quoting(4)
        await holding(r, 40)

        def broken(now: Now) -> list[Output]:
            raise ArithmeticError("planted")

        monkeypatch.setattr(r.engine, "turn", broken)
        with trio.fail_after(120):
            await r.done.wait()
        assert any("flattened without the engine" in line for line in r.daemon.last_look.swept)
        note = halt_file.read(r.paths.halt)
        assert note is not None
        assert "planted" in note.reason
        async with rig(sim=r.sim, state=r.paths.root) as again:
            await again.until(lambda: again.state == "halted", 30)
            assert again.engine.state.counters.placed == 0


async def test_a_stop_that_leaves_something_unsold_is_no_clean_end(rig, autojump_clock, monkeypatch):
    async def away(*_args, **_how):
        await trio.lowlevel.checkpoint()
        perp = HeldPerp(market=perp_market(HYPERLIQUID, "BTC"), qty=Qty(10**8), reason=HoldReason.NO_BOOK)
        return FlattenReport(words=(), left=FlattenPlan(orders=(), held=(), perps=(perp,)), failures=0)

    async with rig(seed=7, sets=("flatten.deadline_s=2",)) as r:
        await r.quoting(2)
        await holding(r, 40)
        prompt = Gateway._arrival
        monkeypatch.setattr(
            Gateway, "_arrival",
            lambda self, klass, now_ns: prompt(self, klass, now_ns) + (2 * 10**9 if r.state == "stopping" else 0),
        )  # fmt: skip
        monkeypatch.setattr(last_look, "flatten_account", away)
        assert (await r.stop()).exit_code is ExitCode.REFUSED


async def test_what_the_last_sync_shows_is_in_the_exit_code(rig, autojump_clock, monkeypatch):
    honest = journal_writer.JournalWriter.close

    def gone(fd: int) -> None:
        raise FileNotFoundError(errno.ENOENT, "its file was removed")

    def close(self) -> None:
        monkeypatch.setattr(journal_writer, "_secured", gone)
        honest(self)

    monkeypatch.setattr(journal_writer.JournalWriter, "close", close)
    async with rig(seed=7) as r:
        await r.quoting(2)
        assert (await r.stop()).exit_code is ExitCode.FAULT
