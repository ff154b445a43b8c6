"""What is recorded comes back as it was, through spool and Parquet alike."""

from __future__ import annotations

import typing
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    BookSource,
    ClockSkew,
    Input,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    OrderOpened,
    SessionDown,
    SessionUp,
    TradePrint,
)
from hlomm.domain.orders import Side
from hlomm.research.record.writer import Writer
from hlomm.research.store.pack import frame_of, pack
from hlomm.research.store.read import Store, ordered
from hlomm.research.store.schema import (
    COLUMNS,
    EVENTS,
    FRAMES,
    SchemaError,
    event_columns,
    folder_of,
    input_of,
    market_in,
    market_of,
    recorded,
)
from tests.unit.journal.generating import any_of, one_of_each
from tests.unit.store.making import OUTCOME, RUN, at, minute, write

LEVEL = st.tuples(st.integers(1, 10**15), st.integers(1, 10**17))
LEVELS = st.lists(LEVEL, max_size=4).map(tuple)
MARKET = st.text(min_size=1, max_size=8).map(lambda text: f"hyperliquid:{text}")
STAMP = st.integers(0, 4 * 10**12)
TYPED = st.one_of(
    st.builds(BookSnapshot, MARKET, LEVELS, LEVELS, STAMP, st.sampled_from(BookSource)),
    st.builds(BboUpdate, MARKET, st.none() | LEVEL, st.none() | LEVEL, STAMP),
    st.builds(
        TradePrint, MARKET, st.integers(1, 10**15), st.integers(1, 10**15), st.sampled_from(Side), st.text(), STAMP
    ),
    st.builds(MarkPrice, MARKET, st.integers(1, 10**15), STAMP),
)
STATES = (MarketListed, MarketChanged, MarketSettled, MarketDelisted, SessionUp, SessionDown, ClockSkew)


@given(st.one_of(TYPED, *map(any_of, STATES)))
def test_every_public_input_comes_back_from_its_columns(item: Input) -> None:
    row = dict.fromkeys(COLUMNS[EVENTS]) | {"market": market_of(item)} | event_columns(item)
    through = frame_of(EVENTS, [row]).row(0, named=True)
    assert input_of(through) == item


def test_private_inputs_have_no_place() -> None:
    private = [
        kind for kind in typing.get_args(Input) if kind not in (*STATES, BookSnapshot, BboUpdate, TradePrint, MarkPrice)
    ]
    assert OrderOpened in private
    for kind in private:
        item = one_of_each(kind)
        assert not recorded(item)
        with pytest.raises(SchemaError):
            event_columns(item)


@pytest.mark.parametrize("kind", ["book", "bbo", "trade", "mark", "settled", "listed", "nonsense"])
def test_a_row_without_its_columns_is_refused_by_name(kind: str) -> None:
    row = dict.fromkeys(COLUMNS[EVENTS]) | {"kind": kind, "market": OUTCOME, "run": 1, "seq": 9}
    with pytest.raises(SchemaError, match=r"row 1-9"):
        input_of(row)


@given(st.text(min_size=1, max_size=20))
def test_a_market_is_found_again_from_its_folder(name: str) -> None:
    folder = folder_of(EVENTS, "kalshi", f"kalshi:{name}", "2026-01-01")
    assert folder.count("/") == 3
    if name != "_":
        assert market_in(folder.split("/")[2], "kalshi") == f"kalshi:{name}"


def test_what_was_written_is_read_in_order(tmp_path: Path) -> None:
    rows = minute()
    write(tmp_path, rows)
    store = Store.open(tmp_path)
    assert not store.spools
    events = ordered(store.scan()).collect()
    items = [input_of(row) for row in events.iter_rows(named=True)]
    assert [item for item in items if item is not None] == [item for _, item in rows]
    assert events["source"].unique().to_list() == ["sim"]
    frames = ordered(store.scan(FRAMES)).collect()
    assert frames["data"].to_list() == [repr(item).encode() for _, item in rows]
    linked = events.filter(pl.col("frame").is_not_null())
    assert linked["frame"].to_list() == frames["seq"].to_list()
    assert set(linked["frame"]).isdisjoint(events["seq"])


def test_spool_and_parquet_tell_the_same(tmp_path: Path) -> None:
    rows = minute()
    write(tmp_path / "a", rows, packed=False)
    write(tmp_path / "b", rows)
    spooled, packed = (Store.open(tmp_path / name) for name in "ab")
    assert len(spooled.spools) == 1
    assert not spooled.files
    for table in (EVENTS, FRAMES):
        assert ordered(spooled.scan(table)).collect().equals(ordered(packed.scan(table)).collect())
    assert spooled.markets() == packed.markets() == ["hyperliquid:BTC", OUTCOME]


def test_a_frame_is_filed_under_the_one_market_it_is_about(tmp_path: Path) -> None:
    pen = Writer(tmp_path, RUN, "sim")
    about_two = pen.frame(at(1), HYPERLIQUID, 1, "/ws", b"two")
    for _, item in minute()[3:5]:
        pen.event(at(1), HYPERLIQUID, item, about_two)
    pen.frame(at(2), HYPERLIQUID, 1, "/ws", b"none")
    about_one = pen.frame(at(3), HYPERLIQUID, 1, "/ws", b"one")
    for _ in range(2):
        pen.event(at(3), HYPERLIQUID, minute()[3][1], about_one)

    pen.close()
    pack(tmp_path)
    frames = ordered(Store.open(tmp_path).scan(FRAMES)).collect()
    assert frames["market"].to_list() == ["", "", OUTCOME]
