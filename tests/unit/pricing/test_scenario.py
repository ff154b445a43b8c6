"""Extremes over settlement prices in integers, against a search of every price there is."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.units import SCALE
from hlomm.pricing.scenario import Claim, PerpClaim, Scenario, scenario

PROPERTY = settings.get_profile("pricing")
LOW, HIGH = 40, 160
"""A range of units small enough to visit every price in it."""
BOUNDS = st.none() | st.integers(30, 170)
TOKENS = st.integers(-50, 50).map(lambda n: n * SCALE // 7)


@st.composite
def claims(draw):
    floor, ceiling = draw(BOUNDS), draw(BOUNDS)
    if floor is not None and ceiling is not None:
        floor, ceiling = sorted((floor, ceiling))
    return Claim(
        yes=draw(TOKENS), no=draw(TOKENS), floor=floor, ceiling=ceiling, above=draw(st.booleans()),
        inside=draw(st.sampled_from([SCALE, SCALE // 2, SCALE // 3])), outside=draw(st.sampled_from([0, SCALE // 10])),
        cost=draw(st.integers(-30 * SCALE, 30 * SCALE)),
    )  # fmt: skip


PERPS = st.builds(PerpClaim, qty=st.integers(-3, 3).map(lambda n: n * SCALE), entry=st.integers(50, 150))
MARGINS = st.sampled_from([0, SCALE // 100, SCALE // 20, SCALE])


def worth(claim, price):
    """YES and NO at one price, from the contract; in cash times SCALE."""
    low = claim.floor is None or (price > claim.floor if claim.above else price >= claim.floor)
    high = claim.ceiling is None or price < claim.ceiling
    yes = claim.inside if low and high else claim.outside
    return claim.yes * yes + claim.no * (SCALE - yes) - claim.cost * SCALE


@PROPERTY
@given(st.lists(claims(), max_size=5), st.lists(PERPS, max_size=2), MARGINS)
def test_no_price_of_the_range_is_worse_or_better(held, perps, margin):
    made = scenario(held, perps, low=LOW, high=HIGH, margin=margin)
    free = [c for c in held if c.floor is None and c.ceiling is None]
    apart = [[c.yes * f + c.no * (SCALE - f) - c.cost * SCALE for f in (c.inside, c.outside)] for c in free]
    totals = []
    for price in range(LOW, HIGH + 1):
        total = Fraction(sum(worth(c, price) for c in held if c not in free), SCALE)
        for perp in perps:
            total += Fraction(perp.qty * (price - perp.entry), SCALE)
            total -= Fraction(abs(perp.qty) * price * margin, SCALE**2)
        totals.append(total)
    assert made.worst == math.floor(min(totals) + Fraction(sum(map(min, apart)), SCALE))
    assert made.best == math.ceil(max(totals) + Fraction(sum(map(max, apart)), SCALE))
    assert LOW <= made.worst_at <= HIGH
    assert LOW <= made.best_at <= HIGH


def test_nothing_held_loses_nothing():
    assert scenario([], low=LOW, high=HIGH) == Scenario(worst=0, worst_at=LOW, best=0, best_at=HIGH)


def test_buckets_that_cover_everything_pay_one_wherever_it_settles():
    ladder = [Claim(yes=SCALE, ceiling=80), Claim(yes=SCALE, floor=80, ceiling=120), Claim(yes=SCALE, floor=120)]
    made = scenario(ladder, low=LOW, high=HIGH)
    assert (made.worst, made.best) == (SCALE, SCALE)


def test_comparators_that_differ_open_a_gap_exactly_at_the_strike():
    gap = [Claim(yes=SCALE, floor=100, above=True), Claim(no=SCALE, floor=100)]
    made = scenario(gap, low=LOW, high=HIGH)
    assert (made.worst, made.worst_at, made.best) == (0, 100, SCALE)


def test_a_hedge_bounds_a_favourite_and_its_jump_margin_takes_some_of_it_back():
    favourite = Claim(yes=30 * SCALE, floor=100, cost=25 * SCALE)
    short = PerpClaim(qty=-SCALE, entry=100)
    bare = scenario([favourite], low=90, high=110).worst
    hedged = scenario([favourite], [short], low=90, high=110).worst
    gapped = scenario([favourite], [short], low=90, high=110, margin=SCALE // 10).worst
    assert bare == -25 * SCALE
    assert hedged == -25 * SCALE + 1, "just below the strike the hedge has earned one unit"
    assert bare > gapped


def test_a_settled_fraction_is_shared_by_both_tokens():
    tie = Claim(yes=3, no=3, floor=100, inside=SCALE // 2, outside=SCALE // 2)
    made = scenario([tie], low=LOW, high=HIGH)
    assert (made.worst, made.best) == (3, 3)


@pytest.mark.parametrize(("low", "high", "margin"), [(-1, 5, 0), (5, 4, 0), (0, 5, -1), (0, 5, SCALE + 1)])
def test_a_range_or_margin_that_is_none_is_refused(low, high, margin):
    with pytest.raises(ValueError, match=r"range|margin"):
        scenario([], low=low, high=high, margin=margin)
