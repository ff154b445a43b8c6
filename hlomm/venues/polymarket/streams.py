"""Which markets are followed on the market channel (venue sheet section 8). Pure.

Both tokens of a market are asked for: each tells the whole book, but a trade is printed on one of them only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.venues.counters import Counters
from hlomm.venues.polymarket.market_feed import MarketFeed
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.wire import requests

SendText = Callable[[str], bool]

MARKETS_MAX: Final = requests.ASSETS_PER_FRAME // 2
BACKLOG_MAX: Final = 1_024


@attrs.define(eq=False)
class Streams:
    """Wanted markets over the life of the session."""

    _registry: Registry
    _feed: MarketFeed
    _counters: Counters
    send: SendText | None = None
    """Takes a text frame for the connection under way; False if it has no room. None without a connection."""
    wanted: dict[MarketId, None] = attrs.field(factory=dict)
    _greeted: bool = False
    _backlog: deque[str] = attrs.field(factory=lambda: deque(maxlen=BACKLOG_MAX))

    def opened(self, send: SendText, wall_ns: int) -> None:
        """A new connection: ask again for everything that still lives."""
        self.send, self._greeted = send, False
        self._backlog.clear()
        self._feed.reconnected()
        for market in list(self.wanted):
            if not self._registry.live(market, wall_ns):
                self._counters.add("dead_markets_not_resubscribed")
                self.forget(market)
        if self.wanted:
            self._greet()

    def closed(self) -> None:
        self.send = None

    def want(self, market: MarketId, wall_ns: int) -> None:
        """Follow a market from now on; a dead one, or one beyond the venue's limit, is counted and not followed."""
        if market in self.wanted:
            return
        if not self._registry.live(market, wall_ns):
            self._counters.add("subscribe_dead")
            return
        if len(self.wanted) >= MARKETS_MAX:
            self._counters.add("subscribe_over_limit")
            return
        self.wanted[market] = None
        self._feed.follow(market)
        if self._greeted:
            self._say(requests.market_change(self._assets(market), subscribe=True))
        else:
            self._greet()

    def unwant(self, market: MarketId) -> None:
        if market in self.wanted:
            self._say(requests.market_change(self._assets(market), subscribe=False))
            self.forget(market)

    def forget(self, market: MarketId) -> None:
        self.wanted.pop(market, None)
        self._feed.forget(market)

    def flush(self) -> None:
        """Send what waited for room."""
        while self._backlog and self.send is not None and self.send(self._backlog[0]):
            self._backlog.popleft()

    def _greet(self) -> None:
        """The first frame of a connection names its assets; without any there is nothing to say yet."""
        if self.send is not None:
            self._greeted = True
            self._say(requests.market_hello([one for market in self.wanted for one in self._assets(market)]))

    def _say(self, text: str) -> None:
        # Order matters: an unsubscription must not overtake the subscription it takes back.
        if self.send is not None and (self._backlog or not self.send(text)):
            self._backlog.append(text)

    def _assets(self, market: MarketId) -> list[str]:
        known = self._registry.known(market)
        return [] if known is None else [known.yes, known.no]
