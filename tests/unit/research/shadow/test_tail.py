"""A journal is read while it grows: every whole record once, whatever is cut where."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.domain.times import Now
from hlomm.journal.codec import NoteRecord, encode
from hlomm.journal.framing import HEADER, frame
from hlomm.journal.segments import Segment
from hlomm.research.shadow.tail import Tail

EPOCH = 1_795_000_000_000


def framed(first: int, count: int) -> list[bytes]:
    return [frame(encode(NoteRecord(seq, Now(seq, seq), f"note {seq}"))) for seq in range(first, first + count)]


def path(root: Path, number: int) -> Path:
    return root / Segment(EPOCH, number).name


def seqs(tail: Tail) -> list[int]:
    return [record.seq for record in tail.records()]


def test_a_file_that_grows_byte_by_byte_gives_every_record_once(tmp_path: Path) -> None:
    data = HEADER + b"".join(framed(1, 3))
    path(tmp_path, 1).write_bytes(b"")
    tail, found = Tail(tmp_path), []
    for length in range(1, len(data) + 1):
        path(tmp_path, 1).write_bytes(data[:length])
        found += seqs(tail)
    assert found == [1, 2, 3]
    assert seqs(tail) == []


def test_it_goes_on_with_the_next_segment_also_when_the_last_one_was_packed(tmp_path: Path) -> None:
    one = HEADER + b"".join(framed(1, 2))
    path(tmp_path, 1).write_bytes(one)
    tail = Tail(tmp_path)
    assert seqs(tail) == [1, 2]
    path(tmp_path, 1).with_name(path(tmp_path, 1).name + ".gz").write_bytes(gzip.compress(one + b"".join(framed(3, 1))))
    path(tmp_path, 1).unlink()
    path(tmp_path, 2).write_bytes(HEADER + b"".join(framed(4, 2)))
    assert seqs(tail) == [3, 4, 5]


def test_only_the_newest_run_is_followed(tmp_path: Path) -> None:
    (tmp_path / Segment(EPOCH - 1, 1).name).write_bytes(HEADER + b"".join(framed(1, 5)))
    path(tmp_path, 1).write_bytes(HEADER + b"".join(framed(1, 1)))
    tail = Tail(tmp_path)
    assert seqs(tail) == [1]
    assert not tail.over
    (tmp_path / Segment(EPOCH + 1, 1).name).write_bytes(HEADER + b"".join(framed(1, 5)))
    assert tail.over
    path(tmp_path, 1).write_bytes(HEADER + b"".join(framed(1, 3)))
    assert seqs(tail) == [2, 3], "what this run wrote last is read also when the next has begun"
    assert seqs(tail) == [], "a later run is another one's"


@pytest.mark.parametrize("flipped", [30, 60])
def test_damage_is_said_and_nothing_behind_it_is_read(tmp_path: Path, flipped: int) -> None:
    data = bytearray(HEADER + b"".join(framed(1, 4)))
    data[flipped] ^= 1
    path(tmp_path, 1).write_bytes(bytes(data))
    found: list[int] = []
    with pytest.raises(JournalCorrupt):
        found.extend(record.seq for record in Tail(tmp_path).records())
    assert found in ([], [1])


def test_a_missing_record_is_said(tmp_path: Path) -> None:
    path(tmp_path, 1).write_bytes(HEADER + b"".join([*framed(1, 1), *framed(3, 1)]))
    with pytest.raises(JournalCorrupt, match="record 2 is missing"):
        seqs(Tail(tmp_path))


def test_without_a_journal_there_is_nothing_to_follow(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        Tail(tmp_path / "none")
