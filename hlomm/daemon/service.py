"""What the service manager is told: ready, how it stands, alive, stopping. The protocol is that of sd_notify(3).

Outside of a service there is nobody to tell and all of this does nothing. Nothing here waits: a message that the
manager's socket does not take at once is counted and left out.
"""

from __future__ import annotations

import socket
from collections.abc import MutableMapping
from typing import Final

import structlog
import trio

from hlomm.daemon.beat import overdue_ms
from hlomm.daemon.pump import Pump

_log = structlog.get_logger("hlomm")

STATUS_S: Final = 1.0
STATUS_MAX: Final = 200
_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Service:
    """`address`: the manager's datagram socket, a path or `@name`; None where there is none."""

    def __init__(self, address: str | None = None, *, watchdog_s: float | None = None) -> None:
        self._address = address if address is None or not address.startswith("@") else f"\0{address[1:]}"
        self._watchdog_s = watchdog_s
        self._socket: socket.socket | None = None
        if self._address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self._stopping = False
        self._told = ""
        self.failures = 0

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str], pid: int) -> Service:
        """As the manager handed it over. It is taken out: no child is to speak for this process."""
        found = {name: environ.pop(name, "") for name in _VARIABLES}
        address = found["NOTIFY_SOCKET"]
        if not address:
            return cls()
        if address[0] not in "/@":
            _log.warning("service manager not told", why=f"NOTIFY_SOCKET {address[:80]}: neither a path nor @name")
            return cls()
        usec = found["WATCHDOG_USEC"]
        ours = found["WATCHDOG_PID"] in ("", str(pid))
        return cls(address, watchdog_s=int(usec) / 1e6 if ours and usec.isdecimal() and int(usec) else None)

    async def keep(self, pump: Pump) -> None:
        """Say that it is ready, then how it stands and that it lives, until cancelled.

        Ready is whoever holds its locks, answers at its socket and has an engine: HALTED is one way to be ready. Alive
        is an engine that turns: while it is not being stopped, a deadline of it long past keeps the word back, and the
        manager ends the process. Then the guardian acts.
        """
        if self._socket is None:
            return
        ready = False
        interval_s = STATUS_S if self._watchdog_s is None else min(STATUS_S, self._watchdog_s / 3)
        while True:
            ready = ready or self.tell("READY=1")
            state = pump.engine.state
            self.status(f"{state.halt.value}: {state.halt_reason}")
            if self._watchdog_s is not None and self._alive(pump):
                self.tell("WATCHDOG=1")
            await trio.sleep(interval_s)

    def _alive(self, pump: Pump) -> bool:
        """An engine that has failed, or is being stopped, has a deadline of its own behind it (`LastResort`)."""
        assert self._watchdog_s is not None
        return self._stopping or pump.fault is not None or overdue_ms(pump) < 500 * self._watchdog_s

    def status(self, text: str) -> None:
        """One line for `systemctl status`; said once."""
        line = " ".join(text.split())[:STATUS_MAX]
        if line != self._told and self.tell(f"STATUS={line}"):
            self._told = line

    def stopping(self, within_s: float) -> None:
        """The end has begun, and takes at most so long."""
        if not self._stopping:
            self._stopping = True
            self.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round(within_s * 1e6)}")

    def tell(self, *lines: str) -> bool:
        """Whether somebody has it now."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address or "")
        except OSError as error:
            self.failures += 1
            if self.failures == 1:
                _log.warning("service manager not told", why=error.strerror or str(error))
            return False
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
