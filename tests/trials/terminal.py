"""`hlomm tui` at a terminal of its own: a pseudo-terminal with somebody at the keyboard."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from tests.trials.conftest import POLL_S
from tests.trials.glass import Glass

SSH = "10.0.0.7 50022 10.0.0.1 22"
"""The person sits elsewhere."""


@attrs.define(eq=False)
class Terminal:
    process: subprocess.Popen[bytes]
    glass: Glass
    _master: trio.lowlevel.FdStream
    _fd: int

    async def type(self, keys: str) -> None:
        await self._master.send_all(keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.glass.resize(columns, rows)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    async def ended(self, within_s: float = 15.0) -> int:
        with trio.fail_after(within_s):
            while (code := self.process.poll()) is None:
                await trio.sleep(POLL_S)
        return code

    async def read(self) -> None:
        while True:
            try:
                data = await self._master.receive_some(65_536)
            except (trio.BrokenResourceError, trio.ClosedResourceError):  # the other side of the terminal is closed
                return
            if not data:
                return
            self.glass.feed(data)


def _launch(state: Path, options: tuple[str, ...], columns: int, rows: int) -> tuple[subprocess.Popen[bytes], int]:
    """The process and the other side of its terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    environment = {
        "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path.cwd()), "LANG": "C.UTF-8", "HOME": str(state.parent),
        "TERM": "xterm-256color", "SSH_CONNECTION": SSH,
    }  # fmt: skip
    command = [sys.executable, "-m", "hlomm.cli.main", "tui", "--state-dir", str(state), *options]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    return process, master


@asynccontextmanager
async def at_terminal(state: Path, *options: str, columns: int = 100, rows: int = 30) -> AsyncIterator[Terminal]:
    process, master = _launch(state, options, columns, rows)
    stream = trio.lowlevel.FdStream(master)
    made = Terminal(process, Glass(columns, rows), stream, master)
    async with trio.open_nursery() as nursery, stream:
        nursery.start_soon(made.read)
        try:
            yield made
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            nursery.cancel_scope.cancel()
