"""Every folder of recorded data beside the checkout: what of it is a book, or why nothing is."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path
from typing import Final

import attrs
import polars as pl
import pytest

DATA: Final = Path(__file__).parents[3] / "shared" / "data"

REFERENCE: Final = "a reference: prices of a perp, on which no outcome here stands"
NO_TERMS: Final = "no terms: nothing says on what it settles, and when"
NO_STRIKE: Final = "no strike in its terms"
NO_BOOK: Final = "no book: prints or a settlement alone"
NO_PERP: Final = "no touch of its perp BTC: nothing to price it on"


@attrs.frozen(kw_only=True)
class Books:
    """Data with books: the layout for `hlomm import`, and what each reason for not trading is said of."""

    kind: str
    events: int
    """Inputs of the engine, listings included."""
    books: int
    """Snapshots and touches among them."""
    why: dict[str, int]
    """Markets by reason; empty where its market is traded."""
    few: int = 1_500
    """Lines of each file that are enough for a test."""


WITH_BOOKS: Final = {
    "binance_usdm_l2_2024_08": Books(kind="binance", events=93_949, books=72_635, why={REFERENCE: 1}),
    "hl_btc_bbo_2025_09": Books(kind="hl-csv", events=39_728, books=27_556, why={REFERENCE: 1}),
    "hl_hip4_q15": Books(kind="hip4", events=55_633, books=47_089, why={}),
    "hl_l2_2025_09_03": Books(kind="hl-csv", events=9_870, books=6_733, why={REFERENCE: 3}, few=400),
    "hl_ws_frames_2025_01": Books(kind="hl-frames", events=82, books=46, why={REFERENCE: 1}),
    "kalshi_15m_2026_08": Books(kind="kalshi", events=15_293, books=14_727, why={NO_STRIKE: 209, NO_BOOK: 77}, few=200),
    "pm_btc_daily_2026_03": Books(kind="polymarket-tops", events=473, books=466, why={NO_PERP: 6}, few=80),
    "pm_us_quotes_2026_08": Books(
        kind="polymarket-quotes", events=4_519_661, books=4_499_483, why={NO_TERMS: 20_178}
    ),
    "pm_ws_frames_2026_05": Books(kind="polymarket", events=1_107, books=613, why={NO_TERMS: 492, NO_STRIKE: 1}, few=8),
}  # fmt: skip
LARGE: Final = frozenset({"pm_us_quotes_2026_08"})
"""Minutes and gigabytes: in tests a slice of it."""

WITHOUT: Final = {
    "candles": "candles and funding: what others made of prices",
    "cross_venue_pairs_2026_08": "pairs at one instant each, with best prices and no size: no book in time",
    "hl_hip4_overview": "totals of each contract since its launch",
    "hl_hip4_stats": "aggregates of a recording that was not published",
    "hl_own_fills": "fills of two wallets, without the market around them",
    "pm_btc_daily_2026_05_09": "trades, and candles of another venue",
}


def dataset(name: str) -> Path:
    """Its folder. In CI its absence is a failure, elsewhere it is said."""
    path = DATA / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing: it cannot be backtested")
        pytest.skip(f"NOT CHECKED without {path}: backtesting it")
    return path


def slice_of(name: str, out: Path) -> Path:
    """The beginning of every file of lines, of a large table a few contracts on one coin."""
    lines = WITH_BOOKS[name].few
    out.mkdir()
    for path in sorted(dataset(name).iterdir()):
        if path.name.startswith("quotes_"):
            pl.scan_parquet(path).filter(pl.col("slug").str.starts_with("cpc-btc-100k-")).collect().write_parquet(
                out / path.name
            )
        elif path.suffix == ".gz":
            head = gzip.decompress(path.read_bytes()).splitlines(keepends=True)[:lines]
            (out / path.name).write_bytes(gzip.compress(b"".join(head)))
        elif path.suffix in (".jsonl", ".csv"):
            (out / path.name).write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))
        else:
            shutil.copy(path, out)
    return out
