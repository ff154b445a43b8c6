"""Names and order of segments: which files make a run, whatever else lies beside them."""

from __future__ import annotations

import gzip
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.journal.framing import HEADER, frame, scan
from hlomm.journal.segments import Segment, latest_run, parse_name

EPOCH = 1_795_000_000_000
epochs = st.integers(0, 9_999_999_999_999)
numbers = st.integers(0, 999_999)
segments = st.builds(Segment, epochs, numbers, st.booleans())


@given(segments)
def test_a_name_says_all_of_a_segment(segment: Segment) -> None:
    read = parse_name(segment.name)
    assert read == segment
    assert read is not None
    assert read.packed == segment.packed


def test_a_name_looks_like_this() -> None:
    assert Segment(EPOCH, 7).name == "1795000000000-000007.journal"
    assert Segment(EPOCH, 7, packed=True).name == "1795000000000-000007.journal.gz"
    assert Segment(7, 0).name == "0000000000007-000000.journal"


@given(segments, segments)
def test_names_sort_as_segments_do(a: Segment, b: Segment) -> None:
    """`ls` shows the order of events."""
    if (a.epoch_ms, a.number) != (b.epoch_ms, b.number):
        assert (a.name < b.name) == (a < b)


def test_being_packed_does_not_change_the_place_in_the_order() -> None:
    plain, packed = Segment(EPOCH, 1), Segment(EPOCH, 1, packed=True)
    assert not plain < packed
    assert not packed < plain
    assert plain != packed, "they are two files all the same"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".journal",
        "1795000000000-000000.journal.partial",
        "1795000000000-000000.journal.gz.partial",
        "1795000000000-000000.journal.GZ",
        "1795000000000-000000.journal.zst",
        "1795000000000-000000.journal~",
        "1795000000000-000000.journal\n",
        " 1795000000000-000000.journal",
        "./1795000000000-000000.journal",
        "179500000000-000000.journal",
        "17950000000000-000000.journal",
        "1795000000000-00000.journal",
        "1795000000000-0000000.journal",
        "1795000000000_000000.journal",
        "1795000000000-000000journal",
        "-795000000000-000000.journal",
        "1795000000000--00001.journal",
        "١٧٩٥٠٠٠٠٠٠٠٠٠-000000.journal",
        "halt.json",
        "ledger.sqlite",
        "lost+found",
    ],
)
def test_foreign_files_are_no_segments(name: str) -> None:
    assert parse_name(name) is None
    ours = Segment(EPOCH, 0)
    assert latest_run([name, ours.name]) == [ours]
    assert latest_run([name]) == []


@given(st.text(max_size=40))
def test_any_name_is_read_without_an_error(name: str) -> None:
    read = parse_name(name)
    assert read is None or read.name == name


def test_no_files_no_run() -> None:
    assert latest_run([]) == []


@given(st.lists(segments, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_newest_run_comes_whole_in_order_and_alone(found: list[Segment], dice: object) -> None:
    names = [segment.name for segment in found]
    dice.shuffle(names)  # type: ignore[attr-defined]
    run = latest_run(iter(names))
    newest = max(segment.epoch_ms for segment in found)
    assert {segment.epoch_ms for segment in run} == {newest}
    assert [segment.number for segment in run] == sorted({s.number for s in found if s.epoch_ms == newest})
    assert {segment.name for segment in run} <= set(names), "only files that exist"


def test_an_earlier_run_of_many_segments_does_not_outweigh_a_later_one() -> None:
    earlier = [Segment(EPOCH - 1, number) for number in range(20)]
    later = [Segment(EPOCH, 0)]
    assert latest_run([segment.name for segment in earlier + later]) == later


@pytest.mark.parametrize("order", [1, -1])
def test_while_a_segment_is_being_packed_the_plain_one_counts(order: int) -> None:
    """The packed twin appears before the plain one goes: a crash between leaves both."""
    names = [Segment(EPOCH, 0, packed=True).name, Segment(EPOCH, 0).name][::order]
    assert latest_run(names) == [Segment(EPOCH, 0)]


def test_packed_and_plain_segments_make_one_run() -> None:
    run = [attrs.evolve(Segment(EPOCH, number), packed=number < 3) for number in range(5)]
    assert latest_run(segment.name for segment in reversed(run)) == run


def test_a_missing_segment_stays_visible_as_a_gap_in_the_numbers() -> None:
    """It is not closed up: the sequence numbers inside will not fit, and a replay says so."""
    run = latest_run([Segment(EPOCH, 0).name, Segment(EPOCH, 2).name])
    assert [segment.number for segment in run] == [0, 2]


def test_packing_changes_no_byte_of_a_segment(tmp_path: Path) -> None:
    data = HEADER + frame(b"a") + frame(b"b" * 1_000)
    packed = tmp_path / Segment(EPOCH, 0, packed=True).name
    packed.write_bytes(gzip.compress(data))
    (segment,) = latest_run(entry.name for entry in tmp_path.iterdir())
    assert segment.packed
    assert scan(gzip.decompress((tmp_path / segment.name).read_bytes())) == scan(data)
