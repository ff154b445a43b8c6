"""What our orders may still do, added up by market and by venue, and kept until one of them changes.

Everybody who asks what is possible asks for these sums: the gate some ten times about every order. They hang on orders
alone. `Register` says which market's have changed with every change of an order, and nobody else may change one; so a
sum is made when it is first asked for after a change, and is the same whenever that is. Kept are markets in which
something is pending, and the last `TRAIL` changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from hlomm.domain.ids import MarketId, VenueId, is_outcome, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.orders import TERMINAL, Side
from hlomm.domain.units import SCALE, notional_ceil
from hlomm.engine.order import Order

TRAIL: Final = 256
"""Changes that are remembered by market."""


class Pending(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Orders of one market that may still fill, those whose last fills are due included; another one after a change."""

    orders: tuple[Order, ...] = ()
    gaining: int = 0
    """Contracts of those that gain from YES."""
    losing: int = 0
    """Of those that gain from NO."""
    selling_yes: int = 0
    selling_no: int = 0
    buying: int = 0
    """Cash that purchases may still take."""
    resting: int = 0
    """Cash that live purchases take if nobody cancels them, both sizes of an amend; rounded up size by size."""
    if_no: int = 0
    """What fills of tokens lose if NO is paid, in the worst combination; where they would gain, they need not fill."""
    if_yes: int = 0
    bids: Mapping[int, int] = {}
    """What of them rests and shows in the book, by YES price."""
    asks: Mapping[int, int] = {}


NOTHING: Final = Pending()


class PendingBook:
    def __init__(self, exposed_in: Callable[[MarketId], Iterable[Order]]) -> None:
        self._exposed_in = exposed_in
        self._of: dict[MarketId, Pending] = {}
        self._stale: dict[MarketId, None] = {}
        """Markets of which an order has changed since they were added up."""
        self._buying: dict[VenueId, int] = {}
        self._resting: dict[VenueId, int] = {}
        self._trail: deque[MarketId] = deque(maxlen=TRAIL)
        self.changes = 0

    def changed(self, market: MarketId) -> None:
        """Something about an order there is no longer what it was."""
        self._stale[market] = None
        self._trail.append(market)
        self.changes += 1

    def since(self, changes: int) -> Iterable[MarketId] | None:
        """Markets in which anything changed since there were so many; None if that is too long ago to tell."""
        news = self.changes - changes
        if not news:
            return ()
        return dict.fromkeys(self._trail[-1 - back] for back in range(news)) if news <= len(self._trail) else None

    def of(self, market: MarketId) -> Pending:
        if market in self._stale:
            self._add_up(market)
        return self._of.get(market, NOTHING)

    def buying(self, venue: VenueId | None = None) -> int:
        """Cash that purchases of tokens may still take; perps are paid from a wallet of their own."""
        self._add_up_all()
        return sum(self._buying.values()) if venue is None else self._buying.get(venue, 0)

    def resting(self, venue: VenueId) -> int:
        """`Pending.resting` of everything at a venue, perps included."""
        self._add_up_all()
        return self._resting.get(venue, 0)

    def _add_up_all(self) -> None:
        while self._stale:
            self._add_up(next(iter(self._stale)))

    def _add_up(self, market: MarketId) -> None:
        del self._stale[market]
        was, orders = self._of.get(market, NOTHING), self._exposed_in(market)
        now = added_up(orders) if orders else NOTHING
        if now is NOTHING:
            self._of.pop(market, None)
        else:
            self._of[market] = now
        venue = venue_of(market)
        self._resting[venue] = self._resting.get(venue, 0) + now.resting - was.resting
        if is_outcome(market):
            self._buying[venue] = self._buying.get(venue, 0) + now.buying - was.buying


def added_up(orders: Iterable[Order]) -> Pending:
    """The sums of one market's orders."""
    orders = tuple(orders)
    gaining = losing = selling_yes = selling_no = buying = resting = if_no = if_yes = 0
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for order in orders:
        qty, lost, live = order.leaves + order.due + order.amend_qty, _lost(order), order.state not in TERMINAL
        if order.direction > 0:
            gaining += qty
            if_no += lost
            shown = bids
        else:
            losing += qty
            if_yes += lost
            shown = asks
        if order.side is Side.BUY:
            buying += notional_ceil(order.exposed_px, qty)
            if live:
                resting += notional_ceil(order.px, order.leaves)
                if order.amend_px is not None:
                    resting += notional_ceil(order.amend_px, order.amend_qty)
        elif order.leg is Leg.YES:
            selling_yes += qty
        else:
            selling_no += qty
        if live and order.venue_order_id is not None:
            px = order.yes_px
            shown[px] = shown.get(px, 0) + order.leaves
    return Pending(
        orders=orders, gaining=gaining, losing=losing, selling_yes=selling_yes, selling_no=selling_no, buying=buying,
        resting=resting, if_no=if_no, if_yes=if_yes, bids=bids, asks=asks,
    )  # fmt: skip


def unit_loss(leg: Leg, side: Side, px: int) -> tuple[int, int]:
    """What one contract of an order loses if NO is paid, and if YES is, in 1e-8; negative if it gains."""
    lost, won = (px, px - SCALE) if side is Side.BUY else (-px, SCALE - px)
    return (lost, won) if leg is Leg.YES else (won, lost)


def _lost(order: Order) -> int:
    """What a pending order in a token loses if it fills, at the one end at which it can: no token costs more than 1.

    While an amend is out both sizes may fill, each at its own price; what is already said to have filled, at the worse.
    """
    total: int
    if order.side is Side.BUY:
        total = notional_ceil(order.px, order.leaves)
        if order.amend_px is not None:
            total += notional_ceil(order.amend_px, order.amend_qty)
        return total + notional_ceil(order.exposed_px, order.due) if order.due else total
    total = notional_ceil(SCALE - order.px, order.leaves)
    if order.amend_px is not None:
        total += notional_ceil(SCALE - order.amend_px, order.amend_qty)
    return total + notional_ceil(SCALE - order.lowest_px, order.due) if order.due else total
