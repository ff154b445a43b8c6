"""Files of a HIP-4 recording, and their columns as the loader needs them, whatever types they were written with.

Times are unix ns. Whole or broken numbers of another unit are told by their size (s, ms, us and ns lie a thousandfold
apart), stamps by their type; one without a zone is UTC. Prices and sizes are floats; a number of single precision means
the shortest decimal that reads so, not its binary neighbour. NaN is no value, and an empty list and none are one.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import polars as pl

from hlomm.domain.faults import UsageError
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.research.usable import END_NS, FIRST_NS

_TIMES: Final = ("local_recv_ts", "exchange_ts")
_LADDER: Final = ("bid_px", "bid_sz", "ask_px", "ask_sz")
_NEEDED: Final = {
    "book_snapshot": _LADDER, "bbo": _LADDER, "trade": ("price", "size", "side", "trade_id"), "mark": ("mark_px",),
    "market_meta": ("keys", "values"),
}  # fmt: skip
"""By kind of event; other kinds are not read."""
_TEXT: Final = ("side", "trade_id")
_UNITS: Final = {NS_PER_S: "s", NS_PER_MS: "ms", 1_000: "us", 1: "ns"}

Frames = dict[tuple[str, str], pl.DataFrame]
"""By event and symbol."""


def read_frames(folder: Path, mended: Counter[str]) -> Frames:
    """Frames by (event, symbol), whatever the files are called, wherever they lie, however many of each."""
    frames: dict[tuple[str, str], list[pl.DataFrame]] = {}
    for path in sorted(folder.rglob("*.parquet")):
        try:
            frame = _named(pl.read_parquet(path, glob=False, hive_partitioning=False), path)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise UsageError(f"{path}: not a readable parquet file ({error})") from None
        if frame.is_empty() or not {"event", "symbol", *_TIMES} <= set(frame.columns):
            mended["files_passed_over"] += 1
            continue
        key = str(frame["event"][0]), str(frame["symbol"][0])
        if frame.n_unique(("event", "symbol")) > 1:
            raise UsageError(f"{path}: rows of more than one kind or symbol")
        if key[0] not in _NEEDED:
            continue
        try:
            rows, units = _in_form(frame, key[0])
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise UsageError(f"{path}: rows that make no sense ({_first_line(error)})") from None
        mended.update(units)
        frames.setdefault(key, []).append(rows)
    return {key: pl.concat(parts) for key, parts in frames.items()}


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:160]


def _named(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """`event` and `symbol` of a file that has them in its folders' names alone (`event=trade/symbol=#150`)."""
    told = dict(part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    missing = [name for name in ("event", "symbol") if name in told and name not in frame.columns]
    return frame.with_columns(pl.lit(unquote(told[name])).alias(name) for name in missing)


def _in_form(frame: pl.DataFrame, event: str) -> tuple[pl.DataFrame, list[str]]:
    """Columns that the event needs, in one type each, and which units were not ns. ValueError where that cannot be."""
    units: list[str] = []
    columns = [_times(frame[name], units) for name in _TIMES]
    for name in _NEEDED[event]:
        if name not in frame.columns:
            raise ValueError(f"no column {name}")
        if event == "market_meta":
            columns.append(frame[name].cast(pl.List(pl.String)))
        elif name in _TEXT:
            columns.append(frame[name].cast(pl.String))
        elif event == "book_snapshot":
            columns.append(_lists(frame[name]))
        else:
            columns.append(numbers(frame[name]))
    return pl.DataFrame(columns), units


def _times(column: pl.Series, units: list[str]) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime):
        found = column.dt.epoch("ns")
    else:
        told = column.cast(pl.Int64) if column.dtype == pl.String else column
        if not told.dtype.is_numeric():
            raise ValueError(f"times of type {column.dtype}")
        first = told.drop_nulls().head(1)
        size = abs(float(first.item())) if len(first) else 0.0
        factor = next((one for one in _UNITS if FIRST_NS <= size * one < END_NS), 1)
        if told.dtype.is_float():
            found = (told.cast(pl.Float64) * factor).round().cast(pl.Int64)
        else:
            found = told.cast(pl.Int64) * factor
        if factor != 1:
            units.append(f"times_in_{_UNITS[factor]}")
    if found.null_count() or not found.is_between(FIRST_NS, END_NS).all():
        raise ValueError(f"{column.name} without a time, or of no time that can be meant")
    return found


def numbers(column: pl.Series, *, strict: bool = True) -> pl.Series:
    """As floats, NaN as null; not `strict`: null for what is no number, else polars' error."""
    if column.dtype == pl.Float32:
        column = column.cast(pl.String)
    return column.cast(pl.Float64, strict=strict).fill_nan(None)


def _lists(column: pl.Series) -> pl.Series:
    inner = getattr(column.dtype, "inner", None)
    if inner is None:
        raise ValueError(f"{column.name} of type {column.dtype}")
    if inner == pl.Float32:
        column = column.cast(pl.List(pl.String))
    return column.cast(pl.List(pl.Float64)).fill_null([])
