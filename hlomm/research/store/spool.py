"""The open hour of a recording: framed records that are only ever appended to.

The framing is the journal's (length and CRC), so what a crash leaves is a whole prefix and a torn tail. A spool is the
truth of its rows until it is gone: it is removed only after all of its Parquet files are in place, and readers pass
over files that have the name of a spool which still stands. Its writer holds a lock on the file itself; one that nobody
holds was left behind and can be packed.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import msgspec

from hlomm.domain.faults import JournalCorrupt
from hlomm.domain.inputs import Input
from hlomm.journal.framing import frame, scan
from hlomm.research.store.schema import SCHEMA

FOLDER: Final = "spool"
HEADER: Final = b"hlomm spool" + bytes([0, SCHEMA, 10])
_NAME: Final = re.compile(r"(?P<run>[0-9]{1,16})-(?P<number>[0-9]{6})\.spool", re.ASCII)


class Head(msgspec.Struct, frozen=True, array_like=True, tag="h"):
    """First record: what all rows share."""

    run: int
    source: str


class FrameRecord(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    seq: int
    recv_ns: int
    mono_ns: int
    venue: str
    connection: int
    channel: str
    request: bytes | None
    data: bytes


class EventRecord(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    seq: int
    recv_ns: int
    mono_ns: int
    venue: str
    frame: int | None
    item: Input


class OwnRecord(msgspec.Struct, frozen=True, array_like=True, tag="o"):
    """Start, stop or gap."""

    seq: int
    recv_ns: int
    mono_ns: int
    venue: str
    market: str
    kind: str
    detail: str


Record = Head | FrameRecord | EventRecord | OwnRecord

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[Record]] = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """One framed record. ValueError for one that is too large to be framed."""
    return frame(_ENCODER.encode(record))


def name_of(run: int, number: int) -> str:
    return f"{run:013d}-{number:06d}.spool"


@attrs.frozen(kw_only=True)
class Spool:
    """What a spool holds. `torn`: bytes of an unfinished last record; `corrupt`: why trust ends before the end."""

    path: Path
    head: Head | None
    records: tuple[FrameRecord | EventRecord | OwnRecord, ...]
    good: int
    torn: int = 0
    corrupt: str = ""

    @property
    def part(self) -> str:
        return self.path.stem


def read(path: Path) -> Spool:
    """Read a spool, whole or not, also while it is written. OSError if the file cannot be had."""
    scanned = scan(path.read_bytes(), HEADER)
    corrupt = "" if scanned.corrupt is None else str(scanned.corrupt)
    records: list[FrameRecord | EventRecord | OwnRecord] = []
    head: Head | None = None
    for number, payload in enumerate(scanned.payloads, 1):
        try:
            record = _DECODER.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            corrupt = str(JournalCorrupt(f"record {number} is not readable ({error})", offset=0, records=number - 1))
            break
        if isinstance(record, Head):
            head = record
        else:
            records.append(record)
    return Spool(
        path=path, head=head, records=tuple(records), good=scanned.good, torn=scanned.torn, corrupt=corrupt
    )  # fmt: skip


def spools(root: Path) -> list[Path]:
    """Spools of a store in the order of their making."""
    folder = root / FOLDER
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names if _NAME.fullmatch(name)]


class SpoolFile:
    """A spool being written. Appends whole pieces; a piece the disk would not take in full is taken back."""

    def __init__(self, path: Path, head: Head) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = 0
        self._lock = threading.Lock()
        """Held for moments, never for as long as a disk takes."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sync_path(path.parent)  # or the loss of the host takes the file with all that was synced into it
            self.append(HEADER + encode(head))
        except OSError:
            os.close(self._fd)
            raise

    def append(self, data: bytes) -> None:
        """Write all of it, or nothing of it and raise OSError."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)

    def sync(self) -> None:
        """To the disk itself. May be called from another thread; OSError where it cannot be done.

        One that is closed meanwhile is synced to its end, and one that was closed before is nobody's business any more.
        """
        with self._lock:
            if self._fd < 0:
                return
            fd = os.dup(self._fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Give it up for packing."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def sync_path(path: Path) -> None:
    """A file or a folder, to the disk itself."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def abandoned(root: Path) -> Iterator[Path]:
    """Spools that nobody writes any more, each held until the next is asked for: two that pack never meet in one.

    A recorder that was killed leaves its packing process behind, and `hlomm data pack` may run beside either.
    """
    for path in spools(root):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.lexists(path):  # else another has packed it between the two lines above
                yield path
        except BlockingIOError:
            continue
        finally:
            os.close(fd)
