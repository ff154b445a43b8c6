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

A store without outcomes of Hyperliquid is heard, not traded (`hearing`): there only rows that make no sense exclude a
market; gaps and steps of the clock decide nothing and are counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import attrs

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, is_outcome, perp_market, venue_of
from hlomm.domain.inputs import MarketSettled, MarkPrice
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.times import NS_PER_S
from hlomm.research.recording import Event, Recording, count_books, perp_of
from hlomm.research.store.hearing import Heard, heard, listing, venues_of
from hlomm.research.store.read import Store
from hlomm.research.store.tapes import Tape, tape_of
from hlomm.research.usable import AROUND_NS, GAP_MAX_NS, STEP_BACK_MAX_NS, unsettled


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
    heard: tuple[Heard, ...] = ()
    """Where nothing can be traded: every market, and why."""
    venues: tuple[VenueId, ...] = (HYPERLIQUID,)
    """Of which the engine hears; the first is the one that fills."""

    @property
    def book_events(self) -> int:
        """Snapshots and touches."""
        return count_books(self.events)


def load_store(root: Path) -> Chosen:
    """Recordings of all outcome markets of Hyperliquid, one by one. SchemaError for files that cannot be read."""
    store = Store.open(root)
    tapes: dict[str, Tape] = {}
    found: list[Recording] = []
    excluded: list[Excluded] = []
    for name in store.markets():
        if not _tradable(name):
            continue
        tape = tape_of(store, name)
        if tape.market is None or tape.market.kind is not MarketKind.OUTCOME:
            excluded.append(Excluded(name, "", "nothing says what this market is (no `listed` row)"))
            continue
        perp = perp_market(HYPERLIQUID, tape.market.underlying)
        if perp not in tapes:
            tapes[perp] = tape_of(store, perp)
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
        raise _nothing(root, chosen.excluded or [Excluded(HYPERLIQUID, "", "no outcome: `hlomm backtest` hears it")])
    return chosen


def load_session(root: Path) -> Session:
    """All markets together. UsageError if no book is left.

    With outcomes of Hyperliquid they and its perps are heard, by the rules for single markets, but one that had not
    settled by the end of the recording stays. Without any every market of every venue is heard, and nothing is traded.
    """
    store = Store.open(root)
    names = store.markets()
    if not any(map(_tradable, names)):
        return _heard(root, {name: tape_of(store, name) for name in names})
    tapes = {name: tape_of(store, name) for name in names if name.startswith(f"{HYPERLIQUID}:")}
    excluded = _of_others(names)
    for name, tape in list(tapes.items()):
        if not _tradable(name):
            continue
        market, reason = tape.market, "nothing says what this market is (no `listed` row)"
        if market is not None and market.kind is MarketKind.OUTCOME:
            reason = _unusable(tape, tapes.get(perp_market(HYPERLIQUID, market.underlying), Tape())) or ""
        if reason:
            excluded.append(Excluded(name, "" if market is None else market.ticker, reason))
            del tapes[name]
    markets = tuple(tape.market for name, tape in tapes.items() if tape.market is not None and _tradable(name))
    if not markets:
        raise _nothing(root, [one for one in excluded if _tradable(one.market)])
    rows_of = (pair for tape in tapes.values() for pair in (*tape.life, *tape.events))
    mended = sum((tape.mended for tape in tapes.values()), Counter[str]())
    return Session(
        markets=markets, events=tuple(event for _, event in sorted(rows_of, key=lambda pair: pair[0])),
        excluded=tuple(excluded), repairs=tuple(sorted(mended.items())), ahead_ns=_ahead_ns(tapes),
    )  # fmt: skip


def only_heard(root: Path) -> bool:
    """Whether nothing in a store can be traded, because it has no outcome of Hyperliquid."""
    return not any(map(_tradable, Store.open(root).markets()))


def _tradable(name: str) -> bool:
    return name.startswith(f"{HYPERLIQUID}:") and is_outcome(MarketId(name))


def _heard(root: Path, tapes: dict[str, Tape]) -> Session:
    excluded = [
        Excluded(name, "" if tape.market is None else tape.market.ticker, _senseless(tape.wrong))
        for name, tape in tapes.items() if tape.wrong
    ]  # fmt: skip
    tapes = {name: tape for name, tape in tapes.items() if not tape.wrong}
    if not any(tape.books or tape.touches for tape in tapes.values()):
        raise _nothing(root, excluded)
    rows = [pair for name, tape in tapes.items() for pair in (*listing(name, tape), *tape.life, *tape.events)]
    rows.sort(key=lambda pair: pair[0])
    mended = sum((tape.mended for tape in tapes.values()), Counter[str]())
    mended["replayed_prints"] += sum(tape.replayed for tape in tapes.values())
    mended["gaps"] += sum(len(tape.gaps) for tape in tapes.values())
    return Session(
        markets=(), events=tuple(event for _, event in rows), excluded=tuple(excluded),
        repairs=tuple(sorted((+mended).items())), ahead_ns=_ahead_ns(tapes),
        heard=tuple(heard(name, tape, tapes) for name, tape in tapes.items()), venues=venues_of(tapes),
    )  # fmt: skip


def _of_others(names: Sequence[str]) -> list[Excluded]:
    """One for each other venue: beside outcomes that are traded its markets are not heard."""
    others = Counter(venue_of(MarketId(name)) for name in names if not name.startswith(f"{HYPERLIQUID}:"))
    return [
        Excluded(venue, "", f"{count} markets: orders are filled at {HYPERLIQUID} alone")
        for venue, count in sorted(others.items())
    ]


def _nothing(root: Path, excluded: Sequence[Excluded]) -> UsageError:
    reasons = "; ".join(f"{one.ticker or one.market}: {one.reason}" for one in excluded[:5])
    return UsageError(f"{root}: no market of it can be backtested ({reasons or 'it has no book'})")


def _ahead_ns(tapes: dict[str, Tape]) -> int:
    return next((tape.ahead_ns for tape in tapes.values() if tape.ahead_ns is not None), 0)


def _senseless(wrong: Sequence[tuple[int, str]], what: str = "") -> str:
    return f"rows{what} that make no sense: {wrong[0][1]} ({len(wrong)} of them)"


def _unfit(tape: Tape, perp: Tape) -> str | None:
    """Why a market cannot be run over by itself."""
    if (reason := _unusable(tape, perp)) is not None:
        return reason
    assert tape.market is not None
    return unsettled(tape.market, perp.last_mark_ns) if tape.settled is None else None


def _unusable(tape: Tape, perp: Tape) -> str | None:
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
        if (gap_ns := one.longest_gap(span[0], _end_ns(tape))) > GAP_MAX_NS:
            return f"a gap{what} of {gap_ns / NS_PER_S:.0f} s"
        if (step_ns := one.worst_step(*span)) > STEP_BACK_MAX_NS:
            return f"the clock{what} went back by {step_ns / NS_PER_S:.1f} s"
        if wrong := [row for row in one.wrong if span[0] <= row[0] <= span[1]]:
            return _senseless(wrong, what)
    return None


def _end_ns(tape: Tape) -> int:
    """Until when it lived: to its expiry, to the news that it had settled before, or to its last row."""
    assert tape.market is not None
    assert tape.market.expiry_ns is not None
    told = [event.received_ns for _, event in tape.life if isinstance(event.item, MarketSettled)]
    return max(tape.events[-1][1].received_ns, min([tape.market.expiry_ns, *told]))


def _recording(tape: Tape, perp: Tape) -> Recording:
    assert tape.market is not None
    first, last = tape.events[0][1].received_ns, _end_ns(tape)
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
