"""Which client id stands for which order of the venue. Pure.

The venue knows no client ids. Ours are mapped to order ids, which are computed before anything is sent; an order that
this process did not place gets one made of its order id, with our mark: the API key belongs to this program alone, so
every order of it is ours, of an earlier run or of a request that was believed lost.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.polymarket.signing import SignedOrder

_MARK: Final = "0x686c"
_DIGITS: Final = 28


@attrs.define(eq=False)
class Placed:
    """An order of this process."""

    request: OrderRequest
    signed: SignedOrder
    sent_ms: int
    """Venue wall time."""
    answered: trio.Event = attrs.field(factory=trio.Event)
    """Set once its request was answered or given up: a cancel must not overtake it."""

    @property
    def order_id(self) -> VenueOrderId:
        return VenueOrderId(self.signed.id)

    @property
    def leg(self) -> Leg:
        return self.request.leg


def client_id_of(order_id: str) -> ClientId:
    """The client id of an order that this process did not place."""
    return ClientId(f"{_MARK}{order_id.removeprefix('0x')[:_DIGITS].rjust(_DIGITS, '0')}")


@attrs.define(eq=False)
class OrderMap:
    """Both directions, bounded."""

    memory: int
    _placed: BoundedMap[ClientId, Placed] = attrs.field(init=False)
    _by_order: BoundedMap[str, ClientId] = attrs.field(init=False)
    _found: BoundedMap[ClientId, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._placed = BoundedMap(self.memory)
        self._by_order = BoundedMap(self.memory)
        self._found = BoundedMap(self.memory)

    def placed(self, client_id: ClientId) -> Placed | None:
        return self._placed.get(client_id)

    def enter(self, placed: Placed) -> None:
        self._placed.put(placed.request.client_id, placed)
        self._by_order.put(placed.signed.id, placed.request.client_id)

    def of_order(self, order_id: str) -> Placed | None:
        client_id = self._by_order.get(order_id)
        return None if client_id is None else self._placed.get(client_id)

    def client_id(self, order_id: str) -> ClientId:
        """Ours if we placed it; else the one it stands under from now on."""
        ours = self._by_order.get(order_id)
        if ours is not None:
            return ours
        made = client_id_of(order_id)
        self._found.put(made, order_id)
        return made

    def order_id(self, client_id: ClientId) -> str | None:
        placed = self._placed.get(client_id)
        return placed.signed.id if placed is not None else self._found.get(client_id)
