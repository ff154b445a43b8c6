"""What is no number, or sits on an edge, has a stated answer: never NaN, and no exception out of a formula.

Vol 0, no time left, a probability of exactly 0 or 1, a strike or a price of 0. Estimators, quoter, Kelly sizes and
terminal odds have such tests beside their own; here are the plain formulas.
"""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import digital, fair, hedge, horizon, normal, terminal
from hlomm.pricing.digital import Comparator
from hlomm.pricing.quoter import QuoteModel, quote

PROPERTY = settings.get_profile("pricing")
SIGMAS = (0.0, 1e-12, 0.4, 5.0)
TAUS = (0.0, 1e-12, 1e-3, 10.0)
PRICES = (0.0, 1e-8, 80_000.0, 80_000.00000001, 1e12)
PROBABILITIES = (0.0, 5e-324, 1e-300, 0.5, 1.0 - 1e-16, 1.0)


def finite_or_certain(*values):
    return all(not math.isnan(value) for value in values)


@pytest.mark.parametrize("comparator", Comparator)
def test_the_digital_and_its_greeks_on_every_edge(comparator):
    for spot, strike, sigma, tau in itertools.product(PRICES, PRICES, SIGMAS, TAUS):
        made = digital.greeks(spot, strike, sigma, tau, comparator=comparator)
        assert 0.0 <= made.p_yes <= 1.0, (spot, strike, sigma, tau)
        assert finite_or_certain(made.delta, made.gamma, made.vega, made.theta, made.p_vol, made.d), (
            spot,
            strike,
            sigma,
            tau,
        )
        if (sigma == 0.0 or tau == 0.0) and strike > 0.0:
            yes = spot >= strike if comparator is Comparator.AT_LEAST else spot > strike
            assert (made.p_yes, made.p_no) == ((1.0, 0.0) if yes else (0.0, 1.0))
            assert (made.delta, made.gamma, made.vega, made.theta) == (0.0, 0.0, 0.0, 0.0)


def test_a_strike_of_nothing_is_a_certain_yes():
    assert digital.price(80_000.0, 0.0, 0.4, 0.01).p_yes == 1.0
    assert digital.price(0.0, 80_000.0, 0.4, 0.01).p_yes == 0.0
    assert terminal.odds(80_000.0, 0.0, 0.01).p_yes == 1.0


def test_implied_vol_on_every_edge_has_no_root_or_a_number():
    for spot, strike, tau, p in itertools.product(PRICES, PRICES, TAUS, PROBABILITIES):
        made = digital.implied_sigma(spot, strike, tau, p)
        assert all(0.0 < root < math.inf for root in made.roots), (spot, strike, tau, p)
        assert 0.0 <= made.p_max <= 1.0
    for p in (0.0, 1.0, math.nan, -0.5, 1.5):
        assert digital.implied_sigma(80_400.0, 80_000.0, 0.01, p).roots == ()
    assert digital.implied_sigma(80_400.0, 80_000.0, 0.0, 0.9).roots == (), "without time every vol gives the same"


def test_a_smile_on_every_edge():
    for spot, strike, sigma, tau in itertools.product(PRICES, PRICES, SIGMAS, TAUS):
        made = digital.skewed(spot, strike, sigma, tau, -0.3)
        assert 0.0 <= made.p_skew <= 1.0, (spot, strike, sigma, tau)


def test_the_vol_of_a_probability_on_every_edge():
    for p, tau in itertools.product(PROBABILITIES, (0.0, 1e-9, 60.0, 1e9)):
        assert 0.0 <= horizon.p_vol(p, tau) < math.inf
        for h in (0.0, 1e-9, 30.0, 1e10):
            assert 0.0 <= horizon.variance(p, tau, h) <= 0.25


def test_opinions_on_every_edge():
    for p, spread in itertools.product((*PROBABILITIES, None, math.nan), (0.0, 1e-12, 0.5, 1.0, 2.0, None, math.nan)):
        made = fair.book_estimate(p, spread)
        assert made is None or (math.isfinite(made.z) and 0.0 < made.sd_z < math.inf)
    both = fair.blend(fair.Estimate(40.0, 1e-9), fair.Estimate(-40.0, 1e-9))
    assert both.p == pytest.approx(0.5)


def test_a_hedge_of_nothing_and_a_band_without_gamma_price_or_aversion():
    assert hedge.perp_hedge([]) == hedge.PerpHedge(0.0, 0.0)
    assert hedge.whalley_wilmott(0.0, 80_000.0, 5e-4, 1e-3) == 0.0
    assert hedge.whalley_wilmott(1e-3, 0.0, 5e-4, 1e-3) == 0.0
    assert hedge.whalley_wilmott(1e-3, 80_000.0, 0.0, 1e-3) == 0.0
    assert hedge.whalley_wilmott(1e-3, 80_000.0, 5e-4, 0.0) == math.inf, "who minds no risk rebalances never"
    assert hedge.hedge_error(1e-3, 80_000.0, 0.0, 1.0) == hedge.HedgeError(0.0, 0.0)


ODD = st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e300, math.inf, -math.inf, math.nan, 0.5])


@PROPERTY
@given(ODD, ODD, ODD, ODD, ODD, ODD, st.sampled_from(QuoteModel))
def test_a_quote_from_no_numbers_is_no_quote_with_a_reason(p, q, tau, sigma, gamma, k, model):
    made = quote(
        model, p=p, q=q, tau_s=tau, sigma_p=sigma, gamma=gamma, a=0.6, k=k, lot=40.0, horizon_s=120.0, max_half=0.12
    )
    for px, reason in ((made.bid, made.bid_reason), (made.ask, made.ask_reason)):
        assert (px is None) == bool(reason)
        assert px is None or 0.0 < px < 1.0


def test_link_functions_take_certainty():
    for p in PROBABILITIES:
        assert math.isfinite(normal.probit(p))
        assert math.isfinite(normal.logit(p))
