"""A Polymarket session over the real wire: what it says of orders, fills and balances is what the venue knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
import pytest
import trio

from hlomm.domain.fills import Fill
from hlomm.domain.ids import POLYMARKET, ClientIds, MarketId, is_ours
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BookSnapshot,
    BookSource,
    CancelFailed,
    ConversionFailed,
    DeadmanArmed,
    FillFinal,
    FillReceived,
    FillVoided,
    FuseTripped,
    MarketChanged,
    MarketListed,
    MarketSettled,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRates,
    SendRefused,
    SentAction,
    SessionDown,
    SessionUp,
    VenuePaused,
)
from hlomm.domain.markets import Comparator, Leg, Source
from hlomm.domain.orders import AmendRequest, Side, Tif
from hlomm.domain.outputs import AmendOrders, ConvertSet, QueryOrder, Subscribe
from hlomm.domain.sets import SetAction
from hlomm.domain.units import ONE, SCALE, Px, Qty, notional_exact, parse
from hlomm.sim.config import ListingConfig, PolymarketConfig, SimConfig
from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness_polymarket import simulated_polymarket
from hlomm.sim.pm import gamma_rows, rows
from hlomm.sim.pm.faults import PmFault
from hlomm.sim.pm.market import Market as SimMarket
from hlomm.sim.pm.public import Public
from hlomm.venues.curve import Key
from hlomm.venues.flatten_plan import FlattenBounds
from hlomm.venues.fuse import FuseLimits
from hlomm.venues.polymarket.signing import SignatureType
from hlomm.venues.sweep import flatten_account
from tests.conformance.polymarket_rig import PolymarketRig, make_session, polymarket_rig

CALM = SimConfig(polymarket=PolymarketConfig(noise_per_s=0.0, informed_per_s=0.0, retried=0.0, failed=0.0))
"""Nobody trades but us, and what matches settles."""
DEPOSIT = parse("10000")
BOUNDS = FlattenBounds(slippage=Px(parse("0.2")))


def books_of(rig: PolymarketRig) -> tuple[int, dict[tuple[MarketId, Leg], int]]:
    """Cash and tokens as whoever hears the session's inputs must have them."""
    cash, tokens = DEPOSIT, dict[tuple[MarketId, Leg], int]()
    void = {one.fill.key for one in rig.all(FillVoided)}
    fills = [one.fill for one in rig.all(FillReceived) if one.fill.key not in void]
    assert len({fill.key for fill in fills}) == len(fills), "each fill is told once"
    for fill in fills:
        cash -= fill.side * notional_exact(fill.px, fill.qty) + fill.fee
        held = (fill.market, fill.leg)
        tokens[held] = tokens.get(held, 0) + fill.side * fill.qty
    for one in {one.market: one for one in rig.all(MarketSettled)}.values():
        for leg in Leg:
            amount = tokens.pop((one.market, leg), 0)
            cash += notional_exact(one.yes_px if leg is Leg.YES else Px(ONE - one.yes_px), Qty(amount))
    return cash, {held: amount for held, amount in tokens.items() if amount}


def account_of(state: AccountState) -> tuple[int, dict[tuple[MarketId, Leg], int]]:
    return state.cash, {(row.market, row.leg): row.total for row in state.tokens}


async def agree(rig: PolymarketRig) -> None:
    """The account report is what the inputs add up to, to the last unit."""
    for _ in range(3):
        before = len(rig.inputs)
        state = await rig.account()
        moved = [one for one in rig.inputs[before:] if isinstance(one, FillReceived | FillVoided | MarketSettled)]
        if not moved:
            break
    assert account_of(state) == books_of(rig)


# -- markets


