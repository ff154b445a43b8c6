"""One daemon per state directory and per account."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import platformdirs

from hlomm.domain.faults import AnotherInstance, ConfigError


class Lock:
    """An advisory lock that the kernel drops with the process, however it ends."""

    def __init__(self, path: Path, what: str) -> None:
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
            raise AnotherInstance(
                f"another hlomm (pid {holder}) holds {what} — stop it, or choose another --state-dir"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def account_lock(venue: str, endpoint: str, account: str) -> Lock:
    """Held per account and endpoint, whichever state directory the daemon uses."""
    name = "".join(c if c.isalnum() else "-" for c in f"{venue}-{endpoint}-{account}".lower())
    return Lock(Path(platformdirs.user_state_dir("hlomm")) / "accounts" / f"{name[:200]}.lock", f"account {account}")
