"""Fee arithmetic: exact vectors and conservation of money through rounding."""

from decimal import Decimal, getcontext, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import fees
from hlomm.pricing.fees import FillSide, KalshiFill, PolyRounding

PROPERTY = settings.get_profile("pricing")
SIDES = {"buy": FillSide.BUY, "sell": FillSide.SELL}
ROUNDINGS = {"floor5": PolyRounding.FLOOR, "round5": PolyRounding.NEAREST}
CENT = Decimal("0.01")
MICRO = Decimal("0.000001")


def decimals(given_, *names):
    return [Decimal(given_[name]) for name in names]


@pytest.mark.quant("fees", "kalshi_fee_model")
def test_kalshi_fee(case, check):
    made = fees.kalshi_fee(*decimals(case.given, "count", "price", "rate", "mult"))
    check(
        {
            "raw": made.raw,
            "order_cent_ceil": made.order_cent,
            "trade_fee_centicent": made.trade_centicent,
            "trade_fee_micro": made.trade_micro,
        }
    )


@pytest.mark.quant("fees", "kalshi_fills")
def test_kalshi_fills(case, check):
    fills = [
        KalshiFill(
            side=SIDES[item["side"]],
            price=Decimal(item["price"]),
            count=Decimal(item["count"]),
            trade_fee=Decimal(item["trade_fee"]),
        )
        for item in case.given["fills"]
    ]
    precision, fee_precision = decimals(case.given, "precision", "fee_precision")
    made = fees.kalshi_fills(fills, precision=precision, fee_precision=fee_precision)
    names = list(case.want["fills"][0])
    check(
        {
            "fills": [{name: getattr(fill, name) for name in names} for fill in made],
            "total_net_fee": sum((fill.net_fee for fill in made), Decimal(0)),
        }
    )


@pytest.mark.quant("fees", "poly_fee")
def test_poly_fee(case, check):
    given_ = case.given
    made = fees.poly_fee(*decimals(given_, "count", "price", "rate"), given_["exponent"], ROUNDINGS[given_["rounding"]])
    check({"raw": made.raw, "fee": made.fee, "fee_frac_of_notional": made.fraction_of_notional})


@pytest.mark.quant("fees", "hl_outcome_fee")
def test_hl_outcome_fee(case, check):
    given_ = case.given
    numbers = decimals(given_, "px", "sz", "base_rate", "deployer_scale", "referral")
    made = fees.hl_outcome_fee(*numbers, is_close=given_["is_close"])
    check({"multiplier": made.multiplier, "effective_rate": made.effective_rate, "fee": made.fee})


PRICES = st.decimals("0.0001", "0.9999", places=4)
COUNTS = st.decimals("0.01", "500", places=2)
FILLS = st.lists(st.tuples(st.sampled_from(FillSide), PRICES, COUNTS), min_size=1, max_size=8)


@PROPERTY
@given(FILLS)
def test_what_leaves_the_account_is_revenue_and_net_fees(raw):
    fills = [
        KalshiFill(
            side=side,
            price=price,
            count=count,
            trade_fee=fees.kalshi_fee(count, price, Decimal("0.07")).raw,
        )
        for side, price, count in raw
    ]
    made = fees.kalshi_fills(fills, precision=CENT, fee_precision=MICRO)
    for fill, settled in zip(fills, made, strict=True):
        assert settled.balance_change_incl_rebate == settled.revenue - settled.net_fee
        assert settled.balance_change_incl_rebate % CENT == 0
        assert settled.net_fee >= 0
        assert fill.trade_fee <= settled.trade_fee < fill.trade_fee + MICRO
        assert 0 <= settled.rounding_fee < CENT
    held_back = sum((settled.net_fee - settled.trade_fee for settled in made), Decimal(0))
    assert held_back == made[-1].accumulator_after >= 0


@PROPERTY
@given(PRICES, COUNTS)
def test_both_tokens_pay_the_same_quadratic_fee(price, count):
    rate = Decimal("0.07")
    assert fees.kalshi_fee(count, price, rate) == fees.kalshi_fee(count, 1 - price, rate)
    rounding = PolyRounding.FLOOR
    assert fees.poly_fee(count, price, rate, 1, rounding).fee == fees.poly_fee(count, 1 - price, rate, 1, rounding).fee


@PROPERTY
@given(PRICES, COUNTS)
def test_rounding_never_helps_against_its_direction(price, count):
    made = fees.kalshi_fee(count, price, Decimal("0.07"))
    assert made.raw <= made.trade_micro <= made.trade_centicent <= made.order_cent < made.raw + CENT
    floored = fees.poly_fee(count, price, Decimal("0.07"), 1, PolyRounding.FLOOR)
    assert floored.raw - Decimal("0.00001") < floored.fee <= floored.raw


@PROPERTY
@given(st.floats(0.01, 0.99))
def test_float_curves_are_the_exact_fees_per_contract(p):
    exact = Decimal(p)
    per = fees.quadratic_per_contract(p, 0.07)
    assert per == pytest.approx(float(fees.kalshi_fee(Decimal(1), exact, Decimal("0.07")).raw), rel=1e-12)
    close = fees.hl_outcome_fee(exact, Decimal(1), Decimal("0.0007"), Decimal(1), Decimal("0.04"), is_close=True)
    assert fees.hl_close_per_contract(p, 0.0007, referral=0.04) == pytest.approx(float(close.fee), rel=1e-12)


def test_the_ambient_decimal_context_changes_nothing():
    with localcontext() as context:
        context.prec = 4
        made = fees.kalshi_fee(Decimal(37), Decimal("0.13"), Decimal("0.07"))
    assert made.raw == Decimal("0.292929")
    assert getcontext().prec == 28
