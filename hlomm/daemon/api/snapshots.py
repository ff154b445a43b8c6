"""The daemon's newest snapshot, asked for at most once a second however many clients want it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import attrs
import trio

from hlomm.domain.faults import ProtocolViolation, UsageError
from hlomm.domain.report import Snapshot

FRESH_S: Final = 1.0
"""A snapshot serves everybody that long, and so does the news that there is none."""


class Viewer(Protocol):
    """A connection to a daemon. UsageError or ProtocolViolation once it is gone."""

    def snapshot(self) -> Snapshot: ...
    def close(self) -> None: ...


@attrs.frozen(kw_only=True)
class Seen:
    """What was last heard of the daemon."""

    snapshot: Snapshot | None
    error: str
    """Why there is no snapshot; empty if there is one."""
    asked_s: float
    """Monotonic time of the answer."""


class Snapshots:
    """Asks in a thread; `connect` blocks, and so does what it returns: both bounded by their own timeouts."""

    def __init__(self, connect: Callable[[], Viewer], clock: Callable[[], float] = time.monotonic) -> None:
        self._connect = connect
        self._clock = clock
        self._viewer: Viewer | None = None
        self._asking = trio.Lock()
        self._seen: Seen | None = None
        self.asked = 0

    async def get(self) -> Seen:
        """The newest, at most `FRESH_S` old."""
        async with self._asking:
            if self._seen is None or self._clock() - self._seen.asked_s >= FRESH_S:
                self._seen = await trio.to_thread.run_sync(self._ask)
            return self._seen

    def _ask(self) -> Seen:
        self.asked += 1
        try:
            if self._viewer is None:
                self._viewer = self._connect()
            found = self._viewer.snapshot()
        except (UsageError, ProtocolViolation) as error:
            self.close()
            return Seen(snapshot=None, error=str(error), asked_s=self._clock())
        return Seen(snapshot=found, error="", asked_s=self._clock())

    def close(self) -> None:
        viewer, self._viewer = self._viewer, None
        if viewer is not None:
            with suppress(OSError):
                viewer.close()
