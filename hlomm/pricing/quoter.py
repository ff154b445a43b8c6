"""The quote of a binary contract: what the live strategy calls for every decision.

Three named models around fair price p with inventory q (YES minus NO contracts):

- ``glft`` (default): Gueant-Lehalle-Fernandez-Tapia closed form with xi = gamma (Gueant 2017, eqs 4.6-4.7) and the
  LOCAL vol sigma_p = nu phi(z)/sqrt(tau). Slope per contract sigma_p c2, at most gamma p(1-p): no risk term can exceed
  that of holding to settlement. half = c1 + lot/2 slope.
- ``as_paper``: Avellaneda-Stoikov 2008 (eqs 3.17, 3.18) with the variance over the holding horizon instead of
  sigma^2 (T - t), which under-counts a digital. Slope gamma V, half = liq + gamma V lot/2.
- ``as_seed0``: the same with the full risk term in each half-spread, kept to compare.

V = nu^2 V(h), at most p(1-p), with V(h) of `hlomm.pricing.horizon` and nu = sigma_p sqrt(tau)/phi(z).

The reservation p - q slope is linear in q and would leave (0, 1); it is held on this side of the exact hold-to-
settlement (CARA) marginal price expit(logit(p) - gamma q), so it never does, and the side that reduces inventory keeps
a price. A half-spread below `floor_half` (latency risk/c, see `hlomm.pricing.binary.latency_floor`) is widened to it;
one above `max_half` pulls both sides.

Units: p and prices per payoff of 1; tau_s and horizon_s seconds; sigma_p per sqrt second; gamma per (price * contract);
a (fill intensity at distance 0) per second; k per price; lot in contracts. Inputs outside the stated domain give no
quote and a reason, never an exception. YES/NO symmetry: the quote of (1-p, -q) is the mirror image of that of (p, q).
"""

from __future__ import annotations

import math
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from hlomm.pricing import normal
from hlomm.pricing.avellaneda import liquidity_half
from hlomm.pricing.glft import log_power
from hlomm.pricing.horizon import arc

BAD_P: Final = "fair price not inside (0, 1)"
BAD_Q: Final = "inventory not a finite number"
BAD_TAU: Final = "time to settlement not a finite number"
EXPIRED: Final = "no time to settlement"
BAD_SIGMA: Final = "sigma_p not positive and finite"
BAD_GAMMA: Final = "gamma negative or not finite"
BAD_A: Final = "intensity A not positive and finite"
BAD_K: Final = "intensity k not positive and finite"
BAD_LOT: Final = "lot not positive and finite"
BAD_HORIZON: Final = "holding horizon not positive"
BAD_WIDTH: Final = "maximum half-spread not positive and finite, or floor not a number"
TOO_WIDE: Final = "model half-spread above the maximum"
PULLED: Final = "latency floor above the maximum half-spread"
BID_OUT: Final = "bid at or below 0"
ASK_OUT: Final = "ask at or above 1"

