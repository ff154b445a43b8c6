"""Joint sizing over terminal prices: against a general solver, single bets, and ladders that hold an arbitrage."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from hlomm.pricing import kelly, terminal
from hlomm.pricing.joint import Instrument, Offer, beside, joint, simultaneous, states_of
from hlomm.pricing.kelly import SizeBound

PROPERTY = settings.get_profile("pricing")
LIMITS = {"fraction": 1.0, "max_stake": 1.0, "cap": 1e9, "floor": 0.0, "decimals": 6}
SPOT, V = 80_000.0, 0.01


def survival(strike: float) -> float:
    return terminal.odds(SPOT, strike, V).p_yes


@st.composite
def ladders(draw):
    """Up to four strikes and a bucket, tokens offered within ten cents of fair."""
    strikes = sorted(
        draw(st.sets(st.sampled_from([79_000.0, 79_500.0, 80_000.0, 80_400.0, 81_000.0]), min_size=1, max_size=4))
    )
    offers = []
    for low, high in [(k, None) for k in strikes] + ([(strikes[0], strikes[-1])] if len(strikes) > 1 else []):
        p = survival(low) - (0.0 if high is None else survival(high))
        yes = p + draw(st.floats(-0.1, 0.1))
        no = 1.0 - yes + draw(st.floats(0.005, 0.05))
        offers.append(Offer(floor=low, ceiling=high, yes_cost=yes, no_cost=no))
    return offers


@PROPERTY
@given(ladders())
def test_states_are_the_intervals_between_all_bounds(offers):
    states, prices = states_of(offers, survival)
    assert math.fsum(states) == pytest.approx(1.0, abs=1e-12)
    for offer in offers:
        mine = math.fsum(p for p, price in zip(states, prices, strict=True) if offer.pays(price))
        theirs = survival(offer.floor) - (0.0 if offer.ceiling is None else survival(offer.ceiling))
        assert mine == pytest.approx(theirs, abs=1e-12)


@settings(PROPERTY, max_examples=40)
@given(ladders())
def test_no_general_solver_finds_more_growth(offers):
    states, prices = states_of(offers, survival)
    tokens = [
        (cost, [float(offer.pays(price)) if yes else 1.0 - float(offer.pays(price)) for price in prices])
        for yes in (True, False)
        for offer in offers
        if 0.0 < (cost := offer.yes_cost if yes else offer.no_cost) < 1.0
    ]
    made = simultaneous(states, [Instrument(cost, tuple(payoff)) for cost, payoff in tokens])
    pi, costs = np.array(states), np.array([cost for cost, _ in tokens])
    gain = np.array([payoff for _, payoff in tokens]).T - costs

    def loss(x):
        return -float(pi @ np.log(np.maximum(1.0 + gain @ x, 1e-12)))

    def slope(x):
        return -(gain.T @ (pi / np.maximum(1.0 + gain @ x, 1e-12)))

    best = minimize(
        loss, np.full(len(costs), 0.1) / (costs * len(costs)), jac=slope, bounds=[(0.0, None)] * len(costs),
        constraints=LinearConstraint(costs, -np.inf, 1.0), method="SLSQP", options={"maxiter": 500, "ftol": 1e-12},
    )  # fmt: skip
    assert made.growth >= -best.fun - 1e-7
    assert made.growth == pytest.approx(-loss(np.array(made.contracts)), abs=1e-12)


def test_a_single_offer_is_the_single_bet():
    p = survival(79_500.0)
    made = joint([Offer(floor=79_500.0, yes_cost=p - 0.03, no_cost=1.0 - p + 0.05)], survival, 1_000.0, **LIMITS)
    alone = kelly.binary(p, p - 0.03, p - 0.05)
    assert made.yes[0].contracts == pytest.approx(1_000.0 * alone.contracts, rel=1e-6)
    assert made.no[0].contracts == 0.0


def test_nested_strikes_together_risk_less_than_apart():
    offers = [Offer(floor=k, yes_cost=survival(k) - 0.03) for k in (79_500.0, 79_800.0, 80_100.0)]
    together = joint(offers, survival, 1_000.0, **LIMITS).portfolio.budget_used
    apart = math.fsum(joint([offer], survival, 1_000.0, **LIMITS).portfolio.budget_used for offer in offers)
    assert together < 0.7 * apart


def test_a_ladder_out_of_order_is_an_arbitrage_and_takes_the_whole_budget():
    """One pair costs .95 and pays at least 1; the optimum does no worse than pairs alone."""
    offers = [Offer(floor=79_500.0, yes_cost=0.50), Offer(floor=80_500.0, no_cost=0.45)]
    made = joint(offers, survival, 1_000.0, **LIMITS).portfolio
    assert made.budget_binding
    assert made.growth >= math.log(1.0 / 0.95)


def test_fraction_and_limits_act_on_each_stake():
    offers = [Offer(floor=79_500.0, yes_cost=survival(79_500.0) - 0.05)]
    full, quarter = (joint(offers, survival, 1_000.0, **{**LIMITS, "fraction": c}).yes[0] for c in (1.0, 0.25))
    assert quarter.contracts == pytest.approx(0.25 * full.contracts, rel=1e-5)
    held = joint(offers, survival, 1_000.0, **{**LIMITS, "max_stake": 0.01}).yes[0]
    assert held.bound is SizeBound.CAP
    assert held.contracts * offers[0].yes_cost == pytest.approx(10.0, abs=1e-5)
    assert joint(offers, survival, 1_000.0, **{**LIMITS, "floor": 1e6}).yes[0].bound is SizeBound.FLOOR


@pytest.mark.parametrize("cost", [0.0, 1.0, -0.1, 1.5, math.nan, None])
def test_what_is_no_offer_is_not_bought(cost):
    made = joint([Offer(floor=79_500.0, yes_cost=cost, no_cost=cost)], survival, 1_000.0, **LIMITS)
    assert made.yes[0].contracts == made.no[0].contracts == 0.0
    assert made.portfolio.growth == 0.0


def test_no_offers_no_bets():
    made = joint([], survival, 1_000.0, **LIMITS)
    assert (made.yes, made.no, made.portfolio.contracts) == ((), (), ())


# -- one more bet beside what is held


@given(p=st.floats(0.02, 0.98), cost=st.floats(0.02, 0.98))
def test_beside_nothing_it_is_the_binary_bet(p: float, cost: float) -> None:
    alone = beside([p, 1.0 - p], [1.0, 1.0], Instrument(cost, (1.0, 0.0)))
    expected = kelly.binary(p, cost, cost)
    yes = expected.contracts if expected.side is kelly.BetSide.YES else 0.0
    assert alone == pytest.approx(yes, rel=1e-9, abs=1e-9)


@given(
    weights=st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3),
    costs=st.tuples(st.floats(0.1, 0.6), st.floats(0.1, 0.6)),
)
def test_beside_the_rest_of_a_joint_optimum_it_completes_the_optimum(
    weights: list[float], costs: tuple[float, float]
) -> None:
    """Nested strikes: with one leg of the optimum held, what is to be added of the other is its part of it."""
    total = sum(weights)
    states = [w / total for w in weights]
    one, other = Instrument(costs[0], (0.0, 1.0, 1.0)), Instrument(costs[1], (0.0, 0.0, 1.0))
    best = simultaneous(states, [one, other])
    held = best.contracts[0]
    assume(not best.budget_binding and best.min_wealth > 1e-6)
    wealth = [1.0 + held * (paid - one.cost) for paid in one.payoff]
    assert beside(states, wealth, other) == pytest.approx(best.contracts[1], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("wealth", "cost", "payoff"),
    [
        ([1.0, 0.0], 0.4, (1.0, 0.0)),  # ruined where it loses
        ([1.0, 1.0], 0.6, (1.0, 0.0)),  # no edge
        ([1.0, 1.0], 0.4, (1.0, 1.0)),  # cannot lose: not a bet
    ],
)
def test_nothing_is_added(wealth: list[float], cost: float, payoff: tuple[float, float]) -> None:
    assert beside([0.5, 0.5], wealth, Instrument(cost, payoff)) == 0.0


@given(
    p=st.floats(0.05, 0.95), held=st.floats(1.1, 20.0), fair=st.floats(0.1, 0.9), cost=st.floats(0.05, 0.9),
)  # fmt: skip
def test_what_would_ruin_is_sold_until_it_does_not_and_then_as_far_as_it_pays(
    p: float, held: float, fair: float, cost: float
) -> None:
    """YES is held, NO is bought beside it: what is best, by looking everywhere."""
    wealth = [1.0 + held * (1.0 - fair), 1.0 - held * fair]
    assume(wealth[1] < -1e-3)
    low, high = -wealth[1] / (1.0 - cost), wealth[0] / cost
    found = beside([p, 1.0 - p], wealth, Instrument(cost, (0.0, 1.0)))
    assert beside([p, 1.0 - p], wealth, Instrument(1.0 - cost, (1.0, 0.0))) == 0.0, "more of the same"
    if low >= high:
        assert found == 0.0, "neither way out"
        return
    looked = [low + (high - low) * at / 2_000 for at in range(1, 2_000)]
    growth = [p * math.log(wealth[0] - x * cost) + (1.0 - p) * math.log(wealth[1] + x * (1.0 - cost)) for x in looked]
    assert found == pytest.approx(looked[growth.index(max(growth))], abs=(high - low) / 1_000)
