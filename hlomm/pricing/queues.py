"""Where an order stands in the queue of its level, estimated from prints and level sizes.

Ahead of us starts as the size of the level on arrival. Prints take from the front. A change of the level that prints
do not explain is split by the model: share `behind` of it came from behind us, the rest from ahead. Rules as in
hftbacktest (source of 2025-12), which assumes that a print arrives before the depth update it causes: with
half-second snapshots apply every print in between first. BACK and POWER with n = 2 bracket the truth.
"""

from __future__ import annotations

import math
from enum import IntEnum

import attrs


class QueueModel(IntEnum):
    BACK = 0
    """Cancels are always behind us: only prints advance us (risk averse)."""
    FRONT = 1
    """Cancels are always ahead of us (optimist)."""
    POWER = 2
    """behind = b^n/(b^n + f^n), n 2-3."""
    POWER3 = 3
    """behind = 1 - (f/(f + b))^n."""
    LOG = 4
    """behind = ln(1+b)/(ln(1+b) + ln(1+f))."""
    LOG2 = 5
    """behind = ln(1+b)/ln(1+b+f)."""


@attrs.define(eq=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class QueuePosition:
    """One resting order. Quantities in contracts; `front` may end a little below 0 while less than half a lot."""

    model: QueueModel
    level_qty: float = attrs.field(validator=attrs.validators.ge(0.0))
    """Size of the level: on arrival, then as last reported."""
    remaining: float = attrs.field(validator=attrs.validators.ge(0.0))
    lot: float = attrs.field(default=1.0, validator=attrs.validators.gt(0.0))
    n: float = 2.0
    front: float = attrs.field(init=False)
    _traded: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.front = self.level_qty

    def trade(self, qty: float) -> float:
        """A print at our level; returns our fill.

        What a print takes beyond the queue ahead, in whole lots rounded to nearest, is ours.
        """
        self.front -= qty
        self._traded += qty
        if self.front >= 0.0 or self.remaining <= 0.0:
            return 0.0
        fill = min(math.floor(-self.front / self.lot + 0.5) * self.lot, self.remaining)
        if fill > 0.0:
            self.remaining -= fill
            self.front = 0.0
        return fill

    def depth(self, qty: float) -> None:
        """The level's size is now `qty`."""
        cancelled = self.level_qty - qty - self._traded
        back = self.level_qty - self.front
        self.level_qty, self._traded = qty, 0.0
        if cancelled > 0.0 and self.model is not QueueModel.BACK:
            ahead = max(self.front, 0.0)
            behind = self._behind(ahead, max(back, 0.0))
            # Neither side can lose more than it holds; what the model assigns beyond that left the other side.
            self.front -= min((1.0 - behind) * cancelled - min(back - behind * cancelled, 0.0), ahead)
        self.front = min(self.front, qty)

    def _behind(self, front: float, back: float) -> float:
        """Share of an unexplained decrease that came from behind us."""
        if self.model is QueueModel.FRONT:
            return 0.0
        if front + back <= 0.0:
            return 1.0
        if self.model is QueueModel.POWER:
            # Ratios, not powers of sizes: those would overflow for large books.
            largest = max(front, back)
            f, b = math.pow(front / largest, self.n), math.pow(back / largest, self.n)
            return b / (b + f)
        if self.model is QueueModel.POWER3:
            return 1.0 - math.pow(front / (front + back), self.n)
        if self.model is QueueModel.LOG:
            return math.log1p(back) / (math.log1p(back) + math.log1p(front))
        return math.log1p(back) / math.log1p(back + front)