_BIG: Final = 1e12
_TINY: Final = 1e-12
"""Bounds of every strictly positive input: products and exponentials of numbers inside them stay finite."""


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Unrounded prices. A side of None must not be quoted and carries its reason; "" otherwise.

    `reservation` and `half` are None when the inputs allow no quote at all, and stay for display when a side is
    dropped or the width decides.
    """

    reservation: float | None
    half: float | None
    bid: float | None
    ask: float | None
    bid_reason: str = ""
    ask_reason: str = ""


class QuoteModel(StrEnum):
    """Names in the configuration."""

    GLFT = "glft"
    AS_PAPER = "as_paper"
    AS_SEED0 = "as_seed0"


def quote(
    model: QuoteModel,
    *,
    p: float,
    q: float,
    tau_s: float,
    sigma_p: float,
    gamma: float,
    a: float,
    k: float,
    lot: float,
    horizon_s: float,
    max_half: float,
    floor_half: float = 0.0,
) -> Quote:
    """Quote by the named model; units and limits in the module docstring."""
    # Every comparison is written so that NaN fails it.
    if not 0.0 < p < 1.0:
        return _REFUSED[BAD_P]
    if not -_BIG <= q <= _BIG:
        return _REFUSED[BAD_Q]
    if not tau_s <= _BIG:
        return _REFUSED[BAD_TAU]
    if not tau_s > 0.0:
        return _REFUSED[EXPIRED]
    if not _TINY <= sigma_p <= _BIG:
        return _REFUSED[BAD_SIGMA]
    if not 0.0 <= gamma <= _BIG:
        return _REFUSED[BAD_GAMMA]
    if not _TINY <= a <= _BIG:
        return _REFUSED[BAD_A]
    if not _TINY <= k <= _BIG:
        return _REFUSED[BAD_K]
    if not _TINY <= lot <= _BIG:
        return _REFUSED[BAD_LOT]
    if not horizon_s > 0.0:
        return _REFUSED[BAD_HORIZON]
    if not (0.0 < max_half <= _BIG and floor_half >= 0.0):
        return _REFUSED[BAD_WIDTH]

    aversion = gamma * lot
    bound = p * (1.0 - p)
    if model is QuoteModel.GLFT:
        slope = min(sigma_p * _glft_slope(gamma, a, k, lot), gamma * bound)
        risk = 0.5 * slope * lot
    else:
        slope = gamma * _variance(p, bound, tau_s, sigma_p, horizon_s)
        risk = (0.5 if model is QuoteModel.AS_PAPER else 1.0) * slope * lot
    half = liquidity_half(aversion, k) + risk
    reservation = _reservation(p, q, gamma, slope)

    if half > max_half:
        return Quote(reservation, half, None, None, TOO_WIDE, TOO_WIDE)
    if floor_half > half:
        if floor_half > max_half:
            return Quote(reservation, half, None, None, PULLED, PULLED)
        half = floor_half
    bid, ask = reservation - half, reservation + half
    if bid > 0.0 and ask < 1.0:
        return Quote(reservation, half, bid, ask)
    return Quote(
        reservation,
        half,
        bid if bid > 0.0 else None,
        ask if ask < 1.0 else None,
        "" if bid > 0.0 else BID_OUT,
        "" if ask < 1.0 else ASK_OUT,
    )


@lru_cache(maxsize=256)
def _glft_slope(gamma: float, a: float, k: float, lot: float) -> float:
    """c2 of Gueant 2017, equation 4.7. Settings decide it alone, so it is the same in every decision."""
    return math.sqrt(gamma / (2.0 * a * lot * k) * math.exp(log_power(gamma * lot / k)))


def _variance(p: float, bound: float, tau_s: float, sigma_p: float, horizon_s: float) -> float:
    """min(p(1-p), nu^2 V(h)) of a digital with this vol."""
    z = normal.probit(p)
    root_nu = sigma_p / normal.pdf(z)
    nu2 = root_nu * root_nu * tau_s
    digital = bound if horizon_s >= tau_s else arc(z * z, 0.5 * math.asin(horizon_s / tau_s))
    return min(bound, nu2 * digital)


def _reservation(p: float, q: float, gamma: float, slope: float) -> float:
    """Centre p - q slope, not beyond the CARA marginal price of the inventory."""
    if q == 0.0:
        return p
    tilt = math.log(p / (1.0 - p)) - gamma * q
    small = math.exp(-abs(tilt))
    settled = (1.0 if tilt >= 0.0 else small) / (1.0 + small)
    linear = p - q * slope
    return max(linear, settled) if q > 0.0 else min(linear, settled)


_REFUSED: Final = {
    reason: Quote(None, None, None, None, reason, reason)
    for reason in (
        BAD_P,
        BAD_Q,
        BAD_TAU,
        EXPIRED,
        BAD_SIGMA,
        BAD_GAMMA,
        BAD_A,
        BAD_K,
        BAD_LOT,
        BAD_HORIZON,
        BAD_WIDTH,
    )
}
"""No-quote values, made once."""
