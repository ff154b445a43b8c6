"""The three surfaces, as grids of numbers.

- Quote band over (sigma, q): unrounded bid and ask of `hlomm.strategy.avellaneda.quote_at`, the function that every
  live decision calls, at the fair value, time left and settings of one recorded moment.
- P(YES) over (sigma, S): `ExpectedVol.outlook` of `hlomm.strategy.outlooks.expected_vol`, as the strategies price
  parity with the underlying, with the premium and time left of that moment.
- Inefficiency over (venue, time): |deviation| over its threshold as the engine sampled it (`hlomm.engine.
  inefficiencies`), mean over a venue's contracts; 1 is where trading on it begins to pay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import attrs
import polars as pl

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.units import SCALE
from hlomm.engine.inefficiencies import SAMPLE_NS
from hlomm.pricing.expected import contract_of
from hlomm.pricing.premium import VolPremium
from hlomm.research.report.gather import Gathered
from hlomm.research.report.watch import ModelConfig
from hlomm.strategy.avellaneda import AvellanedaConfig, quote_at
from hlomm.strategy.outlooks import expected_vol, moving_time_s

GRID: Final = 25
TIME_CELLS: Final = 120
_CELL_NS: Final = 2 * SAMPLE_NS
"""Shortest cell: one that a sample cannot miss."""
Grid = list[list[float | None]]
"""Rows by y, values by x."""


@attrs.frozen(kw_only=True)
class Moment:
    """One sampled row of `quotes` that a surface can be made from."""

    wall_ns: int
    market: MarketId
    ticker: str
    strategy: StrategyId
    tau_s: float
    fair: float
    q: float
    spot: float
    realised_vol: float | None
    premium: float | None
    sigma_p: float | None
    own_bid: float | None
    own_ask: float | None


@attrs.frozen(kw_only=True)
class Band:
    """x: sigma_p in cents per sqrt(minute), y: YES less NO in contracts, z: prices."""

    moment: Moment
    x: list[float]
    y: list[float]
    bid: Grid
    ask: Grid


@attrs.frozen(kw_only=True)
class Odds:
    """x: realised vol per sqrt(year), y: price of the underlying, z: P(YES)."""

    moment: Moment
    x: list[float]
    y: list[float]
    p: Grid


@attrs.frozen(kw_only=True)
class Inefficiency:
    """x: unix ns at which a cell begins, y: venues, z: mean |deviation| / threshold; `peak` the largest of them."""

    x: list[int]
    venues: list[str]
    z: Grid
    peak: Grid


def chosen_market(gathered: Gathered) -> MarketId | None:
    """The contract whose surfaces are drawn: most samples that a model priced among those with most fills."""
    priced = _priced(gathered)
    if priced.is_empty():
        return None
    fills = dict(gathered.tables["fills"].group_by("market").len().iter_rows())
    counts = priced.group_by("market", maintain_order=True).len().iter_rows()
    ranked = [(fills.get(market, 0), count, MarketId(market)) for market, count in counts]
    return max(ranked, key=lambda row: row[:2])[2]


def moments(gathered: Gathered, market: MarketId | None, count: int) -> list[Moment]:
    """At most `count` priced samples, evenly over the run; of one market, or of whichever was first listed then."""
    rows = _priced(gathered)
    if market is not None:
        rows = rows.filter(pl.col("market") == market)
    else:
        rows = rows.unique("wall_ns", keep="first", maintain_order=True)
    if rows.is_empty():
        return []
    step = max(-(-len(rows) // count), 1)
    return [_moment(row) for row in rows.gather_every(step).iter_rows(named=True)]


def _priced(gathered: Gathered) -> pl.DataFrame:
    known = [name for name, kept in gathered.configs.items() if kept]
    inside = (pl.col("fair") > 0) & (pl.col("fair") < SCALE) & (pl.col("tau_s") > 0.0) & pl.col("spot").is_not_null()
    return gathered.tables["quotes"].filter(inside & pl.col("strategy").is_in(known))


def _moment(row: dict[str, Any]) -> Moment:
    def price(name: str) -> float | None:
        return None if row[name] is None else row[name] / SCALE

    return Moment(
        wall_ns=row["wall_ns"], market=row["market"], ticker=row["ticker"], strategy=row["strategy"],
        tau_s=row["tau_s"], fair=row["fair"] / SCALE, q=row["net"] / SCALE, spot=row["spot"],
        realised_vol=row["realised_vol"], premium=row["premium"], sigma_p=row["sigma_p"], own_bid=price("own_bid"),
        own_ask=price("own_ask"),
    )  # fmt: skip


def config_at(gathered: Gathered, moment: Moment) -> ModelConfig:
    """Settings of the moment's strategy as they were in force."""
    known = gathered.configs[moment.strategy]
    return next((one.config for one in reversed(known) if one.wall_ns <= moment.wall_ns), known[0].config)


