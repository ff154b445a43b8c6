"""One daemon per state directory and per account; one guardian per state directory."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path

from hlomm.domain.faults import AnotherInstance, ConfigError
from hlomm.rundir.home import state_home


class Lock:
    """An advisory lock that the kernel drops with the process, however it ends."""

    def __init__(self, path: Path, what: str, advice: str = "stop it, or choose another --state-dir") -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error} — the lock file cannot be made") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise AnotherInstance(f"another hlomm (pid {holder}) holds {what} — {advice}") from None
        with contextlib.suppress(OSError):  # the number is for people; a full disk must not cost the lock itself
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def holder(lock: Path) -> int | None:
    """Pid of the process that holds a lock file, looked up without touching the lock; None if nobody does."""
    try:
        inode = lock.stat().st_ino
        table = Path("/proc/locks").read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    for line in table.splitlines():
        fields = line.split()
        if "FLOCK" in fields and fields[5].rpartition(":")[2] == str(inode):
            return int(fields[4])
    return None


def account_lock(venue: str, place: str, account: str) -> Lock:
    """Held per account, whichever state directory the daemon uses; `place` tells one network of the venue from another.

    It lies under this user's own state home: daemons of two users, or on two machines, do not see each other.
    """
    path, why = account_lock_path(venue, place, account), "one account has one daemon"
    return Lock(path, f"account {account}", f"stop it first: {why}")


def account_lock_path(venue: str, place: str, account: str) -> Path:
    return _path(f"{venue}-{place.rstrip('/')}-{account}")


def signer_lock(venue: str, address: str) -> Lock:
    """Held per key that signs: a sub-account's daemon beside its master's needs an agent of its own."""
    why = "one key has one daemon, approve another"
    return Lock(_path(f"{venue}-signer-{address}"), f"the key of agent {address}", f"stop it first: {why}")


def _path(key: str) -> Path:
    readable = "".join(c if c.isalnum() else "-" for c in key.lower())[:120]
    name = f"{readable}-{hashlib.sha256(key.lower().encode()).hexdigest()[:16]}.lock"
    return state_home() / "accounts" / name
