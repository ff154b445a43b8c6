"""The tape fills what the tape traded, and nothing else. Rung: stateful sync."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID, ClientIds
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    ConversionFailed,
    FeeRates,
    FillReceived,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    TradePrint,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import ConvertSet, PlaceOrders, QueryOrder
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.pricing.queues import QueueModel
from hlomm.research import tape_venue
from hlomm.research.tape import Happened
from hlomm.research.tape_mail import Mail
from hlomm.research.tape_venue import FREE
from tests.support.tape import LATENCY, MARKET, MS, Bench, lots, px


def test_order_joins_the_back_and_only_prints_move_it():
    bench = Bench()
    order = bench.place(Side.BUY, 0.50, 40)
    (opened,) = bench.later()
    assert isinstance(opened, OrderOpened)
    assert bench.trade(0.50, 60, Side.SELL) == []
    bench.book((0.50, 40, 0.48, 300), (0.52, 80, 0.55, 500))
    assert bench.trade(0.50, 30, Side.SELL) == []
    fills = bench.trade(0.50, 25, Side.SELL)
    assert [(fill.qty, fill.px, fill.maker) for fill in fills] == [(lots(15), px(0.50), True)]
    assert fills[0].client_id == order.client_id


def test_cancels_ahead_of_us_do_not_move_us_forward_more_than_the_level_shows():
    bench = Bench()
    bench.place(Side.BUY, 0.50, 40)
    bench.later()
    bench.book((0.50, 10, 0.48, 300), (0.52, 80, 0.55, 500))
    assert bench.trade(0.50, 10, Side.SELL) == []
    assert [fill.qty for fill in bench.trade(0.50, 5, Side.SELL)] == [lots(5)]


def test_print_through_our_price_fills_at_our_price():
    bench = Bench()
    bench.place(Side.BUY, 0.51, 40)
    bench.later()
    fills = bench.trade(0.50, 30, Side.SELL)
    assert [(fill.px, fill.qty) for fill in fills] == [(px(0.51), lots(30))]


def test_print_on_the_other_side_or_before_arrival_does_nothing():
    bench = Bench()
    bench.place(Side.BUY, 0.51, 40)
    assert bench.trade(0.50, 30, Side.SELL) == [], "not there yet"
    bench.later()
    assert bench.trade(0.52, 30, Side.BUY) == []


def test_post_only_that_would_match_is_refused():
    bench = Bench()
    order = bench.place(Side.BUY, 0.52, 40)
    (news,) = bench.later()
    assert news == OrderRejected(client_id=order.client_id, code="BadAloPx", text="BadAloPx")
    bench.place(Side.BUY, 0.50, 40, leg=Leg.NO)
    assert bench.later()[0].code == "BadAloPx"


def test_small_and_unfunded_orders_are_refused():
    bench = Bench(cash=30)
    bench.place(Side.BUY, 0.50, 10)
    assert bench.later()[0].code == "MinTradeSpotNtl"
    bench.place(Side.BUY, 0.50, 50)
    assert isinstance(bench.later()[0], OrderOpened)
    bench.place(Side.BUY, 0.49, 50)
    assert bench.later()[0].code == "InsufficientSpotBalance"
    bench.place(Side.SELL, 0.60, 50)
    assert bench.later()[0].code == "InsufficientSpotBalance"


def test_cancel_answers_once_and_an_amend_of_the_dead_fails():
    bench = Bench()
    order = bench.place(Side.BUY, 0.50, 40)
    (opened,) = bench.later()
    bench.cancel(order)
    (closed,) = bench.later()
    assert isinstance(closed, OrderClosed)
    bench.amend(order, opened, 0.49, 40)
    assert isinstance(bench.later()[0], AmendFailed)
    bench.send(QueryOrder(HYPERLIQUID, order.client_id))
    answer = bench.later()[0]
    assert isinstance(answer, OrderAnswer)
    assert (answer.found, answer.open, answer.status) == (True, False, "canceled")


def test_amend_goes_to_the_back_of_its_new_level():
    bench = Bench()
    order = bench.place(Side.BUY, 0.48, 40)
    (opened,) = bench.later()
    bench.amend(order, opened, 0.50, 50)
    (again,) = bench.later()
    assert again.venue_order_id != opened.venue_order_id
    assert bench.trade(0.50, 100, Side.SELL) == []
    assert [fill.qty for fill in bench.trade(0.50, 60, Side.SELL)] == [lots(50)]


def test_buying_no_rests_on_the_yes_ask_side():
    bench = Bench()
    bench.place(Side.BUY, 0.49, 40, leg=Leg.NO)
    bench.later()
    fills = bench.trade(0.52, 30, Side.BUY)
    assert [(fill.leg, fill.side, fill.px, fill.qty) for fill in fills] == [(Leg.NO, Side.BUY, px(0.49), lots(30))]


def test_immediate_order_takes_the_book_up_to_its_limit():
    bench = Bench()
    bench.place(Side.BUY, 0.53, 100, tif=Tif.IOC)
    news = bench.later()
    fills = [item.fill for item in news if isinstance(item, FillReceived)]
    assert [(fill.px, fill.qty, fill.maker) for fill in fills] == [(px(0.52), lots(80), False)]
    closed = next(item for item in news if isinstance(item, OrderClosed))
    assert closed.filled == lots(80)


def test_merging_pairs_returns_their_worth():
    bench = Bench()
    bench.place(Side.BUY, 0.52, 50, tif=Tif.IOC)
    bench.place(Side.BUY, 0.50, 50, leg=Leg.NO, tif=Tif.IOC)
    bench.later()
    cash = bench.purse.cash
    bench.send(ConvertSet(action=SetAction.MERGE, market=MARKET.id, qty=lots(50)))
    bench.later()
    assert bench.purse.cash == cash + 50 * SCALE
    assert set(bench.account.tokens.values()) == {0}
    bench.send(ConvertSet(action=SetAction.SPLIT, market=MARKET.id, qty=lots(30)))
    bench.later()
    assert bench.purse.cash == cash + 20 * SCALE
    assert set(bench.account.tokens.values()) == {lots(30)}


@pytest.mark.parametrize("action", SetAction)
def test_what_cannot_be_converted_is_refused_and_moves_nothing(action: SetAction) -> None:
    bench = Bench()
    cash = bench.purse.cash
    bench.send(ConvertSet(action=action, market=MARKET.id, qty=lots(10**9), question=3))
    (failed,) = (item for item in bench.later() if isinstance(item, ConversionFailed))
    assert failed.action is action
    assert bench.purse.cash == cash


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("bid"), st.integers(40, 51), st.integers(25, 200)),
            st.tuples(st.just("no"), st.integers(40, 47), st.integers(25, 200)),
            st.tuples(st.just("sell"), st.integers(44, 56), st.integers(1, 150)),
            st.tuples(st.just("buy"), st.integers(46, 60), st.integers(1, 150)),
        ),
        max_size=60,
    )
)
def test_no_print_fills_more_than_it_traded_and_no_order_more_than_it_asked(steps):
    bench = Bench(cash=100_000)
    asked, filled = {}, {}
    for kind, cents, qty in steps:
        if kind in ("bid", "no"):
            order = bench.place(Side.BUY, cents / 100, qty, leg=Leg.YES if kind == "bid" else Leg.NO)
            asked[order.client_id] = order.qty
            bench.later()
        else:
            aggressor = Side.SELL if kind == "sell" else Side.BUY
            for fill in bench.trade(cents / 100, qty, aggressor):
                filled[fill.client_id] = filled.get(fill.client_id, 0) + fill.qty
                limit = fill.px if fill.leg is Leg.YES else SCALE - fill.px
                assert (limit - px(cents / 100)) * (1 if aggressor is Side.SELL else -1) >= 0
    by_print = {}
    for trade_id, took, size in bench.venue.filled_from:
        by_print[trade_id] = by_print.get(trade_id, 0) + took
        assert by_print[trade_id] <= size
    assert all(filled[key] <= asked[key] for key in filled)
    assert bench.purse.cash >= 0


@pytest.mark.parametrize("yes", [0, SCALE, SCALE // 2])
def test_settlement_pays_both_legs(yes):
    bench = Bench()
    bench.place(Side.BUY, 0.52, 50, tif=Tif.IOC)
    bench.later()
    cash = bench.purse.cash
    bench.venue.settle(MARKET.id, Px(yes), bench.now)
    assert bench.purse.cash == cash + 50 * yes


def test_an_order_in_the_perp_is_refused_for_the_wallet_is_empty():
    bench = Bench()
    order = OrderRequest(
        client_id=bench.ids.mint(), market="hyperliquid:p:BTC", leg=Leg.YES, side=Side.BUY, px=px(80_000.0), qty=Qty(1),
        tif=Tif.IOC, purpose=Purpose.QUOTE,
    )  # fmt: skip
    bench.send(PlaceOrders(HYPERLIQUID, (order,)))
    (news,) = bench.later()
    assert isinstance(news, OrderRejected)
    assert news.code == "PerpMargin"
    assert bench.purse.cash == 10_000 * SCALE


# -- time at the venue


def test_an_order_fills_between_a_cancels_sending_and_its_arrival():
    bench = Bench()
    order = bench.place(Side.BUY, 0.51, 40)
    bench.later()
    bench.cancel(order)
    bench.now += 50 * MS
    bench.printed(0.50, 40, Side.SELL, told_ms=400)
    news = bench.later(1_000)
    assert [type(item) for item in news] == [FillReceived, OrderClosed, CancelFailed]
    assert news[1].status == "filled"
    assert news[1].filled == lots(40)
    assert news[2].code == "MissingOrder"


def test_news_of_a_fill_is_no_earlier_than_its_print():
    bench = Bench()
    bench.place(Side.BUY, 0.51, 40)
    bench.later()
    bench.printed(0.50, 10, Side.SELL, told_ms=400)
    assert bench.later(399) == []
    (news,) = bench.later(1)
    assert isinstance(news, FillReceived)
    bench.printed(0.50, 10, Side.SELL, told_ms=10)
    assert bench.later(49) == [], "a response latency after the fill"
    assert len(bench.later(1)) == 1


def test_a_request_meets_the_book_that_the_venue_has_when_it_arrives():
    bench = Bench()
    order = bench.place(Side.BUY, 0.50, 40)
    bench.now += 99 * MS
    bench.book((0.48, 100), (0.50, 80))
    bench.now -= 99 * MS
    (news,) = bench.later()
    assert news == OrderRejected(client_id=order.client_id, code="BadAloPx", text="BadAloPx")


def test_a_part_filled_order_says_all_it_filled_when_it_ends():
    bench = Bench()
    order = bench.place(Side.BUY, 0.51, 40)
    (opened,) = bench.later()
    assert [fill.qty for fill in bench.trade(0.50, 15, Side.SELL)] == [lots(15)]
    bench.send(QueryOrder(HYPERLIQUID, order.client_id))
    (answer,) = bench.later()
    assert (answer.open, answer.leaves, answer.filled) == (True, lots(25), lots(15))
    bench.cancel(order)
    (closed,) = bench.later()
    assert (closed.venue_order_id, closed.filled) == (opened.venue_order_id, lots(15))


def test_our_best_order_is_hit_first_and_a_print_is_used_up_once():
    bench = Bench()
    low, high = bench.place(Side.BUY, 0.49, 40), bench.place(Side.BUY, 0.51, 40)
    bench.later()
    assert [(fill.client_id, fill.qty) for fill in bench.trade(0.48, 50, Side.SELL)] == [
        (high.client_id, lots(40)), (low.client_id, lots(10)),
    ]  # fmt: skip


@pytest.mark.parametrize(("queue", "filled"), [(QueueModel.BACK, []), (QueueModel.POWER, [lots(10)])])
def test_the_queue_model_says_where_cancels_came_from(queue, filled):
    bench = Bench(queue=queue)
    bench.place(Side.BUY, 0.50, 40)
    bench.later()
    bench.book((0.50, 200), (0.52, 80))  # a hundred came behind us
    bench.later()
    bench.book((0.50, 100), (0.52, 80))  # a hundred went, from wherever
    bench.later()
    assert [fill.qty for fill in bench.trade(0.50, 60, Side.SELL)] == filled


def test_prints_between_two_snapshots_explain_what_the_second_lacks():
    bench = Bench(queue=QueueModel.FRONT)
    bench.place(Side.BUY, 0.50, 40)
    bench.later()
    assert bench.trade(0.50, 70, Side.SELL) == []
    bench.book((0.50, 30), (0.52, 80))
    bench.later()
    assert bench.trade(0.50, 30, Side.SELL) == [], "the seventy that went were traded and are not counted again"
    assert [fill.qty for fill in bench.trade(0.50, 5, Side.SELL)] == [lots(5)]


def test_it_is_counted_what_fills_rest_on():
    bench = Bench()
    bench.place(Side.BUY, 0.51, 40)
    bench.later()
    bench.trade(0.51, 15, Side.SELL)
    bench.trade(0.50, 15, Side.SELL)
    bench.book((0.48, 100), (0.505, 80))
    bench.book((0.48, 100), (0.504, 80))
    bench.later()
    bench.place(Side.SELL, 0.48, 25, tif=Tif.IOC)
    bench.later()
    counts = bench.venue.counts
    assert (counts.at_level, counts.through, counts.taken, counts.overrun) == (1, 1, 1, 1)


# -- taking


def test_a_recorded_size_is_taken_once_between_two_snapshots():
    bench = Bench()

    def taken() -> list[Qty]:
        bench.place(Side.BUY, 0.52, 60, tif=Tif.IOC)
        return [item.fill.qty for item in bench.later() if isinstance(item, FillReceived)]

    assert [taken(), taken(), taken()] == [[lots(60)], [lots(20)], []]
    bench.book((0.50, 100), (0.52, 80))
    assert taken() == [lots(60)], "the next snapshot is the truth again"


def test_what_a_print_took_is_not_there_for_us():
    bench = Bench()
    bench.printed(0.52, 50, Side.BUY)
    bench.place(Side.BUY, 0.55, 100, tif=Tif.IOC)
    fills = [item.fill for item in bench.later() if isinstance(item, FillReceived)]
    assert [(fill.px, fill.qty) for fill in fills] == [(px(0.52), lots(30)), (px(0.55), lots(70))]
    bench.book((0.50, 100), (0.52, 80, 0.55, 500))
    bench.printed(0.55, 100, Side.BUY)
    bench.place(Side.BUY, 0.55, 100, tif=Tif.IOC)
    fills = [item.fill for item in bench.later() if isinstance(item, FillReceived)]
    assert [(fill.px, fill.qty) for fill in fills] == [(px(0.55), lots(100))], "a print beyond it took the level"


def test_an_immediate_order_that_meets_nothing_is_refused():
    bench = Bench()
    order = bench.place(Side.BUY, 0.51, 40, tif=Tif.IOC)
    assert bench.later() == [OrderRejected(client_id=order.client_id, code="IocCancel", text="IocCancel")]


def test_an_order_that_may_take_and_rest_does_both():
    bench = Bench()
    order = bench.place(Side.BUY, 0.52, 100, tif=Tif.GTC)
    news = bench.later()
    assert [type(item) for item in news] == [FillReceived, OrderOpened]
    assert (news[0].fill.qty, news[0].fill.maker, news[1].leaves) == (lots(80), False, lots(20))
    assert [(fill.client_id, fill.qty) for fill in bench.trade(0.51, 50, Side.SELL)] == [(order.client_id, lots(20))]


def test_all_or_nothing_does_not_exist_there():
    bench = Bench()
    bench.place(Side.BUY, 0.52, 40, tif=Tif.FOK)
    assert isinstance(bench.later()[0], OrderRejected)


# -- our own orders do not meet


def own_offer(bench: Bench, price: float = 0.51) -> OrderRequest:
    """An offer of ours in front of the recorded one: NO bought at the complement."""
    order = bench.place(Side.BUY, 1 - price, 40, leg=Leg.NO)
    (opened,) = bench.later()
    assert isinstance(opened, OrderOpened)
    return order


def test_an_order_of_ours_in_the_way_is_cancelled_and_the_taker_goes_on():
    bench = Bench()
    offer = own_offer(bench)
    bench.place(Side.BUY, 0.52, 50, tif=Tif.IOC)
    news = bench.later()
    closed = next(item for item in news if isinstance(item, OrderClosed) and item.client_id == offer.client_id)
    assert (closed.status, closed.filled) == ("selfTradeCanceled", 0)
    fills = [item.fill for item in news if isinstance(item, FillReceived)]
    assert [(fill.px, fill.qty) for fill in fills] == [(px(0.52), lots(50))]
    assert bench.venue.counts.self_trades == 1


def test_one_behind_what_is_taken_stays():
    bench = Bench()
    offer = own_offer(bench, 0.55)
    bench.place(Side.BUY, 0.55, 80, tif=Tif.IOC)
    assert all(item.client_id != offer.client_id for item in bench.later() if isinstance(item, OrderClosed))
    assert bench.venue.counts.self_trades == 0
    bench.book((0.50, 100), (0.52, 80))
    bench.place(Side.BUY, 0.55, 100, tif=Tif.IOC)
    closed = {item.client_id: item.status for item in bench.later() if isinstance(item, OrderClosed)}
    assert closed[offer.client_id] == "selfTradeCanceled"


def test_a_taker_that_meets_only_its_own_fills_nothing():
    bench = Bench()
    own_offer(bench)
    taker = bench.place(Side.BUY, 0.51, 40, tif=Tif.IOC)
    news = bench.later()
    assert [type(item) for item in news] == [OrderClosed, OrderRejected]
    assert (news[1].client_id, news[1].code) == (taker.client_id, "IocCancel")
    assert bench.account.tokens == {Leg.YES: 0, Leg.NO: 0}


def test_a_post_only_order_that_would_meet_our_own_is_refused():
    bench = Bench()
    own_offer(bench)
    bench.place(Side.BUY, 0.51, 40)
    assert bench.later()[0].code == "BadAloPx"


# -- fees and the end

CHARGED = FeeRates(
    venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=40_000, close_taker=70_000, settle=70_000
)  # fmt: skip


def test_only_what_reduces_pays():
    bench = Bench(rates=CHARGED)
    bench.place(Side.BUY, 0.52, 60, tif=Tif.IOC)
    (bought,) = [item.fill for item in bench.later() if isinstance(item, FillReceived)]
    assert bought.fee == 0
    bench.place(Side.SELL, 0.50, 20, tif=Tif.IOC)
    (sold,) = [item.fill for item in bench.later() if isinstance(item, FillReceived)]
    assert sold.fee == 20 * px(0.50) * 70_000 // SCALE
    bench.place(Side.SELL, 0.51, 20)
    bench.later()
    (rested,) = bench.trade(0.52, 20, Side.BUY)
    assert rested.fee == 20 * px(0.51) * 40_000 // SCALE
    (settled,) = bench.venue.settle(MARKET.id, Px(SCALE), bench.now)
    assert (settled.qty, settled.fee) == (lots(20), 20 * 70_000)
    cash = 10_000 * SCALE - 60 * px(0.52) + 20 * px(0.50) + 20 * px(0.51) + 20 * SCALE
    assert bench.purse.cash == cash - bench.purse.fees
    assert bench.purse.fees == sold.fee + rested.fee + settled.fee


def test_what_pays_nothing_costs_nothing_to_settle():
    bench = Bench(rates=CHARGED)
    bench.place(Side.BUY, 0.52, 60, tif=Tif.IOC)
    bench.later()
    (settled,) = bench.venue.settle(MARKET.id, Px(0), bench.now)
    assert (settled.px, settled.fee) == (0, 0)


def test_settlement_ends_what_rests_and_takes_nothing_new():
    bench = Bench()
    order = bench.place(Side.BUY, 0.50, 40)
    bench.later()
    bench.venue.settle(MARKET.id, Px(SCALE), bench.now)
    late = bench.place(Side.BUY, 0.50, 40)
    closed, refused = bench.later()
    assert (closed.client_id, closed.status) == (order.client_id, "outcomeSettledCanceled")
    assert (refused.client_id, refused.code) == (late.client_id, "OutcomeSettled")


def test_what_orders_have_claimed_is_not_converted():
    bench = Bench(cash=100)
    bench.send(ConvertSet(action=SetAction.SPLIT, market=MARKET.id, qty=lots(60)))
    bench.place(Side.BUY, 0.50, 60)
    bench.place(Side.SELL, 0.60, 30)
    bench.later()
    for action, qty in ((SetAction.SPLIT, 11), (SetAction.MERGE, 31)):
        bench.send(ConvertSet(action=action, market=MARKET.id, qty=lots(qty)))
        assert isinstance(bench.later()[0], ConversionFailed), action
    bench.send(ConvertSet(action=SetAction.MERGE, market=MARKET.id, qty=lots(30)))
    assert isinstance(bench.later()[0], FillReceived)


def test_a_listing_that_is_told_again_takes_nothing_away():
    bench = Bench()
    bench.place(Side.BUY, 0.51, 40)
    bench.later()
    bench.venue.open(MARKET, FREE)
    assert [fill.qty for fill in bench.trade(0.50, 15, Side.SELL)] == [lots(15)]
    assert bench.account.tokens[Leg.YES] == lots(15)


def test_a_tape_that_grows_lets_go_of_what_is_past(monkeypatch):
    monkeypatch.setattr(tape_venue, "PAST_KEPT", 50)
    bench = Bench()
    bench.place(Side.BUY, 0.51, 40)
    filled = 0
    for number in range(500):
        at_ns = bench.now
        item = TradePrint(MARKET.id, px(0.50), lots(1), Side.SELL, f"grown{number}", at_ns // MS)
        bench.venue.expect(Happened(at_ns=at_ns, told_ns=at_ns, place=number, item=item))
        filled += sum(news.fill.qty for news in bench.later(60) if isinstance(news, FillReceived))
        assert len(bench.tape) <= 52
    assert filled == lots(40), "and nothing that was still to come"


def test_a_settled_market_is_forgotten_with_all_that_it_claimed():
    bench = Bench()
    bench.place(Side.BUY, 0.40, 100)
    bench.later()
    (market,) = list(bench.venue.markets)
    assert bench.purse.claims
    bench.venue.settle(market, Px(SCALE), bench.now)
    bench.later()
    bench.venue.forget(market)
    assert not bench.venue.markets
    assert not bench.purse.claims
    late = bench.place(Side.BUY, 0.40, 100)
    (refused,) = bench.later()
    assert refused.client_id == late.client_id


def test_news_of_orders_long_gone_takes_no_room(monkeypatch):
    monkeypatch.setattr("hlomm.research.tape_mail.ORDERS_KEPT", 5)
    mail, ids = Mail(LATENCY), ClientIds(1)
    for second in range(500):
        client_id = ids.mint()
        gone = CancelFailed(client_id=client_id, code="MissingOrder", text="")
        mail.tell(second * 1_000 * MS, second, gone, client_id)
        mail.due(second * 1_000 * MS)
    assert len(mail._latest_of) < 300, "two minutes of them, and as many again before the next look"
