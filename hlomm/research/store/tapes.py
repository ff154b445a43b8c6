"""One market's rows as they can be used: in order, each once, what is wrong with them counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

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
from hlomm.domain.markets import Market
from hlomm.domain.units import Px
from hlomm.research.recording import Event
from hlomm.research.store.read import Store, ordered, rows
from hlomm.research.store.schema import GAP, OWN_KINDS, input_of, venue_in
from hlomm.research.usable import MAX_PRINT_AGE_NS, nonsense

Placed = tuple[tuple[int, int, int], Event]
"""With (time, run, seq), by which rows of several markets are merged."""


@attrs.define(eq=False)
class Tape:
    """One market's rows, cleaned."""

    events: list[Placed] = attrs.field(factory=list)
    life: list[Placed] = attrs.field(factory=list)
    """Its listing, its changes and its end."""
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


def tape_of(store: Store, name: str) -> Tape:
    tape = Tape()
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


def _take(tape: Tape, row: Mapping[str, Any], received: int, trades: set[str]) -> None:
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
    return rows(ordered(store.scan(venue=venue_in(name), market=name)))
