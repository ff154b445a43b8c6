"""Counts durations in buckets that grow with them, so that nothing is forgotten and every percentile is near.

Buckets as in an HDR histogram: sixteen of equal width for each doubling. Recording one costs an index and an addition,
whatever was recorded before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

SUB_BITS: Final = 4
_SUB: Final = 1 << SUB_BITS
_LONGEST_BITS: Final = 40
"""About 18 minutes; what is longer counts as that long (`longest` still has it)."""
_BUCKETS: Final = (_LONGEST_BITS - SUB_BITS + 1) * _SUB


class Histogram:
    """Durations in nanoseconds."""

    __slots__ = ("_counts", "count", "longest", "total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.longest = 0
        self.total = 0
        """All of them added up."""

    def add(self, duration_ns: int) -> None:
        """A clock that went backwards counts as no time."""
        value = max(0, duration_ns)
        self._counts[_index(value)] += 1
        self.count += 1
        self.total += value
        self.longest = max(self.longest, value)

    def percentile(self, share: float) -> int:
        """Least duration that at least this share (0 to 1) of all does not exceed, rounded up to its bucket's end."""
        return self.percentiles((share,))[0]

    def percentiles(self, shares: Sequence[float]) -> list[int]:
        """The same of several shares in one look; 0 where nothing was recorded."""
        reached = list(accumulate(self._counts))
        ranks = (max(-(-self.count * round(share * 10_000) // 10_000), 1) for share in shares)
        places = (bisect_left(reached, rank) for rank in ranks)
        return [min(_end(place), self.longest) if place < _BUCKETS else 0 for place in places]

    def up_to(self, durations_ns: Sequence[int]) -> list[int]:
        """How many were not longer than each of these, or than the end of the bucket that it falls into."""
        reached = list(accumulate(self._counts))
        return [reached[_index(duration)] for duration in durations_ns]

    def copy(self) -> Histogram:
        made = Histogram()
        made._counts, made.count, made.total, made.longest = [*self._counts], self.count, self.total, self.longest
        return made

    def since(self, earlier: Histogram) -> Histogram:
        """What was added after `earlier` was copied from here. Its longest is known to its bucket, or a new record."""
        made = Histogram()
        made._counts = [now - before for now, before in zip(self._counts, earlier._counts, strict=True)]
        made.count, made.total = self.count - earlier.count, self.total - earlier.total
        last = next((place for place in reversed(range(_BUCKETS)) if made._counts[place]), None)
        if last is not None:
            made.longest = self.longest if self.longest > earlier.longest else min(_end(last), self.longest)
        return made

    def clear(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = self.longest = self.total = 0


def _index(value: int) -> int:
    """The bucket of a duration."""
    shift = value.bit_length() - SUB_BITS - 1
    index = value if shift < 0 else (shift << SUB_BITS) + (value >> shift)
    return index if index < _BUCKETS else -1


def _end(index: int) -> int:
    """Longest duration that falls into a bucket."""
    shift = (index >> SUB_BITS) - 1
    return index if shift < 0 else ((_SUB + (index & (_SUB - 1)) + 1) << shift) - 1
