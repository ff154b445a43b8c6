"""Cash digital: YES pays 1 when the settlement value is at least (or above) the strike. No discounting.

Black-Scholes with drift: d = (ln(S/K) + (mu - sigma^2/2) tau) / (sigma sqrt tau), d1 = d + sigma sqrt tau.
Units: tau in years of 365 days (31,536,000 s), sigma per sqrt(year), mu per year; S and K in one currency.
Domain: S >= 0, sigma >= 0, tau >= 0; a price of 0 stays there. With tau = 0 or sigma = 0 the forward S e^(mu tau) is
compared with the strike by the venue's comparator and every derivative is 0; a strike at or below 0 is a certain YES.
Use the settlement index itself as S, then mu = 0 is right.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import attrs
import msgspec

from hlomm.pricing import normal

YEAR_S: Final = 31_536_000.0
"""Seconds in the year of 365 days that every annual rate here refers to."""

_NEAR: Final = 0.5
"""|S/K - 1| below which ln(S/K) goes through log1p: S - K is then exact (Sterbenz)."""


class Comparator(IntEnum):
    """What a venue's rule says about a settlement exactly at the strike."""

    AT_LEAST = 0
    """YES at the strike (Hyperliquid, most Kalshi and Polymarket up/down series)."""
    ABOVE = 1
    """NO at the strike."""


@attrs.frozen
class Price:
    """Probability of YES with its complement and its argument; `p_no` is computed, never 1 - p_yes."""

    p_yes: float
    p_no: float
    d: float
    """p_yes = Phi(d); infinite when the outcome is certain."""


@attrs.frozen
class Greeks:
    """Sensitivities of P(YES)."""

    d: float
    p_yes: float
    p_no: float
    delta: float
    """Per unit of S."""
    gamma: float
    """Per unit of S squared."""
    vega: float
    """Per 1.00 of annual vol; one vol point is a hundredth of it."""
    theta: float
    """dP/dt per year."""
    p_vol: float
    """Absolute vol of P per sqrt(year) for a driftless diffusion: phi(d)/sqrt(tau)."""


class ImpliedSigma(msgspec.Struct, frozen=True):
    """Vols that reproduce a price, ascending; the smaller is the one to use."""

    roots: tuple[float, ...]
    p_max: float
    """Supremum of attainable prices: no root above it is a drift or basis signal, not an error."""


def log_moneyness(spot: float, strike: float) -> float:
    """ln(S/K), precise near the money."""
    if abs(spot - strike) < _NEAR * strike:
        return math.log1p((spot - strike) / strike)
    return math.log(spot / strike)


def price(
    spot: float,
    strike: float,
    sigma: float,
    tau: float,
    mu: float = 0.0,
    comparator: Comparator = Comparator.AT_LEAST,
) -> Price:
    """P(YES) = Phi(d) and P(NO) = Phi(-d)."""
    d = _d2(spot, strike, sigma, tau, mu, comparator)
    return Price(normal.cdf(d), normal.tail(d), d)


def greeks(
    spot: float,
    strike: float,
    sigma: float,
    tau: float,
    mu: float = 0.0,
    comparator: Comparator = Comparator.AT_LEAST,
) -> Greeks:
    """Price and derivatives; theta + sigma^2 S^2 gamma / 2 + mu S delta = 0 holds.

    delta = phi(d)/(S v), gamma = -phi(d) d1/(S v)^2, vega = -phi(d) [(ln(S/K) + mu tau)/(sigma v) + sqrt(tau)/2],
    theta = phi(d) [ln(S/K)/(2 v tau) - (mu - sigma^2/2)/(2 v)], with v = sigma sqrt(tau).
    Vega is negative for the favourite; gamma changes sign at d1 = 0.
    """
    d = _d2(spot, strike, sigma, tau, mu, comparator)
    p_yes, p_no = normal.cdf(d), normal.tail(d)
    if math.isinf(d):
        return Greeks(d, p_yes, p_no, 0.0, 0.0, 0.0, 0.0, 0.0)
    root_tau = math.sqrt(tau)
    v = sigma * root_tau
    density = normal.pdf(d)
    moneyness = log_moneyness(spot, strike)
    return Greeks(
        d=d,
        p_yes=p_yes,
        p_no=p_no,
        delta=density / (spot * v),
        gamma=-density * (d + v) / (spot * v) ** 2,
        vega=-density * ((moneyness + mu * tau) / (sigma * v) + 0.5 * root_tau),
        theta=density * (moneyness / (2.0 * v * tau) - (mu - 0.5 * sigma * sigma) / (2.0 * v)),
        p_vol=density / root_tau,
    )


