"""Websocket messages to inputs: decode, merge, hand on, in one synchronous step per message.

Called from the sockets' drain tasks and nowhere else. It never awaits and never raises for the venue's sake: what
cannot be read is counted, and where it was private news the account is doubted, which brings the next reconciliation
forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from hlomm.domain.ids import POLYMARKET
from hlomm.domain.inputs import AccountDoubted, Input
from hlomm.venues.anomalies import Anomaly
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.liveness import Liveness
from hlomm.venues.polymarket.account_feed import AccountFeed
from hlomm.venues.polymarket.market_feed import MarketFeed
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.roll import MarketRoll
from hlomm.venues.polymarket.wire import market_frames, user_frames
from hlomm.venues.polymarket.wire.account_rows import OrderNews, Standing, TradeNews
from hlomm.venues.polymarket.wire.books import TokenBook
from hlomm.venues.polymarket.wire.market_frames import (
    LastTrade,
    MarketEvent,
    NewMarket,
    PriceChanges,
    Resolved,
    TickChange,
    Touch,
)

_DOUBTFUL: Final = frozenset({Standing.UNCLEAR})


@attrs.define(eq=False)
class Inbox:
    """Routes decoded events to the state they concern."""

    _clock: Clock
    _counters: Counters
    _rest: PolymarketRest
    _market_feed: MarketFeed
    _account_feed: AccountFeed
    _roll: MarketRoll
    _emit: Callable[[Sequence[Input], int], None]
    market_liveness: Liveness | None = None
    user_liveness: Liveness | None = None
    doubted: trio.Event = attrs.field(factory=trio.Event)
    """Set when the account should be read again before its turn."""
    listed: trio.Event = attrs.field(factory=trio.Event)
    """Set when the venue tells of a new market."""

    def connected(self, market: Liveness, user: Liveness) -> None:
        self.market_liveness, self.user_liveness = market, user

    def doubt(self) -> None:
        self.doubted.set()

    # -- market channel

    def on_market(self, message: str | bytes, received_ns: int) -> None:
        """Carry one message of the market channel through to the sink. `received_ns` is host time."""
        decoded = market_frames.decode_market(message)
        self._counters.note(decoded.anomalies, "market channel")
        for condition in decoded.spoilt:
            self._market_feed.spoil(condition)
        events: list[Input] = []
        for event in decoded.events:
            if isinstance(event, market_frames.Pong):
                if self.market_liveness is not None:
                    self.market_liveness.on_pong()
            else:
                if self.market_liveness is not None:
                    self.market_liveness.on_data(received_ns)
                events += self._market_event(event)
        self._emit(events, received_ns)

    def _market_event(self, event: MarketEvent) -> list[Input]:
        match event:
            case TokenBook():
                return self._market_feed.on_book(event)
            case PriceChanges():
                return self._market_feed.on_changes(event)
            case LastTrade():
                return self._market_feed.on_trade(event)
            case TickChange():
                news = self._roll.tick_changed(event.condition, event.new)
                self._market_feed.drop_of(event.token, "tick")
                return news
            case Resolved():
                return self._roll.resolved(event)
            case NewMarket():
                self._counters.add("markets_announced")
                self.listed.set()
                return []
            case Touch() | market_frames.Pong():
                return []  # every change of the touch comes with the change of a level

    # -- user channel

    def on_user(self, message: str | bytes, received_ns: int) -> None:
        """Carry one message of the user channel through to the sink."""
        decoded = user_frames.decode_user(message, self._rest.me)
        if decoded.anomalies:
            self._refuse(decoded.anomalies, received_ns)
        events: list[Input] = []
        for event in decoded.events:
            if isinstance(event, user_frames.Pong):
                if self.user_liveness is not None:
                    self.user_liveness.on_pong()
            else:
                if self.user_liveness is not None:
                    self.user_liveness.on_data(received_ns)
                events += self._user_event(event)
        self._emit(events, received_ns)

    def _user_event(self, event: OrderNews | TradeNews) -> list[Input]:
        if isinstance(event, OrderNews):
            news = self._account_feed.on_order(event)
            if not news or event.standing in _DOUBTFUL:
                self.doubt()
            return news
        news = self._account_feed.on_trade(event)
        if event.id in self._account_feed.unplaced:
            self.doubt()
        return news

    def _refuse(self, anomalies: Sequence[Anomaly], received_ns: int) -> None:
        self._counters.note(anomalies, "user channel")
        self._counters.add("account_doubted")
        self.doubt()
        self._emit([AccountDoubted(POLYMARKET, f"unreadable news ({anomalies[0].kind})")], received_ns)
