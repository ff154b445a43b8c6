"""Polymarket: lines of market-channel messages without a receive time.

The receive time is unknown. It is taken to be the latest stamp of the venue seen so far, which keeps the order of the
file and lets nothing be known before the venue said it; ages computed from it mean nothing. Frames name a token and its
condition, but not which of the two tokens is YES: each token is a market of its own here, in its own prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from hlomm.domain.ids import POLYMARKET, MarketId, polymarket_market
from hlomm.domain.inputs import BookSnapshot, Input, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS
from hlomm.research.imports.lines import Line, Tally, text_lines
from hlomm.venues.polymarket.wire.books import TokenBook
from hlomm.venues.polymarket.wire.market_frames import LastTrade, MarketEvent, PriceChanges, decode_market

VENUE: Final = POLYMARKET
DEPTH: Final = 20


@attrs.define(eq=False)
class _Book:
    bids: dict[int, int] = attrs.field(factory=dict)
    asks: dict[int, int] = attrs.field(factory=dict)

    def told(self, market: MarketId, venue_ms: int) -> BookSnapshot:
        bids = sorted(self.bids.items(), reverse=True)[:DEPTH]
        return BookSnapshot(market, tuple(bids), tuple(sorted(self.asks.items())[:DEPTH]), venue_ms)


def read(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
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
