"""Digital price and greeks: the vectors, finite differences, the pricing equation, the edges."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from hlomm.pricing import digital
from hlomm.pricing.digital import Comparator

PROPERTY = settings.get_profile("pricing")
SPOTS = st.floats(20_000.0, 200_000.0)
MONEYNESS = st.floats(0.8, 1.25)
SIGMAS = st.floats(0.05, 3.0)
TAUS = st.floats(1e-6, 0.1)


@pytest.mark.quant("digital", "digital")
def test_greeks(case, check):
    given_ = case.given
    made = digital.greeks(given_["S"], given_["K"], given_["sigma"], given_["tau"], given_["mu"])
    check({name: getattr(made, name) for name in ("d", "p_yes", "p_no", "delta", "gamma", "vega", "theta", "p_vol")})
    price = digital.price(given_["S"], given_["K"], given_["sigma"], given_["tau"], given_["mu"])
    assert (price.p_yes, price.p_no, price.d) == (made.p_yes, made.p_no, made.d)


@pytest.mark.quant("digital", "implied_sigma")
def test_implied_sigma(case, check):
    given_ = case.given
    made = digital.implied_sigma(given_["S"], given_["K"], given_["tau"], given_["p"])
    check({"roots": list(made.roots), "p_max": made.p_max})


@pytest.mark.quant("digital", "digital_skew")
def test_skew(case, check):
    given_ = case.given
    made = digital.skewed(given_["S"], given_["K"], given_["sigma"], given_["tau"], given_["dsig_dlnK"])
    check({"p_flat": made.p_flat, "adjustment": made.adjustment, "p_skew": made.p_skew})


def test_price_is_the_mass_of_the_lognormal_above_the_strike():
    spot, strike, sigma, tau, mu = 78_000.0, 80_000.0, 0.6, 0.02, 0.1

    def density(x):
        sd = sigma * math.sqrt(tau)
        centre = math.log(spot) + (mu - sigma**2 / 2) * tau
        return math.exp(-(((math.log(x) - centre) / sd) ** 2) / 2) / (x * sd * math.sqrt(2 * math.pi))

    mass, _ = quad(density, strike, spot * 3, limit=200)
    assert digital.price(spot, strike, sigma, tau, mu).p_yes == pytest.approx(mass, rel=1e-9)


@PROPERTY
@given(SPOTS, MONEYNESS, SIGMAS, TAUS, st.floats(-0.5, 0.5))
def test_both_sides_are_probabilities_and_the_pricing_equation_holds(spot, moneyness, sigma, tau, mu):
    made = digital.greeks(spot, spot * moneyness, sigma, tau, mu)
    assert 0.0 <= made.p_yes <= 1.0
    assert made.p_yes + made.p_no == pytest.approx(1.0, abs=1e-15)
    terms = (made.theta, 0.5 * (sigma * spot) ** 2 * made.gamma, mu * spot * made.delta)
    assert sum(terms) == pytest.approx(0.0, abs=1e-9 * max(abs(term) for term in terms) + 1e-300)


@PROPERTY
@given(SPOTS, st.floats(0.98, 1.02), st.floats(0.2, 1.5), st.floats(1e-4, 0.05))
def test_greeks_are_the_slopes_of_the_price(spot, moneyness, sigma, tau):
    strike = spot * moneyness
    made = digital.greeks(spot, strike, sigma, tau)

    def slope(bump, step):
        return (bump(step) - bump(-step)) / (2 * step)

    def scale(step):  # what rounding in the price does to a difference quotient
        return 1e-14 / step

    width = sigma * math.sqrt(tau)
    step = spot * width * 1e-4
    by_spot = slope(lambda e: digital.price(spot + e, strike, sigma, tau).p_yes, step)
    assert made.delta == pytest.approx(by_spot, rel=1e-5, abs=scale(step))
    by_delta = slope(lambda e: digital.greeks(spot + e, strike, sigma, tau).delta, step)
    assert made.gamma == pytest.approx(by_delta, rel=1e-5, abs=scale(step) * made.delta + 1e-18)
    by_sigma = slope(lambda e: digital.price(spot, strike, sigma + e, tau).p_yes, sigma * 1e-4)
    assert made.vega == pytest.approx(by_sigma, rel=1e-4, abs=1e-9)
    by_time = slope(lambda e: digital.price(spot, strike, sigma, tau - e).p_yes, tau * 1e-4)
    assert made.theta == pytest.approx(by_time, rel=1e-4, abs=1e-9 / tau)


@PROPERTY
@given(SPOTS, MONEYNESS, SIGMAS, TAUS)
def test_implied_sigma_recovers_the_vol_behind_a_price(spot, moneyness, sigma, tau):
    strike = spot * moneyness
    price = digital.price(spot, strike, sigma, tau)
    if not 1e-9 < price.p_yes < 1 - 1e-9:
        return
    implied = digital.implied_sigma(spot, strike, tau, price.p_yes)
    assert price.p_yes <= implied.p_max * (1 + 1e-12)
    nearest = min(implied.roots, key=lambda root: abs(root - sigma))
    # Vega vanishes where the two roots meet: there the price fixes the vol only to the root of its own rounding.
    assert nearest == pytest.approx(sigma, rel=1e-5)
    for root in implied.roots:
        assert digital.price(spot, strike, root, tau).p_yes == pytest.approx(price.p_yes, rel=1e-7)


@PROPERTY
@given(SPOTS, MONEYNESS, st.floats(1e-6, 1.0 - 1e-6))
def test_the_number_of_roots_follows_the_side_of_the_strike(spot, moneyness, p):
    strike = spot * moneyness
    implied = digital.implied_sigma(spot, strike, 0.01, p)
    assert list(implied.roots) == sorted(implied.roots)
    assert all(root > 0 for root in implied.roots)
    if strike < spot:
        assert len(implied.roots) == 1
    elif strike > spot:
        expected = 0 if p > implied.p_max else 2
        assert len(implied.roots) == expected or p == pytest.approx(implied.p_max, rel=1e-9)


def test_at_expiry_the_comparator_decides_at_the_strike():
    at = digital.price(100.0, 100.0, 0.5, 0.0, comparator=Comparator.AT_LEAST)
    above = digital.price(100.0, 100.0, 0.5, 0.0, comparator=Comparator.ABOVE)
    assert (at.p_yes, at.p_no) == (1.0, 0.0)
    assert (above.p_yes, above.p_no) == (0.0, 1.0)
    assert digital.price(100.1, 100.0, 0.5, 0.0, comparator=Comparator.ABOVE).p_yes == 1.0


def test_without_vol_the_forward_decides():
    assert digital.price(99.0, 100.0, 0.0, 1.0, mu=0.05).p_yes == 1.0
    assert digital.price(99.0, 100.0, 0.0, 1.0, mu=0.0).p_yes == 0.0


def test_a_strike_at_or_below_zero_is_a_certain_yes():
    assert digital.price(100.0, 0.0, 0.5, 1.0).p_yes == 1.0
    assert digital.greeks(100.0, -5.0, 0.5, 1.0).delta == 0.0


def test_moneyness_keeps_its_digits_next_to_the_strike():
    assert digital.log_moneyness(100_000.0 + 2**-20, 100_000.0) == pytest.approx(2**-20 / 1e5, rel=1e-11)
    assert digital.log_moneyness(300.0, 100.0) == pytest.approx(math.log(3.0), rel=1e-15)


def test_a_slope_that_breaks_arbitrage_cannot_push_the_price_out_of_range():
    assert digital.skewed(100.0, 100.0, 0.5, 0.1, -50.0).p_skew == 1.0
    assert digital.skewed(100.0, 100.0, 0.5, 0.1, 50.0).p_skew == 0.0
    assert digital.skewed(101.0, 100.0, 0.5, 0.0, -0.3).adjustment == 0.0
