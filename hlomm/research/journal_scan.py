"""One pass over a journal: every market's public inputs, what was sent there and heard of it, money, fees and clocks.

What is made of it is in `hlomm.research.journal_recording`.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueId, venue_of
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BboUpdate,
    BookSnapshot,
    Booted,
    ClockSkew,
    FeeRates,
    FillReceived,
    FillVoided,
    FundingPaid,
    Input,
    MarketChanged,
    MarketListed,
    MarketSettled,
    MarkPrice,
    OperatorAction,
    OperatorCommand,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SessionDown,
    SessionUp,
    StopRequested,
    TradePrint,
)
from hlomm.domain.markets import Market
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, Output, PlaceOrders
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import Cash, Px
from hlomm.research.recording import Event
from hlomm.research.usable import MAX_PRINT_AGE_NS

_ENDS: Final = (OperatorAction.KILL, OperatorAction.FLATTEN, OperatorAction.CANCEL)
OwnNews = OrderOpened | OrderClosed | OrderRejected | AmendFailed | OrderAnswer | FillReceived | FillVoided
OwnOrder = PlaceOrders | AmendOrders | CancelOrders | ConvertSet


@attrs.define(eq=False)
class MarketTape:
    """One market's public inputs."""

    market: Market | None = None
    changed: bool = False
    settled: tuple[int, Px] | None = None
    events: list[tuple[int, Event]] = attrs.field(factory=list)
    """With the record's number, by which those of several markets are merged."""
    books: int = 0
    prints: int = 0
    replayed: int = 0


