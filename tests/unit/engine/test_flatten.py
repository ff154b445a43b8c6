"""The walk to flat: what is merged, what is sold at which price, what is held and why, and how long it may take."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    ConversionFailed,
    FeeRates,
    FillReceived,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    OperatorAction,
    SendLost,
    SendRefused,
    SentAction,
    SessionUp,
    StopRequested,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, OrderState, Purpose, Side, Tif
from hlomm.domain.outputs import AlertLevel, ConvertSet, HaltState, Output, Subscribe
from hlomm.domain.sets import SetAction
from tests.support.rig import Rig, alerts, asked_account, cancelled, halts, of, placed, risky
from tests.support.values import M2, M, account, config, levels, lots, outcome, px, resting, seconds, token, usd


def flatten(rig: Rig) -> list[Output]:
    return rig.command(OperatorAction.FLATTEN)


def held(*parts: tuple[float, str, Leg], book: Any = None, **how: Any) -> Rig:
    """A running engine that holds tokens: `held((100, "0.5", Leg.YES))`."""
    rig = Rig(**how)
    for number, price, leg in parts:
        rig.buy(number, price, leg)
    if book is not None:
        rig.book(*book)
    return rig


YES100 = (100, "0.5", Leg.YES)
NO100 = (100, "0.45", Leg.NO)


# -- selling


def test_single_tokens_are_sold_immediate_or_cancel_below_the_best_bid() -> None:
    rig = held(YES100)
    (sale,) = placed(flatten(rig))
    assert (sale.leg, sale.side, sale.tif, sale.purpose) == (Leg.YES, Side.SELL, Tif.IOC, Purpose.FLATTEN)
    assert (sale.qty, sale.px) == (lots(100), px("0.45"))
    assert sale.reduce_only


def test_no_tokens_are_sold_to_those_who_offer_yes() -> None:
    rig = held(NO100)
    (sale,) = placed(flatten(rig))
    assert (sale.leg, sale.px) == (Leg.NO, px("0.35")), "the best YES ask is 0.60, so NO is worth 0.40 at once"


@pytest.mark.parametrize(
    ("bid", "number", "limit"),
    [
        ("0.50", 100, "0.45"),
        ("0.50007", 100, "0.45007"),
        ("0.12", 100, "0.10"),  # lower and it would be too small for the venue
        ("0.12", 97, "0.1031"),
        ("0.10", 100, "0.10"),
        ("0.04", 300, "0.03334"),
    ],
)
def test_the_limit_gives_way_but_never_below_what_may_be_sent(bid: str, number: float, limit: str) -> None:
    rig = held((number, "0.5", Leg.YES), book=(levels((bid, 500)), levels(("0.60", 500))))
    (sale,) = placed(flatten(rig))
    assert sale.px == px(limit)
    assert sale.px * sale.qty >= usd(10) * 10**8


def test_fractions_of_a_lot_stay() -> None:
    rig = held((100.7, "0.5", Leg.YES))
    (sale,) = placed(flatten(rig))
    assert sale.qty == lots(100)


def test_every_market_is_sold_at_once() -> None:
    rig = Rig(markets=[outcome(), outcome(16)])
    rig.buy(100, "0.5")
    rig.buy(100, "0.5", market=M2)
    assert [sale.market for sale in placed(flatten(rig))] == [M, M2]


def test_an_unfilled_sale_is_tried_again_after_a_pause_up_to_the_limit() -> None:
    rig = held(YES100)
    outputs = flatten(rig)
    tried = 0
    while placed(outputs):
        (sale,) = placed(outputs)
        tried += 1
        assert not placed(rig.closed(sale, filled=0)), "the book is given a moment to answer"
        rig.book()
        outputs = rig.wait(1.0)
    assert tried == rig.state.config.flatten.attempts == 3
    assert rig.halt is HaltState.HALTED
    (alert,) = alerts(rig.outputs, "flattened")
    assert "not sold in 3 attempts" in alert.text
    assert alert.level is AlertLevel.WARNING


def test_a_venue_that_refuses_at_once_does_not_use_up_the_attempts_at_once() -> None:
    """The socket is gone: every sale comes back in the same instant."""
    rig = held(YES100)
    outputs, sent = flatten(rig), 0
    for _ in range(20):
        for sale in placed(outputs):
            sent += 1
            outputs = rig.tell(SendRefused((sale.client_id,), SentAction.PLACE, "not connected"))
            break
        else:
            outputs = rig.turn()
    assert sent == 1
    assert rig.halt is HaltState.FLATTENING


def test_a_partial_sale_goes_on_with_the_rest() -> None:
    rig = held(YES100)
    (sale,) = placed(flatten(rig))
    rig.filled(sale, 40, at="0.5")
    rig.closed(sale, filled=40)
    rig.book()
    (again,) = placed(rig.wait(1.0))
    assert again.qty == lots(60)
    assert halts(rig.filled(again, 60, at="0.48")) == [HaltState.HALTED]
    assert rig.net() == 0


def test_what_is_sold_but_not_yet_booked_is_not_sold_twice() -> None:
    """The venue says all is filled, the fills are late."""
    rig = held(YES100)
    (sale,) = placed(flatten(rig))
    rig.closed(sale, filled=100, status="filled", oid="77")
    rig.book()
    assert not risky(rig.wait(3))
    assert rig.halt is HaltState.FLATTENING, "and the walk waits for them"
    assert halts(rig.filled(sale, 100, at="0.49", oid="77")) == [HaltState.HALTED]


# -- merging


def test_pairs_are_merged_before_anything_is_sold() -> None:
    rig = held((100, "0.5", Leg.YES), (60, "0.45", Leg.NO))
    outputs = flatten(rig)
    assert of(outputs, ConvertSet) == [ConvertSet(action=SetAction.MERGE, market=M, qty=lots(60))]
    assert not placed(outputs)
    for leg in Leg:
        rig.buy(60, "0.5", leg, side=Side.SELL, kind=FillKind.MERGE)
    (sale,) = placed(rig.wait(1.0))
    assert sale.qty == lots(40)


def test_only_pairs_need_no_book_at_all() -> None:
    rig = held((60, "0.5", Leg.YES), (60, "0.45", Leg.NO), book=((), ()))
    assert of(flatten(rig), ConvertSet)
    for leg in Leg:
        outputs = rig.buy(60, "0.5", leg, side=Side.SELL, kind=FillKind.MERGE)
    assert halts(outputs) == [HaltState.HALTED]


def test_pairs_below_a_lot_are_not_merged() -> None:
    rig = held((100.5, "0.5", Leg.YES), (0.4, "0.45", Leg.NO))
    outputs = flatten(rig)
    assert not of(outputs, ConvertSet)
    assert [sale.qty for sale in placed(outputs)] == [lots(100)]


def test_a_merge_that_fails_is_tried_again_and_then_only_what_is_single_is_sold() -> None:
    """A failing merge must not cost the attempts to sell; and half a pair sold would bare the other half."""
    rig = held((100, "0.5", Leg.YES), (60, "0.45", Leg.NO))
    outputs, merges = flatten(rig), 0
    while of(outputs, ConvertSet):
        merges += 1
        rig.tell(ConversionFailed(action=SetAction.MERGE, market=M, text="Outcome error"))
        rig.book()
        outputs = rig.wait(1.0)
    assert merges == 3
    (sale,) = placed(outputs)
    assert (sale.leg, sale.qty) == (Leg.YES, lots(40))
    assert len(alerts(rig.outputs, "conversion_failed")) == 3
    outputs = rig.filled(sale, 40, at="0.5") + rig.wait(1.0)
    assert halts(outputs) == [HaltState.HALTED]
    (alert,) = alerts(outputs, "flattened")
    assert "60 YES 60 NO (worst 0.00; pairs that were not merged: worth exactly 1 each)" in alert.text


def test_a_delisted_market_can_neither_be_merged_nor_sold() -> None:
    rig = held((100, "0.5", Leg.YES), (60, "0.45", Leg.NO))
    rig.tell(MarketDelisted(M, "gone"))
    outputs = flatten(rig)
    assert not risky(outputs)
    assert halts(outputs)[-1] is HaltState.HALTED
    assert "no longer listed" in alerts(outputs, "flattened")[0].text


# -- holding


@pytest.mark.parametrize(
    ("bids", "asks", "leg"),
    [((), levels(("0.6", 500)), Leg.YES), (levels(("0.5", 500)), (), Leg.NO), ((), (), Leg.YES)],
)
def test_without_a_buyer_tokens_are_held_and_the_worst_is_said(bids: Any, asks: Any, leg: Leg) -> None:
    rig = held((100, "0.40", leg), book=(bids, asks))
    outputs = flatten(rig)
    assert not risky(outputs)
    assert halts(outputs) == [HaltState.FLATTENING, HaltState.HALTED]
    (alert,) = alerts(outputs, "flattened")
    assert "held to settlement" in alert.text
    assert "no buyer in the book" in alert.text
    assert "worst 40.00" in alert.text
    assert alert.level is AlertLevel.WARNING


@pytest.mark.parametrize(("tau_s", "sells"), [(20.001, True), (20.0, False), (1.0, False)])
def test_close_to_settlement_tokens_are_held(tau_s: float, sells: bool) -> None:
    rig = held(YES100, markets=[outcome(tau_s=100)])
    rig.keep_fresh(100 - tau_s)
    outputs = flatten(rig)
    assert bool(placed(outputs)) is sells
    if not sells:
        assert "settles too soon to sell" in alerts(outputs, "flattened")[0].text


def test_pairs_are_merged_even_close_to_settlement() -> None:
    rig = held((60, "0.5", Leg.YES), (60, "0.45", Leg.NO), markets=[outcome(tau_s=100)])
    rig.keep_fresh(95)
    assert of(flatten(rig), ConvertSet)


def test_what_is_too_small_for_the_venue_is_held() -> None:
    rig = held((19, "0.5", Leg.YES))
    outputs = flatten(rig)
    assert not risky(outputs)
    assert "too small to sell: 19 x 0.5 < 10" in alerts(outputs, "flattened")[0].text


CHEAP = (levels(("0.05", 500)), levels(("0.07", 500)))


def test_what_is_too_small_to_sell_is_completed_and_merged() -> None:
    """19 YES at 0.05 are worth 0.95 USDC; the same 19 NO cost 18.05, which the venue takes, and merge to 19."""
    rig = held((19, "0.5", Leg.YES), book=CHEAP)
    (purchase,) = placed(flatten(rig))
    assert (purchase.leg, purchase.side, purchase.tif) == (Leg.NO, Side.BUY, Tif.IOC)
    assert (purchase.px, purchase.qty) == (px("0.99999"), lots(19)), "0.95 and the slippage, below what it merges to"
    assert purchase.reduce_only
    rig.filled(purchase, 19, at="0.95")
    (merge,) = of(rig.wait(1.0), ConvertSet)
    assert merge.qty == lots(19)
    for leg in Leg:
        outputs = rig.buy(19, "0.5", leg, side=Side.SELL, kind=FillKind.MERGE)
    assert halts(outputs) == [HaltState.HALTED]
    assert rig.cash == usd("9991.45"), "as if sold at 0.05"


def test_the_purchase_takes_no_more_than_the_free_cash() -> None:
    rig = held((19, "0.5", Leg.YES), book=CHEAP, cash=25)
    (purchase,) = placed(flatten(rig))
    assert purchase.qty == lots(15), "15.5 are left"


def test_without_cash_it_is_held_and_said() -> None:
    rig = held((19, "0.5", Leg.YES), book=CHEAP, cash=15)
    outputs = flatten(rig)
    assert not risky(outputs)
    assert "too small to sell: 19 x 0.05 < 10" in alerts(outputs, "flattened")[0].text


def rates(**changes: int) -> FeeRates:
    values = {"open_maker": 0, "open_taker": 0, "close_maker": 40_000, "close_taker": 70_000, "settle": 70_000}
    return FeeRates(venue=HYPERLIQUID, **(values | changes))


def test_once_merges_are_known_to_be_free_the_way_without_the_closing_fee_is_taken() -> None:
    rig = held(YES100)
    rig.tell(rates())
    (order,) = placed(flatten(rig))
    assert order.side is Side.SELL, "what merging costs is not known: it may cost what settling costs"
    other = held(YES100)
    other.tell(rates())
    for side, kind in ((Side.BUY, FillKind.SPLIT), (Side.SELL, FillKind.MERGE)):
        for leg in Leg:
            other.buy(1, "0.5", leg, side=side, kind=kind)
    (order,) = placed(flatten(other))
    assert (order.leg, order.side, order.px) == (Leg.NO, Side.BUY, px("0.55"))
    other.tell(SendRefused((order.client_id,), SentAction.PLACE, "not connected"))
    other.book()
    (again,) = placed(other.wait(1.0))
    assert (again.leg, again.side) == (Leg.YES, Side.SELL), "what stops purchases may leave sales alone"


def test_a_short_is_a_missing_fill_and_nothing_is_sold_for_it() -> None:
    rig = Rig()
    rig.buy(100, "0.55", side=Side.SELL)
    outputs = flatten(rig)
    assert not risky(outputs)
    assert "YES is short by 100: a fill is missing" in alerts(outputs, "flattened")[0].text


def test_a_buyer_who_turns_up_while_others_are_sold_gets_his_tokens() -> None:
    """Holding is decided anew in every step, as long as the walk goes on."""
    rig = Rig(markets=[outcome(), outcome(16)])
    rig.buy(100, "0.5")
    rig.buy(100, "0.5", market=M2)
    rig.book((), levels(("0.6", 500)), market=M2)
    (sale,) = placed(flatten(rig))
    assert sale.market == M
    (other,) = placed(rig.book(market=M2))
    assert other.market == M2


# -- waiting for a book


def test_a_book_that_the_lost_session_took_is_waited_for() -> None:
    """`on_disconnect = flatten` would otherwise end at once with every token held: no book, no buyer."""
    rig = held(YES100)
    outputs = rig.down()
    assert not placed(outputs)
    assert rig.halt is HaltState.FLATTENING
    assert not placed(rig.wait(2))
    (sale,) = placed(rig.book())
    assert sale.qty == lots(100)


def test_a_book_that_never_comes_is_said_at_the_deadline() -> None:
    rig = held(YES100)
    rig.down(rest=False)
    outputs = rig.wait(15)
    assert rig.halt is HaltState.HALTED
    (alert,) = alerts(outputs, "flatten_deadline")
    assert "no book came" in alert.text
    assert alert.level is AlertLevel.CRITICAL


def test_tokens_of_a_market_that_nobody_quotes_are_sold_too() -> None:
    """It is not followed, so there is no book: the walk asks for one."""
    rig = Rig(markets=[outcome(), outcome(16, klass="template:x")], cash=1_000)
    rig.market(M2).book.forget()
    rig.buy(100, "0.5", market=M2)
    outputs = flatten(rig)
    assert of(outputs, Subscribe) == [Subscribe(M2)]
    assert not of(rig.wait(1), Subscribe), "asked once"
    (sale,) = placed(rig.book(market=M2))
    assert sale.market == M2


# -- orders in the way


def test_an_order_of_another_market_holds_nothing_up() -> None:
    rig = Rig(markets=[outcome(), outcome(16)])
    rig.buy(100, "0.5")
    rig.resting_bid(market=M2)
    assert [sale.market for sale in placed(flatten(rig))] == [M]
    assert rig.halt is HaltState.FLATTENING


def test_an_order_of_the_market_must_be_gone_first() -> None:
    rig = held(YES100)
    bid = rig.resting_bid()
    assert not placed(flatten(rig))
    assert not placed(rig.wait(3))
    assert len(placed(rig.closed(bid, filled=0) + rig.book())) == 1


def test_an_order_that_nobody_can_account_for_does_not_keep_tokens_unsold() -> None:
    """It was lost on the way and may never have existed: the venue's word on that comes only after the deadline."""
    rig = held(YES100)
    (lost,) = placed(rig.want(bid=("0.52", 100)))
    rig.tell(SendLost((lost.client_id,), SentAction.PLACE, "socket closed"))
    outputs = flatten(rig)
    assert not placed(outputs), "it is asked about first"
    for _ in range(3):
        outputs += rig.wait(1.0) + rig.book() + rig.answer(lost, found=False)
    (sale,) = placed(outputs)
    assert sale.qty == lots(100)
    rig.filled(sale, 100, at="0.5")
    assert rig.halt is HaltState.FLATTENING, "but the walk is not over while it may rest"
    rig.wait(15)
    assert rig.halt is HaltState.HALTED


