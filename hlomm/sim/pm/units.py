"""Grids of the simulated Polymarket, all exact integers.

Prices count 1e-4 pUSD (`WHOLE` of them make one), sizes 0.01 share (what the venue cuts fills to), cash 1e-6 pUSD, the
unit of the token contract. One lot at one tick is then exactly one unit of cash.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.units import to_text

WHOLE: Final = 10_000
"""Ticks of a price of one; also the cash that a pair of one lot is worth."""
LOT_BASE: Final = 10_000
"""Base units (1e-6 share) in a lot."""
CASH: Final = 1_000_000
"""Cash units in one pUSD."""
_RATE_ONE: Final = 10**8
_FEE_STEP: Final = 10
"""Fees have five decimals."""


def price_text(ticks: int) -> str:
    return to_text(ticks * 10_000)


def size_text(lots: int) -> str:
    return to_text(lots * 1_000_000)


def cash_text(cash: int) -> str:
    return to_text(cash * 100)


def taker_fee(lots: int, ticks: int, rate: int, exponent: int) -> int:
    """Fee of a taker in cash: shares * rate * (p (1 - p)) ** exponent, half up to five decimals. `rate` in 1e-8."""
    # Cash is lots * LOT_BASE * rate / _RATE_ONE * (ticks * (WHOLE - ticks) / WHOLE**2) ** exponent.
    numerator: int = lots * LOT_BASE * rate * (ticks * (WHOLE - ticks)) ** exponent
    denominator: int = _RATE_ONE * WHOLE ** (2 * exponent) * _FEE_STEP
    return (2 * numerator + denominator) // (2 * denominator) * _FEE_STEP


def fee_bound(lots: int, ticks: int, rate: int, exponent: int) -> int:
    """What a fee cannot exceed after rounding: the same, rounded up."""
    numerator: int = lots * LOT_BASE * rate * (ticks * (WHOLE - ticks)) ** exponent
    denominator: int = _RATE_ONE * WHOLE ** (2 * exponent) * _FEE_STEP
    return -(-numerator // denominator) * _FEE_STEP
