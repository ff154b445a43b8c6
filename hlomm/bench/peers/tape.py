"""The synthetic tape: rows that say what a level holds now, or that somebody traded; the same for the same seed.

A row is (at_ns, kind, side, tick, lots, last): `kind` LEVEL or PRINT; `side` +1 for a bid or a buyer that takes; `lots`
what the level holds from now on, 0 for gone, or what was traded; `last` on the final row of a frame. One frame every
`STEP_NS`: a change of the book (`CHANGES` rows; the first frame is the whole book) or prints. The book has `LEVELS` on
each side without a hole, two ticks apart at the touch, around a mid that walks and is drawn back to a half. A print
takes part of the touch, or a few whole levels; the frame after it shows what is left, or came back.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import attrs

from hlomm.bench.peers.plan import LEVELS, STEP_NS, T0_NS, TICKS
from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import BookSnapshot, Level, TradePrint
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.recording import Event, Recording, perp_of

Row = tuple[int, int, int, int, int, int]

LEVEL, PRINT = 0, 1
CHANGES: Final = 4
"""Rows of a change of the book."""
_PRINT_SHARE: Final = 0.2
_SWEEP_SHARE: Final = 0.1
"""Of the frames with prints: those that take whole levels."""
_SHIFT_SHARE: Final = 0.2
"""Of the changes of the book: those that move the mid by a tick."""
_TOWARDS: Final = 0.55
"""Of those: the ones that go back towards a half."""
_LEFT_S: Final = 60
"""From the last frame to the end of the contract: time in which only this program goes on, so not long."""
_OUTCOME: Final = 15


@attrs.frozen(kw_only=True)
class Facts:
    rows: int
    events: int
    """Changes of the book, and prints."""
    last_mid: float
    """Of the book that it ends with."""


class _Book:
    """Levels by tick, and those that the prints of the last frame took from."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._mid = TICKS // 2
        self._lots = {side: dict.fromkeys(self._span(side), 0) for side in (1, -1)}
        self._due: list[tuple[int, int]] = []

    def whole(self) -> list[tuple[int, int, int, int]]:
        return [self._filled(side, tick) for side in (1, -1) for tick in self._span(side)]

    def frame(self) -> list[tuple[int, int, int, int]]:
        """Rows without their time: (kind, side, tick, lots)."""
        if self._due:
            return self._changed()
        if self._rng.random() < _PRINT_SHARE:
            return self._prints()
        return self._shifted() if self._rng.random() < _SHIFT_SHARE else self._changed()

    def _prints(self) -> list[tuple[int, int, int, int]]:
        taker = self._rng.choice((1, -1))
        hit = self._lots[-taker]
        if self._rng.random() < _SWEEP_SHARE:
            ticks = [self._mid + taker * (1 + deep) for deep in range(self._rng.randrange(2, CHANGES + 1))]
            rows = [(PRINT, taker, tick, hit[tick]) for tick in ticks]
            hit.update({tick: self._size() for tick in ticks})
        else:
            ticks = [self._mid + taker]
            lots = min(self._rng.randrange(1, 30), hit[ticks[0]])
            rows = [(PRINT, taker, ticks[0], lots)]
            hit[ticks[0]] = hit[ticks[0]] - lots or self._size()
        self._due = [(-taker, tick) for tick in ticks]
        return rows

    def _changed(self) -> list[tuple[int, int, int, int]]:
        """What prints took first, then levels at random, none twice."""
        rows = [(LEVEL, side, tick, self._lots[side][tick]) for side, tick in self._due]
        seen, self._due = set(self._due), []
        while len(rows) < CHANGES:
            side = self._rng.choice((1, -1))
            tick = self._mid - side * self._rng.randrange(1, LEVELS + 1)
            if (side, tick) not in seen:
                seen.add((side, tick))
                rows.append(self._filled(side, tick))
        return rows

    def _shifted(self) -> list[tuple[int, int, int, int]]:
        """The mid by a tick: the touch in its way goes first, so that the book is crossed at no row."""
        back = 1 if self._mid < TICKS // 2 else -1
        way = back if self._rng.random() < _TOWARDS else -back
        behind, ahead = self._lots[way], self._lots[-way]
        gone, deep = self._mid + way, self._mid - way * LEVELS
        del ahead[gone], behind[deep]
        self._mid += way
        return [
            (LEVEL, -way, gone, 0), self._filled(way, self._mid - way),
            (LEVEL, way, deep, 0), self._filled(-way, self._mid + way * LEVELS),
        ]  # fmt: skip

    def _filled(self, side: int, tick: int) -> tuple[int, int, int, int]:
        lots = self._lots[side][tick] = self._size()
        return LEVEL, side, tick, lots

    def _size(self) -> int:
        return round(self._rng.lognormvariate(3.6, 0.8)) + 1

    def _span(self, side: int) -> range:
        """Best first."""
        return range(self._mid - side, self._mid - side * (LEVELS + 1), -side)


