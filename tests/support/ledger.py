"""A second bookkeeper: the account as plain integers and a list of lots, written without looking at the first one.

Cash and tokens are counted from the movements themselves; the cost of what is held by the rule of the average: a
sale takes its share of the cost, rounded down; the last token takes the rest. What a sale brings beyond the cost it
takes is earned. Tokens sold before they were bought are owed, at no cost; the purchase that delivers them is a cost
of that sale, in the proportion that they have in it.
"""

from __future__ import annotations

import attrs

from hlomm.domain.fills import Fill
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side

UNIT = 10**8


@attrs.define
class Heap:
    """Tokens of one leg and what they cost."""

    tokens: int = 0
    cost: int = 0


@attrs.define
class Stake:
    """A perp: signed quantity, and what was paid for it (negative: received)."""

    qty: int = 0
    paid: int = 0


class Ledger:
    def __init__(self, cash: int) -> None:
        self.cash = cash
        self.wallet = 0
        self.stakes: dict[MarketId, Stake] = {}
        self.earned = 0
        self.fees = 0
        self.heaps: dict[tuple[MarketId, Leg], Heap] = {}
        self.over: dict[MarketId, int] = {}

    def heap(self, market: MarketId, leg: Leg) -> Heap:
        return self.heaps.setdefault((market, leg), Heap())

    def fill(self, fill: Fill) -> None:
        exact, rest = divmod(fill.px * fill.qty, UNIT)
        if fill.side is Side.BUY:
            self._buy(self.heap(fill.market, fill.leg), fill.qty, exact + (rest > 0))
        else:
            self._sell(self.heap(fill.market, fill.leg), fill.qty, exact)
        self.cash -= fill.fee
        self.fees += fill.fee
        if fill.market in self.over:
            self._pay_out(fill.market)

    def settle(self, market: MarketId, yes_px: int) -> None:
        self.over.setdefault(market, yes_px)
        self._pay_out(market)

    def _pay_out(self, market: MarketId) -> None:
        yes_px = self.over[market]
        for leg, pays in ((Leg.YES, yes_px), (Leg.NO, UNIT - yes_px)):
            heap = self.heap(market, leg)
            if heap.tokens:
                self._sell(heap, heap.tokens, pays * heap.tokens // UNIT)

    def _buy(self, heap: Heap, tokens: int, paid: int) -> None:
        self.cash -= paid
        owed = max(0, -heap.tokens)
        delivered = min(owed, tokens)
        part = paid * delivered // tokens
        self.earned -= part
        heap.tokens += tokens
        heap.cost += paid - part

    def _sell(self, heap: Heap, tokens: int, got: int) -> None:
        self.cash += got
        taken = heap.cost if tokens >= heap.tokens else heap.cost * tokens // heap.tokens
        heap.tokens -= tokens
        heap.cost -= taken
        self.earned += got - taken

    # -- perps, counted in lots

    def perp(self, fill: Fill, lot: int) -> None:
        stake = self.stakes.setdefault(fill.market, Stake())
        unit, rest = divmod(fill.px * lot, UNIT)
        assert rest == 0
        sign = 1 if fill.side is Side.BUY else -1
        self.wallet -= sign * unit * (fill.qty // lot) + fill.fee
        self.fees += fill.fee
        closing = min(fill.qty, abs(stake.qty)) if stake.qty * sign < 0 else 0
        if closing:
            share = abs(stake.paid) * closing // abs(stake.qty)
            taken = share if stake.paid >= 0 else -share
            self.earned += -sign * unit * (closing // lot) - taken
            stake.qty += sign * closing
            stake.paid -= taken
        stake.qty += sign * (fill.qty - closing)
        stake.paid += sign * unit * ((fill.qty - closing) // lot)

    def fund(self, paid: int) -> None:
        self.wallet -= paid
        self.earned -= paid

    # -- what is at stake

    def total_cost(self) -> int:
        return sum(heap.cost for heap in self.heaps.values())

    def total_paid(self) -> int:
        return sum(stake.paid for stake in self.stakes.values())

    def if_outcome(self, market: MarketId, leg: Leg) -> int:
        """What the tokens of a market pay if that leg wins."""
        return self.heap(market, leg).tokens
