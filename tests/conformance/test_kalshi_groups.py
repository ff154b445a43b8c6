"""The venue's burst breaker: the session's order group against the simulated Kalshi, alone and with an engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.testing

from hlomm.domain.ids import KALSHI
from hlomm.domain.inputs import (
    Booted,
    Input,
    OperatorAction,
    OperatorCommand,
    OrderClosed,
    OrderRejected,
    SessionDown,
    VenueRearmed,
    VenueTripped,
)
from hlomm.domain.orders import Purpose, Side, Tif
from hlomm.domain.outputs import Alert, HaltChanged, HaltState, Output, PlaceOrders, ResetBreaker
from hlomm.domain.units import Qty, parse
from hlomm.engine.core import Engine
from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness_kalshi import SimulatedKalshi, simulated_kalshi
from hlomm.sim.kalshi.accounts import Group
from hlomm.sim.kalshi.orders import NewOrder
from hlomm.venues.clock import Clock
from hlomm.venues.kalshi.session import KalshiSession
from hlomm.venues.sweep import cancel_all
from tests.conformance.kalshi_rig import SHARD, Rig, kalshi_rig, session_of, sim_config
from tests.support.puppet import Puppet, desire
from tests.support.values import config, seconds

pytestmark = pytest.mark.slow

LIMIT = Qty(parse("20"))


def groups(rig: Rig) -> list[Group]:
    return list(rig.sim.exchange.engines[SHARD].groups.values())


def sell_to_us(rig: Rig, contracts: int) -> None:
    """Somebody else sells, in the next step of the world, whatever is bid for it."""
    taker = rig.sim.venue.member("free-1")
    assert taker is not None
    ticker = rig.market.id.partition(":")[2]
    new = NewOrder(ticker=ticker, side=Side.SELL, ticks=100, lots=contracts * 100, tif=Tif.IOC)

    def run() -> None:
        rig.sim.exchange.engines[SHARD].place(taker, new)

    rig.sim.venue.world.submit(rig.clock.now().wall_ns, run)


def arm(rig: Rig, name: str, **args: float) -> None:
    rig.sim.faults.arm(name, FaultArgs(**args))  # type: ignore[arg-type]


def quiet(**fields: Any) -> Any:
    return sim_config(flow=False, **fields)


async def test_every_order_carries_the_group_and_the_way_home_does_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with kalshi_rig(burst_contracts=LIMIT) as rig:
        await rig.book()
        await rig.resting()
        (group,) = groups(rig)
        assert group.limit == 2_000
        assert [order.group for order in rig.account.orders()] == [group]
        rig.place(rig.order(Side.BUY, parse("0.99"), "6", tif=Tif.IOC))
        await rig.until(lambda: rig.position(rig.market.id) == parse("6"))
        assert not group.exceeded(rig.clock.now().wall_ns)
        sale = rig.order(Side.SELL, parse("0.01"), "6", tif=Tif.IOC, reduce_only=True)
        home = msgspec.structs.replace(sale, purpose=Purpose.FLATTEN)
        group.triggered = True
        rig.place(home)
        closed = await rig.first(OrderClosed, client_id=home.client_id)
        assert closed.filled == parse("6"), "a group that takes nothing does not keep us from selling"
        assert rig.session.statistics().counters["groups_created"] == 1


async def test_a_burst_of_fills_is_told_once_and_reset_on_request_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with kalshi_rig(sim=quiet(), burst_contracts=LIMIT) as rig:
        first, _ = await rig.resting("0.40", "15")
        second, _ = await rig.resting("0.39", "15")
        sell_to_us(rig, 25)
        tripped = await rig.first(VenueTripped)
        assert tripped.reason.startswith("more than 20 contracts within 15 s")
        for order in (first, second):
            await rig.first(OrderClosed, client_id=order.client_id)
        assert rig.account.orders() == []
        late = rig.order(Side.BUY, parse("0.40"))
        rig.place(late)
        assert (await rig.first(OrderRejected, client_id=late.client_id)).code == "order_group_limit"
        await trio.sleep(120)
        assert len(rig.all(VenueTripped)) == 1
        assert rig.all(VenueRearmed) == []
        assert groups(rig)[0].triggered
        rig.session.submit(ResetBreaker(KALSHI))
        await rig.first(VenueRearmed)
        await rig.resting("0.38")
        assert len(rig.account.orders()) == 1
        await rig.until(rig.agrees)
        counters = rig.session.statistics().counters
        assert (counters["group_trips"], counters["group_resets"]) == (1, 1)


async def test_a_trip_that_the_stream_does_not_tell_is_learnt_from_a_refusal(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with kalshi_rig(sim=quiet(), burst_contracts=LIMIT) as rig:
        groups(rig)[0].triggered = True
        order = rig.order(Side.BUY, parse("0.40"))
        rig.place(order)
        await rig.first(OrderRejected, client_id=order.client_id)
        await rig.first(VenueTripped)
        assert len(rig.all(VenueTripped)) == 1


async def test_a_trip_while_the_stream_is_down_is_seen_by_the_next_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with kalshi_rig(sim=quiet(), burst_contracts=LIMIT) as rig:
        groups(rig)[0].triggered = True
        arm(rig, "ws_killed")
        await rig.first(SessionDown)
        await rig.first(VenueTripped, within_s=60)


async def test_a_reset_that_the_venue_refuses_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig(sim=quiet(), burst_contracts=LIMIT) as rig:
        await rig.resting("0.40", "30")
        sell_to_us(rig, 25)
        await rig.first(VenueTripped)
        del rig.sim.exchange.engines[SHARD].groups[groups(rig)[0].group_id]
        rig.session.submit(ResetBreaker(KALSHI))
        await rig.until(lambda: len(rig.all(VenueTripped)) == 2)
        assert "reset refused" in rig.all(VenueTripped)[-1].reason
        assert rig.all(VenueRearmed) == []


async def test_a_group_that_somebody_deletes_is_told_before_an_order_misses_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with kalshi_rig(sim=quiet(), burst_contracts=LIMIT) as rig:
        order, _ = await rig.resting("0.40")
        (group,) = groups(rig)
        engine = rig.sim.exchange.engines[SHARD]
        rig.sim.venue.world.submit(rig.clock.now().wall_ns, lambda: engine.delete_group(rig.account, group.group_id))
        tripped = await rig.first(VenueTripped)
        assert "restart the daemon" in tripped.reason
        await rig.first(OrderClosed, client_id=order.client_id)


async def test_a_later_run_finds_its_group_and_another_limit_makes_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with kalshi_rig(sim=quiet(), burst_contracts=LIMIT) as rig:
        (group,) = groups(rig)
        group.triggered = True
        for limit, count in ((LIMIT, 1), (LIMIT, 1), (Qty(2 * LIMIT), 2), (Qty(0), 2)):
            later, _, _ = session_of(rig.sim, burst_contracts=limit)
            async with trio.open_nursery() as nursery:
                await nursery.start(later.run, lambda _items, _received_ns: None)
                nursery.cancel_scope.cancel()
            assert len(groups(rig)) == count
            assert not group.triggered, "a run that starts takes orders"


async def test_a_sweep_ends_the_whole_group_with_one_request(autojump_clock: trio.testing.MockClock) -> None:
    """What the guardian does: a session that is only asked."""
    async with kalshi_rig(sim=quiet(portfolio_lag_s=2.0), burst_contracts=LIMIT) as rig:
        for price in ("0.40", "0.39", "0.38"):
            await rig.resting(price)
        guardian, _, _ = session_of(rig.sim)
        report = await cancel_all(guardian)
        assert (report.verified, report.canceled, report.remaining) == (True, 3, ())
        counters = guardian.statistics().counters
        assert counters["group_triggers"] == 1
        assert "cancels_looked_up" not in counters
        assert groups(rig)[0].triggered, "what was still on its way is refused"


async def test_a_trigger_that_fails_leaves_the_orders_to_be_cancelled_one_by_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with kalshi_rig(sim=quiet(), burst_contracts=LIMIT) as rig:
        for price in ("0.40", "0.39"):
            await rig.resting(price)
        rig.sim.exchange.engines[SHARD].groups.clear()
        guardian, _, _ = session_of(rig.sim)
        report = await cancel_all(guardian)
        assert (report.verified, report.canceled) == (True, 2)
        assert guardian.statistics().counters["group_triggers_failed"] == 1


# -- with an engine


@attrs.define(eq=False)
class Desk:
    """An engine at this one venue, with a strategy that bids what it is told to."""

    sim: SimulatedKalshi
    session: KalshiSession
    clock: Clock
    engine: Engine
    puppet: Puppet
    outputs: list[Output] = attrs.field(factory=list)

    def feed(self, items: Sequence[Input], _received_ns: int = 0) -> None:
        for item in items:
            self.engine.feed(item, self.clock.now())
            self.turn()

    def turn(self) -> None:
        outputs = self.engine.turn(self.clock.now())
        self.outputs += outputs
        for output in outputs:
            if not isinstance(output, (Alert, HaltChanged)):
                self.session.submit(output)

    async def tick(self) -> None:
        while True:
            await trio.sleep(0.2)
            self.turn()

    async def until(self, what: Callable[[], Any], within_s: float = 30.0) -> None:
        with trio.fail_after(within_s):
            while not what():
                await trio.sleep(0.02)

    def resume(self) -> None:
        self.feed([OperatorCommand(action=OperatorAction.RESUME, actor="a test")])

    def count(self, kind: type[Output]) -> int:
        return sum(isinstance(output, kind) for output in self.outputs)

    def alerts(self, code: str) -> list[str]:
        return [output.text for output in self.outputs if isinstance(output, Alert) and output.code == code]

    @property
    def resting(self) -> int:
        account = self.sim.venue.member("daemon")
        assert account is not None
        return len(account.orders())

    def trade(self, name: str, side: Side, ticks: int, contracts: int, tif: Tif) -> None:
        """Somebody else trades in the market of our quote."""
        member, ticker = self.sim.venue.member(name), next(iter(self.puppet.desired)).partition(":")[2]
        assert member is not None
        new = NewOrder(ticker=ticker, side=side, ticks=ticks, lots=contracts * 100, tif=tif)
        engine = self.sim.exchange.engines[SHARD]
        self.sim.venue.world.submit(self.clock.now().wall_ns, lambda: engine.place(member, new))

    async def burst(self) -> None:
        """30 of ours are hit at once, and the limit is 20."""
        trips = len(self.alerts("venue_breaker"))
        await self.until(lambda: self.resting)
        self.trade("free-1", Side.SELL, 4_000, 30, Tif.IOC)
        await self.until(lambda: len(self.alerts("venue_breaker")) == trips + 1)
        await self.until(lambda: not self.resting)


@asynccontextmanager
async def desk_of() -> AsyncIterator[Desk]:
    """Quoting in a market that others have orders in as well."""
    rules = config(quotes={"min_interval_ns": 0}, limits={"stale_book_ns": seconds(100_000)})
    puppet = Puppet(klass="KXBTCD")
    async with simulated_kalshi(config=quiet()) as sim, trio.open_nursery() as nursery:
        session, _, clock = session_of(sim, burst_contracts=LIMIT)
        desk = Desk(sim, session, clock, Engine(rules, [puppet], (KALSHI,)), puppet)
        desk.feed([
            Booted(epoch_ms=clock.wall_ms(), profile="sim", version="0", config="{}", halted=None,
                   accounts=((KALSHI, "daemon"),))
        ])  # fmt: skip
        await nursery.start(session.run, desk.feed)
        nursery.start_soon(desk.tick)
        last = max((one.market.expiry_ns or 0, one.market.id) for one in desk.engine.state.markets.values())[1]
        puppet.desired[last] = desire(bid=("0.40", 30))
        desk.trade("free-2", Side.BUY, 3_000, 500, Tif.GTC)
        desk.trade("free-2", Side.SELL, 6_000, 500, Tif.GTC)
        yield desk
        nursery.cancel_scope.cancel()


async def test_quoting_comes_back_after_a_burst_only_as_designed(autojump_clock: trio.testing.MockClock) -> None:
    """The trial of it all: a burst, a quiet time, one reset; a second burst, and then an operator."""
    async with desk_of() as desk:
        await desk.burst()
        tripped = desk.clock.now().mono_ns
        placed = desk.count(PlaceOrders)
        await trio.sleep(50)
        assert (desk.resting, desk.count(PlaceOrders), desk.count(ResetBreaker)) == (0, placed, 0)
        await desk.until(lambda: desk.resting)
        assert desk.clock.now().mono_ns - tripped >= seconds(59)
        assert desk.count(ResetBreaker) == len(desk.alerts("venue_rearmed")) == 1

        await desk.burst()
        placed = desk.count(PlaceOrders)
        await trio.sleep(150)
        assert (desk.resting, desk.count(PlaceOrders), desk.count(ResetBreaker)) == (0, placed, 1)
        assert desk.engine.state.halt is HaltState.RUNNING
        desk.resume()
        await desk.until(lambda: desk.resting)
        assert desk.count(ResetBreaker) == len(desk.alerts("venue_rearmed")) == 2
        assert desk.engine.state.counters.trips == {"venue_breaker": 2, "venue_reset": 2}
