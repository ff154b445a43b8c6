"""Writes the journal: every record before anything is sent, fsync grouped and off the loop.

`write()` into the page cache survives the death of the process, which is what replay needs; losing the host may lose
the last group, which reconciliation with the venue repairs.
"""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path
from typing import Final

import structlog
import trio

from hlomm.journal.framing import HEADER
from hlomm.journal.segments import Segment

_log = structlog.get_logger("hlomm.journal")

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
        self._closed_segments: list[Path] = []
        self.records = 0
        self.bytes = 0
        """Of these records, with their frames."""
        self._open_segment()

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
        closed = self._directory / Segment(self._epoch_ms, self._number).name
        os.close(self._fd)
        self._fd = -1  # should the next one not open, nobody closes this one again
        self._number += 1
        self._open_segment()
        self._closed_segments.append(closed)

    async def keep_synced(self, interval_s: float) -> None:
        """Group commit, and compression of closed segments, in threads."""
        while True:
            await trio.sleep(interval_s)
            await self.sync()
            while self._closed_segments:
                path = self._closed_segments.pop(0)
                try:
                    await trio.to_thread.run_sync(_compress, path)
                except OSError as error:
                    # Nothing is lost: the segment stays as it is, larger than it need be.
                    _log.warning("journal_segment_not_compressed", segment=path.name, error=str(error))

    async def sync(self) -> None:
        if self._unsynced and self._fd >= 0:
            self._unsynced = False
            try:
                await trio.to_thread.run_sync(os.fsync, self._fd)
            except OSError as error:
                # The next append reports a disk that is really gone; a failed sync alone loses nothing yet.
                _log.warning("journal_fsync_failed", error=str(error), next="check the disk")

    def close(self) -> None:
        if self._fd >= 0:
            try:
                os.fsync(self._fd)
            finally:
                os.close(self._fd)
                self._fd = -1


def _compress(path: Path) -> None:
    packed = path.with_name(path.name + ".gz")
    partial = path.with_name(path.name + ".partial")
    with path.open("rb") as source, gzip.open(partial, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target, _COPIED_BYTES)
    partial.rename(packed)
    path.unlink()
