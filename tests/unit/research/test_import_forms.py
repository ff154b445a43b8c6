"""The same recordings as others would have written them: the same rows, or a defect by name, and never a traceback."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.domain.faults import UsageError
from hlomm.domain.times import NS_PER_S
from hlomm.research.imports.candles import import_candles
from hlomm.research.imports.kinds import KINDS
from hlomm.research.imports.lines import Imported, import_into
from hlomm.research.imports.quotes import import_quotes
from hlomm.research.recording import Recording, load
from hlomm.research.source import recordings
from hlomm.research.store.check import check
from hlomm.research.store.read import Store
from hlomm.research.store.schema import CANDLES
from tests.support.recordings import T0, folder, lively

TIMES = ("local_recv_ts", "exchange_ts")
Edit = Callable[[pl.DataFrame], pl.DataFrame]


# -- a HIP-4 recording


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("whole") / "data", lively(seconds=61, expiry_s=60))


@pytest.fixture(scope="module")
def good(whole: Path) -> Recording:
    return load(whole)


def cast(**columns: pl.DataType | type[pl.DataType]) -> Edit:
    return lambda frame: frame.with_columns(
        pl.col(name).cast(to) for name, to in columns.items()
        if name in frame.columns and frame[name].dtype.is_nested() == (to == pl.List or isinstance(to, pl.List))
    )  # fmt: skip


def stamps(unit: str, zone: str | None) -> Edit:
    return lambda frame: frame.with_columns(
        pl.col(name).cast(pl.Datetime("ns", zone)).dt.cast_time_unit(unit)
        for name in TIMES  # type: ignore[arg-type]
    )


def no_lists(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.when(pl.col(name).list.len() > 0).then(name) for name, to in frame.schema.items() if isinstance(to, pl.List)
    )


SINGLE = dict.fromkeys(("price", "size", "bid_px", "bid_sz", "ask_px", "ask_sz", "mark_px"), pl.Float32)
TEXT = dict.fromkeys((*SINGLE, *TIMES), pl.String)
SINGLE_LISTS = dict.fromkeys(("bid_px", "bid_sz", "ask_px", "ask_sz"), pl.List(pl.Float32))


@pytest.mark.parametrize(
    "change",
    [
        stamps("ns", None), stamps("ns", "UTC"), cast(**TEXT), cast(**SINGLE), cast(**SINGLE_LISTS), no_lists,
        cast(side=pl.Categorical, trade_id=pl.Categorical, event=pl.Categorical),
        lambda frame: frame.with_columns(pl.col("side").replace({"buy": "B", "sell": "A"}))
        if "side" in frame.columns else frame,
        lambda frame: frame.drop("event", "symbol"),
    ],
    ids=["stamps", "zoned", "text", "single", "single lists", "no lists", "categories", "letters", "named by folders"],
)  # fmt: skip
def test_a_recording_is_the_same_in_other_types_and_in_the_folders_of_its_origin(tmp_path, whole, good, change):
    for path in whole.glob("*.parquet"):
        frame = pl.read_parquet(path)
        place = tmp_path / f"venue=hyperliquid/event={frame['event'][0]}/symbol={frame['symbol'][0]}"
        place.mkdir(parents=True)
        change(frame).write_parquet(place / "fixture.parquet")
    assert load(tmp_path).events == good.events
    done = import_into(tmp_path / "store", KINDS["hip4"], [tmp_path])
    assert done.events == len(good.events) + 2
    assert check(tmp_path / "store").defects == []


@pytest.mark.parametrize(("unit", "ns"), [("s", NS_PER_S), ("ms", 10**6), ("us", 10**3)])
def test_times_in_another_unit_are_told_by_their_size_and_counted(tmp_path, whole, good, unit, ns):
    for path in Path(shutil.copytree(whole, tmp_path / "data")).iterdir():
        pl.read_parquet(path).with_columns(pl.col(name) // ns for name in TIMES).write_parquet(path)
    found = load(tmp_path / "data")
    assert dict(found.repairs)[f"times_in_{unit}"] == 10
    assert {event.received_ns for event in found.events} == {event.received_ns // ns * ns for event in good.events}


def test_prints_without_an_id_are_all_taken(tmp_path, whole, good):
    path = Path(shutil.copytree(whole, tmp_path / "data")) / "trade.parquet"
    pl.read_parquet(path).with_columns(trade_id=pl.lit(None, dtype=pl.String)).write_parquet(path)
    found = load(tmp_path / "data")
    assert (len(found.events), found.prints_replayed) == (len(good.events), 0)


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("mark", "mark_px", float("inf")), ("mark", "mark_px", 1e200), ("bbo", "ask_px", float("nan")),
        ("bbo", "local_recv_ts", None), ("trade", "exchange_ts", 5), ("trade", "side", None),
    ],
)  # fmt: skip
def test_a_cell_that_means_nothing_is_no_traceback(tmp_path, whole, kind, column, value):
    path = Path(shutil.copytree(whole, tmp_path / "data")) / f"{kind}.parquet"
    frame = pl.read_parquet(path)
    here = pl.int_range(pl.len()) == 4
    frame.with_columns(pl.when(here).then(value).otherwise(column).alias(column)).write_parquet(path)
    if column == "ask_px":  # no value is no side
        assert load(tmp_path / "data").events
        return
    with pytest.raises(UsageError, match="rows that make no sense"):
        load(tmp_path / "data")


def test_of_several_outcomes_each_is_run_and_their_perp_is_imported_once(tmp_path, whole, good):
    data = Path(shutil.copytree(whole, tmp_path / "data"))
    for kind in ("book_snapshot", "trade", "meta"):
        frame = pl.read_parquet(data / f"{kind}.parquet").with_columns(symbol=pl.lit("#290"))
        if kind == "meta":
            frame = frame.with_columns(values=pl.lit(["29", *frame["values"][0].to_list()[1:]]))
        frame.write_parquet(data / f"{kind}2.parquet")
    chosen = recordings(data)
    assert [one.outcome.id for one in chosen.recordings] == ["hyperliquid:o15", "hyperliquid:o29"]
    assert len(chosen.recordings[0].events) == len(chosen.recordings[1].events) == len(good.events)
    with pytest.raises(UsageError, match="2 outcomes, and one is wanted"):
        load(data)
    done = import_into(tmp_path / "store", KINDS["hip4"], [data])
    own = sum(event.item.market == "hyperliquid:o15" for event in good.events)
    assert done.events == len(good.events) + own + 4
    (data / "trade2.parquet").unlink()
    chosen = recordings(data)
    assert [one.reason.partition(": ")[2] for one in chosen.excluded] == ["no trade of #290 among its parquet files"]
    assert len(chosen.recordings) == 1


# -- tables and lines

PRICES = "timestamp,price,size,side,exchange_timestamp\n1756904112.5,100.5,1.5,bid,1756904112100\n"


def prices(tmp_path: Path, content: bytes, name: str = "prices_BTC.csv") -> Imported:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    return import_into(tmp_path / "store", KINDS["hl-csv"], [tmp_path / "in"])


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xef\xbb\xbf" + PRICES.encode(), "prices_BTC.csv"),
        (PRICES.replace("\n", "\r\n").encode(), "prices_BTC.csv"),
        (gzip.compress(PRICES.encode()), "prices_BTC.csv"), (gzip.compress(PRICES.encode()), "prices_BTC.csv.gz"),
    ],
    ids=["byte order mark", "carriage returns", "packed", "packed and named so"],
)  # fmt: skip
def test_a_table_is_the_same_however_it_is_wrapped(tmp_path, content, name):
    done = prices(tmp_path, content, name)
    assert (done.events, done.markets, done.odd) == (2, ("hyperliquid:BTC",), {"touches_of_one_side": 1})
    assert done.first_ns == 1_756_904_112_500_000_000


@pytest.mark.parametrize(
    ("rows", "odd"),
    [
        (b"\xff\xfe,1,1,bid,1\n", "unreadable_rows"), (b'"' + b"x" * 200_000, "broken_files"),
        (b"1756904112500,100.5,1.5,ask,1756904112100\n", "unreadable_rows"),
        (b"1756904112.6,100.5,1.5,ask,1756904112100000\n", "impossible_times"),
        (b"-9e30,100.5,1.5,ask,1756904112100\n", "unreadable_rows"),
        (b"1756904112.6,100.5,1e12,ask,1756904112100\n", "unreadable_rows"),
    ],
    ids=["not text", "no end", "ms", "us of the venue", "no time", "too large"],
)  # fmt: skip
def test_a_row_that_means_nothing_is_counted_and_the_others_are_taken(tmp_path, rows, odd):
    done = prices(tmp_path, PRICES.encode() + b"1756904112.55,100.4,1,bid,1756904112150\n" + rows)
    assert done.odd[odd] == 1
    assert (done.first_ns, done.last_ns) == (1_756_904_112_500_000_000, 1_756_904_112_550_000_000)
    assert done.events == 3


def test_frames_with_stamps_of_another_unit_are_no_news_of_1970(tmp_path):
    book = {"channel": "bbo", "data": {"coin": "BTC", "time": 1_737_918_843_000, "bbo": [None, None]}}
    lines = [f"{stamp} {json.dumps(book)}" for stamp in ("1737918843893", "9" * 5_000, "1737918843893903000")]
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode())
    done = import_into(tmp_path / "store", KINDS["hl-frames"], [tmp_path / "a.txt"])
    assert (done.frames, done.events, done.odd) == (1, 2, {"impossible_times": 2})


def test_prices_in_cents_are_not_taken_for_empty_sides(tmp_path):
    rows = [{"ticker": "KXETH15M-26AUG170145-45", "ts": 1_786_945_083.5, "yb": bid, "ya": 0.6} for bid in (0.5, 50)]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, [*rows, {**rows[0], "ticker": None}])).encode()))
    done = import_into(tmp_path / "store", KINDS["kalshi"], [tmp_path])
    assert (done.events, done.odd) == (2, {"unreadable_lines": 2})


def quotes(**columns: object) -> pl.DataFrame:
    rows = {"ts": [T0 // 1_000, T0 // 1_000 + 1], "slug": ["a", "b"], "bid": [0.6, None], "ask": [0.7, 0.3]}
    return pl.DataFrame(rows).with_columns(pl.col("ts").cast(pl.Datetime("us"))).with_columns(**columns)  # type: ignore[arg-type]


def test_quotes_of_single_precision_and_of_categories_are_exact_beside_others(tmp_path):
    quotes().write_parquet(tmp_path / "quotes_1.parquet")
    single = quotes(slug=pl.col("slug").cast(pl.Categorical), bid=pl.col("bid").cast(pl.Float32))
    single.write_parquet(tmp_path / "quotes_2.parquet")
    assert import_quotes(tmp_path / "store", [tmp_path]).events == 4
    bids = Store.open(tmp_path / "store").scan(market="polymarket:a").collect()["bid_px"].to_list()
    assert bids == [[60_000_000], [60_000_000]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"ts": pl.lit("x")}, {"ts": pl.col("ts").dt.time()}, {"slug": pl.lit(b"x")}, {"bid": pl.concat_list("bid")},
        {"bid": pl.lit(50.0)}, {"bid": pl.lit(-0.5)}, {"ts": pl.lit(5).cast(pl.Datetime("us"))},
    ],
)  # fmt: skip
def test_quotes_that_are_none_are_left_out_by_name(tmp_path, wrong):
    quotes(**wrong).write_parquet(tmp_path / "quotes_1.parquet")
    with pytest.raises(UsageError, match="nothing of kind polymarket-quotes"):
        import_quotes(tmp_path / "none", [tmp_path / "quotes_1.parquet"])
    quotes().write_parquet(tmp_path / "quotes_2.parquet")
    done = import_quotes(tmp_path / "store", [tmp_path])
    assert (done.events, sum(done.odd.values())) == (2, 2 if "unreadable_rows" in done.odd else 1)


def candles(**columns: object) -> pl.DataFrame:
    frame = pl.DataFrame({"date": [T0, T0 + 3_600 * NS_PER_S]}).with_columns(pl.col("date").cast(pl.Datetime("ns")))
    return frame.with_columns(open=1.1, high=1.3, low=1.0, close=1.2, volume=5.0).with_columns(**columns)  # type: ignore[arg-type]


def test_candles_of_single_precision_are_exact(tmp_path):
    candles(open=pl.lit(1.1, dtype=pl.Float32)).write_ipc(tmp_path / "hl_BTC_1h.feather")
    import_candles(tmp_path / "store", [tmp_path])
    assert Store.open(tmp_path / "store").scan(CANDLES).collect()["open"].to_list() == [110_000_000] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"date": pl.col("date").dt.time()}, {"open": pl.concat_list("open")}, {"open": pl.lit(b"x")},
        {"open": pl.lit(1e15)}, {"date": pl.lit(5).cast(pl.Datetime("ms"))},
    ],
)  # fmt: skip
def test_candles_that_are_none_are_left_out_by_name(tmp_path, wrong):
    candles(**wrong).write_ipc(tmp_path / "hl_BTC_1h.feather")
    with pytest.raises(UsageError, match="no candles in"):
        import_candles(tmp_path / "store", [tmp_path])


def test_a_store_that_cannot_be_written_is_said_in_a_line(tmp_path):
    (tmp_path / "prices_BTC.csv").write_text(PRICES)
    (tmp_path / "file").write_text("")
    said = CliRunner().invoke(main, ["import", "hl-csv", str(tmp_path), "--out", str(tmp_path / "file")])
    assert said.exit_code == 2
    assert "the import is not whole" in said.stderr
