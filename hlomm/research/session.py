"""A whole recording over again: one engine at all its markets, as it would have been that day.

Where a backtest of one contract (`backtest`) has an engine and an account for each, here all contracts share what a
live run shares: the estimates of their underlying, the limits, the cash. Listings, settlements and rolls come when they
came. So a run that sent no order decides here what it decided then, to the tick; `tests/daemon` holds it to that.

A contract that expired without a settlement on record settles by the marks around its expiry, as in `backtest`.
What the recorder's own connection went through is not the session's: it is up from the first row, or from `up_ns`.
Contracts still open at the end are marked as a live run's would be.

Of a store without outcomes of Hyperliquid the engine hears every market of every venue, on accounts without money
elsewhere; what it is told settles as told, and it cannot send an order (`hlomm.research.store.hearing`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, TypeGuard

import attrs

from hlomm.assembly.documents import amount, engine_document
from hlomm.domain.ids import HYPERLIQUID, MarketId, perp_market
from hlomm.domain.inputs import (
    MARKET_NEWS,
    FeeRates,
    FillReceived,
    Input,
    MarketListed,
    MarketSettled,
    MarkPrice,
    SessionUp,
    StopRequested,
)
from hlomm.domain.markets import MarketKind
from hlomm.domain.report import EngineReport
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash, Px
from hlomm.engine.report import report
from hlomm.research.backtest import SETTLE_DELAY_NS, START_CASH, Terms, settled_by_marks
from hlomm.research.backtest_result import End, parts_text
from hlomm.research.driver import Driver
from hlomm.research.fee_schedule import Schedule, schedule
from hlomm.research.onlooker import Onlooker
from hlomm.research.recording import Event
from hlomm.research.set_aside import set_aside
from hlomm.research.store.hearing import said
from hlomm.research.store.recordings import Session
from hlomm.research.tape import Told, lines
from hlomm.research.tape_venue import Opening, TapeVenue
from hlomm.research.usable import unsettled
from hlomm.settings.load import Loaded

NO_WALLET: Final = Cash(0)
STOP_S = 100
"""Time to come to an end in."""


@attrs.frozen(kw_only=True)
class SessionResult:
    session: Session
    terms: Terms
    fees: Schedule | None
    """None where there is nothing to trade."""
    final: EngineReport
    settled: dict[MarketId, Px]
    turns: int
    inputs: int
    digest: int

    @property
    def end(self) -> End:
        model = self.terms.model
        return End(tag=model.tag, queue=model.queue_tag, pnl=self.final.pnl.total, fills=self.final.fills)

    @property
    def _what(self) -> str:
        outcomes, heard = len(self.session.markets), len(self.session.heard)
        return f"{outcomes} outcomes together" if outcomes else f"{heard} markets heard"

    def document(self, profile: str) -> dict[str, Any]:
        first, last = self.session.events[0].received_ns, self.session.events[-1].received_ns
        return {
            "profile": profile,
            "seed": self.terms.model.latency.seed,
            "duration_s": round((last - first) / NS_PER_S, 3),
            **engine_document(self.final),
            "venue_open_orders": 0,
            "invariant_breaks": self.final.invariant_breaks,
            "journal": None,
            "latency_us": {"p50": None, "p99": None},
            "quotes": self.final.orders_placed + self.final.amends,
            "fill_model": self.terms.model.tag,
            "fees": None if self.fees is None else self.fees.said,
            "markets": [market.ticker for market in self.session.markets],
            "settled": {market: amount(px) for market, px in self.settled.items()},
            "left_out": {one.ticker or one.market: one.reason for one in self.session.excluded},
            "heard": {one.market: one.document() for one in self.session.heard},
            "repairs": dict(self.session.repairs),
            "data": {"events": len(self.session.events), "book_events": self.session.book_events},
            "turns": self.turns,
            "digest": f"{self.digest:016x}",
        }

    def text(self) -> str:
        engine, pnl = self.final, self.final.pnl
        rows = [
            (
                f"{self._what}, {len(self.session.events)} inputs, "
                f"{self.session.book_events} of them books, {len(self.settled)} settled"
            ),
            *said(self.session.heard),
            *(f"left out: {one.ticker or one.market}: {one.reason}" for one in self.session.excluded),
            *(f"in the data: {count} {what.replace('_', ' ')}" for what, count in self.session.repairs),
            f"fill model: {self.terms.model.tag} - a model, not a fact",
            f"fees: {self.fees.said}"
            if self.fees is not None
            else "no outcome of Hyperliquid: heard, nothing to trade",
            f"quotes {engine.orders_placed + engine.amends}, cancels {engine.cancels}, fills {engine.fills}",
            parts_text(pnl),
        ]
        return "\n".join(rows)


@set_aside()
def run_session(
    session: Session, loaded: Loaded, terms: Terms | None = None, onlooker: Onlooker | None = None, *,
    cash: Cash = START_CASH, rates: FeeRates | None = None, up_ns: int = 0, wallet: Cash = NO_WALLET,
) -> SessionResult:  # fmt: skip
    """Run over all of it. `rates` stand for the schedule's where it is known what an account paid.

    With a `wallet` perps are taken at the recorded touch, for hedges; without, that is refused.
    The engine reckons with the rates of the first market, as a session is told one set; each market charges its own.
    """
    terms = Terms() if terms is None else terms
    perps = [one.item.market for one in session.events if _is_perp(one.item)] if wallet else []
    of = lines(_with_settlements(session), terms.model.latency.feed, {perp.id for perp in perps})
    known = {market.id: schedule(market, session.events[0].received_ns, terms.fees) for market in session.markets}
    fees = next(iter(known.values()), None)
    charged = {market: fee.rates if rates is None else rates for market, fee in known.items()}
    rates = fees.rates if rates is None and fees is not None else rates
    venue = TapeVenue(session.markets, cash, terms.model, of.tape, charged, session.ahead_ns, Opening(wallet=wallet))
    for perp in perps:
        venue.open_perp(perp)
    driver = Driver(loaded, venue, onlooker, session.venues)
    settled: dict[MarketId, Px] = {}
    driver.boot(of.feed[0].at_ns)
    if rates is not None:
        driver.feed(rates, of.feed[0].at_ns)
    for name in session.venues:
        driver.feed(venue.account(of.feed[0].at_ns, name), of.feed[0].at_ns)
    up = False
    for at_ns, items in _pieces(of.feed):
        if not up and at_ns >= up_ns:
            driver.told([SessionUp(name) for name in session.venues], max(up_ns, of.feed[0].at_ns))
            up = True
        for item in items:
            if isinstance(item, MarketSettled):
                driver.advance(at_ns)
                settled[item.market] = item.yes_px
                if item.market in venue.markets:
                    for part in venue.settle(item.market, item.yes_px, at_ns):
                        driver.feed(FillReceived(part), at_ns)
        driver.told(items, at_ns)
    final = report(driver.engine.state)
    _stop(driver, of.feed[-1].at_ns)
    books = driver.engine.state.portfolio
    assert (books.cash, books.perps.raw) == (venue.purse.cash, venue.wallet.raw), "the engine's books and the venue's"
    assert session.markets or not final.orders_placed, "an order where nothing can be traded"
    return SessionResult(
        session=session, terms=terms, fees=fees, final=final, settled=settled, turns=driver.turns,
        inputs=driver.inputs, digest=driver.engine.digest(),
    )  # fmt: skip


def _is_perp(item: Input) -> TypeGuard[MarketListed]:
    return isinstance(item, MarketListed) and item.market.kind is MarketKind.PERP


def _with_settlements(session: Session) -> list[Event]:
    """The events, with the news of settlements that nobody recorded."""
    told = {event.item.market for event in session.events if isinstance(event.item, MarketSettled)}
    missing = []
    for market in session.markets:
        if market.id in told or market.expiry_ns is None or market.strike is None:
            continue
        perp = perp_market(HYPERLIQUID, market.underlying)
        marks = tuple(
            (event.exchange_ns, event.item.px)
            for event in session.events
            if isinstance(event.item, MarkPrice) and event.item.market == perp
        )
        if not marks or unsettled(market, marks[-1][0]) is not None:
            continue
        yes, detail = settled_by_marks(marks, market)
        at_ns = market.expiry_ns + SETTLE_DELAY_NS
        item = MarketSettled(market.id, yes, detail)
        missing.append(Event(received_ns=at_ns, exchange_ns=at_ns, item=item))
    return sorted([*session.events, *missing], key=lambda event: event.received_ns)


def _pieces(feed: Sequence[Told]) -> Iterator[tuple[int, list[Input]]]:
    """What was received at one time in one piece, as a live run takes it: market news together, all else singly."""
    for at_ns, group in groupby(feed, key=lambda told: told.at_ns):
        piece: list[Input] = []
        for told in group:
            item = told.event.item
            if type(item) in MARKET_NEWS:
                piece.append(item)
                continue
            if piece:
                yield at_ns, piece
                piece = []
            yield at_ns, [item]
        if piece:
            yield at_ns, piece


def _stop(driver: Driver, at_ns: int) -> None:
    driver.told((StopRequested("end of the recording", flatten=False),), at_ns + 1)
    for second in range(1, STOP_S):
        driver.advance(at_ns + second * NS_PER_S)
        if driver.engine.next_deadline() is None and driver.venue.mail.next_news_ns() is None:
            return
