"""Two strikes of one settlement out of order: buy YES of the lower one and NO of the higher one, and hold both.

Fewer prices lie above a higher strike, so YES of the higher one is never worth more (QUANT 6.3; it is the only
condition that digitals of one settlement put on each other). Where it is bid above the other's ask, less than 1 buys
both tokens, one of which pays whatever happens; between the strikes both do, which is not counted.

At one venue the two turn on one number: no basis, nothing to size by Kelly. At two venues (`across_venues`, and only
where a reviewed rule covers the series) the numbers differ, and both legs lose if one comes out between the strikes the
wrong way round: that chance is charged, held against the review's, and bounds the size, as for pairs on one event.
Fees, their rounding, time and the cost of being left with one leg are taken off in any case.

The terms are the engine's to compare (`hlomm.engine.rung_book`), the legs its to send and to mend. It quotes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from hlomm.domain.grid import floor_px
from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.markets import Leg, Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty, ceil_from_float, floor_from_float, to_fixed, to_float, to_text
from hlomm.domain.view import Basket, BasketLeg, Desired, MarketView, PairView, no_quote
from hlomm.pricing import basis
from hlomm.pricing.cross_venue import Crossing, best_way
from hlomm.pricing.leg_costs import LegOffer, TradeTerms, capital_cost
from hlomm.strategy.held_legs import stake_of, until_windows, ways_to, words_of
from hlomm.strategy.outlooks import OutlookRules, Outlooks, RealisedKind, spot_of

_BPS: Final = 10_000
_LEGS: Final = (Leg.YES, Leg.NO)


@attrs.frozen(kw_only=True)
class StrikeLadderConfig:
    """Human units: prices 0..1, contracts, seconds, USD, bps of 1 paid out. Meanings in config/default.toml."""

    across_venues: bool
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


class StrikeLadder:
    id: Final = StrategyId("strike_ladder")

    def __init__(self, config: StrikeLadderConfig) -> None:
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
        return no_quote("strike_ladder: quotes nothing")

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        """Questions are looked at by others."""
        del views
        return None

    # -- two strikes

    def climb(self, pair: PairView) -> Basket | str:
        """YES of the lower strike with NO of the higher one, or `guard: detail` why not."""
        c, low, high = self._config, pair.left, pair.right
        if c.across_venues:
            self._outlooks.observe(low)
        if not (low.asks and high.bids):
            return "no_book: nobody sells one of the legs"
        touch = high.bids[0][0] - low.asks[0][0]
        if touch < ceil_from_float(c.min_edge_bps / _BPS, 1):
            return f"no_edge: the strikes are in order, YES and NO leave {to_fixed(Px(touch), 4)} at the touch"
        windows = zip((low, high), pair.terms, strict=True)
        tau_ns = min(until_windows(view, terms.averaging_s) for view, terms in windows)
        if tau_ns < c.min_tau_s * NS_PER_S:
            return f"tau: {max(tau_ns, 0) / NS_PER_S:.0f} s to the settlement, or its averaging, < {c.min_tau_s:g}"
        apart = 0.0
        if low.market.venue != high.market.venue:
            found = self._apart(pair)
            if isinstance(found, str):
                return found
            apart = found
        return self._sized(pair, apart)

    def _apart(self, pair: PairView) -> float | str:
        """Probability that two venues' numbers let both legs lose, or why it must not be tried."""
        c, low = self._config, pair.left
        if not c.across_venues:
            return "across_venues: false, only strikes of one venue are traded"
        spot = spot_of(low)
        if spot is None or low.underlying_age_ns > c.max_underlying_age_s * NS_PER_S:
            return "underlying: no fresh price to weigh the basis with"
        noise = c.source_noise_bps / _BPS
        a, b = (basis.settles_on(terms, low.wall_ns, noise=noise) for terms in pair.terms)
        if a is None or b is None:
            return "basis: a strike is being made"
        sigma = self._outlooks.observe(low).realised.annual
        apart = basis.mismatch(spot, sigma, a, b, tick=c.settle_tick).p01
        if apart * SCALE > pair.max_mismatch:
            allowed = pair.max_mismatch / SCALE
            return f"mismatch: both legs lose with {apart:.4f} > {allowed:.4f} of the review"
        return apart

    def _sized(self, pair: PairView, apart: float) -> Basket | str:
        c, views = self._config, (pair.left, pair.right)
        bridge = c.bridging_bps_polygon
        ways = [ways_to(view, leg, bridging_bps_polygon=bridge) for view, leg in zip(views, _LEGS, strict=True)]
        seconds = max(view.tau_ns for view in views) // NS_PER_S + round(c.payout_delay_s)
        terms = TradeTerms(
            min_edge=ceil_from_float(c.min_edge_bps / _BPS, 1),
            capital=capital_cost(ceil_from_float(c.capital_rate, 1), seconds),
            basis=ceil_from_float(c.basis_weight * apart, 1),
            p_complete=floor_from_float(c.fill_probability, 1), unwind=ceil_from_float(c.unwind_cost, 1),
            max_qty=Qty(max(floor_from_float(c.max_size, 1) - pair.held, 0)),
            max_capital=Cash(floor_from_float(c.max_notional_usd, 1)),
        )  # fmt: skip
        found, offers = best_way(ways, terms)
        if isinstance(found, Crossing) and apart > 0.0:
            cost = to_float(found.capital) / to_float(found.qty)
            stake = stake_of(cost, apart, pair, fraction=c.kelly_fraction)
            if found.capital > stake:
                found, offers = best_way(ways, attrs.evolve(terms, max_capital=Cash(stake)))
        if not isinstance(found, Crossing):
            left = "nothing" if found.edge is None else to_fixed(Px(found.edge), 4)
            return f"{found.guard}: the first contract leaves {left}"
        if found.qty < floor_from_float(c.min_size, 1):
            return f"min_size: {to_text(found.qty)} < {c.min_size:g}"
        return self._basket(pair, found, offers, apart)

    def _basket(self, pair: PairView, found: Crossing, offers: Sequence[LegOffer], apart: float) -> Basket:
        c, views = self._config, (pair.left, pair.right)
        legs = tuple(
            BasketLeg(view.market.id, leg, floor_px(view.market, px), sale=offer.fee.sale)
            for view, leg, px, offer in zip(views, _LEGS, found.limits, offers, strict=True)
        )
        named = [to_text(terms.strike) if terms.strike is not None else "-" for terms in pair.terms]
        reason = (
            f"YES of {named[0]} at {views[0].market.venue} and NO of {named[1]} at {views[1].market.venue}: "
            f"{words_of(found, apart)}, and 1 a pair more between the strikes"
        )
        return Basket(
            legs=legs, qty=found.qty, least=Qty(ceil_from_float(c.min_size, 1)), worth=Cash(SCALE),
            edge=Cash(found.profit * SCALE // found.qty), max_unwind_loss=Cash(floor_from_float(c.max_unwind_loss, 1)),
            reason=reason, deadline_ns=round(c.deadline_s * NS_PER_S),
        )  # fmt: skip
