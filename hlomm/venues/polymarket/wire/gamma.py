"""Markets and events as the Gamma API tells them (venue sheet section 13): JSON inside strings, figures of any type.

Entries: `decode_events`, `decode_markets`. Rows are decoded one by one; one that cannot be read costs itself only.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import Text
from hlomm.venues.polymarket.wire.values import IdText, LongText

ROWS_MAX: Final = 1_000


class FeeSchedule(Struct, frozen=True, rename="camel"):
    rate: Decimal
    exponent: Decimal = Decimal(1)
    taker_only: bool = True
    rebate_rate: Decimal = Decimal(0)


class EventHead(Struct, frozen=True, rename="camel"):
    """What a market row says of its event."""

    slug: Text = ""
    series_slug: Text | None = None
    start_time: IdText | None = None
    neg_risk_augmented: bool | None = None
    resolution_source: Text | None = None


class RewardPool(Struct, frozen=True, rename="camel"):
    """One of the pools that pay for resting orders."""

    rewards_daily_rate: Decimal = Decimal(0)


class GammaRow(Struct, frozen=True, rename="camel"):
    condition_id: IdText
    slug: Text = ""
    question: Text = ""
    description: LongText | None = None
    resolution_source: Text | None = None
    end_date: IdText | None = None
    event_start_time: IdText | None = None
    outcomes: Text | list[str] | None = None
    outcome_prices: Text | list[str] | None = None
    clob_token_ids: Text | list[str] | None = None
    position_ids: Text | list[str] | None = None
    version: IdText | int | None = None
    order_price_min_tick_size: Decimal | None = None
    order_min_size: Decimal | None = None
    neg_risk: bool | None = None
    neg_risk_market: IdText | None = msgspec.field(default=None, name="negRiskMarketID")
    seconds_delay: int | None = None
    accepting_orders: bool | None = None
    enable_order_book: bool | None = None
    active: bool | None = None
    closed: bool | None = None
    fees_enabled: bool | None = None
    fee_schedule: FeeSchedule | None = None
    group_item_title: Text | None = None
    uma_resolution_status: IdText | None = None
    rewards_min_size: Decimal | None = None
    rewards_max_spread: Decimal | None = None
    clob_rewards: list[RewardPool] | None = None
    events: list[EventHead] = []

    @property
    def event(self) -> EventHead:
        return self.events[0] if self.events else EventHead()


class _Event(EventHead, frozen=True, rename="camel"):
    markets: Annotated[list[Raw], Meta(max_length=ROWS_MAX)] = []


class _Page(Struct, frozen=True):
    """Keyset pages, and search results."""

    events: list[Raw] | None = None
    markets: list[Raw] | None = None
    data: list[Raw] | None = None
    next_cursor: IdText | None = None


class GammaPage(Struct, frozen=True):
    rows: tuple[GammaRow, ...]
    cursor: str | None
    """What to ask with for the next page; None after the last."""


_rows: Final = msgspec.json.Decoder(list[Raw])
_page: Final = msgspec.json.Decoder(_Page)
_market: Final = msgspec.json.Decoder(GammaRow)
_event: Final = msgspec.json.Decoder(_Event)
_texts: Final = msgspec.json.Decoder(list[str])


def decode_events(body: bytes) -> tuple[GammaPage | None, tuple[Anomaly, ...]]:
    """Every market of a list of events, with its event's head."""
    opened, anomalies = guarded("gamma.schema", _open, body, "events")
    if opened is None:
        return None, anomalies
    rows: list[GammaRow] = []
    wrong: list[Anomaly] = []
    for raw in opened[0]:
        event, faults = guarded("gamma.event", _event.decode, raw)
        wrong += faults
        if event is None:
            continue
        head = EventHead(
            event.slug, event.series_slug, event.start_time, event.neg_risk_augmented, event.resolution_source
        )
        rows += [msgspec.structs.replace(row, events=[head]) for row in _read(event.markets, wrong)]
    return GammaPage(tuple(rows), opened[1]), tuple(wrong)


def decode_markets(body: bytes) -> tuple[GammaPage | None, tuple[Anomaly, ...]]:
    """A list of markets, or one."""
    opened, anomalies = guarded("gamma.schema", _open, body, "markets")
    if opened is None:
        return None, anomalies
    wrong: list[Anomaly] = []
    rows = _read(opened[0], wrong)
    return GammaPage(tuple(rows), opened[1]), tuple(wrong)


def _open(body: bytes, name: str) -> tuple[list[Raw], str | None]:
    """Rows and cursor of a bare list, of a page, or of a single object."""
    if body.lstrip()[:1] == b"[":
        rows = _rows.decode(body)
        cursor = None
    else:
        page = _page.decode(body)
        named = page.events if name == "events" else page.markets
        found = named if named is not None else page.data
        rows, cursor = ([Raw(body)], None) if found is None else (found, page.next_cursor or None)
    if len(rows) > ROWS_MAX:
        raise ProtocolViolation("gamma.too_many", f"{len(rows)} rows")
    return rows, cursor


def _read(raws: Sequence[Raw], wrong: list[Anomaly]) -> list[GammaRow]:
    rows: list[GammaRow] = []
    for raw in raws:
        row, faults = guarded("gamma.market", _market.decode, raw)
        wrong += faults
        if row is not None:
            rows.append(row)
    return rows


def texts(value: str | list[str] | None) -> tuple[str, ...]:
    """A list that comes as JSON in a string, or plainly; empty for what is neither."""
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(value)
    try:
        return tuple(_texts.decode(value))
    except msgspec.DecodeError:
        return ()
