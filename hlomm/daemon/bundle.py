"""What an incident left, packed into one file: whole runs of the journal, and the small files beside it.

A run can only be replayed from its beginning, so runs are taken whole: all that wrote anything since the wanted
moment. Only files that are known here by name are taken; keys are in none of them, and before the bundle gets its name
it is searched for what a secret looks like and for every secret that this process was handed.
"""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
import msgspec

from hlomm.daemon.journal_files import segments
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.secret import Secret
from hlomm.domain.times import NS_PER_MS
from hlomm.journal.segments import Segment
from hlomm.rundir.bundle_file import JOURNAL
from hlomm.settings.paths import StatePaths

LOG_MAX: Final = 32 << 20
"""Of a log its end, so much of it."""
_WEB: Final = frozenset({"http", "https", "ws", "wss"})
_SHAPES: Final = {b"PRIVATE KEY-----": "a private key in PEM form", b'"ciphertext"': "an encrypted key file"}
_CHUNK: Final = 1 << 20
_OVERLAP: Final = 4096


@attrs.frozen(kw_only=True)
class Run:
    """One run as it lies on disk."""

    epoch_ms: int
    segments: tuple[tuple[Segment, Path], ...]
    written_ns: int
    """Host time of its last record."""


def runs_since(paths: StatePaths, since_ns: int) -> list[Run]:
    """Runs that wrote anything at or after that host time, oldest first; UsageError if there is none."""
    found = [
        Run(epoch_ms=epoch, segments=tuple(chosen), written_ns=max(map(_written_ns, (path for _, path in chosen))))
        for epoch, chosen in (
            (epoch, list(group)) for epoch, group in groupby(segments(paths.journal), lambda one: one[0].epoch_ms)
        )
    ]
    chosen = [run for run in found if run.written_ns >= since_ns]
    if chosen:
        return chosen
    if not found:
        raise UsageError(f"{paths.journal}: no run is on record — is this the right --state-dir or --profile?")
    late_s = (since_ns - max(run.written_ns for run in found)) // 1_000_000_000
    raise UsageError(f"no run wrote anything since then: the newest ended {late_s} s before — give an earlier --since")


def _written_ns(path: Path) -> int:
    """A segment that is being packed at this moment has another name in the next."""
    for name in (path, path.with_name(f"{path.name}.gz")):
        with suppress(FileNotFoundError):
            return name.stat().st_mtime_ns
    return 0


class Bundle:
    """A bundle in the making: it has its name only once it is whole. OSError where the disk will not take it."""

    def __init__(self, target: Path) -> None:
        if os.path.lexists(target):
            raise UsageError(f"{target} exists: name another file with --out, or move it away")
        self.target = target
        self.partial = target.with_name(f"{target.name}.partial")
        self.members = 0
        fd = os.open(self.partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.close(fd)

    def add_run(self, run: Run) -> None:
        """Its segments as they lie there; of one that is being written, what is written."""
        for segment, path in run.segments:
            name, data = segment.name, _contents(path)
            if data is None:
                name, data = f"{segment.name}.gz", _contents(path.with_name(f"{path.name}.gz"))
            if data is None:
                raise UsageError(f"{path}: gone while it was being packed — run it again")
            self._put(JOURNAL + name, data)

    def add_file(self, path: Path, name: str) -> None:
        """The end of a small file; one that is not there is left out."""
        try:
            with path.open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - LOG_MAX, 0))
                self._put(name, file.read(LOG_MAX))
        except FileNotFoundError:
            return

    def add_document(self, name: str, document: Any) -> None:
        self._put(name, msgspec.json.format(msgspec.json.encode(document), indent=1))

    def _put(self, name: str, data: bytes) -> None:
        how = zipfile.ZIP_STORED if name.endswith(".gz") else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(self.partial, "a", compression=how, strict_timestamps=False) as packed:
            packed.writestr(name, data)
        self.members += 1

    def finish(self, secrets: Mapping[str, Secret]) -> int:
        """Search it, sync it, give it its name; its size. ConfigError if anything in it looks like a secret."""
        for name, what in self.suspicious(secrets):
            self.drop()
            raise ConfigError(
                f"{name} holds {what}: nothing was written — find out how it came there, replace that key, and give "
                "--log only what may be read by others"
            )
        fd = os.open(self.partial, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        self.partial.rename(self.target)
        return size

    def drop(self) -> None:
        self.partial.unlink(missing_ok=True)

    def suspicious(self, secrets: Mapping[str, Secret]) -> Iterator[tuple[str, str]]:
        """(member, what is in it), once for each member with anything in it."""
        with zipfile.ZipFile(self.partial) as packed:
            for name in packed.namelist():
                found = _first_in(packed, name, secrets)
                if found is not None:
                    yield name, found


def _contents(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _first_in(packed: zipfile.ZipFile, name: str, secrets: Mapping[str, Secret]) -> str | None:
    """What a member holds that it must not; looked at piece by piece, unpacked where it is packed."""
    with packed.open(name) as raw, ExitStack() as unpacking:
        member = unpacking.enter_context(gzip.open(raw)) if name.endswith(".gz") else raw
        before = b""
        while data := member.read(_CHUNK):
            window = before + data
            found = next((what for shape, what in _SHAPES.items() if shape in window), None)
            found = found or next(
                (f"the secret in {where}" for where, one in secrets.items() if _in(one, window)), None
            )
            if found is not None:
                return found
            before = window[-_OVERLAP:]
    return None


def _in(secret: Secret, window: bytes) -> bool:
    """As it was given, as hex in either case, or as the bytes that its hex stands for."""
    given = secret.reveal_bytes().strip()
    bare = given.removeprefix(b"0x").lower()
    if given in window or bare in window.lower():
        return True
    try:
        return bytes.fromhex(bare.decode()) in window
    except ValueError:
        return False


# -- the configuration, as others may read it


def shown(value: Any) -> Any:
    """A setting's value; of an address only whom it names, since user, path and query of one may be secrets."""
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}" if parts.scheme in _WEB else f"{parts.scheme}://…"
    if isinstance(value, list | tuple):
        return [shown(one) for one in value]
    if isinstance(value, dict):
        return {key: shown(one) for key, one in value.items()}
    return value


def run_row(run: Run) -> dict[str, Any]:
    """As the manifest tells of it."""
    return {
        "epoch_ms": run.epoch_ms, "segments": [segment.name for segment, _ in run.segments],
        "written_ms": run.written_ns // NS_PER_MS,
    }  # fmt: skip
