"""How far each venue's price of one event stands from what all of them say, over time, and whether that pays.

The consensus at an instant is the mean of mids, each weighted by the inverse square of its half-spread: a tight book
says more than a wide one. A venue's deviation is its mid less the consensus of the *others*, so that a venue alone in
being wrong is not half right. It is a signal while it exceeds what trading on it costs: the venue's half-spread and
fee, the other side's, and the least edge wanted. For people and reports; the arbitrage looks at the books.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Final

import attrs

from hlomm.domain.edge_rows import StandingRow
from hlomm.domain.ids import MarketId
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px, to_float

Prices = tuple[int, int, int]
"""(best bid, best ask, what taking costs per contract), scaled."""

SIGNALS_KEPT: Final = 256
LEAST_HALF_SPREAD: Final = 0.0005
"""Books tighter than this all count alike."""


@attrs.frozen(kw_only=True)
class Signal:
    """A deviation that exceeded its threshold, when it began."""

    t_s: float
    venue: str
    deviation: float
    """Signed: positive where the venue is dearer than the others."""
    threshold: float


@attrs.frozen(kw_only=True)
class Standing:
    """One venue over the lookback."""

    venue: str
    deviation: float | None
    """Now; None while it, or everybody else, has no fresh two-sided book."""
    threshold: float | None
    mean: float
    """Mean of |deviation| over the time it was known."""
    peak: float
    beyond: float
    """Share of that time spent beyond the threshold."""
    known_s: float


@attrs.define(eq=False)
class _Quote:
    t_s: float
    mid: float
    half: float
    cost: float


@attrs.define(eq=False)
class _Venue:
    quote: _Quote | None = None
    deviation: float | None = None
    threshold: float = 0.0
    spans: deque[tuple[float, float, float, float]] = attrs.field(factory=deque)
    """(from, to, |deviation|, threshold), oldest first."""


class Inefficiency:
    """Rolling view of one event. Times in seconds, never going back; prices in YES space.

    `max_spans` bounds what is kept per venue: once it is reached the oldest goes, however young.
    """

    def __init__(self, *, lookback_s: float, max_age_s: float, min_edge: float, max_spans: int = 4_096) -> None:
        assert lookback_s > 0.0
        assert max_age_s > 0.0
        self.lookback_s, self.max_age_s, self.min_edge = lookback_s, max_age_s, min_edge
        self.signals: deque[Signal] = deque(maxlen=SIGNALS_KEPT)
        self.ignored = 0
        self._max_spans = max_spans
        self._venues: dict[str, _Venue] = {}
        self._t_s = -math.inf

    def update(self, t_s: float, venue: str, bid: float | None, ask: float | None, cost: float) -> None:
        """A venue's best prices and what taking there costs per contract; None for a side nobody is on."""
        self.sample(t_s, {venue: (bid, ask, cost)})

    def sample(self, t_s: float, quotes: Mapping[str, tuple[float | None, float | None, float]]) -> None:
        """Prices of several venues at one instant, as for `update`: none is held against an older one of another."""
        if not (math.isfinite(t_s) and t_s >= self._t_s and all(cost >= 0.0 for _, _, cost in quotes.values())):
            self.ignored += 1
            return
        self._pass(t_s)
        for venue, (bid, ask, cost) in quotes.items():
            known = self._venues.setdefault(venue, _Venue())
            known.quote = None
            if bid is not None and ask is not None and 0.0 < bid <= ask < 1.0:
                known.quote = _Quote(t_s, 0.5 * (bid + ask), max(0.5 * (ask - bid), LEAST_HALF_SPREAD), cost)
        self._weigh(t_s)

    def standings(self, t_s: float) -> list[Standing]:
        """Every venue seen, in the order in which they were."""
        if t_s >= self._t_s:
            self._pass(t_s)
            self._weigh(t_s)
        found = []
        for name, known in self._venues.items():
            total = math.fsum(end - start for start, end, _, _ in known.spans)
            mean = math.fsum((end - start) * size for start, end, size, _ in known.spans)
            beyond = math.fsum(end - start for start, end, size, threshold in known.spans if size > threshold)
            found.append(
                Standing(
                    venue=name, deviation=known.deviation,
                    threshold=None if known.deviation is None else known.threshold,
                    mean=mean / total if total > 0.0 else 0.0,
                    peak=max((size for _, _, size, _ in known.spans), default=0.0),
                    beyond=beyond / total if total > 0.0 else 0.0, known_s=total,
                )
            )  # fmt: skip
        return found

    def now(self) -> dict[str, tuple[float, float]]:
        """(deviation, threshold) as of the last sample, of the venues that had one then. Reading only."""
        return {
            name: (known.deviation, known.threshold)
            for name, known in self._venues.items()
            if known.deviation is not None
        }

    def heat(self, t_s: float, cells: int) -> dict[str, list[float | None]]:
        """By venue: mean of |deviation| / threshold in equal stretches of the lookback up to now, oldest first.

        None where it was not known.
        """
        width, begin = self.lookback_s / cells, t_s - self.lookback_s
        found: dict[str, list[float | None]] = {}
        for name, known in self._venues.items():
            sums, times = [0.0] * cells, [0.0] * cells
            for start, end, size, threshold in known.spans:
                first, last = max(int((start - begin) / width), 0), min(int((end - begin) / width), cells - 1)
                for cell in range(first, last + 1):
                    inside = min(end, begin + (cell + 1) * width) - max(start, begin + cell * width)
                    if inside > 0.0:
                        times[cell] += inside
                        sums[cell] += inside * size / threshold
            found[name] = [total / time if time > 0.0 else None for total, time in zip(sums, times, strict=True)]
        return found

    def _pass(self, t_s: float) -> None:
        """Count the time since the last event as what was seen then; a quote counts until it is too old."""
        for known in self._venues.values():
            if known.deviation is not None:
                end = min(t_s, self._stale_at(known))
                if end > self._t_s:
                    known.spans.append((self._t_s, end, abs(known.deviation), known.threshold))
            while known.spans and (known.spans[0][1] <= t_s - self.lookback_s or len(known.spans) > self._max_spans):
                known.spans.popleft()
            if known.spans and known.spans[0][0] < t_s - self.lookback_s:
                known.spans[0] = (t_s - self.lookback_s, *known.spans[0][1:])
        self._t_s = t_s

    def _stale_at(self, known: _Venue) -> float:
        """When this venue, or the last of the others, will have been silent for too long."""
        own = -math.inf if known.quote is None else known.quote.t_s
        others = max(
            (other.quote.t_s for other in self._venues.values() if other is not known and other.quote is not None),
            default=-math.inf,
        )
        return min(own, others) + self.max_age_s

    def _weigh(self, t_s: float) -> None:
        fresh = {
            name: known.quote
            for name, known in self._venues.items()
            if known.quote is not None and t_s - known.quote.t_s <= self.max_age_s
        }
        for name, known in self._venues.items():
            others = [quote for other, quote in fresh.items() if other != name]
            was = known.deviation is not None and abs(known.deviation) > known.threshold
            if name not in fresh or not others:
                known.deviation = None
                continue
            own = fresh[name]
            weight = math.fsum(1.0 / quote.half**2 for quote in others)
            consensus = math.fsum(quote.mid / quote.half**2 for quote in others) / weight
            known.deviation = own.mid - consensus
            known.threshold = own.half + own.cost + self.min_edge + min(quote.half + quote.cost for quote in others)
            if abs(known.deviation) > known.threshold and not was:
                self.signals.append(Signal(t_s=t_s, venue=name, deviation=known.deviation, threshold=known.threshold))


