"""Avellaneda-Stoikov quotes: the vectors, the limits, and the exact model they expand."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import avellaneda, glft
from hlomm.pricing.avellaneda import Variant

PROPERTY = settings.get_profile("pricing")
VARIANTS = {"paper": Variant.PAPER, "seed0": Variant.SEED0}
GAMMAS = st.floats(0.0, 10.0)
TAUS = st.floats(0.0, 10.0)
KS = st.floats(0.01, 200.0)


@pytest.mark.quant("as_glft", "as_quote")
def test_as_quote(case, check):
    given_ = case.given
    s = given_["s"]
    made = avellaneda.as_quote(
        s,
        given_["q"],
        given_["gamma"],
        given_["sigma"],
        given_["tau"],
        given_["kappa"],
        VARIANTS[given_["variant"]],
    )
    check(
        {
            "reservation": made.reservation,
            "half_spread": made.half,
            "total_spread": made.ask - made.bid,
            "bid": made.bid,
            "ask": made.ask,
            "delta_bid": s - made.bid,
            "delta_ask": made.ask - s,
        }
    )


@pytest.mark.quant("as_glft", "as_gbm")
def test_gbm_reservation(case, check):
    given_ = case.given
    made = avellaneda.gbm_reservation(given_["s"], given_["q"], given_["gamma"], given_["sigma"], given_["tau"])
    check({"r_bid": made.r_bid, "r_ask": made.r_ask, "reservation": made.reservation})


@PROPERTY
@given(st.integers(-20, 20), st.floats(1e-3, 1.0), st.floats(0.1, 3.0), st.floats(0.3, 3.0))
def test_close_to_the_horizon_it_is_the_exact_solution(q, gamma, sigma, k):
    tau = 1e-5
    exact = glft.exact_finite(gamma, sigma, 1.0, k, 25, tau)
    made = avellaneda.as_quote(0.0, q, gamma, sigma, tau, k)
    at = exact.q.index(q)
    assert -made.bid == pytest.approx(exact.delta_bid[at], abs=tau**1.8 + 1e-12)
    assert made.ask == pytest.approx(exact.delta_ask[at], abs=tau**1.8 + 1e-12)


@PROPERTY
@given(st.floats(-500.0, 500.0), GAMMAS, st.floats(0.0, 3.0), TAUS, KS, st.sampled_from(Variant))
def test_inventory_moves_the_centre_and_never_the_width(q, gamma, sigma, tau, k, variant):
    made = avellaneda.as_quote(0.5, q, gamma, sigma, tau, k, variant)
    flat = avellaneda.as_quote(0.5, 0.0, gamma, sigma, tau, k, variant)
    mirrored = avellaneda.as_quote(0.5, -q, gamma, sigma, tau, k, variant)
    assert made.half == flat.half > 0
    assert flat.reservation == 0.5
    assert made.reservation - 0.5 == pytest.approx(0.5 - mirrored.reservation, rel=1e-9, abs=1e-12)
    assert (made.reservation - 0.5) * q <= 0


@PROPERTY
@given(st.floats(0.0, 1e3), KS)
def test_liquidity_half_spread_shrinks_with_risk_aversion_from_its_neutral_value(gamma, k):
    half = avellaneda.liquidity_half(gamma, k)
    assert 0 < half <= 1 / k
    assert avellaneda.liquidity_half(gamma * 1.01 + 1e-6, k) <= half


def test_liquidity_half_spread_has_no_seam_where_the_series_ends():
    k = 50.0
    seam = 1e-5 * k
    below, above = avellaneda.liquidity_half(math.nextafter(seam, 0.0), k), avellaneda.liquidity_half(seam, k)
    assert below == pytest.approx(above, rel=1e-14)
    assert avellaneda.liquidity_half(5e-324, k) == avellaneda.liquidity_half(0.0, k) == 1 / k


def test_chosen_aversion_skews_one_half_spread_at_the_chosen_inventory():
    gamma = avellaneda.risk_aversion(0.02, 0.006, 400.0)
    made = avellaneda.as_quote(0.5, 400.0, gamma, math.sqrt(0.006), 1.0, 60.0)
    assert 0.5 - made.reservation == pytest.approx(0.02, rel=1e-12)
