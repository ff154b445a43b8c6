"""Two ways out of single outcome tokens: sell them, or buy the complement and merge. Pure, in own-coin prices.

In the merged book of one outcome both ways meet the same orders: who bids p for YES offers NO at 1 - p. They differ in
fees (opening is free, closing is not, merging is undocumented), in cash (the purchase needs 1 - p per contract until
the merge), and in the venue's minimum order value, which counts the price of the coin that is ordered: 19 YES at 0.05
are worth 0.95 USDC and cannot be sold, but 19 NO at 0.95 cost 18.05 USDC, can be bought, and merge to 19. So each way
rescues what the other cannot send; where both can, the one that keeps more is taken, and the sale if they are equal.

A purchase is worth its way only if a contract with its fees costs less than the 1 it merges to, so neither way lowers
the least that the account is worth at settlement, whatever part of it fills.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.grid import step_at
from hlomm.domain.inputs import Level
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, Qty, ceil_to, complement, floor_to, notional_ceil, notional_floor


@attrs.frozen(kw_only=True)
class Terms:
    """What bounds a way out. Fees are fractions in 1e-8: of notional, `merge` of what a merge pays."""

    slippage: int
    tick: int
    lot: int
    minimum: int
    sale: int = 0
    purchase: int = 0
    merge: int = 0
    least: int = 0
    """Fewest contracts an order may have."""
    ticks: tuple[tuple[Px, Px, Px], ...] = ()
    """Where the grid changes with the price."""

    def floor(self, px: int) -> int:
        """Down to the grid."""
        return floor_to(px, step_at(Px(self.tick), self.ticks, px))

    def ceil(self, px: int) -> int:
        return ceil_to(px, step_at(Px(self.tick), self.ticks, px))


@attrs.frozen
class Way:
    """One order that reduces. `kept` is what it leaves in cash, as far as the visible levels go, fees taken off."""

    leg: Leg
    side: Side
    px: Px
    qty: Qty
    kept: int


def bids_for(leg: Leg, bids: Sequence[Level], asks: Sequence[Level]) -> list[Level]:
    """Buyers of a leg in its own coin, best first, from the YES book."""
    return list(bids) if leg is Leg.YES else [(int(complement(px)), qty) for px, qty in asks]


def sale(leg: Leg, surplus: int, buyers: Sequence[Level], mid: int | None, terms: Terms) -> Way | None:
    """Sell the surplus; None if the order would be below the minimum.

    The limit gives way by no more than the slippage, rounded towards the touch, and is never below the price at which
    the order would be too small to send.
    """
    qty = floor_to(surplus, terms.lot)
    if qty <= 0 or not buyers or too_small(buyers[0][0], mid, qty, terms):
        return None
    limit = max(terms.ceil(buyers[0][0] - terms.slippage), _least_px(qty, terms))
    kept, left = 0, qty
    for px, size in buyers:
        if px < limit or not left:
            break
        part = min(size, left)
        proceeds = notional_floor(px, part)
        kept, left = kept + proceeds - _fee(proceeds, terms.sale), left - part
    return Way(leg, Side.SELL, Px(limit), Qty(qty), kept)


def purchase(leg: Leg, surplus: int, buyers: Sequence[Level], mid: int | None, cash: int, terms: Terms) -> Way | None:
    """Buy as much of the complement as the surplus of `leg` and the free cash allow; None if that cannot be sent.

    The limit gives way by the slippage, rounded down to the tick so that it never costs more, and stays below the
    price at which a contract would cost all that it merges to.
    """
    if not buyers:
        return None
    touch = int(complement(buyers[0][0]))
    limit = min(terms.floor(touch + terms.slippage), _dearest(terms))
    if limit < touch:
        return None
    all_in = limit + _fee(limit, terms.purchase)
    qty = floor_to(min(surplus, max(cash, 0) * SCALE // all_in), terms.lot)
    mid = None if mid is None else int(complement(mid))
    if qty <= 0 or too_small(limit, mid, qty, terms):
        return None
    kept, left = 0, qty
    for px, size in buyers:
        price = int(complement(px))
        if price > limit or not left:
            break
        part = min(size, left)
        cost = notional_ceil(price, part)
        kept += part - _fee(part, terms.merge) - cost - _fee(cost, terms.purchase)
        left -= part
    return Way(Leg.NO if leg is Leg.YES else Leg.YES, Side.BUY, Px(limit), Qty(qty), kept)


def better(sell: Way | None, buy: Way | None) -> Way | None:
    """The way that keeps more; the sale if both keep the same: it is one step and needs no cash."""
    if sell is None or buy is None:
        return sell or buy
    return buy if buy.kept > sell.kept else sell


def too_small(px: int, mid: int | None, qty: int, terms: Terms) -> bool:
    """Whether the venue may refuse it for its value: the basis is disputed, so the lower of limit and mid counts."""
    return qty < terms.least or notional_floor(px if mid is None else min(px, mid), qty) < terms.minimum


def _least_px(qty: int, terms: Terms) -> int:
    """Lowest price on the grid at which a sale meets the minimum."""
    return max(terms.ceil(-(-terms.minimum * SCALE // qty)), terms.ceil(1))


def _dearest(terms: Terms) -> int:
    """Highest price on the grid at which a contract and its fees cost less than the 1 it merges to."""
    worth = (SCALE - _fee(SCALE, terms.merge)) * SCALE // (SCALE + terms.purchase)
    return terms.floor(min(worth, SCALE) - 1)


def _fee(notional: int, rate: int) -> int:
    """Rounded up: what we may be charged."""
    return -(-notional * rate // SCALE)
