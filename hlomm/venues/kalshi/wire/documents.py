"""Series, event and market documents of the public REST API (venue sheet section 5).

A document holds what the venue says, times and numbers converted; what it means is read in `kalshi.terms`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.venues.anomalies import DECODE_ERRORS
from hlomm.venues.fields import DecimalText, Word
from hlomm.venues.kalshi.wire.schemas import ShardNumber, TickerText

T = TypeVar("T")

RulesText = Annotated[str, Meta(max_length=8_000)]


class PriceRange(Struct, frozen=True):
    """Valid prices from `start` to `end` lie on `step`."""

    start: DecimalText
    end: DecimalText
    step: DecimalText


Ranges = Annotated[list[PriceRange], Meta(max_length=64)]


class SettlementSource(Struct, frozen=True):
    name: str = ""
    url: str = ""


class SeriesDoc(Struct, frozen=True, kw_only=True):
    ticker: TickerText
    fee_type: Word = ""
    fee_multiplier: Decimal | None = None
    settlement_sources: list[SettlementSource] | None = None


class EventDoc(Struct, frozen=True, kw_only=True):
    event_ticker: TickerText
    series_ticker: TickerText = ""
    settlement_sources: list[SettlementSource] | None = None
    fee_type_override: Word | None = None
    fee_multiplier_override: Decimal | None = None
    exchange_index: ShardNumber | None = None
    mutually_exclusive: bool | None = None


class MarketDoc(Struct, frozen=True, kw_only=True):
    ticker: TickerText
    event_ticker: TickerText = ""
    market_type: Word = ""
    status: Word = ""
    result: Word = ""
    yes_sub_title: Annotated[str, Meta(max_length=500)] = ""
    open_time: Word = ""
    close_time: Word = ""
    strike_type: Word | None = None
    floor_strike: Decimal | None = None
    cap_strike: Decimal | None = None
    rules_primary: RulesText = ""
    rules_secondary: RulesText = ""
    notional_value_dollars: DecimalText = ""
    settlement_bounds_type: Word | None = None
    price_ranges: Ranges = []
    can_close_early: bool | None = None
    expiration_value: Word | None = None
    settlement_value_dollars: DecimalText | None = None
    exchange_index: ShardNumber | None = None


class _Series(Struct):
    series: SeriesDoc


class _Market(Struct):
    market: MarketDoc


_series: Final = msgspec.json.Decoder(_Series)
_market: Final = msgspec.json.Decoder(_Market)


class _RawEvent(Struct):
    event: EventDoc
    markets: list[msgspec.Raw] = []


class _RawEvents(Struct):
    events: list[msgspec.Raw]
    cursor: str | None = None


class _RawMarkets(Struct):
    markets: list[msgspec.Raw]
    cursor: str | None = None


_raw_event: Final = msgspec.json.Decoder(_RawEvent)
_raw_events: Final = msgspec.json.Decoder(_RawEvents)
_raw_markets: Final = msgspec.json.Decoder(_RawMarkets)
_one_market: Final = msgspec.json.Decoder(MarketDoc)
_one_event: Final = msgspec.json.Decoder(EventDoc)


class Page(Struct, frozen=True):
    """One page of a list. `unreadable` counts rows that were dropped; an empty cursor ends the list."""

    events: tuple[EventDoc, ...] = ()
    markets: tuple[MarketDoc, ...] = ()
    cursor: str = ""
    unreadable: int = 0


def decode_series(body: bytes) -> SeriesDoc:
    try:
        return _series.decode(body).series
    except DECODE_ERRORS as error:
        raise ProtocolViolation("series", str(error)) from None


def decode_market(body: bytes) -> MarketDoc:
    try:
        return _market.decode(body).market
    except DECODE_ERRORS as error:
        raise ProtocolViolation("market", str(error)) from None


def decode_event(body: bytes) -> Page:
    """One event with its markets."""
    try:
        read = _raw_event.decode(body)
    except DECODE_ERRORS as error:
        raise ProtocolViolation("event", str(error)) from None
    markets, unreadable = _rows(read.markets, _one_market)
    return Page((read.event,), markets, "", unreadable)


def decode_events(body: bytes) -> Page:
    try:
        read = _raw_events.decode(body)
    except DECODE_ERRORS as error:
        raise ProtocolViolation("events", str(error)) from None
    events, unreadable = _rows(read.events, _one_event)
    return Page(events, (), read.cursor or "", unreadable)


def decode_markets(body: bytes) -> Page:
    try:
        read = _raw_markets.decode(body)
    except DECODE_ERRORS as error:
        raise ProtocolViolation("markets", str(error)) from None
    markets, unreadable = _rows(read.markets, _one_market)
    return Page((), markets, read.cursor or "", unreadable)


def _rows(rows: list[msgspec.Raw], decoder: msgspec.json.Decoder[T]) -> tuple[tuple[T, ...], int]:
    """Rows that can be read; one bad row must not hide the others."""
    good: list[T] = []
    for row in rows:
        try:
            good.append(decoder.decode(row))
        except DECODE_ERRORS:
            continue
    return tuple(good), len(rows) - len(good)
