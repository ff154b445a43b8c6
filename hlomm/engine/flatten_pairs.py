"""Complete pairs on the way to safety: no half is sold while the other cannot be.

A pair of two venues pays the same whatever happens; half of one is a naked token. When a venue is lost, selling what
can be reached would make naked what was not. So the tokens of a pair are held as long as another leg of it has no
buyer, no book or no venue; and what is still whole when the walk ends is a pair as before.
"""

from __future__ import annotations

import attrs

from hlomm.domain.ids import MarketId, VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.engine import closed, ways
from hlomm.engine.pairs import Kept
from hlomm.engine.state import State
from hlomm.engine.walk import Walk


def bound(state: State, walk: Walk, market: MarketId, leg: Leg) -> tuple[int, str, bool]:
    """(tokens of a leg that are not to be sold now, why, whether that may change before the walk ends)."""
    tokens, why, waits = 0, "", False
    for kept, whole in whole_ones(state):
        if (market, leg) not in kept.legs:
            continue
        for other, its_leg in kept.legs:
            found = None if other == market else _unsellable(state, walk, other, its_leg)
            if found is not None:
                tokens += whole
                why, waits = f"kept whole as a pair with {other}: {found[0]}", waits or found[1]
                break
    return tokens, why, waits


def whole_ones(state: State) -> list[tuple[Kept, int]]:
    """Pairs that were held when the walk began, and how many of each are whole; no token counts twice."""
    left: dict[tuple[MarketId, Leg], int] = {}
    found = []
    for kept in state.pairs.parted:
        for of in kept.legs:
            left.setdefault(of, _surplus(state, *of))
        whole = min(kept.qty, *(left[of] for of in kept.legs))
        for of in kept.legs:
            left[of] -= whole
        found.append((kept, whole))
    return found


def elsewhere(state: State) -> dict[tuple[MarketId, Leg], dict[VenueId, int]]:
    """Tokens of complete pairs and sets by the other venues that have a part of them, also while a walk sells them."""
    found: dict[tuple[MarketId, Leg], dict[VenueId, int]] = {}
    for kept, whole in (*((kept, kept.qty) for kept in state.pairs.open), *whole_ones(state)):
        venues = dict.fromkeys(venue_of(market) for market, _ in kept.legs if market not in kept.paid)
        for market, leg in kept.legs:
            at = found.setdefault((market, leg), {})
            for venue in venues:
                if venue != venue_of(market):
                    at[venue] = at.get(venue, 0) + whole
    return found


def parts_of(kept: Kept, whole: int) -> tuple[Kept | None, Kept | None]:
    """(what is whole, what is not), which add up to all of it; None for nothing. The whole part costs rounded up."""
    if whole == kept.qty:
        return kept, None
    if whole == 0:
        return None, kept
    spent, expected = -(-kept.spent * whole // kept.qty), kept.expected * whole // kept.qty
    left = attrs.evolve(kept, qty=whole, spent=spent, expected=expected)
    return left, attrs.evolve(
        kept, qty=kept.qty - whole, spent=kept.spent - spent, expected=kept.expected - expected
    )  # fmt: skip


def _surplus(state: State, market: MarketId, leg: Leg) -> int:
    """Tokens of a leg beyond the pairs of its own market, which are worth 1 by themselves; none once it settled."""
    if state.portfolio.settled_px(market) is not None:
        return 0
    net = state.portfolio.position(market).net
    return max(net if leg is Leg.YES else -net, 0)


def _unsellable(state: State, walk: Walk, market_id: MarketId, leg: Leg) -> tuple[str, bool] | None:
    """Why a leg cannot be sold now, and whether the walk still tries; None if it can."""
    market = state.markets.get(market_id)
    if market is None or market.gone:
        return "it is no longer listed", False
    if market_id in walk.over and market_id not in walk.halves:
        return walk.held.get(market_id, "it is not sold"), False
    shut = closed.why(state, market.market.venue)
    if shut is not None:
        return shut, True
    if not state.venues[market.market.venue].reachable:
        return f"{market.market.venue} cannot be reached", True
    if not market.book.seen:
        return "no book came", True
    if not ways.bids_for(leg, market.book.bids, market.book.asks):
        return "no buyer in the book", False
    return None
