"""Polymarket: lines of market-channel messages without a receive time.

The receive time is unknown. It is taken to be the latest stamp of the venue seen so far, which keeps the order of the
file and lets nothing be known before the venue said it; ages computed from it mean nothing. Frames name a token and its
condition, but not which of the two tokens is YES: each token is a market of its own here, in its own prices.

Answers of the Gamma API among the files tell more of some: what the contract is, by the reader that a live session has,
and which of its tokens is YES. Such a contract is listed before its first news and has one book, that of YES; the same
seen from the other token is counted and left out, and prints of either are its prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import msgspec

from hlomm.domain.ids import POLYMARKET, MarketId, polymarket_market
from hlomm.domain.inputs import BookSnapshot, Input, MarketListed, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import complement
from hlomm.research.imports.lines import Line, Tally, text_lines
from hlomm.research.store.schema import market_of
from hlomm.venues.polymarket.wire.books import TokenBook
from hlomm.venues.polymarket.wire.evidence import Refusal
from hlomm.venues.polymarket.wire.gamma import decode_events
from hlomm.venues.polymarket.wire.listings import Listing, read_listing
from hlomm.venues.polymarket.wire.market_frames import LastTrade, MarketEvent, PriceChanges, decode_market

VENUE: Final = POLYMARKET
DEPTH: Final = 20

News = tuple[tuple[Input, int | None], ...]
"""As of a `Line`."""


@attrs.define(eq=False)
class _Book:
    bids: dict[int, int] = attrs.field(factory=dict)
    asks: dict[int, int] = attrs.field(factory=dict)

    def told(self, market: MarketId, venue_ms: int) -> BookSnapshot:
        bids = sorted(self.bids.items(), reverse=True)[:DEPTH]
        return BookSnapshot(market, tuple(bids), tuple(sorted(self.asks.items())[:DEPTH]), venue_ms)


def read(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    listings = dict(_listings([path for path in files if path.suffix == ".json"], tally))
    told: set[str] = set()
    for line in _frames([path for path in files if path.suffix != ".json"], tally):
        news = tuple(_of_contract(line.news, listings, tally))
        for name in dict.fromkeys(market_of(item) for item, _ in news):
            if name in listings and name not in told:
                told.add(name)
                yield Line(recv_ns=line.recv_ns, news=((MarketListed(listings[name].market), None),))
        yield attrs.evolve(line, news=news)


def _listings(files: Sequence[Path], tally: Tally) -> Iterator[tuple[str, Listing]]:
    """By the id of the contract, and by the ids that its tokens would have as markets of their own."""
    for path in files:
        page, _ = decode_events(path.read_bytes())
        rows = () if page is None else page.rows
        if not rows:
            tally.add("files_that_list_nothing")
        for row in rows:
            listing = read_listing(row)
            if isinstance(listing, Refusal):
                tally.add(f"not_listed.{listing.term}")
                continue
            for name in (listing.market.id, polymarket_market(listing.yes), polymarket_market(listing.no)):
                yield name, listing


def _of_contract(news: News, listings: Mapping[str, Listing], tally: Tally) -> Iterator[tuple[Input, int | None]]:
    """News of tokens, as of the contract where it is known."""
    for item, stamp in news:
        listing = listings.get(market_of(item))
        if listing is None:
            yield item, stamp
            continue
        yes = market_of(item) == polymarket_market(listing.yes)
        match item:
            case TradePrint(px=px, qty=qty, aggressor=side):
                px = px if yes else complement(px)
                side = side if yes else Side(-side)
                key = f"{item.trade_id}:{px}:{qty}"  # both tokens may tell it
                yield TradePrint(listing.market.id, px, qty, side, key, item.venue_ms), stamp
            case BookSnapshot() if yes:
                yield msgspec.structs.replace(item, market=listing.market.id), stamp
            case _:
                tally.add("books_of_the_no_token")


def _frames(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    for path in files:
        books: dict[str, _Book] = {}
        latest_ms = 0
        for message in text_lines(path, tally):
            decoded = decode_market(message)
            for one in decoded.anomalies:
                tally.add(f"malformed.{one.kind}")
            news: list[Input] = []
            for event in decoded.events:
                latest_ms = max(latest_ms, getattr(event, "venue_ms", 0))
                news += _news(event, books, tally)
            if decoded.events and latest_ms:
                tally.add("receive_times_unknown")
                yield Line(
                    recv_ns=latest_ms * NS_PER_MS, news=tuple((item, None) for item in news), raw=message,
                    channel="/ws/market",
                )  # fmt: skip


def _news(event: MarketEvent, books: dict[str, _Book], tally: Tally) -> Iterator[Input]:
    match event:
        case TokenBook():
            book = books[event.token] = _Book(dict(event.bids), dict(event.asks))
            yield book.told(polymarket_market(event.token), event.venue_ms)
        case PriceChanges():
            for token in dict.fromkeys(change.token for change in event.changes):
                found = books.get(token)
                if found is None:
                    tally.add("changes_before_a_book")
                    continue
                for change in event.changes:
                    if change.token == token:
                        side = found.bids if change.side is Side.BUY else found.asks
                        side[change.px] = change.qty
                        if not change.qty:
                            del side[change.px]
                yield found.told(polymarket_market(token), event.venue_ms)
        case LastTrade():
            yield TradePrint(
                polymarket_market(event.token), event.px, event.qty, event.aggressor, event.key, event.venue_ms
            )  # fmt: skip
        case _:
            tally.add("messages_of_no_market")
