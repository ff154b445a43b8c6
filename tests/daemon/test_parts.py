"""Small parts of the daemon by themselves: journal files, locks, the halt note, the simulator's document."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio

from hlomm.daemon import journal_writer
from hlomm.daemon.halt_note import HaltNoteKeeper
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.sim_process import parse_document, read_document
from hlomm.domain.faults import AnotherInstance, ConfigError
from hlomm.journal.framing import frame, scan
from hlomm.rundir import halt_file
from hlomm.rundir.halt_file import HaltNote
from hlomm.rundir.lock import Lock


async def test_journal_rolls_and_compresses_closed_segments(tmp_path):
    writer = JournalWriter(tmp_path, 1_795_000_000_000, segment_bytes=1000)
    payloads = [bytes([i]) * 300 for i in range(10)]
    for payload in payloads:
        writer.append(frame(payload), 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.keep_synced, 0.01)
        with trio.fail_after(20):
            while len(list(tmp_path.glob("*.gz"))) < 3:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    writer.close()
    found = []
    for path in sorted(tmp_path.iterdir()):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        result = scan(data)
        assert result.corrupt is None
        found += result.payloads
    assert found == payloads
    assert writer.records == 10
    assert writer.path.name == "1795000000000-000000.journal"


def test_journal_is_private_and_never_overwrites(tmp_path):
    JournalWriter(tmp_path, 1, segment_bytes=1000).close()
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        JournalWriter(tmp_path, 1, segment_bytes=1000)


def test_what_the_kernel_takes_in_pieces_is_written_whole(tmp_path, monkeypatch):
    honest = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: honest(fd, data[:7]))
    journal = JournalWriter(tmp_path, 1, segment_bytes=1 << 20)
    journal.append(frame(b"a record") + frame(b"another"), 2)
    assert scan(journal.path.read_bytes()).payloads == [b"a record", b"another"]
    journal.close()


def test_what_closing_finds_lost_is_told(tmp_path, monkeypatch):
    journal = JournalWriter(tmp_path, 1, segment_bytes=1 << 20)
    journal.append(frame(b"a record"), 1)

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    journal.close()
    assert journal.lost is not None


def test_append_reports_a_disk_that_is_gone(tmp_path):
    writer = JournalWriter(tmp_path, 1, segment_bytes=1 << 20)
    os.close(writer._fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        writer.append(frame(b"x"), 1)
    writer._fd = -1


@pytest.mark.parametrize(
    ("number", "lost"), [(errno.EIO, True), (errno.ENOSPC, True), (errno.EINVAL, False), (errno.ENOSYS, False)]
)
async def test_what_a_sync_has_lost_is_reported_by_the_next_record(tmp_path, monkeypatch, number, lost):
    """The kernel takes a record and tells only at the sync that the disk did not; afterwards it takes the next one."""
    writer = JournalWriter(tmp_path, 1, segment_bytes=1 << 20)
    writer.append(frame(b"x"), 1)

    def refuse(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    await writer.sync()
    monkeypatch.undo()
    if lost:
        with pytest.raises(OSError, match=os.strerror(number)):
            writer.append(frame(b"y"), 1)
    else:
        writer.append(frame(b"y"), 1)
    writer.close()
    assert (writer.lost is not None) is lost


async def packed(writer: JournalWriter, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Fill a segment and look after it: every sync with the file's name, and whether the segment was there then."""
    synced: list[tuple[str, bool]] = []
    honest, first = os.fsync, folder / "0000000000001-000000.journal"

    def watched(fd: int) -> None:
        synced.append((Path(f"/proc/self/fd/{fd}").readlink().name, first.exists()))
        honest(fd)

    monkeypatch.setattr(os, "fsync", watched)
    for _ in range(3):
        writer.append(frame(b"x" * 500), 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.keep_synced, 0.01)
        with trio.move_on_after(0.3):
            while first.exists():
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    writer.close()
    return synced


async def test_no_segment_goes_before_another_copy_is_on_the_disk(tmp_path, monkeypatch):
    synced = await packed(JournalWriter(tmp_path, 1, segment_bytes=1000), tmp_path, monkeypatch)
    names = [name for name, there in synced if there]
    assert "0000000000001-000000.journal" in names, "its last records, too"
    assert names[-2:] == ["0000000000001-000000.journal.partial", tmp_path.name]
    assert gzip.decompress((tmp_path / "0000000000001-000000.journal.gz").read_bytes())


