"""Tokens of one outcome market: how many of either leg, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.units import Qty


@attrs.define(eq=False, kw_only=True)
class Position:
    """Tokens of one market. `cost_*` is what the tokens held now were bought for."""

    yes: int = 0
    no: int = 0
    cost_yes: int = 0
    cost_no: int = 0
    realised: int = 0
    fees: int = 0
    volume: int = 0
    """Own-coin notional of trades."""
    fills: int = 0

    @property
    def net(self) -> int:
        return self.yes - self.no

    @property
    def flat(self) -> bool:
        return self.yes == 0 and self.no == 0

    @property
    def pairs(self) -> int:
        """YES and NO that together pay exactly 1."""
        return max(min(self.yes, self.no), 0)

    def held(self, leg: Leg) -> Qty:
        return Qty(self.yes if leg is Leg.YES else self.no)


FLAT: Final = Position()
"""What is shown of a market in which nothing ever moved; nobody changes it."""


@attrs.define(eq=False)
class Holdings:
    """Positions of several accounts side by side, and how often any of them has moved."""

    positions: dict[MarketId, Position] = attrs.field(factory=dict)
    moves: int = 0


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """The amount in parts that add up to it, in proportion to the weights; equal parts if none weighs anything."""
    total = sum(weights)
    if not total:
        weights, total = [1] * len(weights), len(weights)
    parts = [amount * weight // total for weight in weights]
    if parts:
        parts[0] += amount - sum(parts)
    return parts
