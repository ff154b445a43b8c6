"""Terminal odds: against the plain digital, numeric integration and derivatives, and inputs that are none."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from hlomm.pricing import digital, terminal
from hlomm.pricing.digital import YEAR_S, Comparator

PROPERTY = settings.get_profile("pricing")
SPOT = st.floats(50_000.0, 150_000.0)
STRIKE = st.floats(50_000.0, 150_000.0)
V = st.floats(1e-4, 0.5)
NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=64)
EDGE = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, 5e-324, 80_000.0, 80_000.000001])


# -- variance to expiry


def test_variance_is_the_mean_of_a_relaxing_variance():
    sigma, long_run, tau = 0.10, 0.45, 5 * 3600.0
    expected, _ = integrate.quad(
        lambda t: long_run**2 + (sigma**2 - long_run**2) * math.exp(-t / terminal.RELAX_S), 0.0, tau
    )
    assert terminal.variance(sigma, tau, long_run=long_run) == pytest.approx(expected / YEAR_S, rel=1e-12)


def test_a_short_time_knows_what_is_realised_and_a_long_one_the_long_run():
    per_year = {tau: terminal.variance(0.10, tau, long_run=0.45) / tau * YEAR_S for tau in (1.0, 3600.0, 1e9)}
    assert math.sqrt(per_year[1.0]) == pytest.approx(0.10, rel=1e-3)
    assert 0.10 < math.sqrt(per_year[3600.0]) < 0.20
    assert math.sqrt(per_year[1e9]) == pytest.approx(0.45, rel=1e-3)


@pytest.mark.parametrize("tau", [0.0, -1.0, math.nan])
def test_without_time_there_is_no_variance(tau):
    assert terminal.variance(0.5, tau, long_run=0.5) == 0.0


def test_without_vol_only_the_long_run_comes_in():
    assert 0.0 < terminal.variance(0.0, 60.0, long_run=0.45) < 60.0 / YEAR_S * 0.01


# -- odds


def test_the_kernel_has_variance_one_and_fat_tails():
    assert math.fsum(w for w, _ in terminal.KERNEL) == pytest.approx(1.0)
    assert math.fsum(w * c * c for w, c in terminal.KERNEL) == pytest.approx(1.0)
    assert 3.0 * math.fsum(w * c**4 for w, c in terminal.KERNEL) == pytest.approx(6.8, abs=0.2)


@PROPERTY
@given(SPOT, STRIKE, V)
def test_the_normal_kernel_is_the_plain_digital(spot, strike, v):
    made = terminal.odds(spot, strike, v, kernel=terminal.NORMAL)
    plain = digital.price(spot, strike, v, 1.0)
    assert made.p_yes == pytest.approx(plain.p_yes, rel=1e-9)
    assert made.p_no == pytest.approx(plain.p_no, rel=1e-9)
    if abs(plain.d) < 30.0:
        assert made.z == pytest.approx(plain.d, rel=1e-6, abs=1e-9)
        greeks = digital.greeks(spot, strike, v, 1.0)
        assert made.delta == pytest.approx(greeks.delta, rel=1e-9, abs=1e-300)
        assert made.gamma == pytest.approx(greeks.gamma, rel=1e-9, abs=1e-300)


@PROPERTY
@given(st.floats(0.97, 1.03), st.floats(0.002, 0.03))
def test_slopes_are_those_of_finite_differences(moneyness, v):
    def z(s, u):
        return terminal.odds(s, 80_000.0, u).z

    spot, h = 80_000.0 * moneyness, 1e-5
    made = terminal.odds(spot, 80_000.0, v)
    by_v = (z(spot, v * math.exp(h)) - z(spot, v * math.exp(-h))) / (2 * h)
    by_s = (z(spot * math.exp(h * v), v) - z(spot * math.exp(-h * v), v)) / (2 * h * v)
    assert made.z_per_log_v == pytest.approx(by_v, rel=1e-4, abs=1e-5)
    assert made.z_per_log_s == pytest.approx(by_s, rel=1e-4)
    up, down = (terminal.odds(spot + side * 0.5, 80_000.0, v).delta for side in (1.0, -1.0))
    assert made.gamma == pytest.approx(up - down, rel=1e-3, abs=1e-10)


def test_the_mixture_is_a_martingale():
    """E[S_T] = integral of P(S_T >= K) dK = S."""
    v = 0.05
    mean, _ = integrate.quad(lambda k: terminal.odds(1.0, k, v).p_yes, 0.0, 3.0, points=[0.8, 1.0, 1.2], limit=400)
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_samples_of_the_kernel_settle_as_often_as_stated():
    rng = np.random.default_rng(5)
    n, v = 400_000, 0.004
    wide = rng.random(n) < terminal.KERNEL[1][0]
    scale = np.where(wide, terminal.KERNEL[1][1], terminal.KERNEL[0][1]) * v
    settled = np.exp(scale * rng.standard_normal(n) - 0.5 * scale**2)
    for strike in (0.99, 0.998, 1.0, 1.006):
        p = terminal.odds(1.0, strike, v).p_yes
        assert (settled >= strike).mean() == pytest.approx(p, abs=4.0 * math.sqrt(p * (1 - p) / n) + 1e-9)


def test_far_favourites_are_less_certain_than_a_normal_kernel_says():
    fat, thin = (terminal.odds(80_400.0, 80_000.0, 0.0012, kernel=k).p_no for k in (terminal.KERNEL, terminal.NORMAL))
    assert thin < 2e-5
    assert fat > 1e-3


@PROPERTY
@given(STRIKE, V, st.lists(SPOT, min_size=2, max_size=6).map(sorted))
def test_the_higher_the_spot_the_likelier_yes_also_where_probabilities_underflow(strike, v, spots):
    z = [terminal.odds(spot, strike, v).z for spot in spots]
    assert all(after >= before - 0.01 for before, after in pairwise(z))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_quantile_goes_on_where_the_probability_ends(sign):
    """Two steps of moneyness to either side of the change to the asymptotic form."""
    z = [terminal.odds(math.exp(sign * x * 1e-3), 1.0, 1e-3).z for x in np.linspace(55.0, 85.0, 61)]
    steps = np.diff(z) * sign
    assert (steps > 0.0).all()
    assert steps.max() < 3.0 * steps.min()


# -- buckets


@PROPERTY
@given(st.floats(79_000.0, 81_000.0), st.floats(1e-3, 0.05))
def test_buckets_share_out_everything(spot, v):
    bounds = [None, 79_500.0, 80_000.0, 80_500.0, None]
    made = [terminal.between(spot, low, high, v) for low, high in pairwise(bounds)]
    assert math.fsum(one.p_yes for one in made) == pytest.approx(1.0, abs=1e-12)
    assert math.fsum(one.delta for one in made) == pytest.approx(0.0, abs=1e-12)
    assert all(one.p_yes + one.p_no == pytest.approx(1.0, abs=1e-12) for one in made)


@PROPERTY
@given(st.floats(79_000.0, 81_000.0), st.floats(1e-3, 0.02))
def test_slopes_of_a_bucket_are_those_of_finite_differences(spot, v):
    made = terminal.between(spot, 79_800.0, 80_200.0, v)
    if not 1e-6 < made.p_yes < 1.0 - 1e-6:
        return
    h = 1e-5
    up, down = (terminal.between(spot, 79_800.0, 80_200.0, v * math.exp(s * h)).z for s in (1.0, -1.0))
    assert made.z_per_log_v == pytest.approx((up - down) / (2 * h), rel=1e-3, abs=1e-3)


def test_a_bucket_with_one_open_end_is_a_binary_or_its_complement():
    up, down = terminal.between(80_100.0, 80_000.0, None, 0.01), terminal.between(80_100.0, None, 80_000.0, 0.01)
    assert up == terminal.odds(80_100.0, 80_000.0, 0.01)
    assert down.p_yes == pytest.approx(up.p_no, rel=1e-12)
    assert down.z == pytest.approx(-up.z, rel=1e-9)
    assert down.z_per_log_v == pytest.approx(-up.z_per_log_v, rel=1e-9)


# -- what is no number


@pytest.mark.parametrize("v", [0.0, -1.0, math.nan])
def test_without_variance_the_comparator_decides(v):
    assert terminal.odds(80_000.0, 80_000.0, v).p_yes == 1.0
    assert terminal.odds(80_000.0, 80_000.0, v, comparator=Comparator.ABOVE).p_yes == 0.0
    assert terminal.odds(79_999.0, 80_000.0, v).p_no == 1.0


def test_a_strike_of_nothing_is_reached_and_a_price_of_nothing_reaches_none():
    assert terminal.odds(80_000.0, 0.0, 0.01).p_yes == terminal.odds(0.0, 0.0, 0.0).p_yes == 1.0
    assert terminal.odds(0.0, 80_000.0, 0.01).p_yes == 0.0


@PROPERTY
@given(NUMBER | EDGE, NUMBER | EDGE, NUMBER | EDGE, NUMBER | EDGE)
def test_no_finite_input_gives_nan(spot, low, high, v):
    for made in (terminal.odds(spot, low, v), terminal.between(spot, min(low, high), max(low, high), v)):
        assert 0.0 <= made.p_yes <= 1.0
        assert 0.0 <= made.p_no <= 1.0 + 1e-9
        for name in ("z", "z_per_log_v", "z_per_log_s", "delta", "gamma"):
            assert not math.isnan(getattr(made, name)), name


def test_the_fat_kernel_lies_between_normals_of_its_scales():
    """A sanity bound from outside: scipy's normal at both widths."""
    p = terminal.odds(1.0, 0.99, 0.005).p_no
    low, high = (stats.norm.cdf((math.log(0.99) + 0.5 * (c * 0.005) ** 2) / (c * 0.005)) for _, c in terminal.KERNEL)
    assert low < p < high
