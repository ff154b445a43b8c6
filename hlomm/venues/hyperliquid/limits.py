"""Venue limits: prices, sizes, minimum value, request weights, action budget (venue sheet sections 1.3 and 6)."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.markets import Market
from hlomm.domain.units import SCALE, Cash, Px, Qty, ceil_to, floor_to
from hlomm.venues.hyperliquid.wire.candles import CANDLES
from hlomm.venues.hyperliquid.wire.outcomes import MIN_NOTIONAL, OUTCOME_LOT, OUTCOME_TICK
from hlomm.venues.protocol import SaleRules

SALES: Final = SaleRules(tick=OUTCOME_TICK, lot=OUTCOME_LOT, min_notional=MIN_NOTIONAL)
"""The same for every outcome."""

# -- rates

IP_WEIGHT_PER_MIN: Final = 1_200
"""Of all that came within any 60 s."""
WS_MESSAGES_PER_MIN: Final = 2_000
POSTS_IN_FLIGHT_MAX: Final = 100
SUBSCRIPTIONS_MAX: Final = 1_000
BATCH_MAX: Final = 39
"""Largest batch that still weighs 1 (the weight is 1 + floor(n / 40))."""

_LIGHT: Final = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
_LIGHT_WEIGHT: Final = 2
_DEFAULT_WEIGHT: Final = 20
_HEAVY: Final = {"userRole": 60}
_PER_20_ITEMS: Final = frozenset(
    {"recentTrades", "historicalOrders", "userFills", "userFillsByTime", "fundingHistory", "userFunding"}
)


def info_weight(kind: str) -> int:
    """IP weight of an `/info` request as it leaves."""
    return _LIGHT_WEIGHT if kind in _LIGHT else _HEAVY.get(kind, _DEFAULT_WEIGHT)


def info_extra_weight(kind: str, items: int) -> int:
    """Further weight once the length of the answer is known."""
    if kind == CANDLES:
        return items // 60
    return items // 20 if kind in _PER_20_ITEMS else 0


def exchange_weight(batch: int) -> int:
    """IP weight of an `/exchange` request with `batch` orders or cancels."""
    return 1 + batch // 40


@attrs.define(eq=False)
class AddressBudget:
    """Actions of the account, between two answers of `userRateLimit`. A batch of n counts n."""

    used: int = 0
    cap: int = 0
    sent_since: int = 0

    def spend(self, actions: int) -> None:
        self.sent_since += actions

    def told(self, used: int, cap: int) -> None:
        """The venue's own count replaces the estimate."""
        self.used, self.cap, self.sent_since = used, cap, 0

    @property
    def left(self) -> int:
        """Estimate of what may still be sent; 0 before the venue was asked."""
        return max(self.cap - self.used - self.sent_since, 0)


# -- outcomes


def outcome_px_ok(px: Px) -> bool:
    """A multiple of 0.00001 strictly between 0 and 1."""
    return 0 < px < SCALE and px % OUTCOME_TICK == 0


def outcome_qty_ok(qty: Qty) -> bool:
    """Whole contracts, at least one."""
    return qty > 0 and qty % OUTCOME_LOT == 0


def min_value_ok(qty: Qty, px: Px, mid: Px | None, minimum: Cash = MIN_NOTIONAL) -> bool:
    """Whether an order meets the minimum value on either basis that was observed: its own price or the mid.

    Both prices in the order's own coin. Sources disagree on the basis, so the smaller one counts.
    """
    basis = px if mid is None else min(px, mid)
    return qty * basis >= minimum * SCALE


def min_qty(px: Px, mid: Px | None, lot: Qty, minimum: Cash = MIN_NOTIONAL) -> Qty:
    """Smallest size, in whole lots, that meets the minimum value."""
    basis = px if mid is None else min(px, mid)
    assert basis > 0
    return Qty(ceil_to(-(-minimum * SCALE // basis), lot))


def floor_qty(market: Market, qty: Qty) -> Qty:
    """Largest legal size not above `qty`."""
    return Qty(floor_to(qty, market.lot))
