"""The hedge laid over a run: by hand, and against a diffusion where hedging must help."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.pricing import terminal
from hlomm.research.hedge_overlay import STOP_S, TAKER_FEE, Moment, overlay


def moment(at_s, *, net=0.0, mid=80_000.0, delta=1e-4, gamma=0.0, pnl=0.0, tau_s=None, spread=2.0):
    return Moment(
        at_s=at_s, tau_s=7_200.0 - at_s if tau_s is None else tau_s, net=net, delta=delta, gamma=gamma,
        bid=mid - 0.5 * spread, ask=mid + 0.5 * spread, pnl=pnl,
    )  # fmt: skip


def run(moments, final=0.0, aversion=4e-4):
    return overlay(moments, final_pnl=final, risk_aversion=aversion)


def test_nothing_held_is_nothing_hedged():
    made = run([moment(0.0), moment(5.0)], final=1.5)
    assert (made.trades, made.hedge, made.hedged) == (0, 0.0, 1.5)
    assert run([], final=2.0).hedged == 2.0


def test_a_long_is_hedged_short_up_to_the_band_and_closed_at_the_end():
    made = run([moment(0.0, net=200.0), moment(5.0, net=200.0, mid=79_000.0)])
    sold = 0.02 - 10.0 / 80_000.0  # without gamma the band is the least order
    assert made.trades >= 2
    assert made.max_notional == pytest.approx(sold * 80_001.0, rel=0.02)
    gross = made.hedge + made.fees + made.spread
    assert gross == pytest.approx(sold * 1_000.0, rel=0.01)
    assert made.fees == pytest.approx(made.turnover * TAKER_FEE)


def test_a_short_is_hedged_long():
    made = run([moment(0.0, net=-200.0), moment(5.0, net=-200.0, mid=81_000.0)])
    assert made.hedge > 0.0


def test_inside_the_band_nothing_is_traded():
    moments = [moment(5.0 * i, net=200.0, delta=1e-4 * (1.0 + 0.001 * (-1) ** i)) for i in range(100)]
    assert run(moments).trades == 2, "in, and out at the end"


def test_curvature_widens_the_band_but_never_beyond_half_the_hedge():
    moments = [moment(0.0, net=200.0, gamma=1e-3)]
    made = run(moments)
    assert made.max_notional == pytest.approx(0.5 * 0.02 * 80_001.0, rel=0.01)


def test_near_expiry_the_hedge_goes_home_and_stays_there():
    made = run([moment(0.0, net=200.0), moment(5.0, net=200.0, tau_s=STOP_S), moment(10.0, net=200.0, tau_s=1.0)])
    assert made.trades == 2


def test_without_a_delta_the_hedge_stays_as_it_is():
    assert run([moment(0.0, net=200.0), moment(5.0, net=200.0, delta=None, mid=79_000.0)]).trades == 2


@given(st.lists(st.tuples(st.floats(-500.0, 500.0), st.floats(79_000.0, 81_000.0), st.floats(0.0, 1e-3)), max_size=30))
def test_cash_is_accounted_for_to_the_last_fee(rows):
    """Whatever the path: result = gains of the positions held over mid moves - spread - fees."""
    moments = [moment(5.0 * i, net=net, mid=mid, delta=delta) for i, (net, mid, delta) in enumerate(rows)]
    made = run(moments, final=3.0)
    assert made.hedged == pytest.approx(3.0 + made.hedge)
    assert made.fees == pytest.approx(made.turnover * TAKER_FEE)
    assert made.spread >= 0.0
    assert math.isfinite(made.hedge)
    assert made.hedged_drawdown >= 0.0


def test_on_a_diffusion_the_hedge_takes_most_of_the_risk():
    rng, strike, sigma = np.random.default_rng(4), 80_000.0, 0.4
    bare, hedged = [], []
    for _ in range(60):
        spot, moments, start = 80_100.0, [], None
        for i in range(240):
            tau = 7_200.0 - 20.0 * i
            seen = terminal.odds(spot, strike, sigma * math.sqrt(tau / 31_536_000.0), kernel=terminal.NORMAL)
            start = seen.p_yes if start is None else start
            moments.append(
                moment(20.0 * i, net=300.0, mid=spot, delta=seen.delta, gamma=seen.gamma, tau_s=tau,
                       pnl=300.0 * (seen.p_yes - start), spread=1.0)
            )  # fmt: skip
            spot *= math.exp(sigma * math.sqrt(20.0 / 31_536_000.0) * rng.standard_normal())
        made = run(moments, final=moments[-1].pnl, aversion=4e-3)
        bare.append(made.unhedged)
        hedged.append(made.hedged + made.fees)
    assert np.std(hedged) < 0.35 * np.std(bare)
