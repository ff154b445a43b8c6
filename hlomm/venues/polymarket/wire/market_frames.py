"""Frames of the market channel (venue sheet section 8). One public entry: `decode_market`. It never raises.

A frame is one event or an array of them; what cannot be read costs itself only. Prices stay in the token's own space:
which token is which leg of which market is not the codec's knowledge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.venues.anomalies import DECODE_ERRORS, Anomaly, anomaly
from hlomm.venues.fields import DecimalText, Text, outcome_px, positive, unsigned
from hlomm.venues.polymarket.wire.books import BookFields, TokenBook, token_book
from hlomm.venues.polymarket.wire.values import IdText, Loose, TokenText, read_side, stamp_ms

FRAME_CHARS_MAX: Final = 16 * 2**20
"""The first frame after a subscription holds the books of every token asked for."""
EVENTS_MAX: Final = 1_000
CHANGES_MAX: Final = 2_000
PONG: Final = "PONG"
ANY_BOOK: Final = ""


# -- rows


class BookRow(BookFields, frozen=True, tag_field="event_type", tag="book"):
    pass


class ChangeRow(Struct, frozen=True):
    asset_id: TokenText
    price: DecimalText
    size: DecimalText
    side: IdText
    best_bid: DecimalText = ""
    best_ask: DecimalText = ""


class PriceChangeRow(Struct, frozen=True, tag_field="event_type", tag="price_change"):
    market: IdText
    timestamp: Loose
    price_changes: Annotated[list[ChangeRow], Meta(max_length=CHANGES_MAX)]


class LastTradeRow(Struct, frozen=True, tag_field="event_type", tag="last_trade_price"):
    market: IdText
    asset_id: TokenText
    price: DecimalText
    size: DecimalText
    side: IdText
    timestamp: Loose
    transaction_hash: IdText | None = None


class TickRow(Struct, frozen=True, tag_field="event_type", tag="tick_size_change"):
    market: IdText
    asset_id: TokenText
    old_tick_size: DecimalText
    new_tick_size: DecimalText
    timestamp: Loose


class TouchRow(Struct, frozen=True, tag_field="event_type", tag="best_bid_ask"):
    market: IdText
    asset_id: TokenText
    best_bid: DecimalText
    best_ask: DecimalText
    timestamp: Loose


class NewMarketRow(Struct, frozen=True, tag_field="event_type", tag="new_market"):
    market: IdText
    slug: Text


class ResolvedRow(Struct, frozen=True, tag_field="event_type", tag="market_resolved"):
    market: IdText
    winning_asset_id: TokenText
    winning_outcome: IdText
    timestamp: Loose


Row = BookRow | PriceChangeRow | LastTradeRow | TickRow | TouchRow | NewMarketRow | ResolvedRow


# -- values


class LevelChange(Struct, frozen=True):
    """The size of one level is now this (0: gone); best prices afterwards, None for an empty side."""

    token: str
    side: Side
    px: Px
    qty: Qty
    best_bid: Px | None
    best_ask: Px | None


class PriceChanges(Struct, frozen=True):
    """`checked` tells whether the frame named the best prices."""

    condition: str
    changes: tuple[LevelChange, ...]
    venue_ms: int


class LastTrade(Struct, frozen=True):
    token: str
    px: Px
    qty: Qty
    aggressor: Side
    venue_ms: int
    key: str


class TickChange(Struct, frozen=True):
    condition: str
    token: str
    old: Px
    new: Px
    venue_ms: int


class Touch(Struct, frozen=True):
    token: str
    best_bid: Px | None
    best_ask: Px | None
    venue_ms: int


class NewMarket(Struct, frozen=True):
    """Told of every market of the venue: the slug says whether it may concern us."""

    condition: str
    slug: str


class Resolved(Struct, frozen=True):
    condition: str
    winning_token: str
    outcome: str
    venue_ms: int


class Pong(Struct, frozen=True):
    pass


MarketEvent = TokenBook | PriceChanges | LastTrade | TickChange | Touch | NewMarket | Resolved | Pong


class MarketDecoded(Struct, frozen=True):
    events: tuple[MarketEvent, ...]
    anomalies: tuple[Anomaly, ...] = ()
    spoilt: tuple[str, ...] = ()
    """Conditions whose books may lack a change that could not be read; `ANY_BOOK` where that could not be read
    either."""


class _Head(Struct):
    event_type: str = ""
    market: IdText = ANY_BOOK


_row: Final = msgspec.json.Decoder(Row)
_rows: Final = msgspec.json.Decoder(list[Raw])
_any: Final = msgspec.json.Decoder(dict[str, Any])
_head: Final = msgspec.json.Decoder(_Head)


def decode_market(data: str | bytes) -> MarketDecoded:
    """Events of one message, and what of it could not be read. Never raises."""
    if len(data) > FRAME_CHARS_MAX:
        return MarketDecoded((), (anomaly("market.too_large", f"{len(data)} characters"),), (ANY_BOOK,))
    if data in (PONG, PONG.encode()):
        return MarketDecoded((Pong(),))
    first = data[:1]
    if first in ("[", b"["):
        try:
            rows = _rows.decode(data)
        except DECODE_ERRORS as error:
            return MarketDecoded((), (anomaly("market.not_json", error),), (ANY_BOOK,))
        if len(rows) > EVENTS_MAX:
            return MarketDecoded((), (anomaly("market.too_many", f"{len(rows)} events"),), (ANY_BOOK,))
        decoded = [(row, *_event(row)) for row in rows]
        events = tuple(event for _, event, _ in decoded if event is not None)
        anomalies = tuple(wrong for _, _, wrong in decoded if wrong is not None)
        spoilt = [one for row, _, wrong in decoded if wrong is not None for one in _lost(row)]
        return MarketDecoded(events, anomalies, tuple(dict.fromkeys(spoilt)))
    event, wrong = _event(data)
    if wrong is not None:
        return MarketDecoded((), (wrong,), _lost(data) if first in ("{", b"{") else ())
    return MarketDecoded(() if event is None else (event,))


def _event(data: str | bytes | Raw) -> tuple[MarketEvent | None, Anomaly | None]:
    try:
        row = _row.decode(data)
        return _READERS[type(row)](row), None
    except ProtocolViolation as violation:
        return None, anomaly(violation.kind, violation)
    except DECODE_ERRORS as error:
        return None, anomaly(_diagnose(data, error), error)


def _lost(data: str | bytes | Raw) -> tuple[str, ...]:
    """The condition whose change an unreadable event may have been, if it may have been one.

    Events of another name are none, nor are notices of neither name nor market.
    """
    try:
        head = _head.decode(data)
    except DECODE_ERRORS:
        return (ANY_BOOK,)
    return (head.market,) if head.event_type == _CHANGE or (head.market and not head.event_type) else ()


def _diagnose(data: str | bytes | Raw, error: Exception) -> str:
    """A kind for what does not decode."""
    if isinstance(error, (UnicodeError, RecursionError)):
        return "market.not_utf8" if isinstance(error, UnicodeError) else "market.too_deep"
    try:
        document = _any.decode(data)
    except msgspec.ValidationError:
        return "market.no_object"
    except DECODE_ERRORS:
        return "market.not_json"
    name = document.get("event_type")
    if not isinstance(name, str):
        return "market.no_event_type"
    if name not in KNOWN_EVENTS:
        return "market.unknown_event"
    if name == "price_change" and "price_changes" not in document:
        return "price_change.old_schema"  # until 2025-09-15
    return f"{name}.schema"


_CHANGE: Final = "price_change"
KNOWN_EVENTS: Final = frozenset(
    {
        "book",
        "price_change",
        "last_trade_price",
        "tick_size_change",
        "best_bid_ask",
        "new_market",
        "market_resolved",
    }
)


def _changes(row: PriceChangeRow) -> PriceChanges:
    return PriceChanges(
        row.market,
        tuple(_change(one) for one in row.price_changes),
        stamp_ms(row.timestamp, "price_change.timestamp"),
    )


def _change(row: ChangeRow) -> LevelChange:
    return LevelChange(
        row.asset_id,
        read_side(row.side, "price_change.side"),
        outcome_px(row.price, "price_change.price"),
        Qty(unsigned(row.size, "price_change.size")),
        _best(row.best_bid, "price_change.best"),
        _best(row.best_ask, "price_change.best"),
    )


def _best(text: str, kind: str) -> Px | None:
    """A best price; empty, 0 and 1 stand for an empty side."""
    if not text:
        return None
    value = unsigned(text, kind)
    if value > SCALE:
        raise ProtocolViolation(kind, f"expected a price up to 1, was {text!r}")
    return Px(value) if 0 < value < SCALE else None


def _trade(row: LastTradeRow) -> LastTrade:
    venue_ms = stamp_ms(row.timestamp, "last_trade_price.timestamp")
    key = row.transaction_hash or f"{row.asset_id}:{venue_ms}:{row.price}:{row.size}:{row.side}"
    return LastTrade(
        row.asset_id,
        outcome_px(row.price, "last_trade_price.price"),
        Qty(positive(row.size, "last_trade_price.size")),
        read_side(row.side, "last_trade_price.side"),
        venue_ms,
        key,
    )


def _tick(row: TickRow) -> TickChange:
    return TickChange(
        row.market,
        row.asset_id,
        outcome_px(row.old_tick_size, "tick_size_change.tick"),
        outcome_px(row.new_tick_size, "tick_size_change.tick"),
        stamp_ms(row.timestamp, "tick_size_change.timestamp"),
    )


def _touch(row: TouchRow) -> Touch:
    bid, ask = _best(row.best_bid, "best_bid_ask.price"), _best(row.best_ask, "best_bid_ask.price")
    return Touch(row.asset_id, bid, ask, stamp_ms(row.timestamp, "best_bid_ask.timestamp"))


def _new_market(row: NewMarketRow) -> NewMarket:
    return NewMarket(row.market, row.slug)


def _resolved(row: ResolvedRow) -> Resolved:
    venue_ms = stamp_ms(row.timestamp, "market_resolved.timestamp")
    return Resolved(row.market, row.winning_asset_id, row.winning_outcome, venue_ms)


_READERS: Final[dict[type, Callable[[Any], MarketEvent]]] = {
    BookRow: token_book,
    PriceChangeRow: _changes,
    LastTradeRow: _trade,
    TickRow: _tick,
    TouchRow: _touch,
    NewMarketRow: _new_market,
    ResolvedRow: _resolved,
}
