"""A journal that may still be written, read as it grows: whole records, each once, in order."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.journal.codec import Record, decode
from hlomm.journal.framing import HEADER, scan
from hlomm.journal.segments import Segment, latest_run, run_of


class Tail:
    """The newest run of a journal directory at the time of construction."""

    def __init__(self, directory: Path) -> None:
        """UsageError where there is no journal."""
        found = latest_run(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
        if not found:
            raise UsageError(f"{directory}: no journal segments here")
        self.epoch_ms = found[0].epoch_ms
        self._directory = directory
        self._number = found[0].number
        self._offset = 0
        self.seq = 0
        """Of the last record given."""

    def records(self) -> Iterator[Record]:
        """What has been written since. JournalCorrupt where it stops being trustworthy, or a record is missing."""
        while True:
            segments = {one.number: one for one in run_of(self._names(), self.epoch_ms)}
            here = segments.get(self._number)
            if here is None:
                return
            yield from self._new(here)
            if not any(number > self._number for number in segments):
                return
            yield from self._new(here)  # what was written between the look at it and the look for another one
            self._number, self._offset = min(number for number in segments if number > self._number), 0

    @property
    def over(self) -> bool:
        """Whether a later run has begun: what this one has written by now is all of it."""
        return latest_run(self._names())[0].epoch_ms > self.epoch_ms

    def _names(self) -> list[str]:
        return [entry.name for entry in self._directory.iterdir()]

    def _new(self, segment: Segment) -> Iterator[Record]:
        data = self._read(segment)
        if not data:
            return
        found = scan(data if self._offset == 0 else HEADER + data)
        self._offset += found.good if self._offset == 0 else max(found.good - len(HEADER), 0)
        for payload in found.payloads:
            try:
                record = decode(payload)
            except msgspec.DecodeError as error:
                raise JournalCorrupt(f"a record is not readable ({error})", offset=self._offset, records=0) from None
            if record.seq != self.seq + 1:
                raise JournalCorrupt(f"record {self.seq + 1} is missing", offset=self._offset, records=0)
            self.seq = record.seq
            yield record
        if found.corrupt is not None:
            raise found.corrupt

    def _read(self, segment: Segment) -> bytes:
        """From where we are; the segment may be packed meanwhile."""
        path = self._directory / segment.name
        if path.suffix == ".gz":
            return gzip.decompress(path.read_bytes())[self._offset :]
        try:
            with path.open("rb") as file:
                file.seek(self._offset)
                return file.read()
        except FileNotFoundError:
            return gzip.decompress(path.with_name(path.name + ".gz").read_bytes())[self._offset :]
