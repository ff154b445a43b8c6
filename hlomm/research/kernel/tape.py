"""A recording as flat arrays, made by the engine's own intake: what it knows after every event, and what stirs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hlomm import __version__
from hlomm.assembly.engine import build_engine
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import AccountState, BookSnapshot, Booted, Level, MarketListed, SessionUp, TradePrint
from hlomm.domain.times import NS_PER_MS, Now
from hlomm.domain.units import to_float
from hlomm.domain.view import BookShape
from hlomm.engine.core import Engine
from hlomm.pricing import fair, microprice
from hlomm.research.backtest import SAMPLE_NS, START_CASH
from hlomm.research.fee_schedule import Schedule
from hlomm.research.kernel.layout import (
    BEST,
    BEST_QTY,
    BOOK_COLUMNS,
    BOOK_HEARD,
    COUNTS,
    COUNTS_PX,
    FIRST,
    HAPPENED,
    MARK_HEARD,
    MARKED,
    PERP_HEARD,
    SECOND,
    Tape,
    records,
)
from hlomm.research.recording import Recording
from hlomm.research.tape import Happened, Lines
from hlomm.settings.load import Loaded

STRATEGY: Final = "avellaneda"
_TIMES: Final = {0: BOOK_HEARD, 2: PERP_HEARD, 4: MARK_HEARD}
"""Which of what is known after an event are times."""
Ints = NDArray[np.int64]
Sides = tuple[tuple[Level, ...], tuple[Level, ...]]


def tape_of(recording: Recording, loaded: Loaded, lines: Lines, fees: Schedule) -> Tape:
    """UsageError where something happens in it that compiled code does not follow."""
    engine = _listening(recording, loaded, lines.feed[0].at_ns, fees)
    market, perp = engine.state.markets[recording.outcome.id], engine.state.markets[recording.perp.id]
    if market.strategy != STRATEGY:
        raise UsageError(
            f"the kernel tier quotes by strategy.{STRATEGY}, which does not want {recording.outcome.ticker}"
        )
    heard, heard_ns = np.zeros(len(lines.feed), np.int8), np.zeros(len(lines.feed), np.int64)
    before = (0, -1, 0, -1, 0)
    marked: list[tuple[int, ...]] = []
    found: list[Sides] = []
    next_sample_ns = 0
    for place, one in enumerate(lines.feed):
        engine.state.dirty.clear()
        count = market.book.count
        engine.feed(one.event.item, Now(one.at_ns, one.at_ns))
        if engine.state.counters.trips:
            why = ", ".join(engine.state.counters.trips)
            raise UsageError(f"{recording.outcome.ticker}: {why} trips, which the kernel tier does not model")
        changed = market.book.count != count
        if changed:
            found.append((market.book.bids, market.book.asks))
        two_sided = perp.book.shape is BookShape.TWO_SIDED
        sampled = one.at_ns >= next_sample_ns
        if sampled:
            next_sample_ns = one.at_ns + SAMPLE_NS
        stirs = 1 if changed else 2 if market.market.id in engine.state.dirty else 0
        known = (
            market.book.received_ns, perp.book.bids[0][0] + perp.book.asks[0][0] if two_sided else -1,
            perp.book.received_ns, -1 if perp.mark_px is None else perp.mark_px, perp.mark_ns,
        )  # fmt: skip
        news = [which for which in range(len(known)) if known[which] != before[which]]
        if stirs or sampled or len(news) > 1 or not set(news) <= set(_TIMES):
            marked.append((place, stirs, sampled, len(found) - 1, *known))
        elif news:
            heard[place], heard_ns[place] = _TIMES[news[0]], known[news[0]]
        before = known
    ends, levels = _flat(found)
    books, values = _books(found, ends, loaded)
    venue, snapshots = _venue(lines.tape)
    shown, depth = _flat(snapshots)
    return Tape(
        at=np.array([one.at_ns for one in lines.feed], np.int64), heard=heard, heard_ns=heard_ns,
        marked=_rows(marked, len(heard)), books=books, levels=levels, values=values,
        venue_at=np.array([one.at_ns for one in lines.tape], np.int64), venue=venue, shown=shown, depth=depth,
    )  # fmt: skip


def _first_from_here(marked: NDArray[np.bool_]) -> Ints:
    """Of every place the first from there on that is marked; how many places there are, for none."""
    places = np.where(marked, np.arange(len(marked)), len(marked))
    return np.minimum.accumulate(places[::-1])[::-1]


def _listening(recording: Recording, loaded: Loaded, at_ns: int, fees: Schedule) -> Engine:
    """An engine that knows the markets and has its account, as a backtest begins."""
    engine, now = build_engine(loaded.settings), Now(at_ns, at_ns)
    for item in (
        Booted(
            epoch_ms=at_ns // NS_PER_MS, profile=loaded.profile, version=__version__, config=loaded.engine_json(),
            halted=None,
        ),
        MarketListed(recording.perp), MarketListed(recording.outcome), fees.rates,
        AccountState(venue=HYPERLIQUID, cash=START_CASH, tokens=(), orders=(), asked_mono_ns=at_ns),
        SessionUp(HYPERLIQUID),
    ):  # fmt: skip
        engine.feed(item, now)
        engine.turn(now)
    return engine


def _flat(found: Sequence[Sides]) -> tuple[Ints, Ints]:
    """(first and end of bids and asks, all levels one after another)."""
    ends = np.zeros((len(found), 4), np.int64)
    levels: list[Level] = []
    for number, sides in enumerate(found):
        for side, of_side in enumerate(sides):
            ends[number, side] = len(levels)
            levels.extend(of_side)
            ends[number, 2 + side] = len(levels)
    return ends, np.array(levels or [(0, 0)], np.int64)


def _rows(marked: list[tuple[int, ...]], events: int) -> Any:
    rows = records(len(marked) + 1, MARKED)
    rows[:-1] = marked
    rows[-1].number = events
    return rows


def _books(found: Sequence[Sides], ends: Ints, loaded: Loaded) -> tuple[Ints, Any]:
    """What is read off each book by itself: its best levels, which one counts, and the price with its error."""
    rules = loaded.settings.strategy.avellaneda
    books, values = np.full((len(found), BOOK_COLUMNS), -1, np.int64), np.full((len(found), 5), np.nan)
    books[:, FIRST:COUNTS] = ends
    for number, sides in enumerate(found):
        for side, levels in enumerate(sides):
            at = next((at for at, (_, qty) in enumerate(levels) if qty > 0 and to_float(qty) >= rules.size_floor), None)
            if at is not None:
                books[number, [COUNTS + side, COUNTS_PX + side]] = ends[number, side] + at, levels[at][0]
            if levels:
                books[number, [BEST + side, BEST_QTY + side]] = levels[0]
            if len(levels) > 1:
                books[number, SECOND + side] = levels[1][0]
        bids, asks = ([(to_float(px), to_float(qty)) for px, qty in levels] for levels in sides)
        price = microprice.guarded(
            bids, asks, size_floor=rules.size_floor, tick=rules.max_microprice_spread, max_ticks=1.0
        )
        if price.value is not None and price.spread is not None and price.mid is not None:
            said = fair.book_estimate(price.value, price.spread)
            error = (np.nan, np.nan) if said is None else (said.z, said.sd_z)
            values[number] = price.value, price.spread, price.mid, *error
    return books, values


def _venue(tape: Sequence[Happened]) -> tuple[Any, list[Sides]]:
    """(what happens there, in its order; the snapshots)."""
    rows = records(len(tape), HAPPENED)
    snapshots: list[Sides] = []
    for place, one in enumerate(tape):
        item = one.item
        if isinstance(item, BookSnapshot):
            snapshots.append((item.bids, item.asks))
            rows[place] = 0, 0, len(snapshots) - 1, 0, 0, one.told_ns
        else:
            assert isinstance(item, TradePrint), "one contract, and no perp"
            rows[place] = -int(item.aggressor), 0, len(snapshots) - 1, item.px, item.qty, one.told_ns
    rows.next_trade = _first_from_here(rows.trade != 0)
    # The compiled walk goes from trade to trade, and this is what bounds it.
    assert bool((rows.next_trade >= np.arange(len(rows))).all()), "a next trade lies behind"
    return rows, snapshots
