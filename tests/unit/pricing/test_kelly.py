"""Kelly sizing: the vectors, numeric maximisation of growth, optimality conditions, and the bounds of a size."""

import math

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from hlomm.pricing import joint, kelly
from hlomm.pricing.joint import Instrument
from hlomm.pricing.kelly import BetSide, SizeBound

PROPERTY = settings.get_profile("pricing")
P = st.floats(0.02, 0.98)
SIDES = {BetSide.NONE: "none", BetSide.YES: "yes", BetSide.NO: "no"}


@pytest.mark.quant("kelly", "kelly_binary")
def test_binary(case, check):
    given_ = case.given
    made = kelly.binary(
        given_["p"], given_["ask"], given_["bid"], fee_buy=given_["fee_buy"], fee_sell=given_["fee_sell"]
    )
    check(
        {
            "side": SIDES[made.side],
            "cost": made.cost,
            "contracts_per_equity": made.contracts,
            "stake_fraction": made.stake,
            "growth": made.growth,
        }
    )


@pytest.mark.quant("kelly", "kelly_two_point")
def test_two_point(case, check):
    made = kelly.two_point(case.given["p"], case.given["win"], case.given["loss"])
    check(
        {
            "contracts_per_equity": made.contracts,
            "raw": made.raw,
            "stake_fraction": made.stake,
            "growth": made.growth,
        }
    )


@pytest.mark.quant("kelly", "kelly_seed_form")
def test_per_contract(case, check):
    made = kelly.per_contract(case.given["p"], case.given["m"])
    check(
        {
            "contracts_per_equity": made.contracts,
            "stake_fraction_yes": made.stake_yes,
            "stake_fraction_no": made.stake_no,
        }
    )


@pytest.mark.quant("kelly", "kelly_fraction")
def test_fractional(case, check):
    made = kelly.fractional(case.given["p"], case.given["cost"], case.given["c"])
    check({name: getattr(made, name) for name in case.want})


@pytest.mark.quant("kelly", "kelly_drawdown")
def test_drawdown_probability(case, check):
    check({"prob": kelly.drawdown_probability(case.given["c"], case.given["x"])})


@pytest.mark.quant("kelly", "kelly_shrink")
def test_shrunk(case, check):
    made = kelly.shrunk(case.given["p"], case.given["m"], case.given["sigma_p"])
    check({"factor": made.factor, "contracts_per_equity": made.contracts})


@pytest.mark.quant("kelly", "kelly_posterior")
def test_posterior(case, check):
    given_ = case.given
    made = kelly.posterior(given_["p_model"], given_["sd_model"], given_["p_market"], given_["sd_market"])
    check({"weight_model": made.weight_model, "p_post": made.p})


@pytest.mark.quant("kelly", "kelly_continuous")
def test_continuous(case, check):
    made = kelly.continuous(case.given["mu"], case.given["sigma2"])
    check({"f": made.f, "growth": made.growth})


@pytest.mark.quant("kelly", "kelly_arb")
def test_arbitrage_fraction(case, check):
    given_ = case.given
    check({"f": kelly.arbitrage_fraction(given_["edge_bps"], given_["cost_bps"], given_["sd_bps"])})


@pytest.mark.quant("kelly", "kelly_multi")
def test_simultaneous(case, check):
    instruments = [Instrument(item["cost"], tuple(item["payoff"])) for item in case.given["instruments"]]
    made = joint.simultaneous(case.given["states"], instruments)
    check(
        {
            "contracts_per_equity": list(made.contracts),
            "growth": made.growth,
            "min_wealth": made.min_wealth,
            "budget_used": made.budget_used,
            "budget_binding": made.budget_binding,
        }
    )


@PROPERTY
@given(P, st.floats(0.05, 3.0), st.floats(0.05, 3.0))
def test_two_point_maximises_the_growth_it_reports(p, win, loss):
    made = kelly.two_point(p, win, loss)

    def negative_growth(x):
        return -(p * math.log(1 + x * win) + (1 - p) * math.log(1 - x * loss))

    best = minimize_scalar(negative_growth, bounds=(0.0, (1 - 1e-9) / loss), method="bounded")
    assert made.growth >= -best.fun - 1e-12
    assert made.growth == pytest.approx(-negative_growth(made.contracts), abs=1e-12)


@PROPERTY
@given(P, P, st.floats(0.0, 0.1), st.floats(0.0, 0.02))
def test_the_binary_bet_is_the_mirror_of_the_other_token_and_idle_inside_the_spread(p, bid, width, fee):
    ask = min(bid + width, 0.99)
    yes = kelly.binary(p, ask, bid, fee_buy=fee, fee_sell=fee)
    no = kelly.binary(1 - p, 1 - bid, 1 - ask, fee_buy=fee, fee_sell=fee)
    swapped = {BetSide.YES: BetSide.NO, BetSide.NO: BetSide.YES, BetSide.NONE: BetSide.NONE}
    if abs(p - ask - fee) > 1e-9 and abs(bid - fee - p) > 1e-9:
        assert no.side is swapped[yes.side]
        assert no.stake == pytest.approx(yes.stake, rel=1e-6, abs=1e-9)
    if bid - fee <= p <= ask + fee:
        assert yes.side is BetSide.NONE or abs(yes.stake) < 1e-9
    assert 0.0 <= yes.stake <= 1.0
    assert yes.growth >= 0.0


