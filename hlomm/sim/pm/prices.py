"""The price stream that shows what markets settle on, once a second (venue sheet 14, RTDS)."""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, to_fixed
from hlomm.sim.hl.peers import Lane, Peer
from hlomm.sim.pm.source import Source
from hlomm.sim.pm.venue import PolymarketVenue

Json = dict[str, Any]

EXCHANGE_TOPIC: Final = "crypto_prices"
POINT_TOPIC: Final = "crypto_prices_chainlink"
AVERAGE_TOPIC: Final = "crypto_prices_twap_sixty"
_SYMBOLS: Final = {EXCHANGE_TOPIC: "btcusdt", POINT_TOPIC: "btc/usd", AVERAGE_TOPIC: "btc/usd"}
_SNAPSHOT_S: Final = 60
_CHAINLINK_UNITS: Final = 10**10
"""From 1e-8 to the 1e-18 of full accuracy."""


@attrs.define(eq=False)
class Listener:
    """A connection to the price stream and the topics it wants."""

    peer: Peer
    topics: set[str] = attrs.field(factory=set)


class Prices:
    """All connections. `on_step` is called after each step of the venue."""

    def __init__(self, venue: PolymarketVenue) -> None:
        self._source: Source = venue.world.source
        self._feed_ns = int(venue.config.polymarket.feed_ms * NS_PER_MS)
        self._told_s = 0
        self.listeners: dict[Listener, None] = {}

    def on_step(self, now_ns: int) -> None:
        """Tell of the sample of a new second."""
        [(second, _)] = self._source.latest(1)
        if second == self._told_s or not self.listeners:
            return
        self._told_s = second
        for topic in _SYMBOLS:
            listeners = [one for one in self.listeners if topic in one.topics]
            if listeners:
                payload = self._frame(topic, "update", now_ns, self._point(topic, second))
                for listener in listeners:
                    listener.peer.push(payload, now_ns + self._feed_ns, Lane.STREAM)

    def subscribe(self, listener: Listener, topics: list[str], now_ns: int) -> None:
        """Follow topics; each begins with what was told of late. Unknown ones stay silent."""
        self.listeners[listener] = None
        for topic in topics:
            if topic in _SYMBOLS and topic not in listener.topics:
                listener.topics.add(topic)
                points = [self._point(topic, second) for second, _ in self._source.latest(_SNAPSHOT_S)]
                data = [{"timestamp": point["timestamp"], "value": point["value"]} for point in points]
                snapshot = {"symbol": _SYMBOLS[topic], "data": data}
                payload = self._frame(topic, "subscribe", now_ns, snapshot)
                listener.peer.push(payload, now_ns + self._feed_ns, Lane.STREAM)

    def _point(self, topic: str, second: int) -> Json:
        window_s = 60 if topic == AVERAGE_TOPIC else 1
        price = self._source.average(second * NS_PER_S, window_s)
        accurate = to_fixed(price, 8) if topic == EXCHANGE_TOPIC else str(price * _CHAINLINK_UNITS)
        return {
            "symbol": _SYMBOLS[topic],
            "timestamp": second * 1000,
            "value": price / SCALE,
            "full_accuracy_value": accurate,
        }

    @staticmethod
    def _frame(topic: str, kind: str, now_ns: int, payload: Json) -> bytes:
        return msgspec.json.encode({"topic": topic, "type": kind, "timestamp": now_ns // NS_PER_MS, "payload": payload})


class PriceSession:
    """One conversation on the price stream."""

    def __init__(self, prices: Prices, peer: Peer) -> None:
        self._prices = prices
        self._peer = peer
        self._listener = Listener(peer)

    def open(self, now_ns: int) -> None:
        """The venue greets nobody."""

    def close(self) -> None:
        self._prices.listeners.pop(self._listener, None)

    def receive(self, text: str, now_ns: int) -> None:
        if text == "PING":
            self._peer.push(b"PONG", now_ns, Lane.REPLY)
            return
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return
        wanted = message.get("subscriptions") if isinstance(message, dict) else None
        if not isinstance(wanted, list):
            return
        topics = [str(one.get("topic")) for one in wanted if isinstance(one, dict)]
        if message.get("action") == "subscribe":
            self._prices.subscribe(self._listener, topics, now_ns)
        elif message.get("action") == "unsubscribe":
            self._listener.topics.difference_update(topics)