@attrs.define(eq=False)
class Scan:
    """One pass over a journal."""

    boot: Booted | None = None
    tapes: dict[MarketId, MarketTape] = attrs.field(factory=dict)
    sent: dict[MarketId, list[tuple[int, OwnOrder]]] = attrs.field(factory=dict)
    news: dict[MarketId, list[tuple[int, OwnNews]]] = attrs.field(factory=dict)
    funding: list[tuple[int, FundingPaid]] = attrs.field(factory=list)
    market_of: dict[ClientId, MarketId] = attrs.field(factory=dict)
    skews: list[tuple[int, VenueId, int]] = attrs.field(factory=list)
    money: list[tuple[int, VenueId, Cash]] = attrs.field(factory=list)
    fees: list[tuple[int, FeeRates]] = attrs.field(factory=list)
    held: set[MarketId] = attrs.field(factory=set)
    gaps: list[tuple[int, int]] = attrs.field(factory=list)
    steps: list[tuple[int, int]] = attrs.field(factory=list)
    down_ns: int | None = None
    ended_ns: int | None = None
    now_ns: int = 0
    offset_ns: int | None = None

    def at(self, wall_ns: int, mono_ns: int) -> int:
        before, self.offset_ns = self.offset_ns, wall_ns - mono_ns
        if before is not None and before > self.offset_ns:
            self.steps.append((wall_ns, before - self.offset_ns))
        self.now_ns = max(self.now_ns, wall_ns)
        return self.now_ns

    def tape(self, market: MarketId) -> MarketTape:
        return self.tapes.setdefault(market, MarketTape())

    # -- inputs

    def take(self, seq: int, ns: int, item: Input) -> None:
        match item:
            case Booted():
                self.boot = item
                if item.carried is not None:
                    self.held |= {h.market for books in item.carried.books for h in books.positions if h.yes or h.no}
            case BookSnapshot() | BboUpdate() | TradePrint() | MarkPrice():
                self._public(seq, ns, item)
            case MarketListed(market=market) | MarketChanged(market=market):
                tape = self.tape(market.id)
                tape.changed |= tape.market not in (None, market)
                tape.market = market
            case MarketSettled(market=name, yes_px=yes_px):
                self.tape(name).settled = ns, yes_px
                if name not in self.sent and name not in self.news:
                    self.tape(name).events.clear()  # nobody will ask: a night of short series does not fill the memory
            case StopRequested() | OperatorCommand():
                if self.ended_ns is None and (isinstance(item, StopRequested) or item.action in _ENDS):
                    self.ended_ns = ns
            case ClockSkew(venue=venue, skew_ms=skew_ms):
                self.skews.append((ns, venue, skew_ms))
            case FeeRates():
                self.fees.append((ns, item))
            case SessionDown(venue=venue) if venue == HYPERLIQUID:
                self.down_ns = ns if self.down_ns is None else self.down_ns
            case SessionUp(venue=venue) if venue == HYPERLIQUID and self.down_ns is not None:
                self.gaps.append((self.down_ns, ns))
                self.down_ns = None
            case _:
                self._private(ns, item)

    def _public(self, seq: int, ns: int, item: BookSnapshot | BboUpdate | TradePrint | MarkPrice) -> None:
        if venue_of(item.market) != HYPERLIQUID:
            return  # nothing can be run over it
        tape = self.tape(item.market)
        exchange = item.venue_ms * NS_PER_MS or ns
        if isinstance(item, TradePrint) and ns - exchange > MAX_PRINT_AGE_NS:
            tape.replayed += 1
            return
        tape.events.append((seq, Event(received_ns=ns, exchange_ns=exchange, item=item)))
        tape.books += isinstance(item, BookSnapshot)
        tape.prints += isinstance(item, TradePrint)

    def _private(self, ns: int, item: Input) -> None:
        match item:
            case OrderOpened() | OrderClosed() | OrderRejected() | AmendFailed() | OrderAnswer():
                market = self.market_of.get(item.client_id)
                if market is not None:
                    self.news.setdefault(market, []).append((ns, item))
            case FillReceived(fill=fill) | FillVoided(fill=fill):
                self.news.setdefault(fill.market, []).append((ns, item))
            case FundingPaid():
                self.funding.append((ns, item))
            case AccountState():
                self._account(ns, item)
            case _:
                pass  # what neither a market nor an order of ours is about

    def _account(self, ns: int, item: AccountState) -> None:
        if not any(venue == item.venue for _, venue, _ in self.money):
            self.held |= {token.market for token in item.tokens if token.total}
        held = sum(token.cost for token in item.tokens) + sum(perp.cost for perp in item.perps)
        self.money.append((ns, item.venue, Cash(item.cash + item.perp_cash + held)))

    # -- outputs

    def send(self, ns: int, output: Output) -> None:
        match output:
            case PlaceOrders(orders=orders):
                for order in orders:
                    self.market_of[order.client_id] = order.market
                    self._sent(ns, order.market, PlaceOrders(output.venue, (order,)))
            case AmendOrders(amends=amends):
                for amend in amends:
                    self._sent(ns, amend.market, AmendOrders(output.venue, (amend,)))
            case CancelOrders(cancels=cancels):
                for cancel in cancels:
                    self._sent(ns, cancel.market, CancelOrders(output.venue, (cancel,)))
            case ConvertSet(market=market):
                self._sent(ns, market, output)
            case _:
                pass  # questions, subscriptions and alerts

    def _sent(self, ns: int, market: MarketId, output: OwnOrder) -> None:
        self.sent.setdefault(market, []).append((ns, output))

    # -- what is made of it

    def longest_gap(self, first_ns: int, last_ns: int) -> int:
        gaps = [*self.gaps, *([] if self.down_ns is None else [(self.down_ns, self.now_ns)])]
        inside = [(max(since, first_ns), min(until, last_ns)) for since, until in gaps]
        return max((until - since for since, until in inside), default=0)

    def money_before(self, ns: int) -> Cash:
        """The latest of each venue; the first ever told where none was by then."""
        latest: dict[VenueId, Cash] = {}
        for at, venue, cash in self.money:
            if at <= ns or venue not in latest:
                latest[venue] = cash
        return Cash(sum(latest.values()))

    def fees_before(self, ns: int) -> FeeRates | None:
        told = [rates for at, rates in self.fees if rates.venue == HYPERLIQUID and at <= ns]
        return told[-1] if told else None
