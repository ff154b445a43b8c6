"""Exact CARA prices of a binary: the vectors, the defining expectation, and overflow."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import cara

PROPERTY = settings.get_profile("pricing")
PRICES = st.floats(1e-6, 1 - 1e-6)


@pytest.mark.quant("binary_space", "cara_binary")
def test_cara_quote(case, check):
    given_ = case.given
    made = cara.cara_quote(given_["p"], given_["q"], given_["gamma"], given_["lot"], given_["kappa"])
    check(
        {
            "r_bid": made.r_bid,
            "r_ask": made.r_ask,
            "theta": made.theta,
            "bid": made.bid,
            "ask": made.ask,
            "liq_term": made.liquidity,
        }
    )


@PROPERTY
@given(PRICES, st.floats(-50.0, 50.0), st.floats(1e-3, 0.3), st.floats(0.1, 10.0))
def test_a_trade_at_the_indifference_price_leaves_expected_utility_unchanged(p, q, gamma, lot):
    def utility(yes, cash):
        return -p * math.exp(-gamma * (yes + cash)) - (1 - p) * math.exp(-gamma * cash)

    bid, ask = cara.bid_price(p, q, gamma, lot), cara.ask_price(p, q, gamma, lot)
    before = utility(q, 0.0)
    assert utility(q + lot, -lot * bid) == pytest.approx(before, rel=1e-9)
    assert utility(q - lot, lot * ask) == pytest.approx(before, rel=1e-9)


@PROPERTY
@given(PRICES, st.floats(-1e5, 1e5), st.floats(0.0, 10.0), st.floats(1e-3, 1e4))
def test_indifference_prices_are_ordered_probabilities(p, q, gamma, lot):
    bid, ask = cara.bid_price(p, q, gamma, lot), cara.ask_price(p, q, gamma, lot)
    assert 0.0 <= bid <= ask * (1 + 1e-12) + 1e-15
    assert ask <= 1.0 + 1e-12


@PROPERTY
@given(PRICES, st.floats(-100.0, 100.0), st.floats(0.0, 0.3), st.floats(0.1, 100.0))
def test_yes_and_no_are_mirror_images(p, q, gamma, lot):
    assert cara.bid_price(p, q, gamma, lot) == pytest.approx(
        1 - cara.ask_price(1 - p, -q, gamma, lot), rel=1e-9, abs=1e-9
    )


@PROPERTY
@given(PRICES, st.floats(-100.0, 99.0), st.floats(1e-4, 1.0))
def test_more_inventory_is_worth_less_at_the_margin(p, q, gamma):
    assert cara.bid_price(p, q + 1.0, gamma, 1.0) <= cara.bid_price(p, q, gamma, 1.0) * (1 + 1e-12)


def test_both_forms_of_the_price_meet():
    for step in (math.nextafter(1.0, 0.0), 1.0):
        assert cara.bid_price(0.3, 7.0, step, 1.0) == pytest.approx(cara.bid_price(0.3, 7.0, 1.0, 1.0), rel=1e-12)
    for q in (-299.0, -301.0):
        near = cara.certainty_equivalent(0.4, q, 0.1)
        assert near == pytest.approx(q - math.log(0.4) / 0.1, rel=1e-12)


def test_small_aversion_has_the_mean_variance_price():
    p, q, gamma, lot = 0.3, 20.0, 1e-6, 5.0
    assert cara.bid_price(p, q, gamma, lot) == pytest.approx(p - gamma * p * (1 - p) * (q + lot / 2), abs=1e-9)


@pytest.mark.parametrize("q", [-1e9, 1e9])
def test_absurd_inventory_gives_a_boundary_and_no_overflow(q):
    made = cara.cara_quote(0.5, q, 50.0, 1e3, 60.0)
    assert made.r_bid == pytest.approx(0.0 if q > 0 else 1.0, abs=1e-12)
    assert math.isfinite(made.theta)
