"""The pricing maths against an independent implementation of the same special functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats

from hlomm.pricing import digital, horizon, joint, normal

PROBABILITIES = st.floats(1e-9, 1 - 1e-9)


@given(st.floats(-37, 37))
def test_normal_functions(x):
    assert normal.cdf(x) == pytest.approx(float(special.ndtr(x)), rel=1e-12)
    assert normal.tail(x) == pytest.approx(float(special.ndtr(-x)), rel=1e-12)
    assert normal.log_cdf(x) == pytest.approx(float(special.log_ndtr(x)), rel=1e-10)


@given(PROBABILITIES)
def test_probit(p):
    assert normal.probit(p) == pytest.approx(float(special.ndtri(p)), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize(("p", "tau", "h"), [(0.5, 3600, 60), (0.9, 600, 599), (0.02, 86_400, 600), (0.97, 100, 5)])
def test_horizon_variance_is_the_bivariate_normal_one(p, tau, h):
    z = normal.probit(p)
    share = h / tau
    joint = stats.multivariate_normal(mean=[0, 0], cov=[[1, share], [share, 1]]).cdf(np.array([z, z]))
    assert horizon.variance(p, tau, h) == pytest.approx(float(joint) - p * p, rel=2e-4, abs=2e-6)


@pytest.mark.parametrize(("spot", "strike", "sigma", "tau"), [(78_000, 78_213, 0.45, 1e-3), (90_000, 80_000, 0.6, 0.1)])
def test_digital_is_the_integral_of_the_lognormal_density(spot, strike, sigma, tau):
    sd = sigma * math.sqrt(tau)
    law = stats.lognorm(s=sd, scale=spot * math.exp(-sd * sd / 2))
    above, _ = integrate.quad(law.pdf, strike, spot * math.exp(12 * sd), points=[spot], limit=200)
    assert digital.price(spot, strike, sigma, tau).p_yes == pytest.approx(above, rel=1e-7)


def test_simultaneous_kelly_is_the_optimum_a_general_solver_finds():
    states = [0.2, 0.5, 0.3]
    instruments = [
        joint.Instrument(cost=0.15, payoff=(1.0, 0.0, 0.0)),
        joint.Instrument(cost=0.48, payoff=(0.0, 1.0, 0.0)),
        joint.Instrument(cost=0.65, payoff=(1.0, 1.0, 0.0)),
    ]

    def loss(x):
        wealth = [1 + sum(q * (i.payoff[s] - i.cost) for q, i in zip(x, instruments, strict=True)) for s in range(3)]
        return -sum(p * math.log(w) if w > 0 else -1e9 for p, w in zip(states, wealth, strict=True))

    def unspent(x):
        return 0.999999 - sum(q * i.cost for q, i in zip(x, instruments, strict=True))

    found = optimize.minimize(
        loss, np.full(3, 0.05), bounds=[(0, 5)] * 3, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500},
        constraints={"type": "ineq", "fun": unspent},
    )  # fmt: skip
    ours = joint.simultaneous(states, instruments)
    assert loss(ours.contracts) <= loss(found.x) + 1e-8
