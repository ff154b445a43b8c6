"""Baskets of a question: what a complete set costs, what it is worth, how far into the books it pays. Exact integers.

Exactly one outcome of a question pays 1 (venue sheet 7.5), so of N outcomes

- YES of all N is worth 1: `merge_question` pays it out;
- NO of k >= 2 of them is worth k - 1 at least: negating the NO of one gives YES of every other, each of the other k - 1
  NO makes a pair with its YES and merges to 1, and YES of the outcomes outside the basket is left over for nothing.

Whole contracts convert, one step of quantity at a time. A set of size q meets every leg's sellers as far as q goes, so
its last contract costs each leg's worst level: that price is the leg's limit, and the edge is counted there. Whatever
such a limit fills at leaves no less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from hlomm.domain.inputs import Level
from hlomm.domain.units import SCALE, Cash, Px, Qty, floor_to, notional_floor


@attrs.frozen(kw_only=True)
class Offers:
    """What is offered of one token, in its own coin."""

    levels: tuple[Level, ...]
    """Sellers, best first."""
    mid: int | None
    """None for a one-sided book."""
    fee: int
    """Of buying, a fraction in 1e-8."""
    minimum: int
    """Smallest order value."""


@attrs.frozen(kw_only=True)
class SetTerms:
    unit: int
    """What 1 paid out by a conversion leaves after its fee."""
    min_edge: int
    """Least that a set must leave."""
    step: int
    least: int
    most: int
    stake: int
    """Cash that a basket may cost."""


@attrs.frozen(kw_only=True)
class Found:
    """A basket worth buying."""

    legs: tuple[tuple[int, Px], ...]
    """(place among the outcomes, limit in the leg's own coin)."""
    qty: Qty
    worth: Cash
    """Of one set, once converted."""
    edge: Cash
    """Least that one set leaves: every leg filled at its limit, all fees taken off."""
    profit: Cash
    """What the whole basket leaves if the books stand as they are seen."""


def all_in(px: int, fee: int) -> int:
    """Cost of one contract with its fee, rounded up."""
    return px + -(-px * fee // SCALE)


def highest(cost: int, fee: int) -> int:
    """Highest price at which a contract with its fee costs no more than that."""
    return cost * SCALE // (SCALE + fee)


def net_of(px: int, fee: int) -> int:
    """What the sale of one contract leaves after its fee, rounded down."""
    return px - -(-px * fee // SCALE)


def lowest(net: int, fee: int) -> int:
    """Lowest price at which the sale of a contract leaves that much after its fee."""
    return -(-net * SCALE // (SCALE - fee))


def worst_px(levels: Sequence[Level], qty: int) -> int | None:
    """Price of the last level that a trade of that size meets; None if it is too large for the book."""
    for px, size in levels:
        qty -= size
        if qty <= 0:
            return px
    return None


def yes_basket(offers: Sequence[Offers], terms: SetTerms) -> Found | None:
    """YES of every outcome."""
    return _largest_profit(offers, terms, _every_one)


def no_basket(offers: Sequence[Offers], terms: SetTerms) -> Found | None:
    """NO of those outcomes that add to the edge."""
    return _largest_profit(offers, terms, _those_that_add)


def _every_one(offers: Sequence[Offers], terms: SetTerms, qty: int) -> tuple[list[tuple[int, int]], int]:
    """(legs, worth of a set) at a size; no legs where it cannot be had."""
    legs = _limits(offers, qty)
    return (legs, terms.unit) if len(legs) == len(offers) else ([], 0)


def _those_that_add(offers: Sequence[Offers], terms: SetTerms, qty: int) -> tuple[list[tuple[int, int]], int]:
    # One more outcome adds 1 to what a set pays and its price to what it costs, whatever the others are.
    legs = [(place, px) for place, px in _limits(offers, qty) if all_in(px, offers[place].fee) < terms.unit]
    return legs, (len(legs) - 1) * terms.unit


def _limits(offers: Sequence[Offers], qty: int) -> list[tuple[int, int]]:
    """(place, worst price) of every leg that the book holds and the venue takes at that size."""
    found = []
    for place, offer in enumerate(offers):
        px = worst_px(offer.levels, qty)
        if px is not None and notional_floor(px if offer.mid is None else min(px, offer.mid), qty) >= offer.minimum:
            found.append((place, px))
    return found


Choice = Callable[[Sequence[Offers], SetTerms, int], tuple[list[tuple[int, int]], int]]


def _largest_profit(offers: Sequence[Offers], terms: SetTerms, choose: Choice) -> Found | None:
    """The best over all sizes at which a level ends: between two of them every contract more adds the same."""
    sizes = {min(floor_to(size, terms.step), floor_to(terms.most, terms.step)) for size in _depths(offers)}
    best: Found | None = None
    for size in sorted(sizes):
        found = _at(offers, terms, choose, size)
        if found is not None and (cost := found.worth - found.edge) * size > terms.stake * SCALE:
            found = _at(offers, terms, choose, floor_to(terms.stake * SCALE // cost, terms.step))
            if found is not None and (found.worth - found.edge) * found.qty > terms.stake * SCALE:
                continue  # smaller it has more legs
        if found is not None and (best is None or found.profit > best.profit):
            best = found
    return best


def _at(offers: Sequence[Offers], terms: SetTerms, choose: Choice, qty: int) -> Found | None:
    if qty < max(terms.least, terms.step):
        return None
    legs, worth = choose(offers, terms, qty)
    edge = worth - sum(all_in(px, offers[place].fee) for place, px in legs)
    if not legs or edge < terms.min_edge:
        return None
    profit = notional_floor(worth, qty) - sum(_cost(offers[place], qty) for place, _ in legs)
    return Found(
        legs=tuple((place, Px(px)) for place, px in legs), qty=Qty(qty), worth=Cash(worth), edge=Cash(edge),
        profit=Cash(profit),
    )  # fmt: skip


def _cost(offer: Offers, qty: int) -> int:
    """All-in cost of that much, level by level, rounded up; the book holds it."""
    total = 0
    for px, size in offer.levels:
        part = min(size, qty)
        total += -(-all_in(px, offer.fee) * part // SCALE)
        qty -= part
    return total


def _depths(offers: Sequence[Offers]) -> set[int]:
    found = set()
    for offer in offers:
        depth = 0
        for _, size in offer.levels:
            depth += size
            found.add(depth)
    return found