async def test_markets_are_listed_with_what_settles_them(autojump_clock):
    async with polymarket_rig() as r:
        listed = [one.market for one in r.all(MarketListed)]
        above = [market for market in listed if market.klass == "above"]
        windows = [market for market in listed if market.klass.startswith("updown")]
        assert above
        assert windows
        assert r.all(SendRates) == [SendRates(venue=POLYMARKET, per_min=40 * 60, place=1, cancel=0)]
        assert {(one.source, one.comparator) for one in above} == {(Source.BINANCE_1M, Comparator.ABOVE)}
        assert {(one.source, one.averaging_s) for one in windows} == {(Source.CHAINLINK_TWAP, 60)}
        assert all(one.fee is not None and one.fee.taker == 7_000_000 for one in listed)
        assert all(one.rules and one.min_qty == parse("5") for one in listed)
        for series in {one.klass for one in listed}:
            texts = {one.template for one in listed if one.klass == series}
            assert len(texts) == 1, "one review of a series holds for all its contracts"
            assert texts != {""}


async def test_a_market_that_the_order_book_does_not_know_yet_costs_itself_only(autojump_clock, monkeypatch):
    """Lists leave the fee schedule out, and the order book's own record comes minutes after the listing."""
    full, hydrated, young = gamma_rows.market_row, Public._hydrated, set[str]()

    def short(market: SimMarket, *, with_event: bool) -> dict[str, Any]:
        row = full(market, with_event=with_event)
        row.pop("feeSchedule", None)
        return row

    monkeypatch.setattr(gamma_rows, "market_row", short)
    monkeypatch.setattr(
        Public, "_hydrated", lambda self, one: one.spec.condition not in young and hydrated(self, one)
    )  # fmt: skip
    async with simulated_polymarket(seed=5) as sim, trio.open_nursery() as nursery:
        young.update(list(sim.venue.exchange.by_condition)[:2])
        rig = PolymarketRig(sim, make_session(sim, markets_every_s=20))
        with trio.fail_after(60):
            await nursery.start(rig.session.run, rig.sink)
        assert len(rig.all(MarketListed)) >= 3
        missing = {MarketId(f"{POLYMARKET}:{one}") for one in young}
        assert not missing & {one.market.id for one in rig.all(MarketListed)}
        young.clear()
        await rig.until(lambda: missing & {one.market.id for one in rig.all(MarketListed)})
        assert all(one.market.fee.taker == 7_000_000 for one in rig.all(MarketListed))
        nursery.cancel_scope.cancel()


async def test_the_book_follows_the_venues_own(autojump_clock):
    async with polymarket_rig(check_every_s=3.0) as r:
        await r.book()
        await trio.sleep(90)
        assert r.counter("books_compared") > 20
        assert r.counter("books_differed") < r.counter("books_compared") / 4, "a request may be ahead of the stream"
        assert r.counter("freezes") == 0
        assert r.counter("books_dropped.top") == 0
        assert len(r.all(BookSnapshot)) > 20


async def test_lost_deltas_are_noticed_and_healed(autojump_clock):
    async with polymarket_rig(check_every_s=3.0) as r:
        await r.book()
        r.sim.faults.arm(PmFault.DELTA_LOST, FaultArgs(count=15))
        await trio.sleep(60)
        assert r.counter("books_dropped.top") + r.counter("freezes") > 0, "some of them moved the top"
        r.sim.faults.clear()
        await r.first(SessionUp)
        await trio.sleep(30)
        known = r.session._parts.registry.known(r.market.id)
        assert known is not None
        told = await r.session.fetch_book(r.market.id)
        assert told is not None
        await trio.sleep(1)
        mine = r.all(BookSnapshot, market=r.market.id)[-1]
        assert abs((mine.bids[0][0] if mine.bids else 0) - (told.bids[0][0] if told.bids else 0)) <= parse("0.03")


async def test_odd_frames_hurt_nobody(autojump_clock):
    async with polymarket_rig() as r:
        await r.book()
        for fault in (
            PmFault.FRAME_DUPLICATED, PmFault.FRAME_REORDERED, PmFault.FRAME_EMPTY, PmFault.FRAME_GARBAGE,
        ):  # fmt: skip
            r.sim.faults.arm(fault, FaultArgs(count=5))
        await r.bought()
        await trio.sleep(40)
        assert r.session.statistics().state == "live"
        await agree(r)


