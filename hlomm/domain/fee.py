"""Fees by a curve (see `FeeCurve`), exact, rounded against us."""

from __future__ import annotations

from hlomm.domain.markets import FeeCurve
from hlomm.domain.units import SCALE, Cash


def curve_fee(curve: FeeCurve, px: int, qty: int, *, maker: bool) -> Cash:
    """Most that a fill at a price may cost: rounded up to the step, whichever way the venue rounds."""
    x, e = px * (SCALE - px), curve.exponent
    owed = -(-_coefficient(curve, maker=maker) * qty * int(x**e) // int(SCALE ** (2 * e + 1)))
    return Cash(-(-owed // curve.step) * curve.step)


def curve_rate(curve: FeeCurve, low: int, high: int, *, maker: bool) -> int:
    """Largest share of the notional (1e-8) that a fill anywhere between two own-coin prices costs, rounded up.

    The share c (1 - p)^e p^(e - 1) falls with the price if e is 1, and has one peak at (e - 1) / (2 e - 1) otherwise.
    Steps are not in it: they are a matter of the whole fill.
    """
    e = curve.exponent
    low = min(max(low, 1), SCALE)
    peak = SCALE * (e - 1) // (2 * e - 1)
    looked = {low, max(low, min(high, SCALE)), min(max(peak, low), max(high, low))}
    c = _coefficient(curve, maker=maker)
    return max(-(-c * int((SCALE - px) ** e * px ** (e - 1)) // int(SCALE ** (2 * e - 1))) for px in looked)


def _coefficient(curve: FeeCurve, *, maker: bool) -> int:
    return curve.maker if maker else curve.taker
