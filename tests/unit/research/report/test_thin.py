"""Thinned series keep their extremes, their ends and their gaps, and stay short."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hlomm.research.report.thin import POINTS, Tally, thin

_VALUES = st.lists(st.none() | st.integers(-(10**12), 10**12), min_size=1, max_size=400)


@given(_VALUES, st.lists(st.integers(0, 1000), min_size=400, max_size=400), st.integers(5, 60))
def test_a_thinned_series_keeps_what_stands_out(values, gaps, points):
    times = list(itertools.accumulate(gaps[: len(values)]))
    tally = Tally()
    x, y = thin(times, values, tally, points=points)
    known = [value for value in values if value is not None]
    kept = [value for value in y if value is not None]
    assert (min(known, default=None), max(known, default=None)) == (min(kept, default=None), max(kept, default=None))
    assert (x[0], y[0]) == (times[0], values[0])
    assert (x[-1], y[-1]) == (times[-1], values[-1])
    assert x == sorted(x)
    assert (None in y) is (None in values), "a hole is not drawn over"
    left = iter(zip(times, values, strict=True))
    assert all(point in left for point in zip(x, y, strict=True)), "points of the series, in its order"
    assert len(x) <= max(points, 5)
    assert (tally.points, tally.drawn) == (len(values), len(x))


def test_short_series_are_left_alone_and_a_long_one_is_said_to_be_thinned():
    tally = Tally()
    short = list(range(POINTS)), [value % 7 for value in range(POINTS)]
    assert thin(*short, tally) == short
    assert tally.text() == f"all {POINTS} points are drawn"
    day = list(range(0, 86_400_000, 250))
    x, y = thin(day, [at % 1013 if at != 40_000_000 else 10**9 for at in day], tally)
    assert len(x) <= POINTS
    assert 10**9 in y, "one spike among 345,600 points"
    assert tally.series == 1
    assert tally.points == POINTS + len(day)
    assert f"{tally.points - tally.drawn} of {tally.points} points are not drawn: 1 series" in tally.text()
