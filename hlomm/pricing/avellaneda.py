"""Quotes of Avellaneda and Stoikov (Quantitative Finance 8(3), 2008).

dS = sigma dW with ABSOLUTE vol; orders at distance d from mid fill with intensity A e^(-k d); CARA utility with risk
aversion gamma; unit lots. Units: sigma price/sqrt(time), tau in that time, k per price, gamma per (price * lot).
A does not enter. The solution is an expansion around tau = 0 and over-skews far from it: see `hlomm.pricing.glft`.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import attrs

_SERIES_BELOW: Final = 1e-5
"""x = gamma/k under which log1p(x)/x comes from its series (error x^4/5), so that gamma = 0 needs no branch."""


class Variant(IntEnum):
    """Which share of the risk term g sigma^2 tau goes into each half-spread."""

    PAPER = 0
    """Half of it: equations 3.17 and 3.18."""
    SEED0 = 1
    """All of it: a known misreading, kept to compare. Same skew, wider quotes, lower certainty equivalent."""


@attrs.frozen
class AsQuote:
    reservation: float
    half: float
    bid: float
    ask: float


@attrs.frozen
class GbmReservation:
    """Indifference prices of one lot for a mean-variance agent on a geometric Brownian motion."""

    r_bid: float
    r_ask: float
    reservation: float


def liquidity_half(gamma: float, k: float) -> float:
    """ln(1 + gamma/k)/gamma: half-spread without risk; 1/k at gamma = 0. Domain gamma >= 0, k > 0."""
    x = gamma / k
    if x < _SERIES_BELOW:
        return (1.0 - x * (0.5 - x * (1.0 / 3.0 - x * 0.25))) / k
    return math.log1p(x) / gamma


def as_quote(
    s: float, q: float, gamma: float, sigma: float, tau: float, k: float, variant: Variant = Variant.PAPER
) -> AsQuote:
    """Reservation s - q gamma sigma^2 tau (3.8 and 3.17); half-spread of 3.18, independent of the inventory q.

    Paper: half = gamma sigma^2 tau / 2 + ln(1 + gamma/k)/gamma. Limits: gamma = 0 has no skew and half 1/k; tau = 0
    leaves the liquidity part. Domain gamma, sigma, tau >= 0, k > 0; the caller guards it (see `hlomm.pricing.quoter`).
    """
    risk = gamma * sigma * sigma * tau
    reservation = s - q * risk
    half = liquidity_half(gamma, k) + (0.5 * risk if variant is Variant.PAPER else risk)
    return AsQuote(reservation, half, reservation - half, reservation + half)


def gbm_reservation(s: float, q: float, gamma: float, sigma: float, tau: float) -> GbmReservation:
    """Appendix of the paper: sigma relative; sigma^2 tau becomes s^2 (e^(sigma^2 tau) - 1).

    r_ask = s + (1 - 2q)/2 R, r_bid = s - (1 + 2q)/2 R, R = gamma s^2 expm1(sigma^2 tau).
    """
    risk = gamma * s * s * math.expm1(sigma * sigma * tau)
    return GbmReservation(s - (0.5 + q) * risk, s + (0.5 - q) * risk, s - q * risk)


def risk_aversion(half: float, variance: float, q_max: float) -> float:
    """Risk aversion whose skew reaches one half-spread at inventory q_max: half/(variance q_max), one price unit."""
    return half / (variance * q_max)
