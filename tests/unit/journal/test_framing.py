"""Framing: what was written comes back, a crash costs the last record only, and no damage goes unnoticed."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hlomm.journal.framing import HEADER, MAX_PAYLOAD, SCHEMA, Scan, frame, scan, scan_end

OVERHEAD = 10
MAGIC = b"\xa5J"
PAYLOADS = [b"first", b"", b"\xa5J\xa5J", bytes(range(40)), b"last"]
"""Awkward on purpose: an empty one, one full of magic."""

payloads = st.lists(st.binary(max_size=40), max_size=6)


def segment(records: list[bytes]) -> bytes:
    return HEADER + b"".join(map(frame, records))


def starts(records: list[bytes]) -> list[int]:
    """Offset of every frame, and the end of the file."""
    found = [len(HEADER)]
    for record in records:
        found.append(found[-1] + OVERHEAD + len(record))
    return found


def owner(records: list[bytes], offset: int) -> int:
    """Index of the record that a byte belongs to."""
    return next(index for index, end in enumerate(starts(records)[1:]) if offset < end)


def raw_frame(size: int, payload: bytes, *, magic: bytes = MAGIC, crc: int | None = None) -> bytes:
    """A frame that says what it is told to say; the checksum fits what it says unless given."""
    length = struct.pack("<I", size)
    return magic + length + struct.pack("<I", zlib.crc32(length + payload) if crc is None else crc) + payload


def assert_corrupt(found: Scan, *, offset: int, records: int) -> None:
    assert found.corrupt is not None
    assert (found.corrupt.offset, found.corrupt.records) == (offset, records)
    assert (found.good, len(found.payloads)) == (offset, records)
    assert found.torn == 0
    assert f"byte {offset}" in str(found.corrupt)
    assert f"{records} good" in str(found.corrupt)


# -- there and back


@given(payloads)
@example([])
@example(PAYLOADS)
def test_what_was_framed_comes_back_in_order(records: list[bytes]) -> None:
    data = segment(records)
    assert scan(data) == Scan(payloads=records, good=len(data))


def test_a_frame_is_laid_out_as_the_docstring_says() -> None:
    payload = b"payload"
    assert frame(payload) == raw_frame(7, payload)
    assert len(frame(payload)) == OVERHEAD + len(payload)
    assert len(HEADER) == 16
    assert b"hlomm journal\x00" + bytes([SCHEMA]) + b"\n" == HEADER


@given(payloads, payloads)
def test_appending_is_all_a_writer_does(before: list[bytes], after: list[bytes]) -> None:
    """A segment grows by whole frames: no footer, nothing is rewritten."""
    assert segment(before + after) == segment(before) + b"".join(map(frame, after))
    assert scan(segment(before + after)).payloads[: len(before)] == before


# -- size


def test_the_largest_record_fits_and_one_byte_more_is_refused() -> None:
    largest = bytes(MAX_PAYLOAD)
    assert scan(HEADER + frame(largest)).payloads == [largest]
    with pytest.raises(ValueError, match=f"{MAX_PAYLOAD + 1} bytes exceeds {MAX_PAYLOAD}"):
        frame(bytes(MAX_PAYLOAD + 1))


def test_a_sound_checksum_does_not_excuse_an_oversized_record() -> None:
    """Nobody writes such a frame; a reader that took it would take any amount of memory."""
    oversized = raw_frame(MAX_PAYLOAD + 1, bytes(MAX_PAYLOAD + 1))
    assert_corrupt(scan(segment([b"a"]) + oversized), offset=starts([b"a"])[-1], records=1)


# -- torn tails


@pytest.mark.parametrize("cut", range(len(segment(PAYLOADS)) + 1))
def test_a_file_cut_at_any_byte_keeps_every_record_before_the_cut(cut: int) -> None:
    whole = [start for start in starts(PAYLOADS) if start <= cut]
    found = scan(segment(PAYLOADS)[:cut])
    assert found.corrupt is None, "a torn tail is harmless and must not be called damage"
    assert found.payloads == PAYLOADS[: max(len(whole) - 1, 0)]
    assert found.good == (whole[-1] if whole else 0)
    assert found.torn == cut - found.good


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.data())
def test_a_torn_tail_of_any_journal_is_measured(records: list[bytes], data: st.DataObject) -> None:
    *before, last = records
    missing = data.draw(st.integers(1, OVERHEAD + len(last) - 1))
    found = scan(segment(records)[:-missing])
    assert (found.payloads, found.corrupt) == (before, None)
    assert found.torn == OVERHEAD + len(last) - missing


@given(payloads, payloads, st.integers(1, 30))
def test_after_a_torn_tail_is_cut_off_the_segment_can_be_continued(
    before: list[bytes], after: list[bytes], torn: int
) -> None:
    crashed = segment(before) + frame(b"x" * 30)[:torn]
    kept = crashed[: scan(crashed).good]
    assert scan(kept + b"".join(map(frame, after))).payloads == before + after


# -- damage


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("offset", range(len(segment(PAYLOADS))))
def test_a_flipped_bit_anywhere_is_noticed_and_located(offset: int, bit: int) -> None:
    data = bytearray(segment(PAYLOADS))
    data[offset] ^= 1 << bit
    if offset < len(HEADER):
        assert_corrupt(scan(bytes(data)), offset=0, records=0)
        return
    hit = owner(PAYLOADS, offset)
    found = scan(bytes(data))
    assert_corrupt(found, offset=starts(PAYLOADS)[hit], records=hit)
    assert found.payloads == PAYLOADS[:hit]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=6), st.data())
def test_a_changed_byte_of_any_journal_is_noticed_and_located(records: list[bytes], data: st.DataObject) -> None:
    damaged = bytearray(segment(records))
    offset = data.draw(st.integers(len(HEADER), len(damaged) - 1))
    damaged[offset] ^= data.draw(st.integers(1, 255))
    hit = owner(records, offset)
    found = scan(bytes(damaged))
    assert_corrupt(found, offset=starts(records)[hit], records=hit)
    assert found.payloads == records[:hit]


@given(
    st.lists(st.binary(min_size=1, max_size=60), min_size=2, max_size=6),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=20)), min_size=1, max_size=3),
    st.integers(0, 60),
)
def test_whatever_was_overwritten_and_cut_only_true_records_are_handed_out(
    records: list[bytes], scribbles: list[tuple[int, bytes]], cut: int
) -> None:
    """Several faults at once may be told apart wrongly; they may never invent or change a record."""
    data = bytearray(segment(records))
    for where, what in scribbles:
        at = where % len(data)
        data[at : at + len(what)] = what[: len(data) - at]
    found = scan(bytes(data[: max(len(data) - cut, 0)]))
    assert found.payloads == records[: len(found.payloads)]
    assert found.good <= max(len(data) - cut, 0)


@pytest.mark.parametrize("hit", range(len(PAYLOADS)))
@pytest.mark.parametrize("size", [0, 1, 3, 6, 41, 1_000, MAX_PAYLOAD, MAX_PAYLOAD + 1, 0xFFFF_FFFF])
def test_a_damaged_length_is_located_wherever_it_points(hit: int, size: int) -> None:
    assert size != len(PAYLOADS[hit]) or hit == 1
    at = starts(PAYLOADS)[hit]
    data = bytearray(segment(PAYLOADS))
    data[at + 2 : at + 6] = struct.pack("<I", size)
    if size == len(PAYLOADS[hit]):
        assert scan(bytes(data)).corrupt is None
        return
    assert_corrupt(scan(bytes(data)), offset=at, records=hit)


def test_a_length_that_points_at_the_next_frame_does_not_swallow_one() -> None:
    first, second = frame(b"one"), frame(b"two")
    merged = HEADER + raw_frame(3 + len(second), b"one", crc=zlib.crc32(struct.pack("<I", 3) + b"one")) + second
    assert_corrupt(scan(merged), offset=len(HEADER), records=0)
    assert scan(HEADER + first + second).payloads == [b"one", b"two"]


def test_a_record_taken_out_of_the_middle_leaves_no_trace_here() -> None:
    """Whole records missing are the business of the sequence numbers (see tests/replay)."""
    assert scan(segment([b"a", b"c"])).corrupt is None


# -- files that are no journals


def test_an_empty_file_is_a_run_that_never_began() -> None:
    assert scan(b"") == Scan(payloads=[], good=0)


def test_a_header_alone_is_a_run_without_records() -> None:
    assert scan(HEADER) == Scan(payloads=[], good=len(HEADER))


@pytest.mark.parametrize(
    "data",
    [
        HEADER[:-2] + bytes([SCHEMA + 1, 10]) + frame(b"a"),
        HEADER[:-2] + bytes([0, 10]),
        b"SQLite format 3\x00" + frame(b"a"),
        b"x",
        frame(b"a"),
        HEADER[1:],
        b"\x1f\x8b\x08\x00" + bytes(20),
        b"hlomm journal\x00\x01\r\n" + frame(b"a"),
    ],
    ids=["newer", "older", "sqlite", "letter", "headless", "shifted", "gzip", "crlf"],
)
def test_what_is_no_journal_of_this_schema_is_called_so(data: bytes) -> None:
    found = scan(data)
    assert_corrupt(found, offset=0, records=0)
    assert f"not a journal of schema {SCHEMA}" in str(found.corrupt)


@pytest.mark.parametrize("size", [1, 9, 15, 16, 17, 26, 4_096])
def test_a_file_of_zeros_is_no_journal(size: int) -> None:
    assert_corrupt(scan(bytes(size)), offset=0, records=0)


# -- garbage after the end


@pytest.mark.parametrize("size", [10, 11, 100, 4_096])
def test_zeros_after_the_end_are_damage_behind_every_good_record(size: int) -> None:
    """A file system that lost power may leave a tail of zeros; nothing before it is lost."""
    assert_corrupt(scan(segment(PAYLOADS) + bytes(size)), offset=starts(PAYLOADS)[-1], records=len(PAYLOADS))


@given(payloads, st.binary(min_size=1, max_size=60))
@example([b"a"], b"\x00")
@example([b"a"], MAGIC)
@example([], MAGIC + b"\xff\xff\xff\xff")
def test_garbage_after_the_end_is_never_silent_and_costs_nothing(records: list[bytes], garbage: bytes) -> None:
    data = segment(records)
    found = scan(data + garbage)
    assert (found.payloads, found.good) == (records, len(data))
    assert (found.corrupt is not None) != (found.torn == len(garbage))
    if found.corrupt is not None:
        assert_corrupt(found, offset=len(data), records=len(records))


def test_a_second_header_in_the_middle_is_damage_with_sound_records_after_it() -> None:
    """Two writers on one file."""
    found = scan(segment([b"a"]) + segment([b"b"]))
    assert_corrupt(found, offset=starts([b"a"])[-1], records=1)
    assert "sound ones after it" in str(found.corrupt)


def test_damage_at_the_end_and_damage_before_the_end_are_told_apart() -> None:
    data = bytearray(segment([b"aa", b"bb"]))
    data[-1] ^= 1
    assert "damaged last record" in str(scan(bytes(data)).corrupt)
    data[-1] ^= 1
    data[starts([b"aa"])[0] + OVERHEAD] ^= 1
    assert "sound ones after it" in str(scan(bytes(data)).corrupt)


def test_the_end_of_a_segment_is_read_wherever_it_was_cut() -> None:
    frames = [frame(bytes([n]) * 20) for n in range(6)]
    whole = HEADER + b"".join(frames)
    starts = [len(HEADER) + sum(map(len, frames[:n])) for n in range(6)]
    for cut in range(len(whole)):
        assert scan_end(whole[cut:]) == [bytes([n]) * 20 for n in range(6) if starts[n] >= cut]
    assert scan_end(whole[:-1]) == [bytes([n]) * 20 for n in range(5)]
    assert scan_end(b"\xa5J" * 40) == []
