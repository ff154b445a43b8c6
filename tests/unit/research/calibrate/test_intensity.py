"""A and k of markets of which they are known, and what is said where they cannot be had."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from hlomm.domain.times import NS_PER_S
from hlomm.research.calibrate.intensity import ANY, ARRIVALS_MIN, Found, arrivals_of, fits
from tests.unit.research.calibrate.making import HALF, arrivals
from tests.unit.store.making import T0

A, K = 0.3, 140.0


def whole(*series):
    found = fits([arrivals_of(one) for one in series])
    return next(one for one in found if one.cell.tau == ANY and one.cell.p == ANY)


def test_known_truth_is_found_within_its_standard_errors():
    fit = whole(arrivals(1, a=A, k=K, hours=3.0)).fit
    assert fit is not None
    assert abs(fit.k - K) < 3.0 * fit.k_se < 0.1 * K
    assert abs(fit.a - A) < 3.0 * fit.a_se < 0.1 * A
    assert fit.near == HALF
    assert fit.exponential
    assert fit.regression is not None
    assert fit.regression == pytest.approx((A, K), rel=0.15)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = np.zeros(2)
    for seed in range(25):
        fit = whole(arrivals(100 + seed, a=0.1, k=K, hours=1.0)).fit
        assert fit is not None
        assert fit.a_interval is not None
        assert fit.k_interval is not None
        held += (fit.a_interval[0] <= 0.1 <= fit.a_interval[1], fit.k_interval[0] <= K <= fit.k_interval[1])
    # 95 % of 25 is 24; below 20 is a chance of one in a thousand.
    assert (held >= 20).all()


def test_arrivals_that_come_in_crowds_widen_the_interval_and_not_the_standard_error():
    calm = arrivals(3, a=A, k=K, hours=1.0)
    rng = np.random.default_rng(3)
    minute = (calm.print_ns - T0) // (60 * NS_PER_S)
    crowded = rng.permutation(60)[minute % 60] < 12
    fits_of = [
        whole(calm).fit,
        whole(attrs.evolve(
            calm, print_ns=calm.print_ns[crowded], print_px=calm.print_px[crowded], print_sign=calm.print_sign[crowded]
        )).fit,
    ]  # fmt: skip
    spread = [(one.a_interval[1] - one.a_interval[0]) / one.a for one in fits_of]
    assert spread[1] > 2.0 * spread[0]
    assert spread[1] > 2.0 * 1.96 * fits_of[1].a_se / fits_of[1].a


def test_one_order_through_many_levels_is_one_arrival_at_its_deepest():
    series = arrivals(4, a=A, k=K, hours=1.0)
    deep = series.print_px - 0.5
    levels = [0.5 + deep * share for share in (0.4, 1.0, 0.7)]
    swept = attrs.evolve(
        series, print_ns=np.repeat(series.print_ns, 3), print_sign=np.repeat(series.print_sign, 3),
        print_px=np.stack(levels, axis=1).ravel(),
    )  # fmt: skip
    assert whole(swept).fit == whole(series).fit


def test_the_book_that_already_shows_a_print_is_not_what_it_met():
    series = arrivals(5, a=A, k=K, hours=1.0)
    at = series.print_ns[:100]
    moved = attrs.evolve(
        series, book_ns=np.concatenate((series.book_ns, at)), mid=np.concatenate((series.mid, np.full(100, 0.9))),
        half=np.concatenate((series.half, np.full(100, HALF))),
    )  # fmt: skip
    order = np.argsort(moved.book_ns, kind="stable")
    moved = attrs.evolve(moved, book_ns=moved.book_ns[order], mid=moved.mid[order], half=moved.half[order])
    assert np.array_equal(arrivals_of(moved).d[:1], arrivals_of(series).d[:1])


def test_prints_beside_a_one_sided_book_have_no_distance_and_its_time_is_no_exposure():
    series = arrivals(6, a=A, k=K, hours=1.0)
    gone = series.book_ns >= T0 + 1_800 * NS_PER_S
    half_gone = attrs.evolve(series, mid=np.where(gone, np.nan, series.mid), half=np.where(gone, np.nan, series.half))
    made = arrivals_of(half_gone)
    assert made.lost == int((series.print_ns > T0 + 1_800 * NS_PER_S).sum())
    assert made.book_s.sum() == pytest.approx(1_800.0)
    fit = whole(half_gone).fit
    assert fit is not None
    assert fit.a == pytest.approx(A, rel=0.2)


def test_two_depths_are_no_exponential_and_that_is_said():
    series = arrivals(7, a=A, k=K, hours=1.0)
    away = np.where(np.arange(len(series.print_px)) % 2, 0.002, 0.02)
    fit = whole(attrs.evolve(series, print_px=0.5 + series.print_sign * away)).fit
    assert fit is not None
    assert not fit.exponential
    assert fit.distance > 0.2


def test_buckets_have_the_values_of_their_own():
    near, far = arrivals(8, a=0.6, k=90.0, hours=1.0, mid=0.3), arrivals(9, a=0.2, k=200.0, hours=1.0, mid=0.6)
    by_p = {one.cell.p: one for one in fits([arrivals_of(near), arrivals_of(far)]) if one.cell.p != ANY}
    for p, k in (("0.25-0.5", 90.0), ("0.5-0.75", 200.0)):
        assert by_p[p].fit is not None
        assert by_p[p].fit.k == pytest.approx(k, rel=0.15)
    assert sum(one.arrivals for one in by_p.values()) == len(near.print_ns) + len(far.print_ns)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (arrivals(10, a=0.004, k=K, hours=1.0), f"{ARRIVALS_MIN} are needed"),
        (arrivals(11, a=2.0, k=K, hours=0.1), "minutes of books, 10 are needed"),
        (attrs.evolve(s := arrivals(12, a=A, k=K, hours=0.5), print_px=0.5 + s.print_sign * HALF), "at the touch"),
        (attrs.evolve(s, mid=np.full(len(s.mid), np.nan), half=np.full(len(s.mid), np.nan)), "no two-sided book"),
    ],
)
def test_too_little_is_refused_with_the_reason(series, reason):
    found: Found = whole(series)
    assert found.fit is None
    assert reason in found.refused
