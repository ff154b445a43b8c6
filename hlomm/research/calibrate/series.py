"""One market as arrays: its two-sided books and its prints, in the order in which the venue made them.

Taken from a store (any venue), a HIP-4 folder or a journal, by the rules of `hlomm.research.store.recordings`: crossed
books, repeated trades and prints older than `MAX_PRINT_AGE_NS` are dropped. Times are the venue's own stamps where it
gave any, for only they tell which book a print met; else receive times. A one-sided book is kept as nan: it has no mid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import polars as pl
from numpy.typing import NDArray

from hlomm.domain.ids import MarketId, is_outcome, venue_of
from hlomm.domain.inputs import BboUpdate, BookSnapshot, ClockSkew, Level, MarketChanged, MarketListed, TradePrint
from hlomm.domain.markets import Market
from hlomm.domain.units import SCALE
from hlomm.research.recording import Event, Recording
from hlomm.research.store.read import Store, ordered, rows
from hlomm.research.store.schema import input_of, market_of
from hlomm.research.usable import MAX_PRINT_AGE_NS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_KINDS: Final = ("book", "bbo", "trade", "listed", "changed", "skew")


@attrs.frozen(kw_only=True, eq=False)
class Series:
    market: MarketId
    klass: str
    expiry_ns: int | None
    """None where it has none, or where nothing says."""
    book_ns: Ints
    """Times of the books, in order."""
    mid: Floats
    half: Floats
    """Half of the spread; nan where a side is empty, as the mid."""
    print_ns: Ints
    print_px: Floats
    print_sign: Ints
    """+1: the taker gained from YES."""

    @property
    def outcome(self) -> bool:
        return is_outcome(self.market)


@attrs.frozen(kw_only=True)
class Stamped:
    """News with both its times, for latency."""

    venue: str
    received_ns: int
    exchange_ns: int


@attrs.define(eq=False)
class Gatherer:
    """Events of one market, one after another."""

    market: MarketId
    terms: Market | None = None
    """None where nothing says what this market is: then its class is its venue's, and it has no end."""
    stamped: list[Stamped] = attrs.field(factory=list)
    dropped: int = 0
    _books: list[tuple[int, float, float]] = attrs.field(factory=list)
    _prints: list[tuple[int, float, int]] = attrs.field(factory=list)
    _trades: set[str] = attrs.field(factory=set)

    def add(self, event: Event, *, stamped: bool) -> None:
        """`stamped`: the exchange time is the venue's, not a stand-in."""
        item = event.item
        match item:
            case BookSnapshot(bids=bids, asks=asks):
                self._book(event.exchange_ns, bids[0] if bids else None, asks[0] if asks else None)
            case BboUpdate(bid=bid, ask=ask):
                self._book(event.exchange_ns, bid, ask)
            case TradePrint(trade_id=key, px=px, aggressor=aggressor):
                if (key and key in self._trades) or event.received_ns - event.exchange_ns > MAX_PRINT_AGE_NS:
                    self.dropped += 1
                    return
                self._trades.add(key)
                self._prints.append((event.exchange_ns, px / SCALE, int(aggressor)))
            case _:
                return
        # A subscription begins with the book as it last changed, which may be long ago.
        if stamped and event.received_ns - event.exchange_ns <= MAX_PRINT_AGE_NS:
            self.stamped.append(
                Stamped(venue=venue_of(self.market), received_ns=event.received_ns, exchange_ns=event.exchange_ns)
            )

    def _book(self, ns: int, bid: Level | None, ask: Level | None) -> None:
        if bid is None or ask is None:
            self._books.append((ns, np.nan, np.nan))
        elif bid[0] < ask[0]:
            self._books.append((ns, (bid[0] + ask[0]) / (2 * SCALE), (ask[0] - bid[0]) / (2 * SCALE)))
        else:
            self.dropped += 1

    def series(self) -> Series:
        books = sorted(self._books, key=lambda row: row[0])
        prints = sorted(self._prints, key=lambda row: row[0])
        terms = self.terms
        return Series(
            market=self.market, klass=f"unlisted at {venue_of(self.market)}" if terms is None else terms.klass,
            expiry_ns=None if terms is None else terms.expiry_ns,
            book_ns=np.array([row[0] for row in books], dtype=np.int64),
            mid=np.array([row[1] for row in books], dtype=np.float64),
            half=np.array([row[2] for row in books], dtype=np.float64),
            print_ns=np.array([row[0] for row in prints], dtype=np.int64),
            print_px=np.array([row[1] for row in prints], dtype=np.float64),
            print_sign=np.array([row[2] for row in prints], dtype=np.int64),
        )  # fmt: skip


@attrs.define(kw_only=True)
class Heard:
    """What one path had to tell."""

    series: list[Series] = attrs.field(factory=list)
    stamped: list[Stamped] = attrs.field(factory=list)
    skews: list[tuple[int, str, int]] = attrs.field(factory=list)
    """(ns, venue, its clock minus ours in ms)."""
    dropped: int = 0
    unlisted: list[str] = attrs.field(factory=list)
    """Markets of which nothing says what they are."""

    def add(self, gatherer: Gatherer) -> None:
        self.series.append(gatherer.series())
        self.stamped += gatherer.stamped
        self.dropped += gatherer.dropped


def of_recording(recording: Recording, *, stand_ins: bool = False) -> Heard:
    """The outcome of a recording; `stand_ins`: an exchange time equal to the receive time was not the venue's."""
    heard = Heard()
    gatherers = {market.id: Gatherer(market.id, market) for market in (recording.outcome, recording.perp)}
    for event in recording.events:
        gatherer = gatherers.get(MarketId(market_of(event.item)))
        if gatherer is not None:
            gatherer.add(event, stamped=not (stand_ins and event.exchange_ns == event.received_ns))
    for gatherer in gatherers.values():
        heard.add(gatherer)
    return heard


def of_store(root: Path) -> Heard:
    """All markets of a store, whatever a backtest could make of them."""
    store, heard = Store.open(root), Heard()
    for name in ("", *store.markets()):
        _of_rows(heard, name, _rows(store, name))
    return heard


def _of_rows(heard: Heard, name: str, found: Iterable[Mapping[str, Any]]) -> None:
    gatherer = Gatherer(MarketId(name))
    for row in found:
        item = input_of(row)
        if isinstance(item, ClockSkew):
            heard.skews.append((row["recv_ns"], row["venue"], item.skew_ms))
        elif isinstance(item, MarketListed | MarketChanged):
            gatherer.terms = item.market if gatherer.terms is None else gatherer.terms
        elif item is not None:
            known = row["exchange_ns"] is not None
            event = Event(
                received_ns=row["recv_ns"], exchange_ns=row["exchange_ns"] if known else row["recv_ns"], item=item
            )  # fmt: skip
            gatherer.add(event, stamped=known)
    if name:
        heard.unlisted += [name] if gatherer.terms is None else []
        heard.add(gatherer)


def _rows(store: Store, name: str) -> Iterable[Mapping[str, Any]]:
    return rows(ordered(store.scan(market=name).filter(pl.col("kind").is_in(_KINDS))))


def merged(all_heard: Sequence[Heard]) -> Heard:
    whole = Heard()
    for heard in all_heard:
        whole.series += heard.series
        whole.stamped += heard.stamped
        whole.skews += heard.skews
        whole.dropped += heard.dropped
        whole.unlisted += heard.unlisted
    return whole
