"""How long to wait before a connection is tried again: longer after each failure in a row, spread by a seed."""

from __future__ import annotations

import random
from typing import Protocol

import attrs

from hlomm.domain.times import seconds_to_ns
from hlomm.venues.clock import Clock
from hlomm.venues.pacing import backoff_s


class Pace(Protocol):
    """In venue seconds."""

    @property
    def reconnect_base_s(self) -> float: ...
    @property
    def reconnect_cap_s(self) -> float: ...
    @property
    def stable_after_s(self) -> float:
        """A connection that lived so long was no failure."""

    @property
    def jitter_seed(self) -> int: ...


@attrs.define(eq=False)
class Reconnects:
    _pace: Pace
    _clock: Clock
    _failures: int = attrs.field(init=False, default=0)
    _jitter: random.Random = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._jitter = random.Random(self._pace.jitter_seed)  # noqa: S311 - spreads reconnects, guards nothing

    def begin(self) -> None:
        """Nothing has failed yet."""
        self._failures = 0

    def pause_s(self, lived_ns: int) -> float:
        """Venue seconds before the next attempt, after a connection that was usable for that much host time."""
        stable = lived_ns >= seconds_to_ns(self._clock.host_seconds(self._pace.stable_after_s))
        self._failures = 0 if stable else self._failures + 1
        return backoff_s(
            max(self._failures - 1, 0), base_s=self._pace.reconnect_base_s, cap_s=self._pace.reconnect_cap_s,
            jitter=self._jitter.random(),
        )  # fmt: skip
