"""The book as of now. Rung: pure function with memory, by hand and by property."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.pricing.book_gap import BookGap

QUANTILES = st.floats(-6.0, 6.0)
STEPS = st.floats(0.0, 100.0)


def test_the_first_book_counts_as_it_is() -> None:
    assert BookGap(follow_s=10.0).update(5.0, 0.7, 0.2) == pytest.approx(0.7)


def test_between_two_books_it_moves_with_the_model() -> None:
    gap = BookGap(follow_s=10.0)
    gap.update(0.0, 0.7, 0.2)
    assert gap.update(0.1, 0.7, 0.5) == pytest.approx(1.0), "the book has not moved yet: the gap is what it was"


def test_a_lasting_difference_becomes_the_gap() -> None:
    gap = BookGap(follow_s=10.0)
    gap.update(0.0, 0.0, 0.0)
    gap.update(0.1, 0.3, 0.0)
    assert gap.update(10.1, 0.3, 0.0) == pytest.approx(0.3 * (1.0 - math.exp(-1.0)))
    assert gap.update(40.1, 0.3, 0.0) == pytest.approx(0.3, abs=0.01)


def test_after_a_silence_only_the_present_is_known() -> None:
    gap = BookGap(follow_s=10.0)
    gap.update(0.0, 2.0, 0.0)
    assert gap.update(60.0, 0.1, 0.0) == pytest.approx(0.1)


def test_a_time_that_goes_back_averages_nothing() -> None:
    gap = BookGap(follow_s=10.0)
    gap.update(5.0, 0.4, 0.0)
    assert gap.update(4.0, 3.0, 0.0) == pytest.approx(0.4)


@given(seen=st.lists(st.tuples(STEPS, QUANTILES, QUANTILES), min_size=1, max_size=30))
def test_the_gap_stays_among_those_seen_and_the_mirror_image_is_the_mirrored(
    seen: list[tuple[float, float, float]],
) -> None:
    gap, mirrored, t = BookGap(follow_s=10.0), BookGap(follow_s=10.0), 0.0
    for passed, book, model in seen:
        t += passed
        z = gap.update(t, book, model)
        assert mirrored.update(t, -book, -model) == pytest.approx(-z)
    gaps = [book - model for _, book, model in seen]
    assert min(gaps) - 1e-9 <= z - seen[-1][2] <= max(gaps) + 1e-9


@given(t=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=20))
def test_looking_more_often_changes_nothing(t: list[float]) -> None:
    often, seldom = BookGap(follow_s=10.0), BookGap(follow_s=10.0)
    for gap in (often, seldom):
        gap.update(0.0, 0.0, 0.0)
        gap.update(1e-6, 0.5, 0.0)
    for at in sorted(t):
        often.update(1.0 + at, 0.5, 0.0)
    assert often.update(25.0, 0.5, 0.0) == pytest.approx(seldom.update(25.0, 0.5, 0.0))
