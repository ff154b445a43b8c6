"""The halt that survives a restart: one small file, replaced atomically."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from hlomm.domain.faults import ConfigError


class HaltNote(msgspec.Struct, frozen=True):
    reason: str
    since_ms: int


def read(path: Path) -> HaltNote | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=HaltNote)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        # Unreadable means unknown: the safe reading is "halted".
        raise ConfigError(f"{path}: {error} — look at it, then remove it to start unhalted") from None


def write(path: Path, note: HaltNote) -> None:
    partial = path.with_suffix(".partial")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, msgspec.json.encode(note))
        os.fsync(fd)
    finally:
        os.close(fd)
    partial.rename(path)


def clear(path: Path) -> None:
    path.unlink(missing_ok=True)
