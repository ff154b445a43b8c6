"""Subscriptions of the websocket: which channel, which markets, and how far its numbers have come."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Protocol

import attrs

from hlomm.sim.kalshi.accounts import Account


class Channel(StrEnum):
    ORDERBOOK = "orderbook_delta"
    TICKER = "ticker"
    TRADE = "trade"
    FILL = "fill"
    USER_ORDERS = "user_orders"
    POSITIONS = "market_positions"
    LIFECYCLE = "market_lifecycle_v2"
    GROUPS = "order_group_updates"
    INDEX = "cfbenchmarks_value"


NUMBERED: Final = frozenset({Channel.ORDERBOOK, Channel.TRADE, Channel.LIFECYCLE, Channel.GROUPS, Channel.INDEX})
"""Channels whose frames carry `seq`; every frame of their sid uses a number up."""


class Listener(Protocol):
    """The connection behind a subscription."""

    account: Account

    def send(self, frame: dict[str, Any], at_ns: int) -> None:
        """Queue a frame that was decided at a venue time."""

    def drop(self, sid: int) -> None:
        """Forget a subscription that the venue ended."""


@attrs.define(eq=False)
class Subscription:
    """One sid. `tickers` None means every market."""

    sid: int
    channel: Channel
    listener: Listener
    tickers: dict[str, None] | None
    yes_price: bool = False
    seq: int = 0

    def wants(self, ticker: str) -> bool:
        return self.tickers is None or ticker in self.tickers

    def numbers(self) -> dict[str, int]:
        """`sid`, and the next `seq` where the channel is numbered."""
        if self.channel not in NUMBERED:
            return {"sid": self.sid}
        self.seq += 1
        return {"sid": self.sid, "seq": self.seq}

    def frame(self, kind: str, msg: dict[str, Any], at_ns: int, **more: Any) -> None:
        """Send a frame of this subscription, which uses up a number."""
        self.listener.send({"type": kind, **self.numbers(), "msg": msg, **more}, at_ns)
