"""Buckets, markouts by bucket and scores, against figures made by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from hlomm.domain.ids import MarketId
from hlomm.domain.units import SCALE, Px
from hlomm.research.report.gather import Gathered
from hlomm.research.report.quality import ALL, P_BUCKETS, TAU_BUCKETS, markouts, p_bucket, scores, tau_bucket
from hlomm.research.report.source import Source
from hlomm.research.report.tables import FILLS, QUOTES, Table
from hlomm.research.report.watch import Settled

A, B = MarketId("hyperliquid:o1"), MarketId("hyperliquid:o2")


@pytest.mark.parametrize(
    ("p", "name"),
    [(0.0, "0-0.05"), (0.05, "0.05-0.1"), (0.2499, "0.1-0.25"), (0.5, "0.5-0.75"), (1.0, "0.95-1"), (-0.1, "0-0.05")],
)
def test_price_buckets_take_their_lower_end(p: float, name: str) -> None:
    assert p_bucket(p) == name
    assert name in P_BUCKETS


@pytest.mark.parametrize(
    ("tau_s", "name"), [(0.0, "<1 min"), (59.9, "<1 min"), (60.0, "1-5"), (1800.0, "30-60"), (1e7, ">60 min")]
)
def test_time_buckets_take_their_lower_end(tau_s: float, name: str) -> None:
    assert tau_bucket(tau_s) == name
    assert name in TAU_BUCKETS


def fills(*rows: dict[str, Any]) -> pl.DataFrame:
    table = Table("fills")
    plain = {
        "wall_ns": 1, "market": A, "venue": "hyperliquid", "ticker": "A", "kind": "trade", "leg": "YES", "side": "BUY",
        "px": 0, "yes_px": 0, "sign": 1, "qty": SCALE, "fee": 0, "maker": True, "outcome": True, "tau_s": 30.0,
        "edge": None, "markout_1s": None, "markout_5s": None, "markout_30s": None, "markout_60s": None,
    }  # fmt: skip
    assert list(plain) == list(FILLS)
    for row in rows:
        table.add(*(plain | row).values())
    return table.frame(Source.SIM)


def test_markouts_are_weighted_by_size_and_only_of_resting_orders() -> None:
    by_p, by_tau = markouts(
        fills(
            {"yes_px": 30_000_000, "qty": 10 * SCALE, "markout_1s": 2_000_000, "tau_s": 30.0},
            {"yes_px": 40_000_000, "qty": 30 * SCALE, "markout_1s": -1_000_000, "tau_s": 100.0},
            {"yes_px": 40_000_000, "qty": 500 * SCALE, "markout_1s": 9_000_000, "maker": False},
            {"yes_px": 40_000_000, "qty": 500 * SCALE, "markout_1s": 9_000_000, "kind": "settlement"},
            {"yes_px": 40_000_000, "qty": 500 * SCALE, "markout_1s": 9_000_000, "outcome": False},
        )
    )
    cells = {(cell.bucket, cell.horizon_s): cell for cell in by_p}
    assert len(cells) == 4 * len(P_BUCKETS)
    assert (cells["0.25-0.5", 1].fills, cells["0.25-0.5", 1].mean) == (2, pytest.approx((0.02 * 10 - 0.01 * 30) / 40))
    assert (cells["0.25-0.5", 5].fills, cells["0.25-0.5", 5].mean) == (0, None)
    assert sum(cell.fills for cell in by_p) == 2
    times = {(cell.bucket, cell.horizon_s): cell.mean for cell in by_tau}
    assert (times["<1 min", 1], times["1-5", 1]) == (pytest.approx(0.02), pytest.approx(-0.01))


def quotes(*rows: dict[str, Any]) -> pl.DataFrame:
    table = Table("quotes")
    for row in rows:
        table.add(*(dict.fromkeys(QUOTES) | {"wall_ns": 1, "tau_s": 30.0} | row).values())
    return table.frame(Source.SIM)


def test_forecasts_are_held_against_what_was_paid_and_only_before_it_was() -> None:
    settled = {A: Settled(100, Px(SCALE)), B: Settled(100, Px(0))}
    found = scores(
        quotes(
            {"market": A, "fair": 80_000_000, "bid": 70_000_000, "ask": 80_000_000},
            {"market": B, "fair": 40_000_000, "tau_s": 100.0},
            {"market": A, "fair": 10_000_000, "wall_ns": 100},
            {"market": A, "fair": 10_000_000, "tau_s": 0.0},
            {"market": A, "fair": None},
            {"market": MarketId("hyperliquid:o3"), "fair": 10_000_000},
        ),
        settled,
    )
    by_tau = {row.tau: row for row in found}
    assert list(by_tau) == ["<1 min", "1-5", ALL]
    whole = by_tau[ALL]
    assert (whole.events, whole.model.n) == (2, 2)
    assert whole.model.brier == pytest.approx((0.2**2 + 0.4**2) / 2)
    assert whole.market is not None
    assert whole.model_there is not None
    assert (whole.market.n, whole.market.brier) == (1, pytest.approx(0.25**2))
    assert whole.model_there.brier == pytest.approx(0.2**2)
    assert by_tau["1-5"].market is None


def test_a_fraction_settles_as_a_fraction() -> None:
    (row, whole) = scores(quotes({"market": A, "fair": 50_000_000}), {A: Settled(9, Px(SCALE // 2))})
    assert row.model.brier == whole.model.brier == 0.0


def test_the_run_has_scores_and_markouts(gathered: Gathered) -> None:
    scored = scores(gathered.tables["quotes"], gathered.settled)
    assert scored[-1].tau == ALL
    assert scored[-1].events >= 3
    assert sum(row.model.n for row in scored[:-1]) == scored[-1].model.n > 100
    assert any(cell.fills for cell in markouts(gathered.tables["fills"])[1])
