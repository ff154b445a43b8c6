"""What the venue answers when it refuses, word for word.

Order-level texts carry a suffix ` asset=<id>` on the wire; whole-action errors do not. Each order-level refusal also
has the status under which the refused order is remembered.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs


class Status(StrEnum):
    """Order status values as the venue spells them."""

    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    SELF_TRADE = "selfTradeCanceled"
    REDUCE_ONLY_CANCELED = "reduceOnlyCanceled"
    OUTCOME_SETTLED = "outcomeSettledCanceled"
    LIQUIDATED = "liquidatedCanceled"
    SCHEDULED = "scheduledCancel"
    TICK_REJECTED = "tickRejected"
    MIN_NOTIONAL_REJECTED = "minTradeNtlRejected"
    MARGIN_REJECTED = "perpMarginRejected"
    REDUCE_ONLY_REJECTED = "reduceOnlyRejected"
    BAD_ALO_REJECTED = "badAloPxRejected"
    IOC_REJECTED = "iocCancelRejected"
    BALANCE_REJECTED = "insufficientSpotBalanceRejected"
    TOO_MANY_REJECTED = "tooManyOpenOrdersRejected"


@attrs.frozen
class Refusal:
    """One refused order: the text without suffix and the status it is filed under."""

    text: str
    status: Status

    def on(self, asset: int) -> str:
        """The text as it travels, with the asset it concerns."""
        return f"{self.text} asset={asset}"


class WholeActionRefused(Exception):  # noqa: N818 - it is an answer of the venue, not a failure of ours
    """The whole action is refused with `{"status": "err"}` and this text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class BatchRefused(Exception):  # noqa: N818
    """Static validation failed: one error status stands for every order of the batch."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


TICK: Final = Refusal("Price must be divisible by tick size.", Status.TICK_REJECTED)
INVALID_SIZE: Final = Refusal("Order has invalid size.", Status.REJECTED)
ZERO_SIZE: Final = Refusal("Order has zero size.", Status.REJECTED)
PERP_MINIMUM: Final = Refusal("Order must have minimum value of $10.", Status.MIN_NOTIONAL_REJECTED)
MARGIN: Final = Refusal("Insufficient margin to place order.", Status.MARGIN_REJECTED)
REDUCE_ONLY: Final = Refusal("Reduce only order would increase position.", Status.REDUCE_ONLY_REJECTED)
IOC_NO_MATCH: Final = Refusal("Order could not immediately match against any resting orders.", Status.IOC_REJECTED)
BAD_TRIGGER: Final = Refusal("Invalid TP/SL price.", Status.REJECTED)
SPOT_BALANCE: Final = Refusal("Insufficient spot balance", Status.BALANCE_REJECTED)
MISSING_ORDER: Final = Refusal("Order was never placed, already canceled, or filled.", Status.REJECTED)
MODIFY_DEAD: Final = Refusal("Cannot modify canceled or filled order", Status.REJECTED)
TOO_MANY_OPEN: Final = Refusal("Too many open orders", Status.TOO_MANY_REJECTED)
OUTCOME_SETTLED: Final = Refusal("Outcome has been settled", Status.REJECTED)
FALLBACK: Final = Refusal("Cannot trade fallback token", Status.REJECTED)
# Not in any list we know; the situation is described and the wording is ours.
UNKNOWN_ASSET: Final = Refusal("Invalid asset", Status.REJECTED)
MODIFY_NOT_POST_ONLY: Final = Refusal("Modified order must be post only", Status.REJECTED)

REFERENCE_80: Final = "Order price cannot be more than 80% away from the reference price"
ACTION_EXPIRED: Final = "Action already expired"
WRONG_NETWORK: Final = "Mainnet and testnet require different signature."
UNRECOVERABLE: Final = "Unable to recover signer."
OUTCOME_AMOUNT: Final = "Invalid input number"
OUTCOME_QUOTE: Final = "Outcome error: Insufficient quote token balance"
OUTCOME_TOKENS: Final = "Outcome error: Insufficient outcome token balance"
OUTCOME_UNKNOWN: Final = "Outcome error: Outcome does not exist"
QUESTION_UNKNOWN: Final = "Outcome error: Question does not exist"
QUESTION_FOREIGN: Final = "Outcome error: Outcome does not belong to question"
PRIORITY_ON_OUTCOME: Final = "Priority fee is not supported for outcome assets"
BUILDER_FEE: Final = "Builder fee has not been approved"


def outcome_minimum(quote_token: str, usd: int) -> Refusal:
    return Refusal(f"Order must have minimum value of {usd} {quote_token}.", Status.MIN_NOTIONAL_REJECTED)


def bad_alo(bid: str | None, ask: str | None) -> Refusal:
    """Post-only order that would match; the touch is printed as bid@ask in the view of the order's coin."""
    return Refusal(f"Post only order would have immediately matched, bbo was {bid}@{ask}.", Status.BAD_ALO_REJECTED)


def unknown_signer(address: str) -> str:
    return f"User or API Wallet {address} does not exist."


def must_deposit(address: str) -> str:
    return f"Must deposit before performing actions. User: {address}"


def vault_not_registered(address: str) -> str:
    return f"Vault not registered: {address}"


def nonce_low(nonce: int, bound: int) -> str:
    return f"Invalid nonce: nonce too low {nonce} < {bound}"


def nonce_high(nonce: int, bound: int) -> str:
    return f"Invalid nonce: nonce too high {nonce} > {bound}"


def nonce_duplicate(nonce: int) -> str:
    return f"Invalid nonce: duplicate nonce {nonce}"


def address_limit(used: int, cap: int, volume: str) -> str:
    return (
        f"Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${volume}. "
        "Place taker orders to free up 1 request per USDC traded."
    )


def schedule_volume(required_usd: int, traded: str) -> str:
    return f"Cannot set scheduled cancel time until enough volume traded. Required: ${required_usd}. Traded: ${traded}."


def schedule_daily(limit: int) -> str:
    return f"Too many scheduled cancels triggered for the day. Limit is {limit}"


# Situations the venue refuses in words we do not know; clients must not depend on the wording.
SCHEDULE_TOO_SOON: Final = "Scheduled cancel time must be at least 5 seconds in the future."
EMPTY_BATCH: Final = "Batch must not be empty"
INVALID_LEVERAGE: Final = "Invalid leverage value"
AGENT_DESTINATION: Final = "Agent can only send assets to its own account"
INVALID_DEX: Final = "Invalid perp dex"
TRANSFER_BALANCE: Final = "Insufficient balance for transfer"
EXTRA_AGENT: Final = "Too many extra agents"
MEMPOOL_FULL: Final = "Too many pending actions"
