"""Errors of fair values by time to expiry: every number by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.pricing.digital import YEAR_S
from hlomm.research.fair_error import (
    BINS,
    FORECASTS,
    FairError,
    RealisedSoFar,
    Seen,
    Snapshot,
    bins_of,
    calibration,
    constant,
    score,
)


def snapshot(tau_s=100.0, bid=0.8, ask=0.9, p=(0.85, 0.5, 0.9, 0.84, 0.85)):
    return Snapshot(tau_s=tau_s, bid=bid, ask=ask, p=p, realised=0.1, implied=0.2, expected=0.3)


def seen(**changed):
    known = {
        "tau_s": 100.0, "spot": 80_000.0, "strike": 79_000.0, "bid": 0.8, "ask": 0.9, "realised": 0.1,
        "configured": 0.4, "model": 0.9, "default": 0.84, "expected": 0.3,
    }  # fmt: skip
    return Seen(**{**known, **changed})


def test_what_was_seen_makes_the_forecasts():
    made = seen().snapshot()
    assert made.p == (constant(80_000.0, 79_000.0, 0.1, 100.0), constant(80_000.0, 79_000.0, 0.4, 100.0), 0.9, 0.84,
                      pytest.approx(0.85))  # fmt: skip
    assert made.implied is not None
    bare = seen(bid=None, realised=None).snapshot()
    assert (bare.p[0], bare.p[4], bare.implied) == (None, None, None)


def test_errors_against_the_mid_and_the_result():
    made = score([snapshot(), snapshot(p=(0.95, 0.5, 0.9, 0.84, 0.85))], 0, 1.0)
    assert made.n == 2
    assert made.mid_error == pytest.approx(0.05)
    assert made.mid_rmse == pytest.approx(math.sqrt(0.01 / 2))
    assert made.squared == pytest.approx((0.15**2 + 0.05**2) / 2)
    assert made.outside is None


@pytest.mark.parametrize(
    ("bid", "ask", "p", "beyond"),
    [
        (0.9, None, 0.95, 0.0),
        (0.9, None, 0.8, 0.1),
        (None, 0.1, 0.05, 0.0),
        (None, 0.1, 0.3, 0.2),
        (0.9, None, 1.0, 0.0),
    ],
)
def test_a_one_sided_book_is_an_interval(bid, ask, p, beyond):
    made = score([snapshot(bid=bid, ask=ask, p=(p,) * 5)], 0, None)
    assert made.outside == pytest.approx(beyond)
    assert made.mid_error is None
    assert made.squared is None


def test_without_any_book_only_the_result_counts():
    made = score([snapshot(bid=None, ask=None)], 0, 0.0)
    assert (made.mid_error, made.outside) == (None, None)
    assert made.squared == pytest.approx(0.85**2)


def test_what_was_not_known_is_not_compared():
    assert score([snapshot(p=(None,) * 5)], 0, 1.0).n == 0


@given(st.lists(st.floats(0.0, 1e6), max_size=50))
def test_every_snapshot_falls_into_one_bin_and_the_last_row_is_all(taus):
    rows = bins_of([snapshot(tau_s=tau) for tau in taus])
    assert [name for name, _ in rows] == [*(name for _, _, name in BINS), "all"]
    assert sum(len(inside) for _, inside in rows[:-1]) == len(rows[-1][1]) == len(taus)


@given(st.lists(st.floats(0.0, 1.0), max_size=50))
def test_calibration_rows_cover_every_forecast_once(forecasts):
    rows = calibration([snapshot(p=(p,) * 5) for p in forecasts], 0, 1.0)
    assert sum(row.n for row in rows) == len(forecasts)
    assert all(row.low - 1e-12 <= row.mean <= row.high + 1e-12 and row.hit == 1.0 for row in rows)
    assert calibration([snapshot()], 0, None) == []


def test_realised_so_far_is_the_vol_of_the_whole_path():
    rng = np.random.default_rng(3)
    prices = 80_000.0 * np.exp(np.cumsum(rng.standard_normal(20_000)) * 0.3 * math.sqrt(2.0 / YEAR_S))
    seen = RealisedSoFar()
    assert seen.annual is None
    for i, price in enumerate(prices):
        seen.update(2.0 * i, float(price))
    assert seen.annual == pytest.approx(0.3, rel=0.03)


def test_realised_so_far_counts_time_without_prices_as_time():
    seen = RealisedSoFar()
    for t, price in ((0.0, 100.0), (2.0, 101.0), (4.0, 101.0), (104.0, 101.0), (106.0, 101.0)):
        seen.update(t, price)
    assert seen.annual == pytest.approx(math.log(1.01) * math.sqrt(YEAR_S / 104.0))


def test_a_constant_vol_at_the_edges_is_a_number():
    assert constant(80_000.0, 79_000.0, None, 60.0) is None
    assert constant(80_000.0, 79_000.0, 0.0, 60.0) == constant(80_000.0, 79_000.0, 0.4, 0.0) == 1.0
    assert constant(80_000.0, 0.0, 0.4, 60.0) == 1.0


def test_the_text_has_a_row_per_bin_and_nothing_for_nothing():
    made = FairError([seen(), seen(tau_s=4_000.0)], 1.0)
    assert len([line for line in made.text() if line.strip().startswith(tuple(name for *_, name in BINS))]) == len(BINS)
    assert set(made.document()["bins"][0]["errors"]) == set(FORECASTS)
    assert FairError([], None).text() == []
    assert FairError([], None).document()["bins"][-1]["snapshots"] == 0
