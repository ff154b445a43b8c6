"""Watching a venue without an account: what every venue's watcher is, and the part they share.

A watcher follows whatever the venue lists (within its configuration), asks for public data only and signs nothing. Its
inputs are those that a session would tell of markets; SessionUp and SessionDown bracket what may have been missed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final, Protocol

import attrs
import structlog

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.inputs import Input, MarketListed, SessionDown, SessionUp
from hlomm.domain.markets import Market
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.outlet import Outlet
from hlomm.venues.protocol import Sink
from hlomm.venues.reconnecting import Reconnects
from hlomm.venues.rounds import Rounds

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


@attrs.define(eq=False)
class Standing:
    """Connects over and over; whether the watcher is up is told once for every change."""

    venue: VenueId
    outlet: Outlet
    rounds: Rounds
    reconnects: Reconnects
    clock: Clock
    up_since: int | None = None
    down: bool = False

    async def stay_connected(self, connect: Callable[[], Awaitable[tuple[str, bool]]]) -> None:
        """For ever. `connect` returns why its connection was lost and whether requests are answered."""
        while True:
            try:
                reason, rest = await connect()
            except VenueUnavailable as error:
                reason, rest = str(error), False
            lived_ns = 0 if self.up_since is None else self.clock.read().mono_ns - self.up_since
            self.lost(reason, rest=rest)
            await self.rounds.pause(self.reconnects.pause_s(lived_ns))

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
