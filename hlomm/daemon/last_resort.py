"""The end that needs nobody's cooperation: a thread that ends the process when an orderly stop takes too long.

Every step of stopping has its own deadline, and this one stands behind them all. It runs in a thread because what it
guards against is a loop that does not turn any more. The guardian then finds a dead process and sees to the account.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import structlog

from hlomm.domain.exits import ExitCode

_log = structlog.get_logger("hlomm")


def end_process(code: int) -> None:
    """Without cleanup: whatever would clean up is what hangs."""
    os._exit(code)


class LastResort:
    """`start` once something wants the process to end; `disarm` when it ended in order."""

    def __init__(self, patience_s: float, end: Callable[[int], None] = end_process) -> None:
        self._patience_s = patience_s
        self._end = end
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, reason: str) -> None:
        """Begin to count; called again it changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._wait, args=(reason,), name="last resort", daemon=True)
            self._thread.start()

    def disarm(self) -> None:
        self._over.set()

    def _wait(self, reason: str) -> None:
        if self._over.wait(self._patience_s):
            return
        _log.critical(
            "last_resort", reason=reason, waited_s=self._patience_s,
            next="ending the process; the guardian cancels and flattens - check the venue by hand",
        )  # fmt: skip
        self._end(int(ExitCode.FAULT))
