"""Rung: pure. Fees and their rounding against the vectors, one order's accumulator carried through its fills."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hlomm.domain.orders import Side
from hlomm.domain.units import parse
from hlomm.sim.kalshi.fees import RATE_SCALE, FeeTerms, charge, trade_fee
from hlomm.sim.kalshi.grid import CASH, parse_count, parse_price


def test_every_vector(kalshi_fixture: Any) -> None:
    vectors = kalshi_fixture("fee_vectors.json")["vectors"]
    assert len(vectors) >= 14
    for vector in vectors:
        assert vector["side"] == "buy_yes"
        rate, multiplier = (int(Decimal(vector[key]) * RATE_SCALE) for key in ("rate", "multiplier"))
        pending = 0
        for fill in vector["fills"]:
            ticks, lots = parse_price(fill["price"]), parse_count(fill["count"])
            fee = trade_fee(rate, multiplier, ticks, lots)
            due = charge(-ticks * lots * CASH, fee, parse(vector["precision"]), pending)
            pending = due.pending
            assert fee == parse(fill["trade_fee"]), vector["name"]
            assert due.fee == parse(fill["net_fee"]), vector["name"]
            assert due.change == parse(fill["balance_change"]), vector["name"]
            assert due.pending == parse(fill["accumulator_after"]), vector["name"]


def test_makers_pay_only_where_the_series_says_so() -> None:
    assert FeeTerms().rate(maker=True) == 0
    assert FeeTerms("quadratic_with_maker_fees").rate(maker=True) == 175
    assert trade_fee(700, 5_000, 5_000, 100) == parse("0.00875")


def test_fills_of_an_order_share_its_accumulator(make_desk: Any) -> None:
    """Three fills of a sub-penny size cost what the vector says, through the engine."""
    desk = make_desk(structure="deci_cent")
    maker, taker = desk.account(), desk.account()
    before = desk.cash(taker)
    for _ in range(3):
        desk.place(maker, Side.SELL, "0.055", "1")
    order = desk.place(taker, Side.BUY, "0.055", "3")
    assert order.taker_fees == parse("0.0037") + parse("0.0036") + parse("0.0037")
    assert desk.cash(taker) == before - 3 * parse("0.055") - order.taker_fees
    assert order.fee_pending == parse("0.000083")
    assert desk.exchange.audit() == []


@pytest.mark.parametrize("direct", [True, False])
def test_balances_stay_on_the_precision_of_the_member(make_desk: Any, direct: bool) -> None:
    desk = make_desk(structure="deci_cent", direct_member=direct)
    maker, taker = desk.account(), desk.account()
    unit = parse("0.0001") if direct else parse("0.01")
    for count in ("0.01", "0.37", "1.23", "7.77"):
        desk.place(maker, Side.SELL, "0.433", count)
        desk.place(taker, Side.BUY, "0.433", count)
        assert desk.cash(maker) % unit == desk.cash(taker) % unit == 0
    assert desk.exchange.audit() == []
