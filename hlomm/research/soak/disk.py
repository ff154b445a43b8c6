"""The journal's disk: bytes of every run, written in order, with the ways in which a disk fails."""

from __future__ import annotations

import errno
import random

from hlomm.journal.framing import HEADER
from hlomm.research.soak.weather import Fault, Weather


class PowerCut(Exception):  # noqa: N818 - it is what happens to the process, not a mistake of it
    """The process died in the middle of a write."""


class Disk:
    """One file per run, by boot epoch. What is written survives the process."""

    def __init__(self, weather: Weather, rng: random.Random) -> None:
        self._weather = weather
        self._rng = rng
        self.files: dict[int, bytearray] = {}
        self.halted: str | None = None
        """The halt note: a reason that survives restarts."""
        self.damaged: dict[int, int] = {}
        """Runs whose bytes were changed behind their back, with the offset."""

    def open(self, epoch_ms: int) -> None:
        assert epoch_ms not in self.files, "a boot epoch is used once"
        self.files[epoch_ms] = bytearray(HEADER)

    def append(self, epoch_ms: int, frames: bytes) -> None:
        """OSError if nothing can be written; PowerCut after half of it was."""
        for fault, number in ((Fault.JOURNAL_ENOSPC, errno.ENOSPC), (Fault.JOURNAL_EIO, errno.EIO)):
            if self._weather.take(fault) is not None:
                raise OSError(number, "No space left on device" if number == errno.ENOSPC else "Input/output error")
        if self._weather.take(Fault.JOURNAL_TORN) is not None:
            self.files[epoch_ms] += frames[: self._rng.randrange(1, len(frames))]
            raise PowerCut
        self.files[epoch_ms] += frames

    def flip(self, epoch_ms: int) -> None:
        """Change one bit of a run that is over, somewhere in its second half."""
        data = self.files[epoch_ms]
        if len(data) <= 2 * len(HEADER):
            return
        at = self._rng.randrange(max(len(HEADER), len(data) // 2), len(data))
        data[at] ^= 1 << self._rng.randrange(8)
        self.damaged[epoch_ms] = at
        self._weather.hit(Fault.JOURNAL_FLIPPED_BIT)
