"""What was sold by a request alone and no list of trades tells yet: it must not be sold again. Pure, with a memory.

An answer says at once that an order matched; the list of trades says so a moment later, and from then on the trade's
own life decides (`account_feed`). A request whose fate nobody knows counts as sold until it could have been listed.
Both end by the clock, so that a trade that never comes does not hide tokens for ever.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, Qty
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.clock import Clock
from hlomm.venues.polymarket.account_feed import AccountFeed
from hlomm.venues.polymarket.orders import Placed

MATCHED_NS: Final = 120 * NS_PER_S
UNKNOWN_NS: Final = 30 * NS_PER_S
SALES_MAX: Final = 1_024


@attrs.frozen
class Sale:
    """Shares of an order that are to show among the trades. `px`: at least so much each."""

    order_id: str
    market: MarketId
    leg: Leg
    px: Px
    qty: Qty
    until_ns: int


@attrs.define(eq=False)
class Sales:
    _feed: AccountFeed
    _clock: Clock
    _open: BoundedMap[str, Sale] = attrs.field(factory=lambda: BoundedMap(SALES_MAX))

    def note(self, placed: Placed, qty: Qty | None) -> None:
        """An order matched that much; None: nobody knows."""
        request = placed.request
        if request.side is not Side.SELL or qty == 0:
            return
        span_ns = UNKNOWN_NS if qty is None else MATCHED_NS
        until_ns = self._clock.now().mono_ns + span_ns
        expected = request.qty if qty is None else qty
        order_id = str(placed.order_id)
        self._open.put(order_id, Sale(order_id, request.market, request.leg, request.px, expected, until_ns))

    def untold(self) -> list[Sale]:
        """What is missing among the trades that are known, as sales of the rest."""
        now_ns, missing = self._clock.now().mono_ns, []
        for sale in list(self._open.values()):
            rest = sale.qty - self._feed.heard_of(sale.order_id)
            if rest > 0 and now_ns < sale.until_ns:
                missing.append(attrs.evolve(sale, qty=Qty(rest)))
            else:
                self._open.pop(sale.order_id)
        return missing
