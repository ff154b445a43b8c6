"""Kalshi watched without a key: books and trades are asked for over and over.

Its websocket wants a signature even for public channels, its requests do not. So a book is as old as its turn, `POLL_S`
or longer where many markets are followed, and says so: it is told as asked for, without a stamp of the venue. A trade
comes late, but none is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import KALSHI, MarketId, VenueId, kalshi_market
from hlomm.domain.inputs import BookSnapshot, BookSource, ClockSkew, Input, MarketListed, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.books import Books
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.registry import Registry
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.roll import MarketRoll
from hlomm.venues.kalshi.tracks import Tracks
from hlomm.venues.kalshi.wire.exchange import PublicTrade
from hlomm.venues.kalshi.wire.frames import Snapshot, SnapshotMsg
from hlomm.venues.outlet import Outlet
from hlomm.venues.protocol import Sink
from hlomm.venues.reconnecting import Reconnects
from hlomm.venues.rounds import FLOOR_S, Rounds
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime
from hlomm.venues.watching import Choice, Standing

POLL_S: Final = 1.0
"""Of all followed books, one after the other."""
TRADES_EVERY: Final = 5
"""A market's trades are asked for once in so many rounds."""
LOOK_BACK_S: Final = 60
PRINTS_KEPT: Final = 8_192
READS: Final = 1


def public_config(**fields: Any) -> KalshiConfig:
    """A configuration for somebody who only looks."""
    return KalshiConfig(key_id="", private_key=None, **fields)


@attrs.define(eq=False)
class _Followed:
    market: MarketId
    ticker: str
    rounds: int = 0
    since_s: int = 0
    """Trades are asked for from here on."""


class KalshiWatcher:
    """See `hlomm.venues.watching.Watcher`."""

    def __init__(
        self, config: KalshiConfig, *, transport: Transport, clock: Clock, choice: Choice | None = None
    ) -> None:
        self._config, self._clock = config, clock
        self._choice = Choice() if choice is None else choice
        self._counters = counters = Counters()
        self._outlet = Outlet(clock, counters)
        self._rounds = Rounds(clock, counters)
        self._standing = Standing(KALSHI, self._outlet, self._rounds, Reconnects(config, clock), clock)
        self._time = VenueTime(clock)
        self._rest = KalshiRest(config, transport, self._time, counters, None)
        self._registry = Registry(frozenset(config.series), config.shard, config.fee_precision, counters)
        # The account's parts stay empty: nothing is ever held.
        purse = Purse()
        feed = AccountFeed(Tracks(), purse, counters, config.fill_memory, self._time.wall_ms)
        self._roll = MarketRoll(
            config, self._time, counters, self._rest, self._registry, purse, feed, self._tell, self._forget
        )  # fmt: skip
        self._followed: dict[str, _Followed] = {}
        self._prints: BoundedMap[str, None] = BoundedMap(PRINTS_KEPT)

    @property
    def venue(self) -> VenueId:
        return KALSHI

    @property
    def counters(self) -> Counters:
        return self._counters

    async def run(self, sink: Sink) -> None:
        self._outlet.sink = sink
        try:
            async with self._rest.opened():
                await self._standing.stay_connected(self._poll)
        finally:
            self._outlet.sink = None

    async def _poll(self) -> tuple[str, bool]:
        """Ask until the venue stops answering; why it did."""
        await self._roll.read_lists()
        self._tell_skew()
        self._standing.up(self._clock.read().mono_ns)
        reason = ""
        async with trio.open_nursery() as tasks:
            tasks.start_soon(self._rounds.every, self._config.markets_every_s, self._roll.read_lists)
            tasks.start_soon(self._rounds.every, self._config.settlement_every_s, self._late_news)
            try:
                await self._ask_around()
            except VenueUnavailable as error:
                reason = str(error)
            tasks.cancel_scope.cancel(reason="requests are not answered")
        return reason, self._rest.ok is not False

    async def _ask_around(self) -> None:
        while True:
            began = trio.current_time()
            for one in list(self._followed.values()):
                while not self._rest.affords(READS):
                    self._counters.add("polls_put_off")
                    await trio.sleep(FLOOR_S)
                await self._ask(one)
            rest_s = self._clock.host_seconds(POLL_S) - (trio.current_time() - began)
            await trio.sleep(max(rest_s, FLOOR_S))

    async def _ask(self, one: _Followed) -> None:
        rows = await self._rest.book(one.ticker)
        market = self._registry.markets.get(one.market)
        if rows is None or market is None or (market.expiry_ns or 0) <= self._clock.now().wall_ns:
            self._forget(one.ticker)
            return
        books = Books()
        books.follow([one.ticker])
        folded = books.on_snapshot(Snapshot(seq=1, sid=1, msg=SnapshotMsg(one.ticker, *rows)))
        if not folded.books:
            self._counters.add(f"books_unreadable.{folded.why}")
        for book in folded.books:
            self._outlet.emit([BookSnapshot(one.market, book.bids, book.asks, 0, BookSource.REST)])
        if one.rounds % TRADES_EVERY == 0:
            await self._ask_trades(one)
        one.rounds += 1

    async def _ask_trades(self, one: _Followed) -> None:
        now_s = self._time.wall_ms() // 1_000
        since_s = one.since_s or now_s - LOOK_BACK_S
        trades = await self._rest.trades(one.ticker, since_s)
        # The bound counts whole seconds, and a trade may be listed a moment after it happened.
        one.since_s = now_s - LOOK_BACK_S
        self._outlet.emit([_print(one.market, trade) for trade in reversed(trades) if self._fresh(trade)])

    def _fresh(self, trade: PublicTrade) -> bool:
        return self._prints.add(trade.trade_id, None)

    async def _late_news(self) -> None:
        """Strikes that are due, and what ended markets paid."""
        await self._roll.fetch_waiting()
        await self._roll.settle_due()
        self._tell_skew()

    def _tell_skew(self) -> None:
        """The venue tells whole seconds, and its own only where its clock runs like ours."""
        ahead_ms = self._rest.dates.ahead_ms
        if ahead_ms is not None and self._clock.map.speed == 1.0 and abs(ahead_ms) >= NS_PER_S // 1_000_000:
            self._time.ahead_ms = ahead_ms
            self._outlet.emit([ClockSkew(KALSHI, ahead_ms)])

    def _forget(self, ticker: str) -> None:
        self._followed.pop(ticker, None)

    def _tell(self, events: Sequence[Input]) -> None:
        """Hand on, and follow what is listed."""
        chosen = self._choice.keep(events)
        self._outlet.emit(chosen)
        for one in chosen:
            if isinstance(one, MarketListed):
                ticker = one.market.id.partition(":")[2]
                self._followed[ticker] = _Followed(kalshi_market(ticker), ticker)


def _print(market: MarketId, trade: PublicTrade) -> TradePrint:
    side = Side.BUY if trade.taker_buys else Side.SELL
    return TradePrint(market, trade.px, trade.qty, side, trade.trade_id, trade.venue_ms)
