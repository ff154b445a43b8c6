"""0/1 arithmetic: the vectors, exact rounding, inventory, and the pull rule."""

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain import units
from hlomm.pricing import binary
from hlomm.pricing.binary import VolSpace
from hlomm.pricing.horizon import p_vol

PROPERTY = settings.get_profile("pricing")
SPACES = {"log": VolSpace.LOG, "logit": VolSpace.LOGIT, "probit": VolSpace.PROBIT}
SCALE = units.SCALE


def decimal(px):
    return None if px is None else Decimal(px) / SCALE


@pytest.mark.quant("binary_space", "vol_convert")
def test_vol_conversion(case, check):
    check({"sigma_p": binary.sigma_p(case.given["p"], case.given["sigma"], SPACES[case.given["from"]])})


@pytest.mark.quant("binary_space", "quote_round")
def test_round_quote(case, check):
    given_ = {name: units.parse(text) for name, text in case.given.items()}
    made = binary.round_quote(
        given_["raw_bid"],
        given_["raw_ask"],
        tick=given_["tick"],
        best_bid=given_["best_bid"],
        best_ask=given_["best_ask"],
    )
    check({name: decimal(getattr(made, name)) for name in ("bid", "ask", "no_bid", "no_ask")})


@pytest.mark.quant("binary_space", "inventory")
def test_inventory(case, check):
    made = binary.inventory(case.given["yes"], case.given["no"], case.given["avg_yes"], case.given["avg_no"])
    check({name: getattr(made, name) for name in case.want})


RAW = st.integers(-SCALE // 2, SCALE * 3 // 2)
TICKS = st.sampled_from([1_000, 10_000, 100_000, 1_000_000])


@PROPERTY
@given(st.none() | RAW, st.none() | RAW, TICKS, st.none() | RAW, st.none() | RAW)
def test_rounded_sides_are_on_the_tick_inside_the_range_passive_and_never_better_than_asked(
    raw_bid, raw_ask, tick, best_bid, best_ask
):
    made = binary.round_quote(raw_bid, raw_ask, tick=tick, best_bid=best_bid, best_ask=best_ask)
    for side in (made.bid, made.ask):
        if side is not None:
            assert side % tick == 0
            assert tick <= side <= SCALE - tick
    if made.bid is not None:
        assert made.bid <= raw_bid
        assert best_ask is None or made.bid < best_ask
    if made.ask is not None:
        assert made.ask >= raw_ask
        assert best_bid is None or made.ask > best_bid
    if raw_bid is None:
        assert made.bid is None


@PROPERTY
@given(RAW, RAW, TICKS, RAW, RAW)
def test_rounding_the_mirrored_quote_gives_the_mirrored_prices(raw_bid, raw_ask, tick, best_bid, best_ask):
    yes = binary.round_quote(raw_bid, raw_ask, tick=tick, best_bid=best_bid, best_ask=best_ask)
    no = binary.round_quote(
        SCALE - raw_ask, SCALE - raw_bid, tick=tick, best_bid=SCALE - best_ask, best_ask=SCALE - best_bid
    )
    assert (no.bid, no.ask) == (yes.no_bid, yes.no_ask)
    assert (no.no_bid, no.no_ask) == (yes.bid, yes.ask)


def test_without_a_book_rounding_is_all_there_is():
    made = binary.round_quote(units.parse("0.57125"), units.parse("0.57131"), tick=1000)
    assert (made.bid, made.ask) == (units.parse("0.57125"), units.parse("0.57131"))


@PROPERTY
@given(st.floats(0.0, 500.0), st.floats(0.0, 500.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_position_is_its_pairs_and_its_net(yes, no, avg_yes, avg_no):
    made = binary.inventory(yes, no, avg_yes, avg_no)
    assert made.payoff_if_yes - made.payoff_if_no == pytest.approx(made.net, abs=1e-9)
    assert min(made.payoff_if_yes, made.payoff_if_no) == pytest.approx(made.pairs)
    assert made.pnl_if_yes == pytest.approx(made.payoff_if_yes - made.collateral_cost)
    assert made.pairs >= 0.0


@PROPERTY
@given(st.floats(0.001, 0.999), st.floats(1.0, 1e5), st.floats(0.1, 3.0), st.floats(0.01, 10.0))
def test_latency_risk_is_one_move_of_the_reaction_time(p, tau, nu, reaction):
    risk = binary.latency_risk(p, tau, nu, reaction)
    assert risk == pytest.approx(binary.latency_risk(1 - p, tau, nu, reaction), rel=1e-9)
    assert binary.latency_floor(nu * p_vol(p, tau), reaction, 0.5) == pytest.approx(2 * risk, rel=1e-12)


def test_latency_risk_at_the_money_is_what_the_reference_says():
    assert binary.latency_risk(0.5, 60.0, 1.0, 1.0) == pytest.approx(0.0515, abs=5e-5)
    assert binary.latency_risk(0.5, 10.0, 1.0, 1.0) == pytest.approx(0.126, abs=5e-4)
    assert binary.latency_risk(0.5, 0.0, 1.0, 1.0) == math.inf


def test_the_pull_rule_keeps_then_widens_then_pulls():
    keep = binary.widen_or_pull(0.02, 0.008, 0.5, 0.05)
    widen = binary.widen_or_pull(0.02, 0.02, 0.5, 0.05)
    pull = binary.widen_or_pull(0.02, 0.03, 0.5, 0.05)
    assert (keep.half, widen.half, pull.half) == (0.02, 0.04, None)
    assert (keep.reason, pull.reason) == ("", binary.PULLED)
    assert pull.floor_half == pytest.approx(0.06)


@pytest.mark.parametrize(("half", "risk"), [(math.nan, 0.01), (0.02, math.inf), (0.02, math.nan)])
def test_a_width_that_is_no_number_pulls(half, risk):
    assert binary.widen_or_pull(half, risk, 0.5, 0.05).half is None
