"""A venue that is heard in public and traded at home: live books and prints, fills by the backtester's exchange.

Theory of operation. A watcher, which has no account and no signer, hears what the venue tells everybody. Its news goes
on to the engine at once, and onto the tape of a `TapeVenue`, the very object that `hlomm backtest` trades at. There
our orders go, and nowhere else.

A backtest knows the whole tape; here a book that the venue stamped before one of our requests arrived may come later.
So the exchange lives `hold_ns` behind the clock: the time that every answer takes anyway (the shortest `response`).
What it finds out that late is told when it would have been told, and a request meets exactly the book that it meets
in a backtest over a recording of the same data, unless the feed is later than that (`fed_late` counts).

While the streams are down nothing new is taken; cancels are, and what is held stays held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueId, is_outcome
from hlomm.domain.inputs import (
    MARKET_NEWS,
    AccountState,
    BboUpdate,
    BookSnapshot,
    FeeRates,
    FillReceived,
    Input,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    OrderRejected,
    RestingOrder,
    SessionDown,
    SessionUp,
    TradePrint,
)
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.orders import CancelRequest, OrderRequest
from hlomm.domain.outputs import CancelOrders, Output, PlaceOrders
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash
from hlomm.research.fee_schedule import FeesOf, schedule
from hlomm.research.fill_model import FillModel
from hlomm.research.latency import least_ns
from hlomm.research.paper.tape import LiveTape
from hlomm.research.tape_venue import Opening, TapeVenue
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.limits import SALES
from hlomm.venues.hyperliquid.watch import HyperliquidWatcher
from hlomm.venues.life import CONNECTING, DOWN, LIVE, REST_ONLY
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink

DEAF: Final = "PaperDeaf"
ASK_SETTLED_S: Final = 20.0
"""Between two questions what a contract paid that settled while nobody ran."""
FORGOTTEN_NS: Final = 600 * NS_PER_S
"""After its settlement: nothing of a contract is under way any more."""

_log = structlog.get_logger("hlomm.paper")


@attrs.frozen(kw_only=True)
class PaperTerms:
    """What fills depend on beside the data."""

    model: FillModel
    fees: FeesOf
    cash: Cash
    """Of the account as it begins here."""
    opening: Opening
    """What it has beside."""


class PaperSession:
    """See `hlomm.venues.protocol.VenueSession`. One run; a next one begins with what the books of this one say."""

    def __init__(self, watcher: HyperliquidWatcher, clock: Clock, terms: PaperTerms) -> None:
        self._watcher = watcher
        self._clock = clock
        self._terms = terms
        now = clock.now()
        # Fixed for the run: a step of the wall clock must not undo what has happened.
        self._ahead_ns = now.wall_ns - now.mono_ns
        self._hold_ns = least_ns(terms.model.latency.response)
        self._exchange = TapeVenue((), terms.cash, terms.model, [], ahead_ns=self._ahead_ns, opening=terms.opening)
        self._over: deque[tuple[int, MarketId]] = deque()
        """Contracts that have settled, and when they may be forgotten."""
        self._unpaid: dict[MarketId, None] = {}
        """Contracts of which the watcher gave up to learn what they paid."""
        self._rates: FeeRates | None = None
        self._rates_told = False
        self._counters = Counters()
        self._tape = LiveTape(self._exchange, self._hold_ns, self._counters)
        self._sink: Sink | None = None
        self._state = DOWN
        self._ups = 0
        self._first_up = trio.Event()
        self._poke = trio.Event()
        self._data_ns: int | None = None
        """Of the host's monotonic clock."""

    @property
    def venue(self) -> VenueId:
        return HYPERLIQUID

    @property
    def exchange(self) -> TapeVenue:
        """Where our orders are."""
        return self._exchange

    # -- life

    async def run(self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hear and trade until cancelled; `started()` after the first SessionUp."""
        self._sink, self._state = sink, CONNECTING
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_time)
                nursery.start_soon(self._watcher.run, self._heard)
                nursery.start_soon(self._settle_late)
                await self._first_up.wait()
                task_status.started()
        finally:
            self._sink, self._state = None, DOWN

    async def _keep_time(self) -> None:
        """What the exchange does, and tells, in its own time."""
        while True:
            self._poke = trio.Event()
            due_ns = self._next_ns()
            wait_s = float("inf") if due_ns is None else max((due_ns - self._now_ns()) / NS_PER_S, 0.0)
            with trio.move_on_after(self._clock.host_seconds(wait_s)) as patience:
                await self._poke.wait()
            if patience.cancelled_caught and due_ns is not None:
                self._catch_up(max(due_ns, self._now_ns()))

    def _next_ns(self) -> int | None:
        news_ns, venue_ns = self._exchange.mail.next_news_ns(), self._exchange.next_ns()
        times = [news_ns, None if venue_ns is None else venue_ns + self._hold_ns]
        return min((at_ns for at_ns in times if at_ns is not None), default=None)

    def _now_ns(self) -> int:
        return self._clock.now().mono_ns + self._ahead_ns

    def _catch_up(self, now_ns: int, hold_ns: int | None = None) -> None:
        """The exchange up to now less the hold, and whatever of it is told by now."""
        horizon_ns = now_ns - (self._hold_ns if hold_ns is None else hold_ns)
        while (at_ns := self._exchange.next_ns()) is not None and at_ns <= horizon_ns:
            self._exchange.step()
        if self._sink is not None:
            for news in self._exchange.mail.due(now_ns):
                self._sink([news], 0)

    # -- what the venue tells

    def _heard(self, items: Sequence[Input], received_ns: int) -> None:
        now_ns = self._now_ns()
        told: list[Input] = []
        for item in items:
            match item:
                case BookSnapshot() | TradePrint() | BboUpdate():
                    self._tape.happened(item, now_ns)
                    told.append(item)
                case MarketListed(market=market):
                    self._listed(market, now_ns)
                    told += [item, *self._rates_once()] if self._state == LIVE else [item]
                case MarketDelisted(market=name) if name in self._exchange.markets:
                    self._unpaid[name] = None
                    told.append(item)
                case MarketSettled():
                    told += [*self._settled(item, now_ns), item]
                case SessionUp():
                    self._up()
                    told += [*self._rates_once(), self._exchange.account(now_ns), item]
                case SessionDown(reason=reason):
                    self._state = REST_ONLY
                    told.append(SessionDown(HYPERLIQUID, reason, rest=True))  # the exchange at home still answers
                case _:
                    told.append(item)
        if any(type(item) in MARKET_NEWS for item in items):
            self._data_ns = received_ns
        self._catch_up(now_ns)
        if self._sink is not None:
            self._sink(told, received_ns)
        self._poke.set()

    def _listed(self, market: Market, now_ns: int) -> None:
        if market.kind is MarketKind.PERP:
            self._exchange.open_perp(market)
            return
        fees = schedule(market, now_ns, self._terms.fees)
        self._exchange.open(market, fees.rates)
        if self._rates is None:
            self._rates = fees.rates
            _log.info("fees", said=fees.said)

    def _rates_once(self) -> list[Input]:
        """The engine reckons with those of the first contract, as in a backtest; each contract charges its own."""
        if self._rates is None or self._rates_told:
            return []
        self._rates_told = True
        return [self._rates]

    def _settled(self, item: MarketSettled, now_ns: int) -> list[Input]:
        if item.market not in self._exchange.markets:
            return []
        return [FillReceived(part) for part in self._paid(item, now_ns)]

    def _paid(self, item: MarketSettled, now_ns: int) -> list[Fill]:
        self._catch_up(now_ns, 0)
        self._unpaid.pop(item.market, None)
        self._tape.books.pop(item.market, None)
        if item.market in self._exchange.markets:
            self._over.append((now_ns + FORGOTTEN_NS, item.market))
        return self._exchange.settle(item.market, item.yes_px, now_ns)

    def _up(self) -> None:
        self._ups += 1
        self._state = LIVE
        self._first_up.set()

    async def _settle_late(self) -> None:
        """Contracts that settled while nobody ran, or of which the venue did not say so: they pay what they paid."""
        await self._first_up.wait()
        while True:
            for market in (*self._exchange.unlisted, *self._unpaid):
                try:
                    settled = await self._watcher.settlement(market)
                except VenueUnavailable:
                    self._counters.add("settlement_questions_failed")
                    continue
                if settled is not None and self._sink is not None:
                    _log.info("settled meanwhile", market=market, yes_px=settled.yes_px, detail=settled.detail)
                    for part in self._paid(settled, self._now_ns()):
                        self._sink([FillReceived(part)], 0)
            while self._over and self._over[0][0] <= self._now_ns():
                _, market = self._over.popleft()
                if market in self._exchange.markets:
                    self._exchange.forget(market)
            await self._clock.sleep(ASK_SETTLED_S)

    # -- what the engine wants

    def submit(self, output: Output) -> None:
        """To the exchange at home; results come as inputs, as late as the model says."""
        now_ns = self._now_ns()
        if isinstance(output, PlaceOrders) and self._state != LIVE:
            for order in output.orders:
                text = "no public data: the exchange at home takes nothing new"
                refused = OrderRejected(client_id=order.client_id, code=DEAF, text=text)
                self._exchange.mail.tell(now_ns, self._exchange.mail.sent, refused, order.client_id)
        else:
            self._exchange.mail.send(output, now_ns)
        self._poke.set()

    def statistics(self) -> SessionStatistics:
        resting = len(self._exchange.resting())
        return SessionStatistics(
            state=self._state, data_age_s=None if self._data_ns is None else self._clock.age_s(self._data_ns),
            ack_p50_ms=None, posts_in_flight=0, reconnects=max(self._ups - 1, 0), skew_ms=None,
            counters={**self._watcher.counters.counts, **self._counters.counts, "paper_orders": resting},
        )  # fmt: skip

    # -- requests only

    async def check_access(self) -> str | None:
        """There is nobody to refuse us."""
        await trio.lowlevel.checkpoint()
        return None

    async def fetch_resting(self) -> list[RestingOrder]:
        await trio.lowlevel.checkpoint()
        self._catch_up(self._now_ns(), 0)
        return self._exchange.resting()

    async def fetch_account(self) -> AccountState:
        await trio.lowlevel.checkpoint()
        now_ns = self._now_ns()
        self._catch_up(now_ns, 0)
        return self._exchange.account(now_ns)

    async def fetch_book(self, market: MarketId) -> BookSnapshot | None:
        await trio.lowlevel.checkpoint()
        return self._tape.books.get(market)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        return SALES if is_outcome(market) else None

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        found = [
            CancelRequest(client_id=one.client_id, market=one.market, leg=one.leg)
            for one in orders
            if one.client_id is not None
        ]
        self._exchange.mail.send(CancelOrders(HYPERLIQUID, tuple(found)), self._now_ns())
        await self._arrived()
        left = {one.client_id for one in self._exchange.resting()}
        return sum(one.client_id not in left for one in found)

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        if self._state == REST_ONLY:
            return [DEAF] * len(orders)
        self._exchange.mail.send(PlaceOrders(HYPERLIQUID, tuple(orders)), self._now_ns())
        await self._arrived()
        return [self._word(order.client_id) for order in orders]

    def _word(self, client_id: ClientId) -> str:
        answer = self._exchange.answer(client_id)
        if not answer.found:
            return "refused"
        return "resting" if answer.open else answer.status

    async def _arrived(self) -> None:
        """Until whatever was sent has reached the exchange."""
        await trio.lowlevel.checkpoint()
        while (at_ns := self._exchange.mail.next_request_ns()) is not None:
            await self._clock.sleep(max(at_ns - self._now_ns(), 0) / NS_PER_S)
            self._catch_up(max(at_ns, self._now_ns()), 0)