def rows(frames: int, seed: int = 1) -> Iterator[Row]:
    """So many frames of rows."""
    book = _Book(seed)
    for number in range(frames):
        found = book.frame() if number else book.whole()
        for place, row in enumerate(found):
            yield (T0_NS + number * STEP_NS, *row, int(place == len(found) - 1))


def end_ns(frames: int) -> int:
    """When the contract ends."""
    return T0_NS + (frames - 1) * STEP_NS + _LEFT_S * NS_PER_S


def facts(tape: Sequence[Row]) -> Facts:
    """What every contender is held to."""
    sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
    events = 0
    for _, kind, side, tick, lots, last in tape:
        events += kind == PRINT or last
        if kind == LEVEL:
            sides[side][tick] = lots
    bids, asks = ([tick for tick, lots in sides[side].items() if lots] for side in (1, -1))
    return Facts(rows=len(tape), events=events, last_mid=(max(bids) + min(asks)) / (2 * TICKS))


def recording(tape: Sequence[Row]) -> Recording:
    """The same as this program takes it: the whole book after every change, and each print."""
    market = _market((tape[-1][0] - T0_NS) // STEP_NS + 1)
    sides: dict[int, dict[int, Level]] = {1: {}, -1: {}}
    events: list[Event] = []
    for (at_ns, kind), frame in groupby(tape, key=lambda row: row[:2]):
        if kind == PRINT:
            events += [_print(market, row, len(events) + place, place) for place, row in enumerate(frame)]
            continue
        for _, _, side, tick, lots, _ in frame:
            if lots:
                sides[side][tick] = (tick * SCALE // TICKS, lots * SCALE)
            else:
                del sides[side][tick]
        bids, asks = (tuple(sides[side][tick] for tick in sorted(sides[side], reverse=side == 1)) for side in (1, -1))
        item = BookSnapshot(market.id, bids, asks, at_ns // NS_PER_MS)
        events.append(Event(received_ns=at_ns, exchange_ns=at_ns, item=item))
    books = sum(isinstance(event.item, BookSnapshot) for event in events)
    return Recording(
        outcome=market, perp=perp_of("BTC"), events=tuple(events), marks=(), books=books,
        prints_raw=len(events) - books, prints_replayed=0, mirrored=0, settled=Px(SCALE),
    )  # fmt: skip


def _print(market: Market, row: Row, number: int, place: int) -> Event:
    at_ns, _, side, tick, lots, _ = row
    item = TradePrint(
        market.id, Px(tick * SCALE // TICKS), Qty(lots * SCALE), Side.BUY if side == 1 else Side.SELL, str(number),
        at_ns // NS_PER_MS,
    )  # fmt: skip
    return Event(received_ns=at_ns + place, exchange_ns=at_ns, item=item)


def _market(frames: int) -> Market:
    return Market(
        id=outcome_market(HYPERLIQUID, _OUTCOME), venue=HYPERLIQUID, kind=MarketKind.OUTCOME,
        ticker="OUT:BTC-80000-2026-05-10T0600", underlying="BTC", tick=Px(SCALE // TICKS), lot=Qty(SCALE),
        min_notional=Cash(10 * SCALE), quote_token="USDC",  # noqa: S106 - a currency
        klass="priceBinary", strike=Px(80_000 * SCALE), period="1d", expiry_ns=end_ns(frames),
    )  # fmt: skip
