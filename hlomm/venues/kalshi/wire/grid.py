"""Tick structures: `price_ranges` of a market as our grid (venue sheet section 14). Nothing is known by name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.units import SCALE, Px
from hlomm.venues.fields import positive
from hlomm.venues.kalshi.wire.documents import PriceRange
from hlomm.venues.kalshi.wire.schemas import PRICE_STEP, price

Ticks = tuple[tuple[Px, Px, Px], ...]


def ticks(ranges: Sequence[PriceRange]) -> tuple[Px, Ticks]:
    """The finest step, and the ranges from the lowest up (empty if one step holds everywhere).

    ProtocolViolation where they leave a hole, overlap, mirror unequally at one half or are finer than an order's price.
    """
    rows = sorted(
        (price(one.start, "grid.start"), price(one.end, "grid.end"), Px(positive(one.step, "grid.step")))
        for one in ranges
    )
    if not rows or rows[0][0] != 0 or rows[-1][1] != SCALE:
        raise ProtocolViolation("grid.cover", "expected price ranges from 0 to 1")
    for (_, end, _), (start, _, _) in pairwise(rows):
        if end != start:
            raise ProtocolViolation("grid.cover", "price ranges leave a hole or overlap")
    for start, end, step in rows:
        if step % PRICE_STEP or start % step or end % step or start >= end:
            raise ProtocolViolation("grid.step", f"a step of {step} does not fit its range")
    mirrored = [(SCALE - end, SCALE - start, step) for start, end, step in reversed(rows)]
    if mirrored != rows:
        raise ProtocolViolation("grid.mirror", "the grid of NO would not be the grid of YES")
    finest = min(step for _, _, step in rows)
    return finest, () if len(rows) == 1 else tuple(rows)
