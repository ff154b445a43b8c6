"""What watchers look at in full, market by market, and only while they do.

Whoever watches may look at one market at a time. The surfaces of a market cost about as much as all the rest of a
picture, so watchers share one that is young enough. The queue before an order of ours is followed from when somebody
first looks: then all that stands at its price counts as ahead (cancels behind us: `QueueModel.BACK`), and what trades
there since comes off. What nobody has looked at for `FORGOTTEN_NS` is forgotten.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from hlomm.daemon.pump import Pump
from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.inputs import TradePrint
from hlomm.domain.look_rows import LookRow, QueueRow, SurfaceRow
from hlomm.domain.orders import OrderState, Purpose, Side
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px, Qty, to_float
from hlomm.engine import looks
from hlomm.engine.order import Order
from hlomm.engine.state import MarketState
from hlomm.pricing.queues import QueueModel, QueuePosition

SURFACE_NS: Final = NS_PER_S
"""Host time for which a surface is good enough."""
FORGOTTEN_NS: Final = 5 * NS_PER_S
WHOLE_LEVELS: Final = 20
"""Venues show at least so many levels: a book with fewer has no others."""
_RESTING: Final = (Purpose.QUOTE, Purpose.REST)


@attrs.define(eq=False)
class _Queue:
    px: int
    leaves: int
    position: QueuePosition
    since_ns: int


@attrs.define(eq=False)
class _Watched:
    """One market that somebody looks at."""

    looked_ns: int
    queues: dict[ClientId, _Queue] = attrs.field(factory=dict)
    prints: frozenset[str] | None = None
    """Trades that were there at the last look; None before the first."""
    surface: SurfaceRow | None = None
    drawn_ns: int = 0


class Looking:
    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._watched: dict[MarketId, _Watched] = {}

    @property
    def markets(self) -> int:
        """That are being looked at."""
        return len(self._watched)

    def look(self, market_id: MarketId, *, surfaces: bool) -> LookRow:
        engine, now_ns = self._pump.engine, self._pump.clock.read().mono_ns
        self._forget(now_ns)
        row = looks.look(engine.state, engine.strategies, market_id)
        market = engine.state.markets.get(market_id)
        if market is None:
            self._watched.pop(market_id, None)
            return row
        watched = self._watched.setdefault(market_id, _Watched(now_ns))
        watched.looked_ns = now_ns
        queues = self._queues(market, watched, now_ns)
        surface = self._surface(market_id, watched, now_ns) if surfaces else None
        return msgspec.structs.replace(row, queues=queues, surface=surface)

    def _forget(self, now_ns: int) -> None:
        for market_id in [one for one, known in self._watched.items() if now_ns - known.looked_ns > FORGOTTEN_NS]:
            del self._watched[market_id]

    def _surface(self, market_id: MarketId, watched: _Watched, now_ns: int) -> SurfaceRow:
        if watched.surface is None or now_ns - watched.drawn_ns >= SURFACE_NS:
            engine = self._pump.engine
            watched.surface = looks.surface(engine.state, engine.strategies, market_id)
            watched.drawn_ns = now_ns
        return watched.surface

    def _queues(self, market: MarketState, watched: _Watched, now_ns: int) -> tuple[QueueRow, ...]:
        seen = watched.prints
        fresh = [] if seen is None else [one for one in market.prints if one.trade_id not in seen]
        watched.prints = frozenset(one.trade_id for one in market.prints)
        kept: dict[ClientId, _Queue] = {}
        rows = []
        for order in self._pump.engine.state.orders.live_in(market.market.id):
            if order.purpose not in _RESTING or order.state is not OrderState.OPEN or order.venue_order_id is None:
                continue
            queue = self._queue(market, order, watched.queues.get(order.client_id), fresh, now_ns)
            if queue is None:
                rows.append(QueueRow(direction=order.direction, px=order.yes_px, ahead=None))
                continue
            kept[order.client_id] = queue
            ahead = Qty(round(max(queue.position.front, 0.0) * SCALE))
            rows.append(
                QueueRow(
                    direction=order.direction, px=order.yes_px, ahead=ahead,
                    watched_s=(now_ns - queue.since_ns) / NS_PER_S,
                )
            )  # fmt: skip
        watched.queues = kept
        return tuple(rows)

    def _queue(
        self, market: MarketState, order: Order, known: _Queue | None, fresh: list[TradePrint], now_ns: int
    ) -> _Queue | None:
        """None where the book does not show the order's level: it is deeper than what the venue tells."""
        others = self._others(market, order)
        if others is None:
            return None
        if known is None or known.px != order.yes_px or known.leaves < order.leaves:
            # New, moved or enlarged: it stands behind all that is there.
            position = QueuePosition(
                model=QueueModel.BACK, level_qty=to_float(others), remaining=to_float(order.leaves),
                lot=to_float(market.market.lot),
            )  # fmt: skip
            return _Queue(order.yes_px, order.leaves, position, now_ns)
        taker = Side.SELL if order.direction > 0 else Side.BUY
        for one in fresh:
            if one.px == order.yes_px and one.aggressor is taker:
                known.position.trade(to_float(one.qty))
        known.position.depth(to_float(others))
        known.leaves = order.leaves
        return known

    def _others(self, market: MarketState, order: Order) -> int | None:
        """Contracts of others at the order's price; None where it is deeper than what the book shows."""
        levels = market.book.bids if order.direction > 0 else market.book.asks
        there = next((qty for px, qty in levels if px == order.yes_px), None)
        if there is None:
            # A picture from before our order, of a price at which nobody else stood.
            inside = len(levels) < WHOLE_LEVELS or (levels[-1][0] - order.yes_px) * order.direction < 0
            return 0 if inside and market.book.seen else None
        own = self._pump.engine.state.own_quotes(market.market.id, order.direction)
        return max(there - own.get(Px(order.yes_px), 0), 0)
