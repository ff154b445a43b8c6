"""Requests that must work when nothing else does: what a sweep needs, over REST alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import MarketId, kalshi_market
from hlomm.domain.inputs import BookSnapshot, BookSource, RestingOrder
from hlomm.domain.orders import OrderRequest
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.books import Books
from hlomm.venues.kalshi.gateway import Gateway
from hlomm.venues.kalshi.registry import Registry
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.streams import ticker_of
from hlomm.venues.kalshi.tracks import Tracks, wire_id
from hlomm.venues.kalshi.wire.account import RESTING
from hlomm.venues.kalshi.wire.errors import ACCESS_DENIED, NOT_FOUND, Fate, Refusal
from hlomm.venues.kalshi.wire.frames import Snapshot, SnapshotMsg
from hlomm.venues.kalshi.wire.schemas import COUNT_STEP, sayable
from hlomm.venues.protocol import SaleRules

ANY_MARKET: Final = SaleRules(tick=Px(SCALE // 100), lot=Qty(COUNT_STEP))
"""Whole cents are on every grid that the venue has; what is worth less than a cent is held."""


@attrs.frozen
class DirectRequests:
    """One account's requests outside the engine's way."""

    _rest: KalshiRest
    _registry: Registry
    _tracks: Tracks
    _gateway: Gateway
    _counters: Counters

    async def check_access(self) -> str | None:
        """The venue's words if it refuses our signature."""
        refused = await self._rest.check_access()
        if refused is None:
            return None
        if refused.code != ACCESS_DENIED:
            raise VenueUnavailable(f"inconclusive answer to a signed question: HTTP {refused.status} {refused.text}")
        return refused.text or f"HTTP {refused.status}"

    async def book(self, market: MarketId) -> BookSnapshot | None:
        ticker = ticker_of(market)
        rows = await self._rest.book(ticker)
        if rows is None:
            return None
        books = Books()
        books.follow([ticker])
        folded = books.on_snapshot(Snapshot(seq=1, sid=1, msg=SnapshotMsg(ticker, *rows)))
        if not folded.books:
            raise VenueUnavailable(f"{ticker}: unreadable book ({folded.why})")
        (book,) = folded.books
        return BookSnapshot(kalshi_market(ticker), book.bids, book.asks, 0, BookSource.REST)

    def sale_rules(self, market: MarketId) -> SaleRules:
        listed = self._registry.markets.get(market)
        return ANY_MARKET if listed is None else SaleRules.of(listed)

    async def cancel(self, orders: Sequence[RestingOrder]) -> int:
        """Cancel by venue order id, each with its shard and market; how many are gone by the venue's word."""
        gone = 0
        for order in orders:
            order_id, ticker = wire_id(order.venue_order_id), ticker_of(order.market)
            track = self._tracks.of_order(order_id)
            shard = self._registry.shard_of(ticker) if track is None else track.shard
            answer = await self._rest.cancel(order_id, ticker, shard)
            if isinstance(answer, Refusal):
                gone += answer.code == NOT_FOUND and await self._is_gone(order_id)
            else:
                gone += 1
                if track is not None:
                    self._tracks.end(track)
        return gone

    async def _is_gone(self, order_id: str) -> bool:
        """A cancel that finds nothing may have been asked of the wrong shard: only a look tells."""
        self._counters.add("cancels_looked_up")
        row = await self._rest.order(order_id)
        return row is not None and row.status != RESTING

    async def place(self, orders: Sequence[OrderRequest]) -> list[str]:
        """Place and wait; one word per order, in their order: `filled`, `resting`, or our word for the refusal."""
        words = []
        for order in orders:
            await trio.lowlevel.checkpoint()
            if not sayable(order.px, order.qty):
                words.append("invalid_order")
                continue
            track, wish = self._gateway.prepare(order)
            answer = await self._rest.create(wish)
            if isinstance(answer, Refusal):
                if answer.fate(places=True) is not Fate.REFUSED:
                    raise VenueUnavailable(f"nobody knows whether an order arrived: {answer.text}")
                self._tracks.end(track)
                words.append(answer.code)
                continue
            self._gateway.accepted(track, answer)
            filled = answer.filled or Qty(0)
            if answer.leaves:
                words.append("resting")
            else:
                words.append("filled" if filled >= order.qty else "canceled")
        return words
