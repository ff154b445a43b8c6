"""What resting orders must be backed with (venue sheet section 6).

A bid needs its price, an ask the rest of the dollar, each with the fee; the part that would only close the position
needs nothing. Which of several orders closes it is decided in order of acceptance: how the venue nets opposing quotes
is not documented.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from hlomm.domain.orders import Side
from hlomm.sim.kalshi.accounts import Order
from hlomm.sim.kalshi.fees import FeeTerms, trade_fee
from hlomm.sim.kalshi.orders import unit_cost


@attrs.frozen
class Claim:
    """One order as far as collateral goes; `maker` tells which fee it may have to pay."""

    side: Side
    ticks: int
    lots: int
    maker: bool = True

    @classmethod
    def of(cls, order: Order) -> Claim:
        return cls(order.side, order.ticks, order.lots)


def need(held: int, claims: Iterable[Claim], terms: FeeTerms, precision: int) -> int:
    """Cash in 1e-8 that must stay for these orders, given the position in lots; each order rounded up."""
    closing = {Side.BUY: max(-held, 0), Side.SELL: max(held, 0)}
    total = 0
    for claim in claims:
        free = min(closing[claim.side], claim.lots)
        closing[claim.side] -= free
        opened = claim.lots - free
        if opened:
            cost = opened * unit_cost(claim.side, claim.ticks)
            cost += trade_fee(terms.rate(maker=claim.maker), terms.multiplier, claim.ticks, opened)
            total += -(-cost // precision) * precision
    return total