@PROPERTY
@given(P, P)
def test_without_friction_the_three_forms_agree(p, m):
    margin = kelly.per_contract(p, m)
    bet = kelly.binary(p, m, m)
    if bet.side is BetSide.YES:
        assert bet.contracts == pytest.approx(margin.contracts)
        assert bet.stake == pytest.approx(margin.stake_yes)
    elif bet.side is BetSide.NO:
        assert bet.contracts == pytest.approx(-margin.contracts, rel=1e-6, abs=1e-9)
        assert bet.stake == pytest.approx(margin.stake_no, rel=1e-6, abs=1e-9)


def test_a_sure_bet_takes_everything_and_ruin_has_no_growth():
    sure = kelly.binary(1.0, 0.5, 0.49)
    assert (sure.stake, sure.growth) == (1.0, pytest.approx(math.log(2)))
    assert kelly.fractional(0.8, 0.5, 2.0).growth_c == -math.inf


def test_a_simulated_gambler_falls_as_often_as_stated():
    rng = np.random.default_rng(13)
    c, x, edge, paths, bets = 1.0, 0.5, 0.05, 2000, 3000
    stake = c * edge  # fair coin with a small edge: full Kelly stakes the edge
    outcomes = np.where(rng.random((paths, bets)) < 0.5 + edge / 2, math.log1p(stake), math.log1p(-stake))
    lowest = np.cumsum(outcomes, axis=1).min(axis=1)
    fell = float((lowest <= math.log(x)).mean())
    assert fell == pytest.approx(kelly.drawdown_probability(c, x), abs=0.05)
    assert kelly.drawdown_probability(2.0, 0.3) == kelly.drawdown_probability(5.0, 0.3) == 1.0


def test_no_edge_is_shrunk_to_nothing():
    assert kelly.shrunk(0.5, 0.5, 0.0) == kelly.Shrunk(0.0, 0.0)


EVENTS = st.integers(0, 2**32 - 1)


@PROPERTY
@given(EVENTS)
def test_simultaneous_bets_meet_the_optimality_conditions(seed):
    """Kuhn-Tucker of a concave programme: no instrument has a positive marginal growth left."""
    rng = np.random.default_rng(seed)
    states, count = int(rng.integers(2, 8)), int(rng.integers(1, 7))
    pi = rng.dirichlet(np.ones(states))
    payoff = (rng.random((count, states)) < 0.5).astype(float)
    cost = rng.uniform(0.02, 0.95, count)
    made = joint.simultaneous(
        pi.tolist(), [Instrument(float(c), tuple(row)) for c, row in zip(cost, payoff.tolist(), strict=True)]
    )
    x = np.array(made.contracts)
    gain = payoff.T - cost
    wealth = 1 + gain @ x
    marginal = gain.T @ (pi / wealth)
    price_of_budget = max(float((marginal / cost).max()), 0.0) if made.budget_binding else 0.0
    excess = marginal - price_of_budget * cost
    assert (x >= 0).all()
    assert float(cost @ x) <= 1 + 1e-9
    assert float(excess.max()) < 1e-7
    assert float(np.abs(excess * x).max()) < 1e-7
    assert made.growth >= -1e-12
    assert made.min_wealth == pytest.approx(float(wealth.min()))


def test_a_single_instrument_is_sized_like_a_single_bet():
    alone = joint.simultaneous([0.4, 0.6], [Instrument(0.55, (0.0, 1.0))])
    assert alone.contracts[0] == pytest.approx(kelly.binary(0.6, 0.55, 0.5).contracts, rel=1e-9)


def test_nested_strikes_are_sized_smaller_together_than_apart():
    states = [0.3, 0.25, 0.45]
    low, high = Instrument(0.6, (0.0, 1.0, 1.0)), Instrument(0.38, (0.0, 0.0, 1.0))
    together = joint.simultaneous(states, [low, high]).budget_used
    apart = sum(joint.simultaneous(states, [one]).budget_used for one in (low, high))
    assert together < apart


def test_arbitrage_uses_the_whole_budget():
    made = joint.simultaneous([0.5, 0.5], [Instrument(0.4, (1.0, 0.0)), Instrument(0.4, (0.0, 1.0))])
    assert made.budget_binding
    assert made.min_wealth == pytest.approx(1.25, rel=1e-9)


def size(mu=0.004, sigma2=0.25, equity=5000.0, fraction=0.25, cap=250.0, floor=18.0, decimals=0):
    return kelly.quote_size(mu, sigma2, equity, fraction=fraction, cap=cap, floor=floor, decimals=decimals)


