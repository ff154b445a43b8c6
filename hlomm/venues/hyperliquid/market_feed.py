"""Public market data of the subscribed markets, merged and de-duplicated. Pure: frames in, inputs out.

Theory of operation. Book and touch are two streams of one truth with different rhythms: `bbo` tells every change of
the touch, `l2Book` tells depth now and then. Whichever is newer by the venue's stamp is right about the touch, so a
touch older than what was applied is dropped, and a book older than the last touch is corrected by that touch before
it goes on: dropping it instead would starve depth while the touch is busy. A new connection starts from nothing.
"""

from __future__ import annotations

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, Level
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.wire.public import Marks, Prints


@attrs.define(eq=False)
class _Touch:
    """Newest touch of one market, and the stamp of the newest book."""

    bid: Level | None = None
    ask: Level | None = None
    bbo_ms: int = -1
    book_ms: int = -1


@attrs.define(eq=False)
class MarketFeed:
    """State of the public streams of one connection."""

    counters: Counters
    print_age_ms: int
    print_memory: int
    _touches: dict[MarketId, _Touch] = attrs.field(factory=dict)
    _seen: BoundedMap[tuple[MarketId, int, str], None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = BoundedMap(self.print_memory)

    def follow(self, market: MarketId) -> None:
        """Accept data of a market from now on."""
        self._touches[market] = _Touch()

    def drop(self, market: MarketId) -> None:
        self._touches.pop(market, None)

    def reconnected(self) -> None:
        """Stamps of the last connection say nothing about this one; trades already told stay told."""
        for market in self._touches:
            self._touches[market] = _Touch()

    def on_book(self, book: BookSnapshot) -> list[Input]:
        touch = self._touches.get(book.market)
        if touch is None:
            self.counters.add("unsubscribed.l2Book")
            return []
        if book.venue_ms < touch.book_ms:
            self.counters.add("stale.l2Book")
            return []
        touch.book_ms = book.venue_ms
        if book.venue_ms < touch.bbo_ms:
            self.counters.add("corrected.l2Book")
            return [_corrected(book, touch)]
        return [book]

    def on_touch(self, update: BboUpdate) -> list[Input]:
        touch = self._touches.get(update.market)
        if touch is None:
            self.counters.add("unsubscribed.bbo")
            return []
        if update.venue_ms < max(touch.bbo_ms, touch.book_ms):
            self.counters.add("stale.bbo")
            return []
        touch.bid, touch.ask, touch.bbo_ms = update.bid, update.ask, update.venue_ms
        return [update]

    def on_prints(self, prints: Prints, now_ms: int) -> list[Input]:
        """Trades not told before. `now_ms` is venue time: the first push of a stream replays recent trades."""
        if prints.mirrored:
            self.counters.add("mirrored_prints", prints.mirrored)
        fresh: list[Input] = []
        for trade in prints.trades:
            if trade.market not in self._touches:
                self.counters.add("unsubscribed.trades")
            elif trade.venue_ms < now_ms - self.print_age_ms:
                self.counters.add("old_prints")
            elif not self._seen.add((trade.market, trade.venue_ms, trade.trade_id), None):
                self.counters.add("repeated_prints")
            else:
                fresh.append(trade)
        return fresh

    def on_marks(self, marks: Marks) -> list[Input]:
        """Marks of followed perps, also unchanged ones: that a mark is repeated tells that it is fresh."""
        return [mark for mark in marks.marks if mark.market in self._touches]


def _corrected(book: BookSnapshot, touch: _Touch) -> BookSnapshot:
    """An older book under a newer touch: levels the touch has left behind go, the touch's own level comes."""
    return BookSnapshot(
        book.market,
        _under(book.bids, touch.bid, -1),
        _under(book.asks, touch.ask, 1),
        touch.bbo_ms,
        book.source,
    )


def _under(levels: tuple[Level, ...], best: Level | None, direction: int) -> tuple[Level, ...]:
    """Levels strictly behind the best one (`direction` +1 for asks, -1 for bids), which leads."""
    if best is None:
        return ()
    return (best, *(level for level in levels if (level[0] - best[0]) * direction > 0))