# -- in whole numbers


def take_in(view: Inefficiency, mono_ns: int, books: Mapping[MarketId, Prices | None]) -> None:
    """A sample of scaled prices; None for a market that says nothing."""
    quotes: dict[str, tuple[float | None, float | None, float]] = {}
    for market, prices in books.items():
        if prices is None:
            quotes[market] = None, None, 0.0
        else:
            quotes[market] = to_float(prices[0]), to_float(prices[1]), to_float(prices[2])
    view.sample(mono_ns / NS_PER_S, quotes)


def told(view: Inefficiency, mono_ns: int, cells: int) -> list[StandingRow]:
    """Every market seen, as people are shown it."""
    t_s = mono_ns / NS_PER_S
    heat = view.heat(t_s, cells)
    return [
        StandingRow(
            market=MarketId(one.venue), deviation=None if one.deviation is None else nearest(one.deviation),
            threshold=None if one.threshold is None else nearest(one.threshold), mean=nearest(one.mean),
            peak=nearest(one.peak), beyond=nearest(min(one.beyond, 1.0)), known_s=one.known_s,
            heat=tuple(-1 if cell is None else min(round(100 * cell), 999) for cell in heat[one.venue]),
        )
        for one in view.standings(t_s)
    ]  # fmt: skip


def nearest(value: float) -> Px:
    """Scaled, to the nearest unit: for showing."""
    return Px(round(value * SCALE))
