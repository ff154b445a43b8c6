"""The simulated venue inside a test: no ports, no processes, any trio clock.

    async with simulated_hyperliquid(seed=3) as sim:
        stream = await sim.connect("any", 443, True)

Everything runs on `trio.current_time`, so under a mock clock with autojump an hour takes as long as its blocks do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio
import trio.testing

from hlomm.domain.times import NS_PER_S, ClockMap, Now
from hlomm.sim.cable import Cable
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimConfig
from hlomm.sim.exchange import Exchange
from hlomm.sim.faults import Faults
from hlomm.sim.hl.control import Control
from hlomm.sim.hl.venue import FundedAccount, Venue
from hlomm.sim.listing import first_origin
from hlomm.sim.speak_hyperliquid import HyperliquidSpeaker

REST: Final = "http://sim.invalid:80"
WS: Final = "ws://sim.invalid:80/ws"
_HOST_EPOCH_NS: Final = 1_795_000_000 * NS_PER_S
"""Host wall time at trio time zero, as `read_host` reports it: a day in November 2026."""


def read_host() -> Now:
    """The pair of host clocks that belongs to a harness: both advance with trio's clock."""
    mono_ns = round(trio.current_time() * NS_PER_S)
    return Now(mono_ns, _HOST_EPOCH_NS + mono_ns)


@attrs.define(eq=False)
class SimulatedVenue:
    """A running simulator and the way to it."""

    venue: Venue
    speaker: HyperliquidSpeaker
    clock: VenueClock
    clock_map: ClockMap
    """Maps `read_host().wall_ns` to venue time, for the client's own clock."""
    _nursery: trio.Nursery
    rest: str = REST
    ws: str = WS
    refuse_connections: bool = False
    """While set, `connect` fails as an unreachable venue does."""
    cable: Cable = attrs.field(factory=Cable)
    """Everything between client and venue, open connections included; unplugged for a total outage."""

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
    host_ns = read_host().wall_ns
    if venue_origin_ns is None:
        venue_origin_ns = first_origin(chosen.listing, host_ns)
    clock = VenueClock.starting_now(venue_origin_ns, speed)
    venue = Venue(chosen, seed, venue_origin_ns, faults)
    speaker = HyperliquidSpeaker(venue, clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.run)  # noqa: ASYNC113 (nothing of the block waits for its first step)
        yield SimulatedVenue(
            venue=venue,
            speaker=speaker,
            clock=clock,
            clock_map=ClockMap(host_origin_ns=host_ns, venue_origin_ns=venue_origin_ns, speed=speed),
            nursery=nursery,
        )
        nursery.cancel_scope.cancel(reason="the test is over")
