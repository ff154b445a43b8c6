"""What a session does every so often: how long it waits in between, and what becomes of a round that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.times import NS_PER_S
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.liveness import Liveness, Verdict
from hlomm.venues.websocket import WebSocketLink

FLOOR_S: Final = 0.1
LIVENESS_FLOOR_S: Final = 0.05
"""Host seconds between two looks, however fast a simulation runs."""


@attrs.frozen
class Rounds:
    """Periodic work of one session."""

    _clock: Clock
    _counters: Counters
    _affords: Callable[[int], bool] = lambda _cost: True
    """Whether the budget of requests has room for optional work of that cost."""
    floor_s: float = FLOOR_S
    """Host seconds that are always waited."""

    def host_s(self, venue_s: float) -> float:
        """Venue seconds in host seconds, but never so few that a fast simulation turns a loop into a storm."""
        return max(self._clock.host_seconds(venue_s), self.floor_s)

    async def pause(self, venue_s: float) -> None:
        await trio.sleep(self.host_s(venue_s))

    async def every(self, venue_s: float, work: Callable[[], Awaitable[object]], cost: int = 0) -> None:
        """A round after every pause, for ever."""
        while True:
            await self.pause(venue_s)
            await self.attempt(work, cost)

    async def attempt(self, work: Callable[[], Awaitable[object]], cost: int = 0) -> bool:
        """One round of periodic work if the budget affords it; whether it was done."""
        await trio.lowlevel.checkpoint()
        if not self._affords(cost):
            self._counters.add("rounds_skipped")
            return False
        try:
            await work()
        except VenueUnavailable:
            self._counters.add("rounds_failed")
            return False
        return True


async def keep_alive(link: WebSocketLink, liveness: Liveness, clock: Clock, ping: Callable[[], None]) -> None:
    """Ping, and drop a connection that does not answer. `ping` raises nothing: it loses the link if it has to."""
    while True:
        now = clock.read().mono_ns
        verdict = liveness.check(now)
        if verdict is Verdict.PING:
            ping()
        elif verdict is Verdict.DEAD:
            link.lose(f"no pong in {liveness.pong_within / NS_PER_S:g} s")
        await trio.sleep(max(liveness.wait(now) / NS_PER_S, LIVENESS_FLOOR_S))


def text_ping(link: WebSocketLink, text: str, counters: Counters) -> Callable[[], None]:
    """For venues that answer a text of their own."""

    def ping() -> None:
        counters.add("pings")
        try:
            link.send_nowait(text)
        except trio.WouldBlock:
            link.lose("the socket does not take frames as fast as they come")
        except trio.BrokenResourceError:
            pass  # it is lost already, and whoever runs it is told

    return ping
