"""A crash costs the last record at most, at whatever byte it comes; a closed file is never harmed."""

from __future__ import annotations

import errno
import os
import random
import threading
from pathlib import Path

import msgspec
import polars as pl
import pytest
import trio

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.times import NS_PER_S, Now
from hlomm.research.record import recorder as recording
from hlomm.research.record.recorder import Recorder
from hlomm.research.record.writer import HOUR_NS, RecordingEnds, Writer
from hlomm.research.store import pack as packing
from hlomm.research.store import spool
from hlomm.research.store.check import check
from hlomm.research.store.pack import QUARANTINE, pack
from hlomm.research.store.read import Store, ordered
from hlomm.venues.fields import MS_LIMIT
from tests.unit.store.making import RUN, T0, at, book, minute, write


def small(root: Path) -> Path:
    write(root, minute()[:8], packed=False)
    return spool.spools(root)[0]


def numbers(root: Path) -> list[tuple[int, int]]:
    store = Store.open(root)
    rows = [
        frame for table in ("events", "frames") for frame in store.scan(table).select("run", "seq").collect().rows()
    ]
    return sorted(rows)


def test_cut_at_every_byte_all_whole_records_are_read_and_packed(tmp_path: Path) -> None:
    whole = small(tmp_path / "whole")
    data = whole.read_bytes()
    every = spool.read(whole)
    ends = [len(spool.HEADER)]
    for record in (every.head, *every.records):
        assert record is not None
        ends.append(ends[-1] + len(spool.encode(record)))
    assert ends[-1] == len(data)
    cut = tmp_path / "cut" / spool.FOLDER / whole.name
    cut.parent.mkdir(parents=True)
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        read = spool.read(cut)
        complete = sum(end <= length for end in ends[2:])
        assert len(read.records) == complete
        assert read.records == every.records[:complete]
        assert not read.corrupt
        assert read.torn == length - max((end for end in ends if end <= length), default=0)
        rows = packing.rows_of(read)
        assert sum(map(len, rows.values())) == complete
    for length in (0, 5, ends[1], ends[3] + 1, len(data) - 1):
        root = tmp_path / f"packed{length}"
        left = root / spool.FOLDER / whole.name
        left.parent.mkdir(parents=True)
        left.write_bytes(data[:length])
        before = numbers(root)
        (packed,) = pack(root)
        assert packed.rows == len(before) == sum(end <= length for end in ends[2:])
        assert not left.exists()
        assert packed.files == 0 or numbers(root) == before


def test_two_that_pack_never_meet_in_one_spool(tmp_path: Path) -> None:
    """`hlomm data pack` beside a recorder, or beside the packing process that a killed one left behind."""
    small(tmp_path)
    write(tmp_path, minute()[:8], run=RUN + 1, packed=False)
    every = numbers(tmp_path)
    mine = spool.abandoned(tmp_path)
    held = next(mine)
    assert [one.part for one in pack(tmp_path)] == [f"{RUN + 1}-000001"]
    assert held.exists(), "somebody is at it"
    packing.pack_spool(tmp_path, held)
    assert list(mine) == [], "the other was packed meanwhile"
    assert spool.spools(tmp_path) == []
    assert numbers(tmp_path) == every
    write(tmp_path, minute()[:8], run=RUN + 2, packed=False)
    for path in spool.abandoned(tmp_path):
        packing.pack_spool(tmp_path, path)
    assert spool.spools(tmp_path) == [], "nothing is held once it is done"


def test_a_stamp_that_no_clock_can_mean_harms_no_other_row(tmp_path: Path) -> None:
    """The largest that a venue may send does not fit into a column: neither reading nor packing may end by it."""
    garbage = msgspec.structs.replace(book(20), venue_ms=MS_LIMIT)
    pen = write(tmp_path, [(10, book(10)), (20, garbage), (30, book(30))], packed=False)
    before = numbers(tmp_path)
    assert len(before) == pen.rows
    (packed,) = pack(tmp_path)
    assert (packed.rows, numbers(tmp_path)) == (pen.rows, before)
    books = ordered(Store.open(tmp_path).scan()).filter(pl.col("kind") == "book").collect()
    assert books["exchange_ns"].to_list() == [T0 + 10_000_000, None, T0 + 30_000_000]


@pytest.mark.parametrize("at_share", [0.2, 0.5, 0.9])
def test_a_changed_byte_in_the_middle_is_damage_and_kept(tmp_path: Path, at_share: float) -> None:
    path = small(tmp_path)
    data = bytearray(path.read_bytes())
    data[int(len(data) * at_share)] ^= 0xFF
    path.write_bytes(bytes(data))
    assert spool.read(path).corrupt
    before = numbers(tmp_path)
    (packed,) = pack(tmp_path)
    assert packed.corrupt
    assert numbers(tmp_path) == before
    assert (tmp_path / QUARANTINE / path.name).read_bytes() == bytes(data)
    assert check(tmp_path).findings["damaged_spool"].count == 1


def test_a_spool_being_written_is_read_but_not_packed(tmp_path: Path) -> None:
    pen = Writer(tmp_path, RUN, "live")
    pen.own(at(0), HYPERLIQUID, "", "start")
    pen.flush()
    assert pack(tmp_path) == []
    assert numbers(tmp_path) == [(RUN, 1)]
    pen.close()
    assert [one.rows for one in pack(tmp_path)] == [1]


