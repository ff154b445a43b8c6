"""Looking for secrets in whatever a run leaves behind: in every form that they could have taken on the way.

A secret is looked for as text, as hex, as base64 (both alphabets, at each of the three places where it can begin), raw,
and as a decimal number; in every file as it lies there, and in what it holds: gzip, zlib and zip unpacked, SQLite cell
by cell, Parquet row by row, and runs of base64 decoded.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import polars as pl
from cryptography.hazmat.primitives import serialization

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{32,}={0,2}")
_NESTED: Final = 3


@attrs.frozen
class Canary:
    """One secret in its forms; those that are hex are looked for in either case."""

    name: str
    forms: dict[str, bytes]

    def found_in(self, content: bytes, lower: bytes) -> Iterator[str]:
        for form, pattern in self.forms.items():
            if pattern in (lower if form.startswith("hex") else content):
                yield form


@attrs.frozen
class Trace:
    """Where a secret got to."""

    canary: str
    form: str
    where: str


def of_bytes(name: str, raw: bytes) -> Canary:
    forms = {"raw": raw, "hex": raw.hex().encode(), "decimal": str(int.from_bytes(raw, "big")).encode()}
    for shift in range(3):
        core = base64.b64encode(bytes(shift) + raw)[(0, 2, 3)[shift] :]
        core = core.rstrip(b"=")[: -1 if (shift + len(raw)) % 3 else None]
        forms[f"base64 {shift}"] = core
        forms[f"base64url {shift}"] = core.replace(b"+", b"-").replace(b"/", b"_")
    return Canary(name, forms)


def of_text(name: str, text: str) -> Canary:
    found = of_bytes(name, text.encode())
    return Canary(name, {"text": text.encode(), "utf-16": text.encode("utf-16-le"), **found.forms})


def of_pem(name: str, pem: str) -> list[Canary]:
    """The lines of its body, the DER that they encode, and the number that is the key."""
    key = serialization.load_pem_private_key(pem.encode(), None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    lines = [line for line in pem.splitlines() if line and not line.startswith("-----")]
    return [
        *(of_text(f"{name} line {number}", line) for number, line in enumerate(lines)),
        of_bytes(f"{name} DER", der),
        of_bytes(f"{name} seed", der[-32:]),
    ]


def traces(root: Path, canaries: list[Canary]) -> list[Trace]:
    """Every secret in every file below a folder, names of files included."""
    found = []
    for path in sorted(root.rglob("*")):
        place = str(path.relative_to(root))
        found += _in(f"name of {place}", place.encode(), canaries)
        if path.is_file() and not path.is_symlink():
            for where, content in unfolded(place, path):
                found += _in(where, content, canaries)
    return found


def _in(where: str, content: bytes, canaries: list[Canary]) -> Iterator[Trace]:
    lower = content.lower()
    for canary in canaries:
        for form in canary.found_in(content, lower):
            yield Trace(canary.name, form, where)


def unfolded(place: str, path: Path) -> Iterator[tuple[str, bytes]]:
    content = path.read_bytes()
    yield from layers(place, content)
    if content.startswith(b"SQLite format 3\0"):
        yield f"{place} (cells)", _cells(path)
    if content.startswith(b"PAR1"):
        yield f"{place} (rows)", pl.read_parquet(path).write_ndjson().encode()


def layers(place: str, content: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """What it is, and what it is a packing of."""
    yield place, content
    if depth == _NESTED:
        return
    # What only begins like something packed is none.
    with contextlib.suppress(OSError, EOFError, zlib.error, zipfile.BadZipFile):
        if content.startswith(b"\x1f\x8b"):
            yield from layers(f"{place} (unpacked)", gzip.decompress(content), depth + 1)
        elif content.startswith(b"\x78"):
            yield from layers(f"{place} (unpacked)", zlib.decompress(content), depth + 1)
        elif content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                for name in packed.namelist():
                    yield from layers(f"{place} ({name})", packed.read(name), depth + 1)
    for run in _BASE64.finditer(content):
        text = run[0].rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        text = text[: len(text) - (len(text) % 4 == 1)]
        yield from layers(f"{place} (base64)", base64.b64decode(text + b"=" * (-len(text) % 4)), depth + 1)


def _cells(path: Path) -> bytes:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        cells = []
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                cells += [cell if isinstance(cell, bytes) else str(cell).encode() for cell in row]
    finally:
        connection.close()
    return b"\0".join(cells)
