"""The venue cannot be reached at all for a minute: bytes vanish both ways, and no answer says so.

What rests is stranded until the venue's own dead-man takes it (eligible accounts) or the network is back; its worth
never exceeds the cap. Back again, the account is compared, what rests is cancelled and what is held is sold, by policy.
"""

from __future__ import annotations

import pytest
import trio

from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, notional_ceil
from hlomm.research.replay import replay
from hlomm.sim.config import RulesConfig, SimConfig
from hlomm.sim.harness import simulated_hyperliquid

OUTAGE_S = 60.0
CAP = 120
CAPPED = (
    f"limits.max_resting_without_deadman={CAP}", "limits.max_loss_event=250", "strategy.avellaneda.max_size=150",
)  # fmt: skip
"""Quotes large enough for the cap to be what bounds them."""
ELIGIBLE = SimConfig(rules=RulesConfig(prior_volume_usd=2_000_000))
LAG_S = 1.0


def at_stake(r) -> int:
    """Collateral that the orders resting at the venue could take, as the exchange itself knows them."""
    account = r.sim.exchange.accounts[r.sim.accounts[0].address]
    blotter = r.sim.exchange.tape.blotter_of(account)
    return sum(
        notional_ceil(order.ticks * order.target.grid.tick, order.lots * order.target.grid.lot)
        for order in blotter.open.values()
        if order.side is Side.BUY
    )


async def outage(r, *, watch_s: float = OUTAGE_S) -> int:
    """Cut everything for that long; the most that was at stake on the way."""
    r.sim.cable.unplug()
    most, until = 0, trio.current_time() + watch_s
    while trio.current_time() < until:
        most = max(most, at_stake(r))
        await trio.sleep(0.25)
    return most


@pytest.mark.parametrize("policy", ["flatten", "pause"])
async def test_a_minute_without_the_venue(rig, autojump_clock, policy):
    async with rig(seed=7, sets=(*CAPPED, f"flatten.on_disconnect={policy}")) as r:
        await r.quoting(2)
        await r.until(lambda: sum(r.tokens_at_venue().values()) >= 40 * SCALE, 200)
        await r.until(lambda: at_stake(r) > 0, 60)
        placed = r.engine.state.counters.placed
        most = await outage(r)
        assert 0 < most <= CAP * SCALE, "what is stranded never exceeds its cap"
        assert r.engine.state.venues["hyperliquid"].up is False
        r.sim.cable.plug()
        venue = r.engine.state.venues["hyperliquid"]
        await r.until(lambda: venue.up, 60)
        if policy == "flatten":
            assert r.daemon.monitor.alert_counts["walk_taken_up"] >= 1
            await r.until(lambda: r.state == "halted", 30)
            assert r.resting_at_venue() == 0
            left = r.tokens_at_venue()
            assert sum(left.values()) < 20 * SCALE, "what was held through the outage is sold on return"
            said = " ".join(alert.text for alert in r.daemon.monitor.alerts)
            assert "too small to sell" in said if left else "cancelled, flat" in said
            await trio.sleep(20)
            assert r.engine.state.counters.placed - placed <= 5, "sales, no quotes"
            r.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
        await r.quoting(2, within_s=180)  # requests failed: their breaker pauses for two minutes
        assert not venue.mismatch
        await r.stop()
        assert r.resting_at_venue() == 0
        assert r.result.summary["invariant_breaks"] == 0
    assert replay(r.paths.journal).identical


@pytest.mark.parametrize(
    ("how", "within_s"), [("left alone", 12), ("killed", 6), ("stopped", 6)], ids=["left_alone", "killed", "stopped"]
)
async def test_a_socket_that_is_dead_without_a_word_keeps_no_cancel_from_the_venue(rig, autojump_clock, how, within_s):
    """As when a router forgets its connections: what there is says nothing more, what is new works."""
    async with rig(seed=7) as r:
        await r.until(lambda: r.resting_at_venue() >= 4 and sum(r.tokens_at_venue().values()) >= 40 * SCALE, 200)
        r.sim.cable.unplug()
        r.sim.cable.plug()
        if how == "killed":
            r.daemon.pump([OperatorCommand(action=OperatorAction.KILL, actor="test", reason="drill")], 0)
        elif how == "stopped":
            r.daemon.request_stop("test")
        await r.until(lambda: r.resting_at_venue() == 0, within_s)
        assert r.engine.state.venues["hyperliquid"].up, "the socket is not missed yet: markets may be quiet"
        if how == "killed":
            await r.until(lambda: r.state == "halted", 10)
            assert not r.tokens_at_venue()
    assert replay(r.paths.journal).identical


