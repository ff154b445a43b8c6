"""Books folded from snapshots and signed changes (venue sheet section 10). Pure: frames in, books and wishes out.

Theory of operation. Numbers run per subscription over all its markets and every type of frame, acknowledgements and
errors included. After a gap, a number that steps back, an unreadable frame or a level below zero nobody knows which
book is wrong: a gap makes all markets of the subscription stale, an impossible level only its own. A stale book is
never told; a snapshot makes it whole again. NO levels are turned into YES asks as they come, so the two ways the venue
quotes them give one book.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import kalshi_market
from hlomm.domain.inputs import BookSnapshot, BookSource
from hlomm.domain.units import SCALE, Px
from hlomm.venues.fields import positive, signed
from hlomm.venues.kalshi.wire.frames import Delta, LevelRow, Snapshot
from hlomm.venues.kalshi.wire.schemas import inner_price

DEPTH: Final = 50
"""Levels told per side."""


@attrs.define(eq=False)
class Book:
    """One market: quantity by YES price, in 1e-8. `stale`: not to be believed until the next snapshot."""

    bids: dict[Px, int] = attrs.field(factory=dict)
    asks: dict[Px, int] = attrs.field(factory=dict)
    stale: bool = True
    venue_ms: int = 0

    @property
    def crossed(self) -> bool:
        return bool(self.bids and self.asks) and max(self.bids) >= min(self.asks)

    def told(self, ticker: str, depth: int = DEPTH) -> BookSnapshot:
        bids: list[tuple[Px, int]] = sorted(self.bids.items(), reverse=True)[:depth]
        asks: list[tuple[Px, int]] = sorted(self.asks.items())[:depth]
        return BookSnapshot(kalshi_market(ticker), tuple(bids), tuple(asks), self.venue_ms, BookSource.STREAM)


@attrs.define(eq=False)
class Numbers:
    """Numbers of one subscription."""

    last: int | None = None
    gaps: int = 0

    def take(self, seq: int) -> bool:
        """Whether the number follows the last one; the first of all is the base."""
        follows = self.last is None or seq == self.last + 1
        self.last = seq
        self.gaps += not follows
        return follows


@attrs.frozen
class Folded:
    """What one frame did: books to tell, and markets whose snapshot is needed."""

    books: tuple[BookSnapshot, ...] = ()
    stale: tuple[str, ...] = ()
    why: str = ""


_NOTHING: Final = Folded()


@attrs.define(eq=False)
class Books:
    """The books of one subscription. `yes_prices`: NO levels come in YES prices."""

    yes_prices: bool = False
    books: dict[str, Book] = attrs.field(factory=dict)
    numbers: Numbers = attrs.field(factory=Numbers)

    def follow(self, tickers: Sequence[str]) -> None:
        for ticker in tickers:
            self.books.setdefault(ticker, Book())

    def drop(self, ticker: str) -> None:
        self.books.pop(ticker, None)

    def count(self, seq: int) -> Folded:
        """A numbered frame of this subscription that is no news of a book."""
        return _NOTHING if self.numbers.take(seq) else self.distrust("gap")

    def distrust(self, why: str) -> Folded:
        """Believe none of the books any more."""
        return self._stale(list(self.books), why)

    def on_snapshot(self, frame: Snapshot) -> Folded:
        counted = self.count(frame.seq)
        ticker = frame.msg.market_ticker
        book = self.books.get(ticker)
        if book is None:
            return counted
        try:
            bids = _side(frame.msg.yes_dollars_fp, mirrored=False)
            asks = _side(frame.msg.no_dollars_fp, mirrored=not self.yes_prices)
        except ProtocolViolation as error:
            return _both(counted, self._stale([ticker], error.kind))
        book.bids, book.asks = bids, asks
        if book.crossed:
            return _both(counted, self._stale([ticker], "crossed"))
        book.stale = False
        return Folded((book.told(ticker),), tuple(one for one in counted.stale if one != ticker), counted.why)

    def on_delta(self, frame: Delta) -> Folded:
        counted = self.count(frame.seq)
        book = self.books.get(frame.msg.market_ticker)
        if book is None or book.stale or counted.stale:
            return counted
        try:
            self._apply(book, frame)
        except ProtocolViolation as error:
            return self._stale([frame.msg.market_ticker], error.kind)
        return Folded((book.told(frame.msg.market_ticker),))

    def _apply(self, book: Book, frame: Delta) -> None:
        msg = frame.msg
        if msg.side not in ("yes", "no"):
            raise ProtocolViolation("delta.side", f"expected yes or no, was {msg.side[:20]!r}")
        px = inner_price(msg.price_dollars, "delta.price")
        side = book.bids
        if msg.side == "no":
            side = book.asks
            px = px if self.yes_prices else Px(SCALE - px)
        left = side.get(px, 0) + signed(msg.delta_fp, "delta.count")
        if left < 0:
            raise ProtocolViolation("delta.negative", f"{left} at {px}")
        if left:
            side[px] = left
        else:
            side.pop(px, None)
        book.venue_ms = max(book.venue_ms, msg.ts_ms)
        if book.crossed:
            raise ProtocolViolation("delta.crossed", "the best bid is not below the best ask")

    def _stale(self, tickers: list[str], why: str) -> Folded:
        for ticker in tickers:
            book = self.books[ticker]
            book.stale = True
            book.bids, book.asks = {}, {}
        return Folded((), tuple(tickers), why)


def _both(first: Folded, second: Folded) -> Folded:
    return Folded(
        (*first.books, *second.books), tuple(dict.fromkeys((*first.stale, *second.stale))), first.why or second.why
    )


def _side(rows: Sequence[LevelRow], *, mirrored: bool) -> dict[Px, int]:
    """Levels by YES price. The venue lists them best last, or so it seems: the order is not relied upon."""
    side: dict[Px, int] = {}
    for price, count in rows:
        px = inner_price(price, "book.price")
        side[Px(SCALE - px) if mirrored else px] = positive(count, "book.count")
    return side
