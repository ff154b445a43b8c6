"""The newest books in a stretch of journal: where a restart begins."""

from __future__ import annotations

from collections.abc import Mapping

from hlomm.domain.carried import Carried
from hlomm.domain.ids import VenueId
from hlomm.journal.codec import CheckpointRecord, decode, is_checkpoint
from hlomm.journal.framing import Scan


def newest_books(found: Scan, accounts: Mapping[VenueId, str]) -> Carried | None:
    """The last checkpoint of these accounts before any damage; msgspec.DecodeError if it is of another version."""
    for payload in reversed(found.payloads):
        if not is_checkpoint(payload):
            continue
        record = decode(payload)
        if isinstance(record, CheckpointRecord) and belongs(record.books, accounts):
            return record.books
    return None


def belongs(carried: Carried, accounts: Mapping[VenueId, str]) -> bool:
    """Whether a run of these accounts goes on with those books.

    It has at least one of them, and none at a venue where the books are another account's: result and high water are
    those of all together and cannot be taken apart. A venue may come or be missing.
    """
    shared = [books for books in carried.books if books.venue in accounts]
    return bool(shared) and all(books.account == accounts[books.venue] for books in shared)
