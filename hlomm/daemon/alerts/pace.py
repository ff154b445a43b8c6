"""How many messages a minute, and how often the same one: what is held back is counted, and the count is sent."""

from __future__ import annotations

from collections import Counter
from typing import Final

import attrs

from hlomm.domain.outputs import AlertLevel
from hlomm.domain.times import seconds_to_ns
from hlomm.venues.pacing import TokenBucket

RESERVED: Final = 3
"""One place in so many is for what is critical alone."""
SHOWN: Final = 6
CODES_MAX: Final = 500
"""Of alerts whose last time is remembered."""


@attrs.define(eq=False)
class Pace:
    """Times are monotonic seconds of one clock."""

    per_minute: int
    held: Counter[str] = attrs.field(factory=Counter)
    """By code, since they were last told of."""
    _bucket: TokenBucket = attrs.field(init=False)

    @_bucket.default
    def _full(self) -> TokenBucket:
        # Half at once and half in the course of a minute: no minute ever has more than all.
        return TokenBucket(capacity=self.per_minute / 2, refill_per_s=self.per_minute / 120)

    def lets(self, level: AlertLevel, now_s: float) -> bool:
        """Whether a message may be sent now; then its place is taken."""
        keep = 0 if level is AlertLevel.CRITICAL else self._bucket.capacity / RESERVED
        return self._bucket.try_take(1, seconds_to_ns(now_s), keep=keep)

    def hold(self, code: str) -> None:
        """Count a message that is not sent at all."""
        self.held[code] += 1

    def release(self, now_s: float) -> str:
        """What was held back, once there is room to say so; empty if nothing was, or there is no room yet."""
        if not self.held or not self.lets(AlertLevel.INFO, now_s):
            return ""
        text = counted(self.held)
        self.held = Counter()
        return text


def counted(held: Counter[str]) -> str:
    most = ", ".join(f"{count} {code}" for code, count in held.most_common(SHOWN))
    others = len(held) - SHOWN
    return f"{held.total()} more held back: {most}{f' and {others} other kinds' if others > 0 else ''}"


@attrs.define(eq=False)
class Repeats:
    """Alerts of the daemon that repeat themselves."""

    again_s: float
    _last: dict[tuple[str, str], tuple[float, int]] = attrs.field(factory=dict)
    """When each was last sent, and how often it came since."""

    def first(self, code: str, subject: str, now_s: float) -> int | None:
        """How often it came since it was last sent, 0 for the first time; None: not to be sent again yet."""
        key = (code, subject)
        at_s, count = self._last.pop(key, (None, 0))
        if at_s is not None and now_s - at_s < self.again_s:
            self._last[key] = (at_s, count + 1)
            return None
        self._last[key] = (now_s, 0)
        while len(self._last) > CODES_MAX:
            del self._last[next(iter(self._last))]
        return count
