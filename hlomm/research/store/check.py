"""The integrity report of a store: everything that is not as it should be, counted; see `findings` for the rules."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import attrs
import polars as pl

from hlomm.domain.inputs import MarketListed, MarketSettled
from hlomm.domain.markets import MarketKind
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.research.store import spool
from hlomm.research.store.candles import IMPOSSIBLE
from hlomm.research.store.findings import EXAMPLES_MAX, SILENCE_NS, STEP_NS, Check
from hlomm.research.store.pack import QUARANTINE
from hlomm.research.store.read import UNREADABLE, DamagedFile, Store, check_file, first_line, ordered
from hlomm.research.store.schema import (
    CANDLES,
    EVENTS,
    GAP,
    MARKET_KINDS,
    OWN_KINDS,
    START,
    STOP,
    TABLES,
    SchemaError,
    input_of,
)


def check(root: Path) -> Check:
    """Look a store over. UsageError for a folder that is none."""
    store = Store.open(root)
    found = Check(root=root, files=len(store.files))
    _spools(store, found)
    sound = _sound_files(store, found)
    for table in TABLES:
        groups: dict[str, list[tuple[str, pl.DataFrame]]] = defaultdict(list)
        for venue, name, frame in _frames(sound, table):
            groups[venue].append((name, frame))
        for venue, frames in groups.items():
            _table(found, table, venue, frames)
    _candles(found, sound)
    return found


def _candles(found: Check, store: Store) -> None:
    rows = store.scan(CANDLES).collect()
    if rows.is_empty():
        return
    found.rows[CANDLES] += len(rows)
    for source, count in rows.group_by("source").len().iter_rows():
        found.sources[source] += count
    for (market, length_s), series in rows.sort("open_ns").group_by("market", "length_s", maintain_order=True):
        name = f"{market} of {length_s} s"
        steps = series["open_ns"].diff().drop_nulls() // (_int(length_s) * NS_PER_S)
        found.findings["repeated_candles"].add(name, int((steps == 0).sum()))
        missing = int((steps - 1).filter(steps > 1).sum())
        found.findings["missing_candles"].add(f"{name}: {missing}", missing)
        wrong = len(series.filter(IMPOSSIBLE))
        found.findings["impossible_candles"].add(f"{name}: {wrong}", wrong)


def _sound_files(store: Store, found: Check) -> Store:
    """The store without the files that cannot be read."""
    good = []
    for one in store.files:
        where = str(one.path.relative_to(store.root))
        try:
            metadata = pl.read_parquet_metadata(one.path)
        except UNREADABLE as error:
            found.findings["unreadable_file"].add(f"{where}: {first_line(error)}")
            continue
        found.schemas[metadata.get("hlomm.schema", "none")] += 1
        try:
            check_file(one.path, one.table)
            pl.read_parquet(one.path)  # a page may be damaged though the footer is whole
        except DamagedFile:
            found.findings["unreadable_file"].add(f"{where}: not as it was written")
        except SchemaError as error:
            found.findings["other_schema"].add(str(error))
        except UNREADABLE as error:
            found.findings["unreadable_file"].add(f"{where}: {first_line(error)}")
        else:
            good.append(one)
    return attrs.evolve(store, files=tuple(good))


def _spools(store: Store, found: Check) -> None:
    for one in store.spools:
        found.findings["open_spools"].add(one.path.name)
        found.findings["torn_spools"].add(f"{one.path.name}: {one.torn} bytes", int(one.torn > 0))
        if one.corrupt:
            found.findings["damaged_spool"].add(f"{one.path.name}: {one.corrupt}")
    for path in sorted((store.root / QUARANTINE).glob("*.spool")):
        found.findings["damaged_spool"].add(f"{QUARANTINE}/{path.name}: {spool.read(path).corrupt}")
    for part in sorted({one.part for one in store.superseded}):
        found.findings["unfinished_packings"].add(part)


def _frames(store: Store, table: str) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """(venue, name, rows as they lie) of every file and every spool."""
    for one in store.files:
        if one.table == table:
            frame = pl.read_parquet(one.path, hive_partitioning=False)
            yield one.venue, str(one.path.relative_to(store.root)), frame
    spooled = attrs.evolve(store, files=()).scan(table).collect()
    for (venue,), frame in spooled.group_by("venue", maintain_order=True):
        yield str(venue), "spool", frame


def _table(found: Check, table: str, venue: str, frames: list[tuple[str, pl.DataFrame]]) -> None:
    for name, frame in frames:
        found.rows[table] += len(frame)
        disorder = _steps_back(frame, "run", "seq")
        found.findings["unsorted_rows"].add(f"{name}: {disorder}", disorder)
        for source, count in frame.group_by("source").len().iter_rows():
            found.sources[source] += count
    rows = ordered(pl.concat([frame for _, frame in frames]).lazy()).collect()
    # Frames and events share the count, so each table must have every number once.
    repeated = len(rows) - rows.select("run", "seq").n_unique()
    found.findings["repeated_rows"].add(f"{venue} {table}: {repeated}", repeated)
    if table == EVENTS:
        _events(found, venue, rows.unique(["run", "seq"], keep="first", maintain_order=True))


def _steps_back(frame: pl.DataFrame, *keys: str) -> int:
    """How often a row sorts before the one in front of it."""
    key = pl.struct(*keys)
    first, second = (pl.col(name) for name in keys)
    back = (first < first.shift()) | ((first == first.shift()) & (second < second.shift()))
    return int(frame.select(key.struct.unnest()).select(back.sum()).item() or 0)


def _events(found: Check, venue: str, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        return
    first, last = rows["recv_ns"].min(), rows["recv_ns"].max()
    assert isinstance(first, int)
    assert isinstance(last, int)
    found.first_ns = first if found.first_ns is None else min(found.first_ns, first)
    found.last_ns = last if found.last_ns is None else max(found.last_ns, last)
    found.markets += rows.filter(pl.col("market") != "")["market"].n_unique()
    _times(found, venue, rows)
    _books(found, rows)
    _trades(found, rows)
    _states(found, rows, last)
    _clocks(found, venue, rows)


def _times(found: Check, venue: str, rows: pl.DataFrame) -> None:
    spans = rows.group_by("run").agg(
        pl.col("recv_ns").min().alias("first"), pl.col("recv_ns").max().alias("last"), pl.col("source").first()
    )  # fmt: skip
    runs = spans.filter(~pl.col("source").str.starts_with("import:")).sort("run").rows()
    for (_, _, last, _), (run, first, _, _) in pairwise(runs):
        found.findings["run_breaks"].add(f"{venue} before run {run}: {(first - last) / 1e9:.1f} s")
    for (run,), of_run in rows.group_by("run", maintain_order=True):
        step = of_run.select(pl.col("recv_ns").diff().alias("step"))["step"].drop_nulls()
        back = step.filter(step < 0)
        if len(back):
            found.findings["clock_backwards"].add(f"{venue} run {run}: by {-_int(back.min()) / 1e9:.3f} s", len(back))
        apart = of_run.select((pl.col("recv_ns") - pl.col("mono_ns")).diff().abs().alias("step"))["step"].drop_nulls()
        steps = apart.filter(apart > STEP_NS)
        if len(steps):
            found.findings["clock_steps"].add(f"{venue} run {run}: up to {_int(steps.max()) / 1e9:.3f} s", len(steps))
        kinds = set(of_run["kind"].unique())
        if START in kinds and STOP not in kinds:
            found.findings["unclean_ends"].add(f"{venue} run {run}")
        silent = step.filter(step > SILENCE_NS)
        if len(silent):
            found.findings["silences"].add(f"{venue} run {run}: up to {_int(silent.max()) / 1e9:.0f} s", len(silent))
    for row in rows.filter(pl.col("kind") == GAP).iter_rows(named=True):
        detail = json.loads(row["detail"])
        length_s = (row["recv_ns"] - int(detail["from_ns"])) / NS_PER_S
        found.findings["gaps"].add(f"{row['market'] or row['venue']}: {length_s:.1f} s, {detail['reason'][:80]}")


def _books(found: Check, rows: pl.DataFrame) -> None:
    for kind, name in (("book", "crossed_books"), ("bbo", "crossed_touches")):
        crossed = rows.filter(
            (pl.col("kind") == kind) & (pl.col("bid_px").list.first() >= pl.col("ask_px").list.first())
        )  # fmt: skip
        for market, count in crossed.group_by("market", maintain_order=True).len().iter_rows():
            found.findings[name].add(f"{market}: {count}", count)
    books = rows.filter(pl.col("kind") == "book")
    same = ["exchange_ns", "bid_px", "bid_qty", "ask_px", "ask_qty"]
    again = books.filter(pl.all_horizontal(pl.col(name).eq(pl.col(name).shift().over("market")) for name in same))
    for market, count in again.group_by("market", maintain_order=True).len().iter_rows():
        found.findings["repeated_books"].add(f"{market}: {count}", count)
    wrong = books.filter(
        (pl.col("bid_px").list.diff().list.max() >= 0) | (pl.col("ask_px").list.diff().list.min() <= 0)
    )  # fmt: skip
    found.findings["disordered_levels"].add(str(wrong["market"].to_list()[0]) if len(wrong) else "", len(wrong))


def _trades(found: Check, rows: pl.DataFrame) -> None:
    trades = rows.filter((pl.col("kind") == "trade") & (pl.col("trade_id") != ""))
    repeated = trades.group_by("market", "trade_id").len().filter(pl.col("len") > 1)
    for market, count in repeated.group_by("market").agg((pl.col("len") - 1).sum()).sort("market").iter_rows():
        found.findings["repeated_trades"].add(f"{market}: {count}", count)


def _states(found: Check, rows: pl.DataFrame, last_ns: int) -> None:
    """What the markets are, and what became of them."""
    listed: dict[str, int | None] = {}
    settled: set[str] = set()
    states = rows.filter(~pl.col("kind").is_in([*MARKET_KINDS, *OWN_KINDS]))
    for row in states.iter_rows(named=True):
        try:
            item = input_of(row)
        except SchemaError as error:
            found.findings["unreadable_rows"].add(str(error))
            continue
        if isinstance(item, MarketListed) and item.market.kind is MarketKind.OUTCOME:
            listed[item.market.id] = item.market.expiry_ns
        elif isinstance(item, MarketListed):
            listed[item.market.id] = None
        elif isinstance(item, MarketSettled):
            settled.add(item.market)
    _market_rows(found, rows)
    for market, expiry_ns in listed.items():
        if expiry_ns is not None and expiry_ns <= last_ns and market not in settled:
            found.findings["unsettled_markets"].add(market)
    for market in sorted(set(rows["market"].unique()) - set(listed) - {""}):
        found.findings["undescribed_markets"].add(str(market))


def _market_rows(found: Check, rows: pl.DataFrame) -> None:
    """Typed rows with something missing or impossible."""
    sides = [
        pl.col(f"{side}_px").list.len().ne_missing(pl.col(f"{side}_qty").list.len()) | pl.col(f"{side}_px").is_null()
        for side in ("bid", "ask")
    ]  # fmt: skip
    kind = pl.col("kind")
    # A touch may have sizes that nobody told, which are 0.
    least = pl.when(kind == "book").then(1).otherwise(0)
    quantities = [pl.col(f"{side}_qty").list.min() < least for side in ("bid", "ask")]
    bad_quote = kind.is_in(["book", "bbo"]) & pl.any_horizontal(
        *sides, *(one.fill_null(value=False) for one in quantities)
    )
    bad_trade = (kind == "trade") & (
        pl.any_horizontal(pl.col("px").is_null(), pl.col("qty").fill_null(0) <= 0)
        | ~pl.col("aggressor").fill_null(0).is_in([1, -1])
    )
    bad_mark = (kind == "mark") & (pl.col("px").fill_null(0) <= 0)
    bad = rows.filter(bad_quote | bad_trade | bad_mark)
    for row in bad.head(EXAMPLES_MAX).iter_rows(named=True):
        found.findings["unreadable_rows"].add(f"row {row['run']}-{row['seq']} of kind {row['kind']}", 1)
    found.findings["unreadable_rows"].count += max(len(bad) - EXAMPLES_MAX, 0)


def _clocks(found: Check, venue: str, rows: pl.DataFrame) -> None:
    """How far the venue's clock is off, as measured, and how old news is when it comes."""
    skews = [json.loads(text) for text in rows.filter(pl.col("kind") == "skew")["detail"].drop_nulls()]
    measured = [int(one[-1]) for one in skews if isinstance(one, list) and one]
    news = rows.filter(pl.col("kind").is_in(["book", "bbo", "trade"]) & pl.col("exchange_ns").is_not_null())
    age = news.select(((pl.col("recv_ns") - pl.col("exchange_ns")) / NS_PER_MS).alias("age"))["age"]
    early = int((age < -NS_PER_S / NS_PER_MS).sum())
    found.findings["early_stamps"].add(f"{venue}: {early}", early)
    found.clocks[venue] = {
        "skew_min_ms": min(measured, default=None), "skew_max_ms": max(measured, default=None),
        **{f"age_{name}_ms": _round(age.quantile(q)) for name, q in (("min", 0), ("p50", 0.5), ("p99", 0.99))},
    }  # fmt: skip


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
