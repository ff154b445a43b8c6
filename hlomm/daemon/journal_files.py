"""Reading a journal directory: all runs in order, whole or damaged, packed or not, while the daemon may be writing.

Damage is a value here: what stands before it is read, where it is gets told.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec

from hlomm.domain.times import Now
from hlomm.journal.codec import Record, decode
from hlomm.journal.framing import scan
from hlomm.journal.segments import Segment, parse_name


@attrs.define(kw_only=True)
class Found:
    """What reading came upon, segment by segment."""

    segments: int = 0
    records: int = 0
    bytes: int = 0
    torn: list[str] = attrs.field(factory=list)
    """Unfinished last records: harmless."""
    corrupt: list[str] = attrs.field(factory=list)
    run: int = 0
    """Epoch of the newest run read, with the clocks of its first and its last record."""
    first: Now | None = None
    last: Now | None = None


def segments(directory: Path) -> list[tuple[Segment, Path]]:
    """All segments by run and number; an unpacked one wins over its packed twin (the packing may be unfinished)."""
    chosen: dict[tuple[int, int], tuple[Segment, Path]] = {}
    for entry in directory.iterdir() if directory.is_dir() else ():
        segment = parse_name(entry.name)
        if segment is not None:
            key = (segment.epoch_ms, segment.number)
            if key not in chosen or not segment.packed:
                chosen[key] = (segment, entry)
    return [chosen[key] for key in sorted(chosen)]


def newest_epoch(directory: Path) -> int:
    """Epoch of the last run on record, 0 if there is none."""
    return max((segment.epoch_ms for segment, _ in segments(directory)), default=0)


def read_segment(path: Path) -> bytes:
    """Contents, unpacked; OSError or EOFError if that cannot be had. A segment packed meanwhile is found as such."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        path = path.with_name(path.name + ".gz")
        data = path.read_bytes()
    try:
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except zlib.error as error:
        raise OSError(f"not readable as gzip ({error})") from None


def records(
    directory: Path, *, after: tuple[int, int] = (0, 0), found: Found | None = None
) -> Iterator[tuple[int, Record]]:
    """(epoch, record) of every run, in order, beyond the position `after`; `found` is told what was met."""
    told = Found() if found is None else found
    chosen = segments(directory)
    for index, (segment, path) in enumerate(chosen):
        following = chosen[index + 1][0] if index + 1 < len(chosen) else None
        if segment.epoch_ms < after[0]:
            continue
        told.segments += 1
        last_of_run = following is None or following.epoch_ms != segment.epoch_ms
        yield from _records_of(segment, path, after, told, last_of_run=last_of_run)


def _records_of(
    segment: Segment, path: Path, after: tuple[int, int], told: Found, *, last_of_run: bool
) -> Iterator[tuple[int, Record]]:
    try:
        data = read_segment(path)
    except (OSError, EOFError) as error:
        told.corrupt.append(f"{path.name}: {error}")
        return
    told.bytes += len(data)
    scanned = scan(data)
    for number, payload in enumerate(scanned.payloads, 1):
        if (segment.epoch_ms, sequence(payload)) <= after:
            continue
        try:
            record = decode(payload)
        except msgspec.DecodeError as error:
            told.corrupt.append(f"{path.name}: record {number} is not readable ({error})")
            return
        told.records += 1
        if segment.epoch_ms != told.run:
            told.run, told.first = segment.epoch_ms, record.now
        told.last = record.now
        yield segment.epoch_ms, record
    if scanned.corrupt is not None:
        told.corrupt.append(f"{path.name}: {scanned.corrupt}")
    elif scanned.torn:
        text = f"{path.name}: {scanned.torn} bytes of an unfinished record at byte {scanned.good}"
        (told.torn if last_of_run else told.corrupt).append(text)


def sequence(payload: bytes) -> int:
    """A record's number without decoding the rest: the third thing in it, after the array's head and the tag."""
    head = payload[3] if len(payload) > 3 else 0
    if head < 0x80:
        return head
    width = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}.get(head, 0)
    return int.from_bytes(payload[4 : 4 + width], "big")
