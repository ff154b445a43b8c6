"""Extremes over settlement values: the vectors and a dense search that may never beat them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.digital import Comparator
from hlomm.pricing.payoff import BucketLeg, DigitalLeg, LegKind, PerpLeg, extremes

PROPERTY = settings.get_profile("pricing")
KINDS = {"yes": LegKind.YES, "no": LegKind.NO}
COMPARATORS = {"ge": Comparator.AT_LEAST, "gt": Comparator.ABOVE}


def leg(item):
    source = item.get("source", "")
    if item["kind"] == "perp":
        return PerpLeg(qty=item["qty"], entry=item["entry"])
    if item["kind"] == "bucket":
        return BucketLeg(qty=item["qty"], lo=item["lo"], hi=item["hi"], cost=item["cost"], source=source)
    return DigitalLeg(
        kind=KINDS[item["kind"]],
        qty=item["qty"],
        strike=item["strike"],
        cost=item["cost"],
        comparator=COMPARATORS[item.get("cmp", "ge")],
        source=source,
    )


@pytest.mark.quant("risk", "worst_case")
def test_extremes(case, check):
    given_ = case.given
    made = extremes(map(leg, given_["positions"]), given_["s_lo"], given_["s_hi"], given_["basis_abs"])
    check({**case.want, "worst_pnl": made.worst_pnl, "best_pnl": made.best_pnl})  # the points are not unique


def pays(item, s):
    """P&L at one settlement value, written from the contract."""
    if isinstance(item, PerpLeg):
        return item.qty * (s - item.entry)
    if isinstance(item, BucketLeg):
        return item.qty * ((1.0 if (item.lo or 0.0) <= s < (item.hi or math.inf) else 0.0) - item.cost)
    yes = s >= item.strike if item.comparator is Comparator.AT_LEAST else s > item.strike
    return item.qty * ((1.0 if yes is (item.kind is LegKind.YES) else 0.0) - item.cost)


STRIKES = st.sampled_from([90.0, 95.0, 99.9, 100.0, 100.1, 105.0])
QTY = st.floats(-100.0, 100.0)
COST = st.floats(0.0, 1.0)
SOURCES = st.sampled_from(["", "a", "b"])
DIGITALS = st.builds(
    DigitalLeg, kind=st.sampled_from(LegKind), qty=QTY, strike=STRIKES, cost=COST,
    comparator=st.sampled_from(Comparator), source=SOURCES,
)  # fmt: skip
BUCKETS = st.builds(
    BucketLeg, qty=QTY, lo=st.just(95.0) | st.none(), hi=st.just(105.0) | st.none(), cost=COST, source=SOURCES
)
PERPS = st.builds(PerpLeg, qty=st.floats(-2.0, 2.0), entry=st.floats(90.0, 110.0))
LEGS = st.lists(DIGITALS | BUCKETS | PERPS, min_size=1, max_size=6)


@PROPERTY
@given(LEGS, st.sampled_from([0.0, 0.1, 1.0, 5.0]), st.integers(0, 2**32 - 1))
def test_no_settlement_lies_outside_the_extremes(legs, basis, seed):
    rng = np.random.default_rng(seed)
    made = extremes(legs, 85.0, 115.0, basis)
    at_strikes = [90.0, 95.0, 99.9, 100.0, 100.1, 105.0]
    for s in [85.0, 115.0, *at_strikes, *rng.uniform(85.0, 115.0, 40).tolist()]:
        settled = {name: s + float(rng.uniform(-basis, basis)) for name in ("", "a", "b")}
        total = sum(pays(item, s if isinstance(item, PerpLeg) else settled[item.source]) for item in legs)
        assert made.worst_pnl - 1e-9 <= total <= made.best_pnl + 1e-9


@PROPERTY
@given(LEGS)
def test_on_one_source_the_extremes_are_reached_or_approached(legs):
    made = extremes(legs, 85.0, 115.0)
    near = {s + e for s in (90.0, 95.0, 99.9, 100.0, 100.1, 105.0, 85.0, 115.0) for e in (-1e-9, 0.0, 1e-9)}
    totals = [sum(pays(item, s) for item in legs) for s in near if 85.0 <= s <= 115.0]
    assert made.worst_pnl == pytest.approx(min(totals), abs=1e-5)
    assert made.best_pnl == pytest.approx(max(totals), abs=1e-5)


@PROPERTY
@given(LEGS, st.floats(0.0, 3.0), st.floats(0.0, 3.0))
def test_a_wider_band_is_never_safer(legs, one, other):
    narrow, wide = sorted((one, other))
    inner, outer = extremes(legs, 85.0, 115.0, narrow), extremes(legs, 85.0, 115.0, wide)
    assert outer.worst_pnl <= inner.worst_pnl + 1e-9
    assert outer.best_pnl >= inner.best_pnl - 1e-9


def test_comparators_that_differ_open_a_gap_exactly_at_the_strike():
    legs = [
        DigitalLeg(kind=LegKind.YES, qty=10.0, strike=100.0, cost=0.5, comparator=Comparator.ABOVE),
        DigitalLeg(kind=LegKind.NO, qty=10.0, strike=100.0, cost=0.4, comparator=Comparator.AT_LEAST),
    ]
    made = extremes(legs, 90.0, 110.0)
    assert (made.worst_pnl, made.worst_at) == (pytest.approx(-9.0), 100.0)
    assert made.best_pnl == pytest.approx(1.0)


def test_a_decimal_band_loses_no_limit_to_rounding():
    legs = [
        DigitalLeg(kind=LegKind.YES, qty=1.0, strike=0.3, cost=0.0, source="a"),
        PerpLeg(qty=-1.0, entry=0.0),
    ]
    made = extremes(legs, 0.0, 1.0, 0.1)
    assert made.best_pnl == pytest.approx(1.0 - 0.2, abs=1e-12)


def test_perps_alone_are_worst_at_an_end():
    made = extremes([PerpLeg(qty=2.0, entry=100.0)], 80.0, 120.0)
    assert (made.worst_pnl, made.best_pnl) == (-40.0, 40.0)
