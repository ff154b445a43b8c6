"""Hypercorn on trio around the pages, with what it leaves open bounded: where it listens, how many, how long.

It waits for a client that does not read for as long as that takes, shielded; so the kernel ends such connections
(`TCP_USER_TIMEOUT`), and no answer is longer than what the kernel takes at once from almost everybody.
"""

from __future__ import annotations

import resource
import socket
from typing import Any, Final

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn

from hlomm.daemon.api.pages import Pages
from hlomm.domain.faults import UsageError

HOST: Final = "127.0.0.1"
BACKLOG: Final = 128
FILES_MAX: Final = 512
"""Connections and everything else that is open: trio takes no more connections beyond it, and takes them up again."""
REQUEST_S: Final = 10
STALLED_MS: Final = 10_000
SEND_BUFFER: Final = 1 << 20


def listening(port: int) -> socket.socket:
    """A loopback socket that listens; port 0 takes any. UsageError where the port cannot be had."""
    plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)  # handed on to what is accepted
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        plain.bind((HOST, port))
        plain.listen(BACKLOG)
    except OSError as error:
        plain.close()
        text = error.strerror or str(error)
        raise UsageError(f"{HOST}:{port}: {text} — another --port, or end what listens there (ss -ltnp)") from None
    return plain


async def serve(  # noqa: ASYNC128 - Hypercorn gets the task status
    pages: Pages, listener: socket.socket, stop: trio.Event, *,
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:  # fmt: skip
    """Until `stop` is set; requests under way have a few seconds to end."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # from now on it is Hypercorn's to close
    config.backlog = BACKLOG
    config.loglevel = "WARNING"
    config.include_server_header = False
    config.alpn_protocols = ["http/1.1"]
    config.read_timeout = REQUEST_S
    config.keep_alive_timeout = float(2 * REQUEST_S)
    config.graceful_timeout = 2.0
    config.shutdown_timeout = 2.0
    config.h11_max_incomplete_size = 8 << 10
    await hypercorn(pages, config, shutdown_trigger=stop.wait, task_status=task_status, mode="asgi")  # type: ignore[arg-type]


def bound_files() -> None:
    """For this process alone: so many open files, or fewer if that is the limit already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if soft == resource.RLIM_INFINITY else min(soft, FILES_MAX)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
