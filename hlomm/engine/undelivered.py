"""Fills that are matched and not yet delivered: what they brought is ours in the books and nothing to sell or spend.

A venue that settles on a chain tells a match at once and its delivery seconds or minutes later; now and then the
delivery fails and the match is void. Until then the books hold it like any other fill, so that the position and what
hedges it are right from the first moment; only sales, merges and purchases do without it.
"""

from __future__ import annotations

from typing import Final, TypeVar

import attrs

from hlomm.domain.fills import Fill
from hlomm.domain.ids import MarketId, VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import notional_floor

Key = TypeVar("Key")

REMEMBERED: Final = 4096
"""Fills awaited at once; the oldest beyond that counts as delivered, and is counted."""


@attrs.frozen
class Awaited:
    fill: Fill
    released: int | None
    """Cost of the tokens that a sale took out, for the day it is undone; None for a purchase, or if nobody knows."""


@attrs.define(eq=False)
class Undelivered:
    """By the key of the fill."""

    awaited: dict[str, Awaited] = attrs.field(factory=dict)
    overflown: int = 0
    _bought: dict[tuple[MarketId, Leg], int] = attrs.field(factory=dict)
    _sold: dict[VenueId, int] = attrs.field(factory=dict)

    def add(self, fill: Fill, released: int | None) -> None:
        self.take(fill.key)
        self.awaited[fill.key] = Awaited(fill, released)
        self._count(fill, +1)
        if len(self.awaited) > REMEMBERED:
            self.take(next(iter(self.awaited)))
            self.overflown += 1

    def take(self, key: str) -> Awaited | None:
        """It is delivered, or void: nobody waits for it any longer."""
        found = self.awaited.pop(key, None)
        if found is not None:
            self._count(found.fill, -1)
        return found

    def tokens(self, market: MarketId, leg: Leg) -> int:
        """Tokens of purchases that cannot be sold yet."""
        return self._bought.get((market, leg), 0)

    def cash(self, venue: VenueId) -> int:
        """Cash of sales that cannot be spent yet."""
        return self._sold.get(venue, 0)

    def _count(self, fill: Fill, sign: int) -> None:
        if fill.side is Side.BUY:
            _add(self._bought, (fill.market, fill.leg), sign * fill.qty)
        else:
            _add(self._sold, venue_of(fill.market), sign * notional_floor(fill.px, fill.qty))


def _add(sums: dict[Key, int], key: Key, change: int) -> None:
    """Nothing is kept of what came back to zero: contracts come and go all night."""
    total = sums.get(key, 0) + change
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)
