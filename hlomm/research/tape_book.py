"""The recorded book between two snapshots: less what prints took of it since, and less what we took.

The next snapshot is the truth again. What we took and it still shows is there again: nothing of ours moves the market.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hlomm.domain.inputs import BookSnapshot, Level, TradePrint
from hlomm.domain.orders import Side


class TapeBook:
    """Sides are +1 for bids and -1 for asks; prices in YES space."""

    def __init__(self) -> None:
        self._levels: dict[int, tuple[Level, ...]] = {1: (), -1: ()}
        self._printed: dict[int, Counter[int]] = {1: Counter(), -1: Counter()}
        self._taken: dict[int, Counter[int]] = {1: Counter(), -1: Counter()}
        self._gone = (*self._printed.values(), *self._taken.values())

    def snapshot(self, item: BookSnapshot) -> None:
        self._levels = {1: item.bids, -1: item.asks}
        for gone in self._gone:
            if gone:
                gone.clear()

    def printed(self, item: TradePrint) -> None:
        """A trade took from the side it hit: all that was better, and its own size at its price."""
        hit = -1 if item.aggressor is Side.BUY else 1
        gone = self._printed[hit]
        for px, qty in self._levels[hit]:
            if (px - item.px) * hit > 0:
                gone[px] = qty
        gone[item.px] += item.qty

    def taken(self, side: int, px: int, qty: int) -> None:
        """We took so much of a level."""
        self._taken[side][px] += qty

    def touch(self, side: int) -> int | None:
        """Best recorded price of a side; None if it is empty."""
        levels = self._levels[side]
        return levels[0][0] if levels else None

    def offered(self, side: int) -> Iterator[Level]:
        """(price, size that may still be taken), best first, without empty ones."""
        printed, taken = self._printed[side], self._taken[side]
        for px, qty in self._levels[side]:
            left = qty - printed[px] - taken[px]
            if left > 0:
                yield px, left

    def ahead(self, side: int, at: int) -> int | None:
        """Size that an order joining a level finds there; None where the recorded book does not reach that deep."""
        levels = self._levels[side]
        for px, qty in levels:
            if px == at:
                return max(qty - self._printed[side][px], 0)
            if (px - at) * side < 0:
                return 0  # between recorded levels, or better than the best
        return None if levels else 0

    def shown(self, side: int, at: int) -> int | None:
        """Size of a level as the last snapshot has it; None as for `ahead`."""
        levels = self._levels[side]
        for px, qty in levels:
            if px == at:
                return qty
            if (px - at) * side < 0:
                return 0
        return None if levels else 0
