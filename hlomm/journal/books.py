"""The newest books in a stretch of journal: where a restart begins."""

from __future__ import annotations

from hlomm.domain.carried import Carried
from hlomm.journal.codec import CheckpointRecord, decode, is_checkpoint
from hlomm.journal.framing import Scan


def newest_books(found: Scan, account: str) -> Carried | None:
    """The last checkpoint of `account` before any damage; msgspec.DecodeError if it is of another version."""
    for payload in reversed(found.payloads):
        if not is_checkpoint(payload):
            continue
        record = decode(payload)
        if isinstance(record, CheckpointRecord) and record.books.account == account:
            return record.books
    return None
