"""Hedging digitals with a perp: size, no-trade band, and what one unhedged interval costs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs
import msgspec


@attrs.frozen
class HedgeLeg:
    """A digital position: `qty` YES contracts (NO as negative) with the greeks of YES per unit of the underlying."""

    qty: float
    delta: float
    gamma: float


@attrs.frozen
class PerpHedge:
    hedge_qty: float
    """Perp position that zeroes the delta, in units of the underlying; long YES gives a short perp."""
    net_gamma: float
    """Gamma of the digitals; the perp adds none. Long the favourite is short gamma."""


@attrs.frozen
class HedgeError:
    """P&L of a hedged position over one interval without a rehedge."""

    sd: float
    """|Gamma| S^2 sigma^2 dt / sqrt(2)."""
    theta_offset: float
    """Gamma S^2 sigma^2 dt / 2: what the digitals earn back as time passes."""


def perp_hedge(legs: Iterable[HedgeLeg]) -> PerpHedge:
    """H = -sum(qty delta), Gamma = sum(qty gamma)."""
    delta = gamma = 0.0
    for leg in legs:
        delta += leg.qty * leg.delta
        gamma += leg.qty * leg.gamma
    return PerpHedge(-delta, gamma)


def whalley_wilmott(
    gamma_pos: float, spot: float, cost: float, risk_aversion: float, *, r: float = 0.0, tau: float = 0.0
) -> float:
    """Half-width of the no-trade band around the target hedge, in units of the underlying.

    w = (3/2 e^(-r tau) cost S Gamma^2 / a)^(1/3) (Whalley & Wilmott 1997, small-cost limit); `cost` is proportional
    (taker fee + half spread as a fraction), `a` the absolute risk aversion per unit of money. Trade back to the edge.
    Zero gamma gives zero width: the caller adds one lot and the cost of an order as a floor. Without aversion to risk
    the width is infinite: who minds none never rebalances.
    """
    if not risk_aversion > 0.0:
        return math.inf
    return math.cbrt(1.5 * math.exp(-r * tau) * cost * spot * gamma_pos * gamma_pos / risk_aversion)


def hedge_error(gamma_pos: float, spot: float, sigma: float, dt_years: float) -> HedgeError:
    """Spread and drift of one unhedged interval; `sigma` per sqrt(year)."""
    scale = gamma_pos * spot * spot * sigma * sigma * dt_years
    return HedgeError(abs(scale) / math.sqrt(2.0), 0.5 * scale)


class HedgeTerms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a maintained hedge costs and how much of it is wanted. Integers are 1e-8 unless said otherwise."""

    cost: int
    """Proportional cost of trading the hedge: fee and half the spread."""
    risk_aversion: int
    """Absolute risk aversion per unit of money, in 1e-12."""
    cap: int
    """Largest notional of the hedge."""
    lot: int
    least: int
    """Notional below which no order is worth sending, or accepted."""


class Maintained(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The hedge that should be held, and how far the one that is held may be away from it. Units of 1e-8."""

    target: int
    band: int
    uncapped: int
    """The target before the cap."""


def maintained(legs: Iterable[tuple[int, int, int]], spot: int, terms: HedgeTerms) -> Maintained:
    """One target for all digitals on an underlying, with the no-trade band of Whalley & Wilmott around it.

    `legs` are (net YES contracts in 1e-8, delta of a contract in 1e-8 of the underlying, gamma in 1e-16 per unit of
    money squared); `spot` in 1e-8. The band is at least one lot and the smallest order worth sending, in whole lots
    (QUANT 4.6, 4.7).
    """
    delta, gamma = 0, 0.0
    for qty, per_contract, curvature in legs:
        delta += qty * per_contract
        gamma += qty * 1e-8 * curvature * 1e-16
    uncapped = -_toward_zero(delta, 10**8 * terms.lot) * terms.lot
    most = _toward_zero(terms.cap * 10**8, spot * terms.lot) * terms.lot if spot > 0 else 0
    target = min(max(uncapped, -most), most)
    if spot <= 0:
        return Maintained(target=0, band=terms.lot, uncapped=uncapped)
    width = whalley_wilmott(gamma, spot * 1e-8, terms.cost * 1e-8, terms.risk_aversion * 1e-12)
    return Maintained(target=target, band=_band(math.ceil(width * 1e8), spot, terms), uncapped=uncapped)


def nothing_held(spot: int, terms: HedgeTerms) -> Maintained:
    """`maintained` of no digitals, at a positive spot: without gamma the band is the least there is."""
    return Maintained(target=0, band=_band(0, spot, terms), uncapped=0)


def _band(width: int, spot: int, terms: HedgeTerms) -> int:
    """In whole lots, or what is held could never come to lie within it."""
    band = max(width, terms.lot, -(-terms.least * 10**8 // spot))
    return -(-band // terms.lot) * terms.lot


def _toward_zero(value: int, by: int) -> int:
    return value // by if value >= 0 else -(-value // by)
