"""The picture that all watchers share: made and encoded once, however many terminals look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import trio

from hlomm.daemon.monitor import Monitor
from hlomm.daemon.pump import Pump
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from hlomm.link.picture import encode_picture

SHARED_MS: Final = 100
"""Host time is cut into slots of so long; one picture serves every watcher that falls due in one of them."""


def _ms() -> int:
    return round(trio.current_time() * 1000)


class Pictures:
    """`trouble`: what ended the trading, while the account is swept without the engine; empty before that."""

    def __init__(self, pump: Pump, monitor: Monitor, trouble: Callable[[], str]) -> None:
        self._pump = pump
        self._monitor = monitor
        self._trouble = trouble
        self._slot: tuple[int, str, HaltState] | None = None
        self._shared = msgspec.Raw()
        self.made = 0

    def fresh(self) -> msgspec.Raw:
        """As things stand now: for who asks or commands. Watchers get no older one after it."""
        self._shared = encode_picture(self._snapshot())
        self._slot = self._now()
        self.made += 1
        return self._shared

    def shared(self) -> msgspec.Raw:
        """The last one while it is of this slot and of this halt state: a kill is shown at once."""
        return self._shared if self._slot == self._now() else self.fresh()

    def _now(self) -> tuple[int, str, HaltState]:
        return _ms() // SHARED_MS, self._trouble(), self._pump.engine.state.halt

    def _snapshot(self) -> Snapshot:
        """An engine that turns no more goes on saying what it said last: nobody is to take it for trading."""
        snapshot, why = self._monitor.snapshot(), self._trouble()
        if not why:
            return snapshot
        engine = msgspec.structs.replace(snapshot.engine, state=HaltState.FLATTENING.value, reason=why)
        return msgspec.structs.replace(snapshot, engine=engine)


async def next_due(interval_ms: int) -> None:
    """Sleep until the next whole multiple of the interval, at which everybody with the same one falls due."""
    await trio.sleep_until((_ms() // interval_ms + 1) * interval_ms / 1000)
