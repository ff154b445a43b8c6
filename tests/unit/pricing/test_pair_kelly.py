"""Size of a pair that may settle apart, against a general solver and the limits it must have."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from hlomm.pricing.joint import Instrument, simultaneous
from hlomm.pricing.kelly import arbitrage_fraction
from hlomm.pricing.pair_kelly import pair_contracts

PROPERTY = settings.get_profile("pricing")


def growth(x: float, cost: float, p10: float, p01: float) -> float:
    states = ((p10, 2 - cost), (1 - p10 - p01, 1 - cost), (p01, -cost))
    return sum(p * math.log1p(x * gain) for p, gain in states if p > 0)


@PROPERTY
@given(st.floats(0.5, 1.1), st.floats(0.0, 0.2), st.floats(0.001, 0.2))
def test_it_is_the_best_size_there_is(cost, p10, p01):
    found = pair_contracts(cost, p10, p01)
    best = minimize_scalar(
        lambda x: -growth(x, cost, p10, p01), bounds=(0.0, (1 - 1e-9) / cost), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    assert 0.0 <= found < 1.0 / cost
    assert growth(found, cost, p10, p01) >= -best.fun - 1e-10


def test_the_general_solver_agrees():
    cost, p10, p01 = 0.97, 0.01, 0.012
    portfolio = simultaneous([p10, 1 - p10 - p01, p01], [Instrument(cost, (2.0, 1.0, 0.0))])
    assert pair_contracts(cost, p10, p01) == pytest.approx(portfolio.contracts[0], rel=1e-4)


def test_a_mismatch_bounds_what_the_small_variance_does_not():
    cost, p01 = 0.99, 0.004
    assert arbitrage_fraction(100.0, 0.0, 50.0) > 100.0
    assert pair_contracts(cost, p01, p01) < 1.0 / cost
    assert pair_contracts(0.999, p01, p01 * 2) == 0.0  # the edge is less than what is lost to mismatch


@pytest.mark.parametrize("bad", [(0.0, 0, 0), (2.0, 0, 0), (0.9, -0.1, 0), (0.9, 0.7, 0.7), (math.nan, 0, 0)])
def test_nothing_is_bought_on_nonsense(bad):
    assert pair_contracts(*bad) == 0.0


def test_a_sure_thing_takes_everything():
    assert pair_contracts(0.98, 0.0, 0.0) == 1.0 / 0.98
    assert pair_contracts(1.0, 0.0, 0.0) == 0.0
