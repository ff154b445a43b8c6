"""Counts durations in buckets that grow with them, so that nothing is forgotten and every percentile is near.

Buckets as in an HDR histogram: sixteen of equal width for each doubling. Recording one costs an index and an addition,
whatever was recorded before.
"""

from __future__ import annotations

from typing import Final

SUB_BITS: Final = 4
_SUB: Final = 1 << SUB_BITS
_LONGEST_BITS: Final = 40
"""About 18 minutes; what is longer counts as that long (`longest` still has it)."""
_BUCKETS: Final = (_LONGEST_BITS - SUB_BITS + 1) * _SUB


class Histogram:
    """Durations in nanoseconds."""

    __slots__ = ("_counts", "count", "longest")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.longest = 0

    def add(self, duration_ns: int) -> None:
        """A clock that went backwards counts as no time."""
        value = max(0, duration_ns)
        shift = value.bit_length() - SUB_BITS - 1
        index = value if shift < 0 else (shift << SUB_BITS) + (value >> shift)
        self._counts[index if index < _BUCKETS else -1] += 1
        self.count += 1
        self.longest = max(self.longest, value)

    def percentile(self, share: float) -> int:
        """Least duration that at least this share (0 to 1) of all does not exceed, rounded up to its bucket's end."""
        wanted, seen = max(-(-self.count * round(share * 10_000) // 10_000), 1), 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return min(_end(index), self.longest)
        return 0

    def clear(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = self.longest = 0


def _end(index: int) -> int:
    """Longest duration that falls into a bucket."""
    shift = (index >> SUB_BITS) - 1
    return index if shift < 0 else ((_SUB + (index & (_SUB - 1)) + 1) << shift) - 1
