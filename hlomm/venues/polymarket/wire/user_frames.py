"""The user channel and the account's lists over REST (venue sheet sections 7 and 9).

Entries: `decode_user` for frames, `decode_order`, `decode_orders` and `decode_trades` for answers. None raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.venues.anomalies import DECODE_ERRORS, Anomaly, anomaly, guarded
from hlomm.venues.polymarket.wire.account_rows import (
    Me,
    OrderNews,
    OrderRow,
    TradeNews,
    TradeRow,
    read_order,
    read_trade,
)
from hlomm.venues.polymarket.wire.values import IdText

PONG: Final = "PONG"
FRAME_CHARS_MAX: Final = 4 * 2**20
PAGE_MAX: Final = 2_000
LAST_PAGE: Final = "LTE="

T = TypeVar("T")


class OrderEventRow(OrderRow, frozen=True, tag_field="event_type", tag="order"):
    pass


class TradeEventRow(TradeRow, frozen=True, tag_field="event_type", tag="trade"):
    pass


class Pong(Struct, frozen=True):
    pass


UserEvent = OrderNews | TradeNews | Pong


class UserDecoded(Struct, frozen=True):
    events: tuple[UserEvent, ...]
    anomalies: tuple[Anomaly, ...] = ()


class Page(Struct, frozen=True):
    """A page of a REST list; `cursor` None after the last one."""

    rows: tuple[Any, ...]
    cursor: str | None


class _Page(Struct, frozen=True):
    data: Annotated[list[Raw], Meta(max_length=PAGE_MAX)]
    next_cursor: IdText | None = None


_event_row: Final = msgspec.json.Decoder(OrderEventRow | TradeEventRow)
_list: Final = msgspec.json.Decoder(list[Raw])
_any: Final = msgspec.json.Decoder(dict[str, Any])
_order_row: Final = msgspec.json.Decoder(OrderRow)
_maybe_order: Final = msgspec.json.Decoder(OrderRow | None)
_trade_row: Final = msgspec.json.Decoder(TradeRow)
_page: Final = msgspec.json.Decoder(_Page)


# -- frames


def decode_user(data: str | bytes, me: Me) -> UserDecoded:
    """Events of one message of the user channel. Never raises."""
    if len(data) > FRAME_CHARS_MAX:
        return UserDecoded((), (anomaly("user.too_large", f"{len(data)} characters"),))
    if data in (PONG, PONG.encode()):
        return UserDecoded((Pong(),))
    rows: Sequence[str | bytes | Raw] = (data,)
    if data[:1] in ("[", b"["):
        try:
            rows = _list.decode(data)
        except DECODE_ERRORS as error:
            return UserDecoded((), (anomaly("user.not_json", error),))
    decoded = [_event(row, me) for row in rows]
    events = tuple(event for event, _ in decoded if event is not None)
    return UserDecoded(events, tuple(wrong for _, wrong in decoded if wrong is not None))


def _event(data: str | bytes | Raw, me: Me) -> tuple[UserEvent | None, Anomaly | None]:
    try:
        row = _event_row.decode(data)
        return (read_order(row) if isinstance(row, OrderEventRow) else read_trade(row, me)), None
    except ProtocolViolation as violation:
        return None, anomaly(violation.kind, violation)
    except DECODE_ERRORS as error:
        return None, anomaly(_diagnose(data), error)


def _diagnose(data: str | bytes | Raw) -> str:
    try:
        name = _any.decode(data).get("event_type")
    except msgspec.ValidationError:
        return "user.no_object"
    except DECODE_ERRORS:
        return "user.not_json"
    if not isinstance(name, str):
        return "user.no_event_type"
    return f"{name}.schema" if name in ("order", "trade") else "user.unknown_event"


# -- answers


def decode_order(body: bytes) -> tuple[OrderNews | None, tuple[Anomaly, ...]]:
    """Answer of GET /data/order/{id}; None without an anomaly for an order that is not there any more."""
    return guarded("order.schema", _one_order, body)


def _one_order(body: bytes) -> OrderNews | None:
    if not body.strip() or body.strip() in (b"{}", b'""'):
        return None
    row = _maybe_order.decode(body)
    return None if row is None else read_order(row)


def decode_orders(body: bytes) -> tuple[Page | None, tuple[Anomaly, ...]]:
    """A page of GET /data/orders. A row that cannot be read makes the list worthless, so it costs the page."""
    return guarded("order.schema", _decode_page, body, lambda raw: read_order(_order_row.decode(raw)))


def decode_trades(body: bytes, me: Me) -> tuple[Page | None, tuple[Anomaly, ...]]:
    """A page of GET /data/trades, newest first; as for orders."""
    return guarded("trade.schema", _decode_page, body, lambda raw: read_trade(_trade_row.decode(raw), me))


def _decode_page(body: bytes, read: Callable[[Raw], T]) -> Page:
    page = _page.decode(body)
    cursor = page.next_cursor if page.next_cursor not in (None, "", LAST_PAGE) else None
    return Page(tuple(read(raw) for raw in page.data), cursor)
