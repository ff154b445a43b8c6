"""A whole daemon with a whole guardian in one process: what the engine makes of one that comes, goes and hangs."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

from hlomm.cli import alert_urls, keys, password
from hlomm.cli.views import explain, status
from hlomm.daemon import guardian_process, last_look
from hlomm.daemon.guardian_process import GuardianKeeper, make_room
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import AnotherInstance
from hlomm.domain.ids import HYPERLIQUID, perp_market
from hlomm.domain.units import Qty
from hlomm.guardian.app import guard
from hlomm.link.guardian import Phase
from hlomm.research.replay import replay
from hlomm.rundir import halt_file, owned_file
from hlomm.settings.charge import Charge
from hlomm.settings.paths import StatePaths
from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.flatten_plan import FlattenPlan, HeldPerp, HoldReason
from hlomm.venues.sweep import FlattenReport
from hlomm.venues.transport import Transport
from tests.guardian.conftest import Puppet, charge_for


@attrs.define(eq=False)
class Task:
    """A guardian as a task where a process would be."""

    scope: trio.CancelScope
    done: trio.Event
    pid: int = 4321
    phase: Phase | None = None

    def kill(self) -> None:
        self.scope.cancel(reason="SIGKILL")

    async def wait(self) -> int:
        await self.done.wait()
        return 0 if self.phase is not None else -9


@attrs.define(eq=False)
class Yard:
    """Where guardians are started."""

    sim: SimulatedVenue
    nursery: trio.Nursery
    puppet: Puppet = attrs.field(factory=Puppet)
    tasks: list[Task] = attrs.field(factory=list)
    broken: bool = False

    async def spawn(self, charge: Charge, paths: StatePaths) -> Task:
        await trio.lowlevel.checkpoint()
        if self.broken:
            raise OSError(11, "Resource temporarily unavailable")
        task = Task(trio.CancelScope(), trio.Event())
        self.tasks.append(task)

        async def run() -> None:
            with task.scope:
                task.phase = await guard(
                    charge, paths, clock=Clock(self.sim.clock_map, read_host), process=self.puppet,
                    transport=Transport(connect=self.sim.connect),
                )  # fmt: skip
            task.done.set()

        self.nursery.start_soon(run)
        return task


Guarded = Callable[..., Any]


@pytest.fixture
def guarded(rig, tmp_path) -> Guarded:
    @asynccontextmanager
    async def make(
        *sets: str, yard_of: Callable[[Yard], Awaitable[None]] | None = None
    ) -> AsyncIterator[tuple[Any, Yard]]:
        async with simulated_hyperliquid(seed=7) as sim, trio.open_nursery() as nursery:
            yard = Yard(sim, nursery)
            if yard_of is not None:
                await yard_of(yard)
            paths = StatePaths(tmp_path / "state")
            keeper = GuardianKeeper(charge_for(sim, "guardian.linger_s=5", *sets), paths, "test", yard.spawn)
            async with rig(sim=sim, sets=sets, guardian=keeper) as r:
                yield r, yard
            nursery.cancel_scope.cancel(reason="the test is over")

    return make


def guards(r: Any) -> set[str]:
    document, _text = explain(r.daemon.monitor.snapshot(), None)
    return {row["bid"]["guard"] for row in document}


async def test_nothing_is_quoted_before_a_guardian_watches(guarded, autojump_clock):
    async def broken(yard: Yard) -> None:
        yard.broken = True

    async with guarded(yard_of=broken) as (r, yard):
        await r.until(lambda: r.state == "running")
        await trio.sleep(10)
        assert r.engine.state.counters.placed == 0
        assert guards(r) == {"guardian"}
        assert status(r.daemon.monitor.snapshot())[0]["guardian"]["state"] == "down"
        yard.broken = False
        await r.quoting(2)
        document, _ = status(r.daemon.monitor.snapshot())
        assert document["guardian"]["state"] == "up"
        assert document["guardian"]["answer_age_s"] < 1
    assert replay(r.paths.journal).identical


async def test_a_guardian_that_dies_is_missed_replaced_and_quoting_goes_on(guarded, autojump_clock):
    async with guarded() as (r, yard):
        await r.quoting(4)
        yard.broken = True
        yard.tasks[0].kill()
        killed = trio.current_time()
        await r.until(lambda: guards(r) == {"guardian"} and r.resting_at_venue() == 0, 5)
        assert trio.current_time() - killed < 2
        assert r.daemon.monitor.alert_counts["guardian_down"] == 1
        yard.broken = False
        await r.until(lambda: r.resting_at_venue() >= 2, 30)
        assert len(yard.tasks) == 2
        assert r.daemon.monitor.snapshot().guardian.restarts >= 1
        result = await r.stop()
        assert result.exit_code is ExitCode.CLEAN
        assert yard.tasks[1].phase is Phase.STOOD_DOWN
        assert yard.puppet.kills == 0
    assert replay(r.paths.journal).identical


async def test_a_clean_stop_says_goodbye_and_leaves_no_marker(guarded, autojump_clock):
    async with guarded() as (r, yard):
        await r.quoting(2)
        assert owned_file.read(r.paths.owned) is not None
        result = await r.stop("SIGINT")
        assert result.exit_code is ExitCode.CLEAN
        assert yard.tasks[0].phase is Phase.STOOD_DOWN
        assert owned_file.read(r.paths.owned) is None
        assert halt_file.read(r.paths.halt) is None
        assert yard.puppet.kills == 0


async def test_a_clean_stop_stays_clean_where_the_marker_cannot_be_removed(guarded, autojump_clock, monkeypatch):
    def read_only(_path: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    async with guarded() as (r, yard):
        await r.quoting(2)
        yard.broken = True
        yard.tasks[0].kill()
        await r.until(lambda: r.engine.state.unguarded is not None)
        monkeypatch.setattr(owned_file, "clear", read_only)
        result = await r.stop("SIGINT")
        assert result.exit_code is ExitCode.CLEAN


@pytest.mark.parametrize("on_stop", ["flatten", "keep"])
async def test_an_unclean_stop_hands_over(guarded, autojump_clock, on_stop):
    async with guarded(f"flatten.on_stop={on_stop}") as (r, yard):
        await r.quoting(2)
        r.sim.refuse_connections = True
        r.sim.faults.arm("rest_slow", FaultArgs(delay_s=600, for_s=600))
        r.sim.faults.arm("ws_silent")
        result = await r.stop("SIGINT")
        assert result.summary["venue_open_orders"] is None
        r.sim.faults.clear()
        r.sim.refuse_connections = False
        yard.puppet.die()
        with trio.fail_after(60):
            await yard.tasks[0].done.wait()
        assert yard.tasks[0].phase is Phase.DONE
        assert r.resting_at_venue() == 0
        assert halt_file.read(r.paths.halt) is not None


@pytest.mark.parametrize("how", ["a second signal", "a crash"])
async def test_a_daemon_that_sweeps_without_its_timers_is_let_sweep(guarded, autojump_clock, monkeypatch, how):
    """Its engine keeps no deadlines any more, and for longer than a hung one would be let live."""

    def broken() -> None:
        raise ArithmeticError("planted")

    async with guarded() as (r, yard):
        await r.quoting(2)
        r.sim.faults.arm("reply_lost", FaultArgs(for_s=120))
        if how == "a crash":
            await r.until(lambda: any(order.under_way for order in r.engine.state.orders.live()))
            monkeypatch.setattr(r.daemon.pump, "tick", broken)
        else:
            r.daemon.request_stop("SIGINT")
            await trio.sleep(0.2)
            r.daemon.request_stop("SIGINT")
        await r.until(lambda: r.daemon.pump.untimed)
        began_s = trio.current_time()
        with trio.fail_after(90):
            await r.done.wait()
        assert trio.current_time() - began_s > 2 * r.daemon._guardian.charge.rules.dead_s
        assert yard.puppet.kills == 0
        assert yard.tasks[0].phase is Phase.STOOD_DOWN
        assert r.resting_at_venue() == 0


async def test_a_machine_that_slept_is_no_engine_that_hangs(guarded, autojump_clock):
    """Everything wakes at once, in any order: who beats first must not say that the engine has missed its deadlines."""
    async with guarded() as (r, yard):
        await r.quoting(2)
        for _ in range(10):
            autojump_clock.jump(5)
            await trio.sleep(2)
        assert yard.puppet.kills == 0


async def test_a_refused_key_is_known_before_anything_is_quoted(guarded, autojump_clock):
    async def refusing(yard: Yard) -> None:
        agents = yard.sim.venue.agents
        del agents._by_address[yard.sim.accounts[0].guardian_address]

    async with guarded(yard_of=refusing) as (r, yard):
        await r.until(lambda: r.state == "running")
        await r.until(lambda: "refuses the guardian's key" in (r.engine.state.guardian_missing or ""), 20)
        assert r.engine.state.counters.placed == 0
        assert yard.puppet.kills == 0


async def test_it_is_not_restarted_for_ever(guarded, autojump_clock, monkeypatch):
    monkeypatch.setattr(guardian_process, "FAILURES_MAX", 3)

    async def broken(yard: Yard) -> None:
        yard.broken = True

    async with guarded(yard_of=broken) as (r, yard):
        await r.until(lambda: r.state == "running")
        await trio.sleep(60)
        assert "3 in a row failed" in (r.engine.state.guardian_missing or "")
        assert r.daemon.monitor.snapshot().guardian.restarts == 3
        yard.broken = False
        await trio.sleep(30)
        assert r.engine.state.counters.placed == 0
        result = await r.stop()
        assert result.exit_code is ExitCode.CLEAN, "a daemon without a guardian can still stop clean"


async def test_beats_carry_what_is_held_and_an_engine_that_stands_still_shows(guarded, autojump_clock, monkeypatch):
    async with guarded() as (r, yard):
        await r.quoting(2)
        await r.until(lambda: sum(r.tokens_at_venue().values()) > 0, 200)
        await trio.sleep(1)
        beat = _beats(r).next()
        assert beat.open_count == r.engine.state.orders.live_count == len(beat.open_ids)
        assert sum(h.yes + h.no for h in beat.holdings) == sum(r.tokens_at_venue().values())
        assert all(h.expiry_ns for h in beat.holdings)
        assert beat.overdue_ms < 1000
        assert beat.policy.sell
        # An engine past its own deadline shows, however regularly the loop beats. No await: the pump must not see it.
        past_ns = r.daemon.pump.clock.now().mono_ns - 5 * 10**9
        with monkeypatch.context() as patch:
            patch.setattr(r.engine, "next_deadline", lambda: past_ns)
            assert _beats(r).next().overdue_ms == pytest.approx(5000, abs=1)
        assert yard.puppet.kills == 0


def _beats(r: Any) -> Any:
    from hlomm.daemon.beat import Beats

    return Beats(r.daemon.pump, r.daemon._loaded.settings)


async def test_the_next_run_waits_for_a_guardian_at_work(post, autojump_clock):
    async with post(linger_s=3600) as p:
        await p.daemon()
        await p.trade(resting=2)
        p.puppet.die()
        await make_room(p.paths)
        assert p.phase is Phase.DONE
        assert p.resting == 0


async def test_a_guardian_that_never_finishes_keeps_the_next_run_out(post, autojump_clock):
    async with post() as p:
        await p.daemon()
        await p.trade(resting=1)
        p.sim.refuse_connections = True
        p.puppet.die()
        with pytest.raises(AnotherInstance, match="guardian of an earlier run"):
            await make_room(p.paths)


def test_no_secret_reaches_the_environment_of_a_guardian():
    named = {value for name, value in vars(keys).items() if name.endswith("_VARIABLE")}
    assert set(guardian_process.SECRETS) == named | {password.VARIABLE, alert_urls.VARIABLE}
    assert len(guardian_process.SECRETS) == 6
    assert os.environ.get("HL_OMM_AGENT_KEY") is None


async def test_what_a_fault_leaves_unsold_is_handed_to_the_guardian(guarded, autojump_clock, monkeypatch):
    async def away(*_args, **_how):
        await trio.lowlevel.checkpoint()
        perp = HeldPerp(market=perp_market(HYPERLIQUID, "BTC"), qty=Qty(10**8), reason=HoldReason.NO_BOOK)
        return FlattenReport(words=(), left=FlattenPlan(orders=(), held=(), perps=(perp,)), failures=0)

    def broken(now):
        raise ArithmeticError("planted")

    monkeypatch.setattr(last_look, "flatten_account", away)
    async with guarded() as (r, yard):
        await r.quoting(2)
        monkeypatch.setattr(r.engine, "turn", broken)
        with trio.fail_after(120):
            await r.done.wait()
        yard.puppet.die()
        with trio.fail_after(60):
            await yard.tasks[0].done.wait()
        assert yard.tasks[0].phase is Phase.DONE, "it was told that nothing is left"


async def test_a_refused_restart_leaves_an_earlier_runs_orders_to_the_guardian(guarded, autojump_clock, tmp_path):
    paths = StatePaths(tmp_path / "state")

    async def crashed_before(yard: Yard) -> None:
        await trio.lowlevel.checkpoint()
        paths.prepare()
        owned_file.write(paths.owned, owned_file.OwnedNote(pid=1, started=1, epoch_ms=1, account="x"))
        del yard.sim.venue.agents._by_address[yard.sim.accounts[0].agent_address]

    async with guarded(yard_of=crashed_before) as (r, yard):
        with trio.fail_after(120):
            await r.done.wait()
        assert r.result.exit_code is ExitCode.REFUSED
        yard.puppet.die()
        with trio.fail_after(60):
            await yard.tasks[0].done.wait()
        assert yard.tasks[0].phase is Phase.DONE


async def test_a_guardian_imports_nothing_from_where_it_is_started(tmp_path, monkeypatch):
    (tmp_path / "structlog.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    paths = StatePaths(tmp_path / "state")
    paths.prepare()
    async with simulated_hyperliquid(seed=7) as sim:
        child = await guardian_process.spawn(charge_for(sim), paths)
        try:
            with trio.fail_after(30):
                while not paths.guardian_socket.exists():
                    assert child.returncode is None, paths.guardian_errors.read_text()
                    await trio.sleep(0.05)
        finally:
            child.kill()
            await child.wait()
