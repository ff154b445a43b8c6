"""The halt that survives a restart: one small file, replaced atomically."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hlomm.domain.faults import ConfigError
from hlomm.rundir.replacing import replace_file


class HaltNote(msgspec.Struct, frozen=True):
    reason: str
    since_ms: int


def read(path: Path) -> HaltNote | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=HaltNote)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        # Unreadable means unknown: the safe reading is "halted".
        raise ConfigError(f"{path}: {error} — look at it, then remove it to start unhalted") from None


def write(path: Path, note: HaltNote) -> None:
    """Replace it; OSError where the disk will not take it."""
    replace_file(path, msgspec.json.encode(note))


def clear(path: Path) -> None:
    path.unlink(missing_ok=True)
