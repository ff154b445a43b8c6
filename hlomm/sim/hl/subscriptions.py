"""What a websocket client may subscribe to, and the normalised form the venue echoes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.sim.coins import PERP_COIN, is_address, split_coin

Json = dict[str, Any]


class Topic(StrEnum):
    L2_BOOK = "l2Book"
    BBO = "bbo"
    TRADES = "trades"
    ALL_MIDS = "allMids"
    ACTIVE_ASSET_CTX = "activeAssetCtx"
    ORDER_UPDATES = "orderUpdates"
    USER_FILLS = "userFills"
    USER_EVENTS = "userEvents"
    USER_FUNDINGS = "userFundings"
    SPOT_STATE = "spotState"
    OUTCOME_META_UPDATES = "outcomeMetaUpdates"
    FAST_ASSET_CTXS = "fastAssetCtxs"


class InvalidSubscription(Exception):  # noqa: N818 - answered, not raised further
    """A subscription the venue does not know."""


@attrs.frozen
class Subscription:
    """One stream. Equal subscriptions are the same stream, whatever the order of keys in the request."""

    topic: Topic
    coin: str = ""
    user: str = ""
    fast: bool = False
    figures: int | None = None
    mantissa: int | None = None
    aggregate: bool = False

    @property
    def outcome(self) -> int | None:
        """Outcome behind the coin, None for the perp and for streams without a coin."""
        split = split_coin(self.coin)
        return None if split is None else split[0]

    @property
    def leg(self) -> Leg:
        split = split_coin(self.coin)
        return Leg.YES if split is None else split[1]

    def echo(self) -> Json:
        """The subscription as the venue repeats it: optional fields appear with their defaults."""
        row: Json = {"type": self.topic.value}
        match self.topic:
            case Topic.L2_BOOK:
                row |= {"coin": self.coin, "nSigFigs": self.figures, "mantissa": self.mantissa, "fast": self.fast}
            case Topic.BBO | Topic.TRADES | Topic.ACTIVE_ASSET_CTX:
                row["coin"] = self.coin
            case Topic.ALL_MIDS:
                row["dex"] = None
            case Topic.ORDER_UPDATES | Topic.USER_EVENTS | Topic.USER_FUNDINGS:
                row["user"] = self.user
            case Topic.USER_FILLS:
                row |= {"user": self.user, "aggregateByTime": self.aggregate}
            case Topic.SPOT_STATE:
                row |= {"user": self.user, "isPortfolioMargin": None}
            case Topic.OUTCOME_META_UPDATES | Topic.FAST_ASSET_CTXS:
                pass
        return row


_COIN_TOPICS: Final = frozenset({Topic.L2_BOOK, Topic.BBO, Topic.TRADES, Topic.ACTIVE_ASSET_CTX})
USER_TOPICS: Final = frozenset(
    {Topic.ORDER_UPDATES, Topic.USER_FILLS, Topic.USER_EVENTS, Topic.USER_FUNDINGS, Topic.SPOT_STATE}
)


def parse_subscription(raw: Any) -> Subscription:
    """The stream a request names; InvalidSubscription if there is none. Unknown keys are ignored."""
    if not isinstance(raw, dict):
        raise InvalidSubscription
    try:
        topic = Topic(raw.get("type", ""))
    except ValueError:
        raise InvalidSubscription from None
    if topic in _COIN_TOPICS:
        return _of_coin(topic, raw)
    if topic in USER_TOPICS:
        user = raw.get("user")
        if not isinstance(user, str) or not is_address(user.lower()):
            raise InvalidSubscription
        return Subscription(topic, user=user.lower(), aggregate=raw.get("aggregateByTime") is True)
    if raw.get("dex") not in {None, ""}:
        raise InvalidSubscription
    return Subscription(topic)


def _of_coin(topic: Topic, raw: Json) -> Subscription:
    coin = raw.get("coin")
    if not isinstance(coin, str) or (coin != PERP_COIN and split_coin(coin) is None):
        raise InvalidSubscription
    if topic is not Topic.L2_BOOK:
        return Subscription(topic, coin=coin)
    figures, mantissa = raw.get("nSigFigs"), raw.get("mantissa")
    if figures is not None or mantissa is not None:
        # Aggregated books are not simulated; a client that needs the touch must not ask for them.
        raise InvalidSubscription
    return Subscription(topic, coin=coin, fast=raw.get("fast") is True)
