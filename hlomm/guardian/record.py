"""What the guardian saw and did, one JSON document a line. A disk that is full, gone or hangs never stops it.

The disk that hangs may be what made the daemon hang: the guardian writes to the same one, so nothing here waits for it
longer than a moment.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TextIO

import msgspec
import trio

DISK_S: Final = 2.0
"""How long a disk may take; after that the thread that waits for it is left behind."""
PATIENCE_S: Final = 0.2
"""How long one write may hold up what writes; once that was too short, nobody waits until the disk has caught up."""
WAITING_MAX: Final = 1_000
"""Writes that wait for a disk that hangs."""
MAX_LINES: Final = 10_000
"""Of one process; what comes after is only counted."""


class Patient:
    """Does small pieces of work with a disk, in order, in a thread of its own that may hang with it."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Callable[[], object], threading.Event] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._hangs = False

    def do(self, work: Callable[[], object]) -> bool:
        """Have it done, and wait a moment for that; False if too much waits already. `work` must not raise."""
        if self._waiting.qsize() >= WAITING_MAX:
            return False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
            self._thread.start()
        done = threading.Event()
        self._waiting.put((work, done))
        if not self._hangs:
            self._hangs = not done.wait(PATIENCE_S)
        return True

    def close(self) -> None:
        """Nothing more will come: the thread ends when it has done what waits."""
        self._waiting.put(None)

    def _run(self) -> None:
        while (piece := self._waiting.get()) is not None:
            work, done = piece
            work()
            if self._waiting.empty():
                self._hangs = False
            done.set()


class Record:
    def __init__(self, path: Path, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._wall_ns = wall_ns
        self._disk = Patient()
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
        if not self._disk.do(partial(self._append, line)):
            self.lost += 1

    def close(self) -> None:
        self._disk.close()

    def _append(self, line: bytes) -> None:
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
    """A text stream that swallows what its file will not take: a log line must not end a sweep, nor hold it up."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._disk = Patient()
        self.lost = 0

    def write(self, text: str) -> int:
        self._do(partial(self._file.write, text))
        return len(text)

    def flush(self) -> None:
        self._do(self._file.flush)

    def _do(self, work: Callable[[], object]) -> None:
        def attempt() -> None:
            try:
                work()
            except OSError:
                self.lost += 1

        if not self._disk.do(attempt):
            self.lost += 1