def implied_sigma(spot: float, strike: float, tau: float, p: float) -> ImpliedSigma:
    """All vols with P(YES) = p at mu = 0: v = sigma sqrt(tau) solves v^2/2 + z v - ln(S/K) = 0, z = PhiInv(p).

    K < S: exactly one root. K > S: none above p_max = Phi(-sqrt(2 ln(K/S))), else two. S = K: none for p >= 1/2.
    No root either outside 0 < p < 1, without time left, or for a price or strike of 0: there every vol gives the same
    probability. Each root is formed without cancellation (their product is -2 ln(S/K)).
    """
    if not (0.0 < spot < math.inf and 0.0 < strike < math.inf and 0.0 < tau < math.inf and 0.0 < p < 1.0):
        return ImpliedSigma((), 1.0 if spot >= strike else 0.0)
    z = normal.inv_cdf(p)
    moneyness = log_moneyness(spot, strike)
    p_max = 1.0 if moneyness >= 0.0 else normal.cdf(-math.sqrt(-2.0 * moneyness))
    discriminant = z * z + 2.0 * moneyness
    if discriminant < 0.0:
        return ImpliedSigma((), p_max)
    root = math.sqrt(discriminant)
    v: tuple[float, ...]
    if moneyness > 0.0:
        v = (2.0 * moneyness / (z + root),) if z > 0.0 else (root - z,)
    elif z >= 0.0:
        v = ()
    elif moneyness == 0.0:
        v = (-2.0 * z,)
    elif root == 0.0:
        v = (-z,)
    else:
        v = (-2.0 * moneyness / (root - z), root - z)
    scale = 1.0 / math.sqrt(tau)
    return ImpliedSigma(tuple(value * scale for value in v), p_max)


@attrs.frozen
class Skewed:
    """Digital off a smile."""

    p_flat: float
    adjustment: float
    p_skew: float
    """p_flat + adjustment, kept in [0, 1]: a slope that would leave it is not arbitrage-free."""


def skewed(spot: float, strike: float, sigma: float, tau: float, dsigma_dlogk: float) -> Skewed:
    """-dC/dK = Phi(d2) - phi(d2) sqrt(tau) dsigma/dlnK: a negative slope raises P(S >= K). `sigma` is the strike's."""
    flat = price(spot, strike, sigma, tau)
    adjustment = 0.0 if math.isinf(flat.d) else -normal.pdf(flat.d) * math.sqrt(tau) * dsigma_dlogk
    return Skewed(flat.p_yes, adjustment, min(max(flat.p_yes + adjustment, 0.0), 1.0))


def _d2(spot: float, strike: float, sigma: float, tau: float, mu: float, comparator: Comparator) -> float:
    if strike <= 0.0:
        return math.inf
    if spot <= 0.0:
        return -math.inf
    v = sigma * math.sqrt(tau)
    if v > 0.0:
        return (log_moneyness(spot, strike) + mu * tau) / v - 0.5 * v
    forward = spot if mu == 0.0 or tau == 0.0 else spot * math.exp(mu * tau)
    yes = forward >= strike if comparator is Comparator.AT_LEAST else forward > strike
    return math.inf if yes else -math.inf
