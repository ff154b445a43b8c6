"""Rung: pure, stateful. The BTC perp as a cash-margined position."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill, FillDir, OrderChanged
from hlomm.sim.orders import Filled, Refused, Resting
from hlomm.sim.refusals import Status

BUY, SELL = Side.BUY, Side.SELL
BTC = 100_000
"""Lots."""


def test_open_and_close_realises_the_difference_less_fees(desk: Any) -> None:
    me, other = desk.account(), desk.account(perp=1_000_000)
    desk.perp(other, SELL, 800_000, BTC)
    assert isinstance(desk.perp(me, BUY, 800_000, BTC // 10, Tif.IOC), Filled)
    assert (me.perp.lots, me.perp.entry) == (BTC // 10, 8_000 * SCALE)
    desk.perp(other, BUY, 801_000, BTC)  # crosses what is left of its own ask, which is cancelled
    desk.perp(me, SELL, 801_000, BTC // 10, Tif.IOC)
    assert (me.perp.lots, me.perp.entry) == (0, 0)
    fees = 8_000 * SCALE * 45 // 100_000 + 8_010 * SCALE * 45 // 100_000
    assert me.perp.raw == (10_000 + 10) * SCALE - fees
    gains = [event.row.closed_pnl for event in desk.events(Fill) if event.account is me]
    assert gains == [0, 10 * SCALE]


def test_maker_and_taker_rates(desk: Any) -> None:
    maker, taker = desk.account(), desk.account()
    desk.perp(maker, SELL, 800_000, BTC // 10)
    desk.perp(taker, BUY, 800_000, BTC // 10, Tif.IOC)
    fees = {event.account.name: event.row.fee for event in desk.events(Fill)}
    assert fees[maker.name] == 8_000 * SCALE * 15 // 100_000
    assert fees[taker.name] == 8_000 * SCALE * 45 // 100_000
    assert maker.volume == taker.volume == 8_000 * SCALE


def test_directions_follow_the_position(desk: Any) -> None:
    me, other = desk.account(), desk.account(perp=1_000_000)
    for side, lots in ((BUY, 5), (SELL, 2), (SELL, 8), (SELL, 1), (BUY, 3), (BUY, 9)):
        desk.perp(other, Side(-side), 800_000, lots * 1_000)
        desk.perp(me, side, 800_000, lots * 1_000, Tif.IOC)
    mine = [event.row.dir for event in desk.events(Fill) if event.account is me]
    assert mine == [
        FillDir.OPEN_LONG,
        FillDir.CLOSE_LONG,
        FillDir.LONG_TO_SHORT,
        FillDir.OPEN_SHORT,
        FillDir.CLOSE_SHORT,
        FillDir.SHORT_TO_LONG,
    ]


def test_margin_limits_what_can_be_opened(desk: Any) -> None:
    me = desk.account(perp=1_000)
    assert isinstance(desk.perp(me, BUY, 800_000, BTC // 10), Resting)  # 8,000 at 20x binds 400
    assert desk.exchange.perp.margin_free(me) == 600 * SCALE
    refused = desk.perp(me, BUY, 800_000, BTC // 5)  # 16,000 would bind 800
    assert isinstance(refused, Refused)
    assert refused.refusal.text == "Insufficient margin to place order."


def test_small_orders_are_refused(desk: Any) -> None:
    refused = desk.perp(desk.account(), BUY, 800_000, 12)
    assert refused.refusal.text == "Order must have minimum value of $10."


@pytest.mark.parametrize("allowed", [True, False])
def test_closing_all_below_the_minimum_is_a_rule_of_its_own(make_desk: Any, allowed: bool) -> None:
    desk = make_desk(RulesConfig(close_below_minimum=allowed))
    me, other = desk.account(), desk.account(perp=1_000_000)
    desk.perp(other, SELL, 800_000, 13)
    desk.perp(me, BUY, 800_000, 13, Tif.IOC)
    desk.perp(other, BUY, 700_000, 20)
    closed = desk.perp(me, SELL, 700_000, 13, Tif.IOC, reduce_only=True)  # 9.10 USD
    assert isinstance(closed, Filled if allowed else Refused)
    assert me.perp.lots == (0 if allowed else 13)


def test_reduce_only_never_increases(desk: Any) -> None:
    me, other = desk.account(), desk.account(perp=1_000_000)
    assert desk.perp(me, SELL, 800_000, 1_000, reduce_only=True).refusal.status is Status.REDUCE_ONLY_REJECTED
    desk.perp(other, SELL, 800_000, 5_000)
    desk.perp(me, BUY, 800_000, 5_000, Tif.IOC)
    desk.perp(other, BUY, 790_000, 9_000)
    filled = desk.perp(me, SELL, 790_000, 9_000, Tif.GTC, reduce_only=True)
    assert isinstance(filled, Filled)
    assert filled.lots == 5_000
    assert me.perp.lots == 0


def test_resting_reduce_only_is_cancelled_when_the_position_is_gone(desk: Any) -> None:
    me, other = desk.account(), desk.account(perp=1_000_000)
    desk.perp(other, SELL, 800_000, 5_000)
    desk.perp(me, BUY, 800_000, 5_000, Tif.IOC)
    desk.perp(me, SELL, 810_000, 5_000, Tif.ALO, reduce_only=True)
    desk.perp(other, BUY, 795_000, 5_000)
    desk.perp(me, SELL, 795_000, 5_000, Tif.IOC)
    assert me.perp.lots == 0
    desk.perp(other, BUY, 811_000, 5_000)
    statuses = [event.row.status for event in desk.events(OrderChanged) if event.account is me]
    assert statuses[-1] is Status.REDUCE_ONLY_CANCELED
    assert me.perp.lots == 0
