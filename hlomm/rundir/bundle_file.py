"""A bundle: one zip file that holds what an incident left, and how it is read.

`bundle.json` says what it is, `journal/` has whole runs under their own names, so that a bundle can be unpacked into a
state directory or replayed as it is. What it says of its sizes is not believed: it may come from anywhere.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Final

from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.journal.segments import latest_run, parse_name

SCHEMA: Final = 1
MANIFEST: Final = "bundle.json"
JOURNAL: Final = "journal/"
MEMBER_MAX: Final = 4097 << 20
"""A journal segment is never larger (`daemon.segment_mb`)."""
_BEGINS: Final = (b"PK\x03\x04", b"PK\x05\x06")


class Member:
    """A segment inside of a bundle; `read` gives its bytes unpacked, or OSError for what is damaged."""

    def __init__(self, bundle: Path, name: str) -> None:
        self.name = name
        self.read = partial(_read, bundle, name)


def is_bundle(path: Path) -> bool:
    """Whether a file begins like one."""
    try:
        with path.open("rb") as file:
            return file.read(4) in _BEGINS
    except OSError:
        return False


def run_members(bundle: Path, epoch_ms: int | None = None) -> list[Member]:
    """Segments of one run in a bundle, in order: of that epoch, or of the newest.

    JournalCorrupt for a file that is cut or damaged, UsageError for a zip file of something else.
    """
    try:
        with zipfile.ZipFile(bundle) as packed:
            names = packed.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        text = f"{bundle}: not a whole bundle ({error}) — copy it again from where it was made"
        raise JournalCorrupt(text, offset=0, records=0) from None
    if MANIFEST not in names:
        raise UsageError(f"{bundle}: a zip file, but no bundle of `hlomm bundle`: {MANIFEST} is missing")
    inside = [name.removeprefix(JOURNAL) for name in names if name.startswith(JOURNAL)]
    if epoch_ms is not None:
        inside = [name for name in inside if (one := parse_name(name)) is not None and one.epoch_ms == epoch_ms]
    segments = latest_run(inside)
    if not segments:
        raise UsageError(f"{bundle}: no journal is in this bundle")
    return [Member(bundle, JOURNAL + segment.name) for segment in segments]


def _read(bundle: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(bundle) as packed, packed.open(name) as member:
            data = _bounded(member.read(MEMBER_MAX + 1), name)
            if not name.endswith(".gz"):
                return data
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        whole = _bounded(unpacker.decompress(data, MEMBER_MAX + 1), name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise OSError(f"damaged in the bundle ({error})") from None
    if not unpacker.eof:
        raise gzip.BadGzipFile("cut short")
    return whole


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MEMBER_MAX:
        raise OSError(f"{name} is larger than any segment ({MEMBER_MAX} bytes)")
    return data
