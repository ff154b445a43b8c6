"""One event at two venues: buy YES where it is cheap and NO where that is cheap, in equal contracts, and hold both.

One of the two pays 1 whatever happens, except that two venues never settle on quite the same number. So what a pair
locks is charged with the fees of both legs, the way of the money to the venue it is spent at, the time it is tied up,
the chance that they settle opposite ways (`hlomm.pricing.basis`), and the cost of being left with one leg; what
survives must be `min_edge_bps` (QUANT 6.2, 6.4, 6.5). Size is the least of what the books offer at that, of
`max_notional_usd`, and of Kelly's for a bet that loses everything when the legs part.

Only reviewed links get here (`hlomm.domain.links`). It owns no market: the legs are sent by the engine's baskets.

With a `maker` one leg rests there as well (`hlomm.strategy.resting`), after the same deductions; what fills is hedged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from hlomm.domain.grid import floor_px
from hlomm.domain.ids import MarketId, StrategyId, VenueId
from hlomm.domain.markets import Leg, Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty, ceil_from_float, floor_from_float, to_fixed, to_float, to_text
from hlomm.domain.view import Appraisal, Basket, BasketLeg, Desired, MarketView, PairView, no_quote
from hlomm.pricing import basis
from hlomm.pricing.cross_venue import Crossing, Nothing, appraise, best_way
from hlomm.pricing.leg_costs import TradeTerms, as_purchase, capital_cost
from hlomm.strategy import resting
from hlomm.strategy.base import retuned
from hlomm.strategy.held_legs import offer_of, stake_of, until_windows, ways_to, words_of
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
    maker: str
    maker_share: float
    maker_reach: float
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
    sales: tuple[bool, ...]
    """Legs that are had by selling the other token of a pair in stock."""


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

    @property
    def maker(self) -> VenueId | None:
        return None if self._config.maker == "off" else VenueId(self._config.maker)

    def wants(self, market: Market) -> bool:
        del market
        return False

    def unmatched(self, listed: Iterable[Market]) -> dict[str, str]:
        del listed
        return {}

    def forget(self, market: MarketId) -> None:
        del market

    def retune(self, name: str, value: float) -> None:
        self._config = retuned(self._config, name, value)

    def decide(self, view: MarketView) -> Desired:
        del view
        return no_quote("cross_venue: quotes nothing")

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        """Questions are looked at by others."""
        del views
        return None

    # -- for people

    @property
    def least(self) -> Qty:
        return Qty(ceil_from_float(self._config.min_size, 1))

    def appraise(self, pair: PairView) -> Appraisal | str:
        """The better way round at the least size, enough or not; nothing is learned of the prices."""
        parted = self._parted(pair, self._outlooks.annual(pair.left.market.underlying))
        if isinstance(parted, str):
            return parted
        found, bridge = [], self._config.bridging_bps_polygon
        for legs, apart in (((Leg.YES, Leg.NO), parted.p01), ((Leg.NO, Leg.YES), parted.p10)):
            views, terms = (pair.left, pair.right), self._terms(pair, apart)
            offers = [offer_of(view, leg, bridging_bps_polygon=bridge) for view, leg in zip(views, legs, strict=True)]
            crossing = appraise(offers, terms, self.least)
            if crossing is not None:
                found.append((legs, apart, crossing, -(-terms.min_edge * self.least // SCALE)))
        if not found:
            return f"depth: no way round has {to_text(self.least)} contracts on both legs"
        legs, apart, best, needs = max(found, key=lambda way: way[2].profit)
        taken = best.deductions
        return Appraisal(
            legs=legs, qty=best.qty, gross=best.gross, fees=(taken.fees[0], taken.fees[1]), rounding=taken.rounding,
            bridge=taken.bridge, capital=taken.capital, basis=taken.basis, legging=taken.legging,
            leaves=best.profit, needs=Cash(needs), apart=ceil_from_float(apart, 1),
        )  # fmt: skip

    # -- a pair

    def cross(self, pair: PairView) -> Basket | str:
        """The better of the two ways round, or `guard: detail` why there is none."""
        self._outlooks.observe(pair.left)
        touch = _best_touch(pair)
        if touch is None or touch < ceil_from_float(self._config.min_edge_bps / _BPS, 1):
            # Most of the time: what follows is not cheap.
            return _why_not([Nothing(guard="no_book" if touch is None else "no_edge", edge=touch)])
        parted = self._tradable(pair)
        if isinstance(parted, str):
            return parted
        ways = []
        reasons = []
        for legs, apart in (((Leg.YES, Leg.NO), parted.p01), ((Leg.NO, Leg.YES), parted.p10)):
            found = self._way(pair, legs, apart)
            if isinstance(found, _Way):
                ways.append(found)
            else:
                reasons.append(found)
        if not ways:
            return _why_not(reasons)
        return self._basket(pair, max(ways, key=lambda way: way.found.profit))

    def rest(self, pair: PairView, leg: Leg) -> Basket | str:
        """`leg` at the maker's venue at the price it may rest at, and the other one to be taken."""
        self._outlooks.observe(pair.left)
        parted = self._tradable(pair)
        if isinstance(parted, str):
            return parted
        c, left = self._config, pair.left.market.venue == self.maker
        views = (pair.left, pair.right) if left else (pair.right, pair.left)
        other = Leg.NO if leg is Leg.YES else Leg.YES
        apart = parted.p01 if left is (leg is Leg.YES) else parted.p10
        maker = offer_of(views[0], leg, maker=True, bridging_bps_polygon=c.bridging_bps_polygon)
        hedge = offer_of(views[1], other, bridging_bps_polygon=c.bridging_bps_polygon)
        terms = self._terms(pair, apart)
        place = resting.Place(
            market=views[0].market, bids=views[0].bids if leg is Leg.YES else as_purchase(views[0].asks)
        )
        rules = resting.RestRules(
            share=floor_from_float(c.maker_share, 1), reach=Px(floor_from_float(c.maker_reach, 1)),
            least=Qty(ceil_from_float(c.min_size, 1)),
        )  # fmt: skip
        found = resting.rest(hedge, maker, place, terms, rules)
        if isinstance(found, str):
            return found
        stake = stake_of(to_float(found.cost), apart, pair, fraction=c.kelly_fraction)
        if found.cost * found.qty > stake * SCALE:
            less = resting.rest(hedge, maker, place, attrs.evolve(terms, max_capital=Cash(stake)), rules)
            if isinstance(less, str):
                cost = to_fixed(found.cost, 4)
                return f"kelly: {to_fixed(stake, 2)} for pairs that cost {cost} and part with {apart:.4f}; {less}"
            found = less
        legs = (
            BasketLeg(views[0].market.id, leg, found.px),
            BasketLeg(views[1].market.id, other, floor_px(views[1].market, found.hedge_px)),
        )
        reason = (
            f"{leg.name} rests at {views[0].market.venue} for {to_text(found.px)}: {to_text(found.qty)} hedged with "
            f"{other.name} at {views[1].market.venue} up to {to_text(found.hedge_px)} leave {to_fixed(found.edge, 4)} "
            f"each, {apart:.4f} to part"
        )
        return self._wanted(legs, found.qty, found.edge, reason)

    def _tradable(self, pair: PairView) -> basis.Mismatch | str:
        """How the two settle, or `guard: detail` if that cannot be said or is worse than the review allows."""
        views, c = (pair.left, pair.right), self._config
        tau_ns = min(until_windows(view, terms.averaging_s) for view, terms in zip(views, pair.terms, strict=True))
        if tau_ns < c.min_tau_s * NS_PER_S:
            return f"tau: {max(tau_ns, 0) / NS_PER_S:.0f} s to the settlement, or its averaging, < {c.min_tau_s:g}"
        parted = self._parted(pair, self._outlooks.annual(pair.left.market.underlying))
        if isinstance(parted, str):
            return parted
        if parted.apart * SCALE > pair.max_mismatch:
            allowed = pair.max_mismatch / SCALE
            return f"mismatch: legs settle opposite ways with {parted.apart:.4f} > {allowed:.4f} of the review"
        return parted

    def _parted(self, pair: PairView, annual: float) -> basis.Mismatch | str:
        """How likely the legs settle opposite ways at that vol, or `guard: detail` why nobody knows."""
        c, spot = self._config, spot_of(pair.left)
        if spot is None or pair.left.underlying_age_ns > c.max_underlying_age_s * NS_PER_S:
            return "underlying: no fresh price to weigh the basis with"
        noise = c.source_noise_bps / _BPS
        a, b = (basis.settles_on(terms, pair.left.wall_ns, noise=noise) for terms in pair.terms)
        if a is None or b is None:
            return "basis: a strike is being made"
        return basis.mismatch(spot, annual, a, b, tick=c.settle_tick)

    def _terms(self, pair: PairView, apart: float) -> TradeTerms:
        c, views = self._config, (pair.left, pair.right)
        room = max(floor_from_float(c.max_size, 1) - pair.held, 0)
        seconds = max(view.tau_ns for view in views) // NS_PER_S + round(c.payout_delay_s)
        return TradeTerms(
            min_edge=ceil_from_float(c.min_edge_bps / _BPS, 1),
            capital=capital_cost(ceil_from_float(c.capital_rate, 1), seconds),
            basis=ceil_from_float(c.basis_weight * apart, 1),
            p_complete=floor_from_float(c.fill_probability, 1), unwind=ceil_from_float(c.unwind_cost, 1),
            max_qty=Qty(room), max_capital=Cash(floor_from_float(c.max_notional_usd, 1)),
        )  # fmt: skip

    def _way(self, pair: PairView, legs: tuple[Leg, Leg], apart: float) -> _Way | Nothing:
        c, views, terms = self._config, (pair.left, pair.right), self._terms(pair, apart)
        bridge = c.bridging_bps_polygon
        offered = [ways_to(view, leg, bridging_bps_polygon=bridge) for view, leg in zip(views, legs, strict=True)]
        found, offers = best_way(offered, terms)
        if not isinstance(found, Crossing):
            return found
        cost = to_float(found.capital) / to_float(found.qty)
        stake = stake_of(cost, apart, pair, fraction=c.kelly_fraction)
        if found.capital > stake:
            found, offers = best_way(offered, attrs.evolve(terms, max_capital=Cash(stake)))
        if not isinstance(found, Crossing):
            return found
        if found.qty < floor_from_float(c.min_size, 1):
            return Nothing(guard="min_size", edge=found.edge)
        return _Way(legs=legs, found=found, apart=apart, sales=tuple(offer.fee.sale for offer in offers))

    def _basket(self, pair: PairView, way: _Way) -> Basket:
        found = way.found
        views = (pair.left, pair.right)
        legs = tuple(
            BasketLeg(view.market.id, leg, floor_px(view.market, px), sale=sale)
            for view, leg, px, sale in zip(views, way.legs, found.limits, way.sales, strict=True)
        )
        reason = (
            f"{way.legs[0].name} at {views[0].market.venue} and {way.legs[1].name} at {views[1].market.venue}: "
            f"{words_of(found, way.apart)}"
        )
        return self._wanted(legs, found.qty, found.profit * SCALE // found.qty, reason)

    def _wanted(self, legs: tuple[BasketLeg, ...], qty: Qty, edge: int, reason: str) -> Basket:
        c = self._config
        return Basket(
            legs=legs, qty=qty, least=Qty(ceil_from_float(c.min_size, 1)), worth=Cash(SCALE),
            edge=Cash(edge), max_unwind_loss=Cash(floor_from_float(c.max_unwind_loss, 1)),
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


def _why_not(reasons: Sequence[Nothing]) -> str:
    """The way that comes closest, in words."""
    best = max(reasons, key=lambda one: -SCALE if one.edge is None else one.edge)
    if best.edge is None:
        return f"{best.guard}: nobody sells one of the legs"
    return f"{best.guard}: the best way round leaves {to_fixed(Px(best.edge), 4)} per contract"
