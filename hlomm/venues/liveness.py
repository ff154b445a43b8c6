"""Is the connection alive (venue sheet section 1.1). Pure: readings of the host's monotonic clock come in.

The server closes what it had nothing to send on for 60 s, so a ping goes out regularly. A market may be quiet for
long and that is no fault; but silence on every stream is worth a ping at once, and only a ping without pong is the
sign of a dead connection, half-open ones included.
"""

from __future__ import annotations

from enum import Enum

import attrs


class Verdict(Enum):
    ALIVE = "alive"
    PING = "ping"
    DEAD = "dead"


@attrs.define(eq=False, kw_only=True)
class Liveness:
    """Clockwork of one connection; all figures in nanoseconds."""

    ping_every: int
    pong_within: int
    silence: int
    opened: int
    last_data: int = attrs.field(init=False)
    _last_ping: int = attrs.field(init=False)
    _awaiting_since: int | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.last_data = self._last_ping = self.opened

    def on_data(self, now: int) -> None:
        self.last_data = now

    def on_pong(self) -> None:
        self._awaiting_since = None

    def check(self, now: int) -> Verdict:
        """What to do now. A PING verdict counts as sent."""
        if self._awaiting_since is not None:
            return Verdict.DEAD if now - self._awaiting_since >= self.pong_within else Verdict.ALIVE
        if now < self._next_ping():
            return Verdict.ALIVE
        self._last_ping = self._awaiting_since = now
        return Verdict.PING

    def _next_ping(self) -> int:
        # Once silent, the last ping is the latest sign that the connection was looked at.
        return min(self._last_ping + self.ping_every, max(self.last_data, self._last_ping) + self.silence)

    def wait(self, now: int) -> int:
        """Nanoseconds until `check` is worth calling again, at least 1."""
        due = self._next_ping() if self._awaiting_since is None else self._awaiting_since + self.pong_within
        # Once the pong is there the next ping may be due before that deadline: periods shrink with a faster clock.
        return max(min(due - now, self.ping_every, self.silence), 1)
