"""Views of one market for strategies to decide on, and a configuration of round numbers."""

from __future__ import annotations

from typing import Any, Final

import attrs
from hypothesis import strategies as st

from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.domain.view import BookShape, Desired, MarketView
from hlomm.pricing.quoter import QuoteModel
from hlomm.strategy.avellaneda import Avellaneda, AvellanedaConfig
from hlomm.strategy.outlooks import RealisedKind
from tests.support.values import START, levels, lots, outcome, px, seconds, usd

CONFIG: Final = AvellanedaConfig(
    model=QuoteModel.GLFT, classes=("priceBinary",), underlyings=("BTC",), periods=(), gamma=0.0004, fill_rate=0.6,
    fill_decay=150.0, lot=40.0, holding_s=120.0, min_half_spread=0.0025, max_half_spread=0.12, pull_ratio=0.5,
    reaction_s=0.45, vol_annual=0.45, vol_prior_s=300.0, vol_halflife_s=900.0,
    realised=RealisedKind.EWMA, nu_prior_s=120.0, nu_halflife_s=600.0, follow_s=0.0,
    sample_s=2.0, basis_bps=1.5, vol_error=0.25, size_floor=5.0, max_microprice_spread=0.02, kelly_fraction=0.05,
    max_size=150.0, min_size=10.0, size_decimals=0, max_underlying_age_s=10.0, requote_share=0.25, stretch=2.0,
)  # fmt: skip

BIDS: Final = levels(("0.54", 300), ("0.53", 300))
ASKS: Final = levels(("0.56", 300), ("0.57", 300))
"""Mid 0.55, wide enough that sizes do not move it."""


def maker(**changes: Any) -> Avellaneda:
    return Avellaneda(attrs.evolve(CONFIG, **changes))


def shape_of(bids: tuple[tuple[int, int], ...], asks: tuple[tuple[int, int], ...]) -> BookShape:
    if bids and asks:
        return BookShape.TWO_SIDED if bids[0][0] < asks[0][0] else BookShape.CROSSED
    return BookShape.BID_ONLY if bids else BookShape.ASK_ONLY if asks else BookShape.EMPTY


def view(
    *,
    market: Market | None = None,
    tau_s: float = 3_600.0,
    bids: tuple[tuple[int, int], ...] = BIDS,
    asks: tuple[tuple[int, int], ...] = ASKS,
    shape: BookShape | None = None,
    count: int = 1,
    at_s: float = 0.0,
    spot: str | float | None = "80000",
    mark: str | float | None = None,
    age_s: float = 0.0,
    net: float = 0,
    equity: str | float = 10_000,
    fee: int = 0,
) -> MarketView:
    """A healthy market an hour before its end, BTC at the strike; every difference is named."""
    mono_ns = START.mono_ns + seconds(at_s)
    return MarketView(
        market=outcome(tau_s=tau_s) if market is None else market, mono_ns=mono_ns,
        wall_ns=START.wall_ns + seconds(at_s), tau_ns=seconds(tau_s),
        shape=shape_of(bids, asks) if shape is None else shape, bids=bids, asks=asks, book_age_ns=0,
        book_count=count, underlying_px=None if mark is None else px(mark), underlying_age_ns=seconds(age_s),
        underlying_mid2=None if spot is None else 2 * px(spot), yes=lots(max(net, 0)), no=lots(max(-net, 0)),
        equity=usd(equity), close_maker_fee=fee,
    )  # fmt: skip


def decide(strategy: Avellaneda | None = None, **changes: Any) -> Desired:
    return (maker() if strategy is None else strategy).decide(view(**changes))


def facts(desired: Desired) -> dict[str, float | str]:
    return dict(desired.facts)


def number(desired: Desired, name: str) -> float:
    value = facts(desired)[name]
    assert isinstance(value, float), f"{name} is {value!r}"
    return value


def width(desired: Desired) -> int:
    assert desired.bid is not None
    assert desired.ask is not None
    return desired.ask.px - desired.bid.px


# -- any view at all

_levels = st.lists(st.tuples(st.integers(1, SCALE - 1), st.integers(1, 2_000 * SCALE)), max_size=5)


@st.composite
def any_view(draw: st.DrawFn) -> MarketView:
    """Whatever an engine might show: crossed, empty and absurd books, settled and century-long contracts."""
    tick, lot = draw(st.sampled_from([1_000, 100_000, 1_000_000])), draw(st.sampled_from([SCALE, SCALE // 10]))
    tau_ns = draw(st.one_of(st.integers(0, 120 * NS_PER_S), st.integers(0, 10 * 365 * 86_400 * NS_PER_S)))
    bids = tuple(sorted(draw(_levels), reverse=True))
    asks = tuple(sorted(draw(_levels)))
    spot = draw(st.one_of(st.none(), st.integers(7_990_000_000_000, 8_010_000_000_000), st.integers(0, 1 << 62)))
    return MarketView(
        market=outcome(tick=Px(tick), lot=Qty(lot), strike=Px(draw(st.sampled_from([1, 8_000_000_000_000, 1 << 60])))),
        mono_ns=START.mono_ns + draw(st.integers(0, 10**13)),
        wall_ns=START.wall_ns, tau_ns=tau_ns, shape=draw(st.sampled_from([shape_of(bids, asks), *BookShape]))
        if not (bids and asks) else shape_of(bids, asks),
        bids=bids, asks=asks, book_age_ns=draw(st.integers(0, 10**12)), book_count=draw(st.integers(0, 5)),
        underlying_px=Px(draw(st.integers(0, 1 << 62))) if draw(st.booleans()) else None,
        underlying_age_ns=draw(st.sampled_from([0, 5 * NS_PER_S, 10 * NS_PER_S, 10 * NS_PER_S + 1, 10**15])),
        underlying_mid2=None if spot is None else 2 * spot,
        yes=Qty(draw(st.integers(0, 10**6)) * SCALE), no=Qty(draw(st.integers(0, 10**6)) * SCALE),
        equity=Cash(draw(st.sampled_from([-SCALE, 0, 1, 100 * SCALE, 10_000 * SCALE, 10**9 * SCALE]))),
        close_maker_fee=draw(st.sampled_from([0, 15_000, 150_000, SCALE // 100])),
    )  # fmt: skip
