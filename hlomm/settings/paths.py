"""Where state lives: `journal/`, `ledger`, sockets, under one private directory per profile."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import attrs
import platformdirs

from hlomm.domain.faults import ConfigError


@attrs.frozen
class StatePaths:
    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def socket(self) -> Path:
        return self.root / "hlomm.sock"

    @property
    def halt(self) -> Path:
        return self.root / "halt.json"

    @property
    def lock(self) -> Path:
        return self.root / "hlomm.lock"

    @property
    def log(self) -> Path:
        return self.root / "hlomm.log"

    def prepare(self) -> None:
        """Create the directories, private to this user; ConfigError if that cannot be had."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.journal.mkdir(mode=0o700, exist_ok=True)
            status = self.root.stat()
        except OSError as error:
            raise ConfigError(
                f"state directory {self.root}: {error.strerror or error} — choose another with --state-dir"
            ) from None
        if status.st_uid != os.getuid():
            raise ConfigError(f"state directory {self.root} belongs to uid {status.st_uid}: use one of your own")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_IRWXO):
            raise ConfigError(f"state directory {self.root} is open to others: chmod 700 {self.root}")


def state_paths(state_dir: Path | None, profile: str) -> StatePaths:
    root = state_dir if state_dir is not None else Path(platformdirs.user_state_dir("hlomm")) / profile
    return StatePaths(root.absolute())
