"""Our orders that rest beside a recorded tape: what they claim, what is ahead of them, what a print fills of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.inputs import OrderAnswer, TradePrint
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, direction, yes_px
from hlomm.domain.units import SCALE, Px, Qty, notional_ceil, to_float
from hlomm.pricing.queues import QueuePosition
from hlomm.research.fill_model import FillModel
from hlomm.research.tape_book import TapeBook

_DEEP: Final = 1e15
"""Queue ahead of an order deeper than the recorded book: nothing is known of it, so nothing fills at its price."""


Finished = tuple[VenueOrderId, int, str]
"""The venue's id of an order that has ended, all it filled, and the word for its end."""


def answer_of(client_id: ClientId, finished: Finished) -> OrderAnswer:
    """What a question about it is told."""
    oid, filled, status = finished
    return OrderAnswer(
        client_id=client_id, found=True, open=False, status=status, venue_order_id=oid, leaves=Qty(0),
        filled=Qty(filled),
    )  # fmt: skip


@attrs.define(eq=False, kw_only=True)
class Own:
    """One order of ours; `left` until it rests, `queue.remaining` from then on."""

    request: OrderRequest
    oid: VenueOrderId
    px: Px
    """Own coin."""
    left: int
    queue: QueuePosition | None = None
    filled: int = 0
    overrun: bool = False
    """The recorded book crossed its price without a print: a real one would have met it, or not been sent."""
    direction: int = attrs.field(init=False)
    """+1 a bid, -1 an ask, in YES space."""

    def __attrs_post_init__(self) -> None:
        self.direction = direction(self.request.leg, self.request.side)

    @property
    def yes_px(self) -> Px:
        return yes_px(self.request.leg, self.px)


class OwnOrders:
    """In the order of their arrival."""

    def __init__(self, model: FillModel, book: TapeBook, lot: int) -> None:
        self._model = model
        self._book = book
        self._lot = to_float(lot)
        self._orders: dict[ClientId, Own] = {}

    def get(self, client_id: ClientId) -> Own | None:
        return self._orders.get(client_id)

    def ids(self) -> list[ClientId]:
        return list(self._orders)

    def pop(self, client_id: ClientId) -> Own | None:
        return self._orders.pop(client_id, None)

    def join(self, order: Own) -> None:
        """To the back of its level, behind our other orders too."""
        ahead = self._book.ahead(order.direction, order.yes_px)
        order.overrun = False
        order.queue = QueuePosition(
            model=self._model.queue, n=self._model.n, level_qty=_DEEP if ahead is None else to_float(ahead),
            remaining=to_float(order.left), lot=self._lot,
        )  # fmt: skip
        self._orders.pop(order.request.client_id, None)
        self._orders[order.request.client_id] = order

    def snapshot(self) -> int:
        """The levels are now as the book shows them; how many orders it has just overrun."""
        overrun, book = 0, self._book
        for order in self._orders.values():
            side, at = order.direction, order.yes_px
            size = book.shown(side, at)
            if size is not None and order.queue is not None:
                order.queue.depth(to_float(size))
            touch = None if order.overrun else book.touch(-side)
            if touch is not None and (at - touch) * side >= 0:
                order.overrun = True
                overrun += 1
        return overrun

    def hit(self, item: TradePrint) -> Iterator[tuple[Own, int]]:
        """Each order that a print fills with how much, our best first; what one took the next does not get."""
        side = -int(item.aggressor)
        left = int(item.qty)
        # Dicts keep the order of arrival, and sorting keeps it among equals.
        for order in sorted(self._orders.values(), key=lambda one: -one.yes_px * side):
            if left <= 0:
                return
            filled = self._filled(order, item, left) if order.direction == side else 0
            if filled:
                left -= filled
                order.left -= filled
                order.filled += filled
                yield order, filled

    def _filled(self, order: Own, item: TradePrint, left: int) -> int:
        beyond = (order.yes_px - item.px) * order.direction
        assert order.queue is not None
        if beyond < 0:
            return 0
        if beyond > 0:
            filled = min(order.left, left)
            order.queue.remaining = to_float(order.left - filled)
            return filled
        return min(round(order.queue.trade(to_float(left)) * SCALE), left, order.left)

    def in_the_way(self, side: int, px: int, *, level: bool) -> list[ClientId]:
        """Those on a side before a price, and at it if the level itself is taken."""
        return [
            client_id
            for client_id, one in self._orders.items()
            if one.direction == side and ((one.yes_px - px) * side > 0 or (level and one.yes_px == px))
        ]

    def touch(self, side: int, ignoring: Own | None) -> Px | None:
        """Our best price on a side."""
        prices = [one.yes_px * side for one in self._others(ignoring) if one.direction == side]
        return Px(max(prices) * side) if prices else None

    def offered(self, leg: Leg, ignoring: Own | None) -> int:
        """Tokens that sales have claimed."""
        return sum(
            one.left for one in self._others(ignoring) if one.request.side is Side.SELL and one.request.leg is leg
        )

    def reserved(self, ignoring: Own | None) -> int:
        """Cash that purchases have claimed."""
        return sum(notional_ceil(one.px, one.left) for one in self._others(ignoring) if one.request.side is Side.BUY)

    def _others(self, ignoring: Own | None) -> Iterator[Own]:
        return (one for one in self._orders.values() if one is not ignoring)
