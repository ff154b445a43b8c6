"""Where state lives: journal, ledger, audit log, sockets, under one private directory per profile.

Whoever can write there can forge what the daemon believes and says of itself, so a directory or a file in it that
somebody else owns or may write is refused, with the command that mends it.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.rundir.home import state_home

SOCKET_ROOM: Final = 107
"""Bytes that the kernel takes as the name of a socket."""


@attrs.frozen
class StatePaths:
    root: Path

    @property
    def journal(self) -> Path:
        return self.root / "journal"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.sqlite"

    @property
    def audit(self) -> Path:
        """The chain of operator actions, one JSON document a line."""
        return self.root / "audit.log"

    @property
    def running(self) -> Path:
        """What the run was configured with: its files, and a digest of every setting."""
        return self.root / "running.json"

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
    def guardian_socket(self) -> Path:
        return self.root / "guardian.sock"

    @property
    def guardian_lock(self) -> Path:
        return self.root / "guardian.lock"

    @property
    def guardian_log(self) -> Path:
        """What the guardian saw and did, one JSON document a line."""
        return self.root / "guardian.log"

    @property
    def guardian_errors(self) -> Path:
        """What it prints: the logs of the rooms it uses, and its last words if it crashes."""
        return self.root / "guardian.err"

    @property
    def owned(self) -> Path:
        """Stands from a daemon's registration with its guardian to its goodbye."""
        return self.root / "owned.json"

    @property
    def log(self) -> Path:
        return self.root / "hlomm.log"

    def prepare(self) -> None:
        """Create the directories, private to this user; ConfigError if that cannot be had."""
        spare = SOCKET_ROOM - max(len(os.fsencode(path)) for path in (self.socket, self.guardian_socket))
        if spare < 0:
            raise ConfigError(
                f"state directory {self.root}: {-spare} bytes too long for sockets — choose another with --state-dir"
            )
        try:
            _make_private(self.root)
            wrong = next(self.exposed(), None)
            if wrong is None:
                _make_private(self.journal)
        except OSError as error:
            raise ConfigError(
                f"state directory {self.root}: {error.strerror or error} — choose another with --state-dir"
            ) from None
        if wrong is not None:
            raise ConfigError(wrong)

    def exposed(self) -> Iterator[str]:
        """What somebody else could change or put in place of ours: path, what is wrong, the fix."""
        yield from _exposed_directory(self.root, "state directory")
        if not stat.S_ISDIR(self.root.lstat().st_mode):
            return
        for entry in sorted(self.root.iterdir()):
            if entry != self.journal:
                yield from _exposed_file(entry)
        if os.path.lexists(self.journal):
            yield from _exposed_directory(self.journal, "journal directory")
            if stat.S_ISDIR(self.journal.lstat().st_mode):
                for entry in sorted(self.journal.iterdir()):
                    yield from _exposed_file(entry)


def _make_private(directory: Path) -> None:
    """Create it with what is missing above it, all for this user alone; a symlink is left to be refused."""
    for missing in reversed([path for path in (directory, *directory.parents) if not os.path.lexists(path)]):
        missing.mkdir(mode=0o700, exist_ok=True)
    if not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is not a directory", str(directory))


def _exposed_directory(path: Path, what: str) -> Iterator[str]:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        target = os.path.realpath(path)
        yield f"{what} {path} is a symlink to {target}: name that directory itself, or rm {path}"
    elif status.st_uid != os.getuid():
        yield f"{what} {path} belongs to {_owner(status)}: chown {os.getuid()} {path}, or use one of your own"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_IRWXO):
        yield f"{what} {path} is open to others: chmod 700 {path}"


def _exposed_file(path: Path) -> Iterator[str]:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return  # gone since the directory was read
    if stat.S_ISLNK(status.st_mode):
        yield f"{path} is a symlink: rm {path}"
    elif status.st_uid != os.getuid():
        yield f"{path} belongs to {_owner(status)}: chown {os.getuid()} {path}"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield f"{path} can be changed by others: chmod {'700' if stat.S_ISDIR(status.st_mode) else '600'} {path}"


def _owner(status: os.stat_result) -> str:
    try:
        return f"uid {status.st_uid} ({pwd.getpwuid(status.st_uid).pw_name})"
    except KeyError:
        return f"uid {status.st_uid}"


def state_paths(state_dir: Path | None, profile: str) -> StatePaths:
    root = state_dir if state_dir is not None else state_home() / profile
    return StatePaths(root.absolute())
