"""What a total loss of the network would leave at a venue, and the venue-side dead-man that takes it away.

A venue that cancels by itself at a time agreed on (Hyperliquid `scheduleCancel`, for accounts above a traded volume)
strands nothing. Without one, resting orders stay and fill at prices that have become wrong: what they may take is
capped. A resting purchase may take the cash it locks. A sale of a single token takes nothing that is not at risk
already; a sale out of a pair leaves the other half single, which is the same as buying it at one minus the price.
"""

from __future__ import annotations

from hlomm.domain.ids import VenueId, venue_of
from hlomm.domain.inputs import DeadmanArmed
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.report import StrandedRow
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Cash, complement, notional_ceil
from hlomm.engine.order import Order
from hlomm.engine.state import State, VenueState

TIMER = "deadman:"


def heard(state: State, venue: VenueState, item: DeadmanArmed) -> None:
    """The venue has agreed to cancel everything at that time; 0 (or a time that has passed) means it will not."""
    until_ns = item.until_ms * NS_PER_MS
    left_ns = until_ns - state.now.wall_ns
    state.digest.mix(item.until_ms)
    name = f"{TIMER}{item.venue}"
    if left_ns <= 0:
        venue.deadman_until_ns = None
        state.timers.clear(name)
    else:
        venue.deadman_until_ns = until_ns
        state.timers.set(name, state.now.mono_ns + left_ns)


def lapse(state: State) -> None:
    """Forget dead-men whose time has passed: they have done their work, or the venue has not said so."""
    for venue in state.venues.values():
        if venue.deadman_until_ns is not None and not armed(state, venue):
            venue.deadman_until_ns = None
            for market_id, market in state.markets.items():
                if market.market.venue == venue.venue:
                    state.touch(market_id)


def armed(state: State, venue: VenueState) -> bool:
    """Whether the venue cancels by itself; at the agreed moment it has, and counts no longer."""
    return venue.deadman_until_ns is not None and state.now.wall_ns < venue.deadman_until_ns


def stranded(state: State, venue: VenueId) -> Cash:
    """Collateral that resting orders may take if nobody cancels them; rounded up order by order."""
    taken = state.orders.sums.resting(venue)  # while an amend is out both sizes may fill, each at its own price
    for market_id, position in state.portfolio.locked().paired:
        pending = state.orders.pending(market_id)
        if not (pending.selling_yes or pending.selling_no) or venue_of(market_id) != venue:
            continue
        for leg in Leg:
            sales = [_sale(order) for order in pending.orders if order.leg is leg and _rests_to_sell(order)]
            taken += _out_of_pairs(position.held(leg) - position.pairs, position.pairs, sales)
    return Cash(taken)


def _rests_to_sell(order: Order) -> bool:
    return order.live and order.side is Side.SELL


def _sale(order: Order) -> tuple[int, int]:
    """(lowest price, size): the venue lets no token be sold twice, so only the larger of two sizes can be."""
    lowest = order.px if order.amend_px is None else min(order.px, order.amend_px)
    return lowest, max(order.leaves, order.amend_qty)


def room(left: int, px: int, side: Side, single: int) -> int:
    """Contracts that another order at that own-coin price may have under what is left of the cap, rounded down.

    `single` is how many tokens a sale can take that are in no pair and claimed by no order.
    """
    free = max(left, 0)
    if side is Side.BUY:
        return free * SCALE // max(px, 1)
    return max(single, 0) + free * SCALE // max(complement(px), 1)


def rows(state: State) -> tuple[StrandedRow, ...]:
    return tuple(
        StrandedRow(
            venue=venue.venue, stranded=stranded(state, venue.venue),
            cap=state.config.limits.max_resting_without_deadman,
            deadman_until_ms=venue.deadman_until_ns // NS_PER_MS
            if venue.deadman_until_ns is not None and armed(state, venue)
            else None,
        )
        for venue in state.venues.values()
    )  # fmt: skip


def _out_of_pairs(single: int, pairs: int, sales: list[tuple[int, int]]) -> int:
    """Cash at risk in the part of the sales that takes pairs apart, the dearest complements first.

    What neither single tokens nor pairs cover cannot be sold: the amend of a sale that has filled meanwhile.
    """
    uncovered = min(max(sum(qty for _, qty in sales) - max(single, 0), 0), pairs)
    taken = 0
    for px, qty in sorted(sales):
        part = min(qty, uncovered)
        taken += notional_ceil(complement(px), part)
        uncovered -= part
    return taken
