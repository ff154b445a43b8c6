"""EWMA variance: the vectors, a batch recomputation, and numbers no feed should send."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.volatility import EwmaRate, EwmaVariance, Space, coordinate

PROPERTY = settings.get_profile("pricing")
SPACES = {"abs": Space.ABS, "log": Space.LOG, "logit": Space.LOGIT, "probit": Space.PROBIT}


def run(estimator, t, x):
    """Value after the last observation of each timestamp, from the second timestamp on."""
    rates = []
    for i, (at, value) in enumerate(zip(t, x, strict=True)):
        estimator.update(at, value)
        if at > t[0] and (i + 1 == len(t) or t[i + 1] > at):
            rates.append(estimator.variance_rate)
    return rates


@pytest.mark.quant("vol", "ewma_sum")
def test_ewma_variance(case, check):
    given_ = case.given
    estimator = EwmaVariance(
        half_life_s=given_["halflife_s"], space=SPACES[given_["space"]], v0=given_["v0"], tau0_s=given_["tau0_s"]
    )
    rates = run(estimator, given_["t"], given_["x"])
    check({"var_rate": rates, "sigma_last": estimator.sigma, "eff_seconds": estimator.eff_seconds})


@pytest.mark.quant("vol", "ewma_rate")
def test_ewma_rate(case, check):
    given_ = case.given
    estimator = EwmaRate(half_life_s=given_["halflife_s"], space=SPACES[given_["space"]], v0=given_["v0"])
    rates = run(estimator, given_["t"], given_["x"])
    check({"var_rate": rates, "sigma_last": math.sqrt(rates[-1])})


@PROPERTY
@given(
    st.lists(st.tuples(st.floats(0.01, 60.0), st.floats(-5.0, 5.0)), min_size=1, max_size=40),
    st.floats(1.0, 600.0),
    st.floats(0.0, 2.0),
    st.floats(1.0, 120.0),
)
def test_the_recursion_equals_the_weighted_sums_it_stands_for(steps, half_life, v0, tau0):
    estimator = EwmaVariance(half_life_s=half_life, v0=v0, tau0_s=tau0)
    gaps, values = np.array(steps).T
    times = np.concatenate(([0.0], np.cumsum(gaps)))
    path = np.concatenate(([0.0], np.cumsum(values)))
    for at, x in zip(times.tolist(), path.tolist(), strict=True):
        estimator.update(at, x)
    weights = 2.0 ** (-(times[-1] - times[1:]) / half_life)
    prior = 2.0 ** (-times[-1] / half_life)
    squares = float(weights @ np.diff(path) ** 2) + prior * v0 * tau0
    seconds = float(weights @ np.diff(times)) + prior * tau0
    assert estimator.variance_rate == pytest.approx(squares / seconds, rel=1e-9, abs=1e-15)
    assert estimator.eff_seconds == pytest.approx(seconds, rel=1e-9)


@PROPERTY
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=True, allow_infinity=True), st.floats(allow_nan=True, allow_infinity=True)),
        max_size=30,
    ),
    st.sampled_from(Space),
    st.floats(1e-3, 1e6),
)
def test_no_input_makes_the_value_anything_but_a_finite_number(feed, space, half_life):
    estimator = EwmaVariance(half_life_s=half_life, space=space, v0=1e-6, tau0_s=60.0)
    rate = EwmaRate(half_life_s=half_life, space=space)
    for at, x in feed:
        estimator.update(at, x)
        rate.update(at, x)
        assert math.isfinite(estimator.variance_rate)
        assert estimator.variance_rate >= 0.0
        assert rate.variance_rate is None or math.isfinite(rate.variance_rate)


@PROPERTY
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_only_the_last_value_of_a_timestamp_counts(discarded, kept, later):
    noisy, clean = (EwmaVariance(half_life_s=30.0, v0=0.1, tau0_s=10.0) for _ in range(2))
    for estimator in (noisy, clean):
        estimator.update(0.0, 0.5)
    for value in discarded:
        noisy.update(5.0, value)
    for estimator in (noisy, clean):
        estimator.update(5.0, kept)
        estimator.update(9.0, later)
    assert noisy.variance_rate == clean.variance_rate
    assert noisy.ignored == clean.ignored == 0


def test_the_prior_is_the_value_until_an_interval_exists_and_then_fades():
    estimator = EwmaVariance(half_life_s=60.0, v0=4.0, tau0_s=30.0)
    assert estimator.variance_rate == 4.0
    estimator.update(0.0, 1.0)
    assert estimator.variance_rate == 4.0
    values = []
    for at in range(1, 600):
        estimator.update(float(at), 1.0)
        values.append(estimator.variance_rate)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.01


def test_a_one_millisecond_tick_moves_the_ratio_form_less_than_the_rate_form():
    ratio = EwmaVariance(half_life_s=60.0, v0=1e-6, tau0_s=60.0)
    rate = EwmaRate(half_life_s=60.0, v0=1e-6)
    rate_free = EwmaRate(half_life_s=60.0)
    for estimator in (ratio, rate, rate_free):
        estimator.update(0.0, 0.5)
        estimator.update(0.001, 0.501)
    assert ratio.variance_rate < 2e-6
    assert rate_free.variance_rate == pytest.approx(1e-3)


def test_time_going_back_and_values_outside_the_space_are_counted_not_used():
    estimator = EwmaVariance(half_life_s=60.0, space=Space.LOGIT, v0=1.0, tau0_s=10.0)
    estimator.update(10.0, 0.5)
    for at, x in ((9.0, 0.9), (11.0, 0.0), (11.0, 1.0), (11.0, math.nan), (math.nan, 0.5), (math.inf, 0.5)):
        estimator.update(at, x)
    assert estimator.ignored == 6
    assert estimator.variance_rate == 1.0


def test_it_recovers_the_vol_of_a_simulated_path():
    rng = np.random.default_rng(11)
    estimator = EwmaVariance(half_life_s=2000.0, v0=1.0, tau0_s=60.0)
    at = x = 0.0
    for _ in range(20_000):
        gap = float(rng.exponential(1.0)) + 1e-6
        at += gap
        x += 0.3 * math.sqrt(gap) * float(rng.standard_normal())
        estimator.update(at, x)
    assert estimator.sigma == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("x", "space", "valid"),
    [
        (0.0, Space.ABS, True),
        (-3.0, Space.LOG, False),
        (0.0, Space.LOG, False),
        (1.0, Space.LOGIT, False),
        (0.5, Space.PROBIT, True),
        (math.inf, Space.ABS, False),
        (math.inf, Space.LOG, False),
    ],
)
def test_coordinates_exist_only_inside_the_domain(x, space, valid):
    assert (coordinate(x, space) is not None) == valid


@pytest.mark.parametrize("bad", [{"half_life_s": 0.0}, {"half_life_s": math.nan}, {"v0": -1.0}, {"tau0_s": 0.0}])
def test_a_nonsensical_configuration_is_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        EwmaVariance(**({"half_life_s": 60.0, "v0": 1.0, "tau0_s": 10.0} | bad))
