"""Stable words for the venue's error texts, and whether a failure leaves the fate of an order open (sheet section 7.1).

Texts carry ids and figures, so they are matched by the words in them, the first row of the table that fits. Words that
mean what another venue's mean are the same words: the engine heeds some of them.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

UNKNOWN: Final = "Unknown"
DUPLICATED: Final = "Duplicated"
"""The venue has that very order already: not a refusal, but the answer that was missing."""
DELAYED: Final = "Delayed"
NO_MATCH: Final = "IocCancel"
VERSION: Final = "OrderVersion"
PAUSED: Final = "Paused"
CANCEL_ONLY: Final = "CancelOnly"
POST_ONLY_MODE: Final = "PostOnlyMode"
RESTARTING: Final = "Restarting"
NO_MARKET: Final = "NoSuchMarket"
TIMED_OUT: Final = "TimedOut"
"""The exchange did not say in time, or stopped listening to itself (its own words for that come with status 400): the
order may rest."""
EXECUTION: Final = "Execution"
"""The exchange took the order and broke while matching it."""

_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    ("duplicated", DUPLICATED),
    ("invalid post-only order", "BadAloPx"),
    ("crosses the book", "BadAloPx"),
    ("breaks minimum tick size", "Tick"),
    ("lower than the minimum", "MinSize"),
    ("min size:", "MinTradeNtl"),
    ("max accuracy of", "Decimals"),
    ("not enough balance", "InsufficientSpotBalance"),
    ("insufficient balance", "InsufficientSpotBalance"),
    ("couldn't be fully filled", "FokCancel"),
    ("no orders found to match", NO_MATCH),
    ("no matching orders", NO_MATCH),
    ("order match delayed", DELAYED),
    ("delayed status", DELAYED),
    ("pending/delayed", DELAYED),
    ("order timed out", TIMED_OUT),
    ("context canceled", TIMED_OUT),
    ("context deadline exceeded", TIMED_OUT),
    ("could not run the execution", EXECUTION),
    ("rounding issues", "Rounding"),
    ("discrepancy greater than allowed", "Rounding"),
    ("order_version_mismatch", VERSION),
    ("invalid expiration", "Expiration"),
    ("invalid nonce", "Nonce"),
    ("order canceled in the ctf exchange", "CanceledOnChain"),
    ("not yet ready to process", "NotReady"),
    ("post-only mode", POST_ONLY_MODE),
    ("cancel-only", CANCEL_ONLY),
    ("trading is currently disabled", PAUSED),
    ("too many orders in payload", "BatchSize"),
    ("payload exceeds", "BatchSize"),
    ("already canceled or matched", "MissingOrder"),
    ("no orderbook exists", NO_MARKET),
    ("market not found", NO_MARKET),
    ("order not found", "MissingOrder"),
    ("not found", "MissingOrder"),
    ("closed only mode", "UnknownSigner"),
    ("banned", "UnknownSigner"),
    ("owner of the api key", "UnknownSigner"),
    ("address of the api key", "UnknownSigner"),
    ("invalid api key", "UnknownSigner"),
    ("unauthorized", "UnknownSigner"),
    ("invalid l1 request headers", "UnknownSigner"),
    ("maker address not allowed", "UnknownSigner"),
    ("invalid signature", "UnknownSigner"),
    ("invalid token id", NO_MARKET),
    ("invalid side", "Payload"),
    ("invalid payload", "Payload"),
    ("invalid order payload", "Payload"),
    ("invalid orderid", "Payload"),
)

GONE: Final = frozenset({"MissingOrder"})
"""Refusals of a cancel that say the order rests no more."""
REFUSES_US: Final = frozenset({"UnknownSigner", VERSION})
"""Refusals of the key, the wallet or the form of orders: no later order can succeed."""

_REFUSES: Final = 300
_FAULT: Final = 500
"""From one to below the other a status says that nothing was done. A success that is not 200 does not say what was."""
_BY_STATUS: Final = {401: "UnknownSigner", 404: NO_MARKET, 425: RESTARTING, 429: "RateLimitAddress", 503: PAUSED}
_AMBIGUOUS_TEXTS: Final = frozenset({DUPLICATED, DELAYED, TIMED_OUT, EXECUTION})
WORDLESS: Final = "refused without a word"
"""Stands for the text of a row that has neither an order nor an error: so the venue refuses what it does not list."""
_NUMBER: Final = re.compile(r'"retry_after_seconds"\s*:\s*([0-9]{1,6})', re.ASCII)
_REFUSED_5XX: Final = frozenset({NO_MATCH, "Rounding", PAUSED, CANCEL_ONLY, POST_ONLY_MODE, "FokCancel"})
"""Answers in the five hundreds that are the exchange's own word about the order."""


class Failure(Struct, frozen=True):
    """A request that did not succeed. `ambiguous`: an order in it may live all the same."""

    code: str
    text: str
    ambiguous: bool
    retry_after_s: int | None = None


def error_code(text: str) -> str:
    """Our word for an error text, `Unknown` if it is not in the table."""
    lowered = text.lower()
    return next((code for part, code in _TEXTS if part in lowered), UNKNOWN)


def failure(status: int, text: str, body: str = "") -> Failure:
    """What an HTTP answer other than success means. `body` is searched for how long to wait.

    Only the exchange's own words refuse an order with a status in the five hundreds: without them the answer may be
    that of something in front of it, which lost sight of a request that it had passed on.
    """
    worded = error_code(text)
    code = _BY_STATUS.get(status, UNKNOWN) if worded == UNKNOWN else worded
    told_off = _REFUSES <= status < _FAULT or worded in _REFUSED_5XX
    ambiguous = worded in _AMBIGUOUS_TEXTS or not told_off
    wait = _NUMBER.search(body)
    return Failure(code, text, ambiguous, None if wait is None else int(wait[1]))


def refusal(text: str) -> Failure:
    """A row of an answer that carries an error text.

    It has no status: words that nobody knows may be those of a fault after the order was taken.
    """
    code = error_code(text)
    return Failure(code, text, code in _AMBIGUOUS_TEXTS or (code == UNKNOWN and text != WORDLESS))
