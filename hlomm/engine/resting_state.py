"""What is known of one leg of a link that rests; see `hlomm.engine.resting` for what happens to it."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.view import Basket
from hlomm.engine.order import Order


@attrs.define(eq=False, kw_only=True)
class Resting:
    """One leg of a link at one venue: its order, and those before it of which fills may still come."""

    leg: Leg
    maker: MarketId
    hedge: MarketId
    orders: list[Order] = attrs.field(factory=list)
    """That are not part of a basket; bounded."""
    plan: Basket | None = None
    """Of the newest order."""
    looked_ns: int = 0
    """The strategy is not asked before that, unless the hedge's book has changed."""
    acted_ns: int = 0
    """No new order before that."""
    heard: int = -1
    """Updates of the hedge's book when it was last asked."""
    recorded: bool = False
    """The next run knows that an order may rest."""

    @property
    def live(self) -> list[Order]:
        """Those that may still fill."""
        return [order for order in self.orders if order.live or order.due]
