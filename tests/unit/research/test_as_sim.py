"""The paper's simulation, held to its exact population moments and to the intervals of its published sample size."""

import json
import math
import os
from pathlib import Path

import attrs
import numpy as np
import pytest

from hlomm.pricing.avellaneda import as_quote
from hlomm.research import as_sim
from hlomm.research.as_sim import FillRule, SimSetup, SimStrategy

VECTORS = Path(__file__).resolve().parents[3].parent / "shared" / "fixtures" / "quant" / "as_sim.json"
PATHS = 20_000
SEED = 20_081_101


def cases():
    if VECTORS.is_file():
        return [pytest.param(case, id=case["id"]) for case in json.loads(VECTORS.read_text())["cases"]]
    reason = f"NOT CHECKED: simulation moments, because {VECTORS} does not exist"
    if os.environ.get("CI"):
        raise pytest.UsageError(reason)
    return [pytest.param(None, id="missing", marks=pytest.mark.skip(reason=reason))]


def setup_of(given):
    return SimSetup(
        gamma=given["gamma"],
        strategy=SimStrategy(given["strategy"]),
        fill=FillRule(given["fill"]),
        s0=given["s0"],
        horizon=given["T"],
        sigma=given["sigma"],
        dt=given["dt"],
        q0=given["q0"],
        k=given["k"],
        a=given["A"],
    )


@pytest.mark.parametrize("case", cases())
def test_moments_match_the_population(case):
    """Acceptance rule of the vector file: within four standard errors for 20,000 paths of one fixed seed."""
    want = case["out"]
    made = as_sim.simulate(setup_of(case["in"]), PATHS, SEED)

    def mean_error(std):
        return 4 * std / math.sqrt(PATHS)

    def std_error(std, kurtosis):
        return 4 * std * math.sqrt((kurtosis - 1) / (4 * PATHS))

    assert made.avg_spread_at_q0 == pytest.approx(want["avg_spread_at_q0"], rel=1e-6)
    assert made.profit_mean == pytest.approx(want["profit_mean"], abs=mean_error(want["profit_std"]))
    assert made.profit_std == pytest.approx(
        want["profit_std"], abs=std_error(want["profit_std"], want["profit_kurtosis"])
    )
    assert made.final_q_mean == pytest.approx(want["final_q_mean"], abs=mean_error(want["final_q_std"]))
    assert made.final_q_std == pytest.approx(
        want["final_q_std"], abs=std_error(want["final_q_std"], want["final_q_kurtosis"])
    )
    # Fills per path have a standard deviation below 8 in every case; capping is a rare event.
    assert made.fills_per_path == pytest.approx(want["fills_per_path"], abs=mean_error(8.0))
    assert made.share_capped == pytest.approx(want["share_of_probabilities_capped"], rel=0.2, abs=1e-5)


INTERVALS_1000 = [
    (0.1, "inventory", (64.49, 65.30), (6.25, 6.83), (2.80, 3.05)),
    (0.1, "symmetric", (67.39, 69.06), (12.58, 14.33), (8.03, 8.77)),
    (0.01, "inventory", (67.84, 68.96), (8.51, 9.41), (4.98, 5.44)),
    (0.01, "symmetric", (67.82, 69.51), (12.77, 14.59), (8.33, 9.09)),
    (1.0, "inventory", (31.15, 31.75), (4.62, 5.05), (1.57, 1.71)),
    (1.0, "symmetric", (43.02, 44.35), (10.16, 11.30), (4.94, 5.40)),
]


@pytest.mark.parametrize(("gamma", "strategy", "profit", "std", "q_std"), INTERVALS_1000)
def test_a_thousand_paths_fall_where_the_published_tables_do(gamma, strategy, profit, std, q_std):
    """The paper ran 1000 paths; the intervals hold 95 % of such runs, and this seed is one of them."""
    made = as_sim.simulate(SimSetup(gamma=gamma, strategy=SimStrategy(strategy)), 1000, SEED)
    assert profit[0] <= made.profit_mean <= profit[1]
    assert std[0] <= made.profit_std <= std[1]
    assert q_std[0] <= made.final_q_std <= q_std[1]


def test_published_spreads_are_reproduced():
    for gamma, spread in ((0.1, 1.49), (0.01, 1.35), (1.0, 3.02)):
        average = as_sim.mean_spread(SimSetup(gamma=gamma, strategy=SimStrategy.INVENTORY))
        assert average == pytest.approx(spread, abs=0.015)


def test_the_inventory_strategy_quotes_with_the_project_s_own_formula():
    setup = SimSetup(gamma=0.1, strategy=SimStrategy.INVENTORY)
    rule = as_sim.distances(setup)
    for tau in (1.0, 0.37, 0.005):
        for q in (-7, 0, 3):
            made = as_quote(100.0, q, 0.1, 2.0, tau, 1.5)
            assert rule(tau, q) == pytest.approx((100.0 - made.bid, made.ask - 100.0), rel=1e-9)


def test_a_seed_reproduces_every_path():
    setup = SimSetup(gamma=0.1, strategy=SimStrategy.INVENTORY)
    first, again, other = (as_sim.simulate(setup, 50, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.profit, again.profit)
    assert not np.array_equal(first.profit, other.profit)


def test_without_fills_nothing_happens():
    setup = SimSetup(gamma=0.1, strategy=SimStrategy.INVENTORY, a=1e-12)
    made = as_sim.simulate(setup, 20, SEED)
    assert made.fills_per_path == 0.0
    assert np.all(made.profit == 0.0)
    assert made.certainty_equivalent(0.1) == 0.0


def test_starting_inventory_is_worth_its_mark():
    setup = SimSetup(gamma=0.1, strategy=SimStrategy.SYMMETRIC, a=1e-12, q0=3)
    made = as_sim.simulate(setup, 4000, SEED)
    assert np.all(made.final_q == 3)
    assert made.profit_mean == pytest.approx(300.0, abs=4 * 6.0 / math.sqrt(4000))


def test_certainty_equivalents_rank_the_strategies_as_the_reference_does():
    gamma = 0.1
    worth = {
        strategy: as_sim.simulate(SimSetup(gamma=gamma, strategy=strategy), 5000, SEED).certainty_equivalent(gamma)
        for strategy in SimStrategy
    }
    assert worth[SimStrategy.GLFT] > worth[SimStrategy.INVENTORY] > worth[SimStrategy.SEED0]
    assert worth[SimStrategy.GLFT] == pytest.approx(65.19, abs=0.5)
    assert worth[SimStrategy.INVENTORY] == pytest.approx(62.79, abs=0.5)


def test_the_fill_rule_matters():
    base = SimSetup(gamma=0.1, strategy=SimStrategy.INVENTORY)
    bernoulli = as_sim.simulate(base, 2000, SEED).profit_mean
    poisson = as_sim.simulate(attrs.evolve(base, fill=FillRule.POISSON), 2000, SEED).profit_mean
    assert bernoulli - poisson > 5.0
