"""What venues pay for quoting: estimated, shown beside the result, never part of an arbitrage's edge.

Rebates are exact integers in 1e-8, rounded down, since nothing was received yet; the share of a pool is an estimate.
"""

from __future__ import annotations

from typing import Final

from hlomm.domain.markets import FeeCurve
from hlomm.domain.units import SCALE, Cash
from hlomm.pricing.rewards import RewardScore

SAMPLES_PER_DAY: Final = 1_440
"""Polymarket scores resting orders once a minute."""


def maker_rebate(curve: FeeCurve | None, px: int, qty: int) -> Cash:
    """What a fill of ours as maker brings later: the curve's share of the fee that its taker paid.

    The pool of a market is that share of all its taker fees and is divided by fee equivalents, so each maker gets back
    his own part of it.
    """
    if curve is None or not curve.rebate:
        return Cash(0)
    e = curve.exponent
    fee = curve.taker * (px * (SCALE - px)) ** e * qty // SCALE ** (2 * e + 1)
    return Cash(fee * curve.rebate // SCALE)


def pool_share(own: RewardScore, others: float, pool_per_day: float, seconds: float) -> float:
    """Expected income from resting so for that long, out of a daily pool; `others`: the competing makers' Q_min.

    One sample a minute: less than a minute is worth its share of one.
    """
    total = own.q_min + others
    if not (own.q_min > 0.0 and others >= 0.0 and pool_per_day > 0.0 and seconds > 0.0):
        return 0.0
    return own.q_min / total * pool_per_day * (seconds / 60.0) / SAMPLES_PER_DAY