def test_each_bound_of_a_size_is_named():
    assert size() == kelly.Size(20.0, SizeBound.KELLY)
    assert size(cap=19.5) == kelly.Size(19.0, SizeBound.CAP)
    assert size(floor=21.0) == kelly.Size(0.0, SizeBound.FLOOR)
    assert size(cap=10.0) == kelly.Size(0.0, SizeBound.FLOOR)
    assert size(mu=-0.004) == kelly.Size(0.0, SizeBound.NO_EDGE)


@pytest.mark.parametrize("bad", [{"mu": math.nan}, {"sigma2": 0.0}, {"sigma2": math.nan}, {"equity": -1.0},
                                 {"fraction": 0.0}, {"cap": math.nan}])  # fmt: skip
def test_a_size_from_no_number_is_nothing(bad):
    assert size(**bad) == kelly.Size(0.0, SizeBound.NO_EDGE)


@PROPERTY
@given(
    st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.floats(1.0, 1e6), st.floats(0.0, 1e4), st.floats(0.0, 100.0),
    st.integers(0, 4),
)  # fmt: skip
def test_a_size_respects_cap_floor_and_decimals(mu, sigma2, equity, cap, floor, decimals):
    made = size(mu=mu, sigma2=sigma2, equity=equity, cap=cap, floor=floor, decimals=decimals)
    assert made.contracts <= cap + 1e-8
    assert made.contracts == 0.0 or made.contracts >= floor
    assert made.contracts == pytest.approx(round(made.contracts, decimals), abs=1e-9)
    if made.bound is SizeBound.KELLY:
        assert made.contracts <= 0.25 * equity * mu / sigma2 * (1 + 1e-9)


# -- bets to orders, and what is no number


def test_a_bet_becomes_an_order_and_each_bound_acts_on_its_own_quantity():
    bet = kelly.binary(0.6, 0.5, 0.49)
    rules = {"fraction": 0.25, "max_stake": 1.0, "cap": 1e6, "floor": 1.0, "decimals": 0}
    assert kelly.bet_size(bet, 1_000.0, **rules) == kelly.Size(100.0, SizeBound.KELLY)
    assert kelly.bet_size(bet, 1_000.0, **{**rules, "max_stake": 0.02}) == kelly.Size(40.0, SizeBound.CAP)
    assert kelly.bet_size(bet, 1_000.0, **{**rules, "cap": 30.0}) == kelly.Size(30.0, SizeBound.CAP)
    assert kelly.bet_size(bet, 1_000.0, **{**rules, "floor": 101.0}) == kelly.Size(0.0, SizeBound.FLOOR)
    assert kelly.bet_size(bet, 0.0, **rules) == kelly.Size(0.0, SizeBound.NO_EDGE)
    idle = kelly.binary(0.5, 0.51, 0.49)
    assert kelly.bet_size(idle, 1_000.0, **rules) == kelly.Size(0.0, SizeBound.NO_EDGE)


EDGES = st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1.0 - 1e-16, -0.5, 1.5, math.inf, -math.inf, math.nan])


def numbers(value):
    """Every float in a result."""
    return [value] if isinstance(value, float) else [x for x in attrs.astuple(value) if isinstance(x, float)]


@PROPERTY
@given(EDGES, EDGES, EDGES, EDGES)
def test_nothing_that_comes_in_makes_a_nan_come_out(a, b, c, d):
    made = [
        kelly.two_point(a, b, c), kelly.binary(a, b, c, fee_buy=d, fee_sell=d), kelly.per_contract(a, b),
        kelly.fractional(a, b, 0.25), kelly.continuous(a, b), kelly.arbitrage_fraction(10.0, 2.0, abs(c)),
        kelly.quote_size(a, b, c, fraction=0.5, cap=d, floor=0.0, decimals=2),
        kelly.bet_size(kelly.binary(a, b, c), 100.0, fraction=0.5, max_stake=d, cap=d, floor=0.0, decimals=2),
    ]  # fmt: skip
    for one in made:
        assert not any(math.isnan(x) for x in numbers(one)), one


def test_the_edges_have_stated_answers():
    assert kelly.per_contract(0.5, 0.0) == kelly.per_contract(0.5, 1.0) == kelly.MarginBet(0.0, None, None)
    assert kelly.binary(0.5, 0.0, 0.0).side is BetSide.NONE, "a price of 0 is no offer"
    assert kelly.fractional(0.5, 0.5, 0.25).growth_full == 0.0
    assert kelly.continuous(1.0, 0.0) == kelly.Continuous(0.0, 0.0)
    assert kelly.arbitrage_fraction(10.0, 2.0, 0.0) == 0.0
    assert kelly.drawdown_probability(0.0, 0.5) == 0.0
    assert kelly.drawdown_probability(3.0, 0.0) == 1.0
    assert kelly.posterior(0.6, 0.0, 0.4, 0.0) == kelly.Posterior(0.5, 0.5)
