"""The Kalshi session against the simulated Kalshi: what every venue must do, and what goes wrong only here."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.faults import VenueRefused
from hlomm.domain.fills import FillKind
from hlomm.domain.ids import KALSHI, ClientId, MarketId
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BookSnapshot,
    CancelFailed,
    DeadmanArmed,
    FillReceived,
    FuseTripped,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRates,
    SendRefused,
    SessionDown,
    SessionUp,
    TradePrint,
    VenuePaused,
)
from hlomm.domain.markets import Comparator, Leg, Source
from hlomm.domain.orders import CancelRequest, OrderRequest, Side, Tif
from hlomm.domain.outputs import CancelOrders, QueryAccount, QueryOrder, Subscribe
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.engine.books import Book
from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness_kalshi import simulated_kalshi
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.orders import NewOrder
from hlomm.sim.kalshi.refusals import Refused
from hlomm.sim.kalshi.rest_market import MarketData
from hlomm.sim.kalshi.rest_portfolio import PortfolioReads
from hlomm.venues.flatten_plan import FlattenBounds
from hlomm.venues.fuse import FuseLimits
from hlomm.venues.kalshi.wire.errors import NOT_FOUND, POST_ONLY_CROSS, Refusal
from hlomm.venues.sweep import flatten_account
from tests.conformance.kalshi_rig import Rig, kalshi_rig, session_of, sim_config

pytestmark = pytest.mark.slow


def arm(rig: Rig, name: str, **args: float) -> None:
    rig.sim.faults.arm(name, FaultArgs(**args))  # type: ignore[arg-type]


def engine_book(rig: Rig, market: MarketId, place: int | None = None) -> Book:
    """The books told up to a place, as the engine takes them: what looks older than the last is dropped."""
    book = Book()
    for item in rig.inputs[:place]:
        if isinstance(item, BookSnapshot) and item.market == market:
            book.apply_snapshot(item, 0)
        elif isinstance(item, SessionDown):
            book.forget()
    return book


def live_books_equal(rig: Rig) -> bool:
    """What an engine has of the book against the exchange's own, at this instant."""
    told = engine_book(rig, rig.market.id)
    book = rig.sim.exchange.markets[rig.market.id.partition(":")[2]].book
    bid, ask = book.best_ticks(Side.BUY), book.best_ticks(Side.SELL)
    return (told.bids[0][0] if told.bids else None, told.asks[0][0] if told.asks else None) == (
        None if bid is None else bid * 10_000,
        None if ask is None else ask * 10_000,
    )


# -- markets


