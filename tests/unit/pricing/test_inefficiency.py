"""Deviation of each venue from the others over a lookback: against a hand-made grid, and at the edges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.inefficiency import LEAST_HALF_SPREAD, SIGNALS_KEPT, Inefficiency

PROPERTY = settings.get_profile("pricing")


def view(**changes: float) -> Inefficiency:
    return Inefficiency(**({"lookback_s": 60.0, "max_age_s": 10.0, "min_edge": 0.005} | changes))  # type: ignore[arg-type]


def row(seen: Inefficiency, t_s: float, venue: str):
    return next(one for one in seen.standings(t_s) if one.venue == venue)


def test_two_venues_mirror_each_other():
    seen = view()
    seen.update(0.0, "a", 0.49, 0.51, 0.0)
    assert row(seen, 0.0, "a").deviation is None
    seen.update(1.0, "b", 0.54, 0.56, 0.01)
    a, b = row(seen, 5.0, "a"), row(seen, 5.0, "b")
    assert (a.deviation, b.deviation) == pytest.approx((-0.05, 0.05))
    assert a.threshold == b.threshold == pytest.approx(0.01 + 0.01 + 0.01 + 0.005)
    assert (a.mean, a.peak, a.beyond, a.known_s) == pytest.approx((0.05, 0.05, 1.0, 4.0))
    assert [(s.t_s, s.venue, s.deviation) for s in seen.signals] == [
        (1.0, "a", pytest.approx(-0.05)), (1.0, "b", pytest.approx(0.05)),
    ]  # fmt: skip


def test_costs_make_a_deviation_no_signal():
    seen = view()
    seen.update(0.0, "a", 0.49, 0.51, 0.02)
    seen.update(0.0, "b", 0.52, 0.54, 0.02)
    assert not seen.signals
    assert row(seen, 5.0, "a").beyond == 0.0
    assert row(seen, 5.0, "a").mean == pytest.approx(0.03)


def test_the_odd_one_of_three_stands_out_and_tight_books_weigh_more():
    seen = view()
    seen.update(0.0, "tight", 0.499, 0.501, 0.0)
    seen.update(0.0, "wide", 0.45, 0.53, 0.0)
    seen.update(0.0, "odd", 0.559, 0.561, 0.0)
    consensus = (0.5 / 0.001**2 + 0.49 / 0.04**2) / (1 / 0.001**2 + 1 / 0.04**2)
    assert row(seen, 0.0, "odd").deviation == pytest.approx(0.56 - consensus)
    assert abs(consensus - 0.5) < 1e-4


def test_a_silent_venue_counts_until_it_is_too_old():
    seen = view()
    seen.update(0.0, "a", 0.49, 0.51, 0.0)
    seen.update(0.0, "b", 0.59, 0.61, 0.0)
    seen.update(8.0, "a", 0.49, 0.51, 0.0)
    late = row(seen, 30.0, "b")
    assert late.deviation is None
    assert late.known_s == pytest.approx(10.0)
    seen.update(31.0, "b", None, 0.61, 0.0)  # one-sided: says nothing
    seen.update(31.0, "a", 0.49, 0.51, 0.0)
    assert row(seen, 31.0, "a").deviation is None


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 0.5), (0.5, 1.0), (0.6, 0.5), (math.nan, 0.5), (0.5, math.nan)])
def test_prices_that_are_none_count_for_nothing(bid, ask):
    seen = view()
    seen.update(0.0, "a", 0.49, 0.51, 0.0)
    seen.update(0.0, "b", bid, ask, 0.0)
    assert row(seen, 1.0, "a").deviation is None


def test_time_never_goes_back():
    seen = view()
    seen.update(5.0, "a", 0.49, 0.51, 0.0)
    seen.update(4.0, "b", 0.49, 0.51, 0.0)
    seen.update(math.nan, "b", 0.49, 0.51, 0.0)
    seen.update(6.0, "b", 0.49, 0.51, -0.1)
    assert seen.ignored == 3
    assert [one.venue for one in seen.standings(3.0)] == ["a"]


def test_prices_of_one_instant_are_held_against_each_other():
    """One after the other they would be held against older ones: a move of all of them is no deviation."""
    seen = view()
    for second, mid in enumerate((0.30, 0.40, 0.50)):
        seen.sample(float(second), dict.fromkeys("abc", (mid - 0.01, mid + 0.01, 0.0)))
    assert [one.deviation for one in seen.standings(2.0)] == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    assert not seen.signals
    apart = view()
    for second, mid in enumerate((0.30, 0.40, 0.50)):
        for name in "ab":
            apart.update(float(second), name, mid - 0.01, mid + 0.01, 0.0)
    assert apart.signals, "what a sample is there to avoid"


def test_the_heat_of_a_cell_is_the_mean_over_the_time_that_was_known():
    seen = view()
    seen.sample(0.0, {"a": (0.49, 0.51, 0.0), "b": (0.51, 0.53, 0.0)})
    seen.sample(5.0, {"a": (0.49, 0.51, 0.0), "b": (0.54, 0.56, 0.0)})
    seen.sample(10.0, {"a": (None, None, 0.0), "b": (0.54, 0.56, 0.0)})
    threshold = 0.01 + 0.01 + 0.005
    heat = seen.heat(60.0, 6)
    assert heat["a"][0] == pytest.approx((0.02 + 0.05) / 2 / threshold)
    assert heat["a"] == pytest.approx(heat["b"])
    assert heat["a"][1:] == [None] * 5
    assert seen.heat(65.0, 6)["a"][0] == pytest.approx(0.05 / threshold), "the first five seconds are too long ago"


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(10, 90)), min_size=1, max_size=20), st.integers(1, 24))
def test_cells_add_up_to_the_mean(steps, cells):
    seen, now = view(), 0
    for gap, cents in steps:
        now += gap
        seen.sample(float(now), {"a": (0.49, 0.51, 0.0), "b": ((cents - 1) / 100, (cents + 1) / 100, 0.0)})
    standing = row(seen, float(now), "a")
    parts = [cell for cell in seen.heat(float(now), cells)["a"] if cell is not None]
    if parts:
        assert min(parts) * 0.025 <= standing.mean + 1e-9
        assert standing.mean <= max(parts) * 0.025 + 1e-9


def test_what_is_kept_has_a_bound():
    seen = view(max_spans=10)
    for second in range(2_000):
        seen.update(float(second), "a", 0.49, 0.51, 0.0)
        seen.update(float(second), "b", 0.49 if second % 2 else 0.59, 0.51 if second % 2 else 0.61, 0.0)
    assert len(seen.signals) == SIGNALS_KEPT
    assert row(seen, 2_000.0, "a").known_s <= 12.0


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.integers(5, 95), st.integers(0, 4)), max_size=30),
    st.integers(0, 20),
)
def test_against_a_second_by_second_account(events, rest):
    lookback, max_age = 20, 6
    seen = view(lookback_s=float(lookback), max_age_s=float(max_age))
    quotes: dict[str, tuple[int, float, float]] = {}
    known: dict[str, list[tuple[int, float]]] = {}
    now = 0
    timeline = [(gap, (venue, cents, half)) for gap, venue, cents, half in events] + [(rest, None)]
    for gap, event in timeline:
        for second in range(now, now + gap):
            for name, (at, mid, _) in quotes.items():
                others = [q for other, q in quotes.items() if other != name and second < q[0] + max_age]
                if second < at + max_age and others:
                    weights = [1 / q[2] ** 2 for q in others]
                    consensus = sum(w * q[1] for w, q in zip(weights, others, strict=True)) / sum(weights)
                    known.setdefault(name, []).append((second, abs(mid - consensus)))
        now += gap
        if event is not None:
            venue, cents, half = event
            bid, ask = (cents - half) / 100, (cents + half) / 100
            fine = 0 < bid <= ask < 1
            seen.update(float(now), venue, bid, ask, 0.0)
            quotes.pop(venue, None)
            if fine:
                quotes[venue] = (now, cents / 100, max(half / 100, LEAST_HALF_SPREAD))
    for standing in seen.standings(float(now)):
        mine = [size for second, size in known.get(standing.venue, []) if second >= now - lookback]
        # Three venues: the consensus of the others changes when one of them grows stale between two events.
        if len(quotes) <= 2:
            assert standing.known_s == pytest.approx(len(mine), abs=1e-6)
            assert standing.mean == pytest.approx(sum(mine) / len(mine) if mine else 0.0, abs=1e-9)
