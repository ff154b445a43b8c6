"""Processes by number and beginning, and a hold on one that no reuse of its number can loosen."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

import trio

_STARTED_FIELD: Final = 19
"""Place of `starttime` among the fields after the command's closing bracket in /proc/PID/stat."""


def started_ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None if there is none (a zombie counts as none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[_STARTED_FIELD])


class HeldProcess:
    """A process held by a pidfd: a signal sent through it reaches that process or nobody."""

    def __init__(self, pid: int, started: int) -> None:
        self.pid = pid
        self._fd = -1
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return  # there is none with that number
        # Read after the hold was taken: if the beginning is the one we know, the hold is on the process we mean.
        if started_ticks(pid) == started:
            self._fd = fd
        else:
            os.close(fd)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def kill(self) -> bool:
        """SIGKILL, which works on a stopped process too; whether there was anybody to kill."""
        if self._fd < 0:
            return False
        try:
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    async def wait_gone(self) -> None:
        """Until it is dead, whoever its parent is and whether it was waited for or not."""
        await trio.lowlevel.checkpoint()
        if self._fd >= 0:
            await trio.lowlevel.wait_readable(self._fd)
            self.close()
