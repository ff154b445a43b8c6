"""Actions posted over the websocket and not answered yet (venue sheet section 1.2). Pure."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

import attrs

from hlomm.domain.times import NS_PER_MS
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.hyperliquid.batches import Batch

LATE_MAX: Final = 256
LATENCIES: Final = 128


@attrs.frozen
class _Post:
    batch: Batch
    sent_ns: int
    deadline_ns: int


@attrs.define(eq=False)
class Posts:
    """Table of posts by id. Ids rise and are never reused, so an answer after its deadline still finds its batch."""

    _open: dict[int, _Post] = attrs.field(factory=dict)
    _late: BoundedMap[int, Batch] = attrs.field(factory=lambda: BoundedMap(LATE_MAX))
    _latencies_ns: deque[int] = attrs.field(factory=lambda: deque(maxlen=LATENCIES))
    _last_id: int = 0

    def __len__(self) -> int:
        return len(self._open)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def enter(self, post_id: int, batch: Batch, now_ns: int, deadline_ns: int) -> None:
        assert post_id not in self._open
        self._open[post_id] = _Post(batch, now_ns, deadline_ns)

    def answer(self, post_id: int, now_ns: int) -> Batch | None:
        """The batch an answer belongs to, None if it was never posted or is long forgotten."""
        post = self._open.pop(post_id, None)
        if post is None:
            return self._late.pop(post_id)
        self._latencies_ns.append(now_ns - post.sent_ns)
        return post.batch

    def expire(self, now_ns: int) -> list[Batch]:
        """Batches past their deadline, oldest first."""
        due = [post_id for post_id, post in self._open.items() if post.deadline_ns <= now_ns]
        return [self._retire(post_id) for post_id in due]

    def drain(self) -> list[tuple[int, Batch]]:
        """Everything open, oldest first: the connection is gone and will answer nothing."""
        return [(post_id, self._open.pop(post_id).batch) for post_id in list(self._open)]

    def _retire(self, post_id: int) -> Batch:
        batch = self._open.pop(post_id).batch
        self._late.put(post_id, batch)
        return batch

    def p50_ms(self) -> float | None:
        """Median time from queueing a post to its answer, over the last ones."""
        return median(self._latencies_ns) / NS_PER_MS if self._latencies_ns else None
