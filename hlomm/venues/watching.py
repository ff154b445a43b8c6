"""Watching a venue without an account: what every venue's watcher is, and the part they share.

A watcher follows whatever the venue lists (within its configuration), asks for public data only and signs nothing. Its
inputs are those that a session would tell of markets; SessionUp and SessionDown bracket what may have been missed.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final, Protocol

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.inputs import Input, MarketListed, SessionDown, SessionUp
from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.liveness import Liveness, Verdict
from hlomm.venues.outlet import Outlet
from hlomm.venues.pacing import backoff_s
from hlomm.venues.protocol import Sink
from hlomm.venues.websocket import WebSocketLink

PAUSE_FLOOR_S: Final = 0.1
LIVENESS_FLOOR_S: Final = 0.05
NO_KEY: Final = bytes(31) + b"\x01"
"""Stands where a configuration wants a key. Nothing is ever signed with it: a watcher has no signer."""

PASSED_OVER_MAX: Final = 8_192

_log = structlog.get_logger("hlomm.venues")


class Watcher(Protocol):
    """One venue, watched."""

    @property
    def venue(self) -> VenueId: ...

    @property
    def counters(self) -> Counters: ...

    async def run(self, sink: Sink) -> None:
        """Connect and stay connected until cancelled."""


@attrs.define(eq=False)
class Choice:
    """Which of the listed markets are followed: patterns over id and ticker, such as `*15m*`."""

    patterns: tuple[str, ...] = ("*",)
    _passed_over: BoundedMap[MarketId, None] = attrs.field(factory=lambda: BoundedMap(PASSED_OVER_MAX))

    def keep(self, events: Sequence[Input]) -> list[Input]:
        """What is about the chosen markets, or about none."""
        kept: list[Input] = []
        for one in events:
            if isinstance(one, MarketListed) and not self._wants(one.market):
                self._passed_over.put(one.market.id, None)
            elif _market_of(one) not in self._passed_over:
                kept.append(one)
        return kept

    def _wants(self, market: Market) -> bool:
        names = (market.id, market.ticker)
        return any(fnmatchcase(name, pattern) for pattern in self.patterns for name in names)


def _market_of(item: Input) -> MarketId:
    market = getattr(item, "market", "")
    return market.id if isinstance(market, Market) else MarketId(market)


@attrs.frozen(kw_only=True)
class Patience:
    """How connections are tried again. Seconds of the venue's clock."""

    base_s: float
    cap_s: float
    stable_s: float


@attrs.define(eq=False)
class Standing:
    """Whether the watcher is up, told once for every change."""

    venue: VenueId
    outlet: Outlet
    up_since: int | None = None
    down: bool = False

    def up(self, mono_ns: int) -> None:
        self.up_since, self.down = mono_ns, False
        self.outlet.emit([SessionUp(self.venue)])

    def lost(self, reason: str, *, rest: bool) -> None:
        """The connection is lost, or did not come about."""
        self.up_since = None
        if not self.down:
            self.down = True
            _log.warning("watching interrupted", venue=self.venue, reason=reason)
            self.outlet.emit([SessionDown(self.venue, reason, rest)])


async def keep_alive(link: WebSocketLink, liveness: Liveness, clock: Clock, ping: str) -> None:
    """Ping, and drop a connection that does not answer."""
    while True:
        now = clock.read().mono_ns
        verdict = liveness.check(now)
        if verdict is Verdict.PING:
            try:
                link.send_nowait(ping)
            except (trio.WouldBlock, trio.BrokenResourceError):
                link.lose("the socket does not take frames as fast as they come")
        elif verdict is Verdict.DEAD:
            link.lose(f"no pong in {liveness.pong_within / NS_PER_S:g} s")
        await trio.sleep(max(liveness.wait(now) / NS_PER_S, LIVENESS_FLOOR_S))


async def every(clock: Clock, counters: Counters, venue_s: float, work: Callable[[], Awaitable[object]]) -> None:
    """Rounds of periodic work. One that the venue does not answer is counted; the next comes in its turn."""
    while True:
        await trio.sleep(max(clock.host_seconds(venue_s), PAUSE_FLOOR_S))
        try:
            await work()
        except VenueUnavailable:
            counters.add("rounds_failed")


async def stay_connected(
    standing: Standing, clock: Clock, patience: Patience, connect: Callable[[], Awaitable[tuple[str, bool]]]
) -> None:
    """Connect over and over. `connect` returns why its connection was lost and whether requests are answered."""
    jitter = random.Random(0)  # noqa: S311 - spreads reconnects, guards nothing
    failures = 0
    while True:
        try:
            reason, rest = await connect()
        except VenueUnavailable as error:
            reason, rest = str(error), False
        lived_ns = 0 if standing.up_since is None else clock.read().mono_ns - standing.up_since
        standing.lost(reason, rest=rest)
        failures = 0 if lived_ns >= seconds_to_ns(clock.host_seconds(patience.stable_s)) else failures + 1
        pause_s = backoff_s(
            max(failures - 1, 0), base_s=patience.base_s, cap_s=patience.cap_s, jitter=jitter.random()
        )  # fmt: skip
        await trio.sleep(max(clock.host_seconds(pause_s), PAUSE_FLOOR_S))
