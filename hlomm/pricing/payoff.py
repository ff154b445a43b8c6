"""Worst and best P&L of a set of legs over where the underlying may settle.

Digital legs are step functions, perps are linear, so the extremes sit at strikes (from either side) and at the ends
of the range. Legs that settle on different sources do not settle on the same number: with a basis band b each source
settles anywhere within b of S, independently, and a "locked" pair can lose. Perps are marked on S itself and make the
result unbounded outside the range: state it.

Points are pairs (x, side), side -1, 0 or +1 for just below, at and just above x, ordered as tuples; x is a Fraction,
so that strike + b - b is the strike again and no limit is missed by a rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import IntEnum
from fractions import Fraction

import attrs

from hlomm.pricing.digital import Comparator

_Point = tuple[Fraction, int]


class LegKind(IntEnum):
    YES = 0
    NO = 1


@attrs.frozen(kw_only=True)
class DigitalLeg:
    """Contracts of one token; negative `qty` is short."""

    kind: LegKind
    qty: float
    strike: float
    cost: float
    comparator: Comparator = Comparator.AT_LEAST
    source: str = ""
    """What it settles on; legs with equal sources settle on one value."""

    def pnl(self, x: Fraction, side: int) -> float:
        strike = Fraction(self.strike)
        at_strike = side > 0 or (side == 0 and self.comparator is Comparator.AT_LEAST)
        yes = at_strike if x == strike else x > strike
        return self.qty * ((1.0 if yes == (self.kind is LegKind.YES) else 0.0) - self.cost)

    @property
    def strikes(self) -> tuple[float, ...]:
        return (self.strike,)


@attrs.frozen(kw_only=True)
class BucketLeg:
    """Pays 1 for lo <= S < hi; None is an open end."""

    qty: float
    lo: float | None
    hi: float | None
    cost: float
    source: str = ""

    def pnl(self, x: Fraction, side: int) -> float:
        above = self.lo is None or (Fraction(self.lo), 0) <= (x, side)
        inside = above and (self.hi is None or (x, side) < (Fraction(self.hi), 0))
        return self.qty * ((1.0 if inside else 0.0) - self.cost)

    @property
    def strikes(self) -> tuple[float, ...]:
        return tuple(bound for bound in (self.lo, self.hi) if bound is not None)


@attrs.frozen(kw_only=True)
class PerpLeg:
    """Coins of the underlying, signed."""

    qty: float
    entry: float


Leg = DigitalLeg | BucketLeg | PerpLeg


@attrs.frozen
class Extremes:
    worst_pnl: float
    worst_at: float
    """One S that attains it (or approaches it); not unique."""
    best_pnl: float
    best_at: float


def extremes(legs: Iterable[Leg], s_lo: float, s_hi: float, basis_abs: float = 0.0) -> Extremes:
    """Over S in [s_lo, s_hi], each source settling within `basis_abs` of S. Gate on this number, not on delta."""
    assert s_lo <= s_hi
    assert basis_abs >= 0.0
    perps: list[PerpLeg] = []
    by_source: dict[str, list[DigitalLeg | BucketLeg]] = {}
    for leg in legs:
        if isinstance(leg, PerpLeg):
            perps.append(leg)
        else:
            by_source.setdefault(leg.source, []).append(leg)
    band = Fraction(basis_abs)
    books = [(_profile(group)) for group in by_source.values()]
    result = Extremes(math.inf, s_lo, -math.inf, s_lo)
    for point in _candidates(books, Fraction(s_lo), Fraction(s_hi), band):
        s = float(point[0])
        linear = math.fsum(perp.qty * (s - perp.entry) for perp in perps)
        ranges = [_within(book, point, band) for book in books]
        low = linear + math.fsum(r[0] for r in ranges)
        high = linear + math.fsum(r[1] for r in ranges)
        if low < result.worst_pnl:
            result = attrs.evolve(result, worst_pnl=low, worst_at=s)
        if high > result.best_pnl:
            result = attrs.evolve(result, best_pnl=high, best_at=s)
    return result


def _profile(group: Sequence[DigitalLeg | BucketLeg]) -> dict[_Point, float]:
    """P&L of one source at, below and above each of its strikes: every value the step function takes."""
    points = sorted({(Fraction(strike), side) for leg in group for strike in leg.strikes for side in (-1, 0, 1)})
    # Open at both ends a bucket has no strike, and one value everywhere.
    points = points or [(Fraction(0), 0)]
    return {point: math.fsum(leg.pnl(*point) for leg in group) for point in points}


def _candidates(books: Sequence[dict[_Point, float]], lo: Fraction, hi: Fraction, band: Fraction) -> list[_Point]:
    """The range's ends, and where a strike enters or leaves some source's band."""
    edges = {x + shift for book in books for x, _ in book for shift in (-band, band)}
    inner = {(x, side) for x in edges for side in (-1, 0, 1)}
    return sorted(point for point in inner | {(lo, 0), (hi, 0)} if (lo, 0) <= point <= (hi, 0))


def _within(book: dict[_Point, float], point: _Point, band: Fraction) -> tuple[float, float]:
    """Least and most a source can pay while S is at `point`."""
    x, side = point
    first, last = (x - band, side), (x + band, side)
    seen = [value for at, value in book.items() if first <= at <= last]
    below = [value for at, value in book.items() if at <= first]
    # Between strikes the function keeps the value it took just above the strike before (or below the first one).
    seen.append(below[-1] if below else next(iter(book.values())))
    return min(seen), max(seen)
