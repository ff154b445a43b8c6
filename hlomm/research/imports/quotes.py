"""Polymarket: the best prices of every listed contract, polled every two minutes: `quotes_DAY.parquet`.

A day is millions of rows, so it is taken as a table: one file of the store for each contract, rows numbered in order
of time. The poll's time is the receive time. There are no sizes (a size of 0 says so) and no prints. The tables beside
it have a question in words and, of some, what it paid, without the time at which that was known: they are not taken, so
nothing here says on what a contract settles.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import POLYMARKET
from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.research.imports.lines import Imported, files_in
from hlomm.research.recorded_files import numbers
from hlomm.research.store.pack import write_frame
from hlomm.research.store.read import UNREADABLE
from hlomm.research.store.schema import COLUMNS, EVENTS
from hlomm.research.usable import END_NS, FIRST_NS

NAME: Final = "polymarket-quotes"
_COLUMNS: Final = ("ts", "slug", "bid", "ask")


def import_quotes(root: Path, paths: Sequence[Path]) -> Imported:
    """Every table of quotes among the files into the store. UsageError if there is none."""
    odd: Counter[str] = Counter()
    files = list(files_in(paths, (".parquet",)))
    quotes = [table for path in files if (table := _read(path, odd)) is not None]
    table = pl.concat(quotes).sort("recv_ns", "slug") if quotes else pl.DataFrame()
    if table.is_empty():
        raise UsageError(f"nothing of kind {NAME} in {', '.join(map(str, paths))} ({len(files)} other files)")
    first_ns, last_ns = int(table["recv_ns"][0]), int(table["recv_ns"][-1])
    run = first_ns // NS_PER_S * 1_000 + zlib.crc32("\n".join((NAME, *(one.name for one in files))).encode()) % 1_000
    events = _events(table, run)
    for (market, day), rows in events.partition_by("market", "day", as_dict=True).items():
        write_frame(root, EVENTS, rows.drop("day"), (POLYMARKET, str(market), str(day)), f"{run:013d}-000001")
    return Imported(
        kind=NAME, files=len(files), lines=len(events), events=len(events), frames=0,
        markets=tuple(sorted(events["market"].unique())), first_ns=first_ns, last_ns=last_ns,
        odd={name: count for name, count in sorted(odd.items()) if count},
    )  # fmt: skip


def _read(path: Path, odd: Counter[str]) -> pl.DataFrame | None:
    """Rows with a time and a name, prices in 1e-8 or null; None for a table of something else."""
    try:
        table = pl.read_parquet(path)
    except UNREADABLE:
        odd["broken_files"] += 1
        return None
    if not set(_COLUMNS) <= set(table.columns) or not _of_kind(table):
        odd["files_without_quotes"] += 1
        return None
    table = table.with_columns(numbers(table[name], strict=False) for name in ("bid", "ask"))
    prices = [pl.col(name) for name in ("bid", "ask")]
    sound = pl.all_horizontal(
        pl.col("ts").dt.epoch("ns").is_between(FIRST_NS, END_NS, closed="left"), pl.col("slug").cast(pl.String) != "",
        *(one.is_between(0, 1).fill_null(value=True) for one in prices),
    )  # fmt: skip
    kept = table.filter(sound.fill_null(value=False))
    odd["unreadable_rows"] += len(table) - len(kept)
    return kept.select(
        pl.col("ts").dt.epoch("ns").alias("recv_ns"),
        pl.col("slug").cast(pl.String),
        *((one * SCALE).round().cast(pl.Int64) for one in prices),
    )


def _of_kind(table: pl.DataFrame) -> bool:
    """Whether the columns can be times, names and prices."""
    prices = (table[name].dtype for name in ("bid", "ask"))
    return (
        isinstance(table["ts"].dtype, pl.Datetime | pl.Date)
        and isinstance(table["slug"].dtype, pl.String | pl.Categorical | pl.Enum)
        and all(one.is_numeric() or one in (pl.String, pl.Null) for one in prices)
    )


def _events(table: pl.DataFrame, run: int) -> pl.DataFrame:
    """Rows of the events table, and the day of each. An empty side is null, or reads 0 or 1."""
    days = {ns: utc_day(ns) for ns in table["recv_ns"].unique()}
    none = pl.lit(None)
    return table.select(
        run=pl.lit(run, dtype=pl.Int64), seq=pl.int_range(1, pl.len() + 1, dtype=pl.Int64), recv_ns=pl.col("recv_ns"),
        mono_ns=none.cast(pl.Int64), source=pl.lit(f"import:{NAME}"), venue=pl.lit(str(POLYMARKET)),
        market=f"{POLYMARKET}:" + pl.col("slug"), kind=pl.lit("bbo"), exchange_ns=none.cast(pl.Int64),
        **_side("bid"), **_side("ask"), px=none.cast(pl.Int64), qty=none.cast(pl.Int64), aggressor=none.cast(pl.Int8),
        trade_id=none.cast(pl.String), rest=none.cast(pl.Boolean), detail=none.cast(pl.String),
        frame=none.cast(pl.Int64), day=pl.col("recv_ns").replace_strict(days, return_dtype=pl.String),
    ).select(*COLUMNS[EVENTS], "day")  # fmt: skip


def _side(name: str) -> dict[str, pl.Expr]:
    px = pl.col(name)
    there = px.is_between(1, SCALE - 1).fill_null(value=False)
    none = pl.lit([], dtype=pl.List(pl.Int64))
    return {
        f"{name}_px": pl.when(there).then(pl.concat_list(px)).otherwise(none),
        f"{name}_qty": pl.when(there).then(pl.concat_list(pl.lit(0, dtype=pl.Int64))).otherwise(none),
    }
