"""What the venue answers when it refuses: status, code, text (venue sheet section 8)."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

ErrorForm = Literal["enveloped", "flat"]
"""Both have been seen; 429 has a third form of its own."""


@attrs.frozen
class Refusal:
    """One refused request or item of a batch."""

    status: int
    code: str
    message: str
    details: str | None = None

    def error(self) -> dict[str, Any]:
        """The object inside the envelope, which is also the item error of a batch."""
        body = {"code": self.code, "message": self.message}
        return body if self.details is None else body | {"details": self.details}

    def body(self, form: ErrorForm) -> dict[str, Any]:
        if form == "flat":
            return {"code": self.code, "message": self.message, "details": self.details or ""}
        return {"error": self.error()}


class Refused(Exception):  # noqa: N818 - an answer of the venue, not a failure of ours
    """Ends a request with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


MARKET_NOT_FOUND: Final = Refusal(404, "market_not_found", "market not found")
USER_NOT_FOUND: Final = Refusal(404, "user_not_found", "user not found")
NOT_FOUND: Final = Refusal(404, "not_found", "not found")
DUPLICATE: Final = Refusal(409, "order_already_exists", "order already exists")
INACTIVE: Final = Refusal(400, "market_inactive", "market inactive")
TRADING_PAUSED: Final = Refusal(400, "trading_paused", "trading is paused")
EXCHANGE_PAUSED: Final = Refusal(503, "exchange_paused", "exchange is paused")
INVALID_PRICE: Final = Refusal(400, "invalid_price", "invalid price")
INVALID_SIZE: Final = Refusal(400, "invalid_order_size", "invalid order size")
POST_ONLY_CROSS: Final = Refusal(400, "invalid_order", "invalid order", "post only cross")
INSUFFICIENT: Final = Refusal(400, "insufficient_balance", "insufficient balance")
EXPIRED: Final = Refusal(400, "invalid_order", "invalid order", "expiration time is in the past")
EXPIRING_IOC: Final = Refusal(400, "invalid_order", "invalid order", "expiration time needs good_till_canceled")
POST_ONLY_IOC: Final = Refusal(400, "invalid_order", "invalid order", "post only needs good_till_canceled")
GROUP_LIMIT: Final = Refusal(400, "exceeded_order_group_risk_limit", "exceeded order group risk limit")
GROUP_NOT_FOUND: Final = Refusal(404, "order_group_not_found", "order group not found")
TOO_MANY_ORDERS: Final = Refusal(400, "too_many_open_orders", "too many open orders")
TICKER_MISMATCH: Final = Refusal(400, "order_ticker_mismatch", "order ticker mismatch")
SIDE_MISMATCH: Final = Refusal(400, "order_side_mismatch", "order side mismatch")
CLIENT_ID_MISMATCH: Final = Refusal(
    400, "order_id_and_client_order_id_mismatch", "order id and client order id mismatch"
)
DEPRECATED: Final = Refusal(
    410,
    "deprecated_v1_order_endpoint",
    "Please switch to the V2 endpoints",
    "https://docs.kalshi.com/api-reference/orders/create-order-v2",
)
UNAUTHORIZED: Final = Refusal(401, "authentication_error", "authentication error")
SERVER_ERROR: Final = Refusal(500, "internal_server_error", "internal server error")


def unauthorized(details: str) -> Refusal:
    return Refusal(401, "authentication_error", "authentication error", details)


def bad_request(details: str) -> Refusal:
    return Refusal(400, "invalid_parameters", "invalid parameters", details)
