"""What happened in one step, in order: the only thing that feeds are made from."""

from __future__ import annotations

from enum import StrEnum

import attrs

from hlomm.sim.pm.market import Market
from hlomm.sim.pm.orders import Order, Trade, TradeStatus


class Change(StrEnum):
    PLACEMENT = "PLACEMENT"
    UPDATE = "UPDATE"
    CANCELLATION = "CANCELLATION"


@attrs.frozen(kw_only=True)
class OrderChanged:
    """One change of an order, as it stood then."""

    order: Order
    change: Change
    status: str
    matched: int
    trades: tuple[str, ...]
    time_ms: int


@attrs.frozen(kw_only=True)
class TradeChanged:
    """One step in the life of a trade."""

    trade: Trade
    status: TradeStatus
    hash: str
    time_ms: int


@attrs.frozen
class Printed:
    """A trade as the public sees it."""

    trade: Trade


@attrs.frozen
class TickChanged:
    market: Market
    old: int
    new: int


@attrs.frozen
class Listed:
    market: Market


@attrs.frozen
class Resolved:
    market: Market


Event = OrderChanged | TradeChanged | Printed | TickChanged | Listed | Resolved
