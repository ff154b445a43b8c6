"""Connections that break, stall and lie; markets that end. The session says so, repairs itself, repeats nothing."""

from __future__ import annotations

import pytest
import trio

from hlomm.domain.inputs import (
    AccountState,
    BboUpdate,
    BookSnapshot,
    BookSource,
    ClockSkew,
    FeeRates,
    FillReceived,
    MarketListed,
    MarketSettled,
    MarkPrice,
    OrderOpened,
    RateBudget,
    SessionDown,
    SessionUp,
    TradePrint,
)
from hlomm.domain.markets import MarketKind
from hlomm.domain.orders import Side, Tif
from hlomm.domain.outputs import Subscribe, Unsubscribe
from hlomm.domain.units import SCALE, parse
from hlomm.sim.faults import FaultArgs


async def test_start_tells_everything_before_session_up(rig, autojump_clock):
    async with rig() as r:
        before = r.inputs[: r.inputs.index(r.all(SessionUp)[0])]
        kinds = {type(item) for item in before}
        assert {MarketListed, AccountState, FeeRates, RateBudget, ClockSkew} <= kinds
        accounts = [item for item in before if isinstance(item, AccountState)]
        assert {account.cash for account in accounts} == {parse("10000")}
        outcomes = [i.market for i in before if isinstance(i, MarketListed) and i.market.kind is MarketKind.OUTCOME]
        assert {market.period for market in outcomes} == {"3m", "15m", "1d"}
        assert abs(r.all(ClockSkew)[0].skew_ms) < 1000


async def test_books_prints_and_marks_flow_in_yes_space(rig, autojump_clock):
    async with rig() as r:
        await r.book()
        perp = next(i.market for i in r.all(MarketListed) if i.market.kind is MarketKind.PERP)
        r.session.submit(Subscribe(perp.id))
        await r.first(MarkPrice, market=perp.id)
        await r.until(lambda: len(r.all(TradePrint)) >= 5, 120)
        ids = [item.trade_id for item in r.all(TradePrint)]
        assert len(ids) == len(set(ids)), "mirrored and replayed prints are counted once"
        for book in r.all(BookSnapshot):
            prices = [px for px, _ in book.bids]
            assert prices == sorted(prices, reverse=True)
            assert all(0 < px < SCALE and qty > 0 for px, qty in (*book.bids, *book.asks))
        assert r.all(BboUpdate)


async def test_unsubscribed_market_goes_silent(rig, autojump_clock):
    async with rig() as r:
        await r.book()
        r.session.submit(Unsubscribe(r.market.id))
        await trio.sleep(2)
        count = len(r.inputs)
        await trio.sleep(5)
        assert not [i for i in r.inputs[count:] if isinstance(i, BookSnapshot | BboUpdate | TradePrint)]


async def test_broken_connection_is_said_and_repaired(rig, autojump_clock):
    async with rig() as r:
        await r.book()
        r.sim.faults.arm("ws_killed")
        await r.first(SessionDown, within_s=60)
        await r.until(lambda: len(r.all(SessionUp)) == 2, 60)
        count = len(r.inputs)
        await r.until(lambda: any(isinstance(i, BookSnapshot) for i in r.inputs[count:]), 30)
        assert r.session.statistics().reconnects >= 1


async def test_half_open_connection_is_noticed(rig, autojump_clock):
    async with rig() as r:
        await r.book()
        r.sim.faults.arm("ws_silent", FaultArgs(for_s=60))
        started = trio.current_time()
        await r.first(SessionDown, within_s=90)
        assert trio.current_time() - started <= 35  # silence, then a ping without an answer


async def test_quiet_market_is_not_a_lost_session(rig, autojump_clock):
    async with rig() as r:
        await r.book()
        r.sim.faults.arm("ws_stalled", FaultArgs(for_s=40))
        await trio.sleep(35)
        assert not r.all(SessionDown), "pings are answered, so the connection lives"


async def test_garbage_is_counted_and_nothing_else(rig, autojump_clock):
    async with rig() as r:
        await r.book()
        kinds = ("frame_garbage", "frame_truncated", "frame_duplicated", "frame_oversized")
        for fault in kinds:
            r.sim.faults.arm(fault, FaultArgs(count=5))
        await r.until(lambda: all(r.sim.faults.injected.get(fault, 0) == 5 for fault in kinds), 60)
        await trio.sleep(2)
        assert not r.all(SessionDown)
        assert sum(r.session.statistics().counters.values()) >= 5


async def test_rest_keeps_the_account_in_view_while_the_stream_is_down(rig, autojump_clock):
    async with rig() as r:
        order, _ = await r.resting()
        connect = r.sim.connect
        r.sim.faults.arm("ws_killed")
        r.sim.faults.arm("ws_silent", FaultArgs(for_s=30))
        down = await r.first(SessionDown, within_s=60)
        assert down.rest
        count = len(r.inputs)
        await r.until(lambda: any(isinstance(i, AccountState) for i in r.inputs[count:]), 10)
        r.cancel(order)
        await r.until(lambda: r.truth["open_orders"] == 0, 5)
        assert connect is not None


