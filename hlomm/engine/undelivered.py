"""Fills that are matched and not yet delivered: what they brought is ours in the books and nothing to sell or spend.

A venue that settles on a chain tells a match at once and its delivery seconds or minutes later; now and then the
delivery fails and the match is void. Until then the books hold it like any other fill, so that the position and what
hedges it are right from the first moment; only sales, merges and purchases do without it.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.fills import Fill
from hlomm.domain.ids import MarketId, VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import notional_floor

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

    def add(self, fill: Fill, released: int | None) -> None:
        self.awaited[fill.key] = Awaited(fill, released)
        if len(self.awaited) > REMEMBERED:
            del self.awaited[next(iter(self.awaited))]
            self.overflown += 1

    def take(self, key: str) -> Awaited | None:
        """It is delivered, or void: nobody waits for it any longer."""
        return self.awaited.pop(key, None)

    def tokens(self, market: MarketId, leg: Leg) -> int:
        """Tokens of purchases that cannot be sold yet."""
        if not self.awaited:
            return 0
        return sum(
            one.fill.qty
            for one in self.awaited.values()
            if one.fill.side is Side.BUY and one.fill.market == market and one.fill.leg is leg
        )

    def cash(self, venue: VenueId) -> int:
        """Cash of sales that cannot be spent yet."""
        if not self.awaited:
            return 0
        return sum(
            notional_floor(one.fill.px, one.fill.qty)
            for one in self.awaited.values()
            if one.fill.side is Side.SELL and venue_of(one.fill.market) == venue
        )
