"""Orders of this account as the session knows them. Pure.

The venue keeps an order's id when it is amended; the engine tells the old half of an amend from the new one by that
id. So an amended order is told under its id and a number (`<id>~1`), and figures told of it count from the amend on,
by the fills that were told: `leaves` plus the fills still to be told is what the venue has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import trio

from hlomm.domain.ids import ClientId, MarketId, VenueOrderId, kalshi_market
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.units import Px, Qty
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.kalshi.wire.account import OrderRow
from hlomm.venues.kalshi.wire.sides import from_wire

TRACKS_MAX: Final = 8_192
RESTING: Final = frozenset({Tif.ALO, Tif.GTC})


def wire_id(venue_order_id: VenueOrderId) -> str:
    """The venue's own id of what was told to the engine."""
    return venue_order_id.partition("~")[0]


@attrs.define(eq=False, kw_only=True)
class Track:
    """One order. Quantities in 1e-8 contracts; `px` is the leg's own."""

    client_id: ClientId
    ticker: str
    shard: int
    leg: Leg
    side: Side
    px: Px
    tif: Tif
    total: Qty
    """What it may fill altogether, over all amends."""
    told: int = 0
    """Fills handed on."""
    base: int = 0
    """`told` when the last amend took effect."""
    version: int = 0
    order_id: str | None = None
    expires_s: int | None = None
    """Unix seconds at which the venue ends it by itself."""
    opened: bool = False
    """Told as resting under its present id."""
    done: bool = False
    """Rests no more, as far as we know."""
    cancelling: bool = False
    busy: trio.Lock = attrs.field(factory=trio.Lock)
    """Held while a request about it is under way: they must not overtake one another."""
    sent_ms: int = 0

    @property
    def market(self) -> MarketId:
        return kalshi_market(self.ticker)

    @property
    def venue_id(self) -> VenueOrderId | None:
        if self.order_id is None:
            return None
        return VenueOrderId(self.order_id if not self.version else f"{self.order_id}~{self.version}")

    def leaves(self) -> Qty:
        """What may still fill by the fills that were told."""
        return Qty(max(self.total - self.told, 0))

    def filled_of(self, filled: int) -> Qty:
        """Of all that the venue says it filled, what counts under its present id."""
        return Qty(max(filled - self.base, 0))


@attrs.define(eq=False)
class Tracks:
    """The orders that somebody may still ask about."""

    _by_client: BoundedMap[ClientId, Track] = attrs.field(factory=lambda: BoundedMap(TRACKS_MAX))
    _by_order: BoundedMap[str, Track] = attrs.field(factory=lambda: BoundedMap(TRACKS_MAX))
    _live: dict[ClientId, Track] = attrs.field(factory=dict)

    def place(self, order: OrderRequest, ticker: str, shard: int, expires_s: int | None, sent_ms: int) -> Track:
        track = Track(
            client_id=order.client_id,
            ticker=ticker,
            shard=shard,
            leg=order.leg,
            side=order.side,
            px=order.px,
            tif=order.tif,
            total=order.qty,
            expires_s=expires_s,
            sent_ms=sent_ms,
        )
        self._by_client.put(order.client_id, track)
        self._live[order.client_id] = track
        return track

    def adopt(self, row: OrderRow, shard: int) -> Track:
        """An order of ours that an earlier run left: seen from YES, its fills so far are history."""
        assert row.client_id is not None
        side, px = from_wire(row.side, row.px, Leg.YES)
        track = Track(
            client_id=ClientId(row.client_id),
            ticker=row.ticker,
            shard=shard,
            leg=Leg.YES,
            side=side,
            px=px,
            tif=Tif.GTC,
            total=Qty(row.filled + row.leaves),
            told=row.filled,
            base=row.filled,
            opened=True,
        )
        self._by_client.put(track.client_id, track)
        self._live[track.client_id] = track
        self.name(track, row.order_id)
        return track

    def name(self, track: Track, order_id: str) -> None:
        """The venue's id of an order has become known."""
        track.order_id = order_id
        self._by_order.put(order_id, track)

    def of(self, client_id: str | None) -> Track | None:
        return None if not client_id else self._by_client.get(ClientId(client_id))

    def of_order(self, order_id: str) -> Track | None:
        return self._by_order.get(order_id)

    def end(self, track: Track) -> None:
        track.done = True
        self._live.pop(track.client_id, None)

    def revive(self, track: Track) -> None:
        track.done = False
        self._live[track.client_id] = track

    def live(self) -> Iterator[Track]:
        """Orders that may rest, in the order they were sent."""
        return iter(list(self._live.values()))

    def __len__(self) -> int:
        return len(self._live)
