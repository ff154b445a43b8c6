"""Which streams are wanted and which are acknowledged (venue sheet sections 1.1, 3 and the roll trap of 7.3). Pure.

Subscribing to the coin of a settled outcome is dropped in silence and may close the socket, so a market is asked for
only while it is listed and not past its settlement; what is no longer so is forgotten before a reconnect. Frames the
writer has no room for wait in a backlog that `flush` works off, so that following many markets at once loses none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg, MarketKind
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.limits import SUBSCRIPTIONS_MAX
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.wire import subscriptions as wire
from hlomm.venues.hyperliquid.wire.coins import coin_of
from hlomm.venues.hyperliquid.wire.frames import SubscriptionAck

SendText = Callable[[str], bool]

_STREAMS_PER_MARKET: Final = 3


@attrs.define(eq=False)
class Streams:
    """Wanted markets over the life of the session, pending acknowledgements of the current connection."""

    _user: str | None
    """Whose account is followed too; None: nobody's."""
    _registry: Registry
    _feed: MarketFeed
    _counters: Counters
    _perp_trades: bool
    _fast_marks: bool
    wanted: dict[MarketId, None] = attrs.field(factory=dict)
    _pending: dict[tuple[str, str | None], None] = attrs.field(factory=dict)
    _backlog: deque[str] = attrs.field(factory=lambda: deque(maxlen=2 * SUBSCRIPTIONS_MAX))

    def open_account(self, send: SendText) -> None:
        """Ask for the account's streams on a new connection, and for those of the venue as a whole."""
        self._pending.clear()
        self._backlog.clear()
        self._feed.reconnected()
        fast = self._fast_marks
        lasting = (
            wire.venue_streams(fast_marks=fast)
            if self._user is None
            else wire.account_streams(self._user, fast_marks=fast)
        )
        self._ask(lasting, send)

    def open_markets(self, send: SendText, wall_ns: int) -> None:
        """Ask again for every wanted market that still lives; the others are forgotten."""
        for market in list(self.wanted):
            if not self._registry.live_at(market, wall_ns):
                self._counters.add("dead_markets_not_resubscribed")
                self.forget(market)
        for market in list(self.wanted):
            self._ask(self._streams_of(market), send)

    def flush(self, send: SendText) -> None:
        """Send what waited for room."""
        while self._backlog and send(self._backlog[0]):
            self._backlog.popleft()

    def want(self, market: MarketId, send: SendText, wall_ns: int) -> None:
        """Follow a market from now on; a dead one, or one beyond the venue's limit, is counted and not followed."""
        if market in self.wanted:
            return
        if not self._registry.live_at(market, wall_ns):
            self._counters.add("subscribe_dead")
            return
        if len(self.wanted) >= SUBSCRIPTIONS_MAX // _STREAMS_PER_MARKET - _STREAMS_PER_MARKET:
            self._counters.add("subscribe_over_limit")
            return
        self.wanted[market] = None
        self._feed.follow(market)
        self._ask(self._streams_of(market), send)

    def unwant(self, market: MarketId, send: SendText) -> None:
        """Stop following a living market."""
        if market not in self.wanted:
            return
        for stream in self._streams_of(market):
            self._pending.pop(stream.key, None)
            self._send(wire.unsubscribe_frame(stream), send)
        self.forget(market)

    def forget(self, market: MarketId) -> None:
        """Stop following without a word: an ended outcome's streams end by themselves."""
        self.wanted.pop(market, None)
        self._feed.drop(market)

    def on_ack(self, ack: SubscriptionAck) -> None:
        if (ack.kind, ack.coin) in self._pending:
            del self._pending[ack.kind, ack.coin]
        elif ack.subscribed:
            self._counters.add("unexpected_acks")

    def unacknowledged(self) -> list[str]:
        """Streams asked for and not confirmed, account streams first."""
        return [kind if coin is None else f"{kind} {coin}" for kind, coin in self._pending]

    def account_acknowledged(self) -> bool:
        """Whether every stream that is not about one coin is confirmed."""
        return all(coin is not None for _, coin in self._pending)

    def _ask(self, streams: tuple[wire.Subscription, ...], send: SendText) -> None:
        for stream in streams:
            self._pending[stream.key] = None
            self._send(wire.subscribe_frame(stream), send)

    def _send(self, text: str, send: SendText) -> None:
        # Order matters: an unsubscription must not overtake the subscription it takes back.
        if self._backlog or not send(text):
            self._backlog.append(text)

    def _streams_of(self, market: MarketId) -> tuple[wire.Subscription, ...]:
        listed = self._registry.markets.get(market)
        coin = coin_of(market, Leg.YES)
        if listed is not None and listed.kind is MarketKind.PERP:
            return wire.perp_streams(coin, trades=self._perp_trades, marks=not self._fast_marks)
        return wire.outcome_streams(coin)
