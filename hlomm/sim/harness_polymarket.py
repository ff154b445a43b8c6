"""The simulated Polymarket inside a test; as `harness` has it for Hyperliquid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs

from hlomm.sim.config import SimConfig
from hlomm.sim.kalshi.world import common_path
from hlomm.sim.path import PricePath
from hlomm.sim.pm.faults import PmFaults
from hlomm.sim.pm.keys import PmAccount
from hlomm.sim.pm.listing import Mirror
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.simulated import Simulated, clocks, serving
from hlomm.sim.speak_polymarket import DATA, GAMMA, PRICES, PolymarketSpeaker

REST: Final = "http://polymarket.sim.invalid:80"
WS: Final = "ws://polymarket.sim.invalid:80/ws"


@attrs.define(eq=False, kw_only=True)
class SimulatedPolymarket(Simulated[PolymarketSpeaker]):
    rest: str = REST
    gamma: str = REST + GAMMA
    data: str = REST + DATA
    ws: str = WS
    """To which `/market` and `/user` are appended."""
    prices: str = WS.removesuffix("/ws") + PRICES

    @property
    def venue(self) -> PolymarketVenue:
        return self.speaker.venue

    @property
    def accounts(self) -> list[PmAccount]:
        """Funded accounts; the first is the one the daemon trades."""
        return self.venue.accounts

    @property
    def faults(self) -> PmFaults:
        return self.venue.faults


@asynccontextmanager
async def simulated_polymarket(
    *,
    seed: int = 7,
    config: SimConfig | None = None,
    faults: PmFaults | None = None,
    speed: float = 1.0,
    venue_origin_ns: int | None = None,
    path: PricePath | None = None,
    mirror: Mirror | None = None,
) -> AsyncIterator[SimulatedPolymarket]:
    """Run a simulated Polymarket for the duration of the block; alone, or on the path of another venue."""
    chosen = SimConfig() if config is None else config
    clock, clock_map = clocks(chosen, speed, venue_origin_ns)
    common = common_path(chosen, seed) if path is None else path
    venue = PolymarketVenue(chosen, seed, clock.venue_origin_ns, common, faults=faults, mirror=mirror)
    async with serving(SimulatedPolymarket, PolymarketSpeaker(venue, clock), clock_map) as sim:
        yield sim
