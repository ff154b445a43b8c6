"""The venue session in virtual time: the real one's pure parts, with events in the place of tasks.

What the session decides by rule (fills told once, amends watched, refusals read, markets admitted, the fuse) is the
product's own code; what its tasks do by the clock (connecting, deadlines, polls, questions) is retold here. The real
tasks over real frames are the second tier, in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import (
    AccountDoubted,
    BboUpdate,
    BookSnapshot,
    ClockSkew,
    FeeRates,
    Input,
    MarketListed,
    MarkPrice,
    RateBudget,
    SessionDown,
    SessionUp,
)
from hlomm.domain.outputs import (
    AmendOrders,
    CancelOrders,
    ConvertSet,
    Output,
    PlaceOrders,
    QueryAccount,
    QueryOrder,
    Subscribe,
    Unsubscribe,
)
from hlomm.research.soak.contracts import Contracts
from hlomm.research.soak.inside import Inside
from hlomm.research.soak.network import Failure, Line, Missed
from hlomm.research.soak.posting import Posting, PostReply
from hlomm.research.soak.questions import Questions
from hlomm.research.soak.rows import FillNews, OrderNews
from hlomm.research.soak.weather import Fault
from hlomm.settings.schema import Settings
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.account_feed import AccountFeed
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.wire.account import OrderRows
from hlomm.venues.hyperliquid.wire.coins import outcome_number
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.info import OutcomeMeta
from hlomm.venues.hyperliquid.wire.outcomes import OutcomeSpec, PerpRow
from hlomm.venues.pacing import backoff_s

RECONCILE_S: Final = 60.0
BUDGET_S: Final = 120.0
POLL_S: Final = 10.0
RECONNECT_CAP_S: Final = 30.0
SNAPSHOT_FILLS: Final = 100

_Step = tuple[Callable[[], Any], Callable[[Any], None]]


@attrs.frozen
class Listed:
    spec: OutcomeSpec


@attrs.frozen
class Ended:
    outcome: int


class Desk:
    """One process's session."""

    def __init__(self, inside: Inside, contracts: Contracts, settings: Settings, *, fills_from_ms: int | None) -> None:
        self._in = inside
        self._contracts = contracts
        self._fills_from_ms = fills_from_ms
        self.counters = Counters()
        self.registry = Registry(("BTC",), self.counters, settings.venue.hyperliquid.quote_token)
        self.markets = MarketFeed(self.counters, 30_000, 8_192)
        self.account = AccountFeed(
            self.counters, 20_000, lambda cloid: cloid in self.posting.placed, self.registry.is_fallback
        )
        self.posting = Posting(inside, settings, self.account.amends, self.counters, self._measure)
        self.questions = Questions(inside, contracts, self.account, self.posting)
        self.up = False
        self.line: Line | None = None
        self.book_heard_ns: dict[MarketId, int] = {}
        """When each market's book last reached this process."""
        self._introduced = False
        self._told_rest: bool | None = None
        self._failures = 0
        self._subscribed: dict[MarketId, None] = {}

    # -- life

    def start(self) -> None:
        self._in.after(0.1, self._connect)
        self._in.after(POLL_S, self._poll_while_down)

    def kill(self) -> None:
        """The process is gone: the venue sees its connection end."""
        self._in.life.dead = True
        if self.line is not None:
            self.line.drop("process died")

    # -- connecting

    def _connect(self) -> None:
        steps: list[_Step] = [
            (lambda: self._in.front.now_ms, self._skew),
            (self._contracts.listing, self._read_listing),
        ]
        if not self._introduced:
            steps += [(self._in.front.budget, self._introduce)]
        self._step(steps)

    def _step(self, steps: list[_Step]) -> None:
        if not steps:
            self._open()
            return
        (perform, take), *rest = steps

        def done(result: Any) -> None:
            if isinstance(result, Failure):
                self._no_connection(result.value)
                return
            take(result)
            self._step(rest)

        self._in.request(perform, done)

    def _skew(self, venue_ms: int) -> None:
        self._in.ahead_ms = venue_ms - self._in.clock.wall_ms()
        self._in.emit([ClockSkew(HYPERLIQUID, self._in.ahead_ms)])

    def _measure(self) -> None:
        """An action was refused as late: look at the venue's clock again."""
        self._in.request(lambda: self._in.front.now_ms, self._skew_again)

    def _introduce(self, limit: tuple[int, int]) -> None:
        perp = self.registry.apply_perps([PerpRow("BTC", 5)])
        rules = self._in.front.exchange.rules
        rate = (rules.spot_maker, rules.spot_taker) if rules.outcome_fees else (0, 0)
        fees = FeeRates(
            venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=rate[0], close_taker=rate[1], settle=rate[1]
        )
        self._in.emit([*(MarketListed(market) for market in perp), fees, RateBudget(HYPERLIQUID, *limit)])
        if self._fills_from_ms is None:
            self.account.seed_fills(FillRows("", True, self._in.front.fills_since(0), 0))
            self.account.start_ms = self._in.front.now_ms
        else:
            self.account.start_ms = self._fills_from_ms
        self._introduced = True

    def _open(self) -> None:
        """Open the line, take the snapshot of fills, reconcile, be up."""
        if self._in.network.cut:
            self._in.weather.hit(Fault.DNS_LOSS)
            self._no_connection("no route to the venue")
            return
        self.markets.reconnected()
        inside = self._in
        line = Line(
            inside.timeline, inside.weather, inside.rng, inside.network, inside.mine(self._receive),
            inside.mine(self._lost),
        )  # fmt: skip
        self.line = self.posting.line = line
        self._in.after(0.3, lambda: self._come_up(line))

    def _come_up(self, line: Line) -> None:
        if self.line is not line:
            return
        told = self.counters.get("repeated_fills")
        self._in.emit(self.account.on_fills(FillRows("", True, self._in.front.fills_since(0)[-SNAPSHOT_FILLS:], 0)))
        if self.counters.get("repeated_fills") > told:
            self._in.weather.hit(Fault.DUPLICATE_FILLS)

        def done(ok: bool) -> None:  # noqa: FBT001 - a continuation
            if self.line is not line:
                return
            if not ok:
                line.drop("not reconciled")
                return
            self.up = True
            self._told_rest = None
            self._failures = 0
            self._in.emit([SessionUp(HYPERLIQUID)])
            self._in.after(RECONCILE_S, lambda: self._keep_reconciled(line))
            self._in.after(BUDGET_S, lambda: self._keep_budgets(line))

        self.questions.reconcile(done)

    def _no_connection(self, reason: str) -> None:
        self.line = self.posting.line = None
        self._down(reason, [])
        self._again()

    def _lost(self, reason: str) -> None:
        self.line = None
        self._down(reason, self.posting.lost(reason))
        self._again()

    def _again(self) -> None:
        self._failures += 1
        pause_s = backoff_s(self._failures - 1, base_s=0.5, cap_s=RECONNECT_CAP_S, jitter=self._in.rng.random())
        self._in.after(pause_s, self._connect)

    def _down(self, reason: str, lost: list[Input]) -> None:
        rest = self._in.rest_ok is not False
        was_up, self.up = self.up, False
        if was_up or self._told_rest != rest:
            self._told_rest = rest
            self._in.emit([SessionDown(HYPERLIQUID, reason, rest), *lost])
        else:
            self._in.emit(lost)

    def _poll_while_down(self) -> None:
        self._in.after(POLL_S, self._poll_while_down)
        if self.up or not self._introduced:
            return

        def done(ok: bool) -> None:  # noqa: FBT001 - a continuation
            if not self.up:
                self._down("requests are answered again" if ok else "requests are not answered", [])

        self.questions.reconcile(done)
        for market in list(self._subscribed):
            self._in.request(partial(self._in.front.book, outcome_number(market)), self._book_by_rest)

    def _book_by_rest(self, book: BookSnapshot | Failure | None) -> None:
        if isinstance(book, BookSnapshot):
            self._heard(book)

    # -- upkeep

    def _keep_reconciled(self, line: Line) -> None:
        if self.line is line:
            self.questions.reconcile(lambda _ok: None)
            self._in.request(self._contracts.listing, self._listing_again)
            self._in.after(RECONCILE_S, lambda: self._keep_reconciled(line))

    def _keep_budgets(self, line: Line) -> None:
        if self.line is line:
            self._in.request(self._in.front.budget, self._budget)
            self._in.request(lambda: self._in.front.now_ms, self._skew_again)
            self._in.after(BUDGET_S, lambda: self._keep_budgets(line))

    def _budget(self, limit: tuple[int, int] | Failure) -> None:
        if not isinstance(limit, Failure):
            self._in.emit([RateBudget(HYPERLIQUID, *limit)])

    def _skew_again(self, venue_ms: int | Failure) -> None:
        if not isinstance(venue_ms, Failure):
            self._skew(venue_ms)

    # -- contracts

    def _listing_again(self, specs: tuple[OutcomeSpec, ...] | Failure) -> None:
        if not isinstance(specs, Failure):
            self._read_listing(specs)

    def _read_listing(self, specs: tuple[OutcomeSpec, ...]) -> None:
        delta = self.registry.apply_outcomes(OutcomeMeta(specs, frozenset(spec.outcome for spec in specs)))
        self._in.emit([MarketListed(market) for market in delta.listed])
        for outcome in delta.vanished:
            self._end(outcome)

    def _end(self, outcome: int) -> None:
        market = self.registry.end(outcome)
        if market is not None:
            self._subscribed.pop(market.id, None)
            self.markets.drop(market.id)
            self.questions.settlement(outcome, market.id)

    # -- from the line

    def push(self, item: object) -> None:
        """Something the venue's streams say."""
        if self.line is not None:
            self.line.down(item)

    def publish_books(self) -> None:
        """The market data streams after the crowd has moved."""
        for item in self._in.front.market_data(tuple(self._subscribed)):
            self.push(item)

    def _receive(self, item: object) -> None:
        match item:
            case OrderNews():
                self._in.emit(self.account.on_orders(OrderRows(item.reports, 0)))
            case Missed(reason):
                self._in.emit([AccountDoubted(HYPERLIQUID, reason)])
            case FillNews():
                self._in.emit(self.account.on_fills(FillRows("", False, item.fills, 0)))
            case BookSnapshot() | BboUpdate():
                self._heard(item)
            case MarkPrice():
                self._in.emit([item])
            case PostReply():
                self._in.emit(self.posting.answered(item))
            case Listed():
                market = self.registry.apply_created(item.spec)
                if market is not None:
                    self._in.emit([MarketListed(market)])
            case Ended():
                self._end(item.outcome)
            case _:
                raise AssertionError(f"a line brings nothing like {item!r}")

    def _heard(self, item: BookSnapshot | BboUpdate) -> None:
        told = self.markets.on_book(item) if isinstance(item, BookSnapshot) else self.markets.on_touch(item)
        if told:
            self.book_heard_ns[item.market] = self._in.timeline.now_ns
            self._in.emit(told)

    # -- outputs

    def submit(self, output: Output) -> None:
        """Carry out one output; what comes of it arrives as inputs, later."""
        match output:
            case PlaceOrders() | AmendOrders() | CancelOrders() | ConvertSet():
                self.posting.submit(output)
            case QueryOrder():
                self.questions.order(output.client_id)
            case QueryAccount():
                self.questions.account()
            case Subscribe():
                self._subscribed[output.market] = None
                self.markets.follow(output.market)
                self._in.after(0.2, lambda: self.publish_book(output.market))
            case Unsubscribe():
                self._subscribed.pop(output.market, None)
                self.markets.drop(output.market)
            case _:
                raise AssertionError(f"not for a venue: {output!r}")

    def publish_book(self, market: MarketId) -> None:
        book = self._in.front.book(outcome_number(market))
        if self.line is not None and book is not None and market in self._subscribed:
            self.line.down(book)
