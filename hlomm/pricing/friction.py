"""Cost model of a simulated directional trade, version 2: fees, slippage and hourly funding.

Tag every simulated row with the version that made it, and never mix versions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import attrs

FRICTION_VERSION: Final = 2
_BPS: Final = 1e-4


class Direction(IntEnum):
    LONG = 1
    SHORT = -1


@attrs.frozen
class TradeResult:
    entry_fill: float
    exit_fill: float
    gross_pnl: float
    """At the quoted prices, before anything."""
    fees: float
    slippage: float
    funding_paid: float
    """> 0 paid, < 0 received."""
    net_pnl: float


def trade_result(
    direction: Direction,
    entry: float,
    exit_px: float,
    qty: float,
    *,
    fee_bps_in: float,
    fee_bps_out: float,
    slip_bps: float,
    funding_hourly: Sequence[float] = (),
    marks: Sequence[float] = (),
) -> TradeResult:
    """Fills slip against us by `slip_bps`, fees on the slipped fills; funding = s qty mark rate per hour held."""
    slip = direction * slip_bps * _BPS
    entry_fill, exit_fill = entry * (1.0 + slip), exit_px * (1.0 - slip)
    gross = direction * (exit_px - entry) * qty
    slippage = (abs(entry_fill - entry) + abs(exit_fill - exit_px)) * qty
    fees = (entry_fill * fee_bps_in + exit_fill * fee_bps_out) * _BPS * qty
    funding = direction * qty * math.fsum(rate * mark for rate, mark in zip(funding_hourly, marks, strict=True))
    return TradeResult(entry_fill, exit_fill, gross, fees, slippage, funding, gross - slippage - fees - funding)
