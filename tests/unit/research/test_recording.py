"""A folder of recorded files that is not as it should be: mended and counted, or refused with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from hlomm.domain.faults import UsageError
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.research.recording import Recording, load
from tests.support.recordings import T0, folder, lively

Edit = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes up to the expiry, where a mark is known."""
    return folder(tmp_path_factory.mktemp("whole") / "data", lively(seconds=121, expiry_s=120))


@pytest.fixture(scope="module")
def good(whole: Path) -> Recording:
    return load(whole)


@pytest.fixture
def data(tmp_path: Path, whole: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "data"))


def edit(data: Path, kind: str, change: Edit) -> None:
    path = data / f"{kind}.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def test_a_good_folder_is_read_as_it_was_made_and_nothing_is_mended(good):
    made = lively(seconds=121, expiry_s=120)
    assert [event.item for event in good.events] == [event.item for event in made.events]
    assert good.repairs == ()


# -- mended, with a count


def crossed(frame: pl.DataFrame) -> pl.DataFrame:
    """The third row's bid above its ask."""
    bid, ask = frame["bid_px"].to_list(), frame["ask_px"].to_list()
    bid[2], ask[2] = ask[2], bid[2]
    return frame.with_columns(bid_px=pl.Series(bid), ask_px=pl.Series(ask))


def one_late(frame: pl.DataFrame) -> pl.DataFrame:
    """The third row received 0.9 s late: after those behind it."""
    late = pl.int_range(pl.len()) == 2
    return frame.with_columns(pl.when(late).then(pl.col("local_recv_ts") + 900 * NS_PER_MS).otherwise("local_recv_ts"))


@pytest.mark.parametrize(
    ("kind", "change", "repairs"),
    [
        ("book_snapshot", lambda frame: frame.reverse(), {"unsorted_rows": 241}),
        ("book_snapshot", lambda frame: pl.concat([frame, frame.tail(3)]), {"repeated_rows": 3, "unsorted_rows": 1}),
        ("trade", lambda frame: pl.concat([frame, frame.tail(3)]), {}),
        ("bbo", one_late, {"late_rows": 4}),
        ("bbo", crossed, {"crossed_touches": 1}),
    ],
    ids=["unsorted", "repeated", "replayed", "late", "crossed"],
)
def test_what_can_be_mended_is_and_is_counted(data, good, kind, change, repairs):
    edit(data, kind, change)
    found = load(data)
    assert dict(found.repairs) == repairs
    assert found.prints_replayed == (3 if kind == "trade" else 0)
    if kind in ("book_snapshot", "trade"):
        assert found.events == good.events


def test_a_crossed_book_is_dropped(data):
    def cross(frame: pl.DataFrame) -> pl.DataFrame:
        bids = frame["bid_px"].to_list()
        bids[5] = [0.99, *bids[5][1:]]
        return frame.with_columns(bid_px=pl.Series(bids))

    edit(data, "book_snapshot", cross)
    found = load(data)
    assert (found.books, dict(found.repairs)) == (241, {"crossed_books": 1})


# -- refused, with the reason


def without(since_s: float, until_s: float) -> Edit:
    return lambda frame: frame.filter(
        ~pl.col("local_recv_ts").is_between(T0 + int(since_s * NS_PER_S), T0 + int(until_s * NS_PER_S))
    )


def set_back(frame: pl.DataFrame) -> pl.DataFrame:
    """From the first minute on the clock is three seconds behind."""
    behind = pl.col("exchange_ts") > T0 + 60 * NS_PER_S
    return frame.with_columns(pl.when(behind).then(pl.col("local_recv_ts") - 3 * NS_PER_S).otherwise("local_recv_ts"))


def value(column: str, content: object) -> Edit:
    """One cell replaced."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        cells = frame[column].to_list()
        cells[4] = content
        return frame.with_columns(pl.Series(column, cells, strict=False))

    return change


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("book_snapshot", without(20, 90), "a gap of 7. s in its books"),
        ("bbo", without(20, 85), "a gap of 6. s in its touches of its perp"),
        ("book_snapshot", set_back, "the clock went back by 2.* s among its books"),
        ("mark", without(114, 999), "no settlement, and no mark within 5 s of its expiry"),
        ("book_snapshot", value("bid_px", [0.5, 0.6, 0.4, 0.3, 0.2]), "rows that make no sense .levels in disorder"),
        ("book_snapshot", value("bid_px", [0.5, 0.4]), "rows that make no sense"),
        ("book_snapshot", value("ask_px", [0.9, 0.95, 0.97, 0.99, 1.0]), "a level without price or size"),
        ("trade", value("price", 1.5), "a trade of .* at 1.5"),
        ("trade", value("size", 0.0), "a trade of 0 at"),
        ("trade", value("side", "split"), "rows that make no sense .'split'"),
        ("mark", value("mark_px", None), "rows that make no sense"),
        ("book_snapshot", lambda frame: frame.drop("ask_sz"), "rows that make no sense"),
        ("meta", lambda frame: frame.with_columns(keys=pl.lit(["class"] * 6)), "not that of a binary"),
    ],
)  # fmt: skip
def test_what_cannot_be_relied_on_is_refused_by_name(data, kind, change, reason):
    edit(data, kind, change)
    with pytest.raises(UsageError, match=reason):
        load(data)


@pytest.mark.parametrize(("length_s", "fine"), [(59, True), (62, False)])
def test_a_minute_is_the_longest_gap(data, length_s, fine):
    edit(data, "book_snapshot", without(30, 30 + length_s))
    if fine:
        assert load(data).books < 242
    else:
        with pytest.raises(UsageError, match="a gap of"):
            load(data)


def test_two_files_of_one_kind_are_one_and_others_are_passed_over_and_counted(data, good):
    path = data / "bbo.parquet"
    frame = pl.read_parquet(path)
    frame.head(200).write_parquet(path)
    frame.tail(-200).write_parquet(data / "bbo2.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(data / "notes.parquet")
    found = load(data)
    assert found.events == good.events
    assert dict(found.repairs) == {"files_passed_over": 1}
    frame.tail(-200).drop("bid_sz").write_parquet(data / "bbo2.parquet")
    with pytest.raises(UsageError, match=r"bbo2.parquet: rows that make no sense .no column bid_sz"):
        load(data)
    pl.concat([frame, frame.with_columns(symbol=pl.lit("ETH"))]).write_parquet(path)
    with pytest.raises(UsageError, match="more than one kind or symbol"):
        load(data)


def test_a_truncated_file_is_refused(data):
    path = data / "trade.parquet"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(UsageError, match="not a readable parquet file"):
        load(data)


@pytest.mark.parametrize("kind", ["book_snapshot", "bbo"])
def test_a_damaged_page_is_refused_or_every_row_is_accounted_for(data, good, kind):
    """Parquet checks no sums, and polars gives up on some damage in ways of its own."""
    path = data / f"{kind}.parquet"
    sound = path.read_bytes()
    refused = 0
    for place in range(40, len(sound) - 1_500, len(sound) // 8):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :])
        try:
            found = load(data)
        except UsageError:
            refused += 1
        else:
            dropped = sum(count for name, count in found.repairs if name.startswith(("crossed", "repeated")))
            assert len(found.events) + dropped == len(good.events)
    assert refused