async def test_it_connects_and_lists_what_it_understands(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        assert rig.inputs.index(rig.all(SessionUp)[0]) > rig.inputs.index(rig.all(AccountState)[0])
        assert rig.session.statistics().state == "live"
        (rates,) = rig.all(SendRates)
        assert (rates.per_min, rates.place, rates.cancel) == (rig.sim.venue.rules.write_per_s * 60, 10, 2)
        for market in rig.markets:
            assert market.source is Source.BRTI
            assert market.averaging_s == 60
            assert market.fee is not None
        above = [market for market in rig.markets if market.klass == "KXBTCD"]
        assert above
        assert all(market.comparator is Comparator.ABOVE for market in above)
        assert len({market.rules for market in above}) == 1
        for series in {market.klass for market in rig.markets}:
            texts = {market.template for market in rig.markets if market.klass == series}
            assert len(texts) == 1, "one review of a series holds for all its contracts"
            assert texts != {""}


async def test_a_window_is_listed_when_its_strike_comes(autojump_clock: trio.testing.MockClock) -> None:
    config = sim_config(flow=False, listing={"ahead_s": 600.0})
    async with kalshi_rig(sim=config) as rig:
        windows = {m.ticker: m for m in rig.sim.exchange.markets.values() if m.series.ticker == "KXBTC15M"}
        await rig.until(
            lambda: any(m.strike is None for m in rig.sim.exchange.markets.values() if m.series.ticker == "KXBTC15M"),
            within_s=900,
        )
        unknown = [m for m in rig.sim.exchange.markets.values() if m.series.ticker == "KXBTC15M" and m.strike is None]
        (coming,) = [m for m in unknown if m.ticker not in windows] or unknown
        await trio.sleep(30)
        market_id = f"kalshi:{coming.ticker}"
        assert market_id not in [market.id for market in rig.markets]
        await rig.until(lambda: market_id in [market.id for market in rig.markets], within_s=900)
        (market,) = [market for market in rig.markets if market.id == market_id]
        assert coming.strike is not None
        assert market.strike is not None
        assert market.averaging_from_ns == coming.open_ns
        now_ns = rig.clock.now().wall_ns
        assert coming.open_ns <= now_ns < coming.open_ns + 15 * 10**9


@pytest.mark.parametrize("fault", ["levels_changed", "fees_changed", "rules_changed"])
async def test_changed_terms_are_told(autojump_clock: trio.testing.MockClock, fault: str) -> None:
    async with kalshi_rig(horizon_s=90_000.0) as rig:
        before = {market.id: market for market in rig.markets}
        arm(rig, fault)
        changed = (await rig.first(MarketChanged, within_s=60)).market
        was = before[changed.id]
        if fault == "levels_changed":
            assert (changed.tick, changed.ticks) != (was.tick, was.ticks)
        elif fault == "fees_changed":
            assert changed.fee is not None
            assert changed.fee.maker == 1_750_000
        else:
            assert changed.rules != was.rules


# -- books


@pytest.mark.parametrize("yes_prices", [False, True])
async def test_the_book_is_the_exchanges(autojump_clock: trio.testing.MockClock, yes_prices: bool) -> None:
    async with kalshi_rig(yes_prices=yes_prices) as rig:
        await rig.book()
        for _ in range(20):
            await trio.sleep(1)
            await rig.until(lambda: live_books_equal(rig), within_s=5)
        assert rig.all(TradePrint)
        assert not [name for name in rig.session.statistics().counters if name.startswith("books_stale")]
        rest = await rig.session.fetch_book(rig.market.id)
        assert rest is not None
        assert rest.bids
        assert rest.asks


@pytest.mark.parametrize("fault", ["sequence_gap", "buffer_overflow", "frame_garbage", "frame_duplicated"])
async def test_after_a_hole_no_book_is_believed_before_its_snapshot(
    autojump_clock: trio.testing.MockClock, fault: str
) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        other = next(one for one in rig.markets if one.id != rig.market.id and one.klass == "KXBTCD")
        rig.session.submit(Subscribe(other.id))
        await trio.sleep(5)
        place = len(rig.inputs)
        arm(rig, fault)
        await trio.sleep(10)
        if fault in ("sequence_gap", "buffer_overflow"):
            told = [item for item in rig.inputs[place:] if isinstance(item, BookSnapshot)]
            emptied = {item.market: item for item in told if not item.bids and not item.asks}
            for market in (rig.market.id, other.id):
                book = engine_book(rig, market, rig.inputs.index(emptied[market]) + 1)
                assert (book.bids, book.asks) == ((), ()), "an engine believes it too"
        await rig.until(lambda: live_books_equal(rig), within_s=10)


async def test_a_killed_connection_comes_back_with_whole_books(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        arm(rig, "ws_killed")
        await rig.first(SessionDown)
        await rig.until(lambda: len(rig.all(SessionUp)) == 2)
        await trio.sleep(2)
        await rig.until(lambda: live_books_equal(rig), within_s=10)
        assert rig.session.statistics().reconnects == 1


# -- orders


async def test_post_only_rests_or_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        book = await rig.book()
        crossing = rig.order(Side.BUY, book.asks[0][0])
        rig.place(crossing)
        refused = await rig.first(OrderRejected, client_id=crossing.client_id)
        assert refused.code == POST_ONLY_CROSS
        order, opened = await rig.resting()
        assert [row.client_id for row in await rig.session.fetch_resting()] == [order.client_id]
        rig.cancel(order)
        closed = await rig.first(OrderClosed, client_id=order.client_id)
        assert (closed.status, closed.venue_order_id) == ("canceled", opened.venue_order_id)
        await rig.until(lambda: not rig.account.orders())
        counters = rig.session.statistics().counters
        assert counters["actions_over_warm_lines"] >= 3
        assert "actions_without_warm_line" not in counters


async def test_immediate_orders_fill_and_end(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        book = await rig.book()
        order = rig.order(Side.BUY, book.asks[0][0] + 5_000_000, "5", tif=Tif.IOC)
        rig.place(order)
        closed = await rig.first(OrderClosed, client_id=order.client_id)
        assert (closed.status, closed.filled) == ("filled", parse("5"))
        await rig.until(lambda: sum(item.fill.qty for item in rig.all(FillReceived)) == parse("5"))
        fill = rig.all(FillReceived)[0].fill
        assert (fill.client_id, fill.leg, fill.side, fill.maker) == (order.client_id, Leg.YES, Side.BUY, False)
        assert fill.fee > 0
        too_much = rig.order(Side.BUY, book.asks[0][0], "100000", tif=Tif.FOK)
        rig.place(too_much)
        await rig.until(
            lambda: (
                rig.all(OrderClosed, client_id=too_much.client_id)
                or rig.all(OrderRejected, client_id=too_much.client_id)
            )
        )
        assert rig.agrees()


async def test_an_amend_moves_price_and_size_under_a_new_number(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        order, opened = await rig.resting()
        rig.amend(order, opened, parse("0.06"), "7")
        await rig.until(lambda: len(rig.all(OrderOpened, client_id=order.client_id)) == 2)
        amended = rig.all(OrderOpened, client_id=order.client_id)[1]
        assert amended.venue_order_id != opened.venue_order_id
        (resting,) = await rig.session.fetch_resting()
        assert (resting.px, resting.leaves) == (parse("0.06"), parse("7"))
        assert resting.venue_order_id == amended.venue_order_id
        rig.cancel(order)
        closed = await rig.first(OrderClosed, client_id=order.client_id)
        assert closed.venue_order_id == amended.venue_order_id
        rig.amend(order, amended, parse("0.07"), "7")
        await rig.first(AmendFailed, client_id=order.client_id)


async def test_both_legs_are_one_book_and_net_to_the_last_unit(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        for leg, side, qty in [
            (Leg.YES, Side.BUY, "12.34"),
            (Leg.NO, Side.BUY, "5.01"),
            (Leg.NO, Side.BUY, "20"),
            (Leg.NO, Side.SELL, "3"),
            (Leg.YES, Side.BUY, "30.5"),
            (Leg.YES, Side.SELL, "18.83"),
        ]:
            order = rig.order(side, parse("0.99" if side is Side.BUY else "0.01"), qty, tif=Tif.IOC, leg=leg)
            rig.place(order)
            await rig.first(OrderClosed, client_id=order.client_id)
            await trio.sleep(3)
            assert rig.agrees(), (leg, side, qty, rig.believed(), rig.cash)
        assert rig.position(rig.market.id) == 0 or rig.believed()[1]
        rig.session.submit(QueryAccount(KALSHI))
        before = len(rig.all(AccountState))
        await rig.until(lambda: len(rig.all(AccountState)) > before)
        state = rig.all(AccountState)[-1]
        cash, tokens = rig.believed()
        assert (state.cash, {(row.market, row.leg): row.total for row in state.tokens}) == (cash, tokens)


# -- answers that do not come


async def test_a_lost_answer_is_settled_by_our_own_id(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        arm(rig, "reply_lost")
        order = rig.order(Side.BUY, parse("0.05"))
        rig.place(order)
        # Its frame may tell before the request gives up; the answer is lost all the same.
        lost = await rig.first(SendLost)
        assert lost.client_ids == (order.client_id,)
        rig.session.submit(QueryOrder(KALSHI, order.client_id))
        answer = await rig.first(OrderAnswer, client_id=order.client_id)
        assert (answer.found, answer.open, answer.leaves) == (True, True, parse("10"))
        assert len(rig.account.orders()) == 1
        rig.cancel(order)
        await rig.first(OrderClosed, client_id=order.client_id)


async def test_an_order_that_never_was_is_denied(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        missing = ClientId("0x686c000000000000000000000000ffff")
        rig.session.submit(QueryOrder(KALSHI, missing))
        answer = await rig.first(OrderAnswer, client_id=missing)
        assert (answer.found, answer.open) == (False, False)


async def test_a_status_that_nobody_knows_ends_no_order(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = PortfolioReads.order

    def parked(self: PortfolioReads, *args: Any) -> Any:
        return {"order": told(self, *args)["order"] | {"status": "parked"}}

    async with kalshi_rig() as rig:
        await rig.book()
        order, _ = await rig.resting()
        monkeypatch.setattr(PortfolioReads, "order", parked)
        rig.session.submit(QueryOrder(KALSHI, order.client_id))
        await rig.until(lambda: rig.session.statistics().counters.get("questions_unanswered"), 60)
        assert rig.all(OrderAnswer, client_id=order.client_id) == []
        monkeypatch.undo()
        rig.session.submit(QueryOrder(KALSHI, order.client_id))
        assert (await rig.first(OrderAnswer, client_id=order.client_id)).open


async def test_a_repeated_id_is_not_a_second_order(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        order, opened = await rig.resting()
        rig.place(order)
        await rig.until(lambda: len(rig.all(OrderOpened, client_id=order.client_id)) == 2)
        assert {one.venue_order_id for one in rig.all(OrderOpened)} == {opened.venue_order_id}
        assert len(rig.account.orders()) == 1
        assert rig.session.statistics().counters["duplicate_ids"] == 1


async def test_a_cancel_of_the_wrong_shard_proves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        order, opened = await rig.resting()
        track = rig.session._parts.tracks.of(order.client_id)
        assert track is not None
        refused = await rig.session._parts.rest.cancel(str(opened.venue_order_id), track.ticker, 0)
        assert isinstance(refused, Refusal)
        assert refused.code == NOT_FOUND
        track.shard = 0
        rig.cancel(order)
        failed = await rig.first(CancelFailed, client_id=order.client_id)
        assert failed.code == NOT_FOUND
        assert len(rig.account.orders()) == 1
        track.shard = 2
        rig.cancel(order)
        await rig.first(OrderClosed, client_id=order.client_id)
        assert not rig.account.orders()


async def test_a_cancel_that_comes_too_late_learns_what_happened(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        book = await rig.book()
        order = rig.order(Side.BUY, book.asks[0][0] + 5_000_000, "5", tif=Tif.IOC)
        rig.place(order)
        rig.cancel(order)
        closed = await rig.first(OrderClosed, client_id=order.client_id)
        assert (closed.status, closed.filled) == ("filled", parse("5"))
        await trio.sleep(5)
        assert len(rig.all(OrderClosed, client_id=order.client_id)) == 1
        assert rig.agrees()


# -- pauses, closes


@pytest.mark.parametrize("fault", ["trading_paused", "exchange_paused"])
async def test_a_pause_of_the_shard_is_told_and_taken_back(autojump_clock: trio.testing.MockClock, fault: str) -> None:
    async with kalshi_rig() as rig:
        arm(rig, fault)
        paused = await rig.first(VenuePaused)
        assert paused.until_ms > rig.clock.wall_ms()
        rig.sim.faults.clear(fault)
        again = await rig.first(VenuePaused, until_ms=0)
        assert rig.inputs.index(again) > rig.inputs.index(paused)


async def test_the_weekly_pause_is_known(autojump_clock: trio.testing.MockClock) -> None:
    thursday_ns = 1_795_075_200 * 10**9 + 30 * 10**9  # Thursday 2026-11-19, 03:00:30 in New York
    async with kalshi_rig(sim=sim_config(thursday_pause=True), origin_ns=thursday_ns) as rig:
        paused = await rig.first(VenuePaused)
        assert paused.until_ms == (1_795_075_200 + 7_200) * 1_000


async def test_the_close_empties_the_book_and_the_settlement_pays(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        soonest = min((one for one in rig.markets if one.klass == "KXBTCD"), key=lambda one: one.expiry_ns or 0)
        await rig.book(soonest.id)
        order = rig.order(Side.BUY, parse("0.99"), "8", tif=Tif.IOC, market=soonest.id)
        rig.place(order)
        await rig.first(OrderClosed, client_id=order.client_id)
        quote = rig.order(Side.BUY, parse("0.01"), "8", market=soonest.id)
        rig.place(quote)
        await rig.first(OrderOpened, client_id=quote.client_id)
        # Resting when the market closes: the venue ends it.
        await rig.first(OrderClosed, client_id=quote.client_id, within_s=600)
        await rig.until(
            lambda: (
                not rig.all(BookSnapshot, market=soonest.id)[-1].bids
                and not rig.all(BookSnapshot, market=soonest.id)[-1].asks
            ),
            within_s=60,
        )
        settled = await rig.first(MarketSettled, market=soonest.id, within_s=120)
        truth = rig.sim.exchange.markets[soonest.id.partition(":")[2]]
        assert settled.yes_px == (100_000_000 if truth.result else 0)
        await rig.until(rig.agrees, within_s=30)
        rig.session.submit(QueryAccount(KALSHI))
        await trio.sleep(10)
        assert rig.all(AccountState)[-1].cash == rig.cash
        late = rig.order(Side.BUY, parse("0.01"), "8", market=soonest.id)
        rig.place(late)
        refused = await rig.first(OrderRejected, client_id=late.client_id)
        assert refused.code == "no_such_market"


async def test_a_missed_settlement_is_found_in_the_documents(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        soonest = min((one for one in rig.markets if one.klass == "KXBTCD"), key=lambda one: one.expiry_ns or 0)
        arm(rig, "ws_silent", delay_s=600)
        settled = await rig.first(MarketSettled, market=soonest.id, within_s=600)
        truth = rig.sim.exchange.markets[soonest.id.partition(":")[2]]
        assert settled.yes_px == (100_000_000 if truth.result else 0)


async def test_a_market_that_vanishes_ends_by_the_accounts_own_record_and_holds_up_nothing(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its documents are gone before anybody told what it paid: no other market, and no account, waits for it."""
    async with kalshi_rig() as rig:
        closing = min(one.expiry_ns or 0 for one in rig.markets if one.klass == "KXBTCD")
        event = [one for one in rig.markets if one.klass == "KXBTCD" and one.expiry_ns == closing]
        gone, other, *rest = event
        order = rig.order(Side.BUY, parse("0.99"), "8", tif=Tif.IOC, market=gone.id)
        rig.place(order)
        await rig.first(OrderClosed, client_id=order.client_id)
        ticker, document = gone.id.partition(":")[2], MarketData.market

        def vanished(self: MarketData, asked: str, now_ns: int) -> Any:
            missing = asked in (ticker, other.id.partition(":")[2])
            if missing and rig.sim.exchange.markets[ticker].result is not None:
                raise Refused(refusals.NOT_FOUND)
            return document(self, asked, now_ns)

        monkeypatch.setattr(MarketData, "market", vanished)
        arm(rig, "ws_silent", delay_s=600)
        for one in (*rest, gone):
            await rig.first(MarketSettled, market=one.id, within_s=600)
        await rig.first(MarketDelisted, market=other.id)
        told = await rig.first(MarketSettled, market=gone.id)
        assert (told.yes_px > 0) is bool(rig.sim.exchange.markets[ticker].result)
        await rig.until(lambda: rig.all(AccountState)[-1].cash == rig.cash, within_s=60)


# -- the dead-man


async def test_orders_end_by_themselves_when_the_session_is_cut(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig(expires_after_s=20.0) as rig:
        await rig.book()
        await rig.resting()
        await trio.sleep(70)
        assert len(rig.account.orders()) == 1, "renewed three times over its own term"
        assert rig.session.statistics().counters["renewals"] >= 3
        promised_ms = rig.all(DeadmanArmed)[-1].until_ms
        rig.sim.cable.unplug()
        cut_ms = rig.clock.wall_ms()
        await rig.until(lambda: not rig.account.orders(), within_s=60)
        gone_ms = rig.clock.wall_ms()
        assert gone_ms <= promised_ms
        assert gone_ms - cut_ms <= 22_000


async def test_what_is_promised_is_never_earlier_than_what_rests(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig(expires_after_s=20.0) as rig:
        await rig.book()
        for place in range(30):
            if place % 5 == 0:
                await rig.resting(px=f"0.0{place // 5 + 1}")
            await trio.sleep(1)
            promised_ms = rig.all(DeadmanArmed)[-1].until_ms
            for order in rig.account.orders():
                assert order.expires_ns is not None
                assert order.expires_ns <= promised_ms * 1_000_000


# -- access, restarts, requests only


async def test_a_refused_key_is_said_to_be_one(autojump_clock: trio.testing.MockClock) -> None:
    async with simulated_kalshi(config=sim_config()) as sim:
        session, _, _ = session_of(sim, key_id="11111111-2222-4333-8444-555555555555")
        assert await session.check_access() is not None
        with pytest.raises(VenueRefused):
            await session.run(lambda *_: None)
        session, _, _ = session_of(sim)
        assert await session.check_access() is None


async def test_leftovers_of_an_earlier_run_are_swept(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        await rig.resting()
        later, _, _ = session_of(rig.sim)
        inputs: list[object] = []
        async with trio.open_nursery() as nursery:
            await nursery.start(later.run, lambda items, _: inputs.extend(items))
            nursery.cancel_scope.cancel()
        assert not rig.account.orders()
        first = next(item for item in inputs if isinstance(item, AccountState))
        assert (first.cash, first.orders) == (rig.cash, ())


async def test_a_later_run_is_told_what_it_missed(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        before = rig.clock.wall_ms()
        await trio.sleep(3)
        for qty in ("4", "2.5"):
            order = rig.order(Side.BUY, parse("0.99"), qty, tif=Tif.IOC)
            rig.place(order)
            await rig.first(OrderClosed, client_id=order.client_id)
            await trio.sleep(1)
        await rig.until(rig.agrees)
        keys = {item.fill.key for item in rig.all(FillReceived)}
        later, _, _ = session_of(rig.sim, fills_from_ms=before)
        inputs: list[object] = []
        async with trio.open_nursery() as nursery:
            await nursery.start(later.run, lambda items, _: inputs.extend(items))
            nursery.cancel_scope.cancel()
        assert {item.fill.key for item in inputs if isinstance(item, FillReceived)} == keys
        state = [item for item in inputs if isinstance(item, AccountState)][-1]
        assert state.cash == rig.cash
        assert sum(row.total for row in state.tokens) == parse("6.5")


async def test_requests_alone_are_enough_for_a_sweep(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        market = rig.market.id
        order = rig.order(Side.BUY, parse("0.99"), "6", tif=Tif.IOC)
        rig.place(order)
        await rig.first(OrderClosed, client_id=order.client_id)
        await rig.resting()
        alone, _, _ = session_of(rig.sim)
        resting = await alone.fetch_resting()
        assert len(resting) == 1
        assert await alone.cancel_now(resting) == 1
        assert not rig.account.orders()
        state = await alone.fetch_account()
        assert state.cash == rig.cash
        assert [(row.market, row.leg, row.total) for row in state.tokens] == [(market, Leg.YES, parse("6"))]
        sale = rig.order(Side.SELL, parse("0.01"), "6", tif=Tif.IOC, reduce_only=True)
        assert await alone.place_now([sale]) == ["filled"]
        assert rig.position(market) == 0


async def test_a_sale_without_a_session_is_made_on_the_markets_own_steps(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What is worth less than a cent can be sold where the steps are finer."""
    async with kalshi_rig(sim=sim_config(flow=False)) as rig:
        window = next(one for one in rig.markets if one.klass == "KXBTC15M")
        engine, ticker = rig.sim.exchange.engines[2], window.id.partition(":")[2]
        maker = rig.sim.venue.member("free-1")
        assert maker is not None

        def trade(side: Side, ticks: int, lots: int) -> None:
            new = NewOrder(ticker=ticker, side=side, ticks=ticks, lots=lots)
            rig.sim.venue.world.submit(rig.clock.now().wall_ns, lambda: engine.place(maker, new))

        trade(Side.SELL, 5_000, 600)
        await trio.sleep(1)
        rig.place(rig.order(Side.BUY, parse("0.50"), "6", tif=Tif.IOC, market=window.id))
        await rig.until(lambda: rig.position(window.id) == parse("6"))
        trade(Side.BUY, 60, 1_000)  # 0.006
        await trio.sleep(1)
        alone, _, _ = session_of(rig.sim)
        report = await flatten_account(alone, FlattenBounds(slippage=Px(parse("0.02"))), rig.ids.mint)
        assert report.words == ("filled",)
        assert report.flat
        assert rig.position(window.id) == 0


async def test_a_fast_venue_agrees_too(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig(speed=10.0) as rig:
        await rig.book()
        for place in range(8):
            book = rig.all(BookSnapshot, market=rig.market.id)[-1]
            if not (book.bids and book.asks):
                continue
            leg = Leg.YES if place % 2 else Leg.NO
            px = book.bids[0][0] if leg is Leg.YES else 100_000_000 - book.asks[0][0]
            rig.place(rig.order(Side.BUY, px, "15", leg=leg))
            await trio.sleep(1)
        for item in rig.all(OrderOpened):
            request = CancelRequest(client_id=item.client_id, market=rig.market.id, leg=Leg.YES)
            rig.session.submit(CancelOrders(KALSHI, (request,)))
        await trio.sleep(5)
        assert rig.all(FillReceived)
        assert any(item.fill.maker for item in rig.all(FillReceived))
        await rig.until(rig.agrees, within_s=20)
        assert not rig.account.orders()
        assert rig.all(MarketListed)


@pytest.mark.parametrize("rules", [{"balance_available": False}, {"balance_available": True}, {"direct_member": False}])
async def test_cash_is_exact_whatever_the_balance_holds(
    autojump_clock: trio.testing.MockClock, rules: dict[str, bool]
) -> None:
    async with kalshi_rig(sim=sim_config(**rules)) as rig:
        await rig.book()
        held = rig.order(Side.BUY, parse("0.99"), "7.77", tif=Tif.IOC)
        rig.place(held)
        await rig.first(OrderClosed, client_id=held.client_id)
        await rig.resting(px="0.02", qty="300")
        rig.place(rig.order(Side.BUY, parse("0.03"), "50", leg=Leg.NO))
        await trio.sleep(25)
        states = [item for item in rig.all(AccountState) if len(item.orders) == 2]
        assert states
        assert rig.account.held[2] > 0
        assert {state.cash for state in states} == {rig.cash}
        assert rig.agrees()


async def test_what_the_wire_cannot_say_is_refused_before_it(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        await rig.book()
        for px, qty in [("0.05001", "1"), ("0.05", "0.001"), ("0", "1"), ("1", "1")]:
            order = rig.order(Side.BUY, parse(px), qty)
            rig.place(order)
            refused = await rig.first(OrderRejected, client_id=order.client_id)
            assert refused.code == "invalid_order"
        order, opened = await rig.resting()
        rig.amend(order, opened, parse("0.060001"), "7")
        assert (await rig.first(AmendFailed, client_id=order.client_id)).code == "invalid_order"
        assert len(rig.account.orders()) == 1


async def test_a_second_run_of_a_session_starts_afresh(autojump_clock: trio.testing.MockClock) -> None:
    async with simulated_kalshi(config=sim_config()) as sim:
        session, config, clock = session_of(sim)
        listed = []
        for _ in range(2):
            rig = Rig(sim, session, config, clock)
            async with trio.open_nursery() as nursery:
                await nursery.start(session.run, rig.sink)
                await rig.book()
                order = rig.order(Side.BUY, parse("0.99"), "3", tif=Tif.IOC)
                rig.place(order)
                await rig.first(OrderClosed, client_id=order.client_id)
                await rig.until(rig.agrees)
                listed.append({market.id for market in rig.markets})
                nursery.cancel_scope.cancel()
            assert session.statistics().state == "down"
        assert listed[0] == listed[1]


async def test_the_fuse_stands_behind_everything(autojump_clock: trio.testing.MockClock) -> None:
    limits = FuseLimits(
        orders_per_s=5, notional_per_min=Cash(parse("50")), order_notional=Cash(parse("20")),
        order_qty=Qty(parse("100")), hedge_notional=Cash(parse("20")),
    )  # fmt: skip
    async with kalshi_rig(fuse=limits) as rig:
        await rig.book()
        order, _ = await rig.resting()
        rig.place(rig.order(Side.BUY, parse("0.30"), "100"))
        await rig.first(FuseTripped)
        assert rig.all(SendRefused)
        assert rig.session.statistics().fuse.startswith("tripped")
        rig.cancel(order)
        await rig.first(OrderClosed, client_id=order.client_id)


FAULTS = ["reply_lost", "ws_killed", "sequence_gap", "fill_before_reply", "rest_500", "rest_429", "reply_delayed",
          "portfolio_lagging", "frame_garbage", "buffer_overflow", "rest_html"]  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
async def test_through_bad_weather_the_account_agrees_to_the_last_unit(
    autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    """Orders of every kind under faults of every kind, over two settlements; lost answers are asked about."""
    rng = random.Random(seed)
    async with kalshi_rig(seed=seed) as rig:
        live: dict[ClientId, OrderRequest] = {}
        asked = 0
        for step in range(150):
            if step % 6 == 0:
                arm(rig, rng.choice(FAULTS), count=1)
            now_ns = rig.clock.now().wall_ns
            ended = {item.market for item in rig.all(MarketSettled)}
            open_ = [one for one in rig.markets if one.id not in ended and (one.expiry_ns or 0) > now_ns + 10**9]
            market = rng.choice(open_)
            leg, side = rng.choice(list(Leg)), rng.choice(list(Side))
            tif = rng.choice([Tif.IOC, Tif.ALO])
            px = market.tick * (100 if market.tick < 10**6 else 10) * rng.randint(1, 9)
            order = rig.order(side, px, f"{rng.randint(1, 2_000) / 100:.2f}", tif=tif, leg=leg, market=market.id)
            rig.place(order)
            live[order.client_id] = order
            if len(live) > 5:
                rig.cancel(live.pop(next(iter(live))))
            for lost in rig.all(SendLost)[asked:]:
                asked += 1
                for client_id in lost.client_ids:
                    rig.session.submit(QueryOrder(KALSHI, client_id))
            await trio.sleep(1)
        rig.sim.faults.clear(None)
        for order in live.values():
            rig.cancel(order)
        await rig.until(lambda: rig.session.statistics().state == "live", within_s=60)
        await trio.sleep(70)
        assert rig.all(MarketSettled)
        assert any(item.fill.kind is FillKind.MERGE for item in rig.all(FillReceived))
        assert any(item.fill.maker for item in rig.all(FillReceived))
        assert not rig.account.orders(), "cancelled, or expired by itself"
        await rig.until(rig.agrees, within_s=60)
        before = len(rig.all(AccountState))
        rig.session.submit(QueryAccount(KALSHI))
        await rig.until(lambda: len(rig.all(AccountState)) > before)
        state = rig.all(AccountState)[-1]
        cash, tokens = rig.believed()
        assert (state.cash, {(row.market, row.leg): row.total for row in state.tokens}) == (cash, tokens)


async def test_markets_that_wait_for_their_strike_are_asked_after_at_a_pace(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To look at them is no news: it must not call for the next look."""
    async with kalshi_rig() as rig:
        parts = rig.session._parts
        waiting = [market.id.partition(":")[2] for market in rig.markets][:4]
        assert waiting
        monkeypatch.setattr(type(parts.registry), "waiting", lambda *_: waiting)
        asked: list[str] = []
        honest = type(parts.rest).market

        async def market(rest: Any, ticker: str) -> Any:
            asked.append(ticker)
            return await honest(rest, ticker)

        monkeypatch.setattr(type(parts.rest), "market", market)
        before = rig.session.statistics().counters["rest_requests"]
        await trio.sleep(20)
        rounds = 20 / rig.config.settlement_every_s
        assert rounds / 2 < len(asked) / len(waiting) <= rounds + 1
        assert rig.session.statistics().counters["rest_requests"] - before < 150


async def test_a_late_stream_says_who_is_late(autojump_clock: trio.testing.MockClock) -> None:
    async with kalshi_rig() as rig:
        inbox, said = rig.session._parts.inbox, list[str]()
        inbox.lose = said.append
        old_ms = rig.clock.wall_ms() - 30_000
        inbox._mind_the_lag(old_ms)
        inbox.behind = lambda: True
        inbox._mind_the_lag(old_ms)
        inbox._mind_the_lag(rig.clock.wall_ms())
        assert len(said) == 2
        assert said[0] == "the venue's books come 30 s late"
        assert said[1].startswith("this process cannot keep up: 30 s behind")
        assert said[1].endswith("lower --speed or list fewer markets")


async def test_a_stamp_from_the_future_does_not_put_the_account_out_of_reach(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Waited for, it would make every read too old for as long as the process lives."""
    async with kalshi_rig() as r:
        _, opened = await r.resting()
        order_id = opened.venue_order_id.rpartition(":")[2]
        frame = {
            "order_id": order_id, "ticker": r.market.id.partition(":")[2], "status": "resting", "book_side": "bid",
            "yes_price_dollars": "0.0500", "fill_count_fp": "0.00", "remaining_count_fp": "10.00",
            "initial_count_fp": "10.00", "last_updated_ts_ms": 10**14,
        }  # fmt: skip
        parts = r.session._parts
        parts.inbox.on_frame(json.dumps({"type": "user_order", "sid": 3, "msg": frame}), 1)
        await parts.upkeep.reconcile()
        assert r.session.statistics().counters["ahead.activity"] == 1
