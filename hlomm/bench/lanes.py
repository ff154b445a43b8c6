"""Three lanes of book events, one for each venue, into the connections that a client has made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

import trio

from hlomm.bench import streams
from hlomm.bench.frames import BOOK, Frame, across
from hlomm.bench.pace import Pace
from hlomm.bench.serve import Server, spread
from hlomm.daemon.histogram import Histogram
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.clock import VenueClock
from hlomm.sim.hl.peers import Lane as Way
from hlomm.sim.kalshi.channels import Channel, Subscription
from hlomm.sim.kalshi.hub import Hub as KalshiHub
from hlomm.sim.kalshi.venue import KalshiVenue
from hlomm.sim.pm.hub import MarketListener
from hlomm.sim.speak_kalshi import KalshiSpeaker
from hlomm.sim.speak_polymarket import PolymarketSpeaker

Json = dict[str, Any]


class Lane(Protocol):
    """One venue's feed. `send` is called by one task only."""

    def follows(self) -> int:
        """Markets of ours that the client follows at the moment."""

    async def send(self, events: int) -> int:
        """So many book events, and what rides along; returns how many frames that were."""


async def run(lane: Lane, pace: Pace) -> Json:
    """Send events when they are due; what was sent and how late.

    A lane that fell behind sends what is overdue; one whose client has left ends.
    """
    sent = frames = 0
    late = Histogram()
    while sent < pace.events and lane.follows():
        now_ns = time.monotonic_ns()
        due = pace.due_by(now_ns)
        if due > sent:
            late.add(now_ns - pace.due_ns(sent))
            try:
                frames += await lane.send(due - sent)
            except trio.BrokenResourceError:
                break
            sent = due
            await trio.lowlevel.checkpoint()
        else:
            await trio.sleep((pace.due_ns(sent) - now_ns) / NS_PER_S)
    return {"events": sent, "frames": frames, "late": spread(late)}


# -- Hyperliquid


class HyperliquidLane:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._frames = across(server.venue.coins, server.venue.price)

    def follows(self) -> int:
        return len(self._server.venue.coins) if self._server.links else 0

    async def send(self, events: int) -> int:
        wall_ms, payloads, books = _now_ms(), list[bytes](), 0
        while books < events:
            one = next(self._frames)
            books += one.kind == BOOK
            payloads.append(one.at(wall_ms))
        await self._server.links[-1].send(payloads)
        return len(payloads)


# -- Polymarket


class FedPolymarket(PolymarketSpeaker):
    """The simulated venue; what it tells of books is not its own."""

    @property
    def listener(self) -> MarketListener | None:
        """The newest connection to the market stream."""
        return next(reversed(self._hub.public), None)


class PolymarketLane:
    """A new connection is told whole books first."""

    def __init__(self, speaker: FedPolymarket, periods: tuple[str, ...]) -> None:
        self._speaker = speaker
        self._periods = periods
        self._told: MarketListener | None = None
        self._changes: Iterator[Frame] = iter(())
        self._prints: Iterator[Frame] = iter(())
        self._count = 0

    def follows(self) -> int:
        listener = self._speaker.listener
        return 0 if listener is None else len(self._tokens(listener))

    def _tokens(self, listener: MarketListener) -> list[streams.Tokens]:
        found = []
        for market in self._speaker.venue.exchange.markets.values():
            spec = market.spec
            if spec.period in self._periods and listener.tokens.issuperset(spec.tokens):
                found.append(streams.Tokens(spec.condition, *spec.tokens))
        return found

    async def send(self, events: int) -> int:
        await trio.lowlevel.checkpoint()
        listener, begun = self._speaker.listener, self._count
        assert listener is not None, "nobody follows Polymarket"
        now_ns, wall_ms, peer = self._speaker.clock.now_ns(), _now_ms(), listener.peer
        if listener is not self._told:
            self._begin(listener, now_ns)
        for _ in range(events):
            peer.push(next(self._changes).at(wall_ms), now_ns, Way.STREAM)
            self._count += 1
            if self._count % streams.PRINT_EVERY == 0:
                peer.push(next(self._prints).at(wall_ms), now_ns, Way.STREAM)
        return events + self._count // streams.PRINT_EVERY - begun // streams.PRINT_EVERY

    def _begin(self, listener: MarketListener, now_ns: int) -> None:
        self._told, of = listener, self._tokens(listener)
        for tokens in of:
            listener.peer.push(streams.polymarket_book(tokens).at(_now_ms()), now_ns, Way.STREAM)
        self._changes = streams.interleaved([streams.polymarket_changes(tokens) for tokens in of])
        self._prints = streams.interleaved([streams.polymarket_prints(tokens) for tokens in of])


# -- Kalshi


class FedHub(KalshiHub):
    """Tells which subscription to books is the newest."""

    books: Subscription | None = None

    def join(self, subscription: Subscription) -> None:
        super().join(subscription)
        if subscription.channel is Channel.ORDERBOOK:
            self.books = subscription

    def leave(self, subscription: Subscription) -> None:
        super().leave(subscription)
        if subscription is self.books:
            self.books = None


class FedKalshi(KalshiSpeaker):
    """The simulated venue; what it tells of books is not its own."""

    def __init__(self, venue: KalshiVenue, clock: VenueClock) -> None:
        super().__init__(venue, clock)
        self._hub: FedHub = FedHub(venue)

    @property
    def books(self) -> Subscription | None:
        return self._hub.books


class KalshiLane:
    """A new subscription is told whole books first. Its numbers are those that the venue goes on with."""

    def __init__(self, speaker: FedKalshi, least_close_ns: int) -> None:
        self._speaker = speaker
        self._least_close_ns = least_close_ns
        self._told: Subscription | None = None
        self._changes: Iterator[Json] = iter(())

    def follows(self) -> int:
        books = self._speaker.books
        return 0 if books is None else len(self._tickers(books))

    def _tickers(self, books: Subscription) -> list[str]:
        markets = self._speaker.venue.exchange.markets
        wanted = [one for one in books.tickers or () if one in markets]
        return [one for one in wanted if markets[one].close_ns >= self._least_close_ns]

    async def send(self, events: int) -> int:
        await trio.lowlevel.checkpoint()
        books, now_ns, wall_ms = self._speaker.books, self._speaker.clock.now_ns(), _now_ms()
        assert books is not None, "nobody follows Kalshi"
        if books is not self._told:
            self._begin(books, now_ns)
        for _ in range(events):
            books.frame("orderbook_delta", next(self._changes) | {"ts_ms": wall_ms}, now_ns)
        return events

    def _begin(self, books: Subscription, now_ns: int) -> None:
        tickers, markets = self._tickers(books), self._speaker.venue.exchange.markets
        self._told, stamp, yes_price = books, datetime.now(UTC).isoformat(), books.yes_price
        for one in tickers:
            message = streams.kalshi_book(one, markets[one].market_id, yes_price=yes_price)
            books.frame("orderbook_snapshot", message, now_ns)
        self._changes = streams.interleaved(
            [streams.kalshi_changes(one, markets[one].market_id, stamp, yes_price=yes_price) for one in tickers]
        )


def _now_ms() -> int:
    return time.time_ns() // NS_PER_MS
