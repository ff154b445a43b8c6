"""What digitals of one expiry say of each other: fewer prices lie above a higher strike. Exact integers, YES prices.

Monotonicity in the strike is the only condition there is (convexity is one of calls): its slope is the density. A
bucket from K1 up to K2 is YES(K1) less YES(K2).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.units import Px


@attrs.frozen(kw_only=True)
class Rung:
    """One strike of a ladder; None where nobody sells or buys."""

    strike: Px
    bid: Px | None
    ask: Px | None


@attrs.frozen(kw_only=True)
class OutOfOrder:
    """Buy YES of the lower strike, sell YES of the higher: the payoff is never negative."""

    low: int
    """Places in the ladder."""
    high: int
    edge: int
    """Before fees."""


def out_of_order(ladder: Sequence[Rung]) -> list[OutOfOrder]:
    """Every pair of strikes, ascending, whose higher one is bid above the lower one's ask."""
    places = sorted(range(len(ladder)), key=lambda place: ladder[place].strike)
    found = []
    for position, low in enumerate(places):
        ask = ladder[low].ask
        for high in places[position + 1 :]:
            bid = ladder[high].bid
            if ask is not None and bid is not None and ladder[high].strike > ladder[low].strike and bid > ask:
                found.append(OutOfOrder(low=low, high=high, edge=bid - ask))
    return found


def bucket_edges(bucket: Rung, low: Rung, high: Rung) -> tuple[int | None, int | None]:
    """(buy the bucket and sell the strikes around it, the other way round), before fees; None where a price lacks."""
    buy = None if None in (low.bid, high.ask, bucket.ask) else (low.bid or 0) - (high.ask or 0) - (bucket.ask or 0)
    sell = None if None in (low.ask, high.bid, bucket.bid) else (bucket.bid or 0) - ((low.ask or 0) - (high.bid or 0))
    return buy, sell
