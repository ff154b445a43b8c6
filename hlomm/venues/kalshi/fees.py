"""Fees of a series as a curve (venue sheet section 13). `fee_cost` of a fill is the truth; this is what to expect."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from hlomm.domain.markets import FeeCurve
from hlomm.domain.units import SCALE, Cash

TAKER: Final = Decimal("0.07")
MAKER: Final = Decimal("0.0175")
_MAKER_SHARES: Final = {"quadratic": Decimal(0), "quadratic_with_maker_fees": MAKER}
_MULTIPLIER_MAX: Final = 10


def fee_curve(fee_type: str, multiplier: Decimal | None, precision: Cash) -> FeeCurve | None:
    """The curve of a fee type; None for a type or multiplier that is not known to be charged this way.

    `precision`: the step to which the balance is rounded, 0.0001 for direct members and 0.01 for others.
    """
    maker = _MAKER_SHARES.get(fee_type)
    if maker is None or multiplier is None or not multiplier.is_finite() or not 0 <= multiplier <= _MULTIPLIER_MAX:
        return None
    return FeeCurve(taker=_coefficient(TAKER * multiplier), maker=_coefficient(maker * multiplier), step=precision)


def _coefficient(rate: Decimal) -> int:
    """In 1e-8, rounded up: a fee is never expected too low."""
    scaled = rate * SCALE
    return int(scaled) + (scaled != int(scaled))
