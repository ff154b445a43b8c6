"""Fee curves, exact and against us, held against decimals and brute force."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.fee import curve_fee, curve_rate
from hlomm.domain.markets import FeeCurve
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, parse
from hlomm.domain.view import BookShape, MarketView
from tests.support.values import lots, outcome, px, usd

KALSHI = FeeCurve(taker=parse("0.07"), maker=parse("0.0175"), step=Cash(parse("0.01")))
CRYPTO = FeeCurve(taker=parse("0.07"), step=Cash(parse("0.00001")), up=False)
SQUARED = FeeCurve(taker=parse("0.25"), exponent=2)


@pytest.mark.parametrize(
    ("price", "number", "maker", "fee"),
    [("0.5", 100, False, "1.75"), ("0.5", 1, False, "0.02"), ("0.01", 1, False, "0.01"), ("0.99", 100, False, "0.07"),
     ("0.5", 100, True, "0.44"), ("0.35", 10, False, "0.16")],
)  # fmt: skip
def test_fees_of_kalshi_are_whole_cents_rounded_up(price: str, number: int, maker: bool, fee: str) -> None:
    assert curve_fee(KALSHI, px(price), lots(number), maker=maker) == usd(fee)


def test_what_is_rounded_to_the_nearest_is_taken_to_be_rounded_up() -> None:
    assert curve_fee(CRYPTO, px("0.5"), lots(1), maker=False) == usd("0.0175")
    assert curve_fee(CRYPTO, px("0.333"), lots("0.37"), maker=False) == usd("0.00576")  # type: ignore[arg-type]
    assert curve_fee(CRYPTO, px("0.5"), lots(100), maker=True) == 0


@given(
    st.integers(1, SCALE - 1), st.integers(0, 10**13), st.integers(0, SCALE), st.integers(1, 3), st.integers(1, 10**7)
)
def test_the_fee_is_the_curve_rounded_up_to_the_step(
    price: int, qty: int, coefficient: int, exponent: int, step: int
) -> None:
    curve = FeeCurve(taker=coefficient, exponent=exponent, step=Cash(step))
    p, one = Decimal(price) / SCALE, Decimal(SCALE)
    exact = coefficient / one * (qty / one) * (p * (1 - p)) ** exponent * SCALE
    steps = (Decimal(exact) / step).to_integral_value(ROUND_CEILING)
    fee = curve_fee(curve, price, qty, maker=False)
    assert fee % step == 0
    assert 0 <= fee - int(steps) * step <= step, "a decimal of 28 digits may fall a hair short"


@given(st.sampled_from([KALSHI, CRYPTO, SQUARED]), st.integers(1, 999), st.integers(1, 999), st.integers(1, 999))
def test_the_rate_bounds_every_price_between_and_is_reached(curve: FeeCurve, a: int, b: int, c: int) -> None:
    low, mid, high = sorted((a * SCALE // 1000, b * SCALE // 1000, c * SCALE // 1000))
    rate = curve_rate(curve, low, high, maker=False)
    smooth = FeeCurve(taker=curve.taker, exponent=curve.exponent)
    qty = 10**12
    assert curve_fee(smooth, mid, qty, maker=False) <= -(-rate * mid * qty // SCALE**2)
    grid = range(low, high + 1, max((high - low) // 500, 1))
    largest = max(curve_fee(smooth, at, qty, maker=False) * SCALE**2 / (at * qty) for at in grid)
    assert rate <= largest * 1.001 + 2, "no dearer than it has to be"


def view(curve: FeeCurve | None) -> MarketView:
    return MarketView(
        market=outcome(), mono_ns=0, wall_ns=0, tau_ns=0, shape=BookShape.EMPTY, bids=(), asks=(), book_age_ns=0,
        book_count=0, underlying_px=None, underlying_age_ns=0, underlying_mid2=None, yes=lots(0), no=lots(0),
        equity=usd(0), close_maker_fee=30_000, open_taker_fee=70_000, close_taker_fee=60_000, open_maker_fee=10_000,
        curve=curve,
    )  # fmt: skip


def test_a_strategy_is_told_what_a_fill_costs() -> None:
    assert view(KALSHI).fee(Side.BUY, px("0.5"), lots(100)) == usd("1.75")
    assert view(KALSHI).fee(Side.SELL, px("0.5"), lots(100), maker=True) == usd("0.44")
    rates = view(None)
    assert rates.fee(Side.BUY, px("0.5"), lots(100)) == usd("0.035")
    assert rates.fee(Side.SELL, px("0.5"), lots(100)) == usd("0.03")
    assert rates.fee(Side.BUY, px("0.5"), lots(100), maker=True) == usd("0.005")
    assert rates.fee(Side.SELL, px("0.5"), lots(100), maker=True) == usd("0.015")
    assert rates.fee(Side.BUY, 1, 1) == 1, "rounded against us"
    assert (rates.taker_share(px("0.5")), view(KALSHI).taker_share(px("0.5"))) == (70_000, parse("0.035"))
