"""Candles: tables of date, open, high, low, close, volume, as Feather or CSV.

Venue, coin and length come from the file's name (`hl_BTC_1h.feather`); a name that tells no venue gives the venue
`unknown`, for nobody may guess it. Tables of funding have the same columns and are no candles.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from hlomm.domain.faults import UsageError
from hlomm.domain.ticker import utc_day
from hlomm.domain.units import SCALE
from hlomm.research.imports.lines import Imported
from hlomm.research.recorded_files import numbers
from hlomm.research.store.pack import write_frame
from hlomm.research.store.read import UNREADABLE
from hlomm.research.store.schema import CANDLES, COLUMNS
from hlomm.research.usable import END_NS, FIRST_NS, MOST

NAME: Final = "candles"
UNKNOWN: Final = "unknown"
_VENUES: Final = {"hl": "hyperliquid", "hyperliquid": "hyperliquid", "binance": "binance"}
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,4})(m|h|d)", re.ASCII)
_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400}
_PRICES: Final = ("open", "high", "low", "close")
_TIMES: Final = ("date", "timestamp")

Known = tuple[str, str, int]
"""Venue, coin, seconds of a candle."""


def import_candles(root: Path, paths: Sequence[Path]) -> Imported:
    """Tables into the store, one file each. UsageError if none of them has candles."""
    odd: Counter[str] = Counter()
    written: list[tuple[str, pl.DataFrame]] = []
    files = list(_files(paths))
    for path, known, table in tables(files, odd):
        written.append(_write(root, path, known, table))
    if all(frame.is_empty() for _, frame in written):
        raise UsageError(f"no candles in {', '.join(map(str, paths))} ({odd['files_without_candles']} other files)")
    starts = pl.concat([frame["open_ns"] for _, frame in written])
    return Imported(
        kind=NAME, files=len(files), lines=len(starts), events=len(starts), frames=0,
        markets=tuple(sorted({market for market, _ in written})), first_ns=int(starts.min()),  # type: ignore[arg-type]
        last_ns=int(starts.max()), odd={name: count for name, count in sorted(odd.items()) if count},  # type: ignore[arg-type]
    )  # fmt: skip


def tables(paths: Sequence[Path], odd: Counter[str]) -> Iterator[tuple[Path, Known, pl.DataFrame]]:
    """Every file or folder of candles with its rows: `open_ns`, four prices in 1e-8, `volume`, as they lie.

    What is none is counted in `odd`. UsageError for a path that does not exist.
    """
    for path in _files(paths):
        known = _of_name(path.stem)
        table = None if known is None else _read(path, odd)
        if known is None or table is None:
            odd["files_without_candles"] += 1
        else:
            yield path, known, table


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in inside if one.suffix in (".feather", ".csv"))


def _of_name(stem: str) -> Known | None:
    """None where the name tells no length, or another kind of table."""
    words = stem.split("_")
    at = next((place for place, word in enumerate(words) if _LENGTH.fullmatch(word)), None)
    if at is None or "funding" in words:
        return None
    found = _LENGTH.fullmatch(words[at])
    assert found is not None
    venue = _VENUES.get(words[0])
    coins = words[1 if venue else 0 : at]
    coin = next((word for word in reversed(coins) if word.isupper()), coins[0].upper() if coins else "")
    return (venue or UNKNOWN, coin, int(found[1]) * _SECONDS[found[2]]) if coin else None


def _read(path: Path, odd: Counter[str]) -> pl.DataFrame | None:
    """Rows with a time and four prices; None for a table that has other columns or cannot be read."""
    try:
        table = pl.read_ipc(path) if path.suffix == ".feather" else pl.read_csv(path, try_parse_dates=True)
    except UNREADABLE:
        odd["broken_files"] += 1
        return None
    time = next((name for name in _TIMES if name in table.columns), None)
    if time is None or not {*_PRICES, "volume"} <= set(table.columns):
        return None
    if not isinstance(table[time].dtype, pl.Datetime | pl.Date) or any(
        table[name].dtype.is_nested() or table[name].dtype == pl.Binary for name in (*_PRICES, "volume")
    ):
        return None
    table = table.with_columns(numbers(table[name], strict=False) for name in (*_PRICES, "volume"))
    prices = [pl.col(name) for name in _PRICES]
    opens = pl.col(time).dt.epoch("ns").is_between(FIRST_NS, END_NS, closed="left")
    sound = pl.all_horizontal(opens, *(one.is_between(0, MOST // SCALE, closed="none") for one in prices))
    kept = table.filter(sound.fill_null(value=False))
    odd["unreadable_rows"] += len(table) - len(kept)
    return kept.select(
        pl.col(time).dt.epoch("ns").alias("open_ns"), *((one * SCALE).round().cast(pl.Int64) for one in prices),
        "volume",
    )  # fmt: skip


def _write(root: Path, path: Path, known: Known, table: pl.DataFrame) -> tuple[str, pl.DataFrame]:
    venue, coin, length_s = known
    market = f"{venue}:{coin}"
    frame = table.with_columns(
        run=pl.lit(zlib.crc32(path.name.encode()), dtype=pl.Int64),
        seq=pl.int_range(1, pl.len() + 1, dtype=pl.Int64), source=pl.lit(f"import:{NAME}"), venue=pl.lit(venue),
        market=pl.lit(market), length_s=pl.lit(length_s, dtype=pl.Int64),
    ).select(list(COLUMNS[CANDLES]))  # fmt: skip
    if len(frame):
        day = utc_day(int(frame["open_ns"].min()))  # type: ignore[arg-type]
        write_frame(root, CANDLES, frame, (venue, market, day), f"{length_s}-{path.stem}")
    return market, frame
