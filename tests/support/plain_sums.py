"""What the engine keeps added up, added up anew: order by order, position by position, level by level."""

from __future__ import annotations

from hlomm.domain.ids import MarketId, VenueId, is_outcome, venue_of
from hlomm.domain.inputs import Level
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Side
from hlomm.domain.units import complement, notional_ceil
from hlomm.domain.view import BookShape
from hlomm.engine import stranded
from hlomm.engine.books import shape_of
from hlomm.engine.exposure import Exposure, locked_cost
from hlomm.engine.exposure import exposure as kept_exposure
from hlomm.engine.order import Order
from hlomm.engine.position import Position
from hlomm.engine.stakes import Stakes, stakes_of
from hlomm.engine.state import State


def exposure(state: State, market: MarketId, replaced: Order | None = None) -> Exposure:
    longest = shortest = state.portfolio.position(market).net
    selling = {Leg.YES: 0, Leg.NO: 0}
    for order in state.orders.exposed_in(market):
        qty = order.due if order is replaced else order.exposed
        longest += qty if order.direction > 0 else 0
        shortest -= qty if order.direction < 0 else 0
        selling[order.leg] += qty if order.side is Side.SELL else 0
    return Exposure(longest, shortest, selling[Leg.YES], selling[Leg.NO])


def buying(state: State, venue: VenueId | None = None) -> int:
    return sum(
        notional_ceil(o.exposed_px, o.exposed)
        for o in state.orders.exposed()
        if o.side is Side.BUY and is_outcome(o.market) and (venue is None or venue_of(o.market) == venue)
    )


def locked(state: State) -> tuple[int, int, list[tuple[MarketId, Position]]]:
    """In all, where no pairs are, and the markets where some are."""
    of = {market: locked_cost(position) for market, position in state.portfolio.positions.items()}
    paired = [(market, position) for market, position in state.portfolio.positions.items() if position.pairs]
    single = sum(cost for market, cost in of.items() if not state.portfolio.positions[market].pairs)
    return sum(of.values()), single, paired


def taken(state: State, venue: VenueId) -> int:
    """What would be stranded."""
    total = 0
    selling: dict[tuple[MarketId, Leg], list[tuple[int, int]]] = {}
    for order in state.orders.live():
        if venue_of(order.market) != venue:
            continue
        amended = order.px if order.amend_px is None else order.amend_px
        if order.side is Side.BUY:
            total += notional_ceil(order.px, order.leaves) + notional_ceil(amended, order.amend_qty)
        else:
            sale = min(order.px, amended), max(order.leaves, order.amend_qty)
            selling.setdefault((order.market, order.leg), []).append(sale)
    for (market, leg), sales in selling.items():
        position = state.portfolio.position(market)
        single = max(position.held(leg) - position.pairs, 0)
        uncovered = min(max(sum(qty for _, qty in sales) - single, 0), position.pairs)
        for px, qty in sorted(sales):
            total += notional_ceil(complement(px), min(qty, uncovered))
            uncovered -= min(qty, uncovered)
    return total


def others(state: State, market: MarketId, direction: int) -> tuple[Level, ...]:
    """One side of a book without what of ours shows there."""
    book, own = state.markets[market].book, dict[int, int]()
    for order in state.orders.live_in(market):
        if order.direction == direction and order.venue_order_id is not None:
            own[order.yes_px] = own.get(order.yes_px, 0) + order.leaves
    levels = book.bids if direction > 0 else book.asks
    return tuple((px, qty - own.get(px, 0)) for px, qty in levels if qty - own.get(px, 0) > 0)


def check(state: State) -> None:
    """Everything that is kept is what it would be if it were not; what could be lost, as a fresh look finds it."""
    assert stakes_of(state).total() == Stakes(state).total()
    sums = state.orders.sums
    assert sums.buying() == buying(state)
    total, single, paired = locked(state)
    kept = state.portfolio.locked()
    assert (kept.total, kept.single, list(kept.paired)) == (total, single, paired)
    live = list(state.orders.live())
    assert state.orders.unanswered() == [order for order in live if order.state is not OrderState.OPEN]
    for venue in state.venues:
        assert sums.buying(venue) == buying(state, venue)
        assert stranded.stranded(state, venue) == taken(state, venue)
    for market_id, market in state.markets.items():
        pending, position = state.orders.pending(market_id), state.portfolio.position(market_id)
        assert list(pending.orders) == state.orders.exposed_in(market_id)
        found = exposure(state, market_id)
        assert (pending.gaining, pending.losing) == (found.longest - position.net, position.net - found.shortest)
        assert (pending.selling_yes, pending.selling_no) == (found.selling_yes, found.selling_no)
        for order in pending.orders:
            assert kept_exposure(position, pending, order) == exposure(state, market_id, order)
        bids, asks = others(state, market_id, +1), others(state, market_id, -1)
        shape, shown = market.book.shape, state.others(market)
        if shape not in (BookShape.UNKNOWN, BookShape.CROSSED):
            shape = shape_of(bids, asks)
        assert (shown.bids, shown.asks, shown.shape) == (bids, asks, shape)
