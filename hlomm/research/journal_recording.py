"""A journal as what a backtest runs over: a recording of every outcome market that was traded, and what we did there.

The journal holds every public input with the time at which the engine was fed, so the recording is what this run could
have known, not what a recorder elsewhere heard. Rules, always told (`JournalRun.excluded`):
- a print older than `recording.MAX_PRINT_AGE_NS` when it came is history that a subscription repeats, and is dropped;
- times are the venue's wall clock as the run had it; one before that of the record in front is raised to it, and a step
  back of more than `recordings.STEP_BACK_MAX_NS` excludes the markets it falls into;
- a session that was down for more than `recordings.GAP_MAX_NS` within a market's time excludes it;
- a run is compared up to where it was asked to end (stop, kill, flatten, cancel): what follows is a walk to flat, no
  market making. A market that had not settled by then ends open: its recording has no settlement and no marks, so that
  a backtest does not invent one;
- a market without strike and expiry, without book, or without touch of its perp cannot be run over; one whose terms
  changed, or of which tokens were held when the run began, cannot be compared.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import msgspec

from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueId, perp_market
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
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, Output, PlaceOrders
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import Cash, Px
from hlomm.journal.codec import InputRecord, TurnRecord
from hlomm.research.recording import MAX_PRINT_AGE_NS, Event, Recording, perp_of
from hlomm.research.replay import ReplayResult, read_records, segments_of
from hlomm.research.store.recordings import AROUND_NS, GAP_MAX_NS, STEP_BACK_MAX_NS, Excluded
from hlomm.settings.load import Layer, Loaded, load

_ENDS: Final = (OperatorAction.KILL, OperatorAction.FLATTEN, OperatorAction.CANCEL)
OwnNews = OrderOpened | OrderClosed | OrderRejected | AmendFailed | OrderAnswer | FillReceived | FillVoided
OwnOrder = PlaceOrders | AmendOrders | CancelOrders | ConvertSet


@attrs.frozen(kw_only=True)
class Own:
    """What we sent to one market and heard of it, by the run's clock, to the end of the journal."""

    sent: tuple[tuple[int, OwnOrder], ...]
    """(ns, output); batches hold this market's orders only."""
    news: tuple[tuple[int, OwnNews], ...]


@attrs.frozen(kw_only=True)
class Traded:
    """One market of a run."""

    recording: Recording
    own: Own
    money: Cash
    """Of all accounts, as last told before its first event: cash, wallets, and what is held at cost."""
    fees: FeeRates | None
    """In force then; None where the venue had told none."""


@attrs.frozen(kw_only=True)
class JournalRun:
    name: str
    boot: Booted
    loaded: Loaded
    """The run's own configuration."""
    markets: tuple[Traded, ...]
    excluded: tuple[Excluded, ...]
    skews: tuple[tuple[int, VenueId, int], ...]
    """(ns, venue, its clock minus ours in ms), as measured."""
    other_news: tuple[tuple[int, FillReceived | FillVoided | FundingPaid], ...]
    """What moved money in markets that are not in `markets`."""
    until_ns: int
    """Where the run was asked to end, or its last record."""
    told: tuple[str, ...]
    """What is wrong with the journal itself."""


@attrs.define(eq=False)
class _Tape:
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
class _Scan:
    """One pass over a journal."""

    boot: Booted | None = None
    tapes: dict[MarketId, _Tape] = attrs.field(factory=dict)
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

    def tape(self, market: MarketId) -> _Tape:
        return self.tapes.setdefault(market, _Tape())

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


def journal_run(path: Path) -> JournalRun:
    """The newest run at a state directory or journal. UsageError where there is no complete record."""
    segments = segments_of(path)
    result = ReplayResult(segments=[segment.name for segment in segments])
    scan = _Scan()
    for record in read_records(segments, result):
        if isinstance(record, InputRecord):
            scan.take(record.seq, scan.at(record.now.wall_ns, record.now.mono_ns), record.item)
        elif isinstance(record, TurnRecord):
            ns = scan.at(record.now.wall_ns, record.now.mono_ns)
            for output in record.outputs:
                scan.send(ns, output)
        if scan.boot is None:
            raise JournalCorrupt("the run does not start with its boot record", offset=0, records=0)
    if scan.boot is None:
        raise UsageError(f"{path}: the journal holds no complete record yet ({result.corrupt or 'it is empty'})")
    told = [] if result.corrupt is None else [f"CORRUPT: {result.corrupt}; what precedes it is used"]
    if result.torn_bytes:
        told.append(f"torn tail: {result.torn_bytes} bytes of an unfinished record ignored")
    return _run(segments[0].name.partition("-")[0], scan.boot, scan, told)


