"""Variance of a dated digital over a horizon: the vectors, the bivariate normal, and bounds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from hlomm.pricing import horizon

PROPERTY = settings.get_profile("pricing")
PRICES = st.floats(1e-4, 1 - 1e-4)
SHARES = st.floats(1e-6, 1.0)


@pytest.mark.quant("binary_space", "digital_p_vol")
def test_p_vol(case, check):
    check({"sigma_p": horizon.p_vol(case.given["p"], case.given["tau"])})


@pytest.mark.quant("binary_space", "var_horizon")
def test_variance(case, check):
    p, tau, h = case.given["p"], case.given["tau"], case.given["h"]
    made = horizon.variance(p, tau, h)
    check(
        {
            "variance": made,
            "fraction_of_total": made / (p * (1 - p)),
            "inst_var_times_h": horizon.p_vol(p, tau) ** 2 * h,
        }
    )


@PROPERTY
@given(PRICES, st.floats(0.01, 0.999))
def test_variance_is_that_of_the_bivariate_normal(p, rho):
    """E[p_{t+h}^2] = P(two digitals sharing the first h both pay), integrated another way."""
    z = float(ndtri(p))
    both, _ = quad(
        lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        * float(ndtr((z + math.sqrt(rho) * x) / math.sqrt(1 - rho))) ** 2,
        -12, 12, epsabs=1e-14, epsrel=1e-12, limit=400,
    )  # fmt: skip
    assert horizon.variance(p, 1.0, rho) == pytest.approx(both - p * p, rel=1e-6, abs=1e-12)


@PROPERTY
@given(st.floats(1e-12, 1 - 1e-12), st.floats(1e-3, 1e6), SHARES, SHARES)
def test_variance_is_bounded_increasing_and_the_same_for_both_tokens(p, tau, one, other):
    low, high = sorted((one, other))
    smaller, larger = horizon.variance(p, tau, low * tau), horizon.variance(p, tau, high * tau)
    assert 0.0 <= smaller <= larger * (1 + 1e-12) <= p * (1 - p) * (1 + 2e-12)
    if 1e-9 < p < 1 - 1e-9:
        assert horizon.variance(1 - p, tau, low * tau) == pytest.approx(smaller, rel=1e-6)


@PROPERTY
@given(PRICES, st.floats(1.0, 1e5))
def test_holding_to_settlement_risks_the_whole_bernoulli_variance(p, tau):
    assert horizon.variance(p, tau, tau) == p * (1 - p)
    assert horizon.variance(p, tau, 10 * tau) == p * (1 - p)
    assert horizon.variance(p, tau, tau * (1 - 1e-12)) == pytest.approx(p * (1 - p), rel=1e-5)


@PROPERTY
@given(PRICES, st.floats(60.0, 1e5))
def test_a_short_horizon_has_the_instantaneous_variance(p, tau):
    h = tau * 1e-7
    assert horizon.variance(p, tau, h) == pytest.approx(horizon.p_vol(p, tau) ** 2 * h, rel=1e-4)


def test_a_simulated_price_moves_as_far_as_stated():
    rng = np.random.default_rng(3)
    p, tau, h, paths = 0.8, 3600.0, 900.0, 400_000
    y = math.sqrt(tau) * float(ndtri(p)) + rng.standard_normal(paths) * math.sqrt(h)
    later = ndtr(y / math.sqrt(tau - h))
    spread = float(((later - p) ** 2).mean())
    assert float(later.mean()) == pytest.approx(p, abs=4 * float(later.std()) / math.sqrt(paths))
    assert horizon.variance(p, tau, h) == pytest.approx(spread, rel=0.02)


def test_nothing_moves_after_settlement():
    assert horizon.p_vol(0.4, 0.0) == 0.0
    assert horizon.variance(0.4, 0.0, 10.0) == 0.0
    assert horizon.variance(0.4, 10.0, -1.0) == 0.0
