"""The fuse inside a session: whatever an engine gone mad submits, the venue sees no more than allowed."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.inputs import FuseTripped, OrderOpened, SendRefused, SentAction
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, ConvertSet
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.venues.fuse import FuseLimits
from tests.unit.venues.fake_hyperliquid import FakeHyperliquid
from tests.unit.venues.harness import IDS, OUTCOME, Harness, amend_of, cancel, idle, order, place, running

Clock = trio.testing.MockClock

LIMITS = FuseLimits(
    orders_per_s=20,
    notional_per_min=Cash(parse("5000")),
    order_notional=Cash(parse("400")),
    order_qty=Qty(parse("800")),
    hedge_notional=Cash(parse("10000")),
)


@pytest.fixture
def venue() -> FakeHyperliquid:
    return FakeHyperliquid()


def rows(venue: FakeHyperliquid, kind: str = "order", field: str = "orders") -> list[dict[str, Any]]:
    """Orders (or amends, cancels) as the venue saw them."""
    return [row for _, body in venue.actions if body["action"]["type"] == kind for row in body["action"][field]]


def sale() -> OrderRequest:
    return OrderRequest(
        client_id=IDS.mint(), market=OUTCOME, leg=Leg.YES, side=Side.SELL, px=Px(parse("0.4")), qty=Qty(parse("500")),
        tif=Tif.IOC, purpose=Purpose.FLATTEN, reduce_only=True,
    )  # fmt: skip


async def run_wild(live: Harness) -> list[OrderRequest]:
    """200 places within a second, one at a time."""
    orders = [order(px="0.45", qty="30") for _ in range(200)]
    for one in orders:
        live.submit(place(one))
        await trio.sleep(0.004)
    await live.settle()
    return orders


async def test_a_runaway_engine_is_stopped(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue, fuse=LIMITS) as live:
        orders = await run_wild(live)
        assert len(rows(venue)) == 20, "the venue never sees more than allowed"
        assert len(live.seen.of(OrderOpened)) == 20
        assert [one.reason for one in live.seen.of(FuseTripped)] == ["max_orders_per_s: 21 orders in a second > 20"]
        refused = [one for item in live.seen.of(SendRefused) for one in item.client_ids]
        assert refused == [one.client_id for one in orders[20:]], "each of the rest is told, once"
        assert live.counter("fuse_refusals") == 180
        statistics = live.session.statistics()
        assert statistics.fuse == "tripped: max_orders_per_s: 21 orders in a second > 20"
        await trio.sleep(3600)
        live.submit(place(order(qty="30")))
        await live.settle()
        assert len(rows(venue)) == 20, "time does not heal it"
        assert len(live.seen.of(FuseTripped)) == 1


async def test_without_it_everything_would_have_left(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    """What the test above protects from; if this fails, something else held the orders back there too."""
    async with running(venue) as live:
        await run_wild(live)
        assert len(rows(venue)) == 200
        assert live.session.statistics().fuse == "none"


@pytest.mark.parametrize("down", [False, True])
async def test_tripped_it_still_cancels_merges_and_sells(
    venue: FakeHyperliquid, autojump_clock: Clock, down: bool
) -> None:
    async with running(venue, fuse=LIMITS) as live:
        orders = await run_wild(live)
        if down:
            venue.refuse_ws = True
            await venue.socket.drop()
        await trio.sleep(1)
        venue.actions.clear()
        live.submit(cancel(*orders[:20]))
        live.submit(AmendOrders(place().venue, (amend_of(orders[0], 1001, "0.46", "30"),)))
        live.submit(place(sale()))
        live.submit(ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(parse("10"))))
        await trio.sleep(1)
        assert sorted(body["action"]["type"] for _, body in venue.actions) == ["cancelByCloid", "order", "userOutcome"]
        assert len(rows(venue, "cancelByCloid", "cancels")) == 20
        assert [(row["b"], row["s"]) for row in rows(venue)] == [(False, "500")]
        assert live.seen.of(SendRefused)[-1].action is SentAction.AMEND


async def test_notional_of_amends_trips_it(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue, fuse=LIMITS) as live:
        bid = order(px="0.5", qty="200")
        live.submit(place(bid))
        await live.settle()
        for turn in range(80):
            live.submit(AmendOrders(place().venue, (amend_of(bid, 1001 + turn, "0.5", "200"),)))
            await trio.sleep(0.5)
        assert len(rows(venue, "batchModify", "modifies")) == 49, "50 times 100 within a minute"
        assert "max_notional_per_min" in live.seen.of(FuseTripped)[0].reason


async def test_the_news_survives_a_full_queue(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    """Nobody reads while the session does not run: what could not be queued is said with the next refusal."""
    async with idle(venue, fuse=LIMITS) as session:
        gateway = session._parts.gateway
        while gateway._say([SendRefused((), SentAction.PLACE, "filler")]):
            pass
        session.submit(place(*(order(qty="30") for _ in range(21))))
        assert gateway.fuse is not None
        assert gateway.fuse.tripped is not None
        assert not gateway.fuse.told
        gateway._said[1].receive_nowait()
        session.submit(place(order(qty="30")))
        assert gateway.fuse.told


async def test_sweeps_do_not_go_through_it(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with idle(venue, fuse=LIMITS) as session:
        words = await session.place_now([sale() for _ in range(60)])
        assert len(words) == len(rows(venue)) == 60
