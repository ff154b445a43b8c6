"""VPIN: the vectors, conservation of volume, and the range of the measure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import vpin
from hlomm.pricing.markout import Aggressor

PROPERTY = settings.get_profile("pricing")
SIDES = {"buy": Aggressor.BUY, "sell": Aggressor.SELL}
TRADES = st.lists(st.tuples(st.sampled_from(Aggressor), st.floats(0.01, 500.0)), max_size=60)


def outputs(made):
    return {"buckets": [{"buy": item.buy, "sell": item.sell} for item in made.buckets], "vpin": list(made.vpin)}


@pytest.mark.quant("mm_stats", "vpin_bvc")
def test_bulk_classified(case, check):
    made = vpin.bulk_classified(case.given["dP"], case.given["volume"], case.given["bucket"], case.given["n"])
    check({**outputs(made), "sigma": made.sigma})


@pytest.mark.quant("mm_stats", "vpin_signed")
def test_signed(case, check):
    trades = [(SIDES[side], qty) for side, qty in case.given["trades"]]
    check(outputs(vpin.signed(trades, case.given["bucket"], case.given["n"])))


@PROPERTY
@given(TRADES, st.floats(1.0, 300.0), st.integers(1, 6))
def test_full_buckets_hold_all_volume_but_less_than_one_more(trades, bucket, n):
    made = vpin.signed(trades, bucket, n)
    total = sum(qty for _, qty in trades)
    filled = sum(item.buy + item.sell for item in made.buckets)
    assert filled == pytest.approx(len(made.buckets) * bucket, rel=1e-6)
    assert -1e-6 * bucket <= total - filled <= bucket * (1 + 1e-6)
    for value in made.vpin:
        assert value is None or -1e-9 <= value <= 1 + 1e-9
    assert sum(value is None for value in made.vpin) == min(n - 1, len(made.buckets))


def test_one_sided_flow_is_fully_informed_and_alternating_flow_is_not():
    bought = vpin.signed([(Aggressor.BUY, 10.0)] * 40, 100.0, 2)
    balanced = vpin.signed([(Aggressor.BUY, 10.0), (Aggressor.SELL, 10.0)] * 20, 100.0, 2)
    assert bought.vpin[-1] == pytest.approx(1.0)
    assert balanced.vpin[-1] == pytest.approx(0.0)


def test_prices_that_do_not_move_classify_as_balanced():
    made = vpin.bulk_classified([0.0] * 10, [30.0] * 10, 100.0, 1)
    assert made.vpin == (0.0,) * 3
