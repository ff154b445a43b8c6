"""What venues pay for quoting: estimated, shown beside the result, never part of an arbitrage's edge.

Rebates are exact integers in 1e-8, rounded down, since nothing was received yet; the share of a pool is an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hlomm.domain.inputs import Level
from hlomm.domain.markets import FeeCurve, Leg, RewardTerms
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, floor_from_float, to_float
from hlomm.pricing.rewards import RewardBook, RewardOrder, RewardScore, RewardSide, score

Resting = tuple[Leg, Side, int, int]
"""(leg, side, own-coin price, quantity) of an order of ours."""
_DAY_S: Final = 86_400.0

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


def reward_share(
    resting: Iterable[Resting], bids: Sequence[Level], asks: Sequence[Level], terms: RewardTerms
) -> tuple[int, Cash]:
    """(our share of the score in 1e-8, what it brings a day), the visible book taken for a single competitor.

    The book in YES space, our own orders in it; orders below the minimum neither score nor move the mid.
    """
    ours = [_order(leg, side, px, qty) for leg, side, px, qty in resting if qty >= terms.min_qty]
    deep = [[level for level in levels if level[1] >= terms.min_qty] for levels in (bids, asks)]
    if not ours or not all(deep):
        return 0, Cash(0)
    mid = 0.5 * (to_float(deep[0][0][0]) + to_float(deep[1][0][0]))
    book = [
        _order(Leg.YES, side, px, qty) for side, levels in zip((Side.BUY, Side.SELL), deep, strict=True)
        for px, qty in levels
    ]  # fmt: skip
    own, everybody = (score(of, mid=mid, max_spread_cents=100 * to_float(terms.max_spread)) for of in (ours, book))
    if own.q_min <= 0.0:
        return 0, Cash(0)
    others = max(everybody.q_min - own.q_min, 0.0)
    a_day = pool_share(own, others, to_float(terms.per_day), _DAY_S)
    return floor_from_float(own.q_min / (own.q_min + others), 1), Cash(floor_from_float(a_day, 1))


def _order(leg: Leg, side: Side, px: int, qty: int) -> RewardOrder:
    book = RewardBook.M if leg is Leg.YES else RewardBook.COMPLEMENT
    return RewardOrder(book, RewardSide.BID if side is Side.BUY else RewardSide.ASK, to_float(px), to_float(qty))
