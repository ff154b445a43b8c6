"""Books of the followed markets from snapshots and deltas, one per market, in YES space. Pure.

Theory of operation. The stream has no sequence numbers and no gap signal. What it has: deltas carry absolute sizes, so
applying one twice is harmless, and they name the best prices that result, so a book that has drifted shows at its top.
A book whose top differs from what a delta says is dropped at once and asked for over REST; until then its market has
none. Deltas that come before the first snapshot wait for it. Both tokens of a market tell the same book; the NO token's
rows are mirrored.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.ids import MarketId, polymarket_market
from hlomm.domain.inputs import BookSnapshot, BookSource, Input, Level, TradePrint
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, complement
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.wire.books import TokenBook
from hlomm.venues.polymarket.wire.market_frames import ANY_BOOK, LastTrade, LevelChange, PriceChanges

WAITING_MAX: Final = 256
PRINTS_REMEMBERED: Final = 8_192


@attrs.define(eq=False)
class _Half:
    """One side: prices ascending, and the size at each."""

    prices: list[int] = attrs.field(factory=list)
    sizes: dict[int, int] = attrs.field(factory=dict)

    def load(self, levels: Sequence[Level]) -> None:
        self.sizes = dict(levels)
        self.prices = sorted(self.sizes)

    def set(self, px: int, qty: int) -> None:
        if qty:
            if px not in self.sizes:
                self.prices.insert(bisect_left(self.prices, px), px)
            self.sizes[px] = qty
        elif self.sizes.pop(px, None) is not None:
            del self.prices[bisect_left(self.prices, px)]


@attrs.define(eq=False)
class MarketBook:
    """The book of one market in YES space."""

    bids: _Half = attrs.field(factory=_Half)
    asks: _Half = attrs.field(factory=_Half)
    ready: bool = False
    venue_ms: int = 0
    changes: int = 0
    """How often it was told anything: a book that is compared must not change meanwhile."""
    waiting: list[PriceChanges] = attrs.field(factory=list)

    @property
    def best_bid(self) -> int | None:
        return self.bids.prices[-1] if self.bids.prices else None

    @property
    def best_ask(self) -> int | None:
        return self.asks.prices[0] if self.asks.prices else None

    def levels(self, depth: int | None = None) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Both sides, best first."""
        bids, asks = self.bids.prices[::-1], self.asks.prices
        if depth is not None:
            bids, asks = bids[:depth], asks[:depth]
        return (
            tuple((px, self.bids.sizes[px]) for px in bids),
            tuple((px, self.asks.sizes[px]) for px in asks),
        )

    def drop(self) -> None:
        self.ready = False
        self.waiting.clear()


