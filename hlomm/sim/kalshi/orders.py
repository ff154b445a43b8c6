"""What can be asked of the venue: orders on one book per market in YES space; `side` says whether YES is bought."""

from __future__ import annotations

from enum import StrEnum

import attrs

from hlomm.domain.orders import Side, Tif
from hlomm.sim.kalshi.grid import CASH, WHOLE


class SelfTrade(StrEnum):
    """What happens when an order meets another of the same account."""

    TAKER = "taker_at_cross"
    """The incoming order stops; earlier fills stand."""
    MAKER = "maker"
    """The resting order is cancelled and matching goes on."""


class Status(StrEnum):
    RESTING = "resting"
    CANCELED = "canceled"
    EXECUTED = "executed"


class Reason(StrEnum):
    """`last_update_reason`."""

    DECREASE = "Decrease"
    AMEND = "Amend"
    MARGIN = "MarginCancel"
    SELF_TRADE = "SelfTradeCancel"
    EXPIRY = "ExpiryCancel"
    CLOSE = "CloseCancel"
    HALT = "HaltCancel"
    TRADE = "Trade"
    POST_ONLY = "PostOnlyCrossCancel"
    REDUCE_ONLY = "ReduceOnlyCancel"


@attrs.frozen(kw_only=True)
class NewOrder:
    """A request to trade: `ticks` is the price of YES, `lots` the size in 0.01 contracts."""

    ticker: str
    side: Side
    ticks: int
    lots: int
    tif: Tif = Tif.GTC
    post_only: bool = False
    reduce_only: bool = False
    self_trade: SelfTrade = SelfTrade.TAKER
    client_id: str | None = None
    expires_ns: int | None = None
    cancel_on_pause: bool = False
    group_id: str | None = None


def unit_cost(side: Side, ticks: int) -> int:
    """Collateral per lot of a position opened at a price: the price of YES, or of NO for who sells it."""
    return (ticks if side is Side.BUY else WHOLE - ticks) * CASH
