"""From steps to frames: who hears what of the market and user streams (venue sheet 8 and 9)."""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_MS
from hlomm.sim.hl.peers import Lane, Peer
from hlomm.sim.pm import rows
from hlomm.sim.pm.events import Listed, OrderChanged, Printed, Resolved, TickChanged, TradeChanged
from hlomm.sim.pm.faults import PmFault
from hlomm.sim.pm.keys import ApiKey
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.prices import Prices
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.pm.world import Commit

Json = dict[str, Any]
_LEGS: Final = (Leg.YES, Leg.NO)


@attrs.define(eq=False)
class MarketListener:
    """A connection to the market stream."""

    peer: Peer
    tokens: set[str] = attrs.field(factory=set)
    custom: bool = False
    """Whether it asked for the further event types."""


@attrs.define(eq=False)
class UserListener:
    """A connection to the user stream; no markets means all of them."""

    peer: Peer
    key: ApiKey
    markets: set[str] = attrs.field(factory=set)


class Hub:
    """All connections of one venue. Listens step by step."""

    def __init__(self, venue: PolymarketVenue) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._feed_ns = int(venue.config.polymarket.feed_ms * NS_PER_MS)
        self.public: dict[MarketListener, None] = {}
        self.users: dict[UserListener, None] = {}
        self.frames = 0
        self._touches: dict[str, tuple[str, str]] = {}
        self.prices = Prices(venue)
        venue.listener = self.on_commit

    def welcome(self, listener: MarketListener, tokens: list[str], now_ns: int) -> None:
        """Snapshots of the books that were asked for, in one array; an empty array if there are none."""
        now_ms = now_ns // NS_PER_MS
        found = [self._exchange.by_token[token] for token in tokens if token in self._exchange.by_token]
        events = [rows.book_event(market, leg, now_ms) for market, leg in found if market.open]
        self._push(listener.peer, msgspec.json.encode(events), now_ns)

    def on_commit(self, commit: Commit) -> None:
        if self.public:
            self._tell_public(commit)
        if self.users:
            self._tell_users(commit)
        self.prices.on_step(commit.time_ns)

    def _push(self, peer: Peer, payload: bytes, now_ns: int) -> None:
        peer.push(payload, now_ns + self._feed_ns, Lane.STREAM)
        self.frames += 1

    # -- market stream

    def _tell_public(self, commit: Commit) -> None:
        now_ms = commit.time_ns // NS_PER_MS
        for market in commit.touched:
            listeners = [one for one in self.public if not one.tokens.isdisjoint(market.spec.tokens)]
            if listeners:
                self._tell_market(market, listeners, commit, now_ms)
        for event in commit.events:
            match event:
                case Listed(market):
                    self._tell_custom(new_market(market, now_ms), commit)
                case Resolved(market):
                    for token in market.spec.tokens:
                        self._touches.pop(token, None)
                    if self._venue.faults.take(PmFault.RESOLVED_UNTOLD) is None:
                        self._tell_custom(rows.resolved(market, now_ms), commit)
                case _:
                    pass

    def _tell_custom(self, row: Json, commit: Commit) -> None:
        payload = msgspec.json.encode(row)
        for listener in list(self.public):
            if listener.custom:
                self._push(listener.peer, payload, commit.time_ns)

    def _tell_market(self, market: Market, listeners: list[MarketListener], commit: Commit, now_ms: int) -> None:
        """One frame of changed levels, then the prints, then whole books after trades."""
        changes: dict[frozenset[str], bytes | None] = {}
        tail = self._after_changes(market, commit, now_ms)
        moved = self._moved(market)
        for listener in listeners:
            wanted = frozenset(listener.tokens.intersection(market.spec.tokens))
            if wanted not in changes:
                row = rows.price_changes(market, set(wanted), now_ms)
                changes[wanted] = None if row is None else msgspec.json.encode(row)
            payload = changes[wanted]
            if payload is not None and self._venue.faults.take(PmFault.DELTA_LOST) is None:
                self._push(listener.peer, payload, commit.time_ns)
            for token, frame in tail:
                if token in wanted:
                    self._push(listener.peer, frame, commit.time_ns)
            for leg in moved if listener.custom else ():
                if market.spec.tokens[leg] in wanted:
                    frame = msgspec.json.encode(rows.best_bid_ask(market, leg, now_ms))
                    self._push(listener.peer, frame, commit.time_ns)

    def _after_changes(self, market: Market, commit: Commit, now_ms: int) -> list[tuple[str, bytes]]:
        tail: list[tuple[str, bytes]] = []
        tokens = market.spec.tokens
        for event in commit.events:
            match event:
                case Printed(trade) if trade.number == market.number:
                    row = rows.last_trade(market, trade)
                    tail.append((row["asset_id"], msgspec.json.encode(row)))
                case TickChanged(changed, old, new) if changed is market:
                    for leg in _LEGS:
                        row = rows.tick_change(market, leg, old, new, now_ms)
                        tail.append((tokens[leg], msgspec.json.encode(row)))
                case _:
                    pass
        if market.traded:
            tail += [(tokens[leg], msgspec.json.encode(rows.book_event(market, leg, now_ms))) for leg in _LEGS]
        return tail

    def _moved(self, market: Market) -> list[Leg]:
        """Tokens whose best prices are not what was last told."""
        moved = []
        for leg in _LEGS:
            token, touch = market.spec.tokens[leg], rows.touch(market, leg)
            if market.open and self._touches.get(token) != touch:
                self._touches[token] = touch
                moved.append(leg)
        return moved

    # -- user stream

    def _tell_users(self, commit: Commit) -> None:
        for event in commit.events:
            match event:
                case OrderChanged():
                    market = self._exchange.markets[event.order.new.number]
                    payload = msgspec.json.encode(rows.order_event(market, event))
                    for user in self._followers(market, {event.order.new.owner}):
                        self._push(user.peer, payload, commit.time_ns)
                case TradeChanged():
                    market = self._exchange.markets[event.trade.number]
                    owners = {event.trade.taker.new.owner, *(fill.order.new.owner for fill in event.trade.makers)}
                    for user in self._followers(market, owners):
                        payload = msgspec.json.encode(rows.trade_event(market, event, user.key.id))
                        self._push(user.peer, payload, commit.time_ns)
                case _:
                    pass

    def _followers(self, market: Market, owners: set[str]) -> list[UserListener]:
        return [
            user
            for user in self.users
            if user.key.id in owners and (not user.markets or market.spec.condition in user.markets)
        ]


def new_market(market: Market, now_ms: int) -> Json:
    """The `new_market` frame, sent to everybody with the custom features."""
    spec = market.spec
    return {
        "event_type": "new_market",
        "id": str(spec.number),
        "question": spec.question,
        "market": spec.condition,
        "slug": spec.slug,
        "description": spec.description,
        "assets_ids": list(spec.tokens),
        "outcomes": list(spec.outcomes),
        "event_message": {
            "id": str(100_000 + spec.number),
            "ticker": spec.event_slug,
            "slug": spec.event_slug,
            "title": spec.event_title,
            "description": spec.description,
        },
        "timestamp": str(now_ms),
        "tags": ["crypto", "bitcoin"],
        "condition_id": spec.condition,
        "active": True,
        "clob_token_ids": list(spec.tokens),
        "sports_market_type": "",
        "line": "",
        "game_start_time": "",
        "order_price_min_tick_size": f"{market.tick / 10_000:g}",
        "group_item_title": spec.group_title,
        "fees_enabled": market.fee_rate > 0,
        "fee_schedule": {
            "rate": f"{market.fee_rate / 10**8:g}",
            "exponent": str(market.fee_exponent),
            "taker_only": True,
            "rebate_rate": f"{market.rebate_rate:g}",
        },
    }