def test_tokens_that_a_doubtful_sale_may_have_claimed_are_left_to_it() -> None:
    rig = held(YES100)
    (ask,) = placed(rig.want(ask=("0.58", 60)))
    assert ask.side is Side.SELL
    rig.tell(SendLost((ask.client_id,), SentAction.PLACE, "socket closed"))
    outputs = flatten(rig)
    for _ in range(3):
        outputs += rig.wait(1.0) + rig.book() + rig.answer(ask, found=False)
    assert [sale.qty for sale in placed(outputs)] == [lots(40)]


def test_a_sale_whose_answer_is_lost_is_not_repeated_blindly() -> None:
    rig = held(YES100)
    (sale,) = placed(flatten(rig))
    rig.tell(SendLost((sale.client_id,), SentAction.PLACE, "socket closed"))
    rig.book()
    outputs = rig.keep_fresh(1)
    assert not placed(outputs)
    outputs = rig.answer(sale, open_=False, status="filled", filled=100, oid="77")
    assert not placed(outputs)
    rig.filled(sale, 100, at="0.5", oid="77")
    assert rig.halt is HaltState.HALTED


# -- the end


def test_flat_from_the_start() -> None:
    rig = Rig()
    outputs = flatten(rig)
    assert halts(outputs) == [HaltState.FLATTENING, HaltState.HALTED]
    (alert,) = alerts(outputs, "flattened")
    assert alert.text.startswith("flatten by uid 1000: all orders cancelled, flat")
    assert "hlomm resume" in alert.text
    assert alert.level is AlertLevel.INFO