def test_packing_that_died_before_the_spool_went_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small(tmp_path)
    expected = numbers(tmp_path)

    def dies(_path: Path) -> None:
        raise OSError(errno.EIO, "gone")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dies)
        with pytest.raises(OSError, match="gone"):
            pack(tmp_path)
    store = Store.open(tmp_path)
    assert path.exists()
    assert store.superseded
    assert not store.files
    assert numbers(tmp_path) == expected  # not twice
    assert check(tmp_path).findings["unfinished_packings"].count == 1
    pack(tmp_path)
    assert numbers(tmp_path) == expected
    assert not list(tmp_path.rglob("*.partial"))


def test_packing_on_a_full_disk_leaves_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small(tmp_path)
    expected = numbers(tmp_path)

    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(packing, "sync_path", full)
    with pytest.raises(OSError, match="no space"):
        pack(tmp_path)
    assert path.exists()
    assert numbers(tmp_path) == expected


def test_every_hour_has_its_spool_and_days_their_folders(tmp_path: Path) -> None:
    pen = Writer(tmp_path, RUN, "live")
    done: list[str] = []
    pen.on_rotated = lambda path: done.append(path.name)
    for hours in range(26):
        for minute_ in (0, 59):
            now = Now(0, T0 + hours * HOUR_NS + minute_ * 60 * NS_PER_S - T0 % HOUR_NS)
            pen.own(now, HYPERLIQUID, "", "start")
    assert len(done) == 25
    pen.close()
    assert done == [spool.name_of(RUN, number) for number in range(1, 27)]
    pack(tmp_path)
    days = {one.day for one in Store.open(tmp_path).files}
    assert len(days) == 2
    assert len(numbers(tmp_path)) == 52


def test_a_clock_that_steps_back_makes_no_new_spool(tmp_path: Path) -> None:
    pen = Writer(tmp_path, RUN, "live")
    for hours in (5, 2, 5, 6):
        pen.own(Now(0, T0 + hours * HOUR_NS), HYPERLIQUID, "", "start")
    pen.close()
    assert len(spool.spools(tmp_path)) == 2
    stamps = ordered(Store.open(tmp_path).scan()).collect()["recv_ns"].to_list()
    assert stamps == [T0 + hours * HOUR_NS for hours in (5, 2, 5, 6)]
    assert check(tmp_path).findings["clock_backwards"].count == 1


def on_disk(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def test_the_budget_is_never_exceeded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pen = Writer(tmp_path, RUN, "live", budget=200_000)

    noise = random.Random(1)  # what no packing makes smaller

    def fill() -> None:
        for _ in range(200):
            pen.frame(at(1), HYPERLIQUID, 1, "/ws", noise.randbytes(1_000))
            pen.flush()

    with pytest.raises(RecordingEnds, match=r"disk budget of 200000 bytes.*--disk-max"):
        fill()
    written = on_disk(tmp_path)
    assert 80_000 < written <= 100_000
    assert pen.aside_dropped > 0
    pen.close()
    at_once: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda _path: at_once.append(on_disk(tmp_path)))
        pack(tmp_path)
    assert written < at_once[0] <= 200_000, "spool and Parquet together"


def test_a_full_disk_costs_only_what_it_would_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pen = Writer(tmp_path, RUN, "live")
    pen.own(at(0), HYPERLIQUID, "", "start")
    pen.flush()
    real = os.write

    def half(fd: int, data: bytes) -> int:
        if len(data) > 100:
            return real(fd, bytes(data[:100]))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pen.frame(at(1), HYPERLIQUID, 1, "/ws", bytes(500))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(RecordingEnds, match="No space left"):
            pen.flush()
    read = spool.read(spool.spools(tmp_path)[0])
    assert len(read.records) == 1
    assert (read.torn, read.corrupt) == (0, "")
    pen.own(at(2), HYPERLIQUID, "", "stop")
    pen.close()
    assert len(numbers(tmp_path)) == 2


async def test_the_store_is_walked_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[bool] = []

    def size_of(*_: object) -> int:
        where.append(threading.current_thread() is threading.main_thread())
        return 0

    async def packed(_root: Path) -> None:
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(recording, "size_of", size_of)
    monkeypatch.setattr(recording, "pack_apart", packed)
    one = Recorder(writer=Writer(tmp_path, RUN, "live"), ears=())
    one._packing.set()
    with trio.move_on_after(1.0):
        await one._pack_when_asked()
    assert where
    assert not any(where)


def test_an_hour_that_ends_while_its_spool_is_synced_ends_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync is a thread's: it has the file in hand when the hour closes it, or is about to."""
    honest, synced = os.fsync, list[str]()
    head = spool.Head(RUN, "test")
    before, meanwhile = (spool.SpoolFile(tmp_path / name, head) for name in ("before", "meanwhile"))
    before.close()
    before.sync()

    def slow(fd: int) -> None:
        meanwhile.close()
        with Path(tmp_path / "another").open("wb"):  # takes the number that has become free
            synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
            honest(fd)

    monkeypatch.setattr(os, "fsync", slow)
    meanwhile.sync()
    assert synced == ["meanwhile"]
