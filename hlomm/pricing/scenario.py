"""Worst and best result over where an underlying may settle, in integers: tokens of strikes and buckets, and a perp.

Exact where `hlomm.pricing.payoff` is a float model for research: quantities, prices and cash are 1e-8 units, sums are
kept unrounded, and only the answers are rounded, the worst down and the best up. A settlement price is an integer too,
so "just below a strike" is the strike less one unit, and a function that is linear between bounds has its extremes at
bounds, one unit below them, and at the ends of the range (QUANT 7.1).

A perp makes the result unbounded, so the range is stated: [low, high]. It is also not there to be closed at the
settlement price: `margin` is what a jump may take from it between the last price at which the hedge could trade and
the close, as a share of its value at settlement. The margin is a cost at every settlement price, for longs and shorts
alike, and it is linear between bounds as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.units import SCALE


@attrs.frozen(kw_only=True)
class Claim:
    """Tokens of one contract, signed; YES pays `inside` for floor <= S < ceiling and `outside` elsewhere.

    None is an open end; with neither bound the contract does not hang on this underlying and may settle either way,
    whatever the others do. NO pays the rest of 1.
    """

    yes: int = 0
    no: int = 0
    floor: int | None = None
    ceiling: int | None = None
    above: bool = False
    """YES only above the floor, not at it (the comparator ">")."""
    inside: int = SCALE
    """Settled fraction: a contract may pay part of 1 (a tie shared, a deployer's settlement fraction)."""
    outside: int = 0
    cost: int = 0
    """Cash paid for the tokens, signed."""

    @property
    def dated(self) -> bool:
        return self.floor is not None or self.ceiling is not None

    @property
    def bounds(self) -> tuple[int, ...]:
        """Lowest prices of the intervals after the first."""
        low = None if self.floor is None else self.floor + self.above
        return tuple(bound for bound in (low, self.ceiling) if bound is not None)

    def pays(self, price: int) -> int:
        """Result at a settlement price, in units of 1e-16."""
        low = None if self.floor is None else self.floor + self.above
        within = (low is None or price >= low) and (self.ceiling is None or price < self.ceiling)
        return self.at(self.inside if within else self.outside)

    def at(self, fraction: int) -> int:
        """Result if YES pays a fraction, in units of 1e-16."""
        return self.yes * fraction + self.no * (SCALE - fraction) - self.cost * SCALE


@attrs.frozen(kw_only=True)
class PerpClaim:
    """Coins held, signed, with what they stand in the books at."""

    qty: int
    entry: int

    def pays(self, price: int, margin: int) -> int:
        """Result at a settlement price less the jump margin (1e-8), in units of 1e-24: linear, nothing is rounded."""
        return self.qty * (price - self.entry) * SCALE - abs(self.qty) * price * margin


@attrs.frozen(kw_only=True)
class Scenario:
    """Extremes in cash, each with one price that attains it; 0 lost is the worst of nothing held."""

    worst: int
    worst_at: int
    best: int
    best_at: int


def scenario(
    claims: Sequence[Claim], perps: Sequence[PerpClaim] = (), *, low: int, high: int, margin: int = 0
) -> Scenario:
    """Extremes over settlement prices in [low, high], 0 <= low <= high; ValueError for anything else.

    Cost: one pass over all claims per bound.
    """
    if not 0 <= low <= high:
        raise ValueError(f"no range of settlement prices: {low} to {high}")
    if not 0 <= margin <= SCALE:
        raise ValueError(f"a jump margin is a share of the value: {margin}")
    free = [(claim.at(claim.inside), claim.at(claim.outside)) for claim in claims if not claim.dated]
    least, most = sum(min(pair) for pair in free), sum(max(pair) for pair in free)
    dated = [claim for claim in claims if claim.dated]
    points = {low, high}
    for claim in dated:
        points.update(at for bound in claim.bounds for at in (bound - 1, bound) if low < at < high)
    found = [
        (sum(claim.pays(at) for claim in dated) * SCALE + sum(perp.pays(at, margin) for perp in perps), at)
        for at in sorted(points)
    ]
    worst, worst_at = min(found)
    best, best_at = max(found)
    unit = SCALE * SCALE
    lowest, highest = worst + least * SCALE, best + most * SCALE
    return Scenario(worst=lowest // unit, worst_at=worst_at, best=-(-highest // unit), best_at=best_at)