def test_a_settlement_during_the_walk_ends_it() -> None:
    rig = held(YES100, book=(levels(("0.5", 500)), levels(("0.6", 500))))
    (sale,) = placed(flatten(rig))
    outputs = rig.tell(MarketSettled(M, px(1), "price:80001"))
    assert rig.halt is HaltState.FLATTENING
    outputs += rig.closed(sale, filled=0, status="outcomeSettledCanceled")
    assert halts(outputs) == [HaltState.HALTED]


def test_the_walk_ends_at_its_deadline_whatever_is_left() -> None:
    rig = held(YES100)
    (sale,) = placed(flatten(rig))
    outputs = rig.wait(15)
    assert rig.halt is HaltState.HALTED
    (alert,) = alerts(outputs, "flatten_deadline")
    assert "1 orders not confirmed gone" in alert.text
    assert "100 YES 0 NO (worst 50.00" in alert.text
    assert rig.order(sale.client_id).state is OrderState.UNKNOWN


def test_tokens_kept_by_policy_are_said_to_be_kept() -> None:
    rig = Rig(config(flatten={"on_kill": False}))
    rig.buy(100, "0.5")
    outputs = rig.command(OperatorAction.KILL)
    assert "tokens kept by policy" in alerts(outputs, "flattened")[0].text


