"""Exact indifference prices of a binary contract held to settlement, for exponential utility.

theta(q) = -(1/g) ln(1 - p + p e^(-g q)) is the certainty equivalent of q YES contracts; g = risk aversion per unit of
money, p = P(YES) in (0, 1). The price of one more lot D is always inside (0, 1); for small g it is
p - g p(1-p)(q + D/2). Use it as the cap on skew, and as the quoter of a market nobody can exit.

Numerics: with x = logit(p) - g q the bid price is [softplus(x) - softplus(x - gD)]/(gD) and the ask price is the bid
price at q - D, so no exponential can overflow and no large certainty equivalents are subtracted. For x > gD both
arguments change sign (softplus(x) = x + softplus(-x)), which keeps the complement's digits.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from hlomm.pricing.avellaneda import liquidity_half
from hlomm.pricing.normal import expit, logit, softplus

_SMALL_STEP: Final = 1.0
"""g D below which the log1p form is used: it does not cancel as g D -> 0."""
_DIRECT: Final = 30.0
"""-g q below which e^(-g q) is harmless in the plain form of theta."""


@attrs.frozen
class CaraQuote:
    r_bid: float
    """Indifference price of buying one lot more, per contract."""
    r_ask: float
    """Indifference price of selling one lot."""
    theta: float
    liquidity: float
    """ln(1 + g D/k)/(g D)."""
    bid: float
    ask: float


def certainty_equivalent(p: float, q: float, gamma: float) -> float:
    """theta(q): sure amount worth q YES contracts; p q at gamma = 0."""
    if gamma == 0.0:
        return p * q
    if -gamma * q <= _DIRECT:
        return -math.log1p(p * math.expm1(-gamma * q)) / gamma
    return -(math.log1p(-p) + softplus(logit(p) - gamma * q)) / gamma


def bid_price(p: float, q: float, gamma: float, lot: float) -> float:
    """(theta(q + D) - theta(q))/D: most that one more lot is worth per contract, holding q."""
    step = gamma * lot
    if step == 0.0:
        return p
    x = logit(p) - gamma * q
    if step < _SMALL_STEP:
        return -math.log1p(expit(x)[0] * math.expm1(-step)) / step
    if x > step:
        return 1.0 - (softplus(step - x) - softplus(-x)) / step
    return (softplus(x) - softplus(x - step)) / step


def ask_price(p: float, q: float, gamma: float, lot: float) -> float:
    """(theta(q) - theta(q - D))/D: least that one lot must fetch per contract, holding q."""
    return bid_price(p, q - lot, gamma, lot)


def cara_quote(p: float, q: float, gamma: float, lot: float, k: float) -> CaraQuote:
    """Indifference prices with the liquidity half-spread around them; bid and ask may leave (0, 1)."""
    r_bid, r_ask = bid_price(p, q, gamma, lot), ask_price(p, q, gamma, lot)
    liquidity = liquidity_half(gamma * lot, k)
    return CaraQuote(r_bid, r_ask, certainty_equivalent(p, q, gamma), liquidity, r_bid - liquidity, r_ask + liquidity)
