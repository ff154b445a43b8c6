"""What a Sharpe ratio found by trying is worth: shared vectors, scipy, and series drawn at random."""

from __future__ import annotations

import math
from itertools import combinations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hlomm.pricing.overfitting import pbo
from hlomm.pricing.trials import (
    autocorrelations,
    dsr,
    exp_max_sr,
    lo_factor,
    min_n,
    min_trl,
    moments,
    psr,
)


@pytest.mark.quant("stats", "moments")
def test_moments(case, check):
    check(attrs.asdict(moments(case.given["r"])))


@pytest.mark.quant("stats", "psr")
def test_psr(case, check):
    z, probability = psr(**case.given)
    check({"z": z, "psr": probability})


@pytest.mark.quant("stats", "min_trl")
def test_min_trl(case, check):
    check({"min_trl": min_trl(**case.given)})


@pytest.mark.quant("stats", "exp_max_sr")
def test_exp_max_sr(case, check):
    check({"sr0": exp_max_sr(**case.given)})


@pytest.mark.quant("stats", "dsr")
def test_dsr(case, check):
    check(attrs.asdict(dsr(**case.given)))


@pytest.mark.quant("stats", "lo_factor")
def test_lo_factor(case, check):
    check({"factor": lo_factor(**case.given), "iid_factor": lo_factor((), case.given["q"])})


@pytest.mark.quant("stats", "min_n")
def test_min_n(case, check):
    check({"n": min_n(**case.given)})


@pytest.mark.quant("stats", "pbo")
def test_pbo(case, check):
    check(attrs.asdict(pbo(np.array(case.given["returns"]), case.given["S"])))


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=50).filter(lambda r: np.ptp(r) > 1e-3))
def test_moments_are_scipys(r):
    made = moments(r)
    assert made.skew == pytest.approx(stats.skew(r), rel=1e-6, abs=1e-9)
    assert made.kurtosis == pytest.approx(stats.kurtosis(r, fisher=False), rel=1e-6)
    assert made.t_stat == pytest.approx(stats.ttest_1samp(r, 0.0).statistic, rel=1e-6, abs=1e-9)


def test_without_a_spread_there_is_no_ratio():
    assert moments([]) is moments([1.0]) is moments([0.1] * 7) is moments([0.0] * 7) is None
    assert autocorrelations([0.1] * 7, 3) == ()


@given(st.floats(0.01, 1), st.floats(-2, 2), st.floats(0, 10))
def test_a_record_of_the_least_length_is_just_long_enough(sr, skew, more):
    kurtosis = 1 + skew * skew + more
    n = min_trl(sr, skew, kurtosis)
    z = sr * math.sqrt(n - 1) / math.sqrt(1 - skew * sr + (kurtosis - 1) / 4 * sr * sr)
    assert z == pytest.approx(stats.norm.ppf(0.95), rel=1e-9)
    assert min_trl(-sr, skew, kurtosis) == math.inf


@pytest.mark.parametrize("trials", [10, 100, 1000])
def test_the_expected_maximum_is_that_of_normals(trials):
    drawn = np.random.default_rng(5).normal(0, 0.1, (4000, trials)).max(axis=1)
    error = 4 * drawn.std() / math.sqrt(len(drawn))
    # The approximation itself is up to 2 % high for few trials.
    assert exp_max_sr(0.01, trials) == pytest.approx(drawn.mean(), abs=error + 0.02 * drawn.mean())


def test_correlated_results_are_worth_less():
    drawn = np.random.default_rng(6).normal(0, 1, 20_000)
    trending = np.convolve(drawn, [1, 0.5], "valid")
    rho = autocorrelations(list(trending), 3)
    assert rho == pytest.approx([0.4, 0, 0], abs=0.03)
    assert lo_factor(rho, 100) < lo_factor((), 100)
    assert lo_factor([-0.6], 1000) == math.inf


def _brute(returns, parts):
    """The definition, read out loud."""
    pieces, logits = np.array_split(np.arange(len(returns)), parts), []
    for inside in combinations(range(parts), parts // 2):
        rows = np.concatenate([pieces[at] for at in inside])
        rest = np.setdiff1d(np.arange(len(returns)), rows)
        ratio = [returns[each].mean(axis=0) / returns[each].std(axis=0) for each in (rows, rest)]
        rank = (ratio[1] <= ratio[1][ratio[0].argmax()]).sum()
        logits.append(math.log(rank / (returns.shape[1] + 1 - rank)))
    return logits


@pytest.mark.parametrize(("rows", "count", "parts"), [(24, 5, 4), (61, 17, 6), (50, 300, 8)])
def test_pbo_is_the_definition(rows, count, parts, monkeypatch):
    returns = np.random.default_rng(rows).normal(1e-3, 1, (rows, count))
    whole = pbo(returns, parts)
    assert whole.logits == pytest.approx(_brute(returns, parts))
    monkeypatch.setattr("hlomm.pricing.overfitting.CELLS", 3 * count)
    assert pbo(returns, parts).logits == whole.logits, "in pieces or at once"


def test_pbo_of_skill_and_of_noise():
    rng = np.random.default_rng(7)
    noise = rng.normal(0, 1, (240, 200))
    assert pbo(noise, 8).pbo > 0.2
    noise[:, 11] += 0.7
    assert pbo(noise, 8).pbo == 0.0


def test_sets_that_traded_in_one_half_only_are_not_ranked_well_in_the_other():
    """Two fills each, by chance: the best of one half mostly did nothing in the other, as most did. It is no skill."""

    def brute(returns, parts):
        pieces, below = np.array_split(np.arange(len(returns)), parts), []
        for inside in combinations(range(parts), parts // 2):
            rows = np.isin(np.arange(len(returns)), np.concatenate([pieces[at] for at in inside]))
            ratio = []
            for each in (returns[rows], returns[~rows]):
                std = each.std(axis=0)
                ratio.append(np.round(np.where(std > 0, each.mean(axis=0) / np.where(std > 0, std, 1), 0), 9))
            below.append(2 * stats.rankdata(ratio[1])[ratio[0].argmax()] <= returns.shape[1] + 1)
        return np.mean(below)

    rng, found = np.random.default_rng(3), []
    for _ in range(10):
        returns = np.zeros((96, 30))
        for column in returns.T:
            column[rng.choice(96, 2, replace=False)] = rng.standard_normal(2)
        found.append(pbo(returns, 8).pbo)
        assert found[-1] == pytest.approx(brute(returns, 8))
    assert np.mean(found) > 0.4


def test_pbo_of_what_cannot_be_halved():
    for shape, parts in (((3, 2), 4), ((20, 2), 3), ((20, 0), 2)):
        with pytest.raises(ValueError, match="halved"):
            pbo(np.zeros(shape), parts)
    assert pbo(np.zeros((8, 2)), 2).logits == (0.0, 0.0), "all did equally: the first of them is in the middle"