# -- quote band


def band(gathered: Gathered, moment: Moment, *, sigmas: Sequence[float], qs: Sequence[float]) -> Band | None:
    """None where that strategy does not quote or the contract's vol was not known. `sigmas` per sqrt(second)."""
    config = config_at(gathered, moment)
    tau_s = moving_time_s(gathered.markets[moment.market], moment.tau_s)
    if not isinstance(config, AvellanedaConfig) or tau_s is None:
        return None
    bid: Grid = []
    ask: Grid = []
    for q in qs:
        made = [quote_at(config, p=moment.fair, q=q, tau_s=tau_s, sigma_p=sigma) for sigma in sigmas]
        bid.append([one.bid for one in made])
        ask.append([one.ask for one in made])
    return Band(moment=moment, x=[in_cents(sigma) for sigma in sigmas], y=list(qs), bid=bid, ask=ask)


def band_axes(gathered: Gathered, chosen: Sequence[Moment]) -> tuple[list[float], list[float]]:
    """(sigma_p per sqrt(second), q) around everything that was recorded at these moments."""
    sigmas = [moment.sigma_p for moment in chosen if moment.sigma_p is not None]
    if not sigmas:
        return [], []
    sizes = [
        config.max_size for moment in chosen if isinstance(config := config_at(gathered, moment), AvellanedaConfig)
    ]
    reach = max([10.0, *sizes, *(1.2 * abs(moment.q) for moment in chosen)])
    return steps(0.4 * min(sigmas), 1.6 * max(sigmas)), steps(-reach, reach)


def in_cents(sigma_p: float) -> float:
    """Cents per sqrt(minute) of a vol of price per sqrt(second)."""
    return 100.0 * sigma_p * math.sqrt(60.0)


# -- parity


def odds(gathered: Gathered, moment: Moment, *, sigmas: Sequence[float], spots: Sequence[float]) -> Odds | None:
    """None where the contract pays on no price. `sigmas` per sqrt(year)."""
    config, market = config_at(gathered, moment), gathered.markets[moment.market]
    contract, tau_s = contract_of(market), moving_time_s(market, moment.tau_s)
    if contract is None or tau_s is None:
        return None
    m = math.log(moment.premium) if moment.premium is not None and moment.premium > 0.0 else 0.0
    expected = expected_vol(config.vol_annual, config.basis_bps, VolPremium.told(m, sd0=config.vol_error))
    grid: Grid = [
        [
            expected.outlook(0.0, sigma=sigma, tau_s=tau_s, spot=spot, contract=contract).odds.p_yes
            for sigma in sigmas
        ]
        for spot in spots
    ]  # fmt: skip
    return Odds(moment=moment, x=list(sigmas), y=list(spots), p=grid)


def odds_axes(gathered: Gathered, chosen: Sequence[Moment]) -> tuple[list[float], list[float]]:
    """(realised vol, price of the underlying): what was recorded, and about three deviations to settlement."""
    vols = [moment.realised_vol for moment in chosen if moment.realised_vol]
    vols = vols or [config_at(gathered, moment).vol_annual for moment in chosen]
    if not vols:
        return [], []
    spots = [moment.spot for moment in chosen]
    reach = max(3.0 * max(vols) * math.sqrt(max(moment.tau_s for moment in chosen) / 31_536_000.0), 0.001)
    return steps(0.3 * min(vols), 2.0 * max(vols)), steps(min(spots) * (1.0 - reach), max(spots) * (1.0 + reach))


# -- inefficiency


def inefficiency(gathered: Gathered, *, cells: int = TIME_CELLS) -> Inefficiency | None:
    """None where nothing was ever seen at two venues."""
    rows = gathered.tables["standings"]
    if rows.is_empty():
        return None
    first, last = rows["wall_ns"][0], rows["wall_ns"][-1]
    width = max(-(-(last - first + 1) // cells), _CELL_NS)
    shares = rows.with_columns(
        cell=(pl.col("wall_ns") - first) // width, share=pl.col("deviation").abs() / pl.col("threshold")
    )
    grouped = shares.group_by("venue", "cell").agg(mean=pl.col("share").mean(), peak=pl.col("share").max())
    found = {(venue, cell): (mean, peak) for venue, cell, mean, peak in grouped.iter_rows()}
    venues = sorted({venue for venue, _ in found})
    count = (last - first) // width + 1
    return Inefficiency(
        x=[first + cell * width for cell in range(count)], venues=venues,
        z=[[found.get((venue, cell), (None, None))[0] for cell in range(count)] for venue in venues],
        peak=[[found.get((venue, cell), (None, None))[1] for cell in range(count)] for venue in venues],
    )  # fmt: skip


def steps(low: float, high: float, count: int = GRID) -> list[float]:
    """Equally spaced, both ends among them."""
    return [low + (high - low) * at / (count - 1) for at in range(count)]
