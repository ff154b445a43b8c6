"""The simulated Kalshi inside a test: no ports, no processes, any trio clock; as `harness` has it for Hyperliquid."""

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
from hlomm.sim.faults import Faults
from hlomm.sim.harness import read_host
from hlomm.sim.kalshi.control import Control
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.listing import Neighbour
from hlomm.sim.kalshi.venue import API, WS_PATH, FundedAccount, KalshiVenue
from hlomm.sim.listing import first_origin
from hlomm.sim.path import PricePath
from hlomm.sim.speak_kalshi import KalshiSpeaker

REST: Final = f"http://sim.invalid:80{API}"
WS: Final = f"ws://sim.invalid:80{WS_PATH}"


@attrs.define(eq=False)
class SimulatedKalshi:
    """A running simulator and the way to it."""

    venue: KalshiVenue
    speaker: KalshiSpeaker
    clock: VenueClock
    clock_map: ClockMap
    """Maps `read_host().wall_ns` to venue time, for the client's own clock."""
    _nursery: trio.Nursery
    rest: str = REST
    ws: str = WS
    refuse_connections: bool = False
    """While set, `connect` fails as an unreachable venue does."""
    cable: Cable = attrs.field(factory=Cable)

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
    host_ns = read_host().wall_ns
    if venue_origin_ns is None:
        venue_origin_ns = first_origin(chosen.listing, host_ns)
    clock = VenueClock.starting_now(venue_origin_ns, speed)
    venue = KalshiVenue(chosen, seed, venue_origin_ns, path, faults, neighbour)
    speaker = KalshiSpeaker(venue, clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.run)  # noqa: ASYNC113 (nothing of the block waits for its first step)
        yield SimulatedKalshi(
            venue=venue,
            speaker=speaker,
            clock=clock,
            clock_map=ClockMap(host_origin_ns=host_ns, venue_origin_ns=venue_origin_ns, speed=speed),
            nursery=nursery,
        )
        nursery.cancel_scope.cancel(reason="the test is over")
