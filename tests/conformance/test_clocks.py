"""A host whose clock is wrong: what the venue compares with its own has to be said in the venue's time."""

from __future__ import annotations

import pytest

from hlomm.domain.inputs import CancelFailed, ClockSkew, OrderClosed, OrderOpened, OrderRejected
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S, Now
from hlomm.sim.harness import read_host
from tests.conformance.kalshi_rig import kalshi_rig, session_of


class HostClock:
    """The harness's clocks; the wall clock may be moved."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def __call__(self) -> Now:
        host = read_host()
        return Now(host.mono_ns, host.wall_ns + round(self.ahead_s * NS_PER_S))


@pytest.mark.parametrize("ahead_s", [-45.0, 45.0])
async def test_orders_and_cancels_are_taken_with_a_clock_that_is_wrong_from_the_start(rig, autojump_clock, ahead_s):
    async with rig(read=HostClock(ahead_s)) as r:
        order, _ = await r.resting()
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        assert r.truth["open_orders"] == 0
        assert r.all(OrderRejected) == r.all(CancelFailed) == []
        assert abs(r.all(ClockSkew)[-1].skew_ms + ahead_s * 1000) < 1_000


async def test_a_clock_put_back_while_an_order_rests_is_measured_again_and_the_cancel_gets_through(rig, autojump_clock):
    clock = HostClock()
    async with rig(read=clock) as r:
        order, _ = await r.resting()
        clock.ahead_s = -60.0
        r.cancel(order)
        failed = await r.first(CancelFailed, client_id=order.client_id)
        assert failed.code == "ActionExpired"
        await r.until(lambda: r.all(ClockSkew)[-1].skew_ms > 50_000, within_s=5.0)
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        assert r.truth["open_orders"] == 0


async def test_what_a_sweep_needs_works_with_a_wrong_clock_and_without_a_stream(rig, autojump_clock):
    """A guardian never runs a session: it learns the time from the refusal and tries again."""
    clock = HostClock()
    async with rig(read=clock) as r:
        await r.resting()
        clock.ahead_s = -60.0
        r.session._parts.time.ahead_ms = None
        resting = await r.session.fetch_resting()
        assert await r.session.cancel_now(resting) == 1
        assert r.truth["open_orders"] == 0
        assert r.session.statistics().counters["expired_by_a_wrong_clock"] == 1


async def test_an_order_cannot_arrive_later_than_believed_with_a_clock_that_is_fast(rig, autojump_clock):
    async with rig(read=HostClock(60.0)) as r:
        order, _ = await r.resting()
        expires_ms = r.session._parts.gateway.may_arrive_until_ms(order.client_id)
        assert expires_ms <= r.sim.exchange.tape.now_ms + 11_000, "by the venue's clock"
        await r.first(OrderOpened, client_id=order.client_id)
        assert order.side is Side.BUY


@pytest.mark.parametrize("ahead_s", [-45.0, 45.0])
async def test_kalshi_takes_what_a_host_with_a_wrong_clock_signs(autojump_clock, ahead_s):
    """The venue refuses signatures whose time is not its own: its word for that also tells its time."""
    async with kalshi_rig(read=HostClock(ahead_s)) as r:
        await r.book()
        order, _ = await r.resting()
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        assert r.account.orders() == []
        assert r.all(OrderRejected) == r.all(CancelFailed) == []
        assert abs(r.all(ClockSkew)[-1].skew_ms + ahead_s * 1000) < 1_500


@pytest.mark.parametrize("ahead_s", [-60.0, -8.0])
async def test_a_sweep_of_kalshi_works_with_a_wrong_clock_and_without_a_stream(autojump_clock, ahead_s):
    """A guardian never runs a session. By its slow clock lists would be called fresh that are seconds old."""
    async with kalshi_rig() as r:
        await r.book()
        await r.resting()
        guardian, _, _ = session_of(r.sim, read=HostClock(ahead_s))
        resting = await guardian.fetch_resting()
        assert await guardian.cancel_now(resting) == len(resting) == 1
        assert r.account.orders() == []
