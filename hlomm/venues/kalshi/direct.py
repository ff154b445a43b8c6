"""Requests that must work when nothing else does: what a sweep needs, over REST alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import ProtocolViolation, VenueUnavailable
from hlomm.domain.ids import MarketId, kalshi_market
from hlomm.domain.inputs import BookSnapshot, BookSource, RestingOrder
from hlomm.domain.orders import OrderRequest
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.books import Books
from hlomm.venues.kalshi.gateway import Gateway
from hlomm.venues.kalshi.registry import Registry
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.streams import ticker_of
from hlomm.venues.kalshi.tracks import Tracks, wire_id
from hlomm.venues.kalshi.wire.account import RESTING, OrderRow
from hlomm.venues.kalshi.wire.errors import ACCESS_DENIED, NOT_FOUND, Fate, Refusal
from hlomm.venues.kalshi.wire.frames import Snapshot, SnapshotMsg
from hlomm.venues.kalshi.wire.grid import ticks
from hlomm.venues.kalshi.wire.groups import TRIGGER
from hlomm.venues.kalshi.wire.schemas import COUNT_STEP, sayable
from hlomm.venues.protocol import SaleRules

ANY_MARKET: Final = SaleRules(tick=Px(SCALE // 100), lot=Qty(COUNT_STEP))
"""Where nobody tells the grid: whole cents are on every one that the venue has, and what is worth less is held."""
RULES_MAX: Final = 1_024

_log = structlog.get_logger("hlomm.venues.kalshi")


@attrs.frozen
class DirectRequests:
    """One account's requests outside the engine's way."""

    _rest: KalshiRest
    _registry: Registry
    _tracks: Tracks
    _gateway: Gateway
    _counters: Counters
    _groups: dict[str, str] = attrs.field(factory=dict)
    """Group of each order that was listed last."""
    _tried: set[str] = attrs.field(factory=set)
    """Groups that were triggered, or refused to be, and still have orders."""
    _rules: BoundedMap[MarketId, SaleRules] = attrs.field(factory=lambda: BoundedMap(RULES_MAX))
    """Grids of markets that no session has listed, as when their book was last fetched."""

    def saw(self, rows: Sequence[OrderRow]) -> None:
        """What rests now, and in which groups: one request ends all of a group."""
        self._groups.clear()
        self._groups.update({row.order_id: row.group for row in rows if row.group is not None})
        self._tried.intersection_update(self._groups.values())

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
        if market not in self._registry.markets:
            self._rules.put(market, await self._grid(ticker))
        books = Books()
        books.follow([ticker])
        folded = books.on_snapshot(Snapshot(seq=1, sid=1, msg=SnapshotMsg(ticker, *rows)))
        if not folded.books:
            raise VenueUnavailable(f"{ticker}: unreadable book ({folded.why})")
        (book,) = folded.books
        return BookSnapshot(kalshi_market(ticker), book.bids, book.asks, 0, BookSource.REST)

    async def _grid(self, ticker: str) -> SaleRules:
        """The market's own steps; a book is worth having without them."""
        try:
            doc = await self._rest.market(ticker)
            tick, grid = ticks([] if doc is None else doc.price_ranges)
        except (VenueUnavailable, ProtocolViolation) as error:
            self._counters.add("grids_unknown")
            _log.warning("no price steps to be had, selling on whole cents", ticker=ticker, error=str(error))
            return ANY_MARKET
        return SaleRules(tick=tick, lot=Qty(COUNT_STEP), ticks=grid)

    def sale_rules(self, market: MarketId) -> SaleRules:
        listed = self._registry.markets.get(market)
        return SaleRules.of(listed) if listed is not None else self._rules.get(market) or ANY_MARKET

    async def cancel(self, orders: Sequence[RestingOrder]) -> int:
        """Trigger their groups; what is in none, or is still there, is cancelled by id with its shard and market.

        How many are gone by the venue's word. A triggered group also refuses what is still under way to the venue.
        """
        killed = await self._trigger([wire_id(order.venue_order_id) for order in orders])
        gone = len(killed)
        for order in orders:
            if wire_id(order.venue_order_id) in killed:
                continue
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

    async def _trigger(self, order_ids: Sequence[str]) -> set[str]:
        """Orders that went with their groups; each group is tried once as long as it has orders."""
        await trio.lowlevel.checkpoint()
        group_of = {one: self._groups[one] for one in order_ids if one in self._groups}
        done: set[str] = set()
        for group in sorted(set(group_of.values()) - self._tried):
            self._tried.add(group)
            try:
                answer = await self._rest.group_action(group, TRIGGER)
            except VenueUnavailable:
                self._counters.add("group_triggers_failed")
                continue
            if isinstance(answer, Refusal):
                self._counters.add("group_triggers_failed")
            else:
                self._counters.add("group_triggers")
                done.add(group)
        return {one for one, group in group_of.items() if group in done}

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
