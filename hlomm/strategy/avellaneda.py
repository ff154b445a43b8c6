"""Inventory-aware market making in one outcome market (QUANT 1, 2; models in `hlomm.pricing.quoter`).

Fair value: the book's guarded microprice and the digital on the underlying, weighted by precision in probit space.
Where the book is thin, one-sided or empty the digital carries it alone. The digital's vol has a term structure: what
is realised relaxes to its long-run level, the settlement differs from what we see, the kernel has fat tails (QUANT 4;
`hlomm.pricing.terminal`), and the books' own implied vol scales it (`hlomm.pricing.premium`), so that the value keeps
following the market when the last offers are gone. The book is followed as a gap to the digital: it moves with the
underlying at once, not when its makers have seen it (`hlomm.pricing.book_gap`). Volatility of the contract: for a dated
price binary sigma_p = nu phi(z)/sqrt(tau), with nu estimated on the book's mid. Near expiry the half-spread widens
with latency risk and the quote is pulled once it would exceed the widest allowed. Size: continuous Kelly on the
half-spread net of fees against the variance over the holding horizon.

A price bucket is the difference of two digitals, priced and hedged as such. Its width is that of the digital of the
same price: of all sets of one probability a half-line moves most when the price does, so a bucket moves less, and nu,
estimated on its own mid, says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.look_rows import FigureRow, SurfaceRow
from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px, Qty, ceil_from_float, ceil_to, floor_from_float, to_float
from hlomm.domain.view import Basket, BookShape, Desired, MarketView, Sensitivity, Wish, no_quote
from hlomm.pricing import binary, fair, horizon, kelly, microprice
from hlomm.pricing.book_gap import BookGap
from hlomm.pricing.expected import contract_of
from hlomm.pricing.probit_vol import ProbitVol
from hlomm.pricing.quoter import Quote, QuoteModel, quote
from hlomm.strategy import charts
from hlomm.strategy.base import retuned
from hlomm.strategy.charts import Decision
from hlomm.strategy.outlooks import OutlookRules, Outlooks, RealisedKind, moving_time_s, spot_of
from hlomm.strategy.selection import Selection
from hlomm.strategy.sensitivity import sensitivity
from hlomm.strategy.told import Told

_NU_RANGE: Final = (0.25, 4.0)
"""Realised over implied volatility outside this range says more about the book than about the market."""


@attrs.frozen(kw_only=True)
class AvellanedaConfig:
    """Human units: prices 0..1, contracts, seconds, USDC. Meanings in config/default.toml."""

    model: QuoteModel
    classes: tuple[str, ...]
    underlyings: tuple[str, ...]
    periods: tuple[str, ...]
    deployers: tuple[str, ...] = ()
    min_liquidity: float = 0.0
    gamma: float
    fill_rate: float
    fill_decay: float
    lot: float
    holding_s: float
    min_half_spread: float
    max_half_spread: float
    pull_ratio: float
    reaction_s: float
    vol_annual: float
    vol_prior_s: float
    vol_halflife_s: float
    realised: RealisedKind
    nu_prior_s: float
    nu_halflife_s: float
    follow_s: float
    sample_s: float
    basis_bps: float
    vol_error: float
    size_floor: float
    max_microprice_spread: float
    kelly_fraction: float
    max_size: float
    min_size: float
    size_decimals: int
    max_underlying_age_s: float
    requote_share: float
    stretch: float


@attrs.define(eq=False)
class _Memory:
    """What is kept per market."""

    nu: ProbitVol
    gap: BookGap | None
    """None where the book is taken as it stands."""
    book_count: int = -1
    last: Decision | None = None
    """None where there was no fair value."""


class Avellaneda:
    id: Final = StrategyId("avellaneda")

    def __init__(self, config: AvellanedaConfig) -> None:
        self._config = config
        self._outlooks = Outlooks(
            OutlookRules(
                vol_annual=config.vol_annual, vol_prior_s=config.vol_prior_s, vol_halflife_s=config.vol_halflife_s,
                sample_s=config.sample_s, basis_bps=config.basis_bps, vol_error=config.vol_error,
                max_underlying_age_s=config.max_underlying_age_s, realised=config.realised,
            )
        )  # fmt: skip
        self.selection = Selection(
            classes=config.classes,
            underlyings=config.underlyings,
            periods=config.periods,
            deployers=config.deployers,
            min_liquidity=config.min_liquidity,
        )
        self._memory: dict[MarketId, _Memory] = {}

    def wants(self, market: Market) -> bool:
        """Markets that are selected and that the model can price: a strike or a bucket, at one time."""
        return self.selection.takes(market) and contract_of(market) is not None and market.expiry_ns is not None

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        """Contracts are looked at one by one."""
        del views
        return None

    def unmatched(self, listed: Iterable[Market]) -> dict[str, str]:
        return self.selection.unmatched(listed)

    def forget(self, market: MarketId) -> None:
        self._memory.pop(market, None)

    @property
    def config(self) -> AvellanedaConfig:
        """Settings in force, tuned ones as tuned."""
        return self._config

    def retune(self, name: str, value: float) -> None:
        self._config = retuned(self._config, name, value)

    def decide(self, view: MarketView) -> Desired:
        return self.selection.liquid_only(view, self._decide(view))

    def _decide(self, view: MarketView) -> Desired:
        if view.tau_ns <= 0:
            return no_quote("expired: waiting for settlement")
        tau_s = moving_time_s(view.market, view.tau_ns / NS_PER_S)
        if tau_s is None:
            return no_quote("averaging: part of what it settles on is already known, and not to us")
        underlying = self._outlooks.observe(view)
        book = self._book_price(view)
        said = fair.book_estimate(book.value, book.spread)
        memory, fresh = self._observe_book(view, book, tau_s)
        outlook = self._outlooks.outlook(view, underlying)
        model = None if outlook is None else outlook.estimate()
        book_now = _up_to_now(memory.gap, view, model, said)
        value = fair.blend(model, book_now)
        if fresh and outlook is not None and said is not None:
            self._outlooks.learn(view, underlying, outlook, said)
        memory.last = None
        if value.p is None:
            return no_quote(f"no_fair_value: {value.reason}")
        nu = min(max(memory.nu.nu, _NU_RANGE[0]), _NU_RANGE[1])
        sigma_p = nu * horizon.p_vol(value.p, tau_s)
        wanted = quote_at(self._config, p=value.p, q=view.net / SCALE, tau_s=tau_s, sigma_p=sigma_p)
        memory.last = Decision(view, value.p, outlook, tau_s, nu, book_now)
        size = self._size(view, wanted, value.p, tau_s, nu)
        moves = None if outlook is None or model is None else sensitivity(outlook)
        told = Told(
            value=value, book=book, model=model, outlook=outlook, realised=underlying.realised.annual,
            spot=spot_of(view), contract=contract_of(view.market), tau_s=tau_s, nu=nu, wanted=wanted, size=size,
        )  # fmt: skip
        return self._desired(view, value, wanted, size, moves, told)

    # -- for people

    def surface(self, market: MarketId, cap: Qty) -> SurfaceRow:
        return charts.surface(
            self.id, self._last(market),
            lambda last, sigma_p, q: quote_at(self._config, p=last.p, q=q, tau_s=last.tau_s, sigma_p=sigma_p), cap=cap,
            max_half=self._config.max_half_spread,
        )  # fmt: skip

    def figures(self, market: MarketId) -> FigureRow | None:
        last, c = self._last(market), self._config
        if last is None:
            return None
        return FigureRow(
            pulled_below_s=binary.pulled_below_s(last.p, last.nu, c.reaction_s, c.pull_ratio, c.max_half_spread),
            book_now=None if last.book is None else Px(round(last.book.p * SCALE)),
        )

    def _last(self, market: MarketId) -> Decision | None:
        memory = self._memory.get(market)
        return None if memory is None else memory.last

    # -- estimates

    def _book_price(self, view: MarketView) -> microprice.BookPrice:
        if view.shape is not BookShape.TWO_SIDED:
            return microprice.BookPrice(None, microprice.BookSource.NONE, None, microprice.ONE_SIDED)
        bids = ((to_float(px), to_float(qty)) for px, qty in view.bids)
        asks = ((to_float(px), to_float(qty)) for px, qty in view.asks)
        c = self._config
        return microprice.guarded(bids, asks, size_floor=c.size_floor, tick=c.max_microprice_spread, max_ticks=1.0)

    def _observe_book(self, view: MarketView, book: microprice.BookPrice, tau_s: float) -> tuple[_Memory, bool]:
        """What is kept about the market, and whether this book is a new one."""
        c, market_id = self._config, view.market.id
        memory = self._memory.get(market_id)
        if memory is None:
            # One clock for the whole life of the estimator: monotonic, with the expiry brought onto it.
            expiry_s = view.mono_ns / NS_PER_S + tau_s
            memory = self._memory[market_id] = _Memory(
                ProbitVol(
                    expiry_s=expiry_s, half_life_s=c.nu_halflife_s, nu0=1.0, tau0_s=c.nu_prior_s, grid_s=c.sample_s
                ),
                BookGap(follow_s=c.follow_s) if c.follow_s else None,
            )
        fresh = view.book_count != memory.book_count and book.value is not None
        if fresh:
            memory.book_count = view.book_count
            assert book.mid is not None
            memory.nu.update(view.mono_ns / NS_PER_S, book.mid)
        return memory, fresh

    # -- decision

    def _size(self, view: MarketView, wanted: Quote, p: float, tau_s: float, nu: float) -> kelly.Size:
        c = self._config
        if wanted.half is None:
            return kelly.Size(0.0, kelly.SizeBound.NO_EDGE)
        # The leg that closes is not known yet: the dearer one pays the larger fee.
        edge = wanted.half - view.close_maker_fee / SCALE * max(p, 1.0 - p)
        equity, held_s = to_float(view.equity), min(c.holding_s, tau_s)
        if held_s > 0.0:
            # No horizon has more variance than all that is left, and more of it makes no size larger: what is capped
            # with that is capped anyway, which spares the integral in nearly every decision.
            least = self._kelly(edge, nu * nu * (p * (1.0 - p)), equity)
            if least.bound is kelly.SizeBound.CAP:
                return least
        return self._kelly(edge, nu * nu * horizon.variance(p, tau_s, held_s), equity)

    def _kelly(self, edge: float, variance: float, equity: float) -> kelly.Size:
        c, decimals = self._config, self._config.size_decimals
        return kelly.quote_size(
            edge, variance, equity, fraction=c.kelly_fraction, cap=c.max_size, floor=c.min_size, decimals=decimals
        )

    def _desired(
        self,
        view: MarketView,
        value: fair.Fair,
        wanted: Quote,
        size: kelly.Size,
        moves: Sensitivity | None,
        told: Told,
    ) -> Desired:
        assert value.p is not None
        tick, qty = view.market.tick, Qty(floor_from_float(size.contracts, view.market.lot))
        no_size = "" if qty > 0 or wanted.half is None else f"size: {size.bound.name.lower()}"
        bid_px = None if wanted.bid is None else floor_from_float(wanted.bid, tick)
        ask_px = None if wanted.ask is None else ceil_from_float(wanted.ask, tick)
        bid = bid_px is not None and bid_px >= tick and not no_size
        ask = ask_px is not None and ask_px <= SCALE - tick and not no_size
        return Desired(
            bid=Wish(Px(bid_px), self._stretched(view.market, qty, bid_px)) if bid and bid_px is not None else None,
            ask=Wish(Px(ask_px), self._stretched(view.market, qty, SCALE - ask_px))
            if ask and ask_px is not None
            else None,
            bid_reason="" if bid else no_size or f"model: {wanted.bid_reason or 'bid below the lowest tick'}",
            ask_reason="" if ask else no_size or f"model: {wanted.ask_reason or 'ask above the highest tick'}",
            fair=Px(min(max(round(value.p * SCALE), 0), SCALE)), fair_source=value.source.name.lower(),
            tolerance=Px(floor_from_float(self._config.requote_share * (wanted.half or 0.0), tick)), told=told,
            sensitivity=moves,
        )  # fmt: skip

    def _stretched(self, market: Market, qty: Qty, cost: int) -> Qty:
        """The size, or the least that the venue accepts at that cost per contract if it is not much larger.

        At the dear end a quote is a purchase of the cheap complement: 150 contracts at 4 cents are below the minimum.
        """
        if qty >= market.min_qty and qty * cost >= market.min_notional * SCALE:
            return qty
        least = max(ceil_to(-(-market.min_notional * SCALE // max(cost, 1)), market.lot), market.min_qty)
        return Qty(least) if qty < least <= qty * self._config.stretch else qty


def quote_at(c: AvellanedaConfig, *, p: float, q: float, tau_s: float, sigma_p: float) -> Quote:
    """Unrounded quote of these settings; units as in `hlomm.pricing.quoter`. Decisions and pictures both ask here."""
    latency = binary.latency_floor(sigma_p, c.reaction_s, c.pull_ratio)
    return quote(
        c.model, p=p, q=q, tau_s=tau_s, sigma_p=sigma_p, gamma=c.gamma, a=c.fill_rate, k=c.fill_decay, lot=c.lot,
        horizon_s=c.holding_s, max_half=c.max_half_spread, floor_half=max(latency, c.min_half_spread),
    )  # fmt: skip


def _up_to_now(
    gap: BookGap | None, view: MarketView, model: fair.Estimate | None, said: fair.Estimate | None
) -> fair.Estimate | None:
    """What the book says, moved by what the underlying did since; unmoved where no model tells."""
    if gap is None or model is None or said is None:
        return said
    return fair.Estimate(gap.update(view.mono_ns / NS_PER_S, said.z, model.z), said.sd_z)