def test_a_found_position_is_flattened_like_any_other() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.tell(account(100, tokens=(token(80, "40", Leg.NO),)), MarketListed(outcome()), SessionUp(HYPERLIQUID))
    rig.book()
    (sale,) = placed(flatten(rig))
    assert (sale.leg, sale.qty) == (Leg.NO, lots(80))


def test_late_fills_of_a_cancelled_quote_are_flattened_too() -> None:
    rig = Rig()
    bid = rig.resting_bid("0.52", 100)
    flatten(rig)
    outputs = rig.closed(bid, filled=60)
    assert not placed(outputs)
    assert rig.halt is HaltState.FLATTENING, "60 are on their way"
    (sale,) = placed(rig.tell(FillReceived(rig.fill_of(bid, 60))))
    assert isinstance(sale, OrderRequest)
    assert sale.qty == lots(60)


# -- the venue's word


def asked_for_the_account(rig: Rig, outputs: list[Output]) -> bool:
    return bool(asked_account(outputs)) and rig.halt is HaltState.FLATTENING


def test_flat_by_our_books_is_not_the_end_until_the_venue_agrees() -> None:
    rig = Rig(honest=False)
    outputs = flatten(rig)
    assert asked_for_the_account(rig, outputs)
    assert not alerts(outputs, "flattened")
    outputs = rig.tell(account(10_000, asked_ns=rig.now.mono_ns))
    assert rig.halt is HaltState.HALTED
    assert "flat" in alerts(outputs, "flattened")[0].text