async def test_with_a_deadman_nothing_rests_when_the_term_is_over(rig, autojump_clock):
    async with simulated_hyperliquid(seed=7, config=ELIGIBLE) as sim, rig(sim=sim, sets=CAPPED) as r:
        await r.until(lambda: r.engine.state.venues["hyperliquid"].deadman_until_ns is not None, 60)
        await r.until(lambda: at_stake(r) > CAP * SCALE, 120)  # the promise lets more rest
        await outage(r, watch_s=30 + LAG_S)
        assert r.resting_at_venue() == 0, "gone by itself, before anybody is back"
        await outage(r, watch_s=OUTAGE_S - 30 - LAG_S)
        venue = r.engine.state.venues["hyperliquid"]
        assert venue.deadman_until_ns is None
        r.sim.cable.plug()
        await r.until(lambda: venue.up, 60)
        await r.until(lambda: r.state == "halted" and not r.tokens_at_venue(), 60)
        assert r.resting_at_venue() == 0
        r.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
        await r.quoting(2, within_s=180)
        await r.stop()
        assert r.sim.exchange._dead_man._armed == {}, "a clean stop leaves nothing armed"
    assert replay(r.paths.journal).identical


async def test_a_blown_fuse_cancels_sells_and_stays_halted_until_a_restart(rig, autojump_clock):
    async with rig(seed=7) as r:
        await r.quoting(2)
        await r.until(lambda: sum(r.tokens_at_venue().values()) >= 40 * SCALE, 200)
        fuse = r.daemon._sessions["hyperliquid"]._parts.gateway.fuse
        # An engine that cannot count: the fuse sees its next order as one too many.
        for _ in range(fuse.limits.orders_per_s):
            fuse._orders.add(r.daemon.pump.clock.now().mono_ns, 1)
        await r.until(lambda: fuse.tripped is not None, 60)
        await r.until(lambda: r.state == "halted", 60)
        assert r.resting_at_venue() == 0
        assert "max_orders_per_s" in r.engine.state.halt_reason
        assert r.daemon.monitor.alert_counts["fuse_tripped"] == 1
        r.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
        await trio.sleep(10)
        assert r.state == "halted"
        await r.stop()
        async with rig(sim=r.sim, state=r.paths.root) as again:
            await again.until(lambda: again.state == "halted", 30)
            again.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
            await again.quoting(2)
    assert replay(r.paths.journal).identical


async def test_a_flatten_before_the_venue_was_ever_reached_is_done_when_it_is(rig, autojump_clock):
    """A restart into an outage, with tokens of the last run: nobody is told flat before the venue says so."""
    async with rig(seed=7, sets=("flatten.on_stop=keep",)) as r:
        await r.quoting(2)
        await r.until(lambda: sum(r.tokens_at_venue().values()) >= 40 * SCALE, 200)
        await r.stop()
        assert r.tokens_at_venue()
        r.sim.refuse_connections = True
        async with rig(sim=r.sim, state=r.paths.root) as again:
            await trio.sleep(2)
            again.daemon.pump([OperatorCommand(action=OperatorAction.FLATTEN, actor="test")], 0)
            await again.until(lambda: again.state == "halted", 20)
            (said,) = [alert.text for alert in again.daemon.monitor.alerts if alert.code == "flatten_deadline"]
            assert "40 NO" in said
            assert "not confirmed" in said
            assert "flattened" not in again.daemon.monitor.alert_counts
            r.sim.refuse_connections = False
            await again.until(lambda: not r.tokens_at_venue(), 40)
            await again.until(lambda: again.state == "halted", 20)
            assert again.daemon.monitor.alert_counts["flattened"] == 1
