"""Requests that must work when nothing else does: what a sweep needs, over REST alone.

They open connections of their own when no session runs, know no market that they were not told of, and raise
VenueUnavailable rather than guess.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from msgspec.structs import replace

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import (
    BookSnapshot,
    BookSource,
    Input,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    RestingOrder,
    SendRefused,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side
from hlomm.domain.units import Qty, floor_to
from hlomm.venues.polymarket.account import AccountReader
from hlomm.venues.polymarket.account_feed import FILLED
from hlomm.venues.polymarket.gateway import Gateway
from hlomm.venues.polymarket.orders import Placed
from hlomm.venues.polymarket.registry import Known, Registry
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.sales import Sales
from hlomm.venues.polymarket.wire import errors, requests
from hlomm.venues.polymarket.wire.amounts import SIZE_STEP, Unfit
from hlomm.venues.polymarket.wire.errors import Failure
from hlomm.venues.protocol import NOT_DELIVERED, SaleRules


@attrs.frozen
class DirectRequests:
    """One account's requests outside the engine's way."""

    _rest: PolymarketRest
    _registry: Registry
    _account: AccountReader
    _gateway: Gateway
    _sales: Sales

    async def book(self, market: MarketId) -> BookSnapshot | None:
        known = await self._known(market)
        told = await self._rest.book(known.token(Leg.YES))
        if told is None:
            return None
        # The order book's own word for what an order needs, where no listing has told it.
        known.tick = known.tick if told.tick is None else told.tick
        known.neg_risk = known.neg_risk if told.neg_risk is None else told.neg_risk
        return BookSnapshot(market, told.bids, told.asks, told.venue_ms, BookSource.REST)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        """The minimum is one of resting orders: an immediate sale has none."""
        known = self._registry.known(market)
        return None if known is None or known.tick is None else SaleRules(tick=known.tick, lot=SIZE_STEP)

    async def _known(self, market: MarketId) -> Known:
        known = self._registry.known(market)
        if known is None:
            await self._account.learn(market.partition(":")[2])
            known = self._registry.known(market)
        if known is None:
            raise VenueUnavailable(f"{market} has no tokens")
        return known

    async def cancel(self, orders: Sequence[RestingOrder]) -> int:
        """Cancel by order id; how many are gone by the venue's word, those already gone included."""
        gone = 0
        for start in range(0, len(orders), requests.CANCEL_MAX):
            part = [str(order.venue_order_id) for order in orders[start : start + requests.CANCEL_MAX]]
            told = await self._gateway.delete(part)
            if isinstance(told, Failure):
                raise VenueUnavailable(f"cancel refused: {told.text}")
            refused = (errors.error_code(text) for text in told.refused.values())
            gone += len(told.canceled) + sum(code in errors.GONE for code in refused)
        return gone

    async def place(self, orders: Sequence[OrderRequest]) -> list[str]:
        """Place and wait; one word per order, in their order: `filled`, `resting`, or our word for the refusal.

        Sold is only what is there: the rest of a sale waits for its delivery.
        """
        words = [""] * len(orders)
        signed: list[tuple[int, Placed]] = []
        for place, wanted in enumerate(orders):
            order = self._there(wanted)
            if order is None:
                words[place] = NOT_DELIVERED
                continue
            known = await self._known(order.market)
            if known.tick is None and await self.book(order.market) is None:
                words[place] = errors.NO_MARKET
                continue
            try:
                signed.append((place, self._gateway.sign(order)))
            except Unfit as unfit:
                words[place] = str(unfit)
        for start in range(0, len(signed), requests.POST_ORDERS_MAX):
            part = signed[start : start + requests.POST_ORDERS_MAX]
            news = await self._gateway.exchange([placed for _, placed in part])
            for place, placed in part:
                words[place] = _word(placed, news)
                self._sales.note(placed, _matched(placed, news))
                placed.answered.set()
        return words

    def _there(self, order: OrderRequest) -> OrderRequest | None:
        """The order, or as much of a sale as has been delivered; None for none of it."""
        if order.side is not Side.SELL:
            return order
        sellable = self._account.sellable(order.market, order.leg)
        if sellable is None or sellable >= order.qty:
            return order
        qty = floor_to(sellable, SIZE_STEP)
        return replace(order, qty=Qty(qty)) if qty else None


def _matched(placed: Placed, news: Sequence[Input]) -> Qty | None:
    """How much of an order matched by its answer; None if nobody knows."""
    client_id = placed.request.client_id
    for one in news:
        match one:
            case OrderClosed() | OrderOpened() | OrderRejected() if one.client_id == client_id:
                return (one.filled or Qty(0)) if isinstance(one, OrderClosed) else Qty(0)
            case SendRefused() if client_id in one.client_ids:
                return Qty(0)
            case _:
                pass
    return None


def _word(placed: Placed, news: Sequence[Input]) -> str:
    client_id = placed.request.client_id
    for one in news:
        match one:
            case OrderClosed() if one.client_id == client_id:
                return FILLED if one.status == FILLED or one.filled else errors.NO_MATCH
            case OrderOpened() if one.client_id == client_id:
                return "resting"
            case OrderRejected() if one.client_id == client_id:
                return one.text if one.code == errors.UNKNOWN else one.code
            case SendRefused() if client_id in one.client_ids:
                return one.reason
            case _:
                pass
    return "unknown"
