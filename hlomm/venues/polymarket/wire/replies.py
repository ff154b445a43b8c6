"""Answers to orders, cancels and heartbeats (venue sheet sections 7 and 10).

A refusal can hide in a success: a batch answers 200 with `success: true` and an empty order id. What an order did at
once is told by its amounts, not by its status; they come as decimals or as millionths, which the order's own size tells
apart. Entries: `decode_placed`, `decode_cancels`, `decode_failure`, `decode_heartbeat`.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Qty
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import Text, unsigned
from hlomm.venues.polymarket.signing import SignedOrder
from hlomm.venues.polymarket.wire.errors import WORDLESS, Failure, failure, refusal
from hlomm.venues.polymarket.wire.requests import CANCEL_MAX
from hlomm.venues.polymarket.wire.values import IdText

LIVE: Final = "live"
MATCHED: Final = "matched"
DELAYED: Final = "delayed"
UNMATCHED: Final = "unmatched"

_MILLIONTH: Final = SCALE // 1_000_000


class _Reply(Struct, frozen=True, rename="camel"):
    success: bool = True
    error_msg: Text | None = None
    order_id: IdText | None = msgspec.field(name="orderID", default=None)
    taking_amount: IdText | None = None
    making_amount: IdText | None = None
    status: IdText | None = None


class _Cancels(Struct, frozen=True):
    canceled: Annotated[list[IdText], Meta(max_length=CANCEL_MAX)] = []
    not_canceled: dict[IdText, Text] = {}


class _Error(Struct, frozen=True):
    error: Text | None = None
    error_msg: Text | None = None
    error_message: Text | None = msgspec.field(name="errorMsg", default=None)


class _Heartbeat(Struct, frozen=True):
    heartbeat_id: IdText


class Placed(Struct, frozen=True):
    """The venue has the order. `filled` is what matched at once; None where the answer does not say."""

    order_id: str
    status: str
    filled: Qty | None


class Cancels(Struct, frozen=True):
    """`refused` has the venue's words by order id."""

    canceled: tuple[str, ...]
    refused: dict[str, str]


PlacedRow = Placed | Failure

_one: Final = msgspec.json.Decoder(_Reply)
_many: Final = msgspec.json.Decoder(list[_Reply])
_cancels: Final = msgspec.json.Decoder(_Cancels)
_error: Final = msgspec.json.Decoder(_Error)
_heartbeat: Final = msgspec.json.Decoder(_Heartbeat)


def decode_placed(
    body: bytes, orders: tuple[SignedOrder, ...]
) -> tuple[tuple[PlacedRow, ...] | None, tuple[Anomaly, ...]]:
    """One row per order of the request, in its order; None for an answer that does not fit the question."""
    return guarded("placed.schema", _placed, body, orders)


def _placed(body: bytes, orders: tuple[SignedOrder, ...]) -> tuple[PlacedRow, ...]:
    replies = [_one.decode(body)] if len(orders) == 1 and not body.lstrip().startswith(b"[") else _many.decode(body)
    if len(replies) != len(orders):
        raise ProtocolViolation("placed.length", f"{len(replies)} results for {len(orders)} orders")
    return tuple(_row(reply, order) for reply, order in zip(replies, orders, strict=True))


def _row(reply: _Reply, order: SignedOrder) -> PlacedRow:
    if not reply.order_id or not reply.success:
        return refusal(reply.error_msg or WORDLESS)
    if reply.order_id.lower() != order.id:
        raise ProtocolViolation("placed.order_id", f"expected {order.id}, was {reply.order_id[:70]}")
    return Placed(order.id, (reply.status or "").lower(), _filled(reply, order))


def _filled(reply: _Reply, order: SignedOrder) -> Qty | None:
    """Shares that matched at once."""
    buys = order.order.side is Side.BUY
    text = reply.taking_amount if buys else reply.making_amount
    if text is None:
        return None
    if text == "":
        return Qty(0)
    whole = (order.order.taker_amount if buys else order.order.maker_amount) * _MILLIONTH
    value = unsigned(text, "placed.amount")
    if value <= whole:
        return Qty(value)
    # Not a size that this order can have as a decimal: then it counts millionths.
    millionths, rest = divmod(value, SCALE)
    if rest or millionths * _MILLIONTH > whole:
        raise ProtocolViolation("placed.amount", f"expected at most {whole}, was {text!r}")
    return Qty(millionths * _MILLIONTH)


def decode_cancels(body: bytes) -> tuple[Cancels | None, tuple[Anomaly, ...]]:
    return guarded("canceled.schema", _read_cancels, body)


def _read_cancels(body: bytes) -> Cancels:
    rows = _cancels.decode(body)
    refused = {order_id.lower(): text for order_id, text in rows.not_canceled.items()}
    return Cancels(tuple(one.lower() for one in rows.canceled), refused)


def decode_failure(status: int, body: bytes) -> Failure:
    """What an answer with an error status says; never fails itself."""
    text = body[:2_000].decode(errors="replace")
    row, _ = guarded("error.schema", _error.decode, body)
    said = None if row is None else row.error or row.error_msg or row.error_message
    return failure(status, said or f"HTTP {status} {text[:200]}", text)


def decode_heartbeat(body: bytes) -> tuple[str | None, tuple[Anomaly, ...]]:
    """The id to send next: in an acceptance the new one, in a refusal the right one."""
    row, anomalies = guarded("heartbeat.schema", _heartbeat.decode, body)
    return (None if row is None else row.heartbeat_id), anomalies
