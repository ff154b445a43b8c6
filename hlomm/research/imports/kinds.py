"""The layouts that `hlomm import` knows: lines and records one by one, and tables that are taken whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hlomm.domain.ids import HYPERLIQUID
from hlomm.research.imports import binance, candles, hyperliquid, kalshi, polymarket, polymarket_tops, quotes
from hlomm.research.imports.lines import Imported, Kind

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            name="hip4", venue=HYPERLIQUID, read=hyperliquid.read_hip4, suffixes=(".parquet",), of_folders=True,
            help="folder of a HIP-4 recording (Parquet: book, trade, meta; bbo and mark of the perp)",
        ),
        Kind(
            name="hl-csv", venue=HYPERLIQUID, read=hyperliquid.read_csv, suffixes=(".csv", ".csv.gz"),
            help="orderbooks_COIN.csv, prices_COIN.csv, trades_COIN.csv",
        ),
        Kind(
            name="hl-frames", venue=HYPERLIQUID, read=hyperliquid.read_frames, suffixes=(".gz", ".txt", ".log"),
            help="lines of `<ns> <message>` of Hyperliquid's websocket",
        ),
        Kind(
            name="hl-archive", venue=HYPERLIQUID, read=hyperliquid.read_archive, suffixes=(".lz4",),
            help="market_data/DAY/HOUR/l2Book/COIN.lz4 of the venue's archive (extra: archive)",
        ),
        Kind(
            name="binance", venue=binance.VENUE, read=binance.read, suffixes=(".gz", ".txt", ".log"),
            help="lines of `<ns> <message>` of Binance USD-M: depth, bookTicker, trade, a snapshot",
        ),
        Kind(
            name="polymarket", venue=polymarket.VENUE, read=polymarket.read, suffixes=(".jsonl", ".jsonl.gz", ".json"),
            help="lines of market-channel messages; Gamma's answers beside them tell what a contract is",
        ),
        Kind(
            name="polymarket-tops", venue=polymarket_tops.VENUE, read=polymarket_tops.read,
            suffixes=(".csv", ".csv.gz"),
            help="orderbook.csv and probabilities.csv: best prices, strikes and hours left of daily contracts",
        ),
        Kind(
            name="kalshi", venue=kalshi.VENUE, read=kalshi.read, suffixes=(".jsonl", ".jsonl.gz"),
            help="raw_snapshots, trades and labels of the public 15-minute data set",
        ),
    )
}  # fmt: skip

TABLES: Final[Mapping[str, Callable[[Path, Sequence[Path]], Imported]]] = {
    candles.NAME: candles.import_candles, quotes.NAME: quotes.import_quotes,
}  # fmt: skip
