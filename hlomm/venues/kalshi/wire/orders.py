"""Order requests of the second version, and their answers (venue sheet section 6). `/portfolio/events/orders` only.

Every request names its shard and its market: an unrouted cancel goes to shard 0 and is answered with 404 while the
order lives. The body of a cancel's or amend's answer may describe another order, so only its figures are read, and
only if it names the order that was asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import msgspec

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.units import Px, Qty
from hlomm.venues.anomalies import DECODE_ERRORS
from hlomm.venues.fields import DecimalText, Millis, unsigned
from hlomm.venues.kalshi.wire.errors import Refusal, item_refusal, says_gone
from hlomm.venues.kalshi.wire.schemas import IdText, count_text, price_text
from hlomm.venues.kalshi.wire.sides import BookSide

ORDERS: Final = "/portfolio/events/orders"
BATCHED: Final = f"{ORDERS}/batched"
STP: Final = "taker_at_cross"
"""The incoming order stops at our own resting one: nothing of ours is cancelled behind the engine's back."""

GTC: Final = "good_till_canceled"
IOC: Final = "immediate_or_cancel"
FOK: Final = "fill_or_kill"


@attrs.frozen(kw_only=True)
class Create:
    """A new order. `expires_s`: unix seconds, only with GTC."""

    ticker: str
    shard: int
    client_id: str
    side: BookSide
    px: Px
    qty: Qty
    tif: str
    post_only: bool = False
    reduce_only: bool = False
    expires_s: int | None = None
    group: str | None = None


@attrs.frozen(kw_only=True)
class Amend:
    """`total` is what it filled so far and what is to rest, together."""

    ticker: str
    shard: int
    order_id: str
    side: BookSide
    px: Px
    total: Qty
    client_id: str
    expires_s: int | None = None


def create_body(order: Create) -> dict[str, Any]:
    if order.expires_s is not None and order.tif != GTC:
        raise ValueError("only a good-till-cancelled order may expire")
    body: dict[str, Any] = {
        "ticker": order.ticker,
        "client_order_id": order.client_id,
        "side": order.side.value,
        "count": count_text(order.qty),
        "price": price_text(order.px),
        "time_in_force": order.tif,
        "self_trade_prevention_type": STP,
        "post_only": order.post_only,
        "cancel_order_on_pause": True,
        "reduce_only": order.reduce_only,
        "exchange_index": order.shard,
    }
    if order.expires_s is not None:
        body["expiration_time"] = order.expires_s
    if order.group is not None:
        body["order_group_id"] = order.group
    return body


def amend_body(amend: Amend) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ticker": amend.ticker,
        "side": amend.side.value,
        "price": price_text(amend.px),
        "count": count_text(amend.total),
        "client_order_id": amend.client_id,
        "exchange_index": amend.shard,
    }
    if amend.expires_s is not None:
        body["expiration_time"] = amend.expires_s
    return body


def decrease_body(ticker: str, shard: int, *, reduce_by: Qty) -> dict[str, Any]:
    return {"reduce_by": count_text(reduce_by), "market_ticker": ticker, "exchange_index": shard}


def batch_create_body(orders: Sequence[Create]) -> dict[str, Any]:
    return {"orders": [create_body(order) for order in orders]}


def batch_cancel_body(targets: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """`targets`: order id, ticker and shard of each."""
    return {
        "orders": [
            {"order_id": order_id, "exchange_index": shard, "market_ticker": ticker}
            for order_id, ticker, shard in targets
        ]
    }


def cancel_path(order_id: str, ticker: str, shard: int) -> str:
    return f"{ORDERS}/{order_id}?{urlencode({'exchange_index': shard, 'market_ticker': ticker})}"


def amend_path(order_id: str) -> str:
    return f"{ORDERS}/{order_id}/amend"


def decrease_path(order_id: str) -> str:
    return f"{ORDERS}/{order_id}/decrease"


def body_bytes(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body)


# -- answers


class _Row(msgspec.Struct):
    order_id: IdText | None = None
    client_order_id: str | None = None
    fill_count: DecimalText | None = None
    remaining_count: DecimalText | None = None
    reduced_by: DecimalText | None = None
    average_fill_price: DecimalText | None = None
    average_fee_paid: DecimalText | None = None
    ts_ms: Millis | None = None
    error: dict[str, Any] | None = None


class _Rows(msgspec.Struct):
    orders: list[_Row]


_row: Final = msgspec.json.Decoder(_Row)
_rows: Final = msgspec.json.Decoder(_Rows)


@attrs.frozen(kw_only=True)
class Answer:
    """What the venue says of one order; None where it does not."""

    order_id: str | None
    client_id: str | None
    filled: Qty | None
    leaves: Qty | None
    reduced_by: Qty | None
    venue_ms: int


def decode_answer(body: bytes) -> Answer:
    """The answer to a single request. ProtocolViolation if it cannot be read, or is the removed endpoint's."""
    if says_gone(body):
        raise ProtocolViolation("order.legacy", "the removed endpoint answered")
    try:
        return _answer(_row.decode(body))
    except DECODE_ERRORS as error:
        raise ProtocolViolation("order.answer", str(error)) from None


def decode_batch(status: int, body: bytes) -> list[Answer | Refusal]:
    """One result per item, in order."""
    try:
        rows = _rows.decode(body).orders
    except DECODE_ERRORS as error:
        raise ProtocolViolation("order.batch", str(error)) from None
    return [_answer(row) if row.error is None else item_refusal(status, row.error) for row in rows]


def _answer(row: _Row) -> Answer:
    return Answer(
        order_id=row.order_id,
        client_id=row.client_order_id,
        filled=_count(row.fill_count),
        leaves=_count(row.remaining_count),
        reduced_by=_count(row.reduced_by),
        venue_ms=row.ts_ms or 0,
    )


def _count(text: str | None) -> Qty | None:
    return None if text is None else Qty(unsigned(text, "order.count"))
