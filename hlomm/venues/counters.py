"""Counters of one session: everything refused, dropped, repeated or malformed, by kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
import structlog

from hlomm.venues.anomalies import Anomaly

KINDS_MAX: Final = 512
"""Kinds come from a fixed vocabulary; the bound only guards against a mistake in it."""

_log = structlog.get_logger("hlomm.venues")


@attrs.define(eq=False)
class Counters:
    """Counts by kind; the first of each kind of anomaly is logged, the rest only counted."""

    counts: dict[str, int] = attrs.field(factory=dict)

    def add(self, kind: str, by: int = 1) -> None:
        if kind not in self.counts and len(self.counts) >= KINDS_MAX:
            kind = "other"
        self.counts[kind] = self.counts.get(kind, 0) + by

    def note(self, anomalies: Iterable[Anomaly], where: str) -> None:
        """Count what the codec refused; `where` says which conversation it came from."""
        for one in anomalies:
            kind = f"malformed.{one.kind}"
            if kind not in self.counts:
                _log.warning("dropped malformed data", where=where, kind=one.kind, detail=one.detail)
            self.add(kind)

    def get(self, kind: str) -> int:
        return self.counts.get(kind, 0)
