"""Websocket messages to inputs: decode, count, hand on, in one synchronous step per message.

Called from the socket's drain task and nowhere else. It never awaits and never raises for the venue's sake: what cannot
be read is counted; a book it may have changed is not believed, and an account it may have moved is doubted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import KALSHI, kalshi_market
from hlomm.domain.inputs import AccountDoubted, Input, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import Qty
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.fields import positive
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.burst import Burst
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.roll import MarketRoll
from hlomm.venues.kalshi.streams import SendText, Streams
from hlomm.venues.kalshi.wire import frames
from hlomm.venues.kalshi.wire.frames import decode_frame
from hlomm.venues.kalshi.wire.schemas import inner_price
from hlomm.venues.liveness import Liveness
from hlomm.venues.venue_time import VenueTime

PRINTS_KEPT: Final = 8_192
_PRIVATE: Final = frozenset({"frame.fill", "frame.user_order", "frame.market_position", "frame.not_json"})

_log = structlog.get_logger("hlomm.venues.kalshi")


@attrs.define(eq=False)
class Inbox:
    """Routes decoded frames to the state they concern."""

    _config: KalshiConfig
    _time: VenueTime
    _counters: Counters
    _streams: Streams
    _feed: AccountFeed
    _roll: MarketRoll
    _burst: Burst
    _emit: Callable[[Sequence[Input], int], None]
    send: SendText = attrs.field(default=lambda _: False)
    """Queues a command on the current connection."""
    lose: Callable[[str], None] = attrs.field(default=lambda _: None)
    """Drops the current connection."""
    behind: Callable[[], bool] = attrs.field(default=lambda: False)
    """Whether more is waiting in the current connection than is read at once."""
    liveness: Liveness | None = None
    acknowledged: trio.Event = attrs.field(factory=trio.Event)
    doubted: trio.Event = attrs.field(factory=trio.Event)
    """Set when the account should be read before its turn."""
    _prints: BoundedMap[str, None] = attrs.field(factory=lambda: BoundedMap(PRINTS_KEPT))

    def connected(self, liveness: Liveness) -> None:
        self.liveness = liveness
        self.acknowledged = trio.Event()

    def on_frame(self, message: str | bytes, received_ns: int) -> None:
        """Carry one message through to the sink. `received_ns` is host time."""
        frame, problem = decode_frame(message)
        if self.liveness is not None:
            self.liveness.on_data(received_ns)
        events: list[Input] = []
        if problem is not None:
            self._counters.note([problem], "websocket")
            if problem.kind in _PRIVATE:
                events += self._distrust(problem.kind)
        try:
            events += self._route(frame)
        except ProtocolViolation as error:
            self._counters.add(f"malformed.{error.kind}")
            events += self._distrust(error.kind)
        if events:
            self._emit(events, received_ns)

    def doubt(self, reason: str) -> None:
        """Read the account soon: something about it is not as we count it."""
        self._counters.add("account_doubted")
        _log.warning("the account is doubted", reason=reason)
        self.doubted.set()

    def _distrust(self, reason: str) -> list[Input]:
        self.doubt(f"unreadable news ({reason})")
        return [AccountDoubted(KALSHI, f"unreadable news ({reason})")]

    def _route(self, frame: frames.Frame | frames.Unreadable) -> list[Input]:
        match frame:
            case frames.Delta() | frames.Snapshot() if not self._streams.counts_for_books(frame.sid):
                self._counters.add(
                    "frames_of_no_subscription"
                )  # of one that the venue has ended, and that was replaced
                return []
            case frames.Delta():
                self._mind_the_lag(frame.msg.ts_ms)
                return self._streams.fold(self._streams.books.on_delta(frame), self.send)
            case frames.Snapshot():
                return self._streams.fold(self._streams.books.on_snapshot(frame), self.send)
            case frames.Trade():
                return self._print(frame.msg)
            case frames.FillFrame():
                return self._feed.on_fill_frame(frame.msg)
            case frames.UserOrder():
                return self._feed.on_order_frame(frame.msg)
            case frames.Lifecycle():
                return self._roll.on_lifecycle(frame.msg)
            case frames.EventFee():
                return self._roll.on_fees(frame.msg)
            case frames.Group():
                self._burst.on_frame(frame.msg)
                return []
            case frames.Subscribed():
                self._streams.on_subscribed(frame, self.send)
                if self._streams.account_acknowledged():
                    self.acknowledged.set()
                return []
            case frames.Error():
                counted = self._count(frame)
                return [*counted, *self._streams.on_error(frame, self.send)]
            case frames.Ok():
                if self._streams.on_ok(frame) and self.liveness is not None:
                    self.liveness.on_pong()
                return self._count(frame)
            case frames.Unreadable():
                return self._unread(frame)
            case _:
                return self._count(frame)

    def _count(self, frame: frames.Frame | frames.Unreadable) -> list[Input]:
        """A frame that changes no book uses up a number all the same."""
        if frame.seq and self._streams.counts_for_books(frame.sid):
            return self._streams.fold(self._streams.books.count(frame.seq), self.send)
        return []

    def _unread(self, frame: frames.Unreadable) -> list[Input]:
        """It may have been anything, a change of a book included."""
        if not (frame.seq and self._streams.counts_for_books(frame.sid)):
            return []
        books = self._streams.books
        books.count(frame.seq)
        return self._streams.fold(books.distrust("unreadable"), self.send)

    def _mind_the_lag(self, ts_ms: int) -> None:
        late_ms = self._time.wall_ms() - ts_ms if ts_ms else 0
        if late_ms > self._config.late_s * 1_000 * self._time.clock.map.speed:
            self._counters.add("late_frames")
            if self.behind():
                self.lose(
                    f"this process cannot keep up: {late_ms / 1_000:.0f} s behind the books that wait in its socket; "
                    "lower --speed or list fewer markets"
                )
            else:
                self.lose(f"the venue's books come {late_ms / 1_000:.0f} s late")

    def _print(self, msg: frames.TradeMsg) -> list[Input]:
        if msg.market_ticker not in self._streams.wanted or not self._prints.add(msg.trade_id, None):
            return []
        if msg.ts_ms and msg.ts_ms < self._time.clock.now().wall_ns // NS_PER_MS - self._config.print_age_s * 1_000:
            self._counters.add("old_prints")
            return []
        taker_buys = msg.taker_book_side == "bid" or msg.taker_outcome_side == "yes"
        return [
            TradePrint(
                kalshi_market(msg.market_ticker),
                inner_price(msg.yes_price_dollars, "trade.price"),
                Qty(positive(msg.count_fp, "trade.count")),
                Side.BUY if taker_buys else Side.SELL,
                msg.trade_id,
                msg.ts_ms,
            )
        ]
