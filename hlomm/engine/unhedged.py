"""Tokens of a maker's leg that belong to no pair: of this run, and of orders that the last one left resting."""

from __future__ import annotations

from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.units import to_text
from hlomm.engine.state import State


def left_over(state: State, market: MarketId, leg: Leg) -> int:
    """Tokens that belong to no pair."""
    return max(state.portfolio.position(market).held(leg) - state.paired(market, leg), 0)


def cost_of(state: State, market: MarketId, leg: Leg, qty: int) -> int:
    """What that many of the tokens held were bought for, on average, rounded up."""
    position = state.portfolio.position(market)
    cost, held = (position.cost_yes if leg is Leg.YES else position.cost_no), position.held(leg)
    return -(-cost * qty // held) if held else 0


def found_filled(state: State) -> str | None:
    """What an order bought when nobody was there to hedge it; a venue that agrees ends the question."""
    for (market, leg), held in list(state.baskets.rested.items()):
        venue, known = state.venues.get(venue_of(market)), state.markets.get(market)
        naked = left_over(state, market, leg) - held
        if naked > 0 and (known is None or known.settled is None):
            del state.baskets.rested[market, leg]
            return f"{to_text(naked)} {leg.name} of {market} filled while nobody was there to hedge them"
        settled = known is not None and known.settled is not None
        if settled or (venue is not None and venue.up and venue.reconciled and not state.orders.exposed_in(market)):
            del state.baskets.rested[market, leg]
            state.books_moved = True
    return None
