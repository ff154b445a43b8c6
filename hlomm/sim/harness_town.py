"""All simulated venues inside a test, on one price of BTC and one clock; each is as its own harness makes it.

async with simulated_town(seed=3) as town:
    stream = await town.kalshi.connect("any", 443, True)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from hlomm.sim.config import SimConfig
from hlomm.sim.harness import SimulatedVenue, simulated_hyperliquid
from hlomm.sim.harness_kalshi import SimulatedKalshi, simulated_kalshi
from hlomm.sim.harness_polymarket import SimulatedPolymarket, simulated_polymarket
from hlomm.sim.town import mirror_of, neighbour_of


@attrs.frozen
class SimulatedTown:
    hyperliquid: SimulatedVenue
    polymarket: SimulatedPolymarket
    kalshi: SimulatedKalshi


@asynccontextmanager
async def simulated_town(
    *, seed: int = 7, config: SimConfig | None = None, speed: float = 1.0
) -> AsyncIterator[SimulatedTown]:
    """Run all venues for the duration of the block."""
    async with simulated_hyperliquid(seed=seed, config=config, speed=speed) as first:
        venue, origin_ns = first.venue, first.clock.venue_origin_ns
        async with (
            simulated_polymarket(
                seed=seed, config=config, speed=speed, venue_origin_ns=origin_ns, path=venue.world.path,
                mirror=mirror_of(venue),
            ) as second,
            simulated_kalshi(
                seed=seed, config=config, speed=speed, venue_origin_ns=origin_ns, path=venue.world.path,
                neighbour=neighbour_of(venue, first.clock),
            ) as third,
        ):  # fmt: skip
            yield SimulatedTown(first, second, third)
