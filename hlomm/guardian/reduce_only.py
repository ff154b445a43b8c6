"""A venue session that can only make an account smaller.

The sweep is handed this and never the session itself. Whatever asks it to place an order gets through only with an
immediate-or-cancel order, marked as a reduction, of no more than what the account's last reading shows to be there;
everything else is answered with a refusal of our own and never reaches the venue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import trio

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.inputs import AccountState, BookSnapshot, RestingOrder
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import Output
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink, VenueSession

NOT_A_REDUCTION: Final = "not_a_reduction"
"""The word for an order that was held back here."""


Place = tuple[MarketId, Leg, Side]


def room_of(state: AccountState) -> dict[Place, int]:
    """The most that may be traded, by market, leg and side, for the account to become smaller by it.

    Of tokens only what is beyond complete sets (selling half a pair would bare the other half), of a perp position no
    more than there is, against its direction.
    """
    held: dict[MarketId, dict[Leg, int]] = {}
    for token in state.tokens:
        legs = held.setdefault(token.market, {})
        legs[token.leg] = legs.get(token.leg, 0) + token.total
    room: dict[Place, int] = {
        (market, leg, Side.SELL): total - min(legs.get(Leg.YES, 0), legs.get(Leg.NO, 0))
        for market, legs in held.items()
        for leg, total in legs.items()
    }
    for perp in state.perps:
        room[(perp.market, Leg.YES, Side.SELL if perp.qty > 0 else Side.BUY)] = abs(perp.qty)
    return room


@attrs.define(eq=False)
class ReduceOnly:
    """See `hlomm.venues.protocol.VenueSession`; of that only requests, and of those only what reduces."""

    _session: VenueSession
    _room: dict[Place, int] = attrs.field(factory=dict)
    """What may still be given up. Every reading of the account renews it, every order sent uses it up."""
    held_back: int = 0

    @property
    def venue(self) -> VenueId:
        return self._session.venue

    async def run(  # noqa: ASYNC128 - it never starts
        self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        del sink, task_status
        raise AssertionError("a guardian opens no stream")

    def submit(self, output: Output) -> None:
        del output
        raise AssertionError("a guardian has no engine whose outputs it could carry out")

    def statistics(self) -> SessionStatistics:
        return self._session.statistics()

    async def check_access(self) -> str | None:
        return await self._session.check_access()

    async def fetch_resting(self) -> list[RestingOrder]:
        return await self._session.fetch_resting()

    async def fetch_account(self) -> AccountState:
        self._room = {}
        state = await self._session.fetch_account()
        self._room = room_of(state)
        return state

    async def fetch_book(self, market: MarketId) -> BookSnapshot | None:
        return await self._session.fetch_book(market)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        return self._session.sale_rules(market)

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        return await self._session.cancel_now(orders)

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        allowed = [self._admit(order) for order in orders]
        passing = [order for order, may in zip(orders, allowed, strict=True) if may]
        self.held_back += len(orders) - len(passing)
        answers = iter(await self._session.place_now(passing) if passing else ())
        return [next(answers) if may else NOT_A_REDUCTION for may in allowed]

    def _admit(self, order: OrderRequest) -> bool:
        place = (order.market, order.leg, order.side)
        reduces = (
            order.reduce_only
            and order.tif is Tif.IOC
            and order.purpose is Purpose.FLATTEN
            and 0 < order.qty <= self._room.get(place, 0)
        )
        if reduces:
            self._room[place] -= order.qty
        return reduces
