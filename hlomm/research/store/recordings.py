"""A store as what a backtest runs over: one recording per outcome market, or the reason why there is none.

Rules, applied in this order and always told:
- rows are taken by (run, seq); a repeated (run, seq) or trade id is dropped, and a print older than
  `usable.MAX_PRINT_AGE_NS` when it came (a reconnect replays history);
- a receive time before that of the row in front is raised to it; a step back of more than `STEP_BACK_MAX_NS` excludes
  the market, for nobody knows any more what was known when;
- a crossed book or touch is dropped; a row whose numbers make no sense excludes the market;
- a gap of more than `GAP_MAX_NS` in its own rows or its perp's, within its time, excludes the market; during a shorter
  one the last book stands, and ages;
- an outcome of which the terms changed, or without strike, book, touch of its perp, or settlement is excluded. Its
  settlement is what the store says, else the mark at its expiry, which the last one stands for if it is at most
  `MARK_REACH_NS` older (`hlomm.research.usable`).
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, perp_market
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    TradePrint,
)
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px
from hlomm.research.recording import Event, Recording, perp_of
from hlomm.research.store.read import Store, ordered, rows
from hlomm.research.store.schema import GAP, OWN_KINDS, input_of
from hlomm.research.usable import GAP_MAX_NS, MAX_PRINT_AGE_NS, STEP_BACK_MAX_NS, nonsense, unsettled

AROUND_NS: Final = 60 * NS_PER_S
"""Of the perp before the market's first row and after its last."""


@attrs.frozen
class Excluded:
    market: str
    ticker: str
    reason: str


@attrs.frozen(kw_only=True)
class Chosen:
    recordings: tuple[Recording, ...]
    excluded: tuple[Excluded, ...]


@attrs.frozen(kw_only=True)
class Session:
    """All that was recorded together, in the order in which it came."""

    markets: tuple[Market, ...]
    """Outcomes that can be traded."""
    events: tuple[Event, ...]
    """Of these and their perps, listings and settlements included."""
    excluded: tuple[Excluded, ...]
    repairs: tuple[tuple[str, int], ...]
    ahead_ns: int
    """Wall time less monotonic time of the recorder's first row: estimators sample on the monotonic clock."""


@attrs.define(eq=False)
class _Tape:
    """One market's rows, cleaned."""

    events: list[tuple[tuple[int, int, int], Event]] = attrs.field(factory=list)
    """With (time, run, seq), by which those of several markets are merged."""
    life: list[tuple[tuple[int, int, int], Event]] = attrs.field(factory=list)
    """Its listing, its changes and its end, likewise."""
    market: Market | None = None
    changed: bool = False
    """It was described anew, and not as before."""
    settled: Px | None = None
    gaps: list[tuple[int, int]] = attrs.field(factory=list)
    """From and until when nobody listened."""
    steps: list[tuple[int, int]] = attrs.field(factory=list)
    """When the clock went back, and by how much."""
    ahead_ns: int | None = None
    """Wall time less monotonic time of its first row that has both."""
    wrong: list[tuple[int, str]] = attrs.field(factory=list)
    """Rows that make no sense: when they came, and why."""
    touches: int = 0
    last_mark_ns: int = 0
    books: int = 0
    prints: int = 0
    replayed: int = 0
    mended: Counter[str] = attrs.field(factory=Counter)

    def longest_gap(self, first_ns: int, last_ns: int) -> int:
        """Of those that touch a span of time."""
        return max((until - since for since, until in self.gaps if since <= last_ns and until >= first_ns), default=0)

    def worst_step(self, first_ns: int, last_ns: int) -> int:
        return max((by for at, by in self.steps if first_ns <= at <= last_ns), default=0)


def load_store(root: Path) -> Chosen:
    """Recordings of all outcome markets of Hyperliquid. SchemaError for files that cannot be read."""
    store = Store.open(root)
    tapes: dict[str, _Tape] = {}
    found: list[Recording] = []
    excluded: list[Excluded] = []
    for name in store.markets():
        if not name.startswith(f"{HYPERLIQUID}:o"):
            continue
        tape = _tape(store, name)
        if tape.market is None or tape.market.kind is not MarketKind.OUTCOME:
            excluded.append(Excluded(name, "", "nothing says what this market is (no `listed` row)"))
            continue
        perp = perp_market(HYPERLIQUID, tape.market.underlying)
        if perp not in tapes:
            tapes[perp] = _tape(store, perp)
        reason = _unfit(tape, tapes[perp])
        if reason is None:
            found.append(_recording(tape, tapes[perp]))
        else:
            excluded.append(Excluded(name, tape.market.ticker, reason))
    return Chosen(recordings=tuple(found), excluded=tuple(excluded))


