"""Rung: pure. The rules of one shard's engine, order by order."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD, Phase, Step
from hlomm.sim.kalshi.engine import Amendment
from hlomm.sim.kalshi.events import BookChanged, GroupChanged, GroupKind, Traded
from hlomm.sim.kalshi.grid import parse_count, parse_price
from hlomm.sim.kalshi.orders import Reason, SelfTrade, Status
from hlomm.sim.kalshi.refusals import Refused

BUY, SELL = Side.BUY, Side.SELL
S = 10**9


def refused(refusal: Any, call: Any, *args: Any, **more: Any) -> None:
    with pytest.raises(Refused) as caught:
        call(*args, **more)
    assert caught.value.refusal == refusal


def amendment(desk: Any, side: Side, price: str, count: str, **more: Any) -> Amendment:
    return Amendment(ticker=desk.market.ticker, side=side, ticks=parse_price(price), lots=parse_count(count), **more)


# -- matching


def test_the_better_price_goes_first_and_then_the_earlier_order(desk: Any) -> None:
    a, b, c, taker = (desk.account() for _ in range(4))
    early, late = desk.place(a, SELL, "0.51", "5"), desk.place(b, SELL, "0.51", "5")
    best = desk.place(c, SELL, "0.50", "5")
    order = desk.place(taker, BUY, "0.51", "12")
    assert [trade.ticks for trade in desk.events(Traded)] == [5_000, 5_100, 5_100]
    assert (best.status, early.status) == (Status.EXECUTED, Status.EXECUTED)
    assert (late.filled, late.lots, late.status) == (200, 300, Status.RESTING)
    assert (order.status, order.tick_lots) == (Status.EXECUTED, 500 * 5_000 + 700 * 5_100)


def test_post_only_is_refused_where_it_would_cross(desk: Any) -> None:
    desk.place(desk.account(), SELL, "0.50", "1")
    refused(refusals.POST_ONLY_CROSS, desk.place, desk.account(), BUY, "0.50", "1", post_only=True)
    assert desk.place(desk.account(), BUY, "0.49", "1", post_only=True).live


def test_ioc_drops_its_rest_and_fok_does_all_or_nothing(desk: Any) -> None:
    maker, taker = desk.account(), desk.account()
    desk.place(maker, SELL, "0.50", "5")
    fok = desk.place(taker, BUY, "0.50", "5.01", tif=Tif.FOK)
    assert (fok.status, fok.filled, fok.lots) == (Status.CANCELED, 0, 0)
    ioc = desk.place(taker, BUY, "0.50", "6", tif=Tif.IOC)
    assert (ioc.status, ioc.filled, ioc.lots) == (Status.CANCELED, 500, 0)
    desk.place(maker, SELL, "0.50", "5")
    assert desk.place(taker, BUY, "0.50", "5", tif=Tif.FOK).status is Status.EXECUTED


def test_taker_at_cross_stops_at_the_own_order_and_earlier_fills_stand(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    desk.place(other, SELL, "0.50", "2")
    own = desk.place(me, SELL, "0.51", "5")
    desk.place(other, SELL, "0.52", "5")
    order = desk.place(me, BUY, "0.52", "10")
    assert (order.status, order.filled, order.reason) == (Status.CANCELED, 200, Reason.SELF_TRADE)
    assert own.live


def test_maker_mode_cancels_the_own_resting_order_and_goes_on(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    own = desk.place(me, SELL, "0.51", "5")
    desk.place(other, SELL, "0.52", "5")
    order = desk.place(me, BUY, "0.52", "5", self_trade=SelfTrade.MAKER)
    assert (order.status, order.filled) == (Status.EXECUTED, 500)
    assert (own.status, own.reason) == (Status.CANCELED, Reason.SELF_TRADE)


def test_reduce_only_takes_what_the_position_has(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    nothing = desk.place(me, SELL, "0.40", "5", reduce_only=True)
    assert (nothing.status, nothing.reason, nothing.filled) == (Status.CANCELED, Reason.REDUCE_ONLY, 0)
    desk.place(other, SELL, "0.50", "3")
    desk.place(me, BUY, "0.50", "3")
    desk.place(other, BUY, "0.45", "10")
    order = desk.place(me, SELL, "0.45", "5", reduce_only=True)
    assert order.filled == 300
    assert me.lots(desk.market.ticker) == 0


def test_a_resting_reduce_only_order_never_opens(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    desk.place(other, SELL, "0.50", "3")
    desk.place(me, BUY, "0.50", "3")
    resting = desk.place(me, SELL, "0.60", "3", reduce_only=True)
    desk.place(other, BUY, "0.55", "2")
    desk.place(me, SELL, "0.55", "2")
    desk.place(other, BUY, "0.60", "3")
    assert (resting.filled, resting.status, resting.reason) == (100, Status.CANCELED, Reason.REDUCE_ONLY)
    assert me.lots(desk.market.ticker) == 0


# -- money


def test_offsetting_trades_net(desk: Any) -> None:
    """Buying YES and then NO leaves no position and the pair's dollar in cash."""
    me, other = desk.account(), desk.account()
    before = desk.cash(me)
    desk.place(other, SELL, "0.40", "10")
    desk.place(me, BUY, "0.40", "10")
    desk.place(other, BUY, "0.45", "10")
    order = desk.place(me, SELL, "0.45", "10")
    position = me.positions[desk.market.ticker]
    assert (position.lots, position.cost, position.realized) == (0, 0, 10 * SCALE * 5 // 100)
    assert desk.cash(me) == before + position.realized - position.fees
    assert order.taker_fees > 0
    assert desk.exchange.ledger.escrow == 0


def test_collateral_is_the_price_for_bids_and_the_rest_for_asks(desk: Any) -> None:
    me = desk.account(usd=10)
    desk.place(me, BUY, "0.40", "10")
    assert me.free(CRYPTO_SHARD) == 6 * SCALE
    ask = desk.place(me, SELL, "0.60", "10")
    assert me.free(CRYPTO_SHARD) == 2 * SCALE
    refused(refusals.INSUFFICIENT, desk.place, me, SELL, "0.70", "10")
    desk.engine.cancel(me, ask.order_id)
    assert me.free(CRYPTO_SHARD) == 6 * SCALE


def test_an_order_that_only_closes_needs_nothing(desk: Any) -> None:
    me, other = desk.account(usd=5), desk.account()
    desk.place(other, SELL, "0.48", "10")
    desk.place(me, BUY, "0.48", "10")
    assert desk.cash(me) < SCALE
    desk.place(me, SELL, "0.60", "10", post_only=True)
    assert me.held.get(CRYPTO_SHARD, 0) == 0
    refused(refusals.INSUFFICIENT, desk.place, me, SELL, "0.60", "10")


def test_an_order_that_rounding_leaves_without_backing_is_cancelled(make_desk: Any) -> None:
    """A fill of a hundredth costs a whole cent, so the rest of the order is no longer paid for."""
    desk = make_desk(direct_member=False)
    me = desk.exchange.open_account("me", "me", {CRYPTO_SHARD: 30 * SCALE // 100})
    resting = desk.place(me, BUY, "0.30", "1", post_only=True)
    desk.place(desk.account(), SELL, "0.30", "0.01")
    assert (resting.filled, resting.status, resting.reason) == (1, Status.CANCELED, Reason.MARGIN)
    assert desk.cash(me) == 29 * SCALE // 100
    assert desk.exchange.audit() == []


def test_a_shard_without_money_does_not_know_the_member(desk: Any) -> None:
    stranger = desk.exchange.open_account("s", "s", {0: SCALE})
    refused(refusals.USER_NOT_FOUND, desk.place, stranger, BUY, "0.50", "1")
    desk.exchange.transfer(stranger, 0, CRYPTO_SHARD, SCALE)
    assert desk.place(stranger, BUY, "0.50", "1").live


# -- an order's life


def test_a_client_id_is_used_once_for_ever(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    first = desk.place(me, BUY, "0.40", "1", client_id="x")
    refused(refusals.DUPLICATE, desk.place, me, BUY, "0.40", "1", client_id="x")
    desk.engine.cancel(me, first.order_id)
    refused(refusals.DUPLICATE, desk.place, me, BUY, "0.40", "1", client_id="x")
    assert desk.place(other, BUY, "0.40", "1", client_id="x").live


def test_orders_expire_at_their_second(desk: Any) -> None:
    me = desk.account()
    now_ns = desk.exchange.tape.now_ns
    refused(refusals.EXPIRED, desk.place, me, BUY, "0.40", "1", expires_ns=now_ns)
    refused(refusals.EXPIRING_IOC, desk.place, me, BUY, "0.40", "1", tif=Tif.IOC, expires_ns=now_ns + S)
    order = desk.place(me, BUY, "0.40", "1", expires_ns=now_ns + 20 * S)
    renewed = desk.place(me, BUY, "0.40", "1", expires_ns=now_ns + 20 * S)
    desk.engine.amend(me, renewed.order_id, amendment(desk, BUY, "0.40", "1", expires_ns=now_ns + 40 * S))
    desk.exchange.tape.now_ns = now_ns + 20 * S
    desk.engine.expire()
    assert (order.status, order.reason, renewed.live) == (Status.CANCELED, Reason.EXPIRY, True)
    desk.engine.amend(me, renewed.order_id, amendment(desk, BUY, "0.40", "1", expires_ns=0))
    desk.exchange.tape.now_ns = now_ns + 400 * S
    desk.engine.expire()
    assert renewed.live


def test_decrease_keeps_the_place_and_amending_up_loses_it(desk: Any) -> None:
    a, b, taker = desk.account(), desk.account(), desk.account()
    first, second = desk.place(a, BUY, "0.40", "10"), desk.place(b, BUY, "0.40", "10")
    desk.engine.decrease(a, first.order_id, by=parse_count("4"), to=None)
    desk.engine.amend(a, first.order_id, amendment(desk, BUY, "0.40", "5"))
    desk.place(taker, SELL, "0.40", "1")
    assert (first.filled, second.filled) == (100, 0)
    desk.engine.amend(a, first.order_id, amendment(desk, BUY, "0.40", "8"))
    assert first.lots == 700
    desk.place(taker, SELL, "0.40", "10")
    assert (first.filled, second.filled) == (100, 1000)


def test_amend_counts_what_was_filled_and_checks_identity(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    order = desk.place(me, BUY, "0.40", "10", client_id="a")
    desk.place(other, SELL, "0.40", "6")
    amend = desk.engine.amend
    refused(refusals.SIDE_MISMATCH, amend, me, order.order_id, amendment(desk, SELL, "0.60", "10"))
    refused(refusals.CLIENT_ID_MISMATCH, amend, me, order.order_id, amendment(desk, BUY, "0.41", "10", client_id="z"))
    refused(refusals.INVALID_SIZE, amend, me, order.order_id, amendment(desk, BUY, "0.41", "6"))
    refused(refusals.NOT_FOUND, amend, other, order.order_id, amendment(desk, BUY, "0.41", "10"))
    amend(me, order.order_id, amendment(desk, BUY, "0.41", "10", client_id="a", new_client_id="b"))
    assert (order.lots, order.lots_initial, order.ticks, order.client_id) == (400, 1000, 4_100, "b")


def test_an_amendment_that_crosses_trades_unless_it_is_post_only(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    desk.place(other, SELL, "0.50", "5")
    shy = desk.place(me, BUY, "0.40", "1", post_only=True)
    refused(refusals.POST_ONLY_CROSS, desk.engine.amend, me, shy.order_id, amendment(desk, BUY, "0.50", "1"))
    assert (shy.live, shy.ticks) == (True, 4_000)
    bold = desk.place(me, BUY, "0.40", "1")
    desk.engine.amend(me, bold.order_id, amendment(desk, BUY, "0.50", "1"))
    assert bold.status is Status.EXECUTED


def test_deltas_add_up_to_the_book(desk: Any) -> None:
    a, b = desk.account(), desk.account()
    order = desk.place(a, BUY, "0.40", "10")
    desk.engine.decrease(a, order.order_id, by=None, to=parse_count("7"))
    desk.engine.amend(a, order.order_id, amendment(desk, BUY, "0.42", "9"))
    desk.place(b, SELL, "0.42", "12")
    sums: dict[tuple[Side, int], int] = {}
    for event in desk.events(BookChanged):
        key = (event.side, event.ticks)
        sums[key] = sums.get(key, 0) + event.lots
        assert sums[key] >= 0
    assert {key: lots for key, lots in sums.items() if lots} == {(SELL, 4_200): 300}


# -- groups, pauses, the close


def test_a_group_stops_when_its_contracts_of_15_seconds_exceed_the_limit(desk: Any) -> None:
    me, other, tape = desk.account(), desk.account(), desk.exchange.tape
    group = desk.engine.create_group(me, parse_count("10"))
    orders = [desk.place(me, BUY, price, "6", group_id=group.group_id) for price in ("0.40", "0.39", "0.38")]
    desk.place(other, SELL, "0.40", "6")
    tape.now_ns += 15 * S
    desk.place(other, SELL, "0.39", "6")
    assert not group.triggered
    tape.now_ns += 14 * S
    third = desk.place(me, BUY, "0.39", "5", group_id=group.group_id)
    desk.place(other, SELL, "0.39", "5")
    assert group.triggered
    assert third.status is Status.EXECUTED
    assert orders[2].status is Status.CANCELED
    refused(refusals.GROUP_LIMIT, desk.place, me, BUY, "0.38", "1", group_id=group.group_id)
    group.reset()
    assert desk.place(me, BUY, "0.38", "1", group_id=group.group_id).live
    assert [event.kind for event in desk.events(GroupChanged)] == [GroupKind.CREATED, GroupKind.TRIGGERED]


def test_an_incoming_order_is_stopped_by_its_own_group(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    group = desk.engine.create_group(me, parse_count("5"))
    for _ in range(3):
        desk.place(other, SELL, "0.50", "4")
    order = desk.place(me, BUY, "0.50", "12", group_id=group.group_id)
    assert (order.filled, order.status) == (800, Status.CANCELED)


def test_deleting_a_group_cancels_its_orders(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    group = desk.engine.create_group(me, 100)
    order = desk.place(me, BUY, "0.40", "1", group_id=group.group_id)
    refused(refusals.GROUP_NOT_FOUND, desk.engine.delete_group, other, group.group_id)
    desk.engine.delete_group(me, group.group_id)
    assert order.status is Status.CANCELED
    refused(refusals.GROUP_NOT_FOUND, desk.place, me, BUY, "0.40", "1", group_id=group.group_id)


def test_cancel_all_also_sweeps_what_comes_within_a_minute(desk: Any) -> None:
    me, other, tape = desk.account(), desk.account(), desk.exchange.tape
    desk.place(me, BUY, "0.40", "1")
    kept = desk.place(other, BUY, "0.40", "1")
    assert desk.engine.cancel_all(me) == 1
    tape.now_ns += 30 * S
    shadow = desk.place(me, BUY, "0.40", "1")
    assert shadow.live
    desk.engine.sweep()
    assert not shadow.live
    tape.now_ns += 31 * S
    later = desk.place(me, BUY, "0.40", "1")
    desk.engine.sweep()
    assert (later.live, kept.live) == (True, True)


def test_a_pause_takes_nothing_new_and_lets_go(desk: Any) -> None:
    me = desk.account()
    keeps = desk.place(me, BUY, "0.40", "1")
    leaves = desk.place(me, BUY, "0.40", "1", cancel_on_pause=True)
    desk.engine.pause(paused=True)
    assert (keeps.live, leaves.live, leaves.reason) == (True, False, Reason.HALT)
    refused(refusals.TRADING_PAUSED, desk.place, me, BUY, "0.40", "1")
    refused(refusals.TRADING_PAUSED, desk.engine.amend, me, keeps.order_id, amendment(desk, BUY, "0.41", "1"))
    desk.engine.cancel(me, keeps.order_id)
    desk.engine.halted = True
    refused(refusals.EXCHANGE_PAUSED, desk.place, me, BUY, "0.40", "1")


def test_after_the_close_every_order_call_fails(desk: Any) -> None:
    me = desk.account()
    order = desk.place(me, BUY, "0.40", "1")
    desk.market.move(Step.CLOSE, desk.exchange.tape.now_ns)
    refused(refusals.INACTIVE, desk.place, me, BUY, "0.40", "1")
    refused(refusals.INACTIVE, desk.engine.cancel, me, order.order_id)
    refused(refusals.INACTIVE, desk.engine.amend, me, order.order_id, amendment(desk, BUY, "0.41", "1"))
    count = len(desk.events(BookChanged))
    desk.engine.empty_closed(desk.market)
    assert (order.status, order.reason) == (Status.CANCELED, Reason.CLOSE)
    assert len(desk.events(BookChanged)) == count, "levels go without a word"
    assert desk.market.phase is Phase.CLOSED


def test_prices_must_be_on_the_grid_of_the_market(make_desk: Any) -> None:
    desk = make_desk(structure="tapered_deci_cent")
    me = desk.account()
    for price in ("0.001", "0.099", "0.10", "0.55", "0.90", "0.901", "0.999"):
        assert desk.place(me, BUY, price, "0.01").live, price
    for price in ("0", "1", "0.0005", "0.105", "0.5555", "0.899"):
        refused(refusals.INVALID_PRICE, desk.place, me, BUY, price, "0.01")


def test_a_step_that_life_does_not_have_is_an_assertion(desk: Any) -> None:
    with pytest.raises(AssertionError):
        desk.market.move(Step.SETTLE, 0)
