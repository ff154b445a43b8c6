"""What a session does by the clock: reconcile, clock skew, comparing books, questions about orders.

Every method is one round that ends within request deadlines and raises VenueUnavailable if the venue does not answer;
the loops around them belong to the session's nurseries. Inputs go out through `emit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import POLYMARKET, ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import BookSource, ClockSkew, Input, OrderAnswer, SendRates
from hlomm.domain.units import Qty
from hlomm.venues.asking import Asking
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.polymarket.account import AccountReader
from hlomm.venues.polymarket.account_feed import CANCELED, FILLED, AccountFeed
from hlomm.venues.polymarket.answers import placed_qty
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.limits import Tier
from hlomm.venues.polymarket.market_feed import MarketFeed, in_yes_space
from hlomm.venues.polymarket.orders import OrderMap
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.wire.account_rows import OrderNews, Standing
from hlomm.venues.venue_time import VenueTime

QUESTION_ATTEMPTS: Final = 6
QUESTION_PAUSE_S: Final = 1.5
UNKNOWN_ORDER: Final = "unknown"
CATCH_UP_S: Final = 1.0
"""A stream that lives brings a change that a request saw within that time."""
HALF_SECOND_MS: Final = 500
"""The venue tells whole seconds: the middle of one is the best guess."""


@attrs.define(eq=False)
class Upkeep:
    """Rounds of periodic work, and the memory they need."""

    _config: PolymarketConfig
    _clock: Clock
    _time: VenueTime
    _counters: Counters
    _rest: PolymarketRest
    _registry: Registry
    _orders: OrderMap
    _account: AccountReader
    _account_feed: AccountFeed
    _market_feed: MarketFeed
    _emit: Callable[[Sequence[Input]], None]
    asking: Asking = attrs.field(init=False)
    _turn: int = 0
    _awaited: set[MarketId] = attrs.field(factory=set)
    """Followed markets that had no book at the last look."""
    _told_tier: Tier | None = None

    @asking.default
    def _what_is_asked(self) -> Asking:
        return Asking(self._clock, self._counters, self._answered, self.reconcile, QUESTION_ATTEMPTS, QUESTION_PAUSE_S)

    def attach(self, nursery: trio.Nursery) -> None:
        self.asking.attach(nursery)

    def detach(self) -> None:
        self.asking.detach()
        self._told_tier = None  # whoever hears the next run may not have heard this one

    # -- rounds

    async def measure_skew(self) -> int:
        """Compare clocks; returns the venue's time in unix milliseconds as of now."""
        before_ms = self._clock.wall_ms()
        venue_ms = await self._rest.server_time() + HALF_SECOND_MS
        after_ms = self._clock.wall_ms()
        self._time.ahead_ms = venue_ms - (before_ms + after_ms) // 2
        self._emit([ClockSkew(POLYMARKET, self._time.ahead_ms)])
        return self._time.wall_ms()

    async def reconcile(self) -> None:
        """The account, preceded by fills that the stream did not bring, and followed by what may be sent."""
        await self._account.read_trades()
        self._emit([await self._account.state()])
        self.tell_rates()

    def tell_rates(self) -> None:
        """What the signer may send in a minute, if the tier is news. Cancels have a bucket of their own."""
        tier = self._rest.budget.tier
        if tier != self._told_tier:
            self._told_tier = tier
            self._emit([SendRates(venue=POLYMARKET, per_min=int(tier.order_rate * 60), place=1, cancel=0)])

    async def read_book(self, market: MarketId) -> None:
        """A followed market's book over REST."""
        known = self._registry.known(market)
        book = None if known is None else await self._rest.book(known.yes)
        if book is not None:
            self._emit(self._market_feed.on_book(book, BookSource.REST))

    async def repair(self) -> None:
        """Read the books that were dropped."""
        await trio.lowlevel.checkpoint()
        for market in list(self._market_feed.broken):
            await self.read_book(market)

    async def read_missed(self) -> None:
        """Read the books that were waited for at the last look already: a quiet market sends no other."""
        await trio.lowlevel.checkpoint()
        feed = self._market_feed
        awaited = {market for market, book in feed.books.items() if not book.ready and market not in feed.broken}
        overdue, self._awaited = awaited & self._awaited, awaited
        for market in overdue:
            self._counters.add("first_books_missed")
            await self.read_book(market)

    async def frozen(self) -> MarketId | None:
        """Compare the next followed book with the venue's own; the market whose stream has stopped telling.

        A book that differs may only be late: the stream has a second to bring anything before it is said to be frozen.
        """
        ready = [market for market, book in self._market_feed.books.items() if book.ready]
        if not ready:
            return None
        self._turn += 1
        market = ready[self._turn % len(ready)]
        book = self._market_feed.books[market]
        changes = book.changes
        for _ in range(2):
            if await self._same(market) or book.changes != changes or self._market_feed.books.get(market) is not book:
                return None
            await trio.sleep(max(self._clock.host_seconds(CATCH_UP_S), CATCH_UP_S / 10))
        return market if book.changes == changes and not await self._same(market) else None

    async def _same(self, market: MarketId) -> bool:
        known, book = self._registry.known(market), self._market_feed.books.get(market)
        told = None if known is None else await self._rest.book(known.yes)
        followed = self._market_feed.books.get(market) is book  # it may have ended while its book was asked for
        if told is None or book is None or not book.ready or not followed:
            return True  # nothing to compare: a market that is gone, or one that waits for its snapshot anyway
        token = self._registry.token(told.token)
        same = token is not None and in_yes_space(told, token.leg) == book.levels()
        self._counters.add("books_compared" if same else "books_differed")
        if same:
            self._emit([self._market_feed.confirmed(market)])
        return same

    # -- questions about one order

    async def _answered(self, client_id: ClientId) -> bool:
        """Look an order up by its id: among the open ones, then among the trades.

        That it is in neither is believed only once its request can no longer arrive, and when found so twice.
        """
        order_id = self._orders.order_id(client_id)
        absent = 0
        for _ in range(QUESTION_ATTEMPTS):
            if order_id is None:
                self._emit([_answer(client_id, None, 0, UNKNOWN_ORDER)])
                return True
            try:
                answer = await self._look_up(client_id, order_id)
            except VenueUnavailable:
                self._counters.add("questions_failed")
            else:
                if answer is not None:
                    self._emit([answer])
                    return True
                absent += 1
                if absent > 1 and self._left_s(client_id) <= 0:
                    self._emit([_answer(client_id, None, 0, UNKNOWN_ORDER)])
                    return True
            await self._clock.sleep(max(self._left_s(client_id), 0) + QUESTION_PAUSE_S)
        return False

    def _left_s(self, client_id: ClientId) -> float:
        """Seconds until the request of an order can no longer arrive."""
        placed = self._orders.placed(client_id)
        if placed is None:
            return 0
        return (placed.sent_ms - self._time.wall_ms()) / 1_000 + self._config.arrives_within_s

    async def _look_up(self, client_id: ClientId, order_id: str) -> OrderAnswer | None:
        listed = await self._rest.order(order_id)
        if listed is not None and await self._is_open(listed):
            return _answer(client_id, listed, listed.matched or 0, listed.status)
        await self._account.read_trades()
        filled = self._account_feed.filled_of(order_id)
        if listed is None and not filled:
            return None
        placed = self._orders.placed(client_id)
        whole = listed.qty if listed is not None else 0 if placed is None else placed_qty(placed)
        status = FILLED if whole and filled >= whole else CANCELED
        return _answer(client_id, None, max(filled, 0 if listed is None else listed.matched or 0), status, order_id)

    async def _is_open(self, listed: OrderNews) -> bool:
        """Whether an order rests or is held back.

        Where its status does not tell (`MATCHED` in part, `UNMATCHED`, a new word), the list of open orders does.
        """
        await trio.lowlevel.checkpoint()
        if listed.standing is not Standing.UNCLEAR:
            return listed.standing in (Standing.RESTS, Standing.WAITS)
        self._counters.add("order_statuses_unclear")
        return any(one.id == listed.id for one in await self._rest.open_orders())


def _answer(
    client_id: ClientId, listed: OrderNews | None, filled: int, status: str, order_id: str | None = None
) -> OrderAnswer:
    """`listed` is the order where it rests or is held back; `order_id` that of one that is over."""
    known = order_id if listed is None else listed.id
    return OrderAnswer(
        client_id=client_id,
        found=known is not None,
        open=listed is not None,
        status=status,
        venue_order_id=None if known is None else VenueOrderId(known),
        leaves=Qty(0 if listed is None else listed.qty - filled),
        filled=Qty(filled),
        px=None if listed is None else listed.px,
    )
