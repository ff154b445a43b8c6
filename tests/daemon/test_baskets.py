"""Baskets end to end: a question of which the prices slip, the real session, the simulated venue's own books."""

from __future__ import annotations

from hlomm.domain.units import notional_floor, parse
from hlomm.engine.basket import Phase
from hlomm.research.replay import replay
from hlomm.sim.config import FlowConfig, ListingConfig, SimConfig
from hlomm.sim.harness import simulated_hyperliquid

SLIPPING = SimConfig(
    listing=ListingConfig(buckets=("1d",)),
    flow=FlowConfig(bucket_slips_per_hour=120.0, bucket_slip=0.12, bucket_slip_s=40.0),
)
SETS = ("strategy.avellaneda.enabled=false", "strategy.complete_set.enabled=true")


async def test_a_slipped_question_is_bought_in_equal_legs_and_replays(rig, autojump_clock):
    async with simulated_hyperliquid(seed=4, config=SLIPPING) as sim, rig(sim=sim, sets=SETS) as r:
        await r.until(lambda: bought_at_once(r) is not None, 900)
        basket = bought_at_once(r)
        assert {leg.held for leg in basket.legs} == {basket.sets}
        # What it leaves is what it promised at least, by the venue's own fills.
        assert notional_floor(basket.plan.worth, basket.sets) - basket.spent >= notional_floor(
            basket.plan.edge, basket.sets
        )
        result = await r.stop()
        assert result.summary["baskets"]["done"] >= 1
        assert result.summary["invariant_breaks"] == 0
        assert r.resting_at_venue() == 0
        assert parse(r.truth["quote"]) == r.engine.state.portfolio.cash
    assert replay(r.paths.journal).identical


def bought_at_once(r):
    """A basket of which every leg filled as it was sent."""
    for known in r.engine.state.baskets.by_group.values():
        basket = known.basket
        if basket is not None and basket.phase is Phase.DONE and basket.sets > 0 and not basket.mended:
            return basket
    return None
