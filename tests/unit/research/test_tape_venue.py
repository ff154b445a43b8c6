"""The tape fills what the tape traded, and nothing else. Rung: stateful sync."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID, ClientIds
from hlomm.domain.inputs import (
    AmendFailed,
    BookSnapshot,
    ConversionFailed,
    FillReceived,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    TradePrint,
)
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders, QueryOrder
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.tape_venue import Delays, TapeVenue

MS = 1_000_000
MARKET = Market(
    id="hyperliquid:o15", venue=HYPERLIQUID, kind=MarketKind.OUTCOME, ticker="OUT:BTC-1-2026-05-10T0600",
    underlying="BTC", tick=Px(1000), lot=Qty(SCALE), min_notional=Cash(10 * SCALE), quote_token="USDC", strike=Px(1),
    expiry_ns=10**19,
)  # fmt: skip


def px(value: float) -> Px:
    return Px(round(value * SCALE))


def lots(value: int) -> Qty:
    return Qty(value * SCALE)


class Bench:
    """A venue with a book of 0.50 x 100 bid, 0.52 x 80 ask, a second level behind each."""

    def __init__(self, cash: int = 10_000) -> None:
        self.venue = TapeVenue(MARKET, Delays(entry_ns=100 * MS, answer_ns=50 * MS), Cash(cash * SCALE))
        self.ids = ClientIds(1)
        self.now = 0
        self.book((0.50, 100, 0.48, 300), (0.52, 80, 0.55, 500))
        self.trade_ids = itertools.count()

    def book(self, bids, asks) -> None:
        pairs = [tuple((px(p), lots(q)) for p, q in zip(row[::2], row[1::2], strict=True)) for row in (bids, asks)]
        self.venue.book(BookSnapshot(MARKET.id, pairs[0], pairs[1], self.now // MS))

    def place(self, side: Side, price: float, qty: int, *, leg: Leg = Leg.YES, tif: Tif = Tif.ALO) -> OrderRequest:
        order = OrderRequest(
            client_id=self.ids.mint(), market=MARKET.id, leg=leg, side=side, px=px(price), qty=lots(qty), tif=tif,
            purpose=Purpose.QUOTE,
        )  # fmt: skip
        self.venue.submit(PlaceOrders(HYPERLIQUID, (order,)), self.now)
        return order

    def later(self, ms: int = 200) -> list:
        """News that arrives within the next milliseconds."""
        self.now += ms * MS
        return self.venue.due(self.now)

    def trade(self, price: float, qty: int, aggressor: Side) -> list:
        item = TradePrint(MARKET.id, px(price), lots(qty), aggressor, f"t{next(self.trade_ids)}", self.now // MS)
        self.venue.trade(item, self.now, self.now)
        return [news.fill for news in self.later(60) if isinstance(news, FillReceived)]


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
    cancel = CancelRequest(client_id=order.client_id, market=MARKET.id, leg=Leg.YES)
    bench.venue.submit(CancelOrders(HYPERLIQUID, (cancel,)), bench.now)
    (closed,) = bench.later()
    assert isinstance(closed, OrderClosed)
    amend = AmendRequest(
        client_id=order.client_id, venue_order_id=opened.venue_order_id, market=MARKET.id, leg=Leg.YES, side=Side.BUY,
        px=px(0.49), qty=lots(40), tif=Tif.ALO,
    )  # fmt: skip
    bench.venue.submit(AmendOrders(HYPERLIQUID, (amend,)), bench.now)
    assert isinstance(bench.later()[0], AmendFailed)
    bench.venue.submit(QueryOrder(HYPERLIQUID, order.client_id), bench.now)
    answer = bench.later()[0]
    assert isinstance(answer, OrderAnswer)
    assert (answer.found, answer.open, answer.status) == (True, False, "canceled")


def test_amend_goes_to_the_back_of_its_new_level():
    bench = Bench()
    order = bench.place(Side.BUY, 0.48, 40)
    (opened,) = bench.later()
    amend = AmendRequest(
        client_id=order.client_id, venue_order_id=opened.venue_order_id, market=MARKET.id, leg=Leg.YES, side=Side.BUY,
        px=px(0.50), qty=lots(50), tif=Tif.ALO,
    )  # fmt: skip
    bench.venue.submit(AmendOrders(HYPERLIQUID, (amend,)), bench.now)
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
    cash = bench.venue.cash
    bench.venue.submit(ConvertSet(action=SetAction.MERGE, market=MARKET.id, qty=lots(50)), bench.now)
    bench.later()
    assert bench.venue.cash == cash + 50 * SCALE
    assert set(bench.venue.tokens.values()) == {0}
    bench.venue.submit(ConvertSet(action=SetAction.SPLIT, market=MARKET.id, qty=lots(30)), bench.now)
    bench.later()
    assert bench.venue.cash == cash + 20 * SCALE
    assert set(bench.venue.tokens.values()) == {lots(30)}


@pytest.mark.parametrize("action", SetAction)
def test_what_cannot_be_converted_is_refused_and_moves_nothing(action: SetAction) -> None:
    bench = Bench()
    cash = bench.venue.cash
    bench.venue.submit(ConvertSet(action=action, market=MARKET.id, qty=lots(10**9), question=3), bench.now)
    (failed,) = (item for item in bench.later() if isinstance(item, ConversionFailed))
    assert failed.action is action
    assert bench.venue.cash == cash


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
    assert bench.venue.cash >= 0


@pytest.mark.parametrize("yes", [0, SCALE, SCALE // 2])
def test_settlement_pays_both_legs(yes):
    bench = Bench()
    bench.place(Side.BUY, 0.52, 50, tif=Tif.IOC)
    bench.later()
    cash = bench.venue.cash
    bench.venue.settle(Px(yes))
    assert bench.venue.cash == cash + 50 * yes


def test_an_order_in_the_perp_is_refused_for_the_wallet_is_empty():
    bench = Bench()
    order = OrderRequest(
        client_id=bench.ids.mint(), market="hyperliquid:p:BTC", leg=Leg.YES, side=Side.BUY, px=px(80_000.0), qty=Qty(1),
        tif=Tif.IOC, purpose=Purpose.QUOTE,
    )  # fmt: skip
    bench.venue.submit(PlaceOrders(HYPERLIQUID, (order,)), bench.now)
    (news,) = bench.later()
    assert isinstance(news, OrderRejected)
    assert news.code == "PerpMargin"
    assert bench.venue.cash == 10_000 * SCALE
