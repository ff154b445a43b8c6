"""Nonces of one signer (venue sheet section 4.4): strictly rising, close to the clock, whatever the clock does."""

from __future__ import annotations


class Nonces:
    """`max(last + 1, now_ms)`: unique within the process even when the clock stands still or steps back.

    One object per signing key; two processes on one key would still collide.
    """

    __slots__ = ("_last",)

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def take(self, now_ms: int) -> int:
        """The next nonce; `now_ms` is the wall clock in unix milliseconds."""
        self._last = max(self._last + 1, now_ms)
        return self._last
