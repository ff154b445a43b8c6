"""Perp hedge, no-trade band and interval error: the vectors and what they must do in a portfolio."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import digital, hedge

PROPERTY = settings.get_profile("pricing")


@pytest.mark.quant("digital", "perp_hedge")
def test_perp_hedge(case, check):
    made = hedge.perp_hedge(hedge.HedgeLeg(leg["qty"], leg["delta"], leg["gamma"]) for leg in case.given["legs"])
    check({"hedge_qty": made.hedge_qty, "net_gamma": made.net_gamma})


@pytest.mark.quant("digital", "whalley_wilmott")
def test_no_trade_band(case, check):
    given_ = case.given
    width = hedge.whalley_wilmott(
        given_["gamma_pos"], given_["S"], given_["cost"], given_["risk_aversion"], r=given_["r"], tau=given_["tau"]
    )
    check({"half_width": width})


@pytest.mark.quant("digital", "hedge_error")
def test_hedge_error(case, check):
    made = hedge.hedge_error(case.given["gamma_pos"], case.given["S"], case.given["sigma"], case.given["dt_years"])
    check({"sd": made.sd, "theta_offset": made.theta_offset})


@PROPERTY
@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.floats(0.95, 1.05))
def test_the_hedge_leaves_no_first_order_exposure(first, second, moneyness):
    spot, sigma, tau = 80_000.0, 0.5, 0.002
    strikes = (spot * moneyness, spot * 1.01)
    legs = []
    for qty, strike in zip((first, second), strikes, strict=True):
        greeks = digital.greeks(spot, strike, sigma, tau)
        legs.append(hedge.HedgeLeg(qty, greeks.delta, greeks.gamma))
    made = hedge.perp_hedge(legs)

    def value(s):
        yes = sum(q * digital.price(s, k, sigma, tau).p_yes for q, k in zip((first, second), strikes, strict=True))
        return yes + made.hedge_qty * (s - spot)

    slope = (value(spot + 1) - value(spot - 1)) / 2
    assert slope == pytest.approx(0.0, abs=1e-6 * (abs(first) + abs(second)) + 1e-9)


def test_the_band_widens_with_the_two_thirds_power_of_gamma():
    narrow = hedge.whalley_wilmott(1e-5, 65_000.0, 4.5e-4, 0.01)
    assert hedge.whalley_wilmott(8e-5, 65_000.0, 4.5e-4, 0.01) == pytest.approx(4 * narrow, rel=1e-12)
    assert hedge.whalley_wilmott(-1e-5, 65_000.0, 4.5e-4, 0.01) == narrow


@PROPERTY
@given(
    spot=st.integers(1, 10**14), cost=st.integers(0, 10**6), aversion=st.integers(1, 10**12),
    cap=st.integers(0, 10**13),
    lot=st.sampled_from([1, 1_000, 10**5, 10**8]), least=st.integers(0, 10**11),
)  # fmt: skip
def test_nothing_held_is_the_hedge_of_no_digitals(spot, cost, aversion, cap, lot, least):
    terms = hedge.HedgeTerms(cost=cost, risk_aversion=aversion, cap=cap, lot=lot, least=least)
    assert hedge.nothing_held(spot, terms) == hedge.maintained([], spot, terms)


def test_a_simulated_interval_spreads_as_stated():
    rng = np.random.default_rng(5)
    gamma, spot, sigma, dt = -2e-5, 65_000.0, 0.5, 1e-6
    move = spot * sigma * math.sqrt(dt) * rng.standard_normal(400_000)
    pnl = 0.5 * gamma * move**2
    stated = hedge.hedge_error(gamma, spot, sigma, dt)
    assert float(pnl.std()) == pytest.approx(stated.sd, rel=0.02)
    assert float(pnl.mean()) == pytest.approx(stated.theta_offset, rel=0.02)
