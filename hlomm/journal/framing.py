"""Framing of journal records: how a byte stream becomes payloads, and where it stops being trustworthy.

A segment is a header followed by frames; a frame is magic (2 bytes), payload length (4), CRC-32 of length and
payload (4), payload; integers little-endian. A crash can leave half a frame at the end: that is a torn tail and
harmless, for nothing was sent before its record was complete. Anything else that does not add up is corruption, and
everything before it stands. The two are told apart by looking for a sound frame further on.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

import attrs

from hlomm.domain.faults import JournalCorrupt

SCHEMA: Final = 1
HEADER: Final = b"hlomm journal" + bytes([0, SCHEMA, 10])
MAX_PAYLOAD: Final = 1 << 24
"""16 MiB: far above any record, low enough that a damaged length is noticed."""

_MAGIC: Final = b"\xa5J"
_FRAME: Final = struct.Struct("<2sII")
_LENGTH: Final = struct.Struct("<I")


def frame(payload: bytes) -> bytes:
    """One framed record."""
    size = len(payload)
    if size > MAX_PAYLOAD:
        raise ValueError(f"journal record of {size} bytes exceeds {MAX_PAYLOAD}")
    return _FRAME.pack(_MAGIC, size, _crc(size, payload)) + payload


def _crc(size: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_LENGTH.pack(size)))


@attrs.frozen(kw_only=True)
class Scan:
    """Payloads of one segment. `torn` counts bytes of an unfinished last frame; `corrupt` says where trust ends."""

    payloads: list[bytes]
    good: int
    """Length of the trustworthy prefix, header included."""
    torn: int = 0
    corrupt: JournalCorrupt | None = None


def scan(data: bytes, header: bytes = HEADER) -> Scan:
    """Read a segment. Never raises for damage: it reports it, with everything before it.

    `header` is what the file must begin with; other files than journals are framed in the same way.
    """
    if len(data) < len(header) and header.startswith(data):
        return Scan(payloads=[], good=0, torn=len(data))
    if data[: len(header)] != header:
        what = f"not a journal of schema {SCHEMA}" if header == HEADER else "not a file of this kind and schema"
        return Scan(payloads=[], good=0, corrupt=_damage(what, 0, 0))
    payloads: list[bytes] = []
    at = len(header)
    while at < len(data):
        payload = _frame_at(data, at)
        if payload is None:
            if _sound_frame_after(data, at + 1):
                damage = _damage("damaged record with sound ones after it", at, len(payloads))
                return Scan(payloads=payloads, good=at, corrupt=damage)
            if _whole_frame_claimed(data, at):
                return Scan(payloads=payloads, good=at, corrupt=_damage("damaged last record", at, len(payloads)))
            return Scan(payloads=payloads, good=at, torn=len(data) - at)
        payloads.append(payload)
        at += _FRAME.size + len(payload)
    return Scan(payloads=payloads, good=at)


def scan_end(data: bytes) -> list[bytes]:
    """Payloads of the end of a segment, cut off anywhere: from the first sound frame to where trust ends."""
    at = data.find(_MAGIC)
    while at != -1 and _frame_at(data, at) is None:
        at = data.find(_MAGIC, at + 1)
    return [] if at == -1 else scan(HEADER + data[at:]).payloads


def _damage(what: str, offset: int, records: int) -> JournalCorrupt:
    return JournalCorrupt(f"{what} at byte {offset}, after {records} good records", offset=offset, records=records)


def _frame_at(data: bytes, at: int) -> bytes | None:
    """The payload of a sound frame starting at `at`, or None."""
    if at + _FRAME.size > len(data):
        return None
    magic, size, crc = _FRAME.unpack_from(data, at)
    start = at + _FRAME.size
    if magic != _MAGIC or size > MAX_PAYLOAD or start + size > len(data):
        return None
    payload = data[start : start + size]
    return payload if _crc(size, payload) == crc else None


def _whole_frame_claimed(data: bytes, at: int) -> bool:
    """Whether the bytes at `at` fill the whole frame they announce (so a crash cannot have cut them short)."""
    if at + _FRAME.size > len(data):
        return False
    magic, size, crc = _FRAME.unpack_from(data, at)
    if magic != _MAGIC or size > MAX_PAYLOAD or at + _FRAME.size + size <= len(data):
        return True
    # A damaged length can claim more than was ever written: then the rest is whole and its own length proves it.
    rest = data[at + _FRAME.size :]
    return bool(_crc(len(rest), rest) == crc)


def _sound_frame_after(data: bytes, at: int) -> bool:
    while (at := data.find(_MAGIC, at)) != -1:
        if _frame_at(data, at) is not None:
            return True
        at += 1
    return False
