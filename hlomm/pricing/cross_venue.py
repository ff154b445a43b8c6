"""Arbitrages that buy several tokens which together pay at least a known amount. Exact integers in 1e-8.

Every one of them has the same shape, so there is one search for all:

    a pair across venues    YES at A and NO at B of one event         pays 1 (and the basis is charged)
    a complete set          YES and NO of one contract                pays 1
    monotonicity            YES at K1 and NO at K2 > K1               pays 1 at least
    buckets                 YES of all N, or NO of k of them          pays 1, or k - 1
    mint and sell           one token of a freshly split pair sold    is the purchase of the other one at 1 - bid

A leg is a token, its sellers, what its venue takes (`hlomm.pricing.leg_costs`). Legs are taken in equal contracts,
level by level, as long as one contract more leaves `min_edge` after every deduction, each of which is named in the
result. Costs round up, what is left rounds down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

import attrs

from hlomm.domain.inputs import Level
from hlomm.domain.units import SCALE, Cash, Px, Qty, ceil_to, floor_to
from hlomm.pricing.leg_costs import LegOffer, TradeTerms, cost_of_one, left_of_one

MAX_STEPS: Final = 1_000
"""Levels of all legs together that one search walks through."""
MAX_CUTS: Final = 8
_WHATEVER: Final = 100 * SCALE
"""More than a contract with all its costs ever takes."""


@attrs.frozen(kw_only=True)
class Step:
    """So many contracts at one price per leg."""

    px: tuple[int, ...]
    qty: int
    edge: int
    """Per contract, after fees only."""


@attrs.frozen(kw_only=True)
class Deductions:
    """Where the gross edge of the whole trade goes."""

    fees: tuple[Cash, ...]
    """By leg, before rounding."""
    rounding: Cash
    bridge: Cash
    capital: Cash
    basis: Cash
    legging: Cash

    @property
    def total(self) -> int:
        return sum(self.fees) + self.rounding + self.bridge + self.capital + self.basis + self.legging


@attrs.frozen(kw_only=True)
class Crossing:
    """A trade worth doing."""

    qty: Qty
    """Of every leg."""
    limits: tuple[Px, ...]
    """Worst price of each leg, in its token's own price."""
    steps: tuple[Step, ...]
    gross: Cash
    """What the tokens pay, less their prices."""
    deductions: Deductions
    profit: Cash
    """Expected: gross less deductions."""
    capital: Cash
    """Prices and fees."""
    edge: Cash
    """What the last contract leaves."""


@attrs.frozen(kw_only=True)
class Nothing:
    """Why there is no trade. `guard` is a stable word, `edge` what the first contract would leave (None: no book)."""

    guard: str
    edge: int | None = None


