"""The recorder's pen: rows in the order in which they came, into the spool of the hour, within a budget.

Synchronous and small: a row is encoded and put aside, and every so often what was put aside is appended to the spool in
one piece. What a kill can lose is what was put aside; what the loss of the host can lose is what was not synced.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from hlomm.domain.faults import HlommError
from hlomm.domain.inputs import Input
from hlomm.domain.times import NS_PER_S, Now
from hlomm.research.store import spool
from hlomm.research.store.schema import TABLES, market_of, recorded

HOUR_NS: Final = 3_600 * NS_PER_S
SPOOL_BYTES_MAX: Final = 256 << 20
"""A spool is packed in memory: a busy hour makes several."""
FILE_BYTES: Final = 10_000
"""What a Parquet file takes beside its rows, at most."""
ASIDE_BYTES_MAX: Final = 1 << 20
"""Put aside at most; beyond, it is appended at once."""


class RecordingEnds(HlommError):  # noqa: N818 - it is a statement
    """Nothing more can be written: the budget is used up, or the disk is full."""


@attrs.define(eq=False)
class Writer:
    """One run of the recorder. `budget`: bytes the store may take on the disk, None for as many as there are."""

    root: Path
    run: int
    source: str
    budget: int | None = None
    stored: int = 0
    """Bytes of the store but for the open spool."""
    unpacked: int = 0
    """Of them, spools that are complete and wait to be packed."""
    on_rotated: Callable[[Path], None] = attrs.field(default=lambda _path: None)
    """Told of every spool that is complete."""
    rows: int = 0
    frames: int = 0
    appended: int = 0
    """Bytes, ever."""
    aside_dropped: int = 0
    _seq: int = 0
    _number: int = 0
    _hour: int = -1
    _file: spool.SpoolFile | None = None
    _aside: bytearray = attrs.field(factory=bytearray)
    _places: set[tuple[str, str]] = attrs.field(factory=set)
    """Venues and markets in the open spool."""

    # -- rows

    def frame(
        self, now: Now, venue: str, connection: int, channel: str, data: bytes, request: bytes | None = None
    ) -> int:
        """A message or an answer; its number."""
        self.frames += 1
        seq = self._next()
        self._places.add((venue, ""))
        self._put(
            now,
            spool.FrameRecord(seq, now.wall_ns, now.mono_ns, venue, connection, channel, request, data),
        )
        return seq

    def event(self, now: Now, venue: str, item: Input, frame: int | None) -> None:
        """What was understood. Inputs that have no place in a recording are passed over."""
        if recorded(item):
            self._places.add((venue, market_of(item)))
            self._put(now, spool.EventRecord(self._next(), now.wall_ns, now.mono_ns, venue, frame, item))

    def own(self, now: Now, venue: str, market: str, kind: str, detail: str = "{}") -> None:
        """Start, stop or gap."""
        self._put(now, spool.OwnRecord(self._next(), now.wall_ns, now.mono_ns, venue, market, kind, detail))

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _put(self, now: Now, record: spool.Record) -> None:
        hour = now.wall_ns // HOUR_NS
        # A clock that steps back stays in the hour it was in: rows are in order of arrival, whatever it says.
        if self._file is None or hour > self._hour or self._file.size > SPOOL_BYTES_MAX:
            self._rotate(max(hour, self._hour))
        self.rows += 1
        self._aside += spool.encode(record)
        if len(self._aside) > ASIDE_BYTES_MAX:
            self.flush()

    # -- the file

    @property
    def spools(self) -> int:
        """How many were begun."""
        return self._number

    @property
    def open_path(self) -> Path | None:
        return None if self._file is None else self._file.path

    @property
    def claimed(self) -> int:
        """Bytes the store takes, or will for a moment: a spool is removed only when all its files are in place."""
        spooled = (0 if self._file is None else self._file.size) + len(self._aside)
        packing = self.unpacked + spooled + FILE_BYTES * len(TABLES) * len(self._places)
        return self.stored + spooled + packing

    def flush(self) -> None:
        """Append what was put aside. RecordingEnds if that cannot be, and the spool is as it was."""
        if not self._aside or self._file is None:
            return
        if self.budget is not None and self.claimed > self.budget:
            self._drop_aside()
            raise RecordingEnds(f"{self.root}: the disk budget of {self.budget} bytes is used up (--disk-max)")
        data = bytes(self._aside)
        try:
            self._file.append(data)
        except OSError as error:
            self._drop_aside()
            raise RecordingEnds(f"{self.root}: {error.strerror or error} — nothing more can be recorded") from None
        self._aside.clear()
        self.appended += len(data)

    def _drop_aside(self) -> None:
        self.aside_dropped += len(self._aside)
        self._aside.clear()

    def sync(self) -> None:
        """What was appended, to the disk itself. For another thread."""
        file = self._file
        if file is not None:
            file.sync()

    def _rotate(self, hour: int) -> None:
        self.close()
        self._hour, self._number = hour, self._number + 1
        path = self.root / spool.FOLDER / spool.name_of(self.run, self._number)
        try:
            self._file = spool.SpoolFile(path, spool.Head(self.run, self.source))
        except OSError as error:
            raise RecordingEnds(f"{path}: {error.strerror or error} — nothing more can be recorded") from None

    def close(self) -> None:
        """Finish the open spool, if there is one."""
        if self._file is None:
            return
        try:
            self.flush()
        finally:
            file, self._file = self._file, None
            self.stored += file.size
            self.unpacked += file.size + FILE_BYTES * len(TABLES) * len(self._places)
            self._places.clear()
            file.close()
            self.on_rotated(file.path)
