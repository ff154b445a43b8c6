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

import attrs
import msgspec

from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, perp_market
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    Booted,
    FeeRates,
    FillReceived,
    FillVoided,
    FundingPaid,
    MarkPrice,
)
from hlomm.domain.markets import MarketKind
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash
from hlomm.journal.codec import InputRecord, TurnRecord
from hlomm.research.journal_scan import MarketTape, OwnNews, OwnOrder, Scan
from hlomm.research.recording import Event, Recording, perp_of
from hlomm.research.replay import ReplayResult, read_records, segments_of
from hlomm.research.store.recordings import Excluded
from hlomm.research.usable import AROUND_NS, GAP_MAX_NS, STEP_BACK_MAX_NS
from hlomm.settings.load import Layer, Loaded, load


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


def journal_run(path: Path) -> JournalRun:
    """The newest run at a state directory or journal. UsageError where there is no complete record."""
    segments = segments_of(path)
    result = ReplayResult(segments=[segment.name for segment in segments])
    scan = Scan()
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


def _run(name: str, boot: Booted, scan: Scan, told: Sequence[str]) -> JournalRun:
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


def _traded(scan: Scan, name: MarketId, tape: MarketTape, until_ns: int) -> tuple[str, Traded | None]:
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


def _around(perp: MarketTape, first_ns: int, last_ns: int) -> list[tuple[int, Event]]:
    """Touches and marks of the perp; its book, if anybody followed it, is nothing that the fill model could use."""
    begin = bisect_left(perp.events, first_ns, key=lambda pair: pair[1].received_ns)
    end = bisect_right(perp.events, last_ns, key=lambda pair: pair[1].received_ns)
    return [pair for pair in perp.events[begin:end] if isinstance(pair[1].item, BboUpdate | MarkPrice)]
