"""A simulated venue inside a test: no ports, no processes, any trio clock. Each venue's own is in a `harness`.

Everything runs on `trio.current_time`, so under a mock clock with autojump an hour takes as long as its steps do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar

import attrs
import trio
import trio.testing

from hlomm.domain.times import NS_PER_S, ClockMap, Now
from hlomm.sim.cable import Cable
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimConfig
from hlomm.sim.control import Json
from hlomm.sim.listing import first_origin
from hlomm.sim.speaker import Speaker

_HOST_EPOCH_NS: Final = 1_795_000_000 * NS_PER_S
"""Host wall time at trio time zero, as `read_host` reports it: a day in November 2026."""

_Speaker = TypeVar("_Speaker", bound=Speaker)
_Simulated = TypeVar("_Simulated", bound="Simulated[Any]")


def read_host() -> Now:
    """The pair of host clocks that belongs to a harness: both advance with trio's clock."""
    mono_ns = round(trio.current_time() * NS_PER_S)
    return Now(mono_ns, _HOST_EPOCH_NS + mono_ns)


@attrs.define(eq=False, kw_only=True)
class Simulated(Generic[_Speaker]):
    """A running simulator and the way to it."""

    speaker: _Speaker
    clock_map: ClockMap
    """Maps `read_host().wall_ns` to venue time, for the client's own clock."""
    _nursery: trio.Nursery
    refuse_connections: bool = False
    """While set, `connect` fails as an unreachable venue does."""
    cable: Cable = attrs.field(factory=Cable)
    """Everything between client and venue, open connections included; unplugged for a total outage."""

    @property
    def clock(self) -> VenueClock:
        return self.speaker.clock

    def state(self) -> Json:
        """The document that `POST /sim` with type `state` answers."""
        return self.speaker.state()

    async def connect(self, host: str, port: int, tls: bool) -> trio.abc.Stream:  # noqa: FBT001 - a transport's signature
        """Open a connection in memory. OSError while connections are refused."""
        del host, port, tls
        await self.cable.hold()
        if self.refuse_connections:
            raise ConnectionRefusedError("the simulated venue refuses connections")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.speaker.serve_stream, theirs)
        return self.cable.lay(ours)


def clocks(config: SimConfig, speed: float, venue_origin_ns: int | None) -> tuple[VenueClock, ClockMap]:
    """Venue time as the venue and as its client read it, beginning now.

    Unless an origin is given, it is one from which the first contracts expire at round times.
    """
    host_ns = read_host().wall_ns
    origin_ns = first_origin(config.listing, host_ns) if venue_origin_ns is None else venue_origin_ns
    clock_map = ClockMap(host_origin_ns=host_ns, venue_origin_ns=origin_ns, speed=speed)
    return VenueClock.starting_now(origin_ns, speed), clock_map


@asynccontextmanager
async def serving(kind: Callable[..., _Simulated], speaker: Speaker, clock_map: ClockMap) -> AsyncIterator[_Simulated]:
    """Run a simulator for the duration of the block."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.run)  # noqa: ASYNC113 (nothing of the block waits for its first step)
        yield kind(speaker=speaker, clock_map=clock_map, nursery=nursery)
        nursery.cancel_scope.cancel(reason="the test is over")
