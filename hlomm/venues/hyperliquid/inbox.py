"""Websocket messages to inputs: decode, merge, hand on, in one synchronous step per message.

Called from the socket's drain task and nowhere else. It never awaits and never raises for the venue's sake: what
cannot be read is counted, and where it was private news the account is doubted, which brings the next reconciliation
forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import structlog
import trio

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import AccountDoubted, BboUpdate, BookSnapshot, Input
from hlomm.venues.anomalies import Anomaly
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.account_feed import AccountFeed
from hlomm.venues.hyperliquid.gateway import Gateway
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.hyperliquid.streams import Streams
from hlomm.venues.hyperliquid.wire.account import Balances, OrderRows
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.frames import (
    ChannelError,
    Hello,
    MetaChanges,
    Pong,
    PostAnswer,
    SubscriptionAck,
    decode_frame,
)
from hlomm.venues.hyperliquid.wire.ladder import BookMemory
from hlomm.venues.hyperliquid.wire.public import Marks, Prints
from hlomm.venues.liveness import Liveness
from hlomm.venues.venue_time import AHEAD_MAX_MS, VenueTime

_PRIVATE: Final = (
    "not_json",
    "no_channel",
    "fill.",
    "order.",
    "balance.",
    "exchange.",
    "userFills.",
    "orderUpdates.",
    "spotState.",
    "post.",
    "duplicate_keys",
)
"""Kinds of anomaly that may have hidden news of the account."""
_GAP_PART: Final = 3
"""Of the silence that is worth a ping: a shorter one on every stream at once is remarkable already."""

_log = structlog.get_logger("hlomm.venues.hyperliquid")


@attrs.define(eq=False)
class Inbox:
    """Routes decoded frames to the state they concern."""

    _account: str
    _clock: Clock
    _time: VenueTime
    _counters: Counters
    _market_feed: MarketFeed
    _account_feed: AccountFeed
    _streams: Streams
    _gateway: Gateway
    _emit: Callable[[Sequence[Input], int], None]
    _on_meta: Callable[[MetaChanges], None]
    liveness: Liveness | None = None
    acknowledged: trio.Event = attrs.field(factory=trio.Event)
    """Set when every account stream of this connection is confirmed."""
    snapshotted: trio.Event = attrs.field(factory=trio.Event)
    """Set when this connection told its first fills."""
    doubted: trio.Event = attrs.field(factory=trio.Event)
    """Set when the account should be read again before its turn."""
    _balances: Balances | None = None
    _books: BookMemory = attrs.field(factory=BookMemory)
    _routes: dict[type, Callable[[Any], Sequence[Input]]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._routes = {
            BookSnapshot: self._book,
            BboUpdate: self._touch,
            Prints: self._prints,
            Marks: self._market_feed.on_marks,
            FillRows: self._fills,
            OrderRows: self._orders,
            Balances: self._spot_state,
            PostAnswer: self._gateway.on_answer,
            MetaChanges: self._meta,
            SubscriptionAck: self._ack,
            ChannelError: self._channel_error,
            Pong: self._pong,
            Hello: self._hello,
        }

    def connected(self, liveness: Liveness) -> None:
        """A new connection: nothing of it is acknowledged yet."""
        self.liveness = liveness
        self.acknowledged = trio.Event()
        self.snapshotted = trio.Event()

    def on_frame(self, message: str | bytes, received_ns: int) -> None:
        """Carry one message through to the sink. `received_ns` is host time."""
        decoded = decode_frame(message, self._books)
        if decoded.anomalies:
            self._refuse(decoded.anomalies, received_ns)
        frame = decoded.frame
        if frame is None:
            return
        if self.liveness is not None and type(frame) is not Pong:
            self._mind_the_gap(self.liveness, received_ns)
            self.liveness.on_data(received_ns)
        events = self._routes[type(frame)](frame)
        if events:
            self._emit(events, received_ns)

    def doubt(self) -> None:
        self.doubted.set()

    def _mind_the_gap(self, liveness: Liveness, received_ns: int) -> None:
        """Streams that fell silent all at once and came back may have left out what they had to say of the account."""
        silent_ns = received_ns - liveness.last_data
        if silent_ns > liveness.silence // _GAP_PART and self.acknowledged.is_set():
            self._distrust(f"nothing came for {silent_ns / 1e9:.0f} s", received_ns)

    def _refuse(self, anomalies: Sequence[Anomaly], received_ns: int) -> None:
        self._counters.note(anomalies, "websocket")
        private = [one.kind for one in anomalies if one.kind.startswith(_PRIVATE)]
        if private:
            self._distrust(f"unreadable news ({private[0]})", received_ns)

    def _distrust(self, reason: str, received_ns: int) -> None:
        self._counters.add("account_doubted")
        self.doubt()
        self._emit([AccountDoubted(HYPERLIQUID, reason)], received_ns)

    # -- routes

    def _book(self, book: BookSnapshot) -> Sequence[Input]:
        return () if self._from_the_future(book.venue_ms, "l2Book") else self._market_feed.on_book(book)

    def _touch(self, update: BboUpdate) -> Sequence[Input]:
        return () if self._from_the_future(update.venue_ms, "bbo") else self._market_feed.on_touch(update)

    def _from_the_future(self, venue_ms: int, channel: str) -> bool:
        """Whether a stamp cannot be.

        Believed, it would outrank every later touch of the connection, while the books told under it look fresh.
        """
        if venue_ms <= self._time.wall_ms() + AHEAD_MAX_MS:
            return False
        self._counters.add(f"ahead.{channel}")
        return True

    def _prints(self, prints: Prints) -> Sequence[Input]:
        return self._market_feed.on_prints(prints, self._time.wall_ms())

    def _fills(self, rows: FillRows) -> Sequence[Input]:
        if rows.user != self._account:
            self._counters.add("other_users")
            return ()
        if rows.skipped:
            self._counters.add("fills_of_other_coins", rows.skipped)
        if rows.snapshot:
            self.snapshotted.set()
        return self._account_feed.on_fills(rows)

    def _orders(self, rows: OrderRows) -> Sequence[Input]:
        if rows.skipped:
            self._counters.add("orders_of_other_coins", rows.skipped)
        return self._account_feed.on_orders(rows)

    def _spot_state(self, balances: Balances) -> Sequence[Input]:
        """Pushed balances have no input of their own: that they changed is reason to read the whole account."""
        if balances.user != self._account:
            self._counters.add("other_users")
            return ()
        if self._balances is not None and self._balances != balances:
            self.doubt()
        self._balances = balances
        return ()

    def _meta(self, changes: MetaChanges) -> Sequence[Input]:
        self._on_meta(changes)
        return ()

    def _ack(self, ack: SubscriptionAck) -> Sequence[Input]:
        self._streams.on_ack(ack)
        if self._streams.account_acknowledged():
            self.acknowledged.set()
        return ()

    def _channel_error(self, error: ChannelError) -> Sequence[Input]:
        kind = f"channel_error.{error.code}"
        if not self._counters.get(kind):
            _log.warning("the venue reports an error", code=error.code, text=error.text[:200])
        self._counters.add(kind)
        return self._gateway.on_channel_error(error)

    def _pong(self, _pong: Pong) -> Sequence[Input]:
        if self.liveness is not None:
            self.liveness.on_pong()
        self._gateway.on_pong()
        return ()

    def _hello(self, _hello: Hello) -> Sequence[Input]:
        return ()
