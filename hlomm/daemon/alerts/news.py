"""What is new in a snapshot's rows since the one before: alerts of the daemon, and fills.

A snapshot carries the last so many of each, oldest first; which of them were there before is told by comparing the two
lists. A daemon that was started anew begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import attrs

from hlomm.domain.report import AlertRow, FillRow, Snapshot

Row = TypeVar("Row")


@attrs.define(eq=False)
class _Seen(Generic[Row]):
    key: Callable[[Row], Hashable]
    _last: Counter[Hashable] = attrs.field(factory=Counter)

    def newer(self, rows: Sequence[Row]) -> list[Row]:
        keys = [self.key(row) for row in rows]
        before, self._last = self._last.copy(), Counter(keys)
        fresh = []
        for key, row in zip(keys, rows, strict=True):
            if before[key]:
                before[key] -= 1
            else:
                fresh.append(row)
        return fresh


def _alert_key(row: AlertRow) -> Hashable:
    return row


def _fill_key(row: FillRow) -> Hashable:
    """Without what is only known later (`markouts`)."""
    return row.wall_ms, row.market, row.leg, row.side, row.px, row.qty, row.kind


@attrs.frozen(kw_only=True)
class News:
    alerts: tuple[AlertRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    fills_missed: int = 0
    """Fills since then that are no longer among the rows."""


@attrs.define(eq=False)
class Newsreader:
    """Of one daemon after the other. What was there at the very first look is no news: it was somebody else's."""

    _pid: int | None = None
    _count: int = 0
    _alerts: _Seen[AlertRow] = attrs.field(factory=lambda: _Seen(_alert_key))
    _fills: _Seen[FillRow] = attrs.field(factory=lambda: _Seen(_fill_key))

    def read(self, snapshot: Snapshot) -> News:
        first, another = self._pid is None, self._pid != snapshot.pid
        if another:
            self._pid, self._count = snapshot.pid, 0
            self._alerts, self._fills = _Seen(_alert_key), _Seen(_fill_key)
        alerts = self._alerts.newer(snapshot.alerts)
        fills = [row for row in self._fills.newer(snapshot.engine.recent_fills) if row.kind == "trade"]
        grown, self._count = snapshot.engine.fills - self._count, snapshot.engine.fills
        if first:
            return News()
        return News(alerts=tuple(alerts), fills=tuple(fills), fills_missed=max(grown - len(fills), 0))