def test_a_picture_from_before_all_was_clear_proves_nothing() -> None:
    rig = Rig(honest=False)
    early = rig.now.mono_ns
    rig.keep_fresh(1)
    assert asked_for_the_account(rig, flatten(rig))
    rig.tell(account(10_000, asked_ns=early))
    assert rig.halt is HaltState.FLATTENING
    rig.tell(account(10_000, asked_ns=rig.now.mono_ns))
    assert rig.halt is HaltState.HALTED


def test_a_fill_that_was_lost_with_the_session_is_sold_too() -> None:
    """The news of it comes with the account, because the session asks for the fills it may have missed."""
    rig = Rig(honest=False)
    assert asked_for_the_account(rig, flatten(rig))
    rig.keep_fresh(0.5)
    asked = rig.now.mono_ns
    (sale,) = placed(rig.buy(100, "0.5"))
    rig.tell(account(9_950, (token(100, "50"),), asked_ns=asked))
    assert rig.halt is HaltState.FLATTENING
    rig.filled(sale, 100, at="0.5")
    rig.wait(1)
    rig.tell(account(10_000, asked_ns=rig.now.mono_ns))
    assert rig.halt is HaltState.HALTED


def test_tokens_that_only_the_venue_knows_are_taken_over_and_sold() -> None:
    rig = Rig(honest=False)
    flatten(rig)
    outputs: list[Output] = []
    while rig.halt is HaltState.FLATTENING and not placed(outputs):
        outputs += rig.tell(account(9_950, (token(100, "50"),), asked_ns=rig.now.mono_ns))
        outputs += rig.keep_fresh(1)
    (taken,) = alerts(outputs, "adopted_balances")
    assert f"{M} YES 100 not 0" in taken.text
    (sale,) = placed(outputs)
    assert (sale.leg, sale.qty, sale.purpose) == (Leg.YES, lots(100), Purpose.FLATTEN)


