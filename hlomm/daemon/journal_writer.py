"""Writes the journal: every record before anything is sent, fsync grouped and off the loop.

`write()` into the page cache survives the death of the process, which is what replay needs; losing the host may lose
the last group, which reconciliation with the venue repairs. A disk that fails does so at the sync, not at the write:
what it has lost is nowhere any more, so the next record is refused as if it could not be written. A file that somebody
removed takes everything and keeps nothing: that too is seen at the sync.
"""

from __future__ import annotations

import errno
import gzip
import os
import shutil
from collections import deque
from pathlib import Path
from typing import Final, Self

import structlog
import trio

from hlomm.domain.faults import ConfigError
from hlomm.journal.framing import HEADER
from hlomm.journal.segments import Segment
from hlomm.rundir.replacing import sync_directory

_log = structlog.get_logger("hlomm.journal")

_CANNOT_SYNC: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
"""A file system that knows no sync: nothing is lost by it."""

_COPIED_BYTES: Final = 1 << 16
"""At a time: threads take turns in doing it, and each keeps what a larger buffer has made of its part of the heap."""


class JournalWriter:
    """Appends framed records to segments `<epoch>-<n>.journal` in one directory."""

    def __init__(self, directory: Path, epoch_ms: int, *, segment_bytes: int) -> None:
        self._directory = directory
        self._epoch_ms = epoch_ms
        self._segment_bytes = segment_bytes
        self._number = 0
        self._fd = -1
        self._size = 0
        self._unsynced = False
        self._full: list[tuple[Path, int]] = []
        """Segments that are full, open until they are synced."""
        self._unpacked: deque[Path] = deque()
        """Those that were, in the order in which they are packed, one at a time."""
        self._packing = False
        self.lost: OSError | None = None
        """Why records that were taken may be on no disk."""
        self.records = 0
        self.bytes = 0
        """Of these records, with their frames."""
        self._open_segment()

    @classmethod
    def begin(cls, directory: Path, epoch_ms: int, segment_bytes: int) -> Self:
        """That of a run; ConfigError where the disk takes none."""
        try:
            return cls(directory, epoch_ms, segment_bytes=segment_bytes)
        except OSError as error:
            raise ConfigError(
                f"{directory}: {error.strerror or error} — no journal can be begun: free the disk, or choose another"
                " --state-dir"
            ) from None

    @property
    def path(self) -> Path:
        """The run's first segment: what `hlomm replay` is given."""
        return self._directory / Segment(self._epoch_ms, 0).name

    def _open_segment(self) -> None:
        path = self._directory / Segment(self._epoch_ms, self._number).name
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        self._write_all(HEADER)

    def append(self, frames: bytes, records: int) -> None:
        """Hand complete frames to the kernel. OSError means nothing may be sent any more."""
        if self.lost is not None:
            raise self.lost
        if self._size + len(frames) > self._segment_bytes and self._size > len(HEADER):
            self._roll()
        self._write_all(frames)
        self.records += records
        self.bytes += len(frames)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(data)
        self._unsynced = True

    def _roll(self) -> None:
        self._full.append((self._directory / Segment(self._epoch_ms, self._number).name, self._fd))
        self._fd = -1  # should the next one not open, nobody writes to this one again
        self._number += 1
        self._open_segment()

    async def keep_synced(self, interval_s: float) -> None:
        """Group commit, and beside it compression of full segments, in threads.

        What was taken is on the disk after `interval_s` and as long as the disk takes for a sync, whatever is packed.
        """
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(interval_s)
                while self._full:  # first, or the loss of the host leaves a hole before what is on the disk
                    path, fd = self._full[0]
                    await self._sync(fd)
                    os.close(fd)
                    del self._full[0]
                    self._unpacked.append(path)
                await self.sync()
                if self._unpacked and not self._packing:
                    self._packing = True
                    nursery.start_soon(self._pack)

    async def _pack(self) -> None:
        try:
            while self._unpacked:
                path = self._unpacked.popleft()
                try:
                    await trio.to_thread.run_sync(_compress, path)
                except OSError as error:
                    # Nothing is lost: the segment stays as it is, larger than it need be.
                    _log.warning("journal_segment_not_compressed", segment=path.name, error=str(error))
        finally:
            self._packing = False

    async def sync(self) -> None:
        if self._unsynced and self._fd >= 0:
            self._unsynced = False
            await self._sync(self._fd)

    async def _sync(self, fd: int) -> None:
        try:
            await trio.to_thread.run_sync(_secured, fd)
        except OSError as error:
            self._unsure(error)

    def _unsure(self, error: OSError) -> None:
        if error.errno in _CANNOT_SYNC:
            _log.warning("journal_not_synced", error=str(error), next="another file system for the state directory")
        elif self.lost is None:
            self.lost = error
            _log.critical("journal_fsync_failed", error=str(error), next="check the disk: records may be lost")

    def close(self) -> None:
        """Sync and close; what that shows of the disk is in `lost`."""
        for fd in [*(fd for _, fd in self._full), self._fd]:
            if fd >= 0:
                try:
                    _secured(fd)
                except OSError as error:
                    self._unsure(error)
                os.close(fd)
        self._full, self._fd = [], -1


def _secured(fd: int) -> None:
    """Have it on the disk, and in a place where somebody finds it; OSError if either is not so."""
    os.fsync(fd)
    if os.fstat(fd).st_nlink == 0:
        raise FileNotFoundError(errno.ENOENT, "its file was removed")


def _compress(path: Path) -> None:
    """OSError where it cannot be done; then nothing of it takes up the disk."""
    packed = path.with_name(path.name + ".gz")
    partial = path.with_name(path.name + ".partial")
    disk = os.statvfs(path.parent)
    if disk.f_bavail * disk.f_frsize < path.stat().st_size:
        raise OSError(errno.ENOSPC, "too little is free: the journal itself needs it")
    try:
        with path.open("rb") as source, partial.open("wb") as target:
            with gzip.open(target, "wb", compresslevel=6) as packer:
                shutil.copyfileobj(source, packer, _COPIED_BYTES)
            target.flush()
            os.fsync(target.fileno())  # before the only other copy goes
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    partial.rename(packed)
    sync_directory(path.parent)
    path.unlink()