def search(legs: Sequence[LegOffer], terms: TradeTerms) -> Crossing | Nothing:
    """The largest size whose last contract leaves `min_edge`, equal on all legs; the reason if there is none."""
    steps, first = _walk(legs, terms)
    if first is None:
        return Nothing(guard="no_book")
    if not steps:
        return Nothing(guard="no_edge" if first < terms.min_edge else "no_room", edge=first)
    lot = math.lcm(*(leg.lot for leg in legs))
    for _ in range(MAX_CUTS):
        steps = _cut(steps, floor_to(sum(step.qty for step in steps), lot))
        if not steps:
            return Nothing(guard="lot", edge=first)
        found = _total(legs, terms, steps)
        over = found.capital - terms.max_capital
        if over <= 0:
            break
        # The rounding of fees took it past the limit; no contract is cheaper than the first.
        steps = _cut(steps, found.qty - over * SCALE // (terms.pays - steps[0].edge) - 1)
    else:
        return Nothing(guard="no_room", edge=first)
    if any(leg.too_small(limit, found.qty) for leg, limit in zip(legs, found.limits, strict=True)):
        return Nothing(guard="minimum", edge=first)
    if found.profit < -(-terms.min_edge * found.qty // SCALE) or found.profit <= 0:
        return Nothing(guard="rounding", edge=first)
    return found


def appraise(legs: Sequence[LegOffer], terms: TradeTerms, qty: Qty) -> Crossing | None:
    """What exactly so many contracts would leave, enough or not; None where a leg has not that many sellers.

    Where nothing would be left anyway, being left with one leg costs the unwind alone: no loss is avoided by it.
    """
    whatever = attrs.evolve(terms, min_edge=-_WHATEVER, max_qty=qty, max_capital=Cash(_WHATEVER * qty))
    steps, _ = _walk(legs, whatever)
    if qty <= 0 or sum(step.qty for step in steps) != qty:
        return None
    found = _total(legs, whatever, steps)
    sure = found.gross - found.deductions.total + found.deductions.legging
    if sure >= 0:
        return found
    legging = Cash(-(-terms.unwind * qty * (SCALE - terms.p_complete) // SCALE**2))
    taken = attrs.evolve(found.deductions, legging=legging)
    return attrs.evolve(found, deductions=taken, profit=Cash(sure - legging))


def best_way(ways: Sequence[Sequence[LegOffer]], terms: TradeTerms) -> tuple[Crossing | Nothing, tuple[LegOffer, ...]]:
    """The trade that leaves most over all ways to each leg, and the ways it takes; of equals those that come first.

    A token can be bought, or kept of a pair whose other token is sold. In a merged book both meet the same orders, and
    an order that takes at once has no rank; so they differ in fees, where a sale is never cheaper on a venue that
    charges the closing side only, and in the venue's minimum order value: 60 NO at 0.05 are too small to buy, and the
    60 YES of the same pairs are not too small to sell.
    """
    best: tuple[Crossing | Nothing, tuple[LegOffer, ...]] | None = None
    for legs in product(*ways):
        found = search(legs, terms)
        if best is None or _profit(found) > _profit(best[0]):
            best = found, legs
    assert best is not None, "every leg has a way"
    return best


def _profit(found: Crossing | Nothing) -> int:
    return found.profit if isinstance(found, Crossing) else 0


def resting_px(
    hedge: LegOffer, rest: LegOffer, terms: TradeTerms, qty: Qty, legal: Callable[[Px], Px]
) -> tuple[Px, Px] | None:
    """(highest price to bid for `rest`, limit of the hedge) such that a fill of `qty`, hedged, leaves `min_edge`.

    `rest.fee` is the maker's; `legal` rounds a price down to the venue's grid, 0 if there is none. The hedge is priced
    at the last level it needs. None if its book is too thin or no price is low enough.
    """
    limit = _worst(hedge.levels, qty)
    if limit is None or qty <= 0:
        return None
    rounding = (hedge.fee.rounding(_levels_of(hedge.levels, qty)) + rest.fee.rounding(1)) * SCALE
    low, high = 0, SCALE - 1
    while low < high:  # the edge falls as the price rises: the highest price that still leaves enough
        px = (low + high + 1) // 2
        if (left_of_one(terms, (hedge, rest), (limit, px)) - terms.min_edge) * qty >= rounding:
            low = px
        else:
            high = px - 1
    px = legal(Px(low))
    return None if px <= 0 else (px, Px(limit))


def _walk(legs: Sequence[LegOffer], terms: TradeTerms) -> tuple[list[Step], int | None]:
    """Steps that leave enough, and what the first contract leaves; None where a leg has no seller."""
    places, left = [0] * len(legs), [leg.levels[0][1] if leg.levels else 0 for leg in legs]
    steps: list[Step] = []
    first, room, cash = None, int(terms.max_qty), int(terms.max_capital) * SCALE
    for _ in range(MAX_STEPS):
        for at, leg in enumerate(legs):
            while left[at] == 0 and places[at] + 1 < len(leg.levels):
                places[at] += 1
                left[at] = leg.levels[places[at]][1]
        if not all(left):
            break
        px = tuple(leg.levels[place][0] for leg, place in zip(legs, places, strict=True))
        edge = left_of_one(terms, legs, px)
        first = edge if first is None else first
        cost = cost_of_one(legs, px)
        qty = min(*left, room, cash // cost)
        if edge < terms.min_edge or qty <= 0:
            break
        steps.append(Step(px=px, qty=qty, edge=terms.pays - cost))
        left = [size - qty for size in left]
        room, cash = room - qty, cash - qty * cost
    return steps, first


def _cut(steps: Sequence[Step], qty: int) -> list[Step]:
    """The first so many contracts of them."""
    taken = []
    for step in steps:
        part = min(step.qty, qty)
        if part > 0:
            taken.append(attrs.evolve(step, qty=part))
        qty -= part
    return taken


def _total(legs: Sequence[LegOffer], terms: TradeTerms, steps: Sequence[Step]) -> Crossing:
    """The whole trade; amounts are added up exactly and rounded once."""
    qty = sum(step.qty for step in steps)
    fees = [_up(sum(leg.fee.each(step.px[at]) * step.qty for step in steps)) for at, leg in enumerate(legs)]
    prices = sum(sum(step.px) * step.qty for step in steps)
    rounding = sum(leg.fee.rounding(len({step.px[at] for step in steps})) for at, leg in enumerate(legs))
    gross = (terms.pays * qty - prices) // SCALE
    capital = _up(prices) + sum(fees) + rounding
    bridge = _up(sum(-(-step.px[at] * leg.bridge // SCALE) * step.qty for at, leg in enumerate(legs) for step in steps))
    waiting, basis = -(-capital * terms.capital // SCALE), _up(terms.basis * qty)
    sure = gross - sum(fees) - rounding - bridge - waiting - basis
    unwind = terms.unwind * qty * (SCALE - terms.p_complete)
    legging = sure - (sure * terms.p_complete * SCALE - unwind) // SCALE**2
    return Crossing(
        qty=Qty(qty), limits=tuple(Px(max(step.px[at] for step in steps)) for at in range(len(legs))),
        steps=tuple(steps), gross=Cash(gross),
        deductions=Deductions(
            fees=tuple(map(Cash, fees)), rounding=Cash(rounding), bridge=Cash(bridge), capital=Cash(waiting),
            basis=Cash(basis), legging=Cash(legging),
        ),
        profit=Cash(sure - legging), capital=Cash(capital), edge=Cash(left_of_one(terms, legs, steps[-1].px)),
    )  # fmt: skip


def _worst(levels: Sequence[Level], qty: int) -> int | None:
    for px, size in levels:
        qty -= size
        if qty <= 0:
            return px
    return None


def _levels_of(levels: Sequence[Level], qty: int) -> int:
    count = 0
    for _, size in levels:
        if qty <= 0:
            break
        count, qty = count + 1, qty - size
    return count


def _up(value: int) -> int:
    return ceil_to(value, SCALE) // SCALE