def load_one(root: Path) -> Chosen:
    """As `load_store`; UsageError if no market is left."""
    chosen = load_store(root)
    if not chosen.recordings:
        reasons = "; ".join(f"{one.ticker or one.market}: {one.reason}" for one in chosen.excluded[:5])
        raise UsageError(f"{root}: no market of it can be backtested ({reasons or 'it has no outcome of Hyperliquid'})")
    return chosen


def load_session(root: Path) -> Session:
    """All outcome markets of Hyperliquid and its perps, together. UsageError if no book is left.

    The rules are those for single markets, but a market that had not settled by the end of the recording stays. Without
    any outcome the perps are heard and nothing is traded.
    """
    store = Store.open(root)
    tapes = {name: _tape(store, name) for name in store.markets() if name.startswith(f"{HYPERLIQUID}:")}
    excluded: list[Excluded] = []
    for name, tape in list(tapes.items()):
        if not name.startswith(f"{HYPERLIQUID}:o"):
            continue
        market, reason = tape.market, "nothing says what this market is (no `listed` row)"
        if market is not None and market.kind is MarketKind.OUTCOME:
            reason = _unusable(tape, tapes.get(perp_market(HYPERLIQUID, market.underlying), _Tape())) or ""
        if reason:
            excluded.append(Excluded(name, "" if market is None else market.ticker, reason))
            del tapes[name]
    markets = tuple(
        tape.market for name, tape in tapes.items() if tape.market is not None and name.startswith(f"{HYPERLIQUID}:o")
    )
    if not markets and (excluded or not any(tape.books or tape.touches for tape in tapes.values())):
        reasons = "; ".join(f"{one.ticker or one.market}: {one.reason}" for one in excluded[:5])
        raise UsageError(f"{root}: no market of it can be backtested ({reasons or 'it has no book of Hyperliquid'})")
    rows_of = (pair for tape in tapes.values() for pair in (*tape.life, *tape.events))
    mended = sum((tape.mended for tape in tapes.values()), Counter[str]())
    return Session(
        markets=markets, events=tuple(event for _, event in sorted(rows_of, key=lambda pair: pair[0])),
        excluded=tuple(excluded), repairs=tuple(sorted(mended.items())),
        ahead_ns=next((tape.ahead_ns for tape in tapes.values() if tape.ahead_ns is not None), 0),
    )  # fmt: skip


def _unfit(tape: _Tape, perp: _Tape) -> str | None:
    """Why a market cannot be run over by itself."""
    if (reason := _unusable(tape, perp)) is not None:
        return reason
    assert tape.market is not None
    return unsettled(tape.market, perp.last_mark_ns) if tape.settled is None else None


def _unusable(tape: _Tape, perp: _Tape) -> str | None:
    """Why nothing can be made of what was recorded of a market."""
    market = tape.market
    assert market is not None
    if market.strike is None or market.expiry_ns is None:
        return "not a binary with a strike"
    if not tape.books:
        return "no book"
    if tape.changed:
        return "its terms changed while it was recorded"
    if not perp.touches:
        return f"no touch of its perp {market.underlying}"
    span = tape.events[0][1].received_ns, tape.events[-1][1].received_ns
    for what, one in (("", tape), (" of its perp", perp)):
        if (gap_ns := one.longest_gap(*span)) > GAP_MAX_NS:
            return f"a gap{what} of {gap_ns / NS_PER_S:.0f} s"
        if (step_ns := one.worst_step(*span)) > STEP_BACK_MAX_NS:
            return f"the clock{what} went back by {step_ns / NS_PER_S:.1f} s"
        if wrong := [why for at_ns, why in one.wrong if span[0] <= at_ns <= span[1]]:
            return f"rows{what} that make no sense: {wrong[0]} ({len(wrong)} of them)"
    return None


