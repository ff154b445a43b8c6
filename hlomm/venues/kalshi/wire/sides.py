"""Our legs and sides on Kalshi's one book of YES, and back (venue sheet section 6).

There is one ladder in YES prices. Buying NO at q is offering YES at 1 - q, whether YES is held or not: the venue nets
positions to one signed number, so what an order opens or closes is decided by what is held when it fills.
"""

from __future__ import annotations

from enum import StrEnum

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, direction, yes_px
from hlomm.domain.units import Px, complement


class BookSide(StrEnum):
    BID = "bid"
    ASK = "ask"


def to_wire(leg: Leg, side: Side, px: Px) -> tuple[BookSide, Px]:
    """Book side and YES price of an order at `px` of the leg's own coin."""
    return (BookSide.BID if direction(leg, side) > 0 else BookSide.ASK), yes_px(leg, px)


def from_wire(side: BookSide, px: Px, leg: Leg) -> tuple[Side, Px]:
    """Side and own-coin price of the same order seen from a leg."""
    gains_from_yes = side is BookSide.BID
    own = Side.BUY if gains_from_yes is (leg is Leg.YES) else Side.SELL
    return own, (px if leg is Leg.YES else complement(px))
