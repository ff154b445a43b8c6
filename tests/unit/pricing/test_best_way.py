"""Two ways to one leg: buying it, or selling the other token of a pair. Fees never ask for the sale, minimums do."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.units import SCALE, Cash, Qty
from hlomm.pricing.cross_venue import Crossing, Nothing, best_way, search
from hlomm.pricing.leg_costs import LegFee, LegOffer, TradeTerms
from tests.support.values import levels, lots, px, usd

TERMS = TradeTerms(min_edge=px("0.005"), max_qty=lots(1_000), max_capital=usd(1_000))
CLOSING = 70_000
"""Hyperliquid's taker fee of what closes, in 1e-8: 7 bp; what opens is free."""


def bought(price: str, size: float, **changes: Any) -> LegOffer:
    return attrs.evolve(LegOffer(levels=levels((price, size)), lot=lots(1), least_notional=usd(10)), **changes)


def sold(leg: LegOffer, rate: int = CLOSING) -> LegOffer:
    return attrs.evolve(leg, fee=LegFee(rate=rate, sale=True))


FAR = LegOffer(levels=levels(("0.90", 60)), lot=lots(1), least_notional=usd(1))


def test_a_cheap_token_that_is_too_small_to_buy_is_kept_of_a_pair() -> None:
    """60 NO at 0.05 are worth 3; the 60 YES of their pairs, sold at 0.95, are worth 57."""
    cheap = bought("0.05", 60)
    alone = search((FAR, cheap), TERMS)
    assert isinstance(alone, Nothing)
    assert alone.guard == "minimum"
    found, legs = best_way(((FAR,), (cheap, sold(cheap))), TERMS)
    assert isinstance(found, Crossing)
    assert found.qty == lots(60)
    assert legs[1].fee.sale
    assert found.deductions.fees[1] == 60 * -(-px("0.95") * CLOSING // SCALE), "of what is sold"


def test_where_both_can_be_sent_the_purchase_is_cheaper() -> None:
    leg = bought("0.50", 60)
    near = LegOffer(levels=levels(("0.45", 60)), lot=lots(1))
    found, legs = best_way(((near,), (leg, sold(leg))), TERMS)
    assert isinstance(found, Crossing)
    assert not legs[1].fee.sale


def test_of_equals_the_purchase_is_taken() -> None:
    leg = bought("0.50", 60)
    _, legs = best_way(((LegOffer(levels=levels(("0.45", 60)), lot=lots(1)),), (leg, sold(leg, rate=0))), TERMS)
    assert not legs[1].fee.sale


@given(price=st.integers(1, SCALE - 1), rate=st.integers(0, 10**6), size=st.integers(1, 10**6))
def test_no_price_makes_the_sale_cheaper_where_only_what_closes_is_charged(price: int, rate: int, size: int) -> None:
    """The sheet's rule: the rate is on the closing side, of its own notional. Then fees never ask for a split."""
    buy = LegOffer(levels=((price, size * SCALE),), fee=LegFee(rate=0))
    sale = attrs.evolve(buy, fee=LegFee(rate=rate, sale=True))
    assert buy.fee.each(price) <= sale.fee.each(price)
    terms = TradeTerms(min_edge=-SCALE, max_qty=Qty(size * SCALE), max_capital=Cash(10**20))
    assert not best_way(((buy, sale),), terms)[1][0].fee.sale
