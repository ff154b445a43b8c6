"""What the venue says when it refuses, word for word (venue sheet 7.1)."""

from __future__ import annotations

from typing import Final


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request is answered with a status and `{"error": text}`, or with `body` where the shape differs."""

    def __init__(
        self,
        text: str,
        status: int = 400,
        body: dict[str, object] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(text)
        self.headers = headers
        self.text = text
        self.status = status
        self.body: dict[str, object] = {"error": text} if body is None else body


INVALID_KEY: Final = "Unauthorized/Invalid api key"
INVALID_L1: Final = "Invalid L1 Request headers"
NOT_CREATED: Final = "Could not create api key"
NOT_DERIVED: Final = "Could not derive api key!"
INVALID_TOKEN: Final = "Invalid token id"  # noqa: S105 - words of the venue
INVALID_PAYLOAD: Final = "Invalid payload"
INVALID_ORDER: Final = "Invalid order payload"
INVALID_SIGNATURE: Final = "invalid signature"
WRONG_OWNER: Final = "the order owner has to be the owner of the API KEY"
WRONG_SIGNER: Final = "the order signer address has to be the address of the API KEY"
WRONG_MAKER: Final = "maker address not allowed, please use the deposit wallet flow"
WRONG_VERSION: Final = "order_version_mismatch"
POST_ONLY_CROSSES: Final = "invalid post-only order: order crosses book"
BALANCE: Final = "not enough balance / allowance"
EXPIRATION: Final = "invalid expiration"
NOT_READY: Final = "the market is not yet ready to process new orders"
FOK_KILLED: Final = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED: Final = (
    "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
)
AMOUNTS: Final = (
    "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
    "taker amount a max of 4 decimals"
)
AMOUNTS_SELL: Final = (
    "invalid amounts, the market sell orders maker amount supports a max accuracy of 4 decimals, "
    "taker amount a max of 2 decimals"
)
MARKETABLE_MINIMUM: Final = "invalid amount for a marketable BUY order ({}), min size: $1"
NO_BOOK: Final = "No orderbook exists for the requested token id"
NO_MARKET: Final = "market not found"
NOT_CANCELABLE: Final = "already canceled or matched"
NOT_FOUND: Final = "order not found"
PENDING: Final = "cannot cancel because the order is in pending/delayed status"
DISABLED: Final = "Trading is currently disabled. Check polymarket.com for updates"
CANCEL_ONLY: Final = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
POST_ONLY_MODE: Final = "post-only mode: only post-only orders and cancels are allowed"
RESTARTING: Final = "the matching engine is restarting"
INTERNAL: Final = "Internal server error"
RATE_LIMITED: Final = "Too Many Requests"
SELF_MATCH: Final = "order crosses an order of the same maker"
HEARTBEAT: Final = "Invalid Heartbeat ID"


def breaks_tick(order_id: str, price: str, tick: str) -> str:
    return f"order {order_id} is invalid. Price ({price}) breaks minimum tick size rule: {tick}"


def too_small(order_id: str, size: str, minimum: str) -> str:
    return f"order {order_id} is invalid. Size ({size}) lower than the minimum: {minimum}"


def duplicated(order_id: str) -> str:
    return f"order {order_id} is invalid. Duplicated."


def too_many(count: int, limit: int) -> str:
    return f"Too many orders in payload: {count}, max allowed: {limit}"
