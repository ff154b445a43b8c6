"""Unix sockets that only this user can reach."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Final

import attrs
import trio

from hlomm.domain.faults import ConfigError

_PEERCRED: Final = struct.Struct("3i")


@attrs.frozen
class Peer:
    """Who connected, as the kernel knows it: nothing the other side says can change that."""

    pid: int
    uid: int


def listen(path: Path, backlog: int) -> trio.SocketListener:
    """Listen at `path`, mode 0600. The caller holds the lock that makes a leftover socket a stale one."""
    path.unlink(missing_ok=True)
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        plain.bind(str(path))
    except OSError as error:
        plain.close()
        raise ConfigError(
            f"{path}: {error.strerror or error} — choose a shorter --state-dir if the path is too long"
        ) from None
    finally:
        os.umask(before)
    plain.listen(backlog)
    return trio.SocketListener(trio.socket.from_stdlib_socket(plain))


def peer_of(stream: trio.SocketStream) -> Peer:
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
    pid, uid, _gid = _PEERCRED.unpack(credentials)
    return Peer(int(pid), int(uid))
