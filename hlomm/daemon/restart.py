"""Where the last run of the same accounts left its books: the newest checkpoint in the journals.

Read at start, before anything else is known. A journal that is damaged gives what stands before the damage; what the
lost part would have said is asked from the venue like everything that happened since.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog

from hlomm.domain.carried import Carried
from hlomm.domain.ids import VenueId
from hlomm.journal.books import newest_books
from hlomm.journal.framing import scan
from hlomm.journal.segments import Segment, parse_name

RUNS_SEARCHED: Final = 200
"""Every run writes a checkpoint as soon as its books are open, so only a long series of stillborn runs reaches it."""

_log = structlog.get_logger("hlomm.restart")


def last_books(directory: Path, accounts: Mapping[VenueId, str]) -> Carried | None:
    """The newest books of these accounts, None if no run of them left any."""
    for path in _newest_first(directory):
        books = _last_in(path, accounts)
        if books is not None:
            _log.info("books of the last run", segment=path.name, fills=books.fills, positions=len(books.positions))
            return books
    return None


def _newest_first(directory: Path) -> Iterator[Path]:
    found = {segment: entry for entry in directory.iterdir() if (segment := parse_name(entry.name)) is not None}
    ordered = sorted(found, key=_age, reverse=True)
    runs = sorted({segment.epoch_ms for segment in ordered}, reverse=True)[:RUNS_SEARCHED]
    for segment in ordered:
        if segment.epoch_ms in runs:
            yield found[segment]


def _age(segment: Segment) -> tuple[int, int]:
    return segment.epoch_ms, segment.number


def _last_in(path: Path, accounts: Mapping[VenueId, str]) -> Carried | None:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        _log.warning("journal segment unreadable", segment=path.name, error=str(error))
        return None
    found = scan(data)
    if found.corrupt is not None:
        _log.warning("journal damaged", segment=path.name, error=str(found.corrupt), next="hlomm replay tells more")
    try:
        return newest_books(found, accounts)
    except msgspec.DecodeError as error:
        _log.warning("checkpoint of another version", segment=path.name, error=str(error))
        return None
