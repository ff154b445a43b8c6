"""Rung: pure, stateful. Matching of outcome contracts: transfer, mint, burn, and everything that refuses."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill, FillDir, OrderChanged, Traded, VenueCancel, mirrored
from hlomm.sim.orders import Filled, Refused, Resting
from hlomm.sim.refusals import Status

YES, NO, BUY, SELL = Leg.YES, Leg.NO, Side.BUY, Side.SELL
CENT = 1_000
"""Ticks."""


def test_two_buyers_mint_at_the_makers_price(desk: Any) -> None:
    maker, taker = desk.account(), desk.account()
    desk.place(maker, NO, BUY, 42 * CENT, 100)
    filled = desk.place(taker, YES, BUY, 60 * CENT, 100, Tif.IOC)
    assert isinstance(filled, Filled)
    assert filled.tick_lots == 58 * CENT * 100
    assert taker.quote == (10_000 - 58) * SCALE
    assert maker.quote == (10_000 - 42) * SCALE
    assert (desk.tokens(taker, YES), desk.tokens(maker, NO)) == (100, 100)
    assert desk.exchange.ledger.sets[desk.outcome] == 100


def test_buyer_and_seller_transfer(desk: Any) -> None:
    holder, buyer = desk.account(), desk.account()
    desk.exchange.split(holder, desk.outcome, 100)
    desk.place(holder, YES, SELL, 55 * CENT, 100)
    assert holder.held(desk.outcome, YES).hold == 100
    desk.place(buyer, YES, BUY, 55 * CENT, 100, Tif.IOC)
    assert (desk.tokens(holder, YES), desk.tokens(buyer, YES)) == (0, 100)
    assert holder.quote == (10_000 - 100 + 55) * SCALE
    assert desk.exchange.ledger.sets[desk.outcome] == 100


def test_seller_of_no_meets_buyer_of_no_in_the_same_book(desk: Any) -> None:
    holder, buyer = desk.account(), desk.account()
    desk.exchange.split(holder, desk.outcome, 50)
    desk.place(buyer, NO, BUY, 40 * CENT, 50)
    desk.place(holder, NO, SELL, 35 * CENT, 50, Tif.IOC)
    assert desk.tokens(buyer, NO) == 50
    assert holder.quote == (10_000 - 50 + 20) * SCALE


def test_two_sellers_burn_and_share_the_collateral(desk: Any) -> None:
    one, other = desk.account(), desk.account()
    desk.exchange.split(one, desk.outcome, 50)
    desk.exchange.split(other, desk.outcome, 50)
    desk.place(one, NO, SELL, 40 * CENT, 50)
    desk.place(other, YES, SELL, 55 * CENT, 50, Tif.IOC)  # the maker's NO at 0.40 leaves 0.60
    assert other.quote == (10_000 - 50 + 30) * SCALE
    assert one.quote == (10_000 - 50 + 20) * SCALE
    assert desk.exchange.ledger.sets[desk.outcome] == 50


def test_a_trade_prints_once_and_mirrors_on_the_other_coin(desk: Any) -> None:
    maker, taker = desk.account(), desk.account()
    desk.place(maker, NO, BUY, 42 * CENT, 30)
    desk.place(taker, YES, BUY, 58 * CENT, 30, Tif.IOC)
    (traded,) = desk.events(Traded)
    trade = traded.trade
    yes, no = mirrored(trade, YES), mirrored(trade, NO)
    assert yes[:4] == (58 * CENT, BUY, taker.address, maker.address)
    assert no[:4] == (42 * CENT, SELL, maker.address, taker.address)
    assert yes[4] != no[4]


def test_fills_are_reported_in_the_coin_of_each_order(desk: Any) -> None:
    maker, taker = desk.account(), desk.account()
    desk.place(maker, NO, BUY, 42 * CENT, 30, cloid="0x" + "a" * 32)
    desk.place(taker, YES, BUY, 58 * CENT, 30, Tif.IOC)
    rows = {event.account.address: event.row for event in desk.events(Fill)}
    assert rows[maker.address].target.leg is NO
    assert rows[maker.address].px == 42 * CENT * 1_000
    assert rows[maker.address].crossed is False
    assert rows[maker.address].cloid == "0x" + "a" * 32
    assert rows[taker.address].px == 58 * CENT * 1_000
    assert rows[taker.address].crossed is True
    assert {row.dir for row in rows.values()} == {FillDir.BUY}
    assert len({row.tid for row in rows.values()}) == 2


def test_hold_is_what_the_open_buys_need_at_their_limit(desk: Any) -> None:
    account = desk.account()
    desk.place(account, YES, BUY, 40 * CENT, 100)
    desk.place(account, NO, BUY, 30 * CENT, 100)
    assert account.quote_hold == 70 * SCALE


def test_a_taker_gets_back_what_it_reserved_above_the_price(desk: Any) -> None:
    maker, taker = desk.account(), desk.account()
    desk.place(maker, NO, BUY, 60 * CENT, 100)
    desk.place(taker, YES, BUY, 90 * CENT, 150)  # 100 at 0.40, the rest rests
    assert taker.quote == (10_000 - 40) * SCALE
    assert taker.quote_hold == 45 * SCALE


def test_post_only_is_refused_with_the_touch_in_its_own_view(desk: Any) -> None:
    maker, late = desk.account(), desk.account()
    desk.place(maker, YES, BUY, 49_812, 30)
    desk.place(maker, NO, BUY, 48_999, 30)  # asks YES at 0.51001
    yes = desk.place(late, YES, BUY, 51_001, 30, Tif.ALO)
    no = desk.place(late, NO, BUY, 50_188, 30, Tif.ALO)
    assert isinstance(yes, Refused)
    assert isinstance(no, Refused)
    assert yes.refusal.text == "Post only order would have immediately matched, bbo was 0.49812@0.51001."
    assert no.refusal.text == "Post only order would have immediately matched, bbo was 0.48999@0.50188."
    assert late.quote_hold == 0


def test_post_only_against_an_empty_other_side_names_none(desk: Any) -> None:
    maker, late = desk.account(), desk.account()
    desk.place(maker, NO, BUY, 40 * CENT, 30)
    refused = desk.place(late, YES, BUY, 61 * CENT, 30, Tif.ALO)
    assert "bbo was None@0.6." in refused.refusal.text


def test_ioc_remainder_is_dropped_and_what_it_reserved_is_free(desk: Any) -> None:
    maker, taker = desk.account(), desk.account()
    desk.place(maker, NO, BUY, 50 * CENT, 30)
    filled = desk.place(taker, YES, BUY, 50 * CENT, 100, Tif.IOC)
    assert isinstance(filled, Filled)
    assert filled.lots == 30
    assert taker.quote_hold == 0
    last = [e.row for e in desk.events(OrderChanged) if e.account is taker][-1]
    assert (last.status, last.lots, last.lots_original) == (Status.CANCELED, 70, 100)


def test_ioc_that_meets_nothing_is_refused(desk: Any) -> None:
    refused = desk.place(desk.account(), YES, BUY, 50 * CENT, 100, Tif.IOC)
    assert refused.refusal.text == "Order could not immediately match against any resting orders."
    assert refused.refusal.status is Status.IOC_REJECTED


def test_self_trade_cancels_the_resting_order_and_goes_on(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    desk.place(me, NO, BUY, 45 * CENT, 30)  # asks YES at 0.55
    desk.place(other, NO, BUY, 44 * CENT, 30)  # behind it, at 0.56
    filled = desk.place(me, YES, BUY, 56 * CENT, 30, Tif.IOC)
    assert isinstance(filled, Filled)
    assert filled.tick_lots == 56 * CENT * 30
    statuses = [event.row.status for event in desk.events(OrderChanged)]
    assert Status.SELF_TRADE in statuses
    assert len(desk.events(Traded)) == 1
    assert len(desk.events(VenueCancel)) == 1


def test_ioc_that_only_met_itself_reports_no_match(desk: Any) -> None:
    me = desk.account()
    desk.place(me, NO, BUY, 45 * CENT, 30)
    refused = desk.place(me, YES, BUY, 60 * CENT, 30, Tif.IOC)
    assert isinstance(refused, Refused)
    assert me.quote_hold == 0


def test_selling_needs_free_tokens(desk: Any) -> None:
    account = desk.account()
    refused = desk.place(account, YES, SELL, 50 * CENT, 30)
    assert refused.refusal.text == "Insufficient spot balance"
    desk.exchange.split(account, desk.outcome, 40)
    assert isinstance(desk.place(account, YES, SELL, 50 * CENT, 40), Resting)
    assert desk.place(account, YES, SELL, 50 * CENT, 30).refusal.text == "Insufficient spot balance"


def test_buying_needs_free_quote(desk: Any) -> None:
    poor = desk.account(spot=20)
    assert isinstance(desk.place(poor, YES, BUY, 50 * CENT, 30), Resting)
    assert desk.place(poor, NO, BUY, 40 * CENT, 30).refusal.text == "Insufficient spot balance"


@pytest.mark.parametrize(("ticks", "lots", "accepted"), [(5_000, 200, True), (5_000, 199, False), (95_000, 11, True)])
def test_minimum_value_is_in_the_orders_own_coin(desk: Any, ticks: int, lots: int, accepted: bool) -> None:
    placed = desk.place(desk.account(), YES, BUY, ticks, lots)
    if accepted:
        assert isinstance(placed, Resting)
    else:
        assert placed.refusal.text == "Order must have minimum value of 10 USDC."
        assert placed.refusal.status is Status.MIN_NOTIONAL_REJECTED


def test_precedence_crossing_then_zero_balance_then_minimum_then_funding(desk: Any) -> None:
    maker, empty, poor = desk.account(), desk.account(spot=0), desk.account(spot=11)
    desk.place(maker, NO, BUY, 50 * CENT, 100)
    assert desk.place(empty, YES, BUY, 50 * CENT, 1, Tif.ALO).refusal.status is Status.BAD_ALO_REJECTED
    assert desk.place(empty, YES, BUY, 40 * CENT, 1, Tif.ALO).refusal.status is Status.BALANCE_REJECTED
    assert desk.place(poor, YES, BUY, 40 * CENT, 1, Tif.ALO).refusal.status is Status.MIN_NOTIONAL_REJECTED
    assert desk.place(poor, YES, BUY, 40 * CENT, 100, Tif.ALO).refusal.status is Status.BALANCE_REJECTED


def test_fees_are_off_by_default_and_fall_on_the_reducing_side_when_on(make_desk: Any) -> None:
    for scale, multiplier in ((0, 1), (SCALE, 2), (SCALE // 2, 1.5)):
        desk = make_desk(RulesConfig(outcome_fees=True, outcome_fee_scale=scale))
        holder, buyer = desk.account(), desk.account()
        desk.exchange.split(holder, desk.outcome, 100)
        desk.place(buyer, YES, BUY, 50 * CENT, 100)
        desk.place(holder, YES, SELL, 50 * CENT, 100, Tif.IOC)
        rows = {event.account.name: event.row for event in desk.events(Fill) if event.row.dir is not FillDir.SPLIT}
        assert rows[buyer.name].fee == 0
        assert rows[holder.name].fee == int(50 * SCALE * 0.0007 * multiplier)
        assert desk.exchange.ledger.fees == rows[holder.name].fee
        assert desk.exchange.audit() == []


def test_maker_sale_pays_the_maker_rate(make_desk: Any) -> None:
    desk = make_desk(RulesConfig(outcome_fees=True))
    holder, buyer = desk.account(), desk.account()
    desk.exchange.split(holder, desk.outcome, 100)
    desk.place(holder, YES, SELL, 50 * CENT, 100)
    desk.place(buyer, YES, BUY, 50 * CENT, 100, Tif.IOC)
    assert desk.exchange.ledger.fees == 50 * SCALE * 4 // 10_000


def test_only_fee_paying_volume_counts(desk: Any) -> None:
    a, b = desk.account(), desk.account()
    desk.place(a, YES, BUY, 60 * CENT, 100)
    desk.place(b, NO, BUY, 40 * CENT, 100, Tif.IOC)
    assert (a.volume, b.volume) == (0, 0)  # a mint pays nothing
    desk.place(b, YES, BUY, 30 * CENT, 50)
    desk.place(a, YES, SELL, 30 * CENT, 50, Tif.IOC)
    assert (a.volume, b.volume) == (15 * SCALE, 15 * SCALE)  # a transfer counts at the payer's price
    desk.place(a, YES, SELL, 55 * CENT, 50)
    desk.place(b, NO, SELL, 45 * CENT, 50, Tif.IOC)
    assert (a.volume, b.volume) == (65 * SCALE, 65 * SCALE)  # a burn counts one per pair


def test_open_order_limit(make_desk: Any) -> None:
    desk = make_desk(RulesConfig(open_orders=3))
    account = desk.account()
    for _ in range(3):
        assert isinstance(desk.place(account, YES, BUY, 40 * CENT, 30), Resting)
    assert desk.place(account, YES, BUY, 40 * CENT, 30).refusal.text == "Too many open orders"


def test_partly_filled_order_that_rests_answers_as_configured(make_desk: Any) -> None:
    for setting, kind in (("resting", Resting), ("filled", Filled)):
        desk = make_desk(RulesConfig(gtc_partial_reply=setting))
        maker, taker = desk.account(), desk.account()
        desk.place(maker, NO, BUY, 50 * CENT, 30)
        assert isinstance(desk.place(taker, YES, BUY, 50 * CENT, 100), kind)
