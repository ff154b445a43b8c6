"""Files and folders that hold secrets: read only where nobody else could have read or replaced them.

Checked on the open file and not on its name, so that nothing can be put in its place in between.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from hlomm.domain.checkup import Code
from hlomm.domain.faults import KeyFault
from hlomm.domain.secret import Secret

READ_MAX: Final = 1 << 16
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path, what: str) -> Secret:
    """Content of a regular file that only this user can read.

    KeyFault with the remedy for one that is missing, a symlink, open to others, somebody else's or far too large.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise KeyFault(
                Code.KEY_EXPOSED, f"{path}: {what} is a symlink to {os.path.realpath(path)}: name that file itself"
            ) from None
        raise KeyFault(Code.KEY_MISSING, f"{path}: {error.strerror or error} — {what} cannot be read") from None
    try:
        wrong = exposure(path, os.fstat(fd))
        if wrong is not None:
            raise KeyFault(Code.KEY_EXPOSED, wrong)
        return Secret(os.read(fd, READ_MAX))
    except OSError as error:
        raise KeyFault(Code.KEY_DAMAGED, f"{path}: {error.strerror or error} — {what} cannot be read") from None
    finally:
        os.close(fd)


def exposure(path: Path, status: os.stat_result) -> str | None:
    """What is wrong with a file that holds a secret, and the command that mends it; None if nothing is."""
    if stat.S_ISLNK(status.st_mode):
        return f"{path} is a symlink: name the file itself, or rm {path}"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is not a regular file: name the file itself"
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to uid {status.st_uid}: chown {os.geteuid()} {path}"
    if status.st_mode & _OTHERS:
        return f"{path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}"
    if status.st_size > READ_MAX:
        return f"{path} has {status.st_size} bytes: expected a key file, of less than {READ_MAX}"
    return None


def folder_exposure(folder: Path) -> str | None:
    """The same for a folder of such files. OSError if it is not there."""
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"{folder} is a symlink to {os.path.realpath(folder)}: name that folder itself, or rm {folder}"
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is not a folder: name another"
    if status.st_uid != os.geteuid():
        return f"{folder} belongs to uid {status.st_uid}: chown {os.geteuid()} {folder}"
    if status.st_mode & _OTHERS:
        return f"{folder} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 700 {folder}"
    return None
