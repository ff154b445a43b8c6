"""Private streams of the account: fills told once, order events under the right order. Pure: rows in, inputs out.

Theory of operation. Fills are identified by `Fill.key`, because every new connection replays a snapshot of old ones.
The first snapshot reaches back before the session: fills older than its start only seed the memory, since the account
state read at the start already contains them. Every later snapshot fills the gap the connection left.

An amend is a cancel and a new order under the same client id, and the venue tells `canceled(old)` and `open(new)` in
either order (sheet 4.1). Passed on as they come, the first order would look like the end of the order. So while an
amend is under way the cancel of the old venue id is held back until its answer says what became of it, and once the
new id is known, late news about the old one is dropped. Anything but a plain cancel of the old id passes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from hlomm.domain.fills import Fill
from hlomm.domain.ids import ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import FundingPaid, Input, OrderClosed, OrderOpened, OrderRejected
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid import conversions
from hlomm.venues.hyperliquid.wire.account import OrderReport, OrderRows
from hlomm.venues.hyperliquid.wire.errors import rejected_status_code
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.statuses import CANCELED, Standing, standing


@attrs.define(eq=False)
class AmendWatch:
    """Venue ids that amends are replacing or have replaced."""

    memory: int = 4_096
    _under_way: BoundedMap[VenueOrderId, OrderClosed | None] = attrs.field(init=False)
    _replaced: BoundedMap[VenueOrderId, None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._under_way = BoundedMap(self.memory)
        self._replaced = BoundedMap(self.memory)

    def sent(self, old: VenueOrderId) -> None:
        self._under_way.put(old, None)

    def replaced(self, old: VenueOrderId) -> None:
        """The amend took effect: the old id has no more news that matters."""
        self._under_way.pop(old)
        self._replaced.put(old, None)

    def refused(self, old: VenueOrderId) -> OrderClosed | None:
        """The amend did not take effect; returns the cancel that was held back, which then was a real one."""
        return self._under_way.pop(old)

    def lost(self, old: VenueOrderId) -> None:
        """Nobody knows. A cancel of the old id proves nothing; the client id will be asked about."""
        self.replaced(old)

    def hold(self, closed: OrderClosed) -> bool:
        """Keep back the cancel of an id that is being replaced; whether it was kept."""
        old = closed.venue_order_id
        if old is None or old not in self._under_way:
            return False
        self._under_way.put(old, closed)
        return True

    def is_replaced(self, venue_order_id: VenueOrderId) -> bool:
        return venue_order_id in self._replaced


OVERLAP_MS: Final = 10_000
"""Fills are asked for again over this span: they are not listed in the order of their times."""


@attrs.define(eq=False)
class AccountFeed:
    """State of the private streams over the whole session, connections included."""

    counters: Counters
    fill_memory: int
    is_ours: Callable[[str | None], bool]
    is_fallback: Callable[[MarketId], bool | None]
    """Whether a market is the fallback of its question."""
    amends: AmendWatch = attrs.field(factory=AmendWatch)
    start_ms: int = 0
    """Venue time of the session's start; fills before it are history."""
    complete_ms: int = 0
    """Venue time of the newest fill that a request listed: up to there none is missing, whatever streams lost."""
    funded_ms: int = 0
    """Venue time of the newest funding told."""
    _seen: BoundedMap[str, None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = BoundedMap(self.fill_memory)

    def seed_fills(self, rows: FillRows) -> None:
        """Remember fills that the first account state contains."""
        for fill in rows.fills:
            self._seen.add(fill.key, None)
            self.complete_ms = max(self.complete_ms, fill.venue_ms)

    @property
    def ask_from_ms(self) -> int:
        """From when on to ask for fills so that none is missed: a little before the newest one that a request told.

        A fill of the stream does not count: an older one may have been lost before it.
        """
        return max(self.complete_ms - OVERLAP_MS, self.start_ms)

    @property
    def fund_from_ms(self) -> int:
        """From when on to ask for funding: it is paid on the hour, and told within a moment of it."""
        return max(self.funded_ms - OVERLAP_MS, self.start_ms)

    def on_funding(self, payments: Sequence[FundingPaid]) -> list[Input]:
        fresh: list[Input] = []
        for payment in payments:
            self.funded_ms = max(self.funded_ms, payment.venue_ms)
            if self._seen.add(payment.key, None) and payment.venue_ms >= self.start_ms:
                fresh.append(payment)
        return fresh

    def on_listed_fills(self, rows: FillRows) -> list[Input]:
        """The answer to a request for all fills since `ask_from_ms`."""
        self.complete_ms = max((self.complete_ms, *(fill.venue_ms for fill in rows.fills)))
        return self.on_fills(rows)

    def on_fills(self, rows: FillRows) -> list[Input]:
        fresh: list[Fill] = []
        for fill in sorted(rows.fills, key=lambda one: one.venue_ms) if rows.snapshot else rows.fills:
            if not self._seen.add(fill.key, None):
                self.counters.add("repeated_fills")
            elif fill.venue_ms < self.start_ms:
                self.counters.add("old_fills")
            else:
                fresh.append(fill)
        return list(conversions.grouped(conversions.priced(fill, self.is_fallback, self.counters) for fill in fresh))

    def on_orders(self, rows: OrderRows) -> list[Input]:
        events: list[Input] = []
        for report in rows.reports:
            if report.client_id is None or not self.is_ours(report.client_id):
                self.counters.add("foreign_orders")
                continue
            event = self._event(report, report.client_id)
            if event is not None:
                events.append(event)
        return events

    def _event(self, report: OrderReport, client_id: ClientId) -> Input | None:
        match standing(report.status):
            case Standing.RESTS:
                return self._opened(report, client_id)
            case Standing.ENDED:
                return self._closed(report, client_id)
            case Standing.REFUSED:
                return OrderRejected(client_id=client_id, code=rejected_status_code(report.status), text=report.status)
            case Standing.TRIGGERED | Standing.UNKNOWN:
                self.counters.add("unknown_order_status")
                return None

    def _opened(self, report: OrderReport, client_id: ClientId) -> Input | None:
        if self.amends.is_replaced(report.venue_order_id):
            self.counters.add("late_order_news")
            return None
        return OrderOpened(
            client_id=client_id,
            venue_order_id=report.venue_order_id,
            leaves=report.leaves,
            venue_ms=report.venue_ms,
        )

    def _closed(self, report: OrderReport, client_id: ClientId) -> Input | None:
        closed = OrderClosed(
            client_id=client_id,
            venue_order_id=report.venue_order_id,
            status=report.status,
            filled=report.filled,
            venue_ms=report.venue_ms,
        )
        if report.status != CANCELED:
            return closed  # filled, settled, self-traded: true of the order, not a side effect of an amend
        if self.amends.is_replaced(report.venue_order_id):
            self.counters.add("late_order_news")
            return None
        if self.amends.hold(closed):
            self.counters.add("held_cancels")
            return None
        return closed