async def test_without_the_stream_an_order_goes_over_a_connection_that_was_kept_warm(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        await trio.sleep(60)
        r.sim.faults.arm("ws_killed")
        r.sim.faults.arm("ws_silent", FaultArgs(for_s=60))
        await r.first(SessionDown, within_s=60)
        before, orders = r.session.statistics().counters, r.truth["open_orders"]
        order, _ = await r.resting((book.bids[0][0] - 20_000_000) // 1000 * 1000)
        assert r.truth["open_orders"] == orders + 1, "carried out, and once"
        after = r.session.statistics().counters
        assert before["warm_questions"] >= 4, "both lines were asked something in that minute"
        assert after["actions_over_warm_lines"] == before.get("actions_over_warm_lines", 0) + 1
        assert after["warm_lines_opened"] == 2
        assert order.client_id in {item.client_id for item in r.all(OrderOpened)}


async def test_fills_during_an_outage_reach_us_without_the_stream(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        r.sim.faults.arm("ws_killed")
        r.sim.faults.arm("ws_silent", FaultArgs(for_s=60))
        await r.first(SessionDown, within_s=60)
        order = r.order(Side.BUY, book.asks[0][0] + 5_000_000, "30", tif=Tif.IOC)
        r.place(order)
        await r.until(
            lambda: sum(i.fill.qty for i in r.all(FillReceived) if i.fill.client_id == order.client_id) == parse("30"),
            20,
        )
        keys = [item.fill.key for item in r.all(FillReceived)]
        assert len(keys) == len(set(keys))


async def test_books_come_over_rest_for_markets_at_stake(rig, autojump_clock):
    async with rig() as r:
        await r.resting()
        r.sim.faults.arm("ws_killed")
        r.sim.faults.arm("ws_silent", FaultArgs(for_s=60))
        await r.first(SessionDown, within_s=60)
        await r.until(lambda: r.all(BookSnapshot, source=BookSource.REST), 10)
        assert r.all(BookSnapshot, source=BookSource.REST)[0].market == r.market.id


async def test_polls_of_a_long_outage_never_use_up_the_weight_of_a_minute(rig, autojump_clock):
    """The venue counts what came within 60 s: past its limit cancels are turned away like everything else."""
    async with rig() as r:
        await r.resting()
        r.sim.faults.arm("ws_killed")
        r.sim.faults.arm("ws_silent", FaultArgs(for_s=120))
        await r.first(SessionDown, within_s=60)
        states = len(r.all(AccountState))
        await trio.sleep(90)
        counters = r.session.statistics().counters
        assert "http_429" not in counters
        assert counters["rounds_skipped"] > 0, "the limit was what held them back"
        assert len(r.all(AccountState)) - states >= 9, "the account stays in view"


async def test_old_fills_repeated_on_resubscribe_are_told_once(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        order = r.order(Side.BUY, book.asks[0][0] + 5_000_000, "30", tif=Tif.IOC)
        r.place(order)
        await r.until(lambda: r.all(FillReceived))
        r.sim.faults.arm("fills_repeated")
        r.sim.faults.arm("ws_killed")
        await r.until(lambda: len(r.all(SessionUp)) == 2, 60)
        await trio.sleep(3)
        keys = [item.fill.key for item in r.all(FillReceived)]
        assert len(keys) == len(set(keys))


async def test_contract_settles_and_the_next_is_listed_without_a_reconnect(rig, autojump_clock):
    async with rig() as r:
        short = min(
            (i.market for i in r.all(MarketListed) if i.market.kind is MarketKind.OUTCOME),
            key=lambda market: market.expiry_ns or 0,
        )
        r.session.submit(Subscribe(short.id))
        settled = await r.first(MarketSettled, within_s=90, market=short.id)
        assert settled.yes_px in (0, SCALE)
        assert settled.detail.startswith("price:")
        await r.until(lambda: len([i for i in r.all(MarketListed) if i.market.period == "3m"]) >= 2, 30)
        assert not r.all(SessionDown)


@pytest.mark.parametrize(("fault", "expected"), [("settlement_void", SCALE // 2), ("settlement_late", None)])
async def test_odd_settlements_arrive_as_they_are(rig, autojump_clock, fault, expected):
    async with rig() as r:
        r.sim.faults.arm(fault, FaultArgs(delay_s=20, count=1))
        settled = await r.first(MarketSettled, within_s=150)
        assert expected is None or settled.yes_px == expected


async def test_reconnect_after_a_roll_does_not_ask_for_the_dead_coin(rig, autojump_clock):
    async with rig() as r:
        short = min(
            (i.market for i in r.all(MarketListed) if i.market.kind is MarketKind.OUTCOME),
            key=lambda market: market.expiry_ns or 0,
        )
        r.session.submit(Subscribe(short.id))
        await r.first(MarketSettled, within_s=90, market=short.id)
        r.sim.faults.arm("dead_coin_closes", FaultArgs(for_s=600))
        r.sim.faults.arm("ws_killed")
        await r.until(lambda: len(r.all(SessionUp)) == 2, 60)
        await trio.sleep(20)
        assert len(r.all(SessionDown)) == 1, "one loss, no loop of reconnects"
        assert r.sim.faults.injected.get("dead_coin_closes", 0) == 0


@pytest.mark.parametrize("fault", ["rest_429", "rest_500", "rest_html"])
async def test_bad_rest_answers_are_survived(rig, autojump_clock, fault):
    async with rig() as r:
        r.sim.faults.arm(fault, FaultArgs(count=3))
        count = len(r.all(AccountState))
        await r.until(lambda: len(r.all(AccountState)) > count, 120)
        assert not r.all(SessionDown)
