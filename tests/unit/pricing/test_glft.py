"""Gueant-Lehalle-Fernandez-Tapia quotes: the vectors, an independent ODE solver, and the closed form's accuracy."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import eigh_tridiagonal

from hlomm.pricing import glft

PROPERTY = settings.get_profile("pricing")
FEW = settings(PROPERTY, max_examples=25)


def as_outputs(made):
    return {"q": list(made.q), "delta_bid": list(made.delta_bid), "delta_ask": list(made.delta_ask)}


@pytest.mark.quant("as_glft", "glft_asym")
def test_closed_form(case, check):
    given_ = case.given
    made = glft.closed_form(
        given_["q"],
        given_["gamma"],
        given_["sigma"],
        given_["A"],
        given_["k"],
        lot=given_["delta_size"],
        xi=given_["xi"],
    )
    check(
        {
            "c1": made.c1,
            "c2": made.c2,
            "half_spread": made.half,
            "skew": made.skew,
            "delta_bid": made.delta_bid,
            "delta_ask": made.delta_ask,
        }
    )


@pytest.mark.quant("as_glft", "glft_ode")
def test_finite_horizon(case, check):
    given_ = case.given
    check(
        as_outputs(
            glft.exact_finite(
                given_["gamma"],
                given_["sigma"],
                given_["A"],
                given_["k"],
                given_["Q"],
                given_["tau"],
                given_["mu"],
            )
        )
    )


@pytest.mark.quant("as_glft", "glft_eig")
def test_limit(case, check):
    given_ = case.given
    made = glft.exact_limit(given_["gamma"], given_["sigma"], given_["A"], given_["k"], given_["Q"])
    check({**as_outputs(made), "lambda_min": made.lambda_min})


@pytest.mark.quant("as_glft", "fit_intensity")
def test_fit_intensity(case, check):
    made = glft.fit_intensity(case.given["delta"], case.given["lam"])
    check({"A": made.a, "k": made.k})


def operator(gamma, sigma, a, k, q_max, mu):
    """M of the paper, written from its definition."""
    q = np.arange(-q_max, q_max + 1)
    eta = a * (1 + gamma / k) ** (-(1 + k / gamma))
    return k * gamma * sigma**2 / 2 * q**2 - k * mu * q, eta


@FEW
@given(
    st.floats(0.01, 1.0),
    st.floats(0.1, 1.5),
    st.floats(0.5, 20.0),
    st.floats(0.5, 3.0),
    st.floats(0.05, 2.0),
    st.floats(-0.2, 0.2),
)
def test_finite_horizon_solves_the_differential_equation(gamma, sigma, a, k, tau, mu):
    q_max = 5
    diagonal, eta = operator(gamma, sigma, a, k, q_max, mu)

    def derivative(_t, v):
        padded = np.concatenate(([0.0], v, [0.0]))
        return -diagonal * v + eta * (padded[:-2] + padded[2:])

    v = solve_ivp(derivative, (0.0, tau), np.ones(2 * q_max + 1), rtol=1e-11, atol=1e-14, method="DOP853").y[:, -1]
    made = glft.exact_finite(gamma, sigma, a, k, q_max, tau, mu)
    liquidity = math.log(1 + gamma / k) / gamma
    for i in range(2 * q_max):
        assert made.delta_bid[i] == pytest.approx(math.log(v[i] / v[i + 1]) / k + liquidity, abs=1e-8)
        assert made.delta_ask[i + 1] == pytest.approx(math.log(v[i + 1] / v[i]) / k + liquidity, abs=1e-8)


@FEW
@given(st.floats(0.02, 1.0), st.floats(0.2, 2.0), st.floats(0.5, 100.0), st.floats(0.5, 3.0), st.floats(-0.05, 0.05))
def test_limit_is_the_ground_state(gamma, sigma, a, k, mu):
    q_max = 6
    diagonal, eta = operator(gamma, sigma, a, k, q_max, mu)
    values, vectors = eigh_tridiagonal(diagonal, np.full(2 * q_max, -eta), select="i", select_range=(0, 0))
    v = np.abs(vectors[:, 0])
    made = glft.exact_limit(gamma, sigma, a, k, q_max, mu)
    assert made.lambda_min == pytest.approx(values[0], rel=1e-9, abs=1e-9 * eta)
    liquidity = math.log(1 + gamma / k) / gamma
    for i in range(2 * q_max):
        if min(v[i], v[i + 1]) > 1e-6:
            assert made.delta_bid[i] == pytest.approx(math.log(v[i] / v[i + 1]) / k + liquidity, abs=1e-7)


def test_a_long_horizon_approaches_the_limit_even_with_a_hundred_lots():
    finite = glft.exact_finite(0.1, 2.0, 140.0, 1.5, 100, 600.0)
    limit = glft.exact_limit(0.1, 2.0, 140.0, 1.5, 100)
    assert finite.delta_bid[:-1] == pytest.approx(limit.delta_bid[:-1], rel=1e-9)
    assert finite.delta_ask[1:] == pytest.approx(limit.delta_ask[1:], rel=1e-9)


def test_limits_close_the_side_that_would_exceed_them_and_mirror():
    made = glft.exact_limit(0.1, 2.0, 140.0, 1.5, 4)
    assert made.delta_bid[-1] is None
    assert made.delta_ask[0] is None
    assert made.delta_bid[:-1] == pytest.approx(made.delta_ask[:0:-1], rel=1e-12)


def test_the_closed_form_is_within_a_tick_of_the_exact_quotes_near_flat():
    gamma, sigma, a, k = 0.1, 2.0, 140.0, 1.5
    exact = glft.exact_limit(gamma, sigma, a, k, 30)
    for q in range(-3, 4):
        made = glft.closed_form(q, gamma, sigma, a, k)
        assert made.delta_bid == pytest.approx(exact.delta_bid[q + 30], rel=0.01)
        assert made.delta_ask == pytest.approx(exact.delta_ask[q + 30], rel=0.01)


@PROPERTY
@given(st.floats(0.0, 1e4))
def test_the_power_has_no_seam_and_grows_from_e(x):
    assert glft.log_power(x) >= 1.0
    assert glft.log_power(x * 1.001 + 1e-9) >= glft.log_power(x) * (1 - 1e-13)


def test_the_power_meets_its_series():
    assert glft.log_power(math.nextafter(1e-5, 0.0)) == pytest.approx(glft.log_power(1e-5), rel=1e-11)
    assert glft.log_power(1e-300) == glft.log_power(0.0) == 1.0


@PROPERTY
@given(st.floats(0.01, 10.0), st.floats(1.0, 200.0))
def test_an_exact_exponential_is_fitted_exactly(a, k):
    distances = [0.005 * i for i in range(1, 8)]
    made = glft.fit_intensity(distances, [a * math.exp(-k * d) for d in distances])
    assert (made.a, made.k) == pytest.approx((a, k), rel=1e-9)
