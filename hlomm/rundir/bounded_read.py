"""Reading what somebody else names, who may have named a pipe that nobody writes to, or a device without an end."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

_PIECE = 65_536


def read_path(path: Path, most: int, within_s: float) -> bytes:
    """As `read_fd`; OSError also where it cannot be opened. A fifo is opened without waiting for its writer."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return read_fd(fd, most, within_s)
    finally:
        os.close(fd)


def read_fd(fd: int, most: int, within_s: float) -> bytes:
    """All there is, or the first `most` + 1 bytes of more. TimeoutError if its end does not come within the time."""
    content, until_s = bytearray(), time.monotonic() + within_s
    while len(content) <= most:
        if not select.select([fd], [], [], max(until_s - time.monotonic(), 0))[0]:
            raise TimeoutError(f"nothing came to its end within {within_s:g} s")
        piece = os.read(fd, min(_PIECE, most + 1 - len(content)))
        if not piece:
            break
        content += piece
    return bytes(content)
