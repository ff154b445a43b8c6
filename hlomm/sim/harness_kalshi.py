"""The simulated Kalshi inside a test; as `harness` has it for Hyperliquid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs

from hlomm.sim.config import SimConfig
from hlomm.sim.faults import Faults
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.listing import Neighbour
from hlomm.sim.kalshi.venue import API, WS_PATH, FundedAccount, KalshiVenue
from hlomm.sim.path import PricePath
from hlomm.sim.simulated import Simulated, clocks, serving
from hlomm.sim.speak_kalshi import KalshiSpeaker

REST: Final = f"http://sim.invalid:80{API}"
WS: Final = f"ws://sim.invalid:80{WS_PATH}"


@attrs.define(eq=False, kw_only=True)
class SimulatedKalshi(Simulated[KalshiSpeaker]):
    rest: str = REST
    ws: str = WS

    @property
    def venue(self) -> KalshiVenue:
        return self.speaker.venue

    @property
    def accounts(self) -> list[FundedAccount]:
        """Funded accounts; the first is the one the daemon trades."""
        return self.venue.accounts

    @property
    def faults(self) -> Faults:
        return self.venue.faults

    @property
    def exchange(self) -> Exchange:
        """The truth."""
        return self.venue.exchange


@asynccontextmanager
async def simulated_kalshi(
    *,
    seed: int = 7,
    config: SimConfig | None = None,
    faults: Faults | None = None,
    speed: float = 1.0,
    venue_origin_ns: int | None = None,
    path: PricePath | None = None,
    neighbour: Neighbour | None = None,
) -> AsyncIterator[SimulatedKalshi]:
    """Run a simulated Kalshi for the duration of the block."""
    chosen = SimConfig() if config is None else config
    clock, clock_map = clocks(chosen, speed, venue_origin_ns)
    venue = KalshiVenue(chosen, seed, clock.venue_origin_ns, path, faults, neighbour)
    async with serving(SimulatedKalshi, KalshiSpeaker(venue, clock), clock_map) as sim:
        yield sim
