"""Toxicity average: the vector and its bounds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.toxicity import Toxicity

PROPERTY = settings.get_profile("pricing")


@pytest.mark.quant("mm_stats", "tox_ema")
def test_toxicity(case, check):
    measure = Toxicity(alpha=case.given["alpha"], ref=case.given["ref"])
    values, multipliers = [], []
    for markout in case.given["markouts"]:
        values.append(measure.update(markout))
        multipliers.append(measure.spread_multiplier)
    check({"tox": values, "mult": multipliers})


@PROPERTY
@given(st.lists(st.floats(-0.5, 0.5), max_size=50), st.floats(0.01, 1.0))
def test_the_multiplier_only_widens_and_is_bounded(markouts, alpha):
    measure = Toxicity(alpha=alpha, ref=0.01)
    for markout in markouts:
        measure.update(markout)
        assert measure.value >= 0.0
        assert 1.0 <= measure.spread_multiplier <= 3.0


def test_good_fills_heal_it():
    measure = Toxicity(alpha=0.5, ref=0.01)
    measure.update(-0.1)
    assert measure.spread_multiplier == 3.0
    for _ in range(20):
        measure.update(0.02)
    assert measure.spread_multiplier == 1.0


@pytest.mark.parametrize("bad", [{"alpha": 0.0}, {"alpha": 1.5}, {"ref": 0.0}])
def test_a_nonsensical_configuration_is_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        Toxicity(**({"alpha": 0.2, "ref": 0.01} | bad))