def in_yes_space(book: TokenBook, leg: Leg) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Bids and asks of a token's book as the market's."""
    if leg is Leg.YES:
        return book.bids, book.asks
    return _mirrored(book.asks), _mirrored(book.bids)


def _mirrored(levels: Sequence[Level]) -> tuple[Level, ...]:
    return tuple((SCALE - px, size) for px, size in levels)


@attrs.define(eq=False)
class MarketFeed:
    """State of the market channel."""

    _registry: Registry
    _counters: Counters
    _depth: int
    books: dict[MarketId, MarketBook] = attrs.field(factory=dict)
    broken: dict[MarketId, None] = attrs.field(factory=dict)
    """Books that were dropped and must be asked for."""
    _seen: BoundedMap[str, None] = attrs.field(factory=lambda: BoundedMap(PRINTS_REMEMBERED))

    def follow(self, market: MarketId) -> None:
        self.books[market] = MarketBook()

    def forget(self, market: MarketId) -> None:
        self.books.pop(market, None)
        self.broken.pop(market, None)

    def reconnected(self) -> None:
        """The stream starts anew: every book waits for its snapshot."""
        for book in self.books.values():
            book.drop()
        self.broken.clear()

    def drop(self, market: MarketId, why: str) -> None:
        """A book that cannot be believed: nothing is told of it until it is read again."""
        book = self.books.get(market)
        if book is not None:
            self._counters.add(f"books_dropped.{why}")
            book.drop()
            self.broken[market] = None

    def drop_of(self, asset: str, why: str) -> None:
        """As `drop`, by one of the market's tokens."""
        token = self._registry.token(asset)
        if token is not None:
            self.drop(token.market, why)

    def spoil(self, condition: str) -> None:
        """A change could not be read: the book of that market lacks it, or any book if it is `ANY_BOOK`.

        Below the top nothing would ever show it.
        """
        of = list(self.books) if condition == ANY_BOOK else [polymarket_market(condition)]
        for market in of:
            self.drop(market, "unreadable")

    # -- what comes

    def on_book(self, told: TokenBook, source: BookSource = BookSource.STREAM) -> list[Input]:
        token = self._registry.token(told.token)
        book = None if token is None else self.books.get(token.market)
        if token is None or book is None:
            self._counters.add("unsubscribed.book")
            return []
        if token.leg is Leg.NO and book.ready and source is BookSource.STREAM:
            return []  # the YES token told the same
        if book.ready and told.venue_ms < book.venue_ms:
            self._counters.add("stale.book")
            return []
        bids, asks = in_yes_space(told, token.leg)
        book.bids.load(bids)
        book.asks.load(asks)
        book.ready, book.venue_ms = True, told.venue_ms
        book.changes += 1
        self.broken.pop(token.market, None)
        waiting, book.waiting = book.waiting, []
        for change in waiting:
            if change.venue_ms >= told.venue_ms and not self._apply(token.market, book, change):
                return []
        return [self._snapshot(token.market, book, source)]

    def on_changes(self, told: PriceChanges) -> list[Input]:
        news: list[Input] = []
        for market, changes in self._by_market(told).items():
            book = self.books[market]
            frame = PriceChanges(told.condition, changes, told.venue_ms)
            if not book.ready:
                if len(book.waiting) < WAITING_MAX:
                    book.waiting.append(frame)
                else:
                    self._counters.add("changes_not_kept")
            elif told.venue_ms < book.venue_ms:
                self._counters.add("stale.price_change")
            elif self._apply(market, book, frame):
                news.append(self._snapshot(market, book, BookSource.STREAM))
        return news

    def _by_market(self, told: PriceChanges) -> dict[MarketId, tuple[LevelChange, ...]]:
        found: dict[MarketId, tuple[LevelChange, ...]] = {}
        for change in told.changes:
            token = self._registry.token(change.token)
            if token is None or token.market not in self.books:
                self._counters.add("unsubscribed.price_change")
            else:
                found[token.market] = (*found.get(token.market, ()), change)
        return found

    def _apply(self, market: MarketId, book: MarketBook, told: PriceChanges) -> bool:
        """Take a frame in; False if the book then does not have the top that the frame names."""
        last: LevelChange | None = None
        for change in told.changes:
            yes = self._leg(change) is Leg.YES
            # A bid for NO at p is an offer of YES at 1 - p.
            half = book.bids if (change.side is Side.BUY) == yes else book.asks
            half.set(change.px if yes else complement(change.px), change.qty)
            last = change
        book.venue_ms = max(book.venue_ms, told.venue_ms)
        book.changes += 1
        if last is None or self._top_agrees(book, last):
            return True
        self.drop(market, "top")
        return False

    def _top_agrees(self, book: MarketBook, told: LevelChange) -> bool:
        bid, ask = told.best_bid, told.best_ask
        if self._leg(told) is Leg.NO:
            bid, ask = (None if one is None else complement(one) for one in (ask, bid))
        crossed = book.best_bid is not None and book.best_ask is not None and book.best_bid >= book.best_ask
        return not crossed and (bid, ask) == (book.best_bid, book.best_ask)

    def _leg(self, change: LevelChange) -> Leg:
        token = self._registry.token(change.token)
        assert token is not None
        return token.leg

    def on_trade(self, told: LastTrade) -> list[Input]:
        token = self._registry.token(told.token)
        if token is None or token.market not in self.books:
            self._counters.add("unsubscribed.last_trade_price")
            return []
        yes = token.leg is Leg.YES
        px = Px(told.px) if yes else complement(told.px)
        side = told.aggressor if yes else Side(-told.aggressor)
        key = f"{told.key}:{px}:{told.qty}"  # both tokens may tell it
        if not self._seen.add(key, None):
            self._counters.add("repeated_prints")
            return []
        return [TradePrint(token.market, px, told.qty, side, key, told.venue_ms)]

    def confirmed(self, market: MarketId) -> BookSnapshot:
        """A book that a request found to be as it is here: quiet, not stale."""
        return self._snapshot(market, self.books[market], BookSource.REST)

    def _snapshot(self, market: MarketId, book: MarketBook, source: BookSource) -> BookSnapshot:
        bids, asks = book.levels(self._depth)
        return BookSnapshot(market, bids, asks, book.venue_ms, source)
