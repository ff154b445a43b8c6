"""Settlement by averages and interpolation: the vectors, limits, and a seeded simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import digital, settlement
from hlomm.pricing.digital import YEAR_S, Comparator

PROPERTY = settings.get_profile("pricing")
SECOND = 1.0 / YEAR_S


@pytest.mark.quant("digital", "avg_digital")
def test_average_price(case, check):
    given_ = case.given
    made = settlement.average_price(
        given_["S"],
        given_["K"],
        given_["sigma"],
        given_["offsets"],
        known_sum=given_["known_sum"],
        n_total=given_["n_total"],
    )
    check({name: getattr(made, name) for name in ("k_eff", "var_eff", "var_eff_linear", "d", "p_yes", "p_no")
           if name in case.want})  # fmt: skip


@pytest.mark.quant("digital", "forward_start")
def test_forward_start(case, check):
    check({"p_up": settlement.forward_start(case.given["sigma"], case.given["window_years"])})


@pytest.mark.quant("digital", "interp_settle")
def test_interpolated_variance(case, check):
    given_ = case.given
    check({"variance": settlement.interpolated_variance(given_["sigma"], given_["tau"], given_["delta"], given_["a"])})


@PROPERTY
@given(st.floats(90.0, 110.0), st.floats(0.1, 2.0), st.floats(1e-5, 0.1), st.integers(1, 60))
def test_prints_at_one_instant_are_a_point_digital(spot, sigma, tau, n):
    made = settlement.average_price(spot, 100.0, sigma, [tau] * n, known_sum=0.0, n_total=n)
    point = digital.price(spot, 100.0, sigma, tau)
    assert made.p_yes == pytest.approx(point.p_yes, rel=1e-9, abs=1e-12)


@PROPERTY
@given(st.lists(st.floats(1.0, 600.0), min_size=1, max_size=30), st.floats(99.0, 101.0), st.integers(0, 30))
def test_order_of_prints_does_not_matter_and_probabilities_are_complete(seconds, spot, known):
    offsets = [value * SECOND for value in seconds]
    n = len(offsets) + known
    first = settlement.average_price(spot, 100.0, 0.5, offsets, known_sum=100.0 * known, n_total=n)
    second = settlement.average_price(spot, 100.0, 0.5, offsets[::-1], known_sum=100.0 * known, n_total=n)
    assert first == second
    assert first.p_yes + first.p_no == pytest.approx(1.0, abs=1e-15)
    assert first.var_eff >= first.var_eff_linear * (1 - 1e-12)


def test_a_simulated_average_reaches_the_strike_as_often_as_priced():
    rng = np.random.default_rng(20_261_120)
    spot, strike, sigma, n, paths = 100.0, 100.02, 0.5, 60, 200_000
    dt = SECOND
    steps = rng.standard_normal((paths, n)) * sigma * math.sqrt(dt) - sigma**2 * dt / 2
    mean = (spot * np.exp(np.cumsum(steps, axis=1))).mean(axis=1)
    priced = settlement.average_price(
        spot, strike, sigma, [i * dt for i in range(1, n + 1)], known_sum=0.0, n_total=n
    ).p_yes
    assert float((mean >= strike).mean()) == pytest.approx(priced, abs=4 * math.sqrt(0.25 / paths))


def test_when_every_print_is_known_the_comparator_decides():
    def price(total, comparator):
        return settlement.average_price(1.0, 100.0, 0.5, [], known_sum=total, n_total=10, comparator=comparator).p_yes

    assert price(1000.0, Comparator.AT_LEAST) == 1.0
    assert price(1000.0, Comparator.ABOVE) == 0.0
    assert price(999.9, Comparator.AT_LEAST) == 0.0
    assert price(1000.1, Comparator.ABOVE) == 1.0


def test_without_vol_the_spot_decides_against_the_strike_that_is_left():
    def yes(spot, comparator=Comparator.AT_LEAST):
        made = settlement.average_price(
            spot, 100.0, 0.0, [SECOND], known_sum=100.0 * 9, n_total=10, comparator=comparator
        )
        assert made.var_eff is None
        return made.p_yes

    assert (yes(100.0), yes(99.9), yes(100.0, Comparator.ABOVE)) == (1.0, 0.0, 0.0)


def test_effective_time_of_an_average_gives_the_same_variance():
    tau, window, n, sigma = 600 * SECOND, 60 * SECOND, 60, 0.45
    offsets = [tau - window + window * i / n for i in range(1, n + 1)]
    made = settlement.average_price(100.0, 100.0, sigma, offsets, known_sum=0.0, n_total=n)
    assert made.var_eff_linear == pytest.approx(sigma**2 * settlement.average_tau(tau, window, n), rel=1e-12)
    assert settlement.average_tau(tau, window, 10**6) == pytest.approx(tau - 2 * window / 3, rel=1e-6)


def test_averaging_both_ends_makes_an_up_move_likelier_by_lowering_the_variance():
    point = settlement.forward_start(0.6, 900 * SECOND)
    averaged = settlement.forward_start(0.6, 900 * SECOND, averaging=60 * SECOND)
    assert point < averaged < 0.5


def test_a_simulated_interpolated_mark_has_the_stated_variance():
    rng = np.random.default_rng(7)
    sigma, tau, gap, a, paths = 1.0, 10.0, 3.0, 0.3, 400_000
    early = rng.standard_normal(paths) * sigma * math.sqrt(tau - a * gap)
    late = early + rng.standard_normal(paths) * sigma * math.sqrt(gap)
    mixed = (1 - a) * early + a * late
    priced = settlement.interpolated_variance(sigma, tau, gap, a)
    assert float(mixed.var()) == pytest.approx(priced, rel=4 * math.sqrt(2 / paths))
