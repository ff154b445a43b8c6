"""A third bookkeeper: what an account has by the venue's rules alone, in plain integers of 1e-8 (sheet 7.3 to 7.6).

It knows nothing of cost, of prices that conversions are told at, or of parts: a pair is one unit of quote, a negation
moves no cash, a merged question pays one, a settled outcome pays its fraction. What the venue could not express
exactly is rounded against the account. It shares no code with the books it is held against.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

UNIT = 10**8
YES, NO = 0, 1

Coin = tuple[str, int]
"""(outcome, leg)."""


@attrs.define
class Purse:
    cash: int
    wallet: int
    tokens: dict[Coin, int] = attrs.field(factory=dict)
    perps: dict[str, int] = attrs.field(factory=dict)
    ended: dict[str, int] = attrs.field(factory=dict)
    """What YES of a settled outcome pays."""
    fees: int = 0
    worth2: int = 0
    """Twice what tokens and perps are worth at their references, in 1e-16."""
    references: dict[str, int] = attrs.field(factory=dict)
    """Twice the price of YES or of the perp."""

    # -- what happens

    def trade(self, coin: Coin, side: int, px: int, qty: int, fee: int) -> None:
        self.first_seen(coin[0], 2 * px if coin[1] == YES else 2 * (UNIT - px))
        self.cash -= -(-px * qty // UNIT) if side > 0 else -(px * qty // UNIT)
        self._move(coin, side * qty)
        self._charge(fee)
        self._pay_out(coin[0])

    def split(self, outcome: str, qty: int) -> None:
        self._pair(outcome, qty)

    def merge(self, outcome: str, qty: int, fee: int) -> None:
        self._pair(outcome, -qty)
        self._charge(fee)

    def negate(self, outcome: str, others: Iterable[str], qty: int) -> None:
        """NO of one outcome into YES of every other of its question."""
        self.first_seen(outcome, 2 * UNIT)
        self._move((outcome, NO), -qty)
        self._pay_out(outcome)
        for other in others:
            self.first_seen(other, 0)
            self._move((other, YES), qty)
            self._pay_out(other)

    def merge_question(self, outcomes: Iterable[str], qty: int, fee: int) -> None:
        """`outcomes` begins with the fallback."""
        self.cash += qty
        self._charge(fee)
        for number, outcome in enumerate(outcomes):
            self.first_seen(outcome, 0 if number else 2 * UNIT)
            self._move((outcome, YES), -qty)
            self._pay_out(outcome)

    def settle(self, outcome: str, fraction: int, fee: int = 0) -> None:
        self.ended[outcome] = fraction
        self.refer(outcome, 2 * fraction)
        self._pay_out(outcome)
        self._charge(fee)

    def perp(self, market: str, side: int, px: int, qty: int, fee: int) -> None:
        self.first_seen(market, 2 * px)
        self.wallet -= -(-px * qty // UNIT) if side > 0 else -(px * qty // UNIT)
        self.wallet -= fee
        self.fees += fee
        self.perps[market] = self.perps.get(market, 0) + side * qty
        self.worth2 += side * qty * self.references[market]

    def fund(self, paid: int) -> None:
        self.wallet -= paid

    def refer(self, market: str, reference2: int) -> None:
        """The price at which a market is looked at has moved; a settled one stays where it settled."""
        if market in self.ended and 2 * self.ended[market] != reference2:
            return
        held = self.held(market, YES) - self.held(market, NO) + self.perps.get(market, 0)
        self.worth2 += held * (reference2 - self.references.get(market, reference2))
        self.references[market] = reference2

    def first_seen(self, market: str, reference2: int) -> None:
        """A market without a price is looked at from its first movement on."""
        self.references.setdefault(market, reference2)

    # -- to look at

    def held(self, outcome: str, leg: int) -> int:
        return self.tokens.get((outcome, leg), 0)

    def free(self, outcome: str, leg: int) -> int:
        """Whole contracts."""
        return max(self.held(outcome, leg), 0) // UNIT

    # -- parts

    def _pair(self, outcome: str, qty: int) -> None:
        self.first_seen(outcome, UNIT)
        self.cash -= qty
        self._move((outcome, YES), qty)
        self._move((outcome, NO), qty)
        self._pay_out(outcome)

    def _move(self, coin: Coin, qty: int) -> None:
        self.tokens[coin] = self.tokens.get(coin, 0) + qty
        reference2 = self.references[coin[0]]
        self.worth2 += qty * (reference2 if coin[1] == YES else 2 * UNIT - reference2)

    def _charge(self, fee: int) -> None:
        self.cash -= fee
        self.fees += fee

    def _pay_out(self, outcome: str) -> None:
        """What is told of an outcome that has ended is settled as it comes."""
        fraction = self.ended.get(outcome)
        if fraction is None:
            return
        for leg, pays in ((YES, fraction), (NO, UNIT - fraction)):
            held = self.held(outcome, leg)
            self.cash += held * pays // UNIT
            self._move((outcome, leg), -held)
