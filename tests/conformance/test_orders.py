"""Orders over the real wire: what the session says of them is what the exchange knows."""

from __future__ import annotations

import trio

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    ConversionFailed,
    FillReceived,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.outputs import ConvertSet, QueryOrder
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Qty, complement, parse
from hlomm.sim.faults import FaultArgs


async def test_place_rests_and_cancel_removes(rig, autojump_clock):
    async with rig() as r:
        order, opened = await r.resting()
        assert r.truth["open_orders"] == 1
        r.cancel(order)
        closed = await r.first(OrderClosed, client_id=order.client_id)
        assert closed.status == "canceled"
        assert r.truth["open_orders"] == 0
        assert opened.venue_order_id


async def test_batch_of_both_sides_is_answered_one_by_one(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        low = book.bids[0][0] // 2 // 1000 * 1000
        orders = [r.order(Side.BUY, low - 1000 * i, "200") for i in range(5)]
        orders.append(r.order(Side.BUY, complement(book.asks[0][0] + 5_000_000), "200", leg=Leg.NO))
        r.place(*orders)
        for order in orders:
            await r.first(OrderOpened, client_id=order.client_id)
        assert r.truth["open_orders"] == 6


async def test_post_only_that_would_match_is_refused_by_name(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        order = r.order(Side.BUY, book.asks[0][0] + 2_000_000)
        r.place(order)
        refused = await r.first(OrderRejected, client_id=order.client_id)
        assert refused.code == "BadAloPx"
        assert r.truth["open_orders"] == 0


async def test_sale_without_tokens_and_dust_are_refused_by_name(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        sale = r.order(Side.SELL, book.asks[0][0] + 1_000_000, "50")
        dust = r.order(Side.BUY, 1_000_000, "3")
        r.place(sale)
        r.place(dust)
        assert (await r.first(OrderRejected, client_id=sale.client_id)).code == "InsufficientSpotBalance"
        assert (await r.first(OrderRejected, client_id=dust.client_id)).code == "MinTradeSpotNtl"


async def test_immediate_order_fills_for_what_the_venue_says(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        order = r.order(Side.BUY, book.asks[0][0] + 5_000_000, "30", tif=Tif.IOC)
        r.place(order)
        closed = await r.first(OrderClosed, client_id=order.client_id)
        await r.until(lambda: sum(f.fill.qty for f in r.all(FillReceived)) >= (closed.filled or 1))
        fills = [item.fill for item in r.all(FillReceived) if item.fill.client_id == order.client_id]
        assert sum(fill.qty for fill in fills) == closed.filled == parse("30")
        assert not any(fill.maker for fill in fills)
        paid = sum(fill.px * fill.qty // SCALE for fill in fills)
        assert parse(r.truth["quote"]) == parse("10000") - paid - sum(fill.fee for fill in fills)


async def test_buying_both_legs_and_merging_returns_the_cash(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        yes = r.order(Side.BUY, book.asks[0][0] + 5_000_000, "30", tif=Tif.IOC)
        no = r.order(Side.BUY, complement(book.bids[0][0]) + 5_000_000, "30", tif=Tif.IOC, leg=Leg.NO)
        r.place(yes)
        r.place(no)
        await r.until(lambda: sum(f.fill.qty for f in r.all(FillReceived)) >= parse("60"))
        r.session.submit(ConvertSet(action=SetAction.MERGE, market=r.market.id, qty=Qty(parse("30"))))
        await r.until(lambda: any(f.fill.kind is FillKind.MERGE for f in r.all(FillReceived)))
        (merged,) = (item.fills for item in r.all(FillReceived) if item.fill.kind is FillKind.MERGE)
        assert {(fill.leg, fill.side) for fill in merged} == {(Leg.YES, Side.SELL), (Leg.NO, Side.SELL)}
        assert sum(fill.px * fill.qty // SCALE for fill in merged) == parse("30")
        cash = parse("10000")
        for fill in (fill for item in r.all(FillReceived) for fill in item.fills):
            sign = -1 if fill.side is Side.BUY else 1
            cash += sign * (fill.px * fill.qty // SCALE) - fill.fee
        assert parse(r.truth["quote"]) == cash


async def test_a_split_makes_pairs_out_of_cash_told_as_one(rig, autojump_clock):
    async with rig() as r:
        r.session.submit(ConvertSet(action=SetAction.SPLIT, market=r.market.id, qty=Qty(parse("25"))))
        await r.until(lambda: r.all(FillReceived))
        (split,) = r.all(FillReceived)
        assert {(fill.leg, fill.side, fill.kind) for fill in split.fills} == {
            (Leg.YES, Side.BUY, FillKind.SPLIT), (Leg.NO, Side.BUY, FillKind.SPLIT),
        }  # fmt: skip
        assert parse(r.truth["quote"]) == parse("10000") - sum(fill.px * fill.qty // SCALE for fill in split.fills)
        r.session.submit(ConvertSet(action=SetAction.SPLIT, market=r.market.id, qty=Qty(parse("25000"))))
        await r.until(lambda: r.all(ConversionFailed))
        (failed,) = r.all(ConversionFailed)
        assert (failed.action, failed.lost) == (SetAction.SPLIT, False)


async def test_amend_moves_price_and_size_under_a_new_venue_id(rig, autojump_clock):
    async with rig() as r:
        order, opened = await r.resting()
        r.amend(order, opened, order.px - 1_000_000, "500")
        await r.until(lambda: len({o.venue_order_id for o in r.all(OrderOpened, client_id=order.client_id)}) == 2)
        (resting,) = await r.session.fetch_resting()
        assert (resting.px, resting.leaves) == (order.px - 1_000_000, parse("500"))
        assert resting.client_id == order.client_id
        assert resting.venue_order_id != opened.venue_order_id


async def test_amend_events_in_the_other_order_mean_the_same(rig, autojump_clock):
    async with rig() as r:
        order, opened = await r.resting()
        r.sim.faults.arm("modify_reordered")
        r.amend(order, opened, order.px - 1_000_000)
        await r.until(lambda: len({o.venue_order_id for o in r.all(OrderOpened, client_id=order.client_id)}) == 2)
        await trio.sleep(2)
        ends = {end.venue_order_id for end in r.all(OrderClosed, client_id=order.client_id)}
        assert ends <= {opened.venue_order_id}, "at most the old id ended"
        assert r.truth["open_orders"] == 1
        assert r.sim.faults.injected["modify_reordered"] == 1


async def test_amend_of_a_cancelled_order_fails_and_the_query_tells_why(rig, autojump_clock):
    async with rig() as r:
        order, opened = await r.resting()
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        r.amend(order, opened, order.px - 1_000_000)
        await r.first(AmendFailed, client_id=order.client_id)
        r.session.submit(QueryOrder(HYPERLIQUID, order.client_id))
        answer = await r.answer(order.client_id)
        assert (answer.found, answer.open) == (True, False)


async def test_cancel_of_a_finished_order_fails_by_name(rig, autojump_clock):
    async with rig() as r:
        order, _ = await r.resting()
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        r.cancel(order)
        assert (await r.first(CancelFailed, client_id=order.client_id)).code == "MissingOrder"


async def test_fill_may_come_before_the_answer(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        r.sim.faults.arm("fill_before_reply")
        order = r.order(Side.BUY, book.asks[0][0] + 5_000_000, "30", tif=Tif.IOC)
        r.place(order)
        await r.until(lambda: r.all(FillReceived))
        assert r.session.statistics().posts_in_flight == 1, "the answer is still to come"
        await r.until(lambda: r.session.statistics().posts_in_flight == 0)
        assert len(r.all(FillReceived)) == 1
        assert not r.all(OrderRejected)
        assert r.sim.faults.injected["fill_before_reply"] == 1


async def test_answer_lost_though_accepted_is_unknown_until_asked(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        r.sim.faults.arm("reply_lost")
        order = r.order(Side.BUY, (book.bids[0][0] - 20_000_000) // 1000 * 1000, "400")
        r.place(order)
        lost = await r.first(SendLost)
        assert lost.client_ids == (order.client_id,)
        assert lost.action is SentAction.PLACE
        assert not r.all(OrderRejected), "a timeout is never a refusal"
        assert r.truth["open_orders"] == 1
        r.session.submit(QueryOrder(HYPERLIQUID, order.client_id))
        answer = await r.answer(order.client_id)
        assert (answer.found, answer.open, answer.leaves) == (True, True, order.qty)


async def test_query_of_an_order_never_sent_finds_nothing(rig, autojump_clock):
    async with rig() as r:
        order = r.order(Side.BUY, parse("0.1"))
        r.session.submit(QueryOrder(HYPERLIQUID, order.client_id))
        answer = await r.answer(order.client_id)
        assert not answer.found


async def test_unknown_oid_right_after_a_fill_is_not_taken_for_absence_by_the_session(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        r.sim.faults.arm("unknown_oid", FaultArgs(delay_s=1.0))
        order = r.order(Side.BUY, book.asks[0][0] + 5_000_000, "30", tif=Tif.IOC)
        r.place(order)
        await r.first(OrderClosed, client_id=order.client_id)
        r.session.submit(QueryOrder(HYPERLIQUID, order.client_id))
        answer = await r.answer(order.client_id)
        assert answer.found
        assert answer.filled == parse("30")


async def test_nonce_refusal_is_a_refusal_with_a_name(rig, autojump_clock):
    async with rig() as r:
        book = await r.book()
        r.sim.faults.arm("nonce_refused")
        order = r.order(Side.BUY, (book.bids[0][0] - 20_000_000) // 1000 * 1000, "400")
        r.place(order)
        refused = await r.first(OrderRejected, client_id=order.client_id)
        assert refused.code.startswith("Nonce")
        assert r.truth["open_orders"] == 0
