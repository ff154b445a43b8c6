"""Arbitrage within a question or an event: YES of all outcomes below 1, or NO of several below what they must pay.

A set over YES and NO of one contract is never looked for: they share one merged book, on which an offer of both for
less than 1 is a bid at or above an ask, and cannot rest. A book that shows it is sick; the engine keeps its market, and
every set and pair with it, from being traded, and says so (`crossed_book`).

Nothing in a venue makes the prices of a question add up (venue sheet 7.5). What is bought in equal numbers turns into
cash by conversions, whoever wins: `hlomm.pricing.complete_sets` has the arithmetic, and takes every fee and the depth
of every book into account.

Where no treasury can convert (Kalshi's ranges, Polymarket's neg-risk events) a set is held until it settles: YES of all
pays 1, NO of k pays k - 1, or k if none of them is the one. It is priced by `hlomm.pricing.cross_venue`, with the fee
curves and their rounding, and with the price of the money until it is paid. That the contracts are exhaustive and
exclusive is the engine's to check (`hlomm.engine.partitions`).

The legs are the engine's business too (`hlomm.engine.baskets`): all of them, or unwound. It quotes nothing, so the
markets it has are traded for baskets alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from hlomm.domain.grid import floor_px
from hlomm.domain.ids import KALSHI, MarketId, StrategyId
from hlomm.domain.markets import Leg, Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Qty, ceil_from_float, complement, floor_from_float, to_fixed, to_text
from hlomm.domain.view import Basket, BasketLeg, Desired, MarketView, no_quote
from hlomm.pricing.complete_sets import Found, Offers, SetTerms, no_basket, yes_basket
from hlomm.pricing.cross_venue import Crossing, search
from hlomm.pricing.leg_costs import TradeTerms, capital_cost, left_of_one
from hlomm.strategy.base import retuned
from hlomm.strategy.held_legs import offer_of
from hlomm.strategy.selection import Selection

_UNSEEN: Final = "complete_set: its question is not complete yet"
_NETTED: Final = frozenset({KALSHI})
"""Venues that may give back the collateral of several NO of one event before it settles. Nobody documents what that
does to the balance, and a balance that differs from the books halts: only YES is bought there."""


@attrs.frozen(kw_only=True)
class CompleteSetConfig:
    """Human units: prices 0..1, contracts, seconds, USDC. Meanings in config/default.toml."""

    classes: tuple[str, ...]
    underlyings: tuple[str, ...]
    periods: tuple[str, ...]
    deployers: tuple[str, ...]
    min_edge: float
    max_size: float
    min_size: float
    max_stake: float
    max_unwind_loss: float
    min_tau_s: float
    capital_rate: float
    payout_delay_s: float
    deadline_s: float


class CompleteSet:
    id: Final = StrategyId("complete_set")

    def __init__(self, config: CompleteSetConfig) -> None:
        self._config = config
        self.selection = Selection(
            classes=config.classes, underlyings=config.underlyings, periods=config.periods, deployers=config.deployers,
            fallbacks=True,
        )  # fmt: skip
        self._sums: dict[MarketId, str] = {}
        """What the sets of a market's question last cost."""

    def wants(self, market: Market) -> bool:
        """Outcomes of the selected questions, fallbacks among them: without one of them no set is complete."""
        return (market.question is not None or bool(market.exclusive)) and self.selection.takes(market)

    def unmatched(self, listed: Iterable[Market]) -> dict[str, str]:
        return self.selection.unmatched(listed)

    def forget(self, market: MarketId) -> None:
        self._sums.pop(market, None)

    def retune(self, name: str, value: float) -> None:
        self._config = retuned(self._config, name, value)

    def decide(self, view: MarketView) -> Desired:
        return no_quote(self._sums.get(view.market.id, _UNSEEN))

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        """The basket that leaves most, of those that leave enough."""
        self._sums.update(dict.fromkeys((view.market.id for view in views), _sums(views)))
        if min(view.tau_ns for view in views) < self._config.min_tau_s * NS_PER_S:
            return None
        if views[0].market.question is None:
            return self._held(views)
        terms = self._terms(views)
        for leg, look in ((Leg.YES, yes_basket), (Leg.NO, no_basket)):
            found = look([_offers(view, leg) for view in views], terms)
            if found is not None:  # never both: what sellers ask for YES is not below what its buyers bid
                return self._basket(views, found, leg)
        return None

    # -- sets that are held

    def _held(self, views: Sequence[MarketView]) -> Basket | None:
        """The better of YES of all and NO of those that add, of what leaves enough once everything is paid."""
        every = tuple(range(len(views)))
        sides = [(Leg.YES, every, SCALE)]
        if views[0].market.venue not in _NETTED:
            adding = tuple(place for place in every if self._adds(views[place]))
            sides += [(Leg.NO, adding, (len(adding) - 1) * SCALE)] if len(adding) > 1 else []
        found = []
        for leg, places, pays in sides:
            terms = self._trade_terms([views[place] for place in places], pays)
            got = search([offer_of(views[place], leg) for place in places], terms)
            if isinstance(got, Crossing) and got.qty >= floor_from_float(self._config.min_size, 1):
                found.append((got.profit, self._held_basket(views, places, leg, got, pays)))
        return max(found, key=lambda one: one[0])[1] if found else None

    def _adds(self, view: MarketView) -> bool:
        """Whether one contract more of NO costs less, with its fee and the money's time, than the 1 it adds."""
        offer = offer_of(view, Leg.NO)
        return bool(offer.levels) and left_of_one(self._trade_terms([view], SCALE), [offer], [offer.levels[0][0]]) > 0

    def _trade_terms(self, views: Sequence[MarketView], pays: int) -> TradeTerms:
        c = self._config
        seconds = max(view.tau_ns for view in views) // NS_PER_S + round(c.payout_delay_s)
        return TradeTerms(
            pays=pays, min_edge=ceil_from_float(c.min_edge, 1),
            capital=capital_cost(ceil_from_float(c.capital_rate, 1), seconds),
            max_qty=Qty(floor_from_float(c.max_size, 1)),
            max_capital=Cash(max(views[0].equity, 0) * floor_from_float(c.max_stake, 1) // SCALE),
        )  # fmt: skip

    def _held_basket(
        self, views: Sequence[MarketView], places: Sequence[int], leg: Leg, found: Crossing, pays: int
    ) -> Basket:
        c, taken = self._config, found.deductions
        reason = (
            f"{leg.name} of {len(places)} of {len(views)} contracts: {to_text(found.qty)} sets lock "
            f"{to_fixed(found.gross, 4)}, less fees {to_fixed(sum(taken.fees) + taken.rounding, 4)}, "
            f"time {to_fixed(taken.capital, 4)}: {to_fixed(found.profit, 4)} expected, held until they settle"
        )
        legs = tuple(
            BasketLeg(views[place].market.id, leg, floor_px(views[place].market, px))
            for place, px in zip(places, found.limits, strict=True)
        )
        return Basket(
            legs=legs, qty=found.qty, least=Qty(ceil_from_float(c.min_size, 1)), worth=Cash(pays),
            edge=Cash(found.profit * SCALE // found.qty), max_unwind_loss=Cash(floor_from_float(c.max_unwind_loss, 1)),
            reason=reason, deadline_ns=round(c.deadline_s * NS_PER_S),
        )  # fmt: skip

    # -- sets that are converted

    def _terms(self, views: Sequence[MarketView]) -> SetTerms:
        c = self._config
        fee = max(view.merge_fee for view in views)
        step = math.lcm(SCALE, *(view.market.lot for view in views))
        equity = views[0].equity
        return SetTerms(
            unit=SCALE - fee, min_edge=ceil_from_float(c.min_edge, 1), step=step,
            least=ceil_from_float(c.min_size, step),
            most=floor_from_float(c.max_size, step), stake=max(equity, 0) * floor_from_float(c.max_stake, 1) // SCALE,
        )  # fmt: skip

    def _basket(self, views: Sequence[MarketView], found: Found, leg: Leg) -> Basket:
        c = self._config
        reason = (
            f"{leg.name} of {len(found.legs)} of {len(views)} outcomes: {to_text(found.qty)} sets at "
            f"{to_fixed(found.worth - found.edge, 4)} pay {to_fixed(found.worth, 4)} each and leave "
            f"{to_fixed(found.edge, 4)} after fees"
        )
        return Basket(
            legs=tuple(BasketLeg(views[place].market.id, leg, px) for place, px in found.legs), qty=found.qty,
            least=Qty(ceil_from_float(c.min_size, 1)), worth=found.worth, edge=found.edge,
            max_unwind_loss=Cash(floor_from_float(c.max_unwind_loss, 1)), reason=reason,
        )  # fmt: skip


def _offers(view: MarketView, leg: Leg) -> Offers:
    """Who sells a token: in the merged book a bid for YES offers NO at one minus its price."""
    levels = view.asks if leg is Leg.YES else tuple((int(complement(px)), qty) for px, qty in view.bids)
    mid = None
    if view.bids and view.asks:
        mid = (view.bids[0][0] + view.asks[0][0]) // 2
        mid = mid if leg is Leg.YES else SCALE - mid
    return Offers(
        levels=levels, mid=mid, fee=view.taker_share(levels[0][0] if levels else 1), minimum=view.market.min_notional
    )


def _sums(views: Sequence[MarketView]) -> str:
    """What 1 costs at the touch by YES of all, and by NO of all that are bid for (k of them pay k - 1); fees apart."""
    yes = [view.asks[0][0] for view in views if view.asks]
    no = [complement(view.bids[0][0]) for view in views if view.bids]
    yes_text = to_fixed(sum(yes), 4) if len(yes) == len(views) else "-"
    no_text = to_fixed(sum(no) - (len(no) - 2) * SCALE, 4) if len(no) > 1 else "-"
    return f"complete_set: YES {yes_text}, NO {no_text} per set"
