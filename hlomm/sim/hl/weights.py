"""What a request of `/info` weighs on its IP (venue sheet section 1.3)."""

from __future__ import annotations

from typing import Any, Final

_WEIGHTS: Final = {
    "l2Book": 2,
    "allMids": 2,
    "clearinghouseState": 2,
    "orderStatus": 2,
    "spotClearinghouseState": 2,
    "exchangeStatus": 2,
    "userRole": 60,
}
_WEIGHT: Final = 20
_ITEMS_PER_WEIGHT: Final = 20
_CANDLES_PER_WEIGHT: Final = 60
_LISTS: Final = frozenset(
    {"recentTrades", "historicalOrders", "userFills", "userFillsByTime", "fundingHistory", "userFunding"}
)


def weight_of(kind: str, value: Any = None) -> int:
    """IP weight of a request, including what its answer adds."""
    items = len(value) if isinstance(value, list) else 0
    if kind == "candleSnapshot":
        extra = items // _CANDLES_PER_WEIGHT
    else:
        extra = items // _ITEMS_PER_WEIGHT if kind in _LISTS else 0
    return _WEIGHTS.get(kind, _WEIGHT) + extra
