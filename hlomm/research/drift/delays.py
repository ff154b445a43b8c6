"""Latencies that are the same every time, as drift compares them."""

from __future__ import annotations

import attrs

from hlomm.research.latency import Constant, Latency


@attrs.frozen(kw_only=True)
class Delays:
    """Nanoseconds, with the feed as recorded. Defaults are those of `Latency`."""

    entry_ns: int = 190_000_000
    answer_ns: int = 190_000_000

    def latency(self) -> Latency:
        return Latency(entry=Constant(self.entry_ns), response=Constant(self.answer_ns))
