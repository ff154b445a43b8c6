"""Binance USD-M: lines of `<host ns> <message>` with depth, bookTicker, trade, and a depth snapshot.

The book is folded from the snapshot on, with the venue's own rule: an update continues the one before it (`pu` is its
`u`), and the first one spans the snapshot. Where that breaks, no book is told until the next snapshot. A snapshot does
not say of which symbol it is, so in a file of several it is of no use; one that is older than the book is passed over.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import attrs
import msgspec
from msgspec import Meta, Struct

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, Level, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.units import Px, Qty
from hlomm.research.imports.lines import Line, Tally, possible, scaled, text_lines

VENUE: Final = "binance"
DEPTH: Final = 20

_Number = Annotated[str, Meta(max_length=40)]
_Rows = list[tuple[_Number, _Number]]


class _Depth(Struct, tag_field="e", tag="depthUpdate"):
    s: str
    T: int
    u: int
    pu: int
    U: int
    b: _Rows
    a: _Rows


class _Ticker(Struct, tag_field="e", tag="bookTicker"):
    s: str
    T: int
    b: _Number
    B: _Number
    a: _Number
    A: _Number


class _Trade(Struct, tag_field="e", tag="trade"):
    s: str
    T: int
    t: int
    p: _Number
    q: _Number
    m: bool


class _Stream(Struct):
    data: _Depth | _Ticker | _Trade


class _Snapshot(Struct, rename="camel"):
    last_update_id: int
    bids: _Rows
    asks: _Rows
    T: int = msgspec.field(default=0, name="T")


_stream: Final = msgspec.json.Decoder(_Stream)
_snapshot: Final = msgspec.json.Decoder(_Snapshot)


@attrs.define(eq=False)
class _Side:
    """Prices ascending, and the size at each."""

    prices: list[int] = attrs.field(factory=list)
    sizes: dict[int, int] = attrs.field(factory=dict)

    def set(self, rows: _Rows) -> None:
        for text, size in rows:
            px, qty = scaled(text), scaled(size)
            if qty and px not in self.sizes:
                insort(self.prices, px)
            elif not qty and px in self.sizes:
                del self.prices[bisect_left(self.prices, px)]
            if qty:
                self.sizes[px] = qty
            else:
                self.sizes.pop(px, None)

    def best(self, *, highest: bool) -> tuple[Level, ...]:
        prices = self.prices[: -DEPTH - 1 : -1] if highest else self.prices[:DEPTH]
        return tuple((px, self.sizes[px]) for px in prices)


@attrs.define(eq=False)
class _Book:
    bids: _Side = attrs.field(factory=_Side)
    asks: _Side = attrs.field(factory=_Side)
    last: int | None = None
    """`u` of the last update applied, or the snapshot's id; None: there is no book."""
    fresh: bool = False
    """Nothing was applied to the snapshot yet."""
    waiting: list[_Depth] = attrs.field(factory=list)
    """Updates since there is no book, to be applied to the next snapshot."""

    def load(self, snapshot: _Snapshot) -> None:
        self.bids, self.asks = _Side(), _Side()
        self.bids.set(snapshot.bids)
        self.asks.set(snapshot.asks)
        self.last, self.fresh = snapshot.last_update_id, True

    def apply(self, update: _Depth) -> bool | None:
        """Whether it changed the book; None where it does not continue it, and the book is dropped."""
        if self.last is None or update.u < self.last:
            return False
        continues = update.U <= self.last <= update.u if self.fresh else update.pu == self.last
        if not continues:
            self.last = None
            return None
        self.bids.set(update.b)
        self.asks.set(update.a)
        self.last, self.fresh = update.u, False
        return True


def read(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    books: dict[str, _Book] = {}
    for path in files:
        before, books = books, {}
        symbols: set[str] = set()
        for line in text_lines(path, tally):
            stamp, _, message = line.partition(b" ")
            news: tuple[Input, ...] = ()
            try:
                recv_ns = possible(int(stamp))
                if b'"lastUpdateId"' in message[:40]:
                    news = _snapshot_news(_snapshot.decode(message), symbols, books, tally)
                else:
                    data = _stream.decode(message).data
                    symbols.add(data.s)
                    news = _news(data, _book_of(data, books, before), tally)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
                tally.add("unreadable_lines")
                continue
            yield Line(recv_ns=recv_ns, news=tuple((item, None) for item in news), raw=message, channel="stream")


def _book_of(data: _Depth | _Ticker | _Trade, books: dict[str, _Book], before: Mapping[str, _Book]) -> _Book:
    """That of its symbol in this file; `pu` tells whether the file goes on where the one before it ended."""
    known = books.get(data.s)
    if known is None and isinstance(data, _Depth):
        last = before.get(data.s)
        known = books[data.s] = last if last is not None and last.last == data.pu else _Book()
    return _Book() if known is None else known


def _snapshot_news(snapshot: _Snapshot, symbols: set[str], books: dict[str, _Book], tally: Tally) -> tuple[Input, ...]:
    """A snapshot does not say of what it is: it is of the one symbol of its file, or of nobody knows which."""
    if len(symbols) != 1:
        tally.add("snapshots_of_nobody_knows_what")
        return ()
    (symbol,) = symbols
    book = books.setdefault(symbol, _Book())
    if book.last is not None and snapshot.last_update_id <= book.last:
        tally.add("snapshots_behind_the_book")
        return ()
    book.load(snapshot)
    waiting, book.waiting = book.waiting, []
    for update in waiting:
        if book.last is None:
            book.waiting.append(update)
        elif book.apply(update) is None:
            tally.add("breaks_of_the_book")
            book.waiting.append(update)
    return () if book.last is None else (_told(book, symbol, 0),)


def _news(data: _Depth | _Ticker | _Trade, book: _Book, tally: Tally) -> tuple[Input, ...]:
    market = _market(data.s)
    match data:
        case _Ticker():
            bid, ask = (scaled(data.b), scaled(data.B)), (scaled(data.a), scaled(data.A))
            return (BboUpdate(market, bid if bid[1] else None, ask if ask[1] else None, data.T),)
        case _Trade():
            side = Side.SELL if data.m else Side.BUY  # m: the buyer was the maker
            if not scaled(data.q):
                tally.add("trades_of_nothing")  # the venue prints what it settles by itself at 0
                return ()
            return (TradePrint(market, Px(scaled(data.p)), Qty(scaled(data.q)), side, str(data.t), data.T),)
        case _Depth():
            if book.last is None:
                book.waiting.append(data)
                tally.add("updates_before_a_snapshot")
                return ()
            changed = book.apply(data)
            if changed is None:
                tally.add("breaks_of_the_book")
                book.waiting.append(data)
            return (_told(book, data.s, data.T),) if changed else ()


def _told(book: _Book, symbol: str, venue_ms: int) -> BookSnapshot:
    return BookSnapshot(_market(symbol), book.bids.best(highest=True), book.asks.best(highest=False), venue_ms)


def _market(symbol: str) -> MarketId:
    return MarketId(f"{VENUE}:{symbol}")
