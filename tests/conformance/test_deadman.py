"""The venue's dead-man and the fuse, on the real wire: what the venue does by itself, and what it never gets to see."""

from __future__ import annotations

import itertools

import pytest
import trio

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import DeadmanArmed, FuseTripped, OrderClosed, OrderOpened, SendRefused, SessionDown, SessionUp
from hlomm.domain.orders import CancelRequest, Side
from hlomm.domain.outputs import CancelOrders
from hlomm.sim.config import RulesConfig, SimConfig
from hlomm.sim.deadman import DeadMan
from hlomm.venues.hyperliquid import schedule

ELIGIBLE = SimConfig(rules=RulesConfig(prior_volume_usd=2_000_000))
TERM_S = 30.0
LAG_S = 1.0
"""A venue round trip, and the block that carries it out."""


@pytest.fixture
def watched(monkeypatch):
    """What reaches the venue's dead-man: when, and whether it arms."""
    seen: list[tuple[float, bool]] = []
    arm = DeadMan.arm

    def note(self, account, time_ms, now_ms):
        seen.append((trio.current_time(), time_ms is not None))
        arm(self, account, time_ms, now_ms)

    monkeypatch.setattr(DeadMan, "arm", note)
    return seen


async def test_orders_vanish_by_themselves_when_the_network_is_lost(rig, autojump_clock):
    async with rig(config=ELIGIBLE) as r:
        order, _ = await r.resting()
        armed = await r.first(DeadmanArmed)
        now_ms = r.session._clock.wall_ms()
        assert TERM_S - LAG_S <= (armed.until_ms - now_ms) / 1000 <= TERM_S
        await trio.sleep(15)  # one renewal
        until_ms = r.all(DeadmanArmed)[-1].until_ms
        r.sim.cable.unplug()
        last_word = trio.current_time()
        await trio.sleep((until_ms - r.session._clock.wall_ms()) / 1000 - 0.5)
        assert r.truth["open_orders"] == 1, "not before the time it was told"
        await r.until(lambda: r.truth["open_orders"] == 0, LAG_S)
        assert trio.current_time() - last_word <= TERM_S + LAG_S
        await r.first(SessionDown, within_s=60)
        await trio.sleep(5)
        assert r.all(DeadmanArmed)[-1].until_ms == 0
        assert r.session.statistics().deadman_until_ms == 0
        assert r.session.statistics().counters["deadman_fired"] == 1
        r.sim.cable.plug()
        await r.until(lambda: len(r.all(SessionUp)) == 2, 120)
        closed = r.all(OrderClosed, client_id=order.client_id)
        assert not closed or closed[0].status == "scheduledCancel"


async def test_without_it_they_stay(rig, autojump_clock):
    """What the test above protects from."""
    async with rig(config=ELIGIBLE, sets=("venue.hyperliquid.deadman_s=0",)) as r:
        await r.resting()
        r.sim.cable.unplug()
        await trio.sleep(3 * TERM_S)
        assert r.truth["open_orders"] == 1
        assert not r.all(DeadmanArmed)


async def test_below_the_volume_gate_the_refusal_is_expected(rig, autojump_clock, watched, capsys, monkeypatch):
    monkeypatch.setattr(schedule, "VOLUME_AGAIN_S", 120.0)
    async with rig() as r:
        await r.resting()
        assert (await r.first(DeadmanArmed)).until_ms == 0
        await trio.sleep(100)
        assert len(watched) == 1
        await trio.sleep(40)
        assert len(watched) == 2, "asked again when that is due, not before"
        assert len(r.all(DeadmanArmed)) == 1
        assert r.session.statistics().counters["deadman_declined.ScheduleCancelVolume"] == 2
        assert capsys.readouterr().out.count("offers no dead-man") == 1
        assert not r.all(SessionDown)
        assert r.truth["open_orders"] == 1


async def test_renewed_every_third_and_taken_back_when_nothing_rests(rig, autojump_clock, watched):
    async with rig(config=ELIGIBLE) as r:
        await trio.sleep(20)
        assert not watched, "nothing rests"
        order, _ = await r.resting()
        await trio.sleep(35)
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        await trio.sleep(30)
        gaps = [round(b[0] - a[0], 0) for a, b in itertools.pairwise(watched)]
        assert gaps == [10, 10, 10, 10]
        assert [armed for _, armed in watched] == [True, True, True, True, False]
        assert r.all(DeadmanArmed)[-1].until_ms == 0
        assert r.sim.exchange._dead_man._armed == {}


async def test_taken_back_on_stop_if_nothing_rests(rig, autojump_clock, watched):
    async with rig(config=ELIGIBLE) as r:
        order, _ = await r.resting()
        await r.first(DeadmanArmed)
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
    assert [armed for _, armed in watched] == [True, False]
    assert r.sim.exchange._dead_man._armed == {}
    assert r.all(DeadmanArmed)[-1].until_ms == 0


async def test_left_to_do_its_work_if_something_rests_at_the_stop(rig, autojump_clock, watched):
    async with rig(config=ELIGIBLE) as r:
        await r.resting()
        await r.first(DeadmanArmed)
    assert [armed for _, armed in watched] == [True]
    assert len(r.sim.exchange._dead_man._armed) == 1


async def test_too_many_triggers_in_a_day_are_refused_until_the_next(rig, autojump_clock, watched):
    async with rig(config=ELIGIBLE) as r:
        day = r.sim.exchange.tape.now_ms // 86_400_000
        r.sim.exchange._dead_man._fired[r.sim.accounts[0].address] = (day, 10)
        await r.resting()
        assert (await r.first(DeadmanArmed)).until_ms == 0
        await trio.sleep(60)
        assert len(watched) == 1
        assert r.session.statistics().counters["deadman_declined.ScheduleCancelDaily"] == 1


@pytest.mark.parametrize("skew_ms", [-4_000, 4_000])
async def test_the_term_is_counted_on_the_venues_clock(rig, autojump_clock, skew_ms):
    """Our clock may be wrong by seconds: the time asked for is the venue's, the time told is ours."""
    async with rig(config=ELIGIBLE) as r:
        r.session._parts.time.ahead_ms = skew_ms
        before = r.sim.exchange.tape.now_ms
        await r.resting()
        armed = await r.first(DeadmanArmed)
        asked = next(iter(r.sim.exchange._dead_man._armed.values()))
        assert asked - armed.until_ms == skew_ms
        assert asked - before >= TERM_S * 1000 + skew_ms


async def test_a_runaway_engine_is_stopped_at_the_last_metre(rig, autojump_clock):
    async with rig(sets=("limits.max_orders_per_s=20", "venue.hyperliquid.deadman_s=0")) as r:
        book = await r.book()
        low = (book.bids[0][0] - 20_000_000) // 1000 * 1000
        orders = [r.order(Side.BUY, low - 1000 * i, "200") for i in range(200)]
        for order in orders:
            r.place(order)
            await trio.sleep(0.004)
        await trio.sleep(3)
        assert r.truth["open_orders"] == 20
        assert len(r.all(FuseTripped)) == 1
        assert sum(len(item.client_ids) for item in r.all(SendRefused)) == 180
        opened = [order for order in orders if r.all(OrderOpened, client_id=order.client_id)]
        cancels = tuple(CancelRequest(client_id=one.client_id, market=one.market, leg=one.leg) for one in opened)
        r.session.submit(CancelOrders(HYPERLIQUID, cancels))
        await r.until(lambda: r.truth["open_orders"] == 0, 5)
