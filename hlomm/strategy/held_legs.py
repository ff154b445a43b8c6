"""What the strategies have in common whose legs are held until they settle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import POLYMARKET
from hlomm.domain.inputs import Level
from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import ceil_from_float, floor_from_float, to_fixed, to_float, to_text
from hlomm.domain.view import MarketView, PairView
from hlomm.pricing import kelly
from hlomm.pricing.cross_venue import Crossing
from hlomm.pricing.leg_costs import LegFee, LegOffer, as_purchase

_BPS: Final = 10_000


def offer_of(view: MarketView, leg: Leg, *, bridging_bps_polygon: float = 0.0, maker: bool = False) -> LegOffer:
    """Sellers of one token: in the merged book a bid for YES offers NO at one minus its price.

    `maker`: it is bought by an order that rests, at the fee for that.
    """
    market = view.market
    rate = view.open_maker_fee if maker else view.open_taker_fee
    fee = LegFee(curve=view.curve, maker=maker, rate=rate if view.curve is None else 0, settle=view.settle_fee)
    bridge = bridging_bps_polygon / _BPS if market.venue == POLYMARKET else 0.0
    return LegOffer(
        levels=view.asks if leg is Leg.YES else as_purchase(view.bids), fee=fee, lot=market.lot,
        least_qty=market.min_qty, least_notional=market.min_notional, bridge=ceil_from_float(bridge, 1),
    )  # fmt: skip


def ways_to(view: MarketView, leg: Leg, *, bridging_bps_polygon: float = 0.0) -> tuple[LegOffer, ...]:
    """Buying a token; and, as far as pairs are in stock, selling the other one of a pair and keeping it.

    A pair is worth the 1 it was split from, so what is sold at b leaves the other token at 1 - b. Nothing is split for
    a trade that is seen: by the time the tokens are there it is gone. The stock is the treasury's (`sets.stock`).
    """
    bought, stock = offer_of(view, leg, bridging_bps_polygon=bridging_bps_polygon), min(view.yes, view.no)
    if stock <= 0 or view.curve is not None:
        return (bought,)
    fee = LegFee(rate=view.close_taker_fee, settle=view.settle_fee, sale=True)
    return bought, attrs.evolve(bought, fee=fee, levels=tuple(_first(bought.levels, stock)))


def _first(levels: Sequence[Level], qty: int) -> Iterator[Level]:
    """As much of a book as that."""
    for px, size in levels:
        if qty <= 0:
            return
        yield px, min(size, qty)
        qty -= size


def stake_of(cost: float, apart: float, pair: PairView, *, fraction: float) -> int:
    """Kelly's cash for pairs that cost so much each, win what they lock and lose that when the legs part.

    What is held of the pair, or of another with one of its legs, is part of the same bet, and stands for so many at
    that cost: else every look at the books, and every link of a contract, would bet the whole of it once more.
    """
    bet, equity = kelly.two_point(1.0 - apart, 1.0 - cost, cost), to_float(pair.left.equity)
    stake = fraction * bet.stake * max(equity, 0.0) - to_float(pair.staked) * cost
    return floor_from_float(max(stake, 0.0), 1)


def until_windows(view: MarketView, averaging_s: int) -> int:
    """Nanoseconds until the price, or the first of those that are averaged, is made."""
    market = view.market
    end_ns = market.settles_ns if market.settles_ns is not None else market.expiry_ns
    if end_ns is None:
        return 0
    return min(end_ns - averaging_s * NS_PER_S - view.wall_ns, view.tau_ns)


def words_of(found: Crossing, apart: float) -> str:
    """Where the gross edge goes. `apart`: probability that the legs do not pay what they must."""
    taken = found.deductions
    return (
        f"{to_text(found.qty)} pairs lock {to_fixed(found.gross, 4)}, less fees {to_fixed(sum(taken.fees), 4)}, "
        f"rounding {to_fixed(taken.rounding, 4)}, bridge {to_fixed(taken.bridge, 4)}, "
        f"time {to_fixed(taken.capital, 4)}, basis {to_fixed(taken.basis, 4)} ({apart:.4f} to part), "
        f"legging {to_fixed(taken.legging, 4)}: {to_fixed(found.profit, 4)} expected"
    )
