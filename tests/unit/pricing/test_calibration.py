"""The Brier score and its parts: shared vectors, and the identity for forecasts and outcomes of any kind."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.pricing.calibration import calibration


@pytest.mark.quant("stats", "calibration")
def test_vectors(case, check):
    check(attrs.asdict(calibration(case.given["p"], case.given["o"], case.given["bins"])))


_PAIRS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1) | st.sampled_from((0.0, 1.0))), min_size=1, max_size=40)


@given(_PAIRS, st.integers(1, 20))
def test_the_parts_are_the_score(pairs, bins):
    made = calibration([p for p, _ in pairs], [o for _, o in pairs], bins)
    parts = made.reliability - made.resolution + made.uncertainty + made.within_bin_var - made.within_bin_cov
    assert parts == pytest.approx(made.brier, abs=1e-12)
    assert sum(row.count for row in made.bins if row is not None) == made.n == len(pairs)


def test_certainty_and_nothing_at_all():
    perfect = calibration([1.0, 0.0], [1.0, 0.0], 10)
    assert (perfect.brier, perfect.reliability, perfect.skill) == (0.0, 0.0, 1.0)
    assert calibration([1.0], [1.0], 10).skill is None
    assert calibration([], [], 10) is None
