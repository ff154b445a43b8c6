"""Friction: the vectors and the sign of every cost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.friction import Direction, trade_result

PROPERTY = settings.get_profile("pricing")
SIDES = {"long": Direction.LONG, "short": Direction.SHORT}


@pytest.mark.quant("fill_models", "friction")
def test_friction(case, check):
    given_ = case.given
    made = trade_result(
        SIDES[given_["side"]],
        given_["entry"],
        given_["exit"],
        given_["qty"],
        fee_bps_in=given_["fee_bps_in"],
        fee_bps_out=given_["fee_bps_out"],
        slip_bps=given_["slip_bps"],
        funding_hourly=given_["funding_hourly"],
        marks=given_["marks"],
    )
    check({name: getattr(made, name) for name in case.want})


@PROPERTY
@given(
    st.sampled_from(Direction), st.floats(1.0, 1e5), st.floats(1.0, 1e5), st.floats(0.001, 10.0), st.floats(0.0, 20.0)
)
def test_net_is_the_cash_of_the_slipped_fills(direction, entry, exit_px, qty, slip):
    made = trade_result(direction, entry, exit_px, qty, fee_bps_in=4.5, fee_bps_out=1.5, slip_bps=slip)
    cash = direction * (made.exit_fill - made.entry_fill) * qty - made.fees
    assert made.net_pnl == pytest.approx(cash, abs=1e-6)
    assert made.slippage >= 0.0
    assert made.fees >= 0.0
    assert (made.entry_fill - entry) * direction >= 0.0


def test_a_short_receives_the_funding_a_long_pays():
    long, short = (
        trade_result(
            side, 100.0, 100.0, 2.0, fee_bps_in=0.0, fee_bps_out=0.0, slip_bps=0.0,
            funding_hourly=[1e-4, -3e-5], marks=[100.0, 101.0],
        )
        for side in Direction
    )  # fmt: skip
    assert long.funding_paid == -short.funding_paid > 0.0
    assert long.net_pnl == -short.net_pnl


def test_funding_without_its_mark_is_refused():
    with pytest.raises(ValueError, match="zip"):
        trade_result(Direction.LONG, 1.0, 1.0, 1.0, fee_bps_in=0.0, fee_bps_out=0.0, slip_bps=0.0,
                     funding_hourly=[1e-4], marks=[])  # fmt: skip
