"""What a session does by the clock: the account, the exchange's state, clocks, questions about orders.

Every method is one round that ends within request deadlines and raises VenueUnavailable if the venue does not answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import KALSHI, ClientId
from hlomm.domain.inputs import (
    AccountState,
    ClockSkew,
    Input,
    MarketSettled,
    OrderAnswer,
    RateBudget,
    SendRates,
    VenuePaused,
)
from hlomm.domain.units import ONE, Px, Qty
from hlomm.venues.asking import Asking
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi import eastern
from hlomm.venues.kalshi.account import AccountReader
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.dates import SKEW_FLOOR_MS
from hlomm.venues.kalshi.lookup import Lookup
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.rest import EVENT_ORDER, KalshiRest
from hlomm.venues.kalshi.roll import MarketRoll
from hlomm.venues.kalshi.tracks import Track, Tracks
from hlomm.venues.kalshi.wire.account import EXECUTED, RESTING, FillRow, OrderRow
from hlomm.venues.kalshi.wire.sides import BookSide, from_wire
from hlomm.venues.venue_time import VenueTime

QUESTION_ATTEMPTS: Final = 4
QUESTION_LAG_S: Final = 1.0
PAUSE_S: Final = 30
"""Told for a pause whose end nobody knows; told again while it lasts."""
BUDGET: Final = 10**9
"""Actions are limited by rate only: there is no account-wide count to run out of."""

_log = structlog.get_logger("hlomm.venues.kalshi")


@attrs.define(eq=False)
class Upkeep:
    """Rounds of one account; inputs go out through `emit`."""

    _config: KalshiConfig
    _clock: Clock
    _time: VenueTime
    _counters: Counters
    _rest: KalshiRest
    _tracks: Tracks
    _purse: Purse
    _feed: AccountFeed
    _lookup: Lookup
    _account: AccountReader
    _roll: MarketRoll
    _emit: Callable[[Sequence[Input]], None]
    last_state: AccountState | None = None
    paused: str | None = None
    """Why the exchange takes no orders; None while it does."""
    asking: Asking = attrs.field(init=False)
    _reading: trio.Lock = attrs.field(factory=trio.Lock)

    @asking.default
    def _what_is_asked(self) -> Asking:
        return Asking(self._clock, self._counters, self._look_up, self.reconcile, QUESTION_ATTEMPTS, QUESTION_LAG_S)

    def attach(self, nursery: trio.Nursery) -> None:
        self.asking.attach(nursery)

    def detach(self) -> None:
        self.asking.detach()

    # -- the account

    async def open_books(self) -> None:
        """Know positions and fills before anything is told: what is listed now is inside the first account."""
        start_ms = self._config.fills_from_ms
        self._purse.cash = None
        self._purse.unpaid.clear()
        now_ms = self._time.wall_ms()
        await self._lookup.complete_since(now_ms)
        fills = await self._rest.fills((now_ms if start_ms is None else start_ms) // 1_000 - 60)
        rows = [row for row in await self._rest.positions() if row.shard in (None, self._config.shard)]
        self._purse.positions = {row.ticker: row.qty for row in rows if row.qty}
        if start_ms is None:
            self._feed.start_ms = now_ms
            self._feed.seed(fills)
            return
        self._feed.start_ms = self._feed.complete_ms = start_ms
        settled = [row for row in await self._rest.settlements() if row.venue_ms >= start_ms]
        for row in settled:
            self._purse.positions[row.ticker] = row.yes - row.no
        # Positions as they were then: the fills since are told, and lead back to what is held now.
        for fill in self._feed.unseen(fills):
            held = self._purse.positions.get(fill.ticker, 0)
            self._purse.positions[fill.ticker] = held - (fill.qty if fill.side is BookSide.BID else -fill.qty)
        self._emit(self._feed.on_listed(fills))
        events: list[Input] = []
        for row in settled:
            if row.result in ("yes", "no"):
                pays = ONE if row.result == "yes" else Px(0)
                events += [one for one in self._roll.settled(row.ticker, pays, "settlement") if _is_settled(one)]
        self._purse.unpaid.clear()  # the balance has long had them
        self._emit(events)

    async def reconcile(self) -> None:
        """Read the account, tell the fills it contains, then the account itself."""
        async with self._reading:
            reading = await self._account.read()
            fills: list[FillRow] = await self._rest.fills(self._feed.ask_from_ms // 1_000 - 1)
            self._emit(self._feed.on_listed(fills))
            if any(self._ended(ticker, reading.positions) for ticker in list(self._purse.positions)):
                await self._roll.settle_due()
            state = self._account.state(reading)
            self._account.trust(reading)
            self._mind_orders(reading.orders, reading.as_of_ms)
            self.last_state = state
            self._emit([state])

    def _ended(self, ticker: str, positions: Sequence[object]) -> bool:
        """Whether a market we count tokens of is no longer on the venue's list: it was settled."""
        listed = {getattr(row, "ticker", "") for row in positions}
        return bool(self._purse.positions.get(ticker)) and ticker not in listed

    def _mind_orders(self, orders: Sequence[OrderRow], as_of_ms: int) -> None:
        """Orders of ours that are not on a list young enough are gone, whatever frame of it was lost."""
        listed = {row.order_id for row in orders}
        for track in self._tracks.live():
            late = track.sent_ms + self._config.request_deadline_s * 2_000 < as_of_ms
            if late and track.order_id is not None and track.order_id not in listed and not track.busy.locked():
                self.asking.order(track.client_id)

    # -- the exchange

    async def read_status(self) -> None:
        """Tell pauses of our shard: the weekly one ahead of the venue's own word, others as they are seen."""
        now_ms = self._time.wall_ms()
        ends_ms = eastern.weekly_pause_until(now_ms * 1_000_000) // 1_000_000
        status = await self._rest.status()
        reason = None
        if not status.exchange:
            reason = "the exchange is paused"
        elif not status.trading:
            reason = "trading is paused"
        elif ends_ms:
            reason = "weekly maintenance"
        if reason is not None:
            until_ms = max(status.resumes_ms or 0, ends_ms, now_ms + PAUSE_S * 1_000)
            self._emit([VenuePaused(KALSHI, until_ms, reason)])
        elif self.paused is not None:
            self._emit([VenuePaused(KALSHI, 0, "trading again")])
        if reason != self.paused:
            _log.warning("the exchange's state changed", was=self.paused, now=reason)
        self.paused = reason

    def tell_skew(self) -> None:
        """The venue's clock against ours, from the headers of its answers."""
        ahead_ms = self._rest.dates.ahead_ms
        if ahead_ms is None or self._clock.map.speed != 1.0:
            return
        known = ahead_ms if abs(ahead_ms) >= SKEW_FLOOR_MS else 0
        self._time.ahead_ms = known
        self._emit([ClockSkew(KALSHI, known)])

    async def read_limits(self) -> None:
        await self._rest.learn_limits()
        budgets = self._rest.budgets
        rates = SendRates(
            venue=KALSHI, per_min=budgets.writes_per_min, place=budgets.costs.default,
            cancel=budgets.cost("DELETE", EVENT_ORDER),
        )  # fmt: skip
        self._emit([RateBudget(KALSHI, 0, BUDGET), rates])

    async def check_netting(self) -> None:
        """Positions have to cancel out: fills are told as if they did."""
        if not await self._rest.netting():
            self._counters.add("netting_off")
            _log.critical(
                "position netting is off on the trading shard",
                next="switch it on (PUT /portfolio/subaccounts/netting): accounts will differ from the books",
            )

    # -- questions

    async def _look_up(self, client_id: ClientId) -> bool:
        denied = False
        for _ in range(QUESTION_ATTEMPTS):
            track = self._tracks.of(client_id)
            try:
                # A request about the order that is under way would make the answer old before it is told.
                async with trio.Lock() if track is None else track.busy:
                    row = await self._lookup.find(client_id)
                    if row is not None:
                        self._emit([self._found(client_id, track, row)])
                        return True
            except VenueUnavailable:
                self._counters.add("questions_failed")
            else:
                if denied:
                    self._emit([self._unknown(client_id, track)])
                    return True
                denied = True
            await self._clock.sleep(QUESTION_LAG_S)
        return False

    def _found(self, client_id: ClientId, track: Track | None, row: OrderRow) -> OrderAnswer:
        if track is None:
            track = self._tracks.adopt(row, self._config.shard if row.shard is None else row.shard)
        if track.order_id is None:
            self._tracks.name(track, row.order_id)
        rests = row.status == RESTING
        side_px = from_wire(row.side, row.px, track.leg)
        if rests:
            self._tracks.revive(track)
            total = Qty(row.filled + row.leaves)
            if total != track.total or side_px[1] != track.px:
                # An amend whose answer was lost took effect.
                track.total, track.px = total, side_px[1]
                track.version, track.base = track.version + 1, track.told
            track.opened = True
        else:
            self._tracks.end(track)
        venue_id = track.venue_id
        return OrderAnswer(
            client_id=client_id,
            found=True,
            open=rests,
            status="open" if rests else ("filled" if row.status == EXECUTED else row.status),
            venue_order_id=venue_id,
            leaves=row.leaves if rests else Qty(0),
            filled=track.filled_of(row.filled),
            px=side_px[1],
        )

    def _unknown(self, client_id: ClientId, track: Track | None) -> OrderAnswer:
        if track is not None:
            self._tracks.end(track)
        return OrderAnswer(
            client_id=client_id, found=False, open=False, status="unknown", venue_order_id=None, leaves=Qty(0),
            filled=Qty(0),
        )  # fmt: skip


def _is_settled(event: Input) -> bool:
    return isinstance(event, MarketSettled)
