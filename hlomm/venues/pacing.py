"""Token buckets, windows and backoff: pure functions of the time they are handed."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from hlomm.domain.times import NS_PER_S


@attrs.define(eq=False)
class TokenBucket:
    """A budget that refills evenly. All times are monotonic nanoseconds of one clock.

    Optional work asks `try_take` and may be told no; work that must happen calls `take`, which can drive the level
    below zero (never below minus one capacity) and so makes optional work wait longer.
    """

    capacity: float
    refill_per_s: float
    _level: float = attrs.field(init=False)
    _at_ns: int | None = attrs.field(init=False, default=None)

    @_level.default
    def _full(self) -> float:
        return self.capacity

    def level(self, now_ns: int) -> float:
        """Tokens available now. A clock that steps back refills nothing."""
        if self._at_ns is not None and now_ns > self._at_ns:
            gained = (now_ns - self._at_ns) * self.refill_per_s / NS_PER_S
            self._level = min(self.capacity, self._level + gained)
        if self._at_ns is None or now_ns > self._at_ns:
            self._at_ns = now_ns
        return self._level

    def try_take(self, tokens: float, now_ns: int, *, keep: float = 0) -> bool:
        """Take the tokens if `keep` remain afterwards."""
        if self.level(now_ns) - tokens < keep:
            return False
        self._level -= tokens
        return True

    def take(self, tokens: float, now_ns: int) -> None:
        """Take the tokens whatever the level."""
        self._level = max(self.level(now_ns) - tokens, -self.capacity)

    def drain(self, now_ns: int) -> None:
        """Forget what was left: the other side says the budget is spent."""
        self._level = min(self.level(now_ns), 0)


SLOTS_PER_S: Final = 2


@attrs.define(eq=False)
class WindowBudget:
    """A budget of any span of time, for a peer that adds up what came within it.

    A bucket that holds as much and refills as fast lets twice as much through in one span. Times are monotonic
    nanoseconds; what is taken is counted by slots of a part of a second, and forgotten a slot late rather than early.
    """

    limit: float
    span_s: int
    _sum: float = 0
    _slots: deque[tuple[int, float]] = attrs.field(factory=deque)
    _drained_ns: int = 0

    def level(self, now_ns: int) -> float:
        """What may be taken now; below zero after work that had to happen."""
        slot = now_ns * SLOTS_PER_S // NS_PER_S
        while self._slots and self._slots[0][0] < slot - self.span_s * SLOTS_PER_S:
            self._sum -= self._slots.popleft()[1]
        left = self.limit - self._sum
        return left if now_ns >= self._drained_ns else min(left, 0)

    def try_take(self, tokens: float, now_ns: int, *, keep: float = 0) -> bool:
        """Take the tokens if `keep` remain afterwards."""
        if self.level(now_ns) - tokens < keep:
            return False
        self.take(tokens, now_ns)
        return True

    def take(self, tokens: float, now_ns: int) -> None:
        """Take the tokens whatever the level."""
        slot = now_ns * SLOTS_PER_S // NS_PER_S
        if self._slots and self._slots[-1][0] >= slot:
            slot, before = self._slots.pop()
            self._slots.append((slot, before + tokens))
        else:
            self._slots.append((slot, tokens))
        self._sum += tokens

    def drain(self, now_ns: int) -> None:
        """The other side says that the budget is spent: nothing is left for a third of the span."""
        self._drained_ns = now_ns + self.span_s * NS_PER_S // 3


def backoff_s(attempt: int, *, base_s: float, cap_s: float, jitter: float) -> float:
    """Pause before attempt `attempt` (0 is the first retry): doubling to a cap, the upper half of it random.

    `jitter` in [0, 1) comes from the caller's own generator, so that a seed decides every pause.
    """
    assert attempt >= 0
    assert 0 <= jitter < 1
    # The exponent is bounded before the power is taken: attempts are unlimited, floats are not.
    whole = min(cap_s, base_s * (1 << min(attempt, 32)))
    return whole / 2 + whole / 2 * jitter
