"""Which token carries a quote.

A bid in YES space is either *buy YES* or *sell NO*; an ask is *sell YES* or *buy NO* at one minus the price. On the
merged book both are the same level, so exactly one of them may rest. Selling what is held comes first: it ranks
before dual buys at the same price, locks no cash, and shrinks the account. It needs tokens no other order has
claimed and an order worth the venue's minimum; otherwise the complement is bought and locks its price per contract.
A sale that costs more in fees than the purchase and the pair it makes gives way to it, if cash and minimum allow.
(QUANT 2.5; venue sheet 6, 7.4 and 7.8.)
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.orders import yes_px as own_px
from hlomm.domain.units import SCALE, Cash, Px, Qty, floor_to, notional_ceil, notional_floor
from hlomm.engine.state import leg_sides


class LegChoice(msgspec.Struct, frozen=True, gc=False):
    leg: Leg
    side: Side
    px: Px
    """Own-coin price."""
    qty: Qty
    collateral: Cash
    """Cash the order locks while it rests; 0 for a sale."""


class LegTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What either way costs, in fractions of 1e-8, and the cash that nothing has claimed."""

    cash: Callable[[], int]
    """Asked for only where it decides."""
    close: int = 0
    """Of a sale's notional."""
    open: int = 0
    """Of a purchase's."""
    pair: int = 0
    """Of the 1 that a pair becomes, by merging or at settlement."""


def sold_leg(direction: int) -> Leg:
    """The token whose sale gains as that direction does."""
    return Leg.NO if direction > 0 else Leg.YES


def choose_leg(market: Market, direction: int, px: Px, qty: Qty, free: int, ways: Callable[[], LegTerms]) -> LegChoice:
    """The leg for one wished level.

    `free`: tokens of the leg that could be sold (`sold_leg`) which no order has claimed. `ways` tells what either way
    costs; it is asked only where there is something to sell.
    """
    (sell_leg, sell), (buy_leg, buy) = leg_sides(direction)
    buy_px = own_px(buy_leg, px)
    purchase = LegChoice(buy_leg, buy, buy_px, qty, notional_ceil(buy_px, qty))
    if free <= 0:
        return purchase
    # Complementing is its own inverse, so the YES price of a leg price and back are one function.
    sell_px, sell_qty = own_px(sell_leg, px), floor_to(min(qty, free), market.lot)
    if not sell_qty or sell_qty < market.min_qty or notional_floor(sell_px, sell_qty) < market.min_notional:
        return purchase
    terms = ways()
    # By more than the rounding of the rates, which is at most a unit a contract.
    cheaper = buy_px * terms.open + SCALE * terms.pair + SCALE < sell_px * terms.close
    large = qty >= market.min_qty and notional_floor(buy_px, qty) >= market.min_notional
    if cheaper and large and purchase.collateral <= terms.cash():
        return purchase
    return LegChoice(sell_leg, sell, sell_px, Qty(sell_qty), Cash(0))
