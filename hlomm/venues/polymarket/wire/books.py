"""Books over REST and over the market channel (venue sheet sections 6 and 8): the same object, best level last.

Levels come out in the token's own prices, best first. The hash covers the whole object, the texts as they were sent.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import Level
from hlomm.domain.units import Px
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import DecimalText, outcome_px, positive
from hlomm.venues.polymarket.wire.values import IdText, Loose, TokenText, stamp_ms

LEVELS_MAX: Final = 10_000


class LevelRow(Struct, frozen=True):
    price: DecimalText
    size: DecimalText


class BookFields(Struct, frozen=True):
    """What REST and stream share."""

    market: IdText
    asset_id: TokenText
    timestamp: Loose
    bids: Annotated[list[LevelRow], Meta(max_length=LEVELS_MAX)]
    asks: Annotated[list[LevelRow], Meta(max_length=LEVELS_MAX)]
    hash: IdText = ""
    min_order_size: Loose = None
    tick_size: Loose = None
    neg_risk: bool | None = None
    last_trade_price: Loose = None


class TokenBook(Struct, frozen=True):
    """A token's book in its own prices, best level first."""

    token: str
    condition: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    venue_ms: int
    hash: str
    tick: Px | None = None
    neg_risk: bool | None = None


_book: Final = msgspec.json.Decoder(BookFields)


def decode_book(body: bytes) -> tuple[TokenBook | None, tuple[Anomaly, ...]]:
    """Answer of GET /book. A hash that does not fit the content is an anomaly (`book.hash`) and costs the book."""
    return guarded("book.schema", _checked, body)


def _checked(body: bytes) -> TokenBook:
    row = _book.decode(body)
    told = row.hash
    if told and row.min_order_size is not None and row.neg_risk is not None and told != book_hash(row):
        raise ProtocolViolation("book.hash", f"{row.asset_id[:20]}: told {told}, computed {book_hash(row)}")
    return token_book(row)


def token_book(row: BookFields) -> TokenBook:
    """ProtocolViolation `book.*` for one that cannot be."""
    bids = _side(row.bids, -1)
    asks = _side(row.asks, 1)
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise ProtocolViolation("book.crossed", f"{row.asset_id[:20]}: bid {bids[0][0]} against ask {asks[0][0]}")
    tick = None if row.tick_size in (None, "") else outcome_px(str(row.tick_size), "book.tick")
    venue_ms = stamp_ms(row.timestamp, "book.timestamp")
    return TokenBook(row.asset_id, row.market, bids, asks, venue_ms, row.hash, tick, row.neg_risk)


def _side(rows: list[LevelRow], direction: int) -> tuple[Level, ...]:
    """Levels from the best one on (`direction` +1 for asks), whichever way they came."""
    levels = [(outcome_px(row.price, "book.price"), positive(row.size, "book.size")) for row in rows]
    levels.sort(key=lambda level: level[0] * direction)
    if any(one[0] == other[0] for one, other in pairwise(levels)):
        raise ProtocolViolation("book.repeated", "a price stands twice on one side")
    return tuple((Px(px), size) for px, size in levels)


def book_hash(row: BookFields) -> str:
    """SHA-1 of the book as the venue counts it: its hash left empty, the keys in this order."""
    document: dict[str, Any] = {
        "market": row.market,
        "asset_id": row.asset_id,
        "timestamp": row.timestamp,
        "hash": "",
        "bids": row.bids,
        "asks": row.asks,
        "min_order_size": row.min_order_size,
        "tick_size": row.tick_size,
        "neg_risk": row.neg_risk,
        "last_trade_price": row.last_trade_price,
    }
    return hashlib.sha1(msgspec.json.encode(document), usedforsecurity=False).hexdigest()
