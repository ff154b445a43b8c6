"""Parity between an outcome and its underlying: trade when the book offers more than every cost of holding to the end.

The fair value is the digital with the expected volatility (QUANT 4; `hlomm.pricing.terminal`), not blended with the
book it is held against. Buying YES at the ask, or gaining from NO at the bid, must leave `min_edge` after the fees of
opening and of settling (or of closing what is held), after the hedge's round trip, and after `doubt` standard errors of
the model. It trades at once, as far into the book as that still holds, in Kelly's size; the maintained hedge
(`hlomm.engine.hedge`) takes the delta out, so what is left is the bet on volatility and convergence (QUANT 4.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs
import msgspec

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.inputs import Level
from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px, Qty, floor_from_float, floor_to, to_float
from hlomm.domain.view import Basket, BookShape, Desired, Fact, Facts, MarketView, Take, no_quote
from hlomm.pricing import fair, kelly
from hlomm.pricing.expected import Outlook, contract_of
from hlomm.pricing.normal import cdf
from hlomm.strategy.base import retuned
from hlomm.strategy.outlooks import OutlookRules, Outlooks, RealisedKind, spot_of
from hlomm.strategy.overlaps import Overlaps
from hlomm.strategy.selection import Selection
from hlomm.strategy.sensitivity import sensitivity

_WAITING: Final = "parity: nothing is worth its cost"


@attrs.frozen(kw_only=True)
class BtcParityConfig:
    """Human units: prices 0..1, contracts, seconds, USDC. Meanings in config/default.toml."""

    classes: tuple[str, ...]
    underlyings: tuple[str, ...]
    periods: tuple[str, ...]
    deployers: tuple[str, ...]
    min_liquidity: float
    min_edge: float
    doubt: float
    hedge_cost: float
    follow_book: bool
    min_tau_s: float
    vol_annual: float
    vol_prior_s: float
    vol_halflife_s: float
    realised: RealisedKind
    sample_s: float
    basis_bps: float
    vol_error: float
    max_underlying_age_s: float
    kelly_fraction: float
    max_stake: float
    max_size: float
    min_size: float


@attrs.frozen
class _Offer:
    """What one side of the book is worth taking."""

    direction: int
    px: Px
    """Worst level still worth it, in YES space."""
    qty: int
    edge: float
    """Of the best level, after all costs."""


class BtcParity:
    id: Final = StrategyId("btc_parity")

    def __init__(self, config: BtcParityConfig) -> None:
        self._config = config
        self.selection = Selection(
            classes=config.classes,
            underlyings=config.underlyings,
            periods=config.periods,
            deployers=config.deployers,
            min_liquidity=config.min_liquidity,
        )
        self._outlooks = Outlooks(
            OutlookRules(
                vol_annual=config.vol_annual, vol_prior_s=config.vol_prior_s, vol_halflife_s=config.vol_halflife_s,
                sample_s=config.sample_s, basis_bps=config.basis_bps, vol_error=config.vol_error,
                max_underlying_age_s=config.max_underlying_age_s, realised=config.realised,
            )
        )  # fmt: skip

        self._overlaps = Overlaps()

    def wants(self, market: Market) -> bool:
        """Selected contracts on a strike or a bucket: what the sensitivity, and so the hedge, is known for."""
        return self.selection.takes(market) and contract_of(market) is not None and market.expiry_ns is not None

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        """Contracts are looked at one by one."""
        del views
        return None

    def unmatched(self, listed: Iterable[Market]) -> dict[str, str]:
        return self.selection.unmatched(listed)

    def forget(self, market: MarketId) -> None:
        self._overlaps.forget(market)

    @property
    def config(self) -> BtcParityConfig:
        """Settings in force, tuned ones as tuned."""
        return self._config

    def retune(self, name: str, value: float) -> None:
        self._config = retuned(self._config, name, value)

    def decide(self, view: MarketView) -> Desired:
        return self.selection.liquid_only(view, self._decide(view))

    def _decide(self, view: MarketView) -> Desired:
        c = self._config
        self._overlaps.see(view)
        underlying = self._outlooks.observe(view)
        outlook = self._outlooks.outlook(view, underlying)
        model = None if outlook is None else outlook.estimate()
        if outlook is None or model is None:
            return no_quote("no_fair_value: no fresh underlying, or the outcome is as good as decided")
        if c.follow_book and (said := _said(view)) is not None:
            self._outlooks.learn(view, underlying, outlook, said)
        moves = sensitivity(outlook)
        low, high = cdf(model.z - c.doubt * model.sd_z), cdf(model.z + c.doubt * model.sd_z)
        offers = [
            offer
            for offer in (self._worth(view, +1, low, outlook), self._worth(view, -1, high, outlook))
            if offer is not None
        ]
        take, why = None, _WAITING
        if offers and view.tau_ns < c.min_tau_s * NS_PER_S:
            why = f"tau: {view.tau_ns / NS_PER_S:.0f} s to the settlement < {c.min_tau_s:g}"
        elif offers:
            found = self._take(view, max(offers, key=lambda one: one.edge), model.p, outlook)
            take, why = (None, found) if isinstance(found, str) else (found, found.reason)
        return Desired(
            bid=None, ask=None, bid_reason=why, ask_reason=why, take=take, sensitivity=moves,
            fair=Px(min(max(round(model.p * SCALE), 0), SCALE)), fair_source="model",
            told=_told(view, outlook, model, low, high),
        )  # fmt: skip

    # -- the edge

    def _worth(self, view: MarketView, direction: int, p: float, outlook: Outlook) -> _Offer | None:
        """Levels of the side that a trade would meet, while each leaves the least edge; `p` is the cautious one."""
        levels: tuple[Level, ...] = view.asks if direction > 0 else view.bids
        closing = view.net * direction < 0
        last, qty, best = None, 0, 0.0
        for px, size in levels:
            edge = self._edge(view, direction, to_float(px), p, outlook, closing=closing)
            if edge < self._config.min_edge:
                break
            last, qty, best = Px(px), qty + size, max(best, edge)
        if last is None:
            return None
        if closing:
            qty = min(qty, abs(view.net))
        return _Offer(direction, last, qty, best)

    def _edge(self, view: MarketView, direction: int, px: float, p: float, outlook: Outlook, *, closing: bool) -> float:
        """What a contract leaves after every cost, in quote per contract."""
        return (p - px) * direction - self._costs(view, direction, px, p, outlook, closing=closing)

    def _costs(
        self, view: MarketView, direction: int, px: float, p: float, outlook: Outlook, *, closing: bool
    ) -> float:
        """Of a contract: of trading it, of its settlement, of its hedge."""
        own = px if direction > 0 else 1.0 - px
        if closing:
            # What is held goes back: its own price pays the fee, and its hedge is taken off rather than put on.
            return view.close_taker_fee / SCALE * (1.0 - own)
        won = p if direction > 0 else 1.0 - p
        fees = view.open_taker_fee / SCALE * own + view.settle_fee / SCALE * won
        hedged = abs(outlook.odds.delta) * (spot_of(view) or 0.0)
        return fees + 2.0 * self._config.hedge_cost * hedged

    # -- the trade

    def _take(self, view: MarketView, offer: _Offer, p: float, outlook: Outlook) -> Take | str:
        """The trade, or `guard: detail` why there is none although the book offers it."""
        c = self._config
        px, equity = to_float(offer.px), to_float(view.equity)
        costs = self._costs(view, offer.direction, px, p, outlook, closing=view.net * offer.direction < 0)
        bet, beside = self._overlaps.bet(
            view, spot_of(view) or 0.0, outlook, offer.direction, px, costs, equity=equity, fraction=c.kelly_fraction
        )
        size = kelly.bet_size(
            bet, equity, fraction=c.kelly_fraction, max_stake=c.max_stake, cap=c.max_size, floor=c.min_size, decimals=0
        )
        room = max(c.max_size - max(view.net * offer.direction, 0) / SCALE, 0.0)
        qty = Qty(
            min(floor_to(offer.qty, view.market.lot), floor_from_float(min(size.contracts, room), view.market.lot))
        )
        bound = size.bound.name.lower() + (f" beside {beside} held" if beside else "")
        if qty <= 0:
            what = f"max_size: {c.max_size:g} are held" if room <= 0.0 else f"size: {bound}"
            return f"{what}, edge {offer.edge:.4f} after costs at {px:.4f}, fair {p:.4f}"
        reason = f"edge {offer.edge:.4f} after costs at {px:.4f}, fair {p:.4f}, size by {bound}"
        return Take(direction=offer.direction, px=offer.px, qty=qty, reason=reason)


def _said(view: MarketView) -> fair.Estimate | None:
    if view.shape is not BookShape.TWO_SIDED:
        return None
    bid, ask = to_float(Px(view.bids[0][0])), to_float(Px(view.asks[0][0]))
    return fair.book_estimate(0.5 * (bid + ask), ask - bid)


class _Told(msgspec.Struct, frozen=True):
    """The numbers behind a decision, put together when somebody looks."""

    bid: Px | None
    ask: Px | None
    outlook: Outlook
    model: fair.Estimate
    low: float
    high: float

    def __call__(self) -> Facts:
        bid, ask = ("-" if px is None else to_float(px) for px in (self.bid, self.ask))
        return (
            ("fair", self.model.p), ("low", self.low), ("high", self.high), ("bid", bid), ("ask", ask),
            ("expected", self.outlook.sigma), ("premium", self.outlook.premium),
        )  # fmt: skip

    def named(self, name: str) -> Fact | None:
        return dict(self()).get(name)


def _told(view: MarketView, outlook: Outlook, model: fair.Estimate, low: float, high: float) -> _Told:
    bid, ask = (Px(levels[0][0]) if levels else None for levels in (view.bids, view.asks))
    return _Told(bid, ask, outlook, model, low, high)
