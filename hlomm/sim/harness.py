"""The simulated Hyperliquid inside a test.

async with simulated_hyperliquid(seed=3) as sim:
    stream = await sim.connect("any", 443, True)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs

from hlomm.sim.config import SimConfig
from hlomm.sim.exchange import Exchange
from hlomm.sim.faults import Faults
from hlomm.sim.hl.venue import FundedAccount, Venue
from hlomm.sim.simulated import Simulated, clocks, read_host, serving
from hlomm.sim.speak_hyperliquid import HyperliquidSpeaker

__all__ = ["REST", "WS", "SimulatedVenue", "read_host", "simulated_hyperliquid"]

REST: Final = "http://sim.invalid:80"
WS: Final = "ws://sim.invalid:80/ws"


@attrs.define(eq=False, kw_only=True)
class SimulatedVenue(Simulated[HyperliquidSpeaker]):
    rest: str = REST
    ws: str = WS

    @property
    def venue(self) -> Venue:
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
async def simulated_hyperliquid(
    *,
    seed: int = 7,
    config: SimConfig | None = None,
    faults: Faults | None = None,
    speed: float = 1.0,
    venue_origin_ns: int | None = None,
) -> AsyncIterator[SimulatedVenue]:
    """Run a simulated Hyperliquid for the duration of the block."""
    chosen = SimConfig() if config is None else config
    clock, clock_map = clocks(chosen, speed, venue_origin_ns)
    venue = Venue(chosen, seed, clock.venue_origin_ns, faults)
    async with serving(SimulatedVenue, HyperliquidSpeaker(venue, clock), clock_map) as sim:
        yield sim
