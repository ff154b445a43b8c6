"""Collateral, drawdown, breaker and stop sizing: the vectors and quadratic brute force."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import risk
from hlomm.pricing.risk import LockedOrder, MoveBreaker, Token

PROPERTY = settings.get_profile("pricing")
TOKENS = {"yes": Token.YES, "no": Token.NO}


@pytest.mark.quant("risk", "gross_notional")
def test_gross_collateral(case, check):
    orders = [LockedOrder(TOKENS[item["side"]], item["price"], item["qty"]) for item in case.given["orders"]]
    made = risk.gross_collateral(orders)
    check({"locked": list(made.locked), "total": made.total})


@pytest.mark.quant("risk", "drawdown")
def test_drawdown(case, check):
    made = risk.drawdown(case.given["equity"])
    check(
        {
            "max_dd_abs": made.max_abs,
            "max_dd_pct": made.max_pct,
            "peak_index": made.peak_index,
            "trough_index": made.trough_index,
            "current_dd_abs": made.current_abs,
            "current_dd_pct": made.current_pct,
            "longest_underwater_steps": made.longest_underwater,
        }
    )


@pytest.mark.quant("risk", "breaker")
def test_breaker(case, check):
    given_ = case.given
    breaker = MoveBreaker(window_s=given_["window"], threshold=given_["threshold"], cooldown_s=given_["cooldown"])
    rows = [breaker.update(at, price) for at, price in zip(given_["t"], given_["p"], strict=True)]
    check({"rows": [{"move": row.move, "trigger": row.trigger, "active": row.active} for row in rows]})


@pytest.mark.quant("risk", "r_size")
def test_r_size(case, check):
    given_ = case.given
    made = risk.r_size(
        given_["equity"],
        given_["risk_fraction"],
        given_["entry"],
        given_["stop"],
        fee_bps=given_["fee_bps"],
        slip_bps=given_["slip_bps"],
        lot=given_["lot"],
        max_notional=given_["max_notional"],
    )
    check({name: getattr(made, name) for name in case.want})


@PROPERTY
@given(st.lists(st.floats(1.0, 1e4), min_size=1, max_size=40))
def test_drawdown_is_the_worst_fall_between_any_two_points(equity):
    made = risk.drawdown(equity)
    pairs = [(i, j) for j in range(len(equity)) for i in range(j + 1)]
    assert made.max_abs == max(equity[i] - equity[j] for i, j in pairs)
    assert made.max_pct == pytest.approx(max(1 - equity[j] / equity[i] for i, j in pairs), abs=1e-12)
    assert made.current_abs == max(equity) - equity[-1]
    assert equity[made.peak_index] - equity[made.trough_index] == made.max_abs
    assert made.longest_underwater <= len(equity) - 1


def test_equity_that_was_never_positive_has_no_percentage():
    made = risk.drawdown([-10.0, -20.0])
    assert (made.max_abs, made.max_pct) == (10.0, 0.0)


@PROPERTY
@given(
    st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(50.0, 150.0)), min_size=1, max_size=40),
    st.floats(0.0, 60.0),
    st.floats(0.001, 0.3),
    st.floats(0.0, 100.0),
)
def test_breaker_sees_every_pair_in_the_window(steps, window, threshold, cooldown):
    breaker = MoveBreaker(window_s=window, threshold=threshold, cooldown_s=cooldown)
    at, seen, tripped = 0.0, [], None
    for gap, price in steps:
        at += gap
        seen.append((at, price))
        row = breaker.update(at, price)
        expected = max(abs(price / earlier - 1) for t, earlier in seen if t >= at - window)
        assert row.move == pytest.approx(expected, abs=1e-12)
        if row.trigger:
            tripped = at
        assert row.active == (tripped is not None and at < tripped + cooldown)


def test_a_move_of_exactly_the_threshold_does_not_trip_and_a_new_one_extends():
    breaker = MoveBreaker(window_s=60.0, threshold=0.5, cooldown_s=10.0)
    breaker.update(0.0, 100.0)
    assert not breaker.update(1.0, 150.0).trigger
    assert breaker.update(2.0, 151.0).active
    assert breaker.update(11.0, 152.0).trigger
    assert breaker.active(20.9)
    assert not breaker.active(21.0)


@PROPERTY
@given(
    st.floats(100.0, 1e6), st.floats(0.001, 0.05), st.floats(100.0, 1e5), st.floats(-0.1, 0.1),
    st.sampled_from([1e-5, 1e-3, 0.1, 1.0]), st.none() | st.floats(10.0, 1e6),
)  # fmt: skip
def test_a_stopped_trade_loses_no_more_than_its_budget(equity, fraction, entry, away, lot, cap):
    made = risk.r_size(
        equity, fraction, entry, entry * (1 + away), fee_bps=4.5, slip_bps=5.0, lot=lot, max_notional=cap
    )
    assert made.risk_if_stopped <= equity * fraction * (1 + 1e-9) + 1e-6 * lot * entry
    assert cap is None or made.notional <= cap + 1e-6 * lot * entry
    assert made.qty / lot == pytest.approx(round(made.qty / lot), rel=1e-12, abs=1e-6)
