"""Private frames and rows to inputs: fills counted once, orders told as they stand. Pure, with a memory.

Fills come over two ways (stream and requests) in any order; `trade_id` and `order_id` together name one. What a fill
cost is what the venue says it cost. Order frames carry no promise about their order against fills or answers, so they
only ever say that an order rests or that it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import attrs

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import is_ours
from hlomm.domain.inputs import Input, OrderClosed, OrderOpened
from hlomm.domain.units import Cash, Qty
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.fields import positive, signed, unsigned
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.tracks import Track, Tracks
from hlomm.venues.kalshi.wire.account import CANCELED, EXECUTED, RESTING, FillRow, OrderRow
from hlomm.venues.kalshi.wire.frames import FillMsg, UserOrderMsg
from hlomm.venues.kalshi.wire.schemas import inner_price
from hlomm.venues.kalshi.wire.sides import BookSide
from hlomm.venues.venue_time import AHEAD_MAX_MS

OVERLAP_MS: Final = 10_000
"""Fills are asked for again over this span: they are listed late and not in order."""
FILLED: Final = "filled"


@attrs.define(eq=False)
class AccountFeed:
    """State of the account's news over the life of the session."""

    tracks: Tracks
    purse: Purse
    counters: Counters
    fill_memory: int
    now_ms: Callable[[], int]
    """Venue time."""
    doubt: Callable[[str], None] = attrs.field(default=lambda _: None)
    start_ms: int = 0
    """Fills before it are history."""
    complete_ms: int = 0
    """Time of the newest fill that a request listed."""
    activity_ms: int = 0
    """Venue time of the last thing that happened on the account, as far as we know."""
    _seen: BoundedMap[str, None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = BoundedMap(self.fill_memory)

    @property
    def ask_from_ms(self) -> int:
        return max(self.complete_ms - OVERLAP_MS, self.start_ms)

    def active(self, venue_ms: int) -> None:
        """Something happened then. What is said to happen in the future happened by now at the latest.

        Reads are waited for until they contain it: believed, such a stamp would put them all out of reach.
        """
        now_ms = self.now_ms()
        if venue_ms > now_ms + AHEAD_MAX_MS:
            self.counters.add("ahead.activity")
            venue_ms = now_ms
        self.activity_ms = max(self.activity_ms, venue_ms)

    def seed(self, rows: Iterable[FillRow]) -> None:
        """Fills that the first account contains."""
        for row in rows:
            self._seen.add(row.key, None)
            self.complete_ms = max(self.complete_ms, row.venue_ms)

    def unseen(self, rows: Iterable[FillRow]) -> list[FillRow]:
        """Rows not told yet, oldest first."""
        fresh = [row for row in rows if row.key not in self._seen and row.venue_ms >= self.start_ms]
        return sorted(fresh, key=lambda row: row.venue_ms)

    def on_listed(self, rows: list[FillRow]) -> list[Input]:
        """The answer to a request for all fills from `ask_from_ms` on."""
        events: list[Input] = []
        for row in self.unseen(rows):
            events += self.on_fill(row)
        self.complete_ms = max((self.complete_ms, *(row.venue_ms for row in rows)))
        return events

    def on_fill(self, row: FillRow) -> list[Input]:
        if not self._seen.add(row.key, None):
            self.counters.add("repeated_fills")
            return []
        if row.venue_ms < self.start_ms:
            self.counters.add("old_fills")
            return []
        self.active(row.venue_ms)
        track = self.tracks.of_order(row.order_id)
        if track is None:
            track = self._named(row.client_id, row.order_id)
        events = self.purse.fill(row, track)
        if track is not None:
            track.told += row.qty
        else:
            self.counters.add("foreign_fills")
        after = row.position_after
        if after is not None and self.purse.positions.get(row.ticker, 0) != after:
            self.counters.add("positions_out_of_step")
            self.doubt("the position after a fill is not the one we count")
        return events

    def on_fill_frame(self, msg: FillMsg) -> list[Input]:
        """ProtocolViolation for a frame whose figures are none."""
        after = msg.post_position_fp
        return self.on_fill(
            FillRow(
                trade_id=msg.trade_id,
                order_id=msg.order_id,
                ticker=msg.market_ticker,
                side=_side(msg.book_side),
                px=inner_price(msg.yes_price_dollars, "fill.price"),
                qty=Qty(positive(msg.count_fp, "fill.count")),
                fee=Cash(signed(msg.fee_cost, "fill.fee")),
                maker=not msg.is_taker,
                venue_ms=msg.ts_ms,
                client_id=msg.client_order_id or None,
                position_after=None if after is None else signed(after, "fill.position"),
            )
        )

    def on_order_frame(self, msg: UserOrderMsg) -> list[Input]:
        """ProtocolViolation for a frame whose figures are none."""
        track = self.tracks.of_order(msg.order_id) or self._named(msg.client_order_id, msg.order_id)
        venue_ms = msg.last_updated_ts_ms or msg.created_ts_ms
        self.active(venue_ms)
        if track is None:
            self.counters.add("foreign_orders")
            return []
        filled = unsigned(msg.fill_count_fp, "order.count")
        if msg.status == RESTING:
            return self.opened(track, venue_ms)
        if msg.status in (CANCELED, EXECUTED):
            if msg.last_update_reason:
                self.counters.add(f"ended.{msg.last_update_reason}")
            return self.closed(track, filled, venue_ms, executed=msg.status == EXECUTED)
        self.counters.add("unknown_order_status")
        return []

    def opened(self, track: Track, venue_ms: int) -> list[Input]:
        """It rests, if that is news."""
        if track.opened or track.done or track.venue_id is None:
            return []
        track.opened = True
        return [OrderOpened(client_id=track.client_id, venue_order_id=track.venue_id, leaves=None, venue_ms=venue_ms)]

    def closed(self, track: Track, filled: int, venue_ms: int, *, executed: bool) -> list[Input]:
        """It rests no more, if that is news. `filled` is the venue's count over the whole life of the order."""
        if track.done:
            return []
        self.tracks.end(track)
        return [
            OrderClosed(
                client_id=track.client_id,
                venue_order_id=track.venue_id,
                status=FILLED if executed else CANCELED,
                filled=track.filled_of(filled),
                venue_ms=venue_ms,
            )
        ]

    def on_row(self, track: Track, row: OrderRow) -> list[Input]:
        """News of an order from the venue's list, if it is news."""
        if track.order_id is None:
            self.tracks.name(track, row.order_id)
        if row.status == RESTING:
            return self.opened(track, 0)
        return self.closed(track, row.filled, 0, executed=row.status == EXECUTED)

    def _named(self, client_id: str | None, order_id: str) -> Track | None:
        """An order of ours whose id comes with the first news of it, before the answer to its request."""
        track = self.tracks.of(client_id)
        if track is not None:
            if track.order_id is None:
                self.tracks.name(track, order_id)
            return track if track.order_id == order_id else None
        if is_ours(client_id):
            self.counters.add("orders_of_another_run")
        return None


def _side(text: str) -> BookSide:
    try:
        return BookSide(text)
    except ValueError:
        raise ProtocolViolation("fill.side", f"expected bid or ask, was {text[:20]!r}") from None
