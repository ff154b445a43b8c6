"""Candles of a store: which of a span it has, which are missing, and the rules by which new ones are let in.

Nothing is ever filled in: a candle that is missing, or that was refused, stays a hole.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import attrs
import polars as pl

from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.research.store.pack import write_frame
from hlomm.research.store.read import Store, is_store
from hlomm.research.store.schema import CANDLES, COLUMNS

IMPOSSIBLE: Final = pl.any_horizontal(
    pl.col("high") < pl.max_horizontal("open", "close", "low"),
    pl.col("low") > pl.min_horizontal("open", "close"),
)
"""Whether a candle contradicts itself."""

RULES: Final = {
    "unreadable_rows": "a price or time that is no positive number: left out",
    "wrong_coin": "a row about another coin than was asked for: left out",
    "wrong_interval": "a row of another length than was asked for, by its name or by its end: left out",
    "not_asked_for": "a row that begins outside the span that was asked for: left out",
    "out_of_order": "a row of an answer that begins before the one in front of it: left out",
    "future": "a candle that begins after the present, by the earlier of the two clocks: left out",
    "unfinished": "a candle that is not over: left out, for it will change",
    "overlapping": "a candle that begins elsewhere than at a multiple of its length, and so within others: left out",
    "impossible": "a high below or a low above another price of its candle, or a volume below 0: left out",
    "repeated": "a candle told again with the same figures: counts once",
    "contradicting": "candles that begin together and differ: neither may be trusted, both are left out",
    "differing": "a candle that differs from the one that the store has: the store's stays",
    "other_files": "a file about another market or length: left out",
    "files_without_candles": "a file that is no table of candles: left out",
    "broken_files": "a file that cannot be read: left out",
}  # fmt: skip
"""What may be wrong with candles that are offered, and what becomes of them."""

OFFERED: Final = {
    "open_ns": pl.Int64(), "open": pl.Int64(), "high": pl.Int64(), "low": pl.Int64(), "close": pl.Int64(),
    "volume": pl.Float64(),
}  # fmt: skip
"""Columns of candles before they are in a store."""


@attrs.frozen(kw_only=True)
class Wanted:
    """Candles of one market and length that begin in [first_ns, end_ns); both are multiples of the length."""

    venue: str
    coin: str
    length_s: int
    first_ns: int
    end_ns: int

    def __attrs_post_init__(self) -> None:
        assert self.first_ns % self.length_ns == self.end_ns % self.length_ns == 0
        assert self.first_ns < self.end_ns

    @property
    def market(self) -> str:
        return f"{self.venue}:{self.coin}"

    @property
    def length_ns(self) -> int:
        return self.length_s * NS_PER_S

    @property
    def count(self) -> int:
        return (self.end_ns - self.first_ns) // self.length_ns

    def within(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("open_ns").is_between(self.first_ns, self.end_ns, closed="left"))


@attrs.frozen
class Hole:
    """Missing candles that follow one another, from the beginning of the first to the end of the last."""

    from_ns: int
    to_ns: int
    candles: int


def sift(offered: pl.DataFrame, length_ns: int, now_ns: int, odd: Counter[str]) -> pl.DataFrame:
    """What may be let in, sorted; what may not is counted in `odd` by the first rule that it breaks."""
    for name, wrong in (
        ("future", pl.col("open_ns") > now_ns),
        ("unfinished", pl.col("open_ns") + length_ns > now_ns),
        ("overlapping", pl.col("open_ns") % length_ns != 0),
        ("impossible", IMPOSSIBLE | (pl.col("volume") < 0).fill_null(value=False)),
    ):
        sound = offered.filter(~wrong)
        odd[name] += len(offered) - len(sound)
        offered = sound
    distinct = offered.unique(maintain_order=True)
    odd["repeated"] += len(offered) - len(distinct)
    single = distinct.filter(pl.col("open_ns").is_unique())
    odd["contradicting"] += len(distinct) - len(single)
    return single.sort("open_ns")


def stored(root: Path, wanted: Wanted) -> pl.DataFrame:
    """Candles of the span that the store has, sorted. SchemaError for a store that cannot be read."""
    if not is_store(root):
        return pl.DataFrame(schema=OFFERED)
    rows = Store.open(root).scan(CANDLES, venue=wanted.venue, market=wanted.market)
    chosen = rows.filter(pl.col("length_s") == wanted.length_s).select(list(OFFERED)).collect()
    return wanted.within(chosen).unique("open_ns", keep="first", maintain_order=True).sort("open_ns")


def holes(wanted: Wanted, have: pl.Series) -> list[Hole]:
    """What is missing of the span; `have` are beginnings of candles, sorted, each once."""
    length = wanted.length_ns
    edges = pl.concat([pl.Series([wanted.first_ns - length]), have.cast(pl.Int64), pl.Series([wanted.end_ns])])
    frame = pl.DataFrame({"before": edges[:-1], "after": edges[1:]})
    open_ = frame.filter(pl.col("after") - pl.col("before") > length)
    return [
        Hole(before + length, after, (after - before) // length - 1) for before, after in open_.iter_rows()
    ]  # fmt: skip


def fresh(offered: pl.DataFrame, have: pl.DataFrame, odd: Counter[str]) -> pl.DataFrame:
    """Of candles let in, those that are not there yet. What is there stays as it is."""
    both = offered.join(have, on="open_ns", suffix="_had")
    prices = ("open", "high", "low", "close")
    odd["differing"] += len(both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"{name}_had") for name in prices)))
    return offered.join(have, on="open_ns", how="anti").sort("open_ns")


def add(root: Path, wanted: Wanted, frame: pl.DataFrame, source: str) -> int:
    """Write candles that are not there yet, a file for each day; how many.

    A file has the name of its first candle. That candle was in no file before, so no other file is ever replaced.
    """
    days = frame.with_columns(day=pl.col("open_ns").map_elements(utc_day, return_dtype=pl.String))
    for (day,), rows in days.group_by("day", maintain_order=True):
        first_ms = int(rows["open_ns"].item(0)) // NS_PER_MS
        columns: dict[str, Any] = {
            "run": pl.lit(first_ms, dtype=pl.Int64), "seq": pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
            "source": pl.lit(source), "venue": pl.lit(wanted.venue), "market": pl.lit(wanted.market),
            "length_s": pl.lit(wanted.length_s, dtype=pl.Int64),
        }  # fmt: skip
        table = rows.with_columns(**columns).select(list(COLUMNS[CANDLES]))
        write_frame(root, CANDLES, table, (wanted.venue, wanted.market, str(day)), f"{wanted.length_s}-{first_ms}")
    return len(frame)
