"""P&L decomposition: the vector and plain cash accounting."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.pnl import OwnFill, OwnSide, decompose

PROPERTY = settings.get_profile("pricing")
SIDES = {"buy": OwnSide.BUY, "sell": OwnSide.SELL}


@pytest.mark.quant("mm_stats", "pnl_decomp")
def test_decompose(case, check):
    given_ = case.given
    fills = [OwnFill(item["t"], SIDES[item["side"]], item["px"], item["qty"], item["fee"]) for item in given_["fills"]]
    made = decompose(fills, given_["mid_t"], given_["mid"], given_["end_mid"])
    check({name: getattr(made, name) for name in ("spread_capture", "inventory_pnl", "fees", "total", "final_q")})


FILLS = st.lists(
    st.tuples(
        st.floats(0.0, 30.0), st.sampled_from(OwnSide), st.floats(0.0, 1.0), st.floats(0.0, 100.0), st.floats(-1.0, 1.0)
    ),
    max_size=20,
)


@PROPERTY
@given(FILLS, st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.floats(0.0, 1.0))
def test_the_parts_add_up_to_the_change_in_cash_and_inventory(raw, mids, end_mid):
    fills = [OwnFill(*item) for item in sorted(raw, key=lambda item: item[0])]
    made = decompose(fills, [float(i) for i in range(len(mids))], mids, end_mid)
    cash = sum(-fill.side * fill.px * fill.qty - fill.fee for fill in fills)
    q = sum(fill.side * fill.qty for fill in fills)
    assert made.total == pytest.approx(cash + q * end_mid, abs=1e-9)
    assert made.final_q == pytest.approx(q, abs=1e-9)


def test_at_one_timestamp_the_fill_precedes_the_mid():
    made = decompose([OwnFill(1.0, OwnSide.BUY, 0.48, 10.0, 0.0)], [0.0, 1.0], [0.5, 0.4], 0.4)
    assert made.spread_capture == pytest.approx(0.2)
    assert made.inventory_pnl == pytest.approx(-1.0)
