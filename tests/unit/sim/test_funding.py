"""Rung: pure, stateful. Hourly funding: rate, payments that add up to nothing, and what the wire says of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.config import FlowConfig, ListingConfig, RulesConfig, SimConfig
from hlomm.sim.events import FundingPaid
from hlomm.sim.funding import funding_payments
from hlomm.sim.harness import simulated_hyperliquid
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.schema import Malformed
from hlomm.sim.hl.venue import Venue

BUY, SELL = Side.BUY, Side.SELL
BTC = 100_000
HOUR = 3600 * 10**9


def pass_to_the_hour(desk: Any) -> None:
    """Blocks each 5 s until just after the next full hour."""
    tape = desk.exchange.tape
    end = tape.now_ns // HOUR * HOUR + HOUR
    while tape.now_ns <= end:
        desk.exchange.run_schedules()
        tape.now_ns += 5 * 10**9


def positions(desk: Any, *lots: int) -> list[Account]:
    """Accounts with these positions, all against one more."""
    made = [desk.account(perp=10_000_000) for _ in (*lots, 0)]
    for account, size in zip(made, lots, strict=False):
        side = BUY if size > 0 else SELL
        desk.perp(made[-1], Side(-side), 800_000, abs(size))
        desk.perp(account, side, 800_000, abs(size), Tif.IOC)
    return made


def test_longs_pay_shorts_at_the_neutral_rate(desk: Any) -> None:
    one, other = positions(desk, BTC)
    before = one.perp.raw, other.perp.raw
    pass_to_the_hour(desk)
    paid = 80_000 * SCALE * 1_250 // SCALE  # 0.00125 % of the value
    assert (one.perp.raw, other.perp.raw) == (before[0] - paid, before[1] + paid)
    assert (one.perp.paid, one.perp.paid_open, one.perp.paid_change) == (paid, paid, paid)
    assert other.perp.paid == -paid
    rows = {e.account.name: e.row for e in desk.events(FundingPaid)}
    assert (rows[one.name].usdc, rows[one.name].lots, rows[one.name].rate) == (-paid, BTC, 1_250)
    (point,) = desk.exchange.funding.history
    assert (point.rate, point.premium) == (1_250, 0)


def test_paid_once_per_hour(desk: Any) -> None:
    positions(desk, BTC)
    for _ in range(3):
        pass_to_the_hour(desk)
        desk.exchange.run_schedules()
    assert len(desk.exchange.funding.history) == 3
    assert len(desk.events(FundingPaid)) == 6


@pytest.mark.parametrize(
    ("bid", "ask", "rate"),
    [
        (799_990, 800_010, 1_250),  # no premium
        (800_400, 800_410, 1_250),  # 0.05 %: the clamp pulls it back to the interest
        (808_000, 808_010, (1_000_000 - 50_000) // 8),  # 1 % above
        (791_990, 792_000, -((1_000_000 - 50_000) // 8)),  # 1 % below
        (799_990, None, 1_250),
    ],
)
def test_rate_by_premium(desk: Any, bid: int, ask: int | None, rate: int) -> None:
    makers = desk.account(perp=10_000_000)
    desk.perp(makers, BUY, bid, BTC)
    if ask is not None:
        desk.perp(makers, SELL, ask, BTC)
    desk.exchange.run_schedules()
    assert desk.exchange.funding.rate == rate


def test_the_premium_is_averaged_over_the_hour_and_read_at_the_impact_notional(desk: Any) -> None:
    makers = desk.account(perp=10_000_000)
    desk.perp(makers, BUY, 808_000, BTC // 100)  # 808 USD of the 20,000
    desk.perp(makers, BUY, 792_000, BTC)
    desk.exchange.run_schedules()
    assert desk.exchange.funding.premium == 0
    desk.perp(makers, BUY, 808_000, BTC)
    desk.exchange.tape.now_ns += 5 * 10**9
    desk.exchange.run_schedules()
    assert desk.exchange.funding.premium == 500_000  # 0 and 1 %
    pass_to_the_hour(desk)
    assert desk.exchange.funding.history[-1].premium > 990_000
    assert desk.exchange.funding.premium == 0  # a new hour
    desk.exchange.run_schedules()
    assert desk.exchange.funding.premium == 1_000_000


@pytest.mark.parametrize("fixed", [-4_000_000, 0, 777])
def test_a_fixed_rate(make_desk: Any, fixed: int) -> None:
    desk = make_desk(RulesConfig(funding_hourly=fixed))
    one, _ = positions(desk, BTC)
    raw = one.perp.raw
    pass_to_the_hour(desk)
    assert one.perp.raw - raw == -80_000 * fixed
    assert desk.exchange.audit() == []


def test_switched_off(make_desk: Any) -> None:
    desk = make_desk(RulesConfig(funding=False))
    one, _ = positions(desk, BTC)
    raw = one.perp.raw
    pass_to_the_hour(desk)
    assert one.perp.raw == raw
    assert len(desk.exchange.funding.history) == 0


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=9),
    st.integers(1, 9_999_999),
    st.integers(-4_000_000, 4_000_000),
)
def test_payments_add_up_to_nothing_and_none_is_off_by_more_than_its_payers(
    sizes: list[int], mark: int, rate: int
) -> None:
    accounts = [Account(f"0x{index:040x}", f"a{index}") for index in range(len(sizes) + 1)]
    for account, size in zip(accounts, [*sizes, -sum(sizes)], strict=True):
        account.perp.lots = size
    payments = funding_payments(accounts, mark, rate)
    assert sum(cash for _, cash in payments) == 0
    for account, cash in payments:
        assert cash * account.perp.lots * rate <= 0, "who is long pays at a positive rate"
        exact = -account.perp.lots * mark * PERP_GRID.cash * rate / SCALE
        assert abs(cash - exact) <= len(accounts) + abs(exact) * 1e-9


def test_funding_since_open_and_since_change(desk: Any) -> None:
    one, other = positions(desk, BTC)
    pass_to_the_hour(desk)
    desk.perp(other, SELL, 800_000, BTC)
    desk.perp(one, BUY, 800_000, BTC, Tif.IOC)
    assert one.perp.paid_open > 0 == one.perp.paid_change
    desk.perp(other, BUY, 800_000, 2 * BTC)
    desk.perp(one, SELL, 800_000, 2 * BTC, Tif.IOC)
    assert one.perp.paid > 0 == one.perp.paid_open


def test_a_position_that_changes_sides_was_opened_anew(desk: Any) -> None:
    one, other = positions(desk, BTC)
    pass_to_the_hour(desk)
    desk.perp(other, BUY, 800_000, 3 * BTC)
    desk.perp(one, SELL, 800_000, 3 * BTC, Tif.IOC)
    assert one.perp.lots == -2 * BTC
    assert one.perp.paid > 0 == one.perp.paid_open


# -- the wire


def test_history_and_payments_in_info(golden: Any) -> None:
    origin = 1_795_000_035 * 10**9
    venue = Venue(SimConfig(flow=FlowConfig(enabled=False), listing=ListingConfig(warmup_s=6.0)), 4, origin)
    exchange, tape = venue.exchange, venue.exchange.tape
    one, other = (exchange.accounts[keys.address] for keys in venue.accounts[:2])
    for account, lots in ((one, 1_000), (other, -1_000)):
        account.perp.lots, account.perp.entry = lots, lots * 800_000 * PERP_GRID.cash
        exchange.ledger._raw(account, -lots * 800_000 * PERP_GRID.cash)
    for hour in range(1, 4):
        tape.now_ns = origin // HOUR * HOUR + hour * HOUR
        exchange.run_schedules()
    rows = Info(venue).answer({"type": "userFunding", "user": one.address, "startTime": 0}).value
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert len(rows) == 3
    sample = golden("sdk_cassettes/user_funding_history_with_end_time.json")["interactions"][0]["response"][0]
    assert set(rows[0]) == set(sample)
    assert set(rows[0]["delta"]) == set(sample["delta"])
    assert rows[0]["delta"]["usdc"].startswith("-")
    assert rows[0]["delta"]["szi"] == "0.01"
    last = rows[-1]["time"]
    later = Info(venue).answer({"type": "userFunding", "user": one.address, "startTime": last}).value
    assert later == rows[-1:]
    history = Info(venue).answer({"type": "fundingHistory", "coin": "BTC", "startTime": 0, "endTime": last - 1}).value
    assert len(history) == 2
    assert set(history[0]) == set(golden("nautilus/http_funding_history.json")[0])
    assert Info(venue).answer({"type": "fundingHistory", "coin": "DOGE", "startTime": 0}).status == 500
    with pytest.raises(Malformed):
        Info(venue).answer({"type": "fundingHistory", "coin": "BTC"})
    state = Info(venue).answer({"type": "clearinghouseState", "user": one.address}).value
    paid = state["assetPositions"][0]["position"]["cumFunding"]
    assert paid["allTime"] == paid["sinceOpen"] == paid["sinceChange"] != "0.0"


async def test_payments_in_the_streams(client: Any, wire: Any, autojump_clock: Any) -> None:
    config = SimConfig(flow=FlowConfig(enabled=False), listing=ListingConfig(warmup_s=6.0))
    origin = 1_795_000_035 * 10**9 // HOUR * HOUR + HOUR - 45 * 10**9
    async with simulated_hyperliquid(seed=3, config=config, venue_origin_ns=origin) as sim:
        me, ws, rest = client(sim), await client(sim).websocket(), await client(sim).rest()
        user = sim.accounts[0].address
        await ws.subscribe(type="userFundings", user=user)
        assert await ws.until("userFundings") == {"isSnapshot": True, "user": user, "fundings": []}
        await ws.subscribe(type="userEvents", user=user)
        price = str(sim.exchange.perp.mark_ticks // 10)
        for index, buy in enumerate((False, True)):
            order = wire.order(0, buy=buy, px=price, sz="0.01", tif="Gtc")
            await rest.exchange(me.signer(1 - index)(wire.orders(order)))
        paid = (await ws.until("userFundings"))["fundings"]
        assert [row["coin"] for row in paid] == ["BTC"]
        assert set(paid[0]) == {"time", "coin", "usdc", "szi", "fundingRate"}
        assert await ws.until("user", lambda data: "funding" in data) == {"funding": paid[0]}
        again = await client(sim).websocket()
        await again.subscribe(type="userFundings", user=user)
        assert (await again.until("userFundings"))["fundings"] == paid
