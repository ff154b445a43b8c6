"""The resting leg of a pair: where it may stand, how large, and what keeps it away. Exact integers in 1e-8.

It is priced from the other end (`hlomm.pricing.cross_venue.resting_px`): the highest bid such that a fill, hedged at
the worst level that its whole size needs at the other venue, still leaves the least edge. It never stands better than
it must to be first, never where it would trade at once, and not so far behind the best bid that only a crash fills it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from hlomm.domain.grid import floor_px, outcome_px_step
from hlomm.domain.inputs import Level
from hlomm.domain.markets import Market
from hlomm.domain.units import SCALE, Px, Qty, floor_to, to_fixed, to_text
from hlomm.pricing.cross_venue import resting_px
from hlomm.pricing.leg_costs import LegOffer, TradeTerms, cost_of_one, left_of_one


@attrs.frozen(kw_only=True)
class RestRules:
    share: int
    """Of the hedge's book, in 1e-8: most that may rest."""
    reach: Px
    """How far from its touch the hedge's book is counted, and behind the best bid an order may rest."""
    least: Qty


@attrs.frozen(kw_only=True)
class Place:
    """Where one leg of a token's book is: others' bids for it, best first, and the venue's grid."""

    market: Market
    bids: Sequence[Level]


@attrs.frozen(kw_only=True)
class Rest:
    """An order worth resting."""

    px: Px
    hedge_px: Px
    """Worst price at which all of it can be hedged."""
    qty: Qty
    edge: int
    """Per contract, when all of it is hedged there."""
    cost: int
    """Of one pair, fees included."""


def rest(hedge: LegOffer, leg: LegOffer, place: Place, terms: TradeTerms, rules: RestRules) -> Rest | str:
    """The order for `leg` (its sellers are `leg.levels`), hedged with `hedge`; `guard: detail` if there is none."""
    lot = math.lcm(hedge.lot, leg.lot)
    depth = _depth(hedge.levels, rules.reach)
    qty = Qty(floor_to(min(depth * rules.share // SCALE, terms.max_qty), lot))
    found: Rest | str = _too_few(qty, depth, rules) or _priced(hedge, leg, place, terms, rules, qty)
    if isinstance(found, str):
        return found
    if found.cost * found.qty > terms.max_capital * SCALE:
        qty = Qty(floor_to(terms.max_capital * SCALE // found.cost, lot))
        found = _too_few(qty, depth, rules) or _priced(hedge, leg, place, terms, rules, qty)
    return found if isinstance(found, str) else _too_small(found, hedge, leg) or found


def _priced(
    hedge: LegOffer, leg: LegOffer, place: Place, terms: TradeTerms, rules: RestRules, qty: Qty
) -> Rest | str:  # fmt: skip
    def legal(px: Px) -> Px:
        return floor_px(place.market, px)

    found = resting_px(hedge, leg, terms, qty, legal)
    if found is None:
        return f"no_edge: {to_text(qty)} hedged from {to_text(hedge.levels[0][0])} on leave no price to rest at"
    px, hedge_px = found
    if leg.levels:
        px = Px(min(px, legal(Px(leg.levels[0][0] - 1))))
    if px <= 0:
        return f"post_only: no price below the best ask {to_text(leg.levels[0][0])}"
    if place.bids:
        best = Px(place.bids[0][0])
        if px < best - rules.reach:
            return f"behind: {to_text(px)} is more than {to_text(rules.reach)} below the best bid {to_text(best)}"
        px = Px(min(px, best + outcome_px_step(place.market, best)))
    rounding = hedge.fee.rounding(len(hedge.levels)) + leg.fee.rounding(1)
    edge = left_of_one(terms, (hedge, leg), (hedge_px, px)) - -(-rounding * SCALE // qty)
    return Rest(px=px, hedge_px=hedge_px, qty=qty, edge=edge, cost=cost_of_one((hedge, leg), (hedge_px, px)))


def _depth(levels: Sequence[Level], reach: Px) -> int:
    """Contracts within reach of the touch."""
    return sum(size for px, size in levels if px <= levels[0][0] + reach)


def _too_few(qty: Qty, depth: int, rules: RestRules) -> str | None:
    if not depth:
        return "hedge_depth: nobody sells the other leg"
    if qty >= max(rules.least, 1):
        return None
    share = to_fixed(rules.share * 100, 0)
    return f"min_size: {to_text(qty)} < {to_text(rules.least)}: {share} % of {to_text(depth)} on offer, or less is left"


def _too_small(found: Rest, hedge: LegOffer, leg: LegOffer) -> str | None:
    """Of either venue's smallest order: one that cannot be hedged whole must not rest."""
    for what, offer, px in (("hedge_minimum", hedge, found.hedge_px), ("minimum", leg, found.px)):
        worth = px * found.qty // SCALE
        if found.qty < offer.least_qty or worth < offer.least_notional:
            least = f"{to_text(offer.least_qty)} contracts, {to_text(offer.least_notional)}"
            return f"{what}: {to_text(found.qty)} at {to_text(px)} are less than the smallest order ({least})"
    return None
