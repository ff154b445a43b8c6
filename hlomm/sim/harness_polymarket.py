"""The simulated Polymarket inside a test: no ports, no processes, any trio clock.

async with simulated_polymarket(seed=3) as sim:
    stream = await sim.connect("any", 443, True)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio
import trio.testing

from hlomm.domain.times import ClockMap
from hlomm.sim.cable import Cable
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimConfig
from hlomm.sim.harness import read_host
from hlomm.sim.listing import first_origin
from hlomm.sim.path import PricePath
from hlomm.sim.pm.control import Control
from hlomm.sim.pm.faults import PmFaults
from hlomm.sim.pm.keys import PmAccount
from hlomm.sim.pm.listing import Mirror
from hlomm.sim.pm.venue import PolymarketVenue, common_path
from hlomm.sim.speak_polymarket import DATA, GAMMA, PRICES, PolymarketSpeaker

REST: Final = "http://polymarket.sim.invalid:80"
WS: Final = "ws://polymarket.sim.invalid:80/ws"


@attrs.define(eq=False)
class SimulatedPolymarket:
    """A running simulator and the way to it."""

    venue: PolymarketVenue
    speaker: PolymarketSpeaker
    clock: VenueClock
    clock_map: ClockMap
    """Maps `read_host().wall_ns` to venue time, for the client's own clock."""
    _nursery: trio.Nursery
    rest: str = REST
    gamma: str = REST + GAMMA
    data: str = REST + DATA
    ws: str = WS
    """To which `/market` and `/user` are appended."""
    prices: str = WS.removesuffix("/ws") + PRICES
    refuse_connections: bool = False
    cable: Cable = attrs.field(factory=Cable)
    """Everything between client and venue, open connections included."""

    @property
    def accounts(self) -> list[PmAccount]:
        """Funded accounts; the first is the one the daemon trades."""
        return self.venue.accounts

    @property
    def faults(self) -> PmFaults:
        return self.venue.faults

    def state(self) -> dict[str, object]:
        """The document that `POST /sim` with type `state` answers."""
        return Control(self.venue).state(self.speaker.statistics())

    async def connect(self, host: str, port: int, tls: bool) -> trio.abc.Stream:  # noqa: FBT001 - a transport's signature
        """Open a connection in memory. OSError while connections are refused."""
        del host, port, tls
        await self.cable.hold()
        if self.refuse_connections:
            raise ConnectionRefusedError("the simulated venue refuses connections")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.speaker.serve_stream, theirs)
        return self.cable.lay(ours)


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
    host_ns = read_host().wall_ns
    if venue_origin_ns is None:
        venue_origin_ns = first_origin(chosen.listing, host_ns)
    clock = VenueClock.starting_now(venue_origin_ns, speed)
    common = common_path(chosen, seed) if path is None else path
    venue = PolymarketVenue(chosen, seed, venue_origin_ns, common, faults=faults, mirror=mirror)
    speaker = PolymarketSpeaker(venue, clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.run)  # noqa: ASYNC113 (nothing of the block waits for its first step)
        yield SimulatedPolymarket(
            venue=venue,
            speaker=speaker,
            clock=clock,
            clock_map=ClockMap(host_origin_ns=host_ns, venue_origin_ns=venue_origin_ns, speed=speed),
            nursery=nursery,
        )
        nursery.cancel_scope.cancel(reason="the test is over")