def test_an_order_of_ours_that_rests_at_the_venue_keeps_the_walk_going() -> None:
    rig = Rig()
    bid = rig.resting_bid()
    rig.honest = False
    flatten(rig)
    rig.closed(bid, filled=0)
    assert rig.halt is HaltState.FLATTENING
    rests = resting(bid.client_id, price="0.52", number=100)
    for _ in range(4):
        rig.keep_fresh(0.5)
        rig.tell(account(10_000, orders=(rests,), asked_ns=rig.now.mono_ns))
    assert rig.halt is HaltState.FLATTENING
    assert not alerts(rig.outputs, "adopted_balances"), "its figures are not the last word while that rests"
    rig.keep_fresh(4)
    outputs = rig.tell(account(10_000, orders=(rests,), asked_ns=rig.now.mono_ns))
    assert alerts(outputs, "resurfaced_order")
    assert [cancel.client_id for cancel in cancelled(outputs)] == [bid.client_id]


def test_a_venue_that_never_answers_is_reported_at_the_deadline() -> None:
    rig = Rig(honest=False)
    outputs = flatten(rig)
    outputs += rig.wait(14.9)
    assert rig.halt is HaltState.FLATTENING
    assert 10 <= asked_account(outputs) <= 16, "asked again every second, not more often"
    outputs = rig.wait(0.2)
    (alert,) = alerts(outputs, "flatten_deadline")
    assert "which the venue has not confirmed" in alert.text
    assert alert.level is AlertLevel.CRITICAL
    assert rig.halt is HaltState.HALTED


def test_the_deadline_waits_for_no_other_try() -> None:
    rig = Rig(config(flatten={"retry_ns": seconds(4)}), honest=False)
    flatten(rig)
    rig.wait(15)
    assert rig.halt is HaltState.HALTED


def test_a_venue_that_was_never_reached_is_not_waited_for() -> None:
    rig = Rig(boot=False, honest=False)
    rig.boot()
    rig.tell(StopRequested("signal", flatten=True))
    assert rig.halt is HaltState.STOPPED


def test_kept_tokens_need_no_agreement_but_orders_do() -> None:
    rig = Rig(config(flatten={"on_kill": False}), honest=False)
    rig.command(OperatorAction.KILL)
    assert rig.halt is HaltState.FLATTENING
    rig.tell(account(9_000, asked_ns=rig.now.mono_ns))
    assert rig.halt is HaltState.HALTED
