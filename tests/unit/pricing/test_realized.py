"""Realised-variance estimators: the vectors and simulated data with a known answer."""

import math

import numpy as np
import pytest

from hlomm.pricing import realized
from hlomm.pricing.volatility import Space

SPACES = {"abs": Space.ABS, "log": Space.LOG, "logit": Space.LOGIT, "probit": Space.PROBIT}


@pytest.mark.quant("vol", "bipower")
def test_bipower(case, check):
    made = realized.bipower(case.given["x"], case.given["dt_s"], SPACES[case.given["space"]])
    check({name: getattr(made, name) for name in ("rv", "bv", "jump", "jump_ratio", "sigma_rv", "sigma_bv")})


@pytest.mark.quant("vol", "tsrv")
def test_two_scale(case, check):
    made = realized.two_scale(case.given["x"], case.given["K"], SPACES[case.given["space"]])
    check({name: getattr(made, name) for name in ("rv_all", "rv_avg", "tsrv", "tsrv_adj", "noise_var")})


@pytest.mark.quant("vol", "ohlc")
def test_ohlc(case, check):
    made = realized.ohlc(case.given["open"], case.given["high"], case.given["low"], case.given["close"])
    check(
        {
            "parkinson_var": made.parkinson,
            "garman_klass_var": made.garman_klass,
            "rogers_satchell_var": made.rogers_satchell,
            "yang_zhang_var": made.yang_zhang,
            "yz_k": made.yz_k,
        }
    )


def brownian(seed, n, sigma):
    return np.cumsum(np.random.default_rng(seed).standard_normal(n)) * sigma


def test_bipower_ignores_a_jump_that_realised_variance_counts():
    path = brownian(1, 20_000, 0.01)
    jumped = path.copy()
    jumped[10_000:] += 3.0
    calm, hit = (realized.bipower(x.tolist(), 1.0, Space.ABS) for x in (path, jumped))
    assert calm.sigma_bv == pytest.approx(0.01, rel=0.03)
    assert hit.sigma_bv == pytest.approx(0.01, rel=0.05)
    assert hit.rv - calm.rv == pytest.approx(9.0, rel=0.02)
    assert hit.jump_ratio > 0.7


def test_two_scale_sees_through_noise():
    n, sigma, noise = 50_000, 0.01, 0.05
    observed = brownian(2, n, sigma) + np.random.default_rng(3).standard_normal(n) * noise
    made = realized.two_scale(observed.tolist(), 300, Space.ABS)
    true = n * sigma**2
    assert made.rv_all > 40 * true
    assert made.tsrv_adj == pytest.approx(true, rel=0.25)
    assert made.noise_var == pytest.approx(noise**2, rel=0.05)


def test_bar_estimators_recover_the_variance_of_simulated_bars():
    rng = np.random.default_rng(4)
    bars, ticks, sigma = 2000, 600, 0.02
    steps = rng.standard_normal((bars, ticks)) * sigma / math.sqrt(ticks)
    inside = np.cumsum(steps, axis=1)
    starts = np.concatenate(([0.0], np.cumsum(inside[:, -1])[:-1]))
    paths = 100.0 * np.exp(starts[:, None] + np.concatenate((np.zeros((bars, 1)), inside), axis=1))
    made = realized.ohlc(*(values.tolist() for values in (paths[:, 0], paths.max(1), paths.min(1), paths[:, -1])))
    for value in (made.parkinson, made.garman_klass, made.rogers_satchell, made.yang_zhang):
        assert value == pytest.approx(sigma**2, rel=0.1)
        assert value < sigma**2 * 1.02  # ranges of sampled paths are too short, never too long
    mean_range = float(np.log(paths.max(1) / paths.min(1)).mean())
    assert mean_range / realized.ATR_PER_SIGMA == pytest.approx(sigma, rel=0.06)


def test_a_flat_record_has_no_jump_share():
    made = realized.bipower([1.0] * 10, 1.0, Space.ABS)
    assert (made.rv, made.jump_ratio) == (0.0, 0.0)
