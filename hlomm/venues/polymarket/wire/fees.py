"""Taker fees from a market's schedule, in exact integers (venue sheet section 12.1)."""

from __future__ import annotations

from typing import Final

from hlomm.domain.markets import FeeCurve
from hlomm.domain.units import SCALE, Cash, Px, Qty

FEE_STEP: Final = Cash(SCALE // 100_000)
"""Five decimals of a pUSD."""


def taker_fee(curve: FeeCurve, px: Px, qty: Qty) -> Cash:
    """Rate times shares times (p (1 - p)) ^ exponent, to the nearest step (halves up), or up if the curve says so."""
    exact = curve.taker * qty * (px * (SCALE - px)) ** curve.exponent
    unit = SCALE ** (1 + 2 * curve.exponent) * curve.step
    steps = -(-exact // unit) if curve.up else (2 * exact + unit) // (2 * unit)
    return Cash(steps * curve.step)
