"""What a trade costs (venue sheet section 13). Amounts in 1e-8 dollars.

The trade fee is rounded up to $0.000001. Then the change of the balance is rounded down to the member's precision; what
that takes is a rounding fee, collected per order, and given back in whole steps of the precision as it piles up.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.sim.kalshi.grid import MICRO, WHOLE

RATE_SCALE: Final = 10_000
TAKER_RATE: Final = 700
MAKER_RATES: Final = {"quadratic": 0, "quadratic_with_maker_fees": 175}
"""Rates in 1e-4 by the series' `fee_type`."""
_MICROS: Final = RATE_SCALE * RATE_SCALE * WHOLE * WHOLE * 100 // 1_000_000
"""rate, multiplier, two prices and lots of 0.01, multiplied as integers, per $0.000001."""


@attrs.frozen
class FeeTerms:
    """`fee_type` and `fee_multiplier` (1e-4) of a series."""

    kind: str = "quadratic"
    multiplier: int = RATE_SCALE

    def rate(self, *, maker: bool) -> int:
        return MAKER_RATES[self.kind] if maker else TAKER_RATE


@attrs.frozen
class Charge:
    """One fill: the net fee, the change of the balance, and the order's accumulator afterwards."""

    fee: int
    change: int
    pending: int


def trade_fee(rate: int, multiplier: int, ticks: int, lots: int) -> int:
    """Multiplier * rate * C * P * (1 - P), rounded up to $0.000001."""
    return -(-rate * multiplier * lots * ticks * (WHOLE - ticks) // _MICROS) * MICRO


def charge(revenue: int, fee: int, precision: int, pending: int) -> Charge:
    """Apply fees to a fill. `revenue` is what it moves before fees, `pending` the order's rounding fees so far."""
    exact = revenue - fee
    aligned = exact // precision * precision
    rounding = exact - aligned
    pending += rounding
    rebate = min(pending // precision, (fee + rounding) // precision) * precision
    return Charge(fee + rounding - rebate, aligned + rebate, pending - rebate)
