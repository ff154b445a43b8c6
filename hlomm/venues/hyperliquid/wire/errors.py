"""Stable words for the venue's error texts (venue sheet section 4.3).

Order-level texts end with ` asset=<id>` and carry figures, addresses and token names, so they are matched by their
constant beginning, the longest first.
"""

from __future__ import annotations

import re
from typing import Final

_PREFIXES: Final[dict[str, str]] = {
    "Price must be divisible by tick size": "Tick",
    "Order must have minimum value of $": "MinTradeNtl",
    "Order must have minimum value of ": "MinTradeSpotNtl",
    "Insufficient margin to place order": "PerpMargin",
    "Reduce only order would increase position": "ReduceOnly",
    "Post only order would have immediately matched": "BadAloPx",
    "Order could not immediately match against any resting orders": "IocCancel",
    "Invalid TP/SL price": "BadTriggerPx",
    "No liquidity available for market order": "MarketOrderNoLiquidity",
    # Two rules of the venue share this text; which one refused cannot be told.
    "Order would increase open interest while open interest is capped": "PositionIncreaseAtOpenInterestCap",
    "Order rejected due to price more aggressive than oracle": "TooAggressiveAtOpenInterestCap",
    "Order would increase open interest too quickly": "OpenInterestIncrease",
    "Insufficient spot balance": "InsufficientSpotBalance",
    "Order has insufficient spot balance": "InsufficientSpotBalance",
    "Order price too far from oracle": "Oracle",
    "Order would cause position to exceed margin tier limit": "PerpMaxPosition",
    "Order was never placed, already canceled, or filled": "MissingOrder",
    "Order has invalid size": "InvalidSize",
    "Order has zero size": "ZeroSize",
    "Order price cannot be more than 80% away from the reference price": "RefPrice80",
    "User or API Wallet ": "UnknownSigner",
    "Must deposit before performing actions": "MustDeposit",
    "Vault not registered": "VaultNotRegistered",
    "Action already expired": "ActionExpired",
    "Invalid nonce: nonce too low": "NonceLow",
    "Invalid nonce: nonce too high": "NonceHigh",
    "Invalid nonce: duplicate nonce": "NonceDup",
    "Builder fee has not been approved": "BuilderFee",
    "Cannot modify canceled or filled order": "ModifyDead",
    "Too many open orders": "TooManyOpen",
    "Trading is halted": "Halted",
    "Mainnet and testnet require different signature": "WrongNetwork",
    "Too many cumulative requests sent": "RateLimitAddress",
    "Cannot set scheduled cancel time until enough volume traded": "ScheduleCancelVolume",
    "Too many scheduled cancels triggered": "ScheduleCancelDaily",
    "Invalid TWAP duration": "TwapDuration",
    "TWAP was never placed": "TwapMissing",
    "Invalid input number": "OutcomeAmount",
    "Outcome error: Insufficient quote token balance": "OutcomeQuote",
    "Outcome has been settled": "OutcomeSettled",
    "Cannot trade fallback token": "OutcomeFallback",
    "Unable to recover signer": "Unrecoverable",
    # Not the exchange's words but its gateway's.
    "429": "RateLimitIp",
    "too many pending post requests": "TooManyPosts",
}
_LONGEST_FIRST: Final = tuple(sorted(_PREFIXES.items(), key=lambda item: -len(item[0])))

UNKNOWN: Final = "Unknown"
EXPIRED: Final = "ActionExpired"
GONE: Final = frozenset({"MissingOrder"})
"""Refusals of a cancel that say the order rests no more."""
REFUSES_US: Final = frozenset({"UnknownSigner", "MustDeposit", "VaultNotRegistered", "WrongNetwork", "Unrecoverable"})
"""Refusals of the key, the account or the network: no later action can succeed."""

# Status words of refused orders say the same as the texts.
_REJECTED_STATUSES: Final[dict[str, str]] = {
    "tickRejected": "Tick",
    "minTradeNtlRejected": "MinTradeNtl",
    "perpMarginRejected": "PerpMargin",
    "reduceOnlyRejected": "ReduceOnly",
    "badAloPxRejected": "BadAloPx",
    "iocCancelRejected": "IocCancel",
    "badTriggerPxRejected": "BadTriggerPx",
    "marketOrderNoLiquidityRejected": "MarketOrderNoLiquidity",
    "positionIncreaseAtOpenInterestCapRejected": "PositionIncreaseAtOpenInterestCap",
    "positionFlipAtOpenInterestCapRejected": "PositionFlipAtOpenInterestCap",
    "tooAggressiveAtOpenInterestCapRejected": "TooAggressiveAtOpenInterestCap",
    "openInterestIncreaseRejected": "OpenInterestIncrease",
    "insufficientSpotBalanceRejected": "InsufficientSpotBalance",
    "oracleRejected": "Oracle",
    "perpMaxPositionRejected": "PerpMaxPosition",
    "tooManyOpenOrdersRejected": "TooManyOpen",
}

_CHANNEL_PREFIXES: Final[dict[str, str]] = {
    "Already subscribed": "AlreadySubscribed",
    "Already unsubscribed": "AlreadyUnsubscribed",
    "Invalid subscription": "InvalidSubscription",
    "Cannot track more than": "TooManyUsers",
    "too many pending post requests": "TooManyPosts",
}
_POST_ID: Final = re.compile(r"\bid=([0-9]{1,18})\b", re.ASCII)


def error_code(text: str) -> str:
    """Our word for a refusal's text, `Unknown` if it is not in the table."""
    for prefix, code in _LONGEST_FIRST:
        if text.startswith(prefix):
            return code
    return UNKNOWN


def rejected_status_code(status: str) -> str:
    """Our word for the status of a refused order (`tickRejected`, `rejected`, ...)."""
    return _REJECTED_STATUSES.get(status, UNKNOWN)


def channel_error_code(text: str) -> str:
    """Our word for a text of the websocket's `error` channel."""
    for prefix, code in _CHANNEL_PREFIXES.items():
        if text.startswith(prefix):
            return code
    return UNKNOWN


def post_id_in(text: str) -> int | None:
    """The post that an error of the `error` channel speaks of."""
    match = _POST_ID.search(text)
    return None if match is None else int(match[1])
