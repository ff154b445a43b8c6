"""Hedging digitals with a perp: size, no-trade band, and what one unhedged interval costs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs


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
    Zero gamma gives zero width: the caller adds one lot and the cost of an order as a floor.
    """
    return math.cbrt(1.5 * math.exp(-r * tau) * cost * spot * gamma_pos * gamma_pos / risk_aversion)


def hedge_error(gamma_pos: float, spot: float, sigma: float, dt_years: float) -> HedgeError:
    """Spread and drift of one unhedged interval; `sigma` per sqrt(year)."""
    scale = gamma_pos * spot * spot * sigma * sigma * dt_years
    return HedgeError(abs(scale) / math.sqrt(2.0), 0.5 * scale)
