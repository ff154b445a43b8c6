"""What may still happen to a position: pending orders and missing fills counted as filled in the worst case."""

from __future__ import annotations

import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.engine.order import Order
from hlomm.engine.pending import Pending
from hlomm.engine.position import Position


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """One market in contracts (scaled)."""

    longest: int
    """Net YES if every order that gains from YES fills and no other."""
    shortest: int
    selling_yes: int
    selling_no: int


def exposure(position: Position, pending: Pending, replaced: Order | None = None) -> Exposure:
    """What may still fill. Of an order about to be replaced, one of these, only the fills that are due count."""
    net = position.yes - position.no
    longest, shortest = net + pending.gaining, net - pending.losing
    selling_yes, selling_no = pending.selling_yes, pending.selling_no
    if replaced is not None:
        going = replaced.exposed - replaced.due
        if replaced.direction > 0:
            longest -= going
        else:
            shortest += going
        if replaced.side is Side.SELL:
            if replaced.leg is Leg.YES:
                selling_yes -= going
            else:
                selling_no -= going
    return Exposure(longest, shortest, selling_yes, selling_no)


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
