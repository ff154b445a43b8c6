"""Candles of every live book, made from its trades: what `candleSnapshot` serves (venue sheet section 2).

Only the latest 5,000 of each length are kept. A length of time without a trade has no candle, and candles of a settled
coin are deleted with it. They are kept in YES space; the other coin shows the mirror image.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.sim.coins import OUTCOME_GRID, PERP_COIN, PERP_GRID, WHOLE, outcome_coin, wire
from hlomm.sim.events import OutcomeSettled, Trade, Traded
from hlomm.sim.world import Commit

KEPT: Final = 5_000
MINUTE_MS: Final = 60_000
LENGTHS_MS: Final = {
    name: minutes * MINUTE_MS
    for name, minutes in (
        ("1m", 1), ("3m", 3), ("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60), ("2h", 120), ("4h", 240), ("8h", 480),
        ("12h", 720), ("1d", 1_440),
    )
}  # fmt: skip
"""The venue's three longest (3d, 1w, 1M) are not simulated: nobody lives that long here."""


@attrs.define
class Candle:
    """Prices in ticks, volume in lots."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    trades: int

    def add(self, other: Candle) -> None:
        """Take in what came after."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close = other.close
        self.lots += other.lots
        self.trades += other.trades


class _Series:
    """Candles of one book. The open minute is folded into every length when it is over, not at every trade."""

    def __init__(self) -> None:
        self._minute: Candle | None = None
        self._kept: dict[int, deque[Candle]] = {length: deque(maxlen=KEPT) for length in LENGTHS_MS.values()}

    def note(self, trade: Trade) -> None:
        start_ms = trade.time_ms - trade.time_ms % MINUTE_MS
        one = Candle(start_ms, trade.ticks, trade.ticks, trade.ticks, trade.ticks, trade.lots, 1)
        if self._minute is not None and self._minute.start_ms == start_ms:
            self._minute.add(one)
            return
        if self._minute is not None:
            for length_ms, kept in self._kept.items():
                _fold(kept, self._minute, length_ms)
        self._minute = one

    def of(self, length_ms: int) -> deque[Candle]:
        """Oldest first, with what is not over yet."""
        candles = self._kept[length_ms].copy()
        if self._minute is not None:
            if candles:
                candles[-1] = attrs.evolve(candles[-1])
            _fold(candles, self._minute, length_ms)
        return candles


def _fold(candles: deque[Candle], minute: Candle, length_ms: int) -> None:
    start_ms = minute.start_ms - minute.start_ms % length_ms
    if candles and candles[-1].start_ms == start_ms:
        candles[-1].add(minute)
    else:
        candles.append(attrs.evolve(minute, start_ms=start_ms))


class Candles:
    """Candles by outcome; None is the perp."""

    def __init__(self) -> None:
        self._series: dict[int | None, _Series] = {}

    def note(self, commit: Commit) -> None:
        for event in commit.events:
            if isinstance(event, Traded):
                series = self._series.get(event.trade.outcome)
                if series is None:
                    series = self._series[event.trade.outcome] = _Series()
                series.note(event.trade)
            elif isinstance(event, OutcomeSettled):
                self._series.pop(event.outcome, None)

    def rows(self, outcome: int | None, leg: Leg, interval: str, start_ms: int, end_ms: int) -> list[dict[str, Any]]:
        """Of the candles kept, those of which a part lies within the span, oldest first. KeyError: no such interval."""
        length_ms = LENGTHS_MS[interval]
        series = self._series.get(outcome)
        if series is None:
            return []
        first_ms = start_ms - start_ms % length_ms
        chosen = (one for one in series.of(length_ms) if first_ms <= one.start_ms <= end_ms)
        return [_row(one, outcome, leg, interval, length_ms) for one in chosen]


def _row(candle: Candle, outcome: int | None, leg: Leg, interval: str, length_ms: int) -> dict[str, Any]:
    grid = PERP_GRID if outcome is None else OUTCOME_GRID
    opened, high, low, close = candle.open, candle.high, candle.low, candle.close
    if outcome is not None and leg is Leg.NO:
        opened, high, low, close = WHOLE - opened, WHOLE - low, WHOLE - high, WHOLE - close
    return {
        "t": candle.start_ms,
        "T": candle.start_ms + length_ms - 1,
        "s": PERP_COIN if outcome is None else outcome_coin(outcome, leg),
        "i": interval,
        "o": wire(opened * grid.tick),
        "c": wire(close * grid.tick),
        "h": wire(high * grid.tick),
        "l": wire(low * grid.tick),
        "v": wire(candle.lots * grid.lot),
        "n": candle.trades,
    }
