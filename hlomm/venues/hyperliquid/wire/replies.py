"""Answers to `/exchange` actions, whether they came over HTTP or a websocket post (venue sheet section 4.2)."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.units import Qty
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import DecimalText, Text, VenueNumber, Word, unsigned
from hlomm.venues.hyperliquid.wire.account import CloidText, client_id_of


class Rested(Struct, frozen=True):
    venue_order_id: VenueOrderId
    client_id: ClientId | None


class Filled(Struct, frozen=True):
    """Filled at once, wholly or (for an IOC) as far as it went."""

    venue_order_id: VenueOrderId
    client_id: ClientId | None
    filled: Qty


class Refused(Struct, frozen=True):
    text: str


class Done(Struct, frozen=True):
    """A cancel that succeeded."""


class Waiting(Struct, frozen=True):
    """Accepted but dormant (children of trigger orders, which we never send)."""

    word: str


Status = Rested | Filled | Refused | Done | Waiting


class Accepted(Struct, frozen=True):
    """`statuses` has one entry per order of the batch, or a single refusal for all; empty for `default` replies."""

    kind: str
    statuses: tuple[Status, ...]


class ActionRefused(Struct, frozen=True):
    """The whole action was refused: nothing of it was carried out."""

    text: str


ExchangeReply = Accepted | ActionRefused


class _OidRow(Struct, frozen=True, rename="camel"):
    oid: VenueNumber
    cloid: CloidText | None = None
    total_sz: DecimalText = "0"


class _StatusObject(Struct, frozen=True):
    resting: _OidRow | UnsetType = UNSET
    filled: _OidRow | UnsetType = UNSET
    error: Text | UnsetType = UNSET


class _Data(Struct, frozen=True):
    statuses: Annotated[list[Word | _StatusObject], Meta(max_length=5_000)] | UnsetType = UNSET
    status: Raw | UnsetType = UNSET


class _Body(Struct, frozen=True):
    type: Word
    data: _Data | UnsetType = UNSET


class _Reply(Struct, frozen=True):
    status: Word
    response: Raw = Raw(b"null")


_reply: Final = msgspec.json.Decoder(_Reply)
_body: Final = msgspec.json.Decoder(_Body)
_text: Final = msgspec.json.Decoder(Text)


def decode_exchange(data: bytes | Raw) -> tuple[ExchangeReply | None, tuple[Anomaly, ...]]:
    """The answer to an action, None with an anomaly `exchange.*` if it cannot be read (the result is then unknown)."""
    return guarded("exchange.schema", _exchange, data)


def _exchange(data: bytes | Raw) -> ExchangeReply:
    reply = _reply.decode(data)
    if reply.status == "err":
        return ActionRefused(_text.decode(reply.response))
    if reply.status != "ok":
        raise ProtocolViolation("exchange.status", f"expected ok or err, was {reply.status!r}")
    body = _body.decode(reply.response)
    if body.data is UNSET or body.data.statuses is UNSET:
        return Accepted(body.type, ())
    return Accepted(body.type, tuple(_status(status) for status in body.data.statuses))


def _status(status: str | _StatusObject) -> Status:
    if isinstance(status, str):
        return Done() if status == "success" else Waiting(status)
    if status.error is not UNSET:
        return Refused(status.error)
    if status.resting is not UNSET:
        return Rested(_oid(status.resting), client_id_of(status.resting.cloid))
    if status.filled is not UNSET:
        size = unsigned(status.filled.total_sz, "exchange.size")
        return Filled(_oid(status.filled), client_id_of(status.filled.cloid), Qty(size))
    raise ProtocolViolation("exchange.status", "expected resting, filled or error")


def _oid(row: _OidRow) -> VenueOrderId:
    return VenueOrderId(str(row.oid))


def expand(statuses: tuple[Status, ...], count: int) -> tuple[Status, ...] | None:
    """One status per order of a batch of `count`; None if the answer does not fit the question.

    Static checks run over a whole batch before anything executes and answer with one error for all.
    """
    if len(statuses) == count:
        return statuses
    if len(statuses) == 1 and isinstance(statuses[0], Refused):
        return statuses * count
    return None
