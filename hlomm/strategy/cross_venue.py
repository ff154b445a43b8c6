"""One event at two venues: buy YES where it is cheap and NO where that is cheap, in equal contracts, and hold both.

One of the two pays 1 whatever happens, except that two venues never settle on quite the same number. So what a pair
locks is charged with the fees of both legs, the way of the money to the venue it is spent at, the time it is tied up,
the chance that they settle opposite ways (`hlomm.pricing.basis`), and the cost of being left with one leg; what
survives must be `min_edge_bps` (QUANT 6.2, 6.4, 6.5). Size is the least of what the books offer at that, of
`max_notional_usd`, and of Kelly's for a bet that loses everything when the legs part.

Only reviewed links get here (`hlomm.domain.links`). It quotes nothing, and owns no market: the legs are sent by the
engine's baskets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from hlomm.domain.grid import floor_px
from hlomm.domain.ids import POLYMARKET, MarketId, StrategyId
from hlomm.domain.markets import Leg, Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty, ceil_from_float, floor_from_float, to_fixed, to_float, to_text
from hlomm.domain.view import Basket, BasketLeg, Desired, MarketView, PairView, no_quote
from hlomm.pricing import basis, kelly
from hlomm.pricing.cross_venue import Crossing, Nothing, search
from hlomm.pricing.leg_costs import LegFee, LegOffer, TradeTerms, as_purchase, capital_cost
from hlomm.strategy.outlooks import OutlookRules, Outlooks, RealisedKind, spot_of

_BPS: Final = 10_000


@attrs.frozen(kw_only=True)
class CrossVenueConfig:
    """Human units: prices 0..1, contracts, seconds, USD, bps of 1 paid out. Meanings in config/default.toml."""

    min_edge_bps: float
    max_notional_usd: float
    max_size: float
    min_size: float
    bridging_bps_polygon: float
    capital_rate: float
    payout_delay_s: float
    basis_weight: float
    source_noise_bps: float
    settle_tick: float
    fill_probability: float
    unwind_cost: float
    max_unwind_loss: float
    deadline_s: float
    min_tau_s: float
    kelly_fraction: float
    vol_annual: float
    vol_prior_s: float
    vol_halflife_s: float
    realised: RealisedKind
    sample_s: float
    max_underlying_age_s: float


@attrs.frozen(kw_only=True)
class _Way:
    """YES of one leg with NO of the other."""

    legs: tuple[Leg, Leg]
    found: Crossing
    apart: float
    """Probability that both lose."""


class CrossVenue:
    id: Final = StrategyId("cross_venue")

    def __init__(self, config: CrossVenueConfig) -> None:
        self._config = config
        self._outlooks = Outlooks(
            OutlookRules(
                vol_annual=config.vol_annual, vol_prior_s=config.vol_prior_s, vol_halflife_s=config.vol_halflife_s,
                sample_s=config.sample_s, basis_bps=0.0, vol_error=1.0,
                max_underlying_age_s=config.max_underlying_age_s, realised=config.realised,
            )
        )  # fmt: skip

    def wants(self, market: Market) -> bool:
        del market
        return False

    def unmatched(self, listed: Iterable[Market]) -> dict[str, str]:
        del listed
        return {}

    def forget(self, market: MarketId) -> None:
        del market

    def decide(self, view: MarketView) -> Desired:
        del view
        return no_quote("cross_venue: quotes nothing")

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        """Questions are looked at by others."""
        del views
        return None

    # -- a pair

    def cross(self, pair: PairView) -> Basket | str:
        """The better of the two ways round, or `guard: detail` why there is none."""
        views, c = (pair.left, pair.right), self._config
        underlying = self._outlooks.observe(pair.left)
        touch = _best_touch(pair)
        if touch is None or touch < ceil_from_float(c.min_edge_bps / _BPS, 1):
            # Most of the time: what follows is not cheap.
            return _why_not([Nothing(guard="no_book" if touch is None else "no_edge", edge=touch)])
        spot = spot_of(pair.left)
        if spot is None or pair.left.underlying_age_ns > c.max_underlying_age_s * NS_PER_S:
            return "underlying: no fresh price to weigh the basis with"
        tau_ns = min(_until_windows(view, terms.averaging_s) for view, terms in zip(views, pair.terms, strict=True))
        if tau_ns < c.min_tau_s * NS_PER_S:
            return f"tau: {max(tau_ns, 0) / NS_PER_S:.0f} s to the settlement, or its averaging, < {c.min_tau_s:g}"
        noise = c.source_noise_bps / _BPS
        a, b = (basis.settles_on(terms, pair.left.wall_ns, noise=noise) for terms in pair.terms)
        if a is None or b is None:
            return "basis: a strike is being made"
        parted = basis.mismatch(spot, underlying.realised.annual, a, b, tick=c.settle_tick)
        if parted.apart * SCALE > pair.max_mismatch:
            allowed = pair.max_mismatch / SCALE
            return f"mismatch: legs settle opposite ways with {parted.apart:.4f} > {allowed:.4f} of the review"
        ways = []
        reasons = []
        for legs, apart in (((Leg.YES, Leg.NO), parted.p01), ((Leg.NO, Leg.YES), parted.p10)):
            found = self._way(pair, legs, apart)
            if isinstance(found, Crossing):
                ways.append(_Way(legs=legs, found=found, apart=apart))
            else:
                reasons.append(found)
        if not ways:
            return _why_not(reasons)
        return self._basket(pair, max(ways, key=lambda way: way.found.profit))

    def _way(self, pair: PairView, legs: tuple[Leg, Leg], apart: float) -> Crossing | Nothing:
        c, views = self._config, (pair.left, pair.right)
        offers = [self._offer(view, leg) for view, leg in zip(views, legs, strict=True)]
        room = max(floor_from_float(c.max_size, 1) - pair.held, 0)
        seconds = max(view.tau_ns for view in views) // NS_PER_S + round(c.payout_delay_s)
        terms = TradeTerms(
            min_edge=ceil_from_float(c.min_edge_bps / _BPS, 1),
            capital=capital_cost(ceil_from_float(c.capital_rate, 1), seconds),
            basis=ceil_from_float(c.basis_weight * apart, 1),
            p_complete=floor_from_float(c.fill_probability, 1), unwind=ceil_from_float(c.unwind_cost, 1),
            max_qty=Qty(room), max_capital=Cash(floor_from_float(c.max_notional_usd, 1)),
        )  # fmt: skip
        found = search(offers, terms)
        if not isinstance(found, Crossing):
            return found
        stake = self._stake(found, apart, to_float(pair.left.equity))
        if found.capital > stake:
            found = search(offers, attrs.evolve(terms, max_capital=Cash(stake)))
        if isinstance(found, Crossing) and found.qty < floor_from_float(c.min_size, 1):
            return Nothing(guard="min_size", edge=found.edge)
        return found

    def _stake(self, found: Crossing, apart: float, equity: float) -> int:
        """Kelly's cash for a pair that wins what it locks and loses what it cost when the legs part."""
        qty = to_float(found.qty)
        cost = to_float(found.capital) / qty
        bet = kelly.two_point(1.0 - apart, 1.0 - cost, cost)
        return floor_from_float(self._config.kelly_fraction * bet.stake * max(equity, 0.0), 1)

    def _offer(self, view: MarketView, leg: Leg) -> LegOffer:
        """Sellers of one token: in the merged book a bid for YES offers NO at one minus its price."""
        market = view.market
        fee = LegFee(curve=view.curve, rate=view.open_taker_fee if view.curve is None else 0, settle=view.settle_fee)
        bridge = self._config.bridging_bps_polygon / _BPS if market.venue == POLYMARKET else 0.0
        return LegOffer(
            levels=view.asks if leg is Leg.YES else as_purchase(view.bids), fee=fee, lot=market.lot,
            least_qty=market.min_qty, least_notional=market.min_notional, bridge=ceil_from_float(bridge, 1),
        )  # fmt: skip

    def _basket(self, pair: PairView, way: _Way) -> Basket:
        c, found = self._config, way.found
        views = (pair.left, pair.right)
        legs = tuple(
            BasketLeg(view.market.id, leg, floor_px(view.market, px))
            for view, leg, px in zip(views, way.legs, found.limits, strict=True)
        )
        taken = found.deductions
        reason = (
            f"{way.legs[0].name} at {views[0].market.venue} and {way.legs[1].name} at {views[1].market.venue}: "
            f"{to_text(found.qty)} pairs lock {to_fixed(found.gross, 4)}, less fees {to_fixed(sum(taken.fees), 4)}, "
            f"rounding {to_fixed(taken.rounding, 4)}, bridge {to_fixed(taken.bridge, 4)}, "
            f"time {to_fixed(taken.capital, 4)}, basis {to_fixed(taken.basis, 4)} ({way.apart:.4f} to part), "
            f"legging {to_fixed(taken.legging, 4)}: {to_fixed(found.profit, 4)} expected"
        )
        return Basket(
            legs=legs, qty=found.qty, least=Qty(ceil_from_float(c.min_size, 1)), worth=Cash(SCALE),
            edge=Cash(found.profit * SCALE // found.qty), max_unwind_loss=Cash(floor_from_float(c.max_unwind_loss, 1)),
            reason=reason, deadline_ns=round(c.deadline_s * NS_PER_S),
        )  # fmt: skip


def _best_touch(pair: PairView) -> int | None:
    """What the better way round would leave at the touch if nothing cost anything; None without both books."""
    ways = [
        bid.bids[0][0] - ask.asks[0][0]
        for ask, bid in ((pair.left, pair.right), (pair.right, pair.left))
        if ask.asks and bid.bids
    ]
    return max(ways, default=None)


def _until_windows(view: MarketView, averaging_s: int) -> int:
    """Nanoseconds until the price, or the first of those that are averaged, is made."""
    market = view.market
    end_ns = market.settles_ns if market.settles_ns is not None else market.expiry_ns
    if end_ns is None:
        return 0
    return min(end_ns - averaging_s * NS_PER_S - view.wall_ns, view.tau_ns)


def _why_not(reasons: Sequence[Nothing]) -> str:
    """The way that comes closest, in words."""
    best = max(reasons, key=lambda one: -SCALE if one.edge is None else one.edge)
    if best.edge is None:
        return f"{best.guard}: nobody sells one of the legs"
    return f"{best.guard}: the best way round leaves {to_fixed(Px(best.edge), 4)} per contract"