def _run(name: str, boot: Booted, scan: _Scan, told: Sequence[str]) -> JournalRun:
    until_ns = scan.now_ns if scan.ended_ns is None else scan.ended_ns
    found: list[Traded] = []
    excluded: list[Excluded] = []
    for market in sorted({*scan.sent, *scan.news}, key=str):
        tape = scan.tape(market)
        if tape.market is not None and tape.market.kind is MarketKind.PERP:
            continue
        reason, traded = _traded(scan, market, tape, until_ns)
        if traded is None:
            excluded.append(Excluded(market, "" if tape.market is None else tape.market.ticker, reason))
        else:
            found.append(traded)
    kept = {one.recording.outcome.id for one in found}
    moved: list[tuple[int, FillReceived | FillVoided | FundingPaid]] = [*scan.funding]
    for market, news in scan.news.items():
        if market not in kept:
            moved += [(ns, item) for ns, item in news if isinstance(item, FillReceived | FillVoided)]
    return JournalRun(
        name=name, boot=boot, loaded=settings_of(boot), markets=tuple(found), excluded=tuple(excluded),
        skews=tuple(scan.skews), other_news=tuple(sorted(moved, key=lambda pair: pair[0])), until_ns=until_ns,
        told=tuple(told),
    )  # fmt: skip


def settings_of(boot: Booted) -> Loaded:
    """What the run ran with; sections that no engine reads are as shipped."""
    return load(boot.profile, environ={}, beneath=Layer("journal", msgspec.json.decode(boot.config)))


def _traded(scan: _Scan, name: MarketId, tape: _Tape, until_ns: int) -> tuple[str, Traded | None]:
    """The market's recording, or why there is none."""
    market = tape.market
    if market is None:
        return "nothing says what this market is", None
    if market.venue != HYPERLIQUID:
        return f"no backtest of {market.venue}", None
    if market.strike is None or market.expiry_ns is None:
        return "not a binary with a strike", None
    if tape.changed:
        return "its terms changed during the run", None
    if name in scan.held:
        return "tokens of it were held when the run began", None
    events = [pair for pair in tape.events if pair[1].received_ns <= until_ns]
    if not any(isinstance(event.item, BookSnapshot) for _, event in events):
        return "no book before the run was asked to end", None
    first_ns, last_ns = events[0][1].received_ns, events[-1][1].received_ns
    perp = perp_market(HYPERLIQUID, market.underlying)
    around = _around(scan.tape(perp), first_ns - AROUND_NS, min(last_ns + AROUND_NS, until_ns))
    if not any(isinstance(event.item, BboUpdate) for _, event in around):
        return f"no touch of its perp {market.underlying}", None
    if (gap_ns := scan.longest_gap(first_ns, last_ns)) > GAP_MAX_NS:
        return f"the session was down for {gap_ns / NS_PER_S:.0f} s", None
    step_ns = max((by for at, by in scan.steps if first_ns <= at <= last_ns), default=0)
    if step_ns > STEP_BACK_MAX_NS:
        return f"the clock went back by {step_ns / NS_PER_S:.1f} s", None
    settled = tape.settled is not None and tape.settled[0] <= until_ns
    recording = Recording(
        outcome=market, perp=scan.tape(perp).market or perp_of(market.underlying),
        events=tuple(event for _, event in sorted([*events, *around], key=lambda pair: pair[0])),
        marks=tuple((e.exchange_ns, e.item.px) for _, e in around if isinstance(e.item, MarkPrice)) if settled else (),
        books=tape.books, prints_raw=tape.prints + tape.replayed, prints_replayed=tape.replayed, mirrored=0,
        settled=tape.settled[1] if settled and tape.settled is not None else None,
    )  # fmt: skip
    own = Own(sent=tuple(scan.sent.get(name, ())), news=tuple(scan.news.get(name, ())))
    return "", Traded(
        recording=recording, own=own, money=scan.money_before(first_ns), fees=scan.fees_before(first_ns)
    )  # fmt: skip


def _around(perp: _Tape, first_ns: int, last_ns: int) -> list[tuple[int, Event]]:
    """Touches and marks of the perp; its book, if anybody followed it, is nothing that the fill model could use."""
    begin = bisect_left(perp.events, first_ns, key=lambda pair: pair[1].received_ns)
    end = bisect_right(perp.events, last_ns, key=lambda pair: pair[1].received_ns)
    return [pair for pair in perp.events[begin:end] if isinstance(pair[1].item, BboUpdate | MarkPrice)]
