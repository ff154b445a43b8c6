"""What the guardian saw and did, one JSON document a line. A disk that is full or gone never stops it from acting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import trio

DISK_S: Final = 2.0
"""How long a disk may take; after that the thread that waits for it is left behind."""
MAX_LINES: Final = 10_000
"""Of one process; what comes after is only counted."""


class Record:
    def __init__(self, path: Path, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._wall_ns = wall_ns
        self.lines = 0
        self.lost = 0
        """Lines the disk did not take, or that were too many."""

    def __call__(self, event: str, **facts: Any) -> None:
        """Append one line. Not synced: what matters is synced by whoever called, once it is safe to wait."""
        self.lines += 1
        if self.lines > MAX_LINES:
            self.lost += 1
            return
        line = msgspec.json.encode(
            {"wall_ms": self._wall_ns() // 1_000_000, "pid": os.getpid(), "event": event, **facts}
        )
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, line + b"\n")
            finally:
                os.close(fd)
        except OSError:
            self.lost += 1

    async def sync(self) -> bool:
        return await on_disk(partial(_sync, self._path))


async def on_disk(work: Callable[[], object]) -> bool:
    """Do something with a disk that may be full, broken or hang; whether it was done in time."""
    try:
        with trio.move_on_after(DISK_S) as patience:
            await trio.to_thread.run_sync(work, abandon_on_cancel=True)
    except OSError:
        return False
    return not patience.cancelled_caught


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Careful:
    """A text stream that swallows what its file will not take: a log line must not end a sweep."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.lost = 0

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError:
            self.lost += 1
            return len(text)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            self.lost += 1
