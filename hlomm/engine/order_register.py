"""The register of orders: which there are, which are live, which are still owed fills, and which may be forgotten.

It knows nothing of what a report means (`orders` does); every change of an order's state passes `_move` here, so that
the indexes and the digest never fall behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.orders import OrderEvent, OrderState, advance
from hlomm.engine.digest import Digest
from hlomm.engine.order import Order
from hlomm.engine.pending import Pending, PendingBook

REMEMBERED: Final = 4096
"""Finished orders kept for late fills; older ones are recognised by their mark only."""

_STATE_CODE: Final = {state: code for code, state in enumerate(OrderState)}


class Register:
    """All orders by client id; live ones also by market."""

    def __init__(self, digest: Digest) -> None:
        self._by_id: dict[ClientId, Order] = {}
        self._live: dict[MarketId, dict[ClientId, Order]] = {}
        self._due: dict[ClientId, Order] = {}
        """Finished orders whose last fills have not arrived."""
        self._unanswered: dict[ClientId, None] = {}
        """Live orders that do not simply rest: something about them is still to be heard."""
        self._digest = digest
        self.sums = PendingBook(self.exposed_in)
        """What they may still do, added up."""
        self.pending: Final[Callable[[MarketId], Pending]] = self.sums.of
        """Of one market: asked for more often than anything else."""
        self.live_count = 0
        self.version = 0
        """Another one after everything that may change what is live or due."""
        self.anomalies: dict[str, int] = {}

    # -- queries

    def get(self, client_id: ClientId) -> Order | None:
        return self._by_id.get(client_id)

    def live(self) -> Iterator[Order]:
        """Live orders by market and age."""
        for orders in self._live.values():
            yield from orders.values()

    def any_in(self, market: MarketId) -> bool:
        return bool(self._live.get(market))

    def unanswered(self) -> list[Order]:
        """Those of them of which something is still to be heard."""
        if not self._unanswered:
            return []
        markets = {self._by_id[client_id].market for client_id in self._unanswered}
        # In the order of `live`, without going through every order that rests: this is asked in each turn.
        return [
            order
            for market, orders in self._live.items()
            if market in markets
            for order in orders.values()
            if order.client_id in self._unanswered
        ]

    def live_in(self, market: MarketId) -> list[Order]:
        orders = self._live.get(market)
        return list(orders.values()) if orders else []

    def exposed_in(self, market: MarketId) -> list[Order]:
        """Live orders and finished ones whose last fills are still due."""
        found = self.live_in(market)
        if self._due:
            found.extend(order for order in self._due.values() if order.market == market)
        return found

    def exposed(self) -> Iterator[Order]:
        yield from self.live()
        yield from self._due.values()

    def awaiting_fills(self) -> list[Order]:
        return list(self._due.values())

    @contextmanager
    def supposing(self, orders: Sequence[Order]) -> Iterator[None]:
        """As if these were live as well, for questions only: no digest, no memory, and nothing of them is left after.

        Nothing may be placed or reported meanwhile.
        """
        real, count = self._live, self.live_count
        self._live = {market: dict(known) for market, known in real.items()}
        self.live_count += len(orders)
        self.version += 1
        for order in orders:
            self._live.setdefault(order.market, {})[order.client_id] = order
            self.sums.changed(order.market)
        try:
            yield
        finally:
            self._live, self.live_count = real, count
            self.version += 1
            for order in orders:
                self.sums.changed(order.market)

    # -- changes

    def adopt(self, order: Order) -> Order:
        """Take an order into the books: a new one, or one of an earlier run found at the venue."""
        assert order.client_id not in self._by_id
        self._by_id[order.client_id] = order
        if order.venue_order_id is not None:
            order.tally(order.venue_order_id)
        self._index(order)
        self._note(order)
        self._evict()
        return order

    def _move(self, order: Order, event: OrderEvent, mono_ns: int) -> None:
        was_live, was_unknown = order.live, order.state is OrderState.UNKNOWN
        order.state = advance(order.state, event)
        order.touched_ns = mono_ns
        if was_unknown and order.state is not OrderState.UNKNOWN:
            order.asked = order.denied = 0
        if was_live and not order.live:
            del self._live[order.market][order.client_id]
            self.live_count -= 1
        elif order.live and not was_live:
            self._index(order)
        self._note(order)

    def _index(self, order: Order) -> None:
        self._live.setdefault(order.market, {})[order.client_id] = order
        self.live_count += 1

    def _note(self, order: Order) -> None:
        """The order is another than before: every change ends here, before anybody asks what it comes to."""
        self.version += 1
        self.sums.changed(order.market)
        due, live = order.due, order.live
        if live and order.state is not OrderState.OPEN:
            self._unanswered[order.client_id] = None
        else:
            self._unanswered.pop(order.client_id, None)
        if due and not live:
            self._due[order.client_id] = order
        else:
            self._due.pop(order.client_id, None)
        self._digest.mix(int(order.client_id[-8:], 16), _STATE_CODE[order.state], order.leaves, order.filled, due)

    def _anomaly(self, kind: str) -> None:
        self.anomalies[kind] = self.anomalies.get(kind, 0) + 1

    def _evict(self) -> None:
        while len(self._by_id) > REMEMBERED + self.live_count:
            oldest = next((key for key, order in self._by_id.items() if not order.live and not order.due), None)
            if oldest is None:
                return
            del self._by_id[oldest]
