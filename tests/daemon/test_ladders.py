"""Strikes out of order at the simulated Kalshi: taken by the daemon, held, settled, and true by the venue's books."""

from __future__ import annotations

import attrs

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.research.replay import replay
from hlomm.sim.config import SimConfig
from hlomm.sim.config_kalshi import KalshiConfig, KalshiFlowConfig, KalshiListingConfig
from hlomm.sim.harness_town import simulated_town
from tests.daemon.town import town_rig

LADDERS = (
    "strategy.avellaneda.enabled=false", "strategy.strike_ladder.enabled=true", "strategy.strike_ladder.min_tau_s=1",
    "strategy.strike_ladder.capital_rate=0", "strategy.strike_ladder.min_edge_bps=10",
    "strategy.strike_ladder.deadline_s=3", "venue.kalshi.series=['KXBTCD']", "venue.polymarket.enabled=false",
)  # fmt: skip
OPINIONATED = KalshiFlowConfig(bias_sd=0.45, bias_s=10.0, makers=1, noise_per_s=0.1, informed_per_s=0.0)
"""Makers of one strike that believe other things than those of the next."""


def config(**kalshi: object) -> SimConfig:
    """Strikes that settle soon, and quiet neighbours."""
    strikes = KalshiListingConfig(strikes=3, windows=False, determine_s=1.0, threshold_timer_s=1.0)
    whole = SimConfig()
    return attrs.evolve(
        whole, kalshi=KalshiConfig(listing=strikes, **kalshi),  # type: ignore[arg-type]
        listing=attrs.evolve(whole.listing, periods=("3m",), first_expiry_s=75.0),
        flow=attrs.evolve(whole.flow, noise_per_s=0.0, informed_per_s=0.0, makers=1),
        polymarket=attrs.evolve(whole.polymarket, noise_per_s=0.0, informed_per_s=0.0, makers=0),
    )  # fmt: skip


async def test_strikes_out_of_order_are_bought_held_and_settled(autojump_clock, tmp_path):
    async with (
        simulated_town(seed=7, config=config(flow=OPINIONATED)) as town,
        town_rig(town, tmp_path / "state", *LADDERS) as r,
    ):
        tally = r.engine.state.pairs.tallies[ArbitrageKind.LADDER]
        await r.until(lambda: tally.settled >= 1, 130)
        result = await r.stop()
        summary = result.summary
        row = summary["arbitrage"]["kinds"]["ladder"]
        assert row["taken"] >= row["settled"] >= 1
        assert (row["mismatched"], summary["invariant_breaks"]) == (0, 0), "one number settles both"
        assert row["realised"] >= row["expected"] > 0, "it pays what was sure, or 1 more"
        assert {one["kind"] for one in summary["arbitrage"]["trades"]} == {"ladder"}
        assert {name: one["differences"] for name, one in summary["account"].items()} == {
            "hyperliquid": [],
            "kalshi": [],
        }
    assert replay(r.paths.journal).identical


async def test_strikes_in_order_are_left_alone(autojump_clock, tmp_path):
    async with (
        simulated_town(seed=7, config=config(dislocations=False)) as town,
        town_rig(town, tmp_path / "state", *LADDERS) as r,
    ):
        await r.until(lambda: len(r.engine.state.rungs.pairs) > 2, 60)
        await r.until(lambda: r.engine.state.counters.inputs > 1_000, 60)
        assert r.engine.state.baskets.counts == {}
        reasons = [known.why_not for known in r.engine.state.baskets.by_group.values()]
        assert any(why.startswith("no_edge: the strikes are in order") for why in reasons)
