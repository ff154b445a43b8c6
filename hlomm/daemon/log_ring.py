"""The last lines of the log, kept for terminals: bounded, and never in the way of the log itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from hlomm.domain.desk_rows import LogRow

KEPT: Final = 500
TEXT_MAX: Final = 400
ALERTS: Final = "hlomm.alert"
"""Logger of what a terminal is shown as alerts anyway."""


class LogRing:
    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._rows: deque[LogRow] = deque(maxlen=KEPT)
        self.count = 0
        """Lines so far, also those no longer kept."""

    def take(self, area: str, level: str, event: Mapping[str, Any]) -> None:
        if area == ALERTS:
            return
        self.count += 1
        rest = " ".join(f"{name}={value}" for name, value in event.items() if name not in _TAKEN)
        text = f"{event.get('event', '')} {rest}".strip()[:TEXT_MAX]
        area = area.removeprefix("hlomm.")
        self._rows.append(LogRow(n=self.count, wall_ms=self._wall_ms(), level=level, area=area, text=text))

    def after(self, n: int) -> tuple[LogRow, ...]:
        """Lines that came after the one with that number, oldest first, as far as they are kept."""
        return tuple(row for row in self._rows if row.n > n) if n < self.count else ()


_TAKEN: Final = frozenset({"event", "level", "timestamp"})
_listeners: list[LogRing] = []


@contextmanager
def listening(ring: LogRing) -> Iterator[None]:
    """Let a ring hear everything that this process logs."""
    _listeners.append(ring)
    try:
        yield
    finally:
        _listeners.remove(ring)


def tee(logger: Any, method: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: passes the line on as it is."""
    for ring in _listeners:
        ring.take(getattr(logger, "area", "hlomm"), method, event)
    return event
