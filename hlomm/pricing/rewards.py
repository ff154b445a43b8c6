"""Liquidity-reward score of Polymarket: an additive income term, never a reason to ignore the pull rule."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

import attrs

_MID_LOW: Final = 0.10
_MID_HIGH: Final = 0.90
_CENT: Final = 0.01


class RewardBook(IntEnum):
    M = 0
    """The token itself."""
    COMPLEMENT = 1


class RewardSide(IntEnum):
    BID = 0
    ASK = 1


@attrs.frozen
class RewardOrder:
    book: RewardBook
    side: RewardSide
    price: float
    """In its own book."""
    size: float


@attrs.frozen
class RewardScore:
    q_one: float
    """Bids on m and asks on the complement."""
    q_two: float
    """Asks on m and bids on the complement."""
    q_min: float


def order_score(max_spread_cents: float, distance_cents: float, b: float = 1.0) -> float:
    """((v - s)/v)^2 b within the maximum spread v, 0 beyond it."""
    if not 0.0 <= distance_cents <= max_spread_cents:
        return 0.0
    return b * ((max_spread_cents - distance_cents) / max_spread_cents) ** 2


def score(
    orders: Iterable[RewardOrder], *, mid: float, max_spread_cents: float, b: float = 1.0, c: float = 3.0
) -> RewardScore:
    """Score of one sample (each minute): Q_min = max(min(Q1, Q2), max(Q1, Q2)/c) for mid in [.10, .90].

    Outside that range only two-sided quoting scores: Q_min = min(Q1, Q2). `mid` is that of m, adjusted for the size
    cutoff; the complement's is 1 - mid. An order through the mid scores nothing.
    """
    q_one = q_two = 0.0
    for order in orders:
        own_mid = mid if order.book is RewardBook.M else 1.0 - mid
        away = own_mid - order.price if order.side is RewardSide.BID else order.price - own_mid
        points = order_score(max_spread_cents, away / _CENT, b) * order.size
        if (order.book is RewardBook.M) == (order.side is RewardSide.BID):
            q_one += points
        else:
            q_two += points
    low, high = min(q_one, q_two), max(q_one, q_two)
    return RewardScore(q_one, q_two, max(low, high / c) if _MID_LOW <= mid <= _MID_HIGH else low)