async def test_a_segment_that_takes_long_to_pack_keeps_no_record_from_the_disk(tmp_path, monkeypatch):
    slow, synced, honest = threading.Event(), [], os.fsync

    def watched(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        honest(fd)

    def stuck(_path: Path) -> None:
        assert slow.wait(20)

    writer = JournalWriter(tmp_path, 1, segment_bytes=1000)
    monkeypatch.setattr(journal_writer, "_compress", stuck)
    monkeypatch.setattr(os, "fsync", watched)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.keep_synced, 0.01)
        for _ in range(4):
            writer.append(frame(b"x" * 900), 1)
            await trio.sleep(0.1)
        meanwhile = set(synced)
        slow.set()
        nursery.cancel_scope.cancel()
    writer.close()
    assert {f"0000000000001-00000{number}.journal" for number in range(4)} <= meanwhile


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_packing_leaves_a_full_disk_to_the_journal(tmp_path, monkeypatch, when):
    def fills_up(source, target, length):
        target.write(source.read(100))
        raise OSError(errno.ENOSPC, "No space left on device")

    if when == "before":
        full = os.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255))
        monkeypatch.setattr(os, "statvfs", lambda _path: full)
    else:
        monkeypatch.setattr(shutil, "copyfileobj", fills_up)
    await packed(JournalWriter(tmp_path, 1, segment_bytes=1000), tmp_path, monkeypatch)
    assert {path.suffix for path in tmp_path.iterdir()} == {".journal"}, "nothing half done"
    assert scan((tmp_path / "0000000000001-000000.journal").read_bytes()).corrupt is None


def test_lock_is_held_against_another_process_and_dropped_with_it(tmp_path):
    path = tmp_path / "x.lock"
    code = (
        "import sys,time\nfrom pathlib import Path\nfrom hlomm.rundir.lock import Lock\n"
        f"lock = Lock(Path({str(path)!r}), 'it')\nprint('held', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AnotherInstance, match=f"pid {other.pid}"):
            Lock(path, "it")
        other.kill()
        other.wait()
    Lock(path, "it").release()


def test_halt_note_round_trips_and_garbage_is_not_taken_for_unhalted(tmp_path):
    path = tmp_path / "halt.json"
    assert halt_file.read(path) is None
    halt_file.write(path, HaltNote("kill by uid 0", 5))
    assert halt_file.read(path) == HaltNote("kill by uid 0", 5)
    path.write_text("{")
    with pytest.raises(ConfigError, match="remove it to start unhalted"):
        halt_file.read(path)
    halt_file.clear(path)
    halt_file.clear(path)
    assert halt_file.read(path) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"not json",
        b'{"ready":false,"clock":{"host_origin_ns":0,"venue_origin_ns":0,"speed":1},"venues":{}}',
    ],
)
def test_a_document_that_is_none_is_refused(raw):
    with pytest.raises(ConfigError, match="the file"):
        parse_document(raw, "the file")


def test_missing_document_names_the_option(tmp_path):
    with pytest.raises(ConfigError, match="--sim"):
        read_document(tmp_path / "none.json")


def test_the_first_reason_of_a_halt_stands_and_a_disk_that_does_not_answer_ends_nothing(tmp_path, monkeypatch):
    """It is asked right before the sweep of a daemon that broke."""
    note = tmp_path / "halt.json"
    HaltNoteKeeper(note).keep_first("drawdown", 1)
    HaltNoteKeeper(note).keep_first("fault", 2)
    assert halt_file.read(note) == halt_file.HaltNote("drawdown", 1)

    def broken(_path: Path, **_how: bool) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "exists", broken)
    HaltNoteKeeper(note).keep_first("fault", 2)
    assert halt_file.read(note) == halt_file.HaltNote("fault", 2)


def test_a_fault_is_noted_although_the_note_of_what_was_resumed_could_not_be_removed(tmp_path, monkeypatch):
    note = tmp_path / "halt.json"
    keeper = HaltNoteKeeper(note)
    keeper.keep("drawdown", 1)

    def refused(_path: Path, **_how: bool) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "unlink", refused)
        keeper.clear()
    keeper.keep_first("fault", 2)
    keeper.retry()
    assert halt_file.read(note) == halt_file.HaltNote("fault", 2)
