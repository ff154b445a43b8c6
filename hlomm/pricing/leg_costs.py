"""What a leg of an arbitrage costs: its sellers, its venue's fee, the way of its money. Exact integers in 1e-8.

A leg is always a purchase of a token, in the token's own price. A sale of the other token is the same leg at one minus
its price (`as_purchase`): in a merged book that is the very level, after a split the very position. Costs round up.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.inputs import Level
from hlomm.domain.markets import FeeCurve
from hlomm.domain.units import SCALE, Cash, Qty

_YEAR_S = 31_536_000


@attrs.frozen(kw_only=True)
class LegFee:
    """What a venue takes for one leg. Curve and rate do not exclude each other; a venue has one of them."""

    curve: FeeCurve | None = None
    maker: bool = False
    """Charged as one whose order rested."""
    rate: int = 0
    """Fraction of the notional that changes hands, in 1e-8."""
    settle: int = 0
    """Fraction of what the token pays if it wins, in 1e-8: counted in full."""
    sale: bool = False
    """The leg is had by selling the other token, at one minus its price."""

    def each(self, px: int) -> int:
        """Fee of one contract, rounded up."""
        traded = SCALE - px if self.sale else px
        total = -(-traded * self.rate // SCALE) + self.settle
        if self.curve is not None:
            x, e = px * (SCALE - px), self.curve.exponent
            total += -(-self._coefficient * x**e // SCALE ** (2 * e))
        return total

    def rounding(self, fills: int) -> int:
        """Most that rounding adds to one order with so many fills: a step each, and a step the order may keep.

        Kalshi rounds the balance and pays back what that took once it exceeds a step: never more than one is kept.
        """
        return 0 if self.curve is None or not self._coefficient else self.curve.step * (fills + 1)

    @property
    def _coefficient(self) -> int:
        if self.curve is None:
            return 0
        return self.curve.maker if self.maker else self.curve.taker


@attrs.frozen(kw_only=True)
class LegOffer:
    """One token to be bought."""

    levels: tuple[Level, ...]
    """Sellers in the token's own price, best first."""
    fee: LegFee = LegFee()
    lot: int = 1
    least_qty: int = 0
    least_notional: int = 0
    bridge: int = 0
    """What moving its money to this venue costs, as a fraction in 1e-8."""

    def too_small(self, limit: int, qty: int) -> bool:
        """Whether the venue would refuse the order; it counts the price of the token that is ordered."""
        ordered = SCALE - limit if self.fee.sale else limit
        return qty < self.least_qty or ordered * qty // SCALE < self.least_notional


@attrs.frozen(kw_only=True)
class TradeTerms:
    pays: int = SCALE
    """Of one of each token together, at least."""
    min_edge: int
    """Least that the last contract must leave."""
    capital: int = 0
    """What tying up money until it can be used again costs, as a fraction in 1e-8; see `capital_cost`."""
    basis: int = 0
    """Charge per contract for legs that may settle opposite ways."""
    p_complete: int = SCALE
    """Probability in 1e-8 that the other legs fill once the first has."""
    unwind: int = 0
    """Cost per contract of getting out of the legs that filled if they do not."""
    max_qty: Qty
    max_capital: Cash


def capital_cost(rate_per_year: int, seconds: int) -> int:
    """Price of money until it is usable again on its venue, as a fraction in 1e-8, rounded up."""
    return -(-rate_per_year * max(seconds, 0) // _YEAR_S)


def as_purchase(bids: Sequence[Level]) -> tuple[Level, ...]:
    """Buyers of one token as sellers of the other: in a merged book they are, elsewhere after a split."""
    return tuple((SCALE - px, qty) for px, qty in bids)


def net_of(gross: int, terms: TradeTerms) -> int:
    """What an edge is worth once the risk of being left with some legs is paid (QUANT 6.5), rounded down."""
    return (gross * terms.p_complete - terms.unwind * (SCALE - terms.p_complete)) // SCALE


def breakeven(edge: float, unwind: float) -> float:
    """Probability of completing from which on a trade is worth starting."""
    return unwind / (edge + unwind) if edge + unwind > 0.0 else 1.0


def left_of_one(terms: TradeTerms, legs: Sequence[LegOffer], px: Sequence[int]) -> int:
    """What one contract at these prices leaves."""
    cost = cost_of_one(legs, px)
    return net_of(terms.pays - cost - _others(terms, legs, px, cost), terms)


def _others(terms: TradeTerms, legs: Sequence[LegOffer], px: Sequence[int], cost: int) -> int:
    """Bridge, capital and basis of one contract, each rounded up."""
    bridge = sum(-(-at * leg.bridge // SCALE) for leg, at in zip(legs, px, strict=True))
    return bridge + -(-cost * terms.capital // SCALE) + terms.basis


def cost_of_one(legs: Sequence[LegOffer], px: Sequence[int]) -> int:
    """Price and fee of one contract of each leg."""
    return sum(px) + sum(leg.fee.each(at) for leg, at in zip(legs, px, strict=True))