async def test_a_finer_tick_is_a_changed_market(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        r.sim.faults.arm(PmFault.TICK_CHANGED)
        await r.until(lambda: any(one.market.id == r.market.id for one in r.all(MarketChanged)))
        changed = next(one for one in r.all(MarketChanged) if one.market.id == r.market.id)
        assert changed.market.tick < parse("0.01")
        count = len(r.all(BookSnapshot))
        await r.until(lambda: len(r.all(BookSnapshot)) > count)
        order = r.order(Side.BUY, parse("0.051"))
        r.place(order)
        await r.first(OrderOpened, client_id=order.client_id)


@pytest.mark.parametrize("fault", [PmFault.FEE_CHANGED, PmFault.MINIMUM_CHANGED, PmFault.RULES_CHANGED])
async def test_changed_terms_are_told(autojump_clock, fault):
    async with polymarket_rig(config=CALM) as r:
        before = r.market
        r.sim.faults.arm(fault)
        await r.until(lambda: any(one.market.id == before.id for one in r.all(MarketChanged)), within_s=120)
        after = next(one.market for one in r.all(MarketChanged) if one.market.id == before.id)
        changed = {
            PmFault.FEE_CHANGED: (before.fee, after.fee),
            PmFault.MINIMUM_CHANGED: (before.min_qty, after.min_qty),
            PmFault.RULES_CHANGED: (before.rules, after.rules),
        }[fault]
        assert changed[0] != changed[1]


# -- orders


async def test_place_rests_and_cancel_removes(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        order, opened = await r.resting()
        assert r.truth["orders"] == [opened.venue_order_id]
        assert opened.leaves == order.qty
        r.cancel(order)
        closed = await r.first(OrderClosed, client_id=order.client_id)
        assert closed.status == "canceled"
        assert r.truth["orders"] == []
        counters = r.session.statistics().counters
        assert counters["actions_over_warm_lines"] == 2
        assert "actions_without_warm_line" not in counters


async def test_a_batch_of_both_legs_is_answered_one_by_one(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        orders = [r.order(Side.BUY, parse("0.05") + i * parse("0.01")) for i in range(18)]
        orders += [r.order(Side.BUY, parse("0.06"), leg=Leg.NO), r.order(Side.SELL, parse("0.9"))]
        r.place(*orders)
        for order in orders[:-1]:
            await r.first(OrderOpened, client_id=order.client_id)
        refused = await r.first(OrderRejected, client_id=orders[-1].client_id)
        assert refused.code == "InsufficientSpotBalance", "nothing is held that could be sold"
        assert len(r.truth["orders"]) == 19
        r.cancel(*orders[:-1])
        await r.until(lambda: r.truth["orders"] == [])


async def test_post_only_that_would_match_is_refused_by_name(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        book = await r.book()
        order = r.order(Side.BUY, book.asks[0][0] + parse("0.02"))
        r.place(order)
        assert (await r.first(OrderRejected, client_id=order.client_id)).code == "BadAloPx"


async def test_what_the_grid_forbids_never_leaves(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        for order in (r.order(Side.BUY, parse("0.055")), r.order(Side.BUY, parse("0.1"), "5", tif=Tif.IOC)):
            r.place(order)
            refused = await r.first(SendRefused, client_ids=(order.client_id,))
            assert refused.action is SentAction.PLACE
        assert r.truth["orders"] == []


async def test_a_purchase_fills_and_is_delivered(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        order = await r.bought("20")
        closed = await r.first(OrderClosed, client_id=order.client_id)
        assert (closed.status, closed.filled) == ("filled", order.qty)
        fill = r.fills_of(order)[0].fill
        assert (fill.pending, fill.maker) == (True, False)
        assert fill.fee > 0
        await agree(r)  # matched, not mined: the delivered balances know nothing of it yet
        await r.first(FillFinal, within_s=120, key=fill.key)
        await agree(r)
        assert parse(r.truth["cash"]) == books_of(r)[0]


async def test_nothing_to_match_is_a_refusal(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        book = await r.book()
        ioc = r.order(Side.BUY, book.bids[0][0] - parse("0.05"), tif=Tif.IOC)
        fok = r.order(Side.BUY, book.asks[0][0], "5000", tif=Tif.FOK)
        r.place(ioc)
        r.place(fok)
        assert (await r.first(OrderRejected, client_id=ioc.client_id)).code == "IocCancel"
        assert (await r.first(OrderRejected, client_id=fok.client_id)).code == "FokCancel"


async def test_what_is_matched_cannot_be_sold_before_it_is_delivered(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        bought = await r.bought("20")
        bid = (await r.book()).bids[0][0]
        early = r.order(Side.SELL, bid - parse("0.05"), "20", tif=Tif.IOC)
        r.place(early)
        assert (await r.first(OrderRejected, client_id=early.client_id)).code == "InsufficientSpotBalance"
        await r.first(FillFinal, within_s=120, key=r.fills_of(bought)[0].fill.key)
        late = r.order(Side.SELL, bid - parse("0.05"), "20", tif=Tif.IOC)
        r.place(late)
        await r.until(lambda: r.fills_of(late))
        await trio.sleep(90)
        await agree(r)
        assert books_of(r)[1] == {}


async def test_resting_orders_are_filled_without_a_fee(autojump_clock):
    async with polymarket_rig(seed=9) as r:
        book = await r.book()
        orders = [
            r.order(Side.BUY, book.asks[0][0] - parse("0.01"), "10"),
            r.order(Side.BUY, SCALE - book.bids[0][0] - parse("0.01"), "10", leg=Leg.NO),
        ]
        r.place(*orders)
        await r.until(lambda: r.all(FillReceived), within_s=300)
        fill = r.all(FillReceived)[0].fill
        assert (fill.maker, fill.fee) == (True, 0)
        r.cancel(*orders)
        await trio.sleep(60)
        await agree(r)


async def test_amends_and_conversions_are_refused_with_a_word(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        order, opened = await r.resting()
        amend = AmendRequest(
            client_id=order.client_id, venue_order_id=opened.venue_order_id, market=order.market, leg=order.leg,
            side=order.side, px=Px(parse("0.06")), qty=order.qty, tif=Tif.ALO,
        )  # fmt: skip
        r.session.submit(AmendOrders(POLYMARKET, (amend,)))
        assert (await r.first(AmendFailed, client_id=order.client_id)).code == "no_amend"
        r.session.submit(ConvertSet(action=SetAction.SPLIT, market=order.market, qty=Qty(parse("5"))))
        assert not (await r.first(ConversionFailed)).lost
        assert r.truth["orders"] == [opened.venue_order_id]


# -- answers that are missing


async def test_a_resting_order_whose_answer_was_lost_is_found_by_its_id(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        r.sim.faults.arm(PmFault.REPLY_LOST)
        order = r.order(Side.BUY, parse("0.05"))
        r.place(order)
        await r.first(SendLost, client_ids=(order.client_id,))
        r.session.submit(QueryOrder(POLYMARKET, order.client_id))
        answer = await r.first(OrderAnswer, client_id=order.client_id)
        assert (answer.found, answer.open, answer.leaves, answer.px) == (True, True, order.qty, order.px)
        assert r.truth["orders"] == [answer.venue_order_id]


@pytest.mark.parametrize("status", ["UNMATCHED", "MATCHED", "PARKED"])
async def test_a_listed_order_of_unclear_status_rests_if_the_open_orders_say_so(autojump_clock, monkeypatch, status):
    """What was held back and rests now may be called UNMATCHED, what is filled in part MATCHED: neither is over."""
    told = rows.open_order
    monkeypatch.setattr(rows, "open_order", lambda market, order: told(market, order) | {"status": status})
    async with polymarket_rig(config=CALM) as r:
        order, _ = await r.resting()
        r.session.submit(QueryOrder(POLYMARKET, order.client_id))
        answer = await r.first(OrderAnswer, client_id=order.client_id)
        assert (answer.found, answer.open, answer.leaves) == (True, True, order.qty)
        assert r.truth["orders"] == [answer.venue_order_id]


async def test_a_fill_whose_answer_was_lost_is_found_among_the_trades(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        book = await r.book()
        r.sim.faults.arm(PmFault.REPLY_LOST)
        order = r.order(Side.BUY, book.asks[0][0] + parse("0.02"), tif=Tif.IOC)
        r.place(order)
        await r.first(SendLost, client_ids=(order.client_id,))
        r.session.submit(QueryOrder(POLYMARKET, order.client_id))
        answer = await r.first(OrderAnswer, client_id=order.client_id)
        assert (answer.found, answer.open, answer.status, answer.filled) == (True, False, "filled", order.qty)
        await agree(r)


async def test_an_order_that_never_arrived_is_believed_absent_only_later(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        r.sim.faults.arm(PmFault.REST_500, FaultArgs(count=1))
        order = r.order(Side.BUY, parse("0.05"))
        asked = trio.current_time()
        r.place(order)
        await r.first(SendLost, client_ids=(order.client_id,))
        r.session.submit(QueryOrder(POLYMARKET, order.client_id))
        answer = await r.first(OrderAnswer, client_id=order.client_id)
        assert not answer.found
        assert trio.current_time() - asked > 10
        assert r.truth["orders"] == []


async def test_a_cancel_whose_answer_was_lost(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        order, _ = await r.resting()
        r.sim.faults.arm(PmFault.REPLY_LOST)
        r.cancel(order)
        await r.until(lambda: any(one.action is SentAction.CANCEL for one in r.all(SendLost)) or r.all(OrderClosed))
        assert r.truth["orders"] == []
        r.cancel(order)
        assert (await r.first(CancelFailed, client_id=order.client_id)).code == "MissingOrder"


async def test_a_cancel_does_not_overtake_its_order(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        order = r.order(Side.BUY, parse("0.05"))
        r.place(order)
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        assert r.truth["orders"] == []


# -- trades that fail, markets that end


async def test_a_failed_trade_is_undone(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        r.sim.faults.arm(PmFault.TRADE_FAILED)
        order = await r.bought()
        await agree(r)
        voided = await r.first(FillVoided, within_s=240)
        assert voided.fill.key == r.fills_of(order)[0].fill.key
        await agree(r)
        assert books_of(r) == (DEPOSIT, {})
        assert parse(r.truth["cash"]) == DEPOSIT


async def test_markets_resolve_and_pay_out_in_the_account_before_they_are_redeemed(autojump_clock):
    config = attrs.evolve(CALM, listing=ListingConfig(periods=("3m",)))
    async with polymarket_rig(config=config) as r:
        r.chosen = min((one.market for one in r.all(MarketListed)), key=lambda market: market.expiry_ns or 0).id
        await r.bought()
        settled = await r.first(MarketSettled, within_s=900, market=r.chosen)
        assert settled.yes_px in (0, ONE)
        await agree(r)
        held = r.truth["tokens"]
        await trio.sleep(120)
        await agree(r)
        assert held != r.truth["tokens"] or not held, "the venue redeems by itself, and nothing changes here"
        assert len(r.all(MarketSettled, market=r.chosen)) == 1


async def test_a_resolution_that_is_not_told_is_asked_for(autojump_clock):
    config = attrs.evolve(CALM, listing=ListingConfig(periods=("3m",)))
    async with polymarket_rig(config=config) as r:
        r.sim.faults.arm(PmFault.RESOLVED_UNTOLD, FaultArgs(count=100))
        r.chosen = min((one.market for one in r.all(MarketListed)), key=lambda market: market.expiry_ns or 0).id
        await r.first(MarketSettled, within_s=900, market=r.chosen)


# -- the venue's moods


async def test_a_restart_pauses_the_venue(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        r.sim.faults.arm(PmFault.RESTART)
        await trio.sleep(2)
        order = r.order(Side.BUY, parse("0.05"))
        r.place(order)
        await r.first(OrderRejected, client_id=order.client_id)
        paused = await r.first(VenuePaused)
        assert paused.until_ms > r.session._clock.wall_ms()


async def test_cancels_go_through_where_orders_do_not(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        order, _ = await r.resting()
        r.sim.faults.arm(PmFault.CANCEL_ONLY)
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        refused = r.order(Side.BUY, parse("0.05"))
        r.place(refused)
        assert (await r.first(OrderRejected, client_id=refused.client_id)).code == "CancelOnly"
        assert r.all(VenuePaused)


async def test_heartbeats_are_a_promise_and_their_loss_cancels(autojump_clock):
    async with polymarket_rig(config=CALM, heartbeat_s=5.0) as r:
        await r.resting()
        armed = await r.first(DeadmanArmed)
        assert armed.until_ms > r.session._clock.wall_ms()
        await trio.sleep(60)
        assert len(r.truth["orders"]) == 1, "it is kept alive"
        r.sim.faults.arm(PmFault.HEARTBEAT_LOST)
        await trio.sleep(30)
        assert len(r.truth["orders"]) == 1, "a wrong id is corrected at once"
        r.sim.cable.unplug()
        await trio.sleep(25)
        assert r.truth["orders"] == []
        assert r.all(DeadmanArmed)[-1].until_ms == 0
        r.sim.cable.plug()
        await r.until(lambda: len(r.all(SessionUp)) == 2, within_s=120)
        await agree(r)


async def test_the_fuse_holds_back_what_is_too_much(autojump_clock):
    limits = FuseLimits(
        orders_per_s=3, notional_per_min=parse("1000"), order_notional=parse("5"), order_qty=parse("50"),
        hedge_notional=parse("5"),
    )  # fmt: skip
    async with polymarket_rig(config=CALM, fuse=limits) as r:
        await r.book()
        small, large = r.order(Side.BUY, parse("0.05")), r.order(Side.BUY, parse("0.3"))
        r.place(small, large)
        await r.first(OrderOpened, client_id=small.client_id)
        await r.first(SendRefused, client_ids=(large.client_id,))
        assert len(r.all(FuseTripped)) == 1
        assert r.session.statistics().fuse.startswith("tripped")
        r.cancel(small)
        await r.first(OrderClosed, client_id=small.client_id)


async def test_a_fast_clock_is_the_same_venue(autojump_clock):
    async with polymarket_rig(config=CALM, speed=10.0, heartbeat_s=5.0) as r:
        _, opened = await r.resting()
        await r.bought()
        await trio.sleep(12)
        assert r.truth["orders"] == [opened.venue_order_id], "heartbeats keep pace with the venue's time"
        assert r.counter("deadman_fired") == 0
        assert r.all(FillFinal)
        await agree(r)


# -- connections


@pytest.mark.parametrize("fault", [PmFault.WS_KILLED, PmFault.WS_SILENT])
async def test_a_lost_stream_is_said_and_mended(autojump_clock, fault):
    async with polymarket_rig() as r:
        await r.book()
        r.sim.faults.arm(fault)
        down = await r.first(SessionDown, within_s=120)
        assert down.rest
        r.sim.faults.clear()
        await r.until(lambda: len(r.all(SessionUp)) == 2, within_s=120)
        count = len(r.all(BookSnapshot))
        await r.until(lambda: len(r.all(BookSnapshot)) > count)
        await r.bought()
        await agree(r)


async def test_a_frozen_stream_is_found_by_comparing(autojump_clock):
    async with polymarket_rig() as r:
        await r.book()
        r.sim.faults.arm(PmFault.WS_FROZEN)
        down = await r.first(SessionDown, within_s=240)
        assert "silent" in down.reason
        assert r.counter("freezes") == 1


async def test_a_first_book_that_never_comes_is_read(autojump_clock, monkeypatch):
    """Whatever the reason: lost, unreadable, of a market the venue was slow to open. Quiet ones get no other."""
    quiet = attrs.evolve(CALM, polymarket=attrs.evolve(CALM.polymarket, makers=0))
    async with polymarket_rig(config=quiet) as r:
        feed = type(r.session._parts.market_feed)
        honest = feed.on_book

        def deaf(self, told, source=BookSource.STREAM):
            return [] if source is BookSource.STREAM else honest(self, told, source)

        monkeypatch.setattr(feed, "on_book", deaf)
        r.session.submit(Subscribe(r.market.id))
        await r.first(BookSnapshot, within_s=30, market=r.market.id)
        assert r.counter("first_books_missed") == 1


async def test_a_change_that_cannot_be_read_costs_the_book_until_it_is_read(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.book()
        known = r.session._parts.registry.known(r.market.id)
        assert known is not None
        asked = r.counter("rest_requests")
        r.session._parts.inbox.on_market(f'{{"event_type":"price_change","market":"{known.condition}"}}', 1)
        told = len(r.all(BookSnapshot, market=r.market.id))
        assert r.counter("books_dropped.unreadable") == 1
        await r.until(lambda: len(r.all(BookSnapshot, market=r.market.id)) > told, within_s=3)
        assert r.counter("rest_requests") > asked


async def test_a_market_that_ends_while_its_book_is_compared_is_no_fault(autojump_clock, monkeypatch):
    async with polymarket_rig() as r:
        await r.book()
        parts = r.session._parts
        honest = parts.rest.book

        async def book(token):
            told = await honest(token)
            parts.market_feed.forget(r.market.id)
            return told

        monkeypatch.setattr(type(parts.rest), "book", lambda _self, token: book(token))
        compared = r.counter("books_compared")
        assert await parts.upkeep.frozen() is None
        assert r.counter("books_compared") == compared


async def test_a_quiet_market_is_no_freeze(autojump_clock):
    quiet = attrs.evolve(CALM, polymarket=attrs.evolve(CALM.polymarket, makers=0))
    async with polymarket_rig(config=quiet) as r:
        r.session.submit(Subscribe(r.market.id))
        await trio.sleep(120)
        assert not r.all(SessionDown)
        assert r.counter("books_compared") > 10


# -- without an engine, and after one


async def test_requests_work_without_a_running_session(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        order = await r.bought()
        await r.first(FillFinal, within_s=120)
        await r.resting()
        idle = make_session(r.sim)
        assert await idle.check_access() is None
        (found,) = await idle.fetch_resting()
        assert is_ours(found.client_id)
        assert (found.market, found.leg, found.side, found.px) == (r.market.id, Leg.YES, Side.BUY, parse("0.05"))
        assert await idle.cancel_now([found]) == 1
        assert await idle.cancel_now([found]) == 1, "already gone is gone"
        book = await idle.fetch_book(r.market.id)
        assert book is not None
        held = {(r.market.id, Leg.YES): order.qty}
        assert account_of(await idle.fetch_account())[1] == held, "found among the trades of the last days"
        words = await idle.place_now([r.order(Side.SELL, book.bids[0][0], "20", tif=Tif.IOC)])
        assert words == ["filled"]
        await trio.sleep(90)
        assert account_of(await make_session(r.sim).fetch_account())[1] == {}


@pytest.mark.parametrize("fault", [PmFault.REPLY_LOST, PmFault.TRADE_STUCK])
async def test_a_sweep_sells_once_whatever_is_delivered_when(autojump_clock, fault):
    """Balances there lag behind matches: by an answer, by a lost answer, by a trade that takes its time."""
    async with polymarket_rig(config=CALM) as r:
        await r.bought("20")
        idle = make_session(r.sim)
        early = await flatten_account(idle, BOUNDS, ClientIds(1_796_000_000_000).mint)
        assert early.words == (), "nothing is asked of the venue before the purchase is delivered"
        assert early.left is not None
        assert not early.left.done, "and nobody takes it for sold"
        await r.first(FillFinal, within_s=120)
        r.sim.faults.arm(fault, FaultArgs(count=1, delay_s=20.0))
        report = await flatten_account(idle, BOUNDS, ClientIds(1_797_000_000_000).mint)
        assert report.words == (("unknown",) if fault is PmFault.REPLY_LOST else ("filled",))
        assert report.left is not None
        assert report.left.done
        assert "refused.InsufficientSpotBalance" not in idle.statistics().counters
        await trio.sleep(60)
        assert r.truth["tokens"] == {}
        assert account_of(await idle.fetch_account())[1] == {}


async def test_a_sale_that_fails_on_the_chain_is_made_again(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.bought("20")
        await r.first(FillFinal, within_s=120)
        idle = make_session(r.sim)
        r.sim.faults.arm(PmFault.TRADE_FAILED, FaultArgs(count=1))
        first = await flatten_account(idle, BOUNDS, ClientIds(1_796_000_000_000).mint)
        assert first.words == ("filled",)
        await r.first(FillVoided, within_s=120)
        again = await flatten_account(idle, BOUNDS, ClientIds(1_797_000_000_000).mint)
        assert again.words == ("filled",)


async def test_a_key_that_is_refused_says_so(autojump_clock):
    async with simulated_polymarket(config=CALM) as sim:
        idle = make_session(sim)
        assert await idle.check_access() is None
        sim.faults.arm(PmFault.KEY_REVOKED)
        assert "api key" in (await idle.check_access() or "").lower()


async def test_a_wallet_without_a_key_is_refused(autojump_clock):
    async with simulated_polymarket(config=CALM) as sim:
        stranger = make_session(sim, key=Key(bytes(31) + b"\x07"), funder="", signature_type=SignatureType.EOA)
        refusal = await stranger.check_access()
        if refusal is None:  # the venue hands out keys to anybody; money and orders are another matter
            assert (await stranger.fetch_account()).cash == 0
            assert await stranger.fetch_resting() == []


async def test_the_next_run_finds_orders_and_fills_of_the_last(autojump_clock):
    async with polymarket_rig(config=CALM) as r:
        await r.resting()
        first_ms = r.session._clock.wall_ms()
        await trio.sleep(3)
        await r.bought()
        session = make_session(r.sim, fills_from_ms=first_ms)
        again = PolymarketRig(r.sim, session)
        async with trio.open_nursery() as nursery:
            await nursery.start(session.run, again.sink)
            assert [one.fill.key for one in again.all(FillReceived)] == [one.fill.key for one in r.all(FillReceived)]
            (adopted,) = again.all(AccountState)[-1].orders
            assert is_ours(adopted.client_id)
            assert account_of(again.all(AccountState)[-1]) == books_of(again)
            assert adopted.client_id is not None
            order = attrs.evolve(again, chosen=r.chosen).order(Side.BUY, parse("0.05"))
            again.cancel(_as(order, adopted.client_id))
            await again.first(OrderClosed, client_id=adopted.client_id)
            assert r.truth["orders"] == []
            nursery.cancel_scope.cancel()


def _as(order, client_id):
    return msgspec.structs.replace(order, client_id=client_id)


def fills(rig: PolymarketRig) -> Sequence[Fill]:
    return [one.fill for one in rig.all(FillReceived)]


@pytest.mark.slow
async def test_a_busy_time_agrees_to_the_last_unit(autojump_clock):
    """Quotes on both sides, takers, failures and resolutions; the account is what the inputs add up to."""
    config = SimConfig(polymarket=PolymarketConfig(failed=0.05, retried=0.1), listing=ListingConfig(periods=("3m",)))
    async with polymarket_rig(seed=21, config=config, heartbeat_s=5.0) as r:
        for _ in range(18):
            listed = [one.market for one in r.all(MarketListed)]
            settled = {one.market for one in r.all(MarketSettled)}
            alive = [market for market in listed if market.id not in settled]
            now_ns = r.session._clock.now().wall_ns
            alive = [market for market in alive if (market.expiry_ns or 0) - now_ns > 40 * 10**9]
            for market in alive[:3]:
                r.chosen = market.id
                r.session.submit(Subscribe(market.id))
                await trio.sleep(1)
                books = r.all(BookSnapshot, market=market.id)
                if not books or not books[-1].bids or not books[-1].asks:
                    continue
                bid, ask = books[-1].bids[0][0], books[-1].asks[0][0]
                orders = [
                    r.order(Side.BUY, max(ask - parse("0.01"), market.tick), "15"),
                    r.order(Side.BUY, max(SCALE - bid - parse("0.01"), market.tick), "15", leg=Leg.NO),
                ]
                taker = r.order(Side.BUY, min(ask + parse("0.02"), parse("0.99")), "10", tif=Tif.IOC)
                r.place(*[one for one in orders if one.px % market.tick == 0])
                if taker.px % market.tick == 0:
                    r.place(taker)
                await trio.sleep(12)
                r.cancel(*orders)
            await trio.sleep(5)
        await trio.sleep(120)
        await agree(r)
        assert len(fills(r)) > 20
        assert r.all(FillVoided)
        assert r.all(MarketSettled)
