"""What may still happen to a position: pending orders and missing fills counted as filled in the worst case."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, notional_ceil
from hlomm.engine.order import Order
from hlomm.engine.position import Position


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """One market in contracts (scaled)."""

    longest: int
    """Net YES if every order that gains from YES fills and no other."""
    shortest: int
    selling_yes: int
    selling_no: int
    buying: int
    """Cash that resting buys lock."""


def exposure(position: Position, orders: Iterable[Order], replaced: Order | None = None) -> Exposure:
    """What may still fill. Of an order about to be replaced only the fills that are due count."""
    longest = shortest = position.net
    selling_yes = selling_no = buying = 0
    for order in orders:
        qty = order.due if order is replaced else order.exposed
        if order.direction > 0:
            longest += qty
        else:
            shortest -= qty
        if order.side is Side.BUY:
            buying += notional_ceil(order.exposed_px, qty)
        elif order.leg is Leg.YES:
            selling_yes += qty
        else:
            selling_no += qty
    return Exposure(longest, shortest, selling_yes, selling_no, buying)


def available(position: Position, exposed: Exposure, leg: Leg, withheld: int) -> int:
    """Tokens of a leg that no order has claimed and nothing else withholds."""
    claimed = exposed.selling_yes if leg is Leg.YES else exposed.selling_no
    return max(position.held(leg) - claimed - withheld, 0)


def locked_cost(position: Position) -> int:
    """Cash sunk in unpaired tokens (a pair is worth exactly 1 and locks nothing), rounded up."""
    pairs, locked = position.pairs, 0
    for held, cost in ((position.yes, position.cost_yes), (position.no, position.cost_no)):
        if held > pairs:
            locked += -(-cost * (held - pairs) // held)
    return locked


def worst_loss(position: Position) -> int:
    """Largest loss against cost over the two settlements (YES pays 1 or 0); never negative."""
    cost = position.cost_yes + position.cost_no
    return max(cost - position.yes, cost - position.no, 0)


def mid_own(leg: Leg, bid: int | None, ask: int | None) -> int | None:
    """Mid of a leg's own coin from the YES book, rounded down; None for a one-sided book."""
    if bid is None or ask is None:
        return None
    mid = (bid + ask) // 2
    return mid if leg is Leg.YES else SCALE - mid
