"""Vol of a dated digital in probit space: the vector, simulated markets, sampling and bad input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from hlomm.pricing.probit_vol import ProbitVol, probit_path

PROPERTY = settings.get_profile("pricing")


@pytest.mark.quant("binary_space", "probit_bm")
def test_probit_path(case, check):
    made = probit_path(case.given["t"], case.given["expiry"], case.given["p"])
    check({"y": list(made.y), "nu2": made.nu2})


def market(seed, expiry, until, step, nu):
    """(t, p) of a digital whose price moves nu times as much as it implies."""
    times = np.arange(0.0, until, step)
    shocks = np.random.default_rng(seed).standard_normal(len(times)) * nu * math.sqrt(step)
    y = np.concatenate(([0.0], np.cumsum(shocks)[:-1]))
    return times.tolist(), ndtr(y / np.sqrt(expiry - times)).tolist()


@pytest.mark.parametrize("nu", [0.5, 1.0, 1.6])
def test_nu_is_recovered_whatever_the_price_does(nu):
    expiry = 40_000.0
    estimator = ProbitVol(expiry_s=expiry, half_life_s=10_000.0, grid_s=2.0)
    for at, p in zip(*market(21, expiry, 30_000.0, 0.5, nu), strict=True):
        estimator.update(at, p)
    assert estimator.ignored == 0
    assert estimator.nu == pytest.approx(nu, rel=0.06)


def test_bounce_between_grid_points_is_not_measured():
    """A mid that flips by a tick on every update looks many times too volatile unless it is sampled."""
    expiry = 80_000.0
    times, prices = market(22, expiry, 40_000.0, 0.5, 1.0)
    flips = np.random.default_rng(5).integers(0, 2, len(times)) * 0.002
    bounced = np.clip(np.array(prices) + flips, 1e-6, 1 - 1e-6).tolist()
    fine, coarse = (ProbitVol(expiry_s=expiry, half_life_s=20_000.0, grid_s=grid) for grid in (0.5, 5.0))
    for at, p in zip(times, bounced, strict=True):
        fine.update(at, p)
        coarse.update(at, p)
    assert coarse.nu - 1.0 < 0.3 * (fine.nu - 1.0)


def test_local_vol_is_the_move_of_the_next_second():
    expiry, at, p = 1000.0, 400.0, 0.83
    estimator = ProbitVol(expiry_s=expiry, nu0=1.3)
    shocks = np.random.default_rng(8).standard_normal(200_000)
    z = float(ndtri(p))
    y = z * math.sqrt(expiry - at) + 1.3 * math.sqrt(0.1) * shocks
    later = ndtr(y / math.sqrt(expiry - at - 0.1))
    assert estimator.sigma_p(p, expiry - at) == pytest.approx(float(later.std()) / math.sqrt(0.1), rel=0.01)
    assert estimator.sigma_p(p, 0.0) == 0.0


def test_a_grid_point_takes_the_price_that_stood_before_it():
    expiry = 1000.0
    late = ProbitVol(expiry_s=expiry, grid_s=10.0)
    exact = ProbitVol(expiry_s=expiry, grid_s=10.0)
    for at, p in ((1.0, 0.5), (9.9, 0.6), (14.0, 0.1), (21.0, 0.2)):
        late.update(at, p)
    for at, p in ((9.9, 0.6), (10.0, 0.1), (20.0, 0.9)):
        exact.update(at, p)
    assert late.nu == exact.nu
    assert late.eff_seconds == exact.eff_seconds > 60.0 * 0.9


def test_without_two_grid_points_the_prior_stands():
    estimator = ProbitVol(expiry_s=100.0, nu0=0.7)
    assert estimator.nu == pytest.approx(0.7)
    estimator.update(1.0, 0.5)
    estimator.update(5.0, 0.9)
    assert estimator.nu == pytest.approx(0.7)


@PROPERTY
@given(
    st.lists(
        st.tuples(
            st.floats(-10.0, 110.0) | st.floats(allow_nan=True, allow_infinity=True),
            st.floats(0.0, 1.0) | st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=40,
    )
)
def test_no_input_makes_nu_anything_but_a_finite_number(feed):
    estimator = ProbitVol(expiry_s=100.0, grid_s=1.0)
    estimator.update(-math.inf, 0.5)
    for at, p in feed:
        estimator.update(at, p)
        assert math.isfinite(estimator.nu)
        assert estimator.nu >= 0.0


def test_prices_at_the_bounds_and_after_expiry_are_counted_not_used():
    estimator = ProbitVol(expiry_s=100.0, grid_s=1.0)
    for at, p in ((1.0, 0.0), (2.0, 1.0), (100.0, 0.5), (101.0, 0.5), (3.0, math.nan)):
        estimator.update(at, p)
    estimator.update(50.0, 0.5)
    estimator.update(49.0, 0.5)
    assert estimator.ignored == 6
