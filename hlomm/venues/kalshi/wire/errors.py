"""Refusals of the venue and what they mean for us (venue sheet section 8).

Three body forms are in use: `{"code", "message", "details"}`, the same inside `"error"`, and `{"error": "<text>"}`.
What counts is the HTTP class first and the known codes second. A write whose fate the answer does not settle is
`ambiguous`: it may have been carried out, and only a question by id can tell.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import attrs
import msgspec

from hlomm.venues.anomalies import DECODE_ERRORS

TEXT_CHARS: Final = 200

POST_ONLY_CROSS: Final = "post_only_cross"
INSUFFICIENT_BALANCE: Final = "insufficient_balance"
UNFUNDED_SHARD: Final = "unfunded_shard"
WRONG_SHARD: Final = "wrong_shard"
INVALID_PRICE: Final = "invalid_price"
INVALID_SIZE: Final = "invalid_size"
INVALID_ORDER: Final = "invalid_order"
MARKET_INACTIVE: Final = "market_inactive"
PAUSED: Final = "paused"
DUPLICATE_ID: Final = "duplicate_client_id"
NOT_FOUND: Final = "not_found"
RATE_LIMITED: Final = "rate_limited"
ACCESS_DENIED: Final = "access_denied"
LEGACY_ENDPOINT: Final = "legacy_endpoint"
GROUP_LIMIT: Final = "order_group_limit"
SELF_CROSS: Final = "self_cross"
CALLER_BUG: Final = "caller_bug"
SERVER_FAULT: Final = "server_fault"
UNKNOWN: Final = "unknown"

_CODES: Final[dict[str, str]] = {
    "invalid_order": INVALID_ORDER,
    "invalid_order_size": INVALID_SIZE,
    "insufficient_balance": INSUFFICIENT_BALANCE,
    "available_balance_too_low": INSUFFICIENT_BALANCE,
    "user_not_found": UNFUNDED_SHARD,
    "market_not_found": WRONG_SHARD,
    "invalid_price": INVALID_PRICE,
    "market_inactive": MARKET_INACTIVE,
    "market_already_closed": MARKET_INACTIVE,
    "trading_paused": PAUSED,
    "exchange_paused": PAUSED,
    "order_already_exists": DUPLICATE_ID,
    "not_found": NOT_FOUND,
    "exceeded_order_group_risk_limit": GROUP_LIMIT,
    "self_cross_attempt": SELF_CROSS,
    "order_id_and_client_order_id_mismatch": CALLER_BUG,
    "order_side_mismatch": CALLER_BUG,
    "order_ticker_mismatch": CALLER_BUG,
    "deprecated_v1_order_endpoint": LEGACY_ENDPOINT,
    "exchange_unavailable": SERVER_FAULT,
}
_STATUSES: Final[dict[int, str]] = {
    401: ACCESS_DENIED,
    403: ACCESS_DENIED,
    404: NOT_FOUND,
    409: DUPLICATE_ID,
    410: LEGACY_ENDPOINT,
    429: RATE_LIMITED,
}
_DETAILS: Final[dict[str, str]] = {"post only cross": POST_ONLY_CROSS}


class Fate(Enum):
    """What became of a write that was answered with a refusal."""

    REFUSED = "refused"
    """It was not carried out and never will be."""
    ALREADY = "already"
    """An earlier attempt under the same id arrived: ask for it."""
    AMBIGUOUS = "ambiguous"
    """Nobody knows."""


@attrs.frozen
class Refusal:
    """A refusal in our words. `text` is the venue's, for people."""

    status: int
    code: str
    text: str

    def fate(self, *, places: bool) -> Fate:
        """`places`: the write was a new order; a cancel or amend that finds nothing proves nothing."""
        if self.code == DUPLICATE_ID:
            return Fate.ALREADY if places else Fate.AMBIGUOUS
        if self.status >= 500 or self.code in (SERVER_FAULT, UNKNOWN):
            return Fate.AMBIGUOUS
        return Fate.AMBIGUOUS if self.code == NOT_FOUND else Fate.REFUSED


class _Body(msgspec.Struct):
    code: Any = None
    message: Any = None
    details: Any = None
    error: Any = None


_decoder: Final = msgspec.json.Decoder(_Body)


def refusal(status: int, body: bytes) -> Refusal:
    """The refusal in an answer that is not a success; never raises."""
    try:
        read = _decoder.decode(body)
    except DECODE_ERRORS:
        return Refusal(status, _by_status(status), body[:TEXT_CHARS].decode(errors="replace"))
    if isinstance(read.error, dict):
        return item_refusal(status, read.error)
    if read.error is not None:
        return Refusal(status, _by_status(status), str(read.error)[:TEXT_CHARS])
    return item_refusal(status, {"code": read.code, "message": read.message, "details": read.details})


def item_refusal(status: int, error: dict[str, Any]) -> Refusal:
    """The refusal in a `{code, message, details}` object, also of one item of a batch."""
    code, message, details = (str(error.get(key) or "") for key in ("code", "message", "details"))
    text = ": ".join(part for part in (code, message, details) if part)[:TEXT_CHARS]
    return Refusal(status, _word(status, code.lower(), details.lower()), text)


def says_gone(body: bytes) -> bool:
    """Whether a body of HTTP success says that the endpoint was the old one, which creates nothing."""
    return b"deprecated_v1_order_endpoint" in body


def _word(status: int, code: str, details: str) -> str:
    for part, word in _DETAILS.items():
        if part in details:
            return word
    return _CODES.get(code) or _by_status(status)


def _by_status(status: int) -> str:
    return SERVER_FAULT if status >= 500 else _STATUSES.get(status, UNKNOWN)
