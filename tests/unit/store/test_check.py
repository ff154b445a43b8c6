"""Every defect that is planted is found, counted exactly, and nothing else is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.research.store.check import check
from hlomm.research.store.findings import RULES
from hlomm.research.store.pack import frame_of, write_frame
from hlomm.research.store.read import Store, ordered
from hlomm.research.store.schema import COLUMNS, EVENTS, SCHEMA, SchemaError
from tests.unit.store.making import OUTCOME, RUN, T0, minute, write

Edit = Callable[[pl.DataFrame], pl.DataFrame]


def events_file(root: Path, market: str = OUTCOME) -> Path:
    (found,) = [one.path for one in Store.open(root).files if one.table == EVENTS and one.market == market]
    return found


def rewrite(path: Path, edit: Edit, *, metadata: dict[str, str] | None = None) -> None:
    said = {"hlomm.schema": str(SCHEMA), "hlomm.table": EVENTS} if metadata is None else metadata
    edit(pl.read_parquet(path, hive_partitioning=False)).write_parquet(path, metadata=said)


def found(root: Path) -> dict[str, int]:
    return {name: one.count for name, one in check(root).findings.items() if one.count}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, minute())
    return tmp_path


def test_a_flipped_bit_anywhere_in_a_file_is_found_and_nothing_reads_it(root: Path) -> None:
    """Parquet has no sums: without one of our own most of these are read as another price or time, and none is seen."""
    path = events_file(root)
    sound = path.read_bytes()
    for place in range(4, len(sound), len(sound) // 150):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1 << place % 8]) + sound[place + 1 :])
        with pytest.raises(SchemaError):
            Store.open(root).scan(market=OUTCOME)
    path.write_bytes(sound[:100] + bytes([sound[100] ^ 1]) + sound[101:])
    assert found(root)["unreadable_file"] == 1
    path.write_bytes(sound)
    assert found(root) == {}


def test_a_good_store_has_no_findings(root: Path) -> None:
    looked = check(root)
    assert found(root) == {}
    assert looked.document()["good"] is True
    assert looked.rows == {"events": 126, "frames": 124}
    assert looked.markets == 2
    assert json.loads(json.dumps(looked.document()))["clocks"]["hyperliquid"]["age_p50_ms"] == 60.0
    assert set(looked.findings) == set(RULES)


@given(share=st.floats(0, 0.999), table=st.sampled_from(["events", "frames"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_a_truncated_file_is_found_at_any_length(root: Path, share: float, table: str) -> None:
    path = next(one.path for one in Store.open(root).files if one.table == table and one.market == OUTCOME)
    data = path.read_bytes()
    try:
        path.write_bytes(data[: int(len(data) * share)])
        looked = check(root)
        assert looked.findings["unreadable_file"].count == 1
        assert looked.defects == ["unreadable_file"]
        with pytest.raises(SchemaError, match="not a readable Parquet file"):
            Store.open(root).scan(table)
    finally:
        path.write_bytes(data)


@given(at=st.floats(0.02, 0.6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_a_damaged_page_never_passes_for_other_data(root: Path, at: float) -> None:
    """Parquet checks no sums: a flipped byte is found, or harms nothing that the rows say, or shows in them."""
    path = events_file(root)
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[int(len(data) * at)] ^= 0xFF
    try:
        before = pl.read_parquet(path)
        path.write_bytes(bytes(flipped))
        looked = check(root)
        if not looked.defects:
            after = pl.read_parquet(path)
            assert after.select("run", "seq", "kind").equals(before.select("run", "seq", "kind"))
    finally:
        path.write_bytes(data)


@given(count=st.integers(1, 12), seed=st.integers(0, 99))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_repeated_rows_are_counted(root: Path, count: int, seed: int) -> None:
    path = events_file(root)
    data = path.read_bytes()
    try:
        rewrite(path, lambda frame: pl.concat([frame, frame.sample(count, seed=seed)]).sort("run", "seq"))
        assert found(root)["repeated_rows"] == count
        assert set(found(root)) <= {"repeated_rows"}
    finally:
        path.write_bytes(data)


@given(order=st.randoms(use_true_random=False))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_unsorted_rows_are_counted_and_read_in_order(root: Path, order: random.Random) -> None:
    path = events_file(root)
    data = path.read_bytes()
    expected = ordered(Store.open(root).scan(market=OUTCOME)).collect()
    places = list(range(len(expected)))
    order.shuffle(places)
    descents = sum(b < a for a, b in pairwise(places))
    try:
        rewrite(path, lambda frame: frame[places])
        assert found(root).get("unsorted_rows", 0) == descents
        assert ordered(Store.open(root).scan(market=OUTCOME)).collect().equals(expected)
    finally:
        path.write_bytes(data)


def crossed(frame: pl.DataFrame) -> pl.DataFrame:
    """Every third book has its bid above its ask."""
    hit = (pl.col("kind") == "book") & ((pl.col("kind") == "book").cum_sum() % 3 == 0)
    higher = pl.col("bid_px").list.eval(pl.element() + 2_000_000)  # the best bid at the best ask
    return frame.with_columns(pl.when(hit).then(higher).otherwise(pl.col("bid_px")).alias("bid_px"))


def disordered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("bid_px").list.reverse(), pl.col("bid_qty").list.reverse())


def without_quantities(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(pl.col("kind") == "book").then(pl.col("bid_qty").list.head(1)).otherwise(pl.col("bid_qty"))
    )


def nameless_trades(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.when(pl.col("kind") == "trade").then(0).otherwise(pl.col("qty")).alias("qty"))


def undescribed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("kind") != "listed")


def unsettled(frame: pl.DataFrame) -> pl.DataFrame:
    """Without what it paid, but with a row after its expiry."""
    late = frame.filter(pl.col("kind") == "settled").with_columns(
        kind=pl.lit("mark"), px=pl.lit(1, dtype=pl.Int64), detail=pl.lit(None, dtype=pl.String)
    )
    return pl.concat([frame.filter(pl.col("kind") != "settled"), late])


def garbled(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(detail=pl.when(pl.col("kind") == "settled").then(pl.lit("{")).otherwise(pl.col("detail")))


def told_again(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(trade_id=pl.when(pl.col("kind") == "trade").then(pl.lit("t0")).otherwise(None))


def stamped_early(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        exchange_ns=pl.when(pl.col("kind") == "trade").then(pl.col("recv_ns") + 2 * NS_PER_S).otherwise("exchange_ns")
    )


def one_stamp(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(exchange_ns=pl.when(pl.col("kind") == "book").then(pl.lit(T0)).otherwise("exchange_ns"))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (crossed, {"crossed_books": 10}),
        (disordered, {"disordered_levels": 30}),
        (without_quantities, {"unreadable_rows": 30}),
        (nameless_trades, {"unreadable_rows": 30}),
        (undescribed, {"undescribed_markets": 1}),
        (unsettled, {"unsettled_markets": 1}),
        (garbled, {"unreadable_rows": 1, "unsettled_markets": 1}),
        (told_again, {"repeated_trades": 29}),
        (stamped_early, {"early_stamps": 30}),
        (one_stamp, {"repeated_books": 29}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_planted_is_what_is_found(root: Path, edit: Edit, expected: dict[str, int]) -> None:
    rewrite(events_file(root), edit)
    assert found(root) == expected


def test_a_crossed_touch_is_found(root: Path) -> None:
    rewrite(
        events_file(root, "hyperliquid:BTC"),
        lambda frame: frame.with_columns(
            bid_px=pl.when(pl.col("kind") == "bbo").then(pl.col("ask_px")).otherwise(pl.col("bid_px"))
        ),
    )
    assert found(root) == {"crossed_touches": 30}


@pytest.mark.parametrize(
    "metadata",
    [{"hlomm.schema": str(SCHEMA + 1), "hlomm.table": EVENTS}, {"hlomm.schema": str(SCHEMA), "hlomm.table": "x"}, {}],
)
def test_mixed_schemas_are_refused_and_counted(root: Path, metadata: dict[str, str]) -> None:
    rewrite(events_file(root), lambda frame: frame, metadata=metadata)
    looked = check(root)
    assert looked.defects == ["other_schema"]
    assert sum(looked.schemas.values()) == looked.files
    with pytest.raises(SchemaError, match="schema"):
        Store.open(root).scan()


def test_other_columns_are_another_schema(root: Path) -> None:
    rewrite(events_file(root), lambda frame: frame.drop("rest"))
    assert check(root).defects == ["other_schema"]


@given(step_ms=st.integers(1, 10**7), at=st.integers(1, 120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_a_clock_that_steps_back_once_is_found_once(tmp_path: Path, step_ms: int, at: int) -> None:
    rows = frame_of(
        EVENTS,
        [
            dict.fromkeys(COLUMNS[EVENTS])
            | {
                "run": RUN,
                "seq": n,
                "recv_ns": T0 + n * NS_PER_MS - (step_ms * NS_PER_MS + NS_PER_MS if n >= at else 0),
            }
            | {"source": "live", "venue": HYPERLIQUID, "market": "", "kind": kind, "detail": "{}"}
            for n, kind in enumerate(["start"] * 121 + ["stop"])
        ],
    )
    write_frame(tmp_path, EVENTS, rows, (HYPERLIQUID, "", "2026-01-01"), "1")
    expected = {"clock_backwards": 1}
    looked = found(tmp_path)
    looked.pop("silences", None)
    assert looked == expected


def test_gaps_ends_and_breaks_are_told(tmp_path: Path) -> None:
    write(tmp_path, minute()[:40], packed=False)
    write(tmp_path, [(ms, item) for ms, item in minute()[60:]], run=RUN + 90_000)
    assert found(tmp_path) == {"run_breaks": 1}
    stopped = next(one.path for one in Store.open(tmp_path).files if one.market == "" and str(RUN) in one.part)
    rewrite(stopped, lambda frame: frame.filter(pl.col("kind") != "stop"))
    assert found(tmp_path) == {"run_breaks": 1, "unclean_ends": 1}
    rewrite(
        stopped,
        lambda frame: frame.with_columns(
            kind=pl.lit("gap"), detail=pl.lit(json.dumps({"from_ns": T0 - 7 * NS_PER_S, "reason": "lost"}))
        ).head(1),
    )
    looked = check(tmp_path)
    assert looked.findings["gaps"].count == 1
    assert "7.0 s, lost" in looked.findings["gaps"].examples[0]
