"""Where a market maker's P&L came from: spread captured, inventory carried, fees paid.

Identity: total = sum s (mid - px) qty + sum q dMid - fees (+ rewards, kept elsewhere), to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

import attrs


class OwnSide(IntEnum):
    """Sign of our own trade."""

    BUY = 1
    SELL = -1


@attrs.frozen
class OwnFill:
    t_s: float
    side: OwnSide
    px: float
    qty: float
    fee: float
    """> 0 paid."""


@attrs.frozen
class PnlParts:
    spread_capture: float
    """sum s (mid - px) qty with the mid before the fill."""
    inventory_pnl: float
    """sum q dMid."""
    fees: float
    total: float
    final_q: float


def decompose(fills: Sequence[OwnFill], mid_t_s: Sequence[float], mid: Sequence[float], end_mid: float) -> PnlParts:
    """Split the P&L of fills and mids, both ascending in time; at one timestamp the fill precedes the mid.

    Needs a mid no later than the first fill; marks the remainder at `end_mid`.
    """
    spread: list[float] = []
    carried: list[float] = []
    q = 0.0
    current = mid[0]
    at = 0
    for fill in fills:
        while at < len(mid) and mid_t_s[at] < fill.t_s:
            carried.append(q * (mid[at] - current))
            current = mid[at]
            at += 1
        spread.append(fill.side * (current - fill.px) * fill.qty)
        q += fill.side * fill.qty
    carried.append(q * (end_mid - current))
    fees = math.fsum(fill.fee for fill in fills)
    spread_capture, inventory_pnl = math.fsum(spread), math.fsum(carried)
    return PnlParts(spread_capture, inventory_pnl, fees, spread_capture + inventory_pnl - fees, q)