def _recording(tape: _Tape, perp: _Tape) -> Recording:
    assert tape.market is not None
    first, last = tape.events[0][1].received_ns, tape.events[-1][1].received_ns
    # The perp a little before and after: what was known when the market came, and the marks around its expiry.
    begin = bisect_left(perp.events, first - AROUND_NS, key=lambda pair: pair[0][0])
    end = bisect_right(perp.events, last + AROUND_NS, key=lambda pair: pair[0][0])
    around = perp.events[begin:end]
    events = [event for _, event in sorted([*tape.events, *around], key=lambda pair: pair[0])]
    return Recording(
        outcome=tape.market, perp=perp.market or perp_of(tape.market.underlying), events=tuple(events),
        marks=tuple((e.exchange_ns, e.item.px) for _, e in around if isinstance(e.item, MarkPrice)),
        books=tape.books, prints_raw=tape.prints + tape.replayed, prints_replayed=tape.replayed, mirrored=0,
        settled=tape.settled, repairs=tuple(sorted((tape.mended + perp.mended).items())),
    )  # fmt: skip


def _tape(store: Store, name: str) -> _Tape:
    tape = _Tape()
    seen: set[tuple[int, int]] = set()
    trades: set[str] = set()
    latest = run = 0
    offset: int | None = None
    for row in _rows(store, name):
        key = row["run"], row["seq"]
        if key in seen:
            tape.mended["repeated_rows"] += 1
            continue
        seen.add(key)
        received = row["recv_ns"]
        if row["run"] != run:
            offset = None
        if row["mono_ns"] is not None:
            # The monotonic clock tells a step of the wall clock that the quiet of one market would hide.
            before, offset = offset, received - row["mono_ns"]
            tape.ahead_ns = offset if tape.ahead_ns is None else tape.ahead_ns
            if before is not None and before > offset:
                tape.steps.append((received, before - offset))
        if received < latest:
            tape.mended["held_back_times"] += 1
            tape.steps.append((latest, latest - received))
        if run not in (0, row["run"]):  # nobody listened between two runs of the recorder
            tape.gaps.append((latest, received))
        run = row["run"]
        latest = received = max(latest, received)
        if row["kind"] in OWN_KINDS:
            if row["kind"] == GAP:
                tape.gaps.append((int(json.loads(row["detail"])["from_ns"]), received))
            continue
        _take(tape, row, received, trades)
    return tape


def _take(tape: _Tape, row: Mapping[str, Any], received: int, trades: set[str]) -> None:
    item = input_of(row)
    exchange = received if row["exchange_ns"] is None else row["exchange_ns"]
    place = received, row["run"], row["seq"]
    match item:
        case MarketListed() | MarketChanged() | MarketSettled() | MarketDelisted():
            tape.life.append((place, Event(received_ns=received, exchange_ns=exchange, item=item)))
            if isinstance(item, MarketSettled):
                tape.settled = item.yes_px
            elif not isinstance(item, MarketDelisted):
                tape.changed |= tape.market not in (None, item.market)
                tape.market = item.market
            return
        case TradePrint(trade_id=trade_id):
            if (trade_id and trade_id in trades) or received - exchange > MAX_PRINT_AGE_NS:
                tape.replayed += 1
                return
            trades.add(trade_id)
            tape.prints += 1
        case BookSnapshot(bids=bids, asks=asks):
            if bids and asks and bids[0][0] >= asks[0][0]:
                tape.mended["crossed_books"] += 1
                return
            tape.books += 1
        case BboUpdate(bid=bid, ask=ask):
            if bid is not None and ask is not None and bid[0] >= ask[0]:
                tape.mended["crossed_touches"] += 1
                return
            tape.touches += 1
        case MarkPrice():
            tape.last_mark_ns = max(tape.last_mark_ns, exchange)
        case _:
            return
    if (why := nonsense(item)) is not None:
        tape.wrong.append((received, why))
    tape.events.append((place, Event(received_ns=received, exchange_ns=exchange, item=item)))


def _rows(store: Store, name: str) -> Iterator[Mapping[str, Any]]:
    return rows(ordered(store.scan(venue=HYPERLIQUID, market=name)))
