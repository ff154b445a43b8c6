"""The venue's front door: actions and questions of the account under test, in the words the session's codec yields.

The exchange behind it is the one that the simulated venues serve; only the wire is left out. Faults that happen at
the venue (races between fills and cancels, refusals, budgets) happen here.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId, outcome_market
from hlomm.domain.inputs import AccountState, BookSnapshot, Level, MarkPrice, PerpBalance, RestingOrder, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import ConvertSet
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.soak.rows import (
    PERP_MARKET,
    FillNews,
    News,
    OrderNews,
    fill_of,
    market_id,
    reply_of,
    report_of,
    target_of,
)
from hlomm.research.soak.sets import convert
from hlomm.research.soak.timeline import MS, S, Timeline
from hlomm.research.soak.weather import Fault, Weather
from hlomm.sim import refusals
from hlomm.sim.coins import PERP_GRID, WHOLE
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill as Filling
from hlomm.sim.events import FillRow, OrderChanged
from hlomm.sim.exchange import Exchange
from hlomm.sim.orders import NewOrder, Order, OrderRow, Target
from hlomm.sim.refusals import WholeActionRefused
from hlomm.venues.hyperliquid.batches import Batch
from hlomm.venues.hyperliquid.wire.account import OrderReport
from hlomm.venues.hyperliquid.wire.coins import outcome_number
from hlomm.venues.hyperliquid.wire.replies import Accepted, ActionRefused, Done, ExchangeReply, Refused
from hlomm.venues.hyperliquid.wire.replies import Status as Reply

EPOCH_MS: Final = 1_780_272_000_000
"""Venue time at the start of every run: 2026-06-01 00:00 UTC."""
OURS: Final = "0x" + "a" * 40
CROWD: Final = "0x" + "c" * 40
TAKERS: Final = "0x" + "d" * 40
DEPTH: Final = 5
LOOKUP_LAG_NS: Final = 1 * S
"""Just after a fill a client id may be unknown to the lookup."""

_Told = OrderChanged | Filling
"""What of a block concerns an account."""


class Front:
    """One account's view of the exchange, and its hands on it."""

    def __init__(
        self, timeline: Timeline, weather: Weather, rng: random.Random, rules: RulesConfig, cash_usd: int
    ) -> None:
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self.exchange = Exchange(rules)
        self.account = self.exchange.open_account(OURS, "ours", spot=cash_usd * SCALE, perp=cash_usd * SCALE)
        deep = 10**12 * SCALE // 1000
        self.crowd = self.exchange.open_account(CROWD, "crowd", spot=deep, perp=deep, background=True)
        self.takers = self.exchange.open_account(TAKERS, "takers", spot=deep, perp=deep, background=True)
        self.publish: Callable[[News], None] = lambda _news: None
        self.on_action: Callable[[Batch, str], None] = lambda _batch, _signer: None
        """Told of every action that reaches the exchange, before it is carried out."""
        self.on_leg: Callable[[MarketId], None] = lambda _market: None
        self.on_missed: Callable[[int | None], None] = lambda _outcome: None
        self.on_own: Callable[[int | None], None] = lambda _outcome: None
        """Told of a leg that was carried out, of a book that all others are to leave, of one that ours has changed."""
        self.filled: Counter[str] = Counter()
        self.on_change: Callable[[], None] = lambda: None
        """Told whenever our account may have changed."""
        self.removed: set[int] = set()
        """Outcomes that the venue took away without settling them."""
        self.agent_expired = False
        """The daemon's key is refused; the guardian has one of its own."""
        self.used = 0
        self.cap_cut = 0
        """Actions by which the address budget is cut for a while."""
        self._filled_ns: dict[str, int] = {}

    # -- time

    @property
    def now_ms(self) -> int:
        return EPOCH_MS + self._timeline.now_ns // MS

    def tick(self) -> Exchange:
        """The exchange, its clock set."""
        self.exchange.tape.now_ns = EPOCH_MS * MS + self._timeline.now_ns
        return self.exchange

    @property
    def cap(self) -> int:
        return self.exchange.rules.address_budget + self.account.volume // SCALE + 10**6 - self.cap_cut

    def budget(self) -> tuple[int, int]:
        """Actions used, and the cap."""
        if self.used >= self.cap:
            self._weather.hit(Fault.BUDGET_EXHAUSTED)
        return self.used, self.cap

    # -- actions

    def act(self, batch: Batch, signer: str = "daemon") -> ExchangeReply:
        """Carry out an action signed by `daemon`, its `last look` or the `guardian`, or refuse it whole."""
        refusal = self._refusal(batch, signer)
        if refusal is not None:
            return ActionRefused(refusal)
        self.on_action(batch, signer)
        self.used += len(batch.requests)
        try:
            statuses = tuple(self._one(request) for request in batch.requests)
        except WholeActionRefused as error:
            self.flush()
            return ActionRefused(error.text)
        self.flush()
        return Accepted("order", tuple(status for status in statuses if status is not None))

    def _refusal(self, batch: Batch, signer: str) -> str | None:
        exchange = self.tick()
        if self.now_ms > batch.expires_ms:
            return refusals.ACTION_EXPIRED
        if self.agent_expired and signer != "guardian":
            self._weather.hit(Fault.AGENT_EXPIRED)
            return refusals.unknown_signer("0x" + "b" * 40)
        if signer == "daemon" and self._weather.take(Fault.NONCE_COLLISION) is not None:
            return refusals.nonce_duplicate(self.now_ms)
        cancels = all(isinstance(request, CancelRequest) for request in batch.requests)
        if self.used + len(batch.requests) > self.cap and not cancels:
            self._weather.hit(Fault.BUDGET_EXHAUSTED)
            return refusals.address_limit(self.used, self.cap, str(self.account.volume // SCALE))
        exchange.tape.next_action()
        return None

    def _one(self, request: OrderRequest | AmendRequest | CancelRequest | ConvertSet) -> Reply | None:
        match request:
            case OrderRequest():
                return self._place(request)
            case AmendRequest():
                return self._amend(request)
            case CancelRequest():
                return self._cancel(request)
            case ConvertSet():
                if outcome_number(request.market) in self.removed:
                    raise WholeActionRefused(refusals.OUTCOME_UNKNOWN)
                convert(self.exchange, self.account, request)
                return None

    def _place(self, request: OrderRequest) -> Reply:
        target = target_of(request.market, request.leg)
        if target.outcome in self.removed:
            return Refused(refusals.UNKNOWN_ASSET.on(target.asset))
        if request.purpose is Purpose.LEG and self._weather.take(Fault.HL_LEG_MISSED) is not None:
            self.on_missed(target.outcome)
        new = NewOrder(
            target=target, side=request.side, ticks=request.px // target.grid.tick, lots=request.qty // target.grid.lot,
            tif=request.tif, reduce_only=request.reduce_only and target.outcome is None, cloid=request.client_id,
        )  # fmt: skip
        placed = self.exchange.place(self.account, new)
        if request.purpose is Purpose.LEG:
            self.on_leg(request.market)
        return reply_of(placed, target)

    def _amend(self, request: AmendRequest) -> Reply:
        target = target_of(request.market, request.leg)
        if target.outcome in self.removed:
            return Refused(refusals.UNKNOWN_ASSET.on(target.asset))
        new = NewOrder(
            target=target, side=request.side, ticks=request.px // target.grid.tick, lots=request.qty // target.grid.lot,
            tif=Tif.ALO, cloid=request.client_id,
        )  # fmt: skip
        return reply_of(
            self.exchange.modify(self.account, int(request.venue_order_id), new, always_place=False), target
        )

    def _cancel(self, request: CancelRequest) -> Reply:
        target = target_of(request.market, request.leg)
        order = self.resting(request.client_id)
        if order is not None and target.outcome is not None:
            self._race(order)
        oid = self.exchange.oid_of(self.account, request.client_id)
        if self.exchange.cancel(self.account, target, oid):
            return Done()
        return Refused(refusals.MISSING_ORDER.on(target.asset))

    def _race(self, order: Order) -> None:
        """Somebody trades with an order in the moment before its cancel arrives."""
        if self._weather.strength(Fault.CANCEL_REFUSED_FILLED) is not None and self.hit(order, order.lots):
            self._weather.take(Fault.CANCEL_REFUSED_FILLED)
        elif order.lots > 1 and self._weather.strength(Fault.FILL_AFTER_CANCEL_ACK) is not None:
            self.flush()
            if self.hit(order, order.lots // 2):
                self._weather.take(Fault.FILL_AFTER_CANCEL_ACK)
                self._late_fills()

    def _late_fills(self) -> None:
        """What was just filled is told only after the answer to the cancel."""
        held: list[News] = []
        outer, self.publish = self.publish, held.append
        self.flush()
        self.publish = outer
        for news in held:
            self._timeline.after(round(self._rng.uniform(2, 5) * S), lambda news=news: self.publish(news))  # type: ignore[misc]

    # -- others

    def resting(self, client_id: str) -> Order | None:
        """Our open order under a client id."""
        return self.exchange.tape.blotter_of(self.account).by_cloid(client_id)

    def hit(self, order: Order, lots: int) -> bool:
        """A taker trades so many lots of a resting order of ours, after what stands before it; whether it came to."""
        market = self.exchange.market_of(order.target)
        if market is None or order.target.outcome is None or lots <= 0:
            return False
        before = order.lots
        ahead = market.book.lots_within(order.book_side, order.book_ticks) - order.lots
        if order.book_side is Side.BUY:
            target, ticks = Target(order.target.outcome, Leg.NO), WHOLE - order.book_ticks
        else:
            target, ticks = Target(order.target.outcome, Leg.YES), order.book_ticks
        for size in (ahead + lots, order.lots):
            if order.lots == before and size > 0:
                self.tick().place(
                    self.takers, NewOrder(target=target, side=Side.BUY, ticks=ticks, lots=size, tif=Tif.IOC)
                )
        return order.lots < before

    def flush(self) -> None:
        """Tell what happened to our account since the last time."""
        events, _ = self.exchange.tape.drain()
        ours: list[_Told] = [event for event in events if isinstance(event, OrderChanged | Filling)]
        if not ours:
            return
        for event in ours:
            if isinstance(event, Filling) and event.row.cloid is not None:
                self._filled_ns[event.row.cloid] = self._timeline.now_ns
                self.filled[event.row.cloid] += event.row.lots * event.row.target.grid.lot
        self.on_change()
        for market in dict.fromkeys(event.row.target.outcome for event in ours):
            self.on_own(market)
        for _, events_of_one in groupby(self._swapped(ours), lambda event: (type(event), event.row.oid)):
            rows = [event.row for event in events_of_one]
            fills = tuple(fill_of(row) for row in rows if isinstance(row, FillRow))
            if fills:
                self.publish(FillNews(fills))
            for row in rows:
                if isinstance(row, OrderRow):
                    self.publish(OrderNews((report_of(row),)))

    def _swapped(self, events: list[_Told]) -> list[_Told]:
        """The two halves of a modify, told in the other order if that is the weather."""
        rows = [event.row for event in events if isinstance(event, OrderChanged)]
        cloids = [row.cloid for row in rows]
        amended = len(rows) == 2 and cloids[0] == cloids[1] and rows[0].oid != rows[1].oid
        if amended and self._weather.take(Fault.MODIFY_EVENTS_BOTH_ORDERS) is not None:
            return events[::-1]
        return events

    # -- questions

    def open_orders(self) -> tuple[RestingOrder, ...]:
        return tuple(
            RestingOrder(
                client_id=None if order.cloid is None else ClientId(order.cloid),
                venue_order_id=VenueOrderId(str(order.oid)), market=market_id(order.target), leg=order.target.leg,
                side=order.side, px=Px(order.ticks * order.target.grid.tick),
                leaves=Qty(order.lots * order.target.grid.lot),
            )
            for order in self.exchange.open_orders(self.account)
        )  # fmt: skip

    def account_state(self, asked_mono_ns: int) -> AccountState:
        account, perp = self.account, self.account.perp
        tokens = [
            TokenBalance(outcome_market(HYPERLIQUID, outcome), leg, Qty(held.total * SCALE), Cash(held.entry))
            for (outcome, leg), held in account.tokens.items()
            if held.total
        ]
        perps = (PerpBalance(PERP_MARKET, Qty(perp.lots * PERP_GRID.lot), Cash(perp.entry)),) if perp.lots else ()
        return AccountState(
            venue=HYPERLIQUID, cash=Cash(account.quote), tokens=tuple(sorted(tokens, key=lambda t: (t.market, t.leg))),
            orders=self.open_orders(), asked_mono_ns=asked_mono_ns, perps=perps, perp_cash=Cash(perp.raw),
        )  # fmt: skip

    def fills_since(self, start_ms: int) -> tuple[Fill, ...]:
        rows = self.exchange.tape.blotter_of(self.account).fills
        found: list[Fill] = []
        for row in reversed(rows):
            if row.time_ms - EPOCH_MS < 0 or row.time_ms < start_ms:
                break
            found.append(fill_of(row))
        return tuple(reversed(found))

    def order_status(self, client_id: ClientId) -> OrderReport | None:
        """The latest order under a client id; None for `unknownOid`."""
        filled_ns = self._filled_ns.get(client_id)
        fresh = filled_ns is not None and self._timeline.now_ns - filled_ns < LOOKUP_LAG_NS
        if filled_ns is not None and (fresh or self._weather.take(Fault.UNKNOWN_OID_AFTER_FILL) is not None):
            if fresh:
                self._weather.hit(Fault.UNKNOWN_OID_AFTER_FILL)
            return None
        blotter = self.exchange.tape.blotter_of(self.account)
        oid = blotter.cloids.get(client_id)
        row = None if oid is None else blotter.rows.get(oid)
        return None if row is None else report_of(row)

    def book(self, outcome: int | None) -> BookSnapshot | None:
        """Depth in YES space; None for what does not trade."""
        market = self.exchange.perp if outcome is None else self.exchange.outcomes.get(outcome)
        if market is None or outcome in self.removed:
            return None
        grid = market.grid

        def side(which: Side) -> tuple[Level, ...]:
            return tuple((ticks * grid.tick, lots * grid.lot) for ticks, lots, *_ in market.book.depth(which, DEPTH))

        name = PERP_MARKET if outcome is None else outcome_market(HYPERLIQUID, outcome)
        return BookSnapshot(name, side(Side.BUY), side(Side.SELL), self.now_ms)

    def market_data(self, markets: Sequence[MarketId]) -> Iterator[MarkPrice | BookSnapshot]:
        """What the venue's streams say of the markets asked for, in this weather."""
        yield MarkPrice(PERP_MARKET, Px(self.exchange.perp.mark_ticks * PERP_GRID.tick), self.now_ms)
        for market in markets:
            outcome = outcome_number(market)
            if outcome is not None and self._weather.take(Fault.BOOK_STALE) is not None:
                continue
            book = self.book(outcome)
            if book is not None:
                yield book if outcome is None else self._crossed(book)

    def _crossed(self, book: BookSnapshot) -> BookSnapshot:
        if book.bids and book.asks and self._weather.take(Fault.BOOK_CROSSED) is not None:
            return BookSnapshot(book.market, book.asks[:1], book.bids[:1], book.venue_ms)
        return book
