"""The marker of a run that has not said goodbye: while it stands, orders or tokens of ours may be unattended.

The guardian writes it when a daemon registers and removes it when the daemon stops clean or the account is safe.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hlomm.rundir.replacing import replace_file


class OwnedNote(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    started: int
    """Start of that process (see `processes`): a number that was given away again is another process."""
    epoch_ms: int
    account: str


def read(path: Path) -> OwnedNote | None:
    """The marker, None if there is none. An unreadable one stands for a run of unknown owner: still a marker."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=OwnedNote)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return OwnedNote(pid=0, started=0, epoch_ms=0, account="")


def write(path: Path, note: OwnedNote) -> None:
    """Replace it; OSError where the disk will not take it."""
    replace_file(path, msgspec.json.encode(note))


def clear(path: Path) -> None:
    path.unlink(missing_ok=True)
