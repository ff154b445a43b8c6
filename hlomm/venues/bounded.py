"""A map that forgets its oldest entries: every memory of a session has a bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedMap(Generic[K, V]):
    """Insertion-ordered map of at most `limit` entries; putting one more drops the oldest and counts it."""

    __slots__ = ("_entries", "dropped", "limit")

    def __init__(self, limit: int) -> None:
        assert limit > 0
        self.limit = limit
        self.dropped = 0
        self._entries: dict[K, V] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def values(self) -> Iterable[V]:
        """From the oldest entry on."""
        return self._entries.values()

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Enter or replace; a replaced entry keeps its age."""
        self._entries[key] = value
        if len(self._entries) > self.limit:
            del self._entries[next(iter(self._entries))]
            self.dropped += 1

    def add(self, key: K, value: V) -> bool:
        """Enter if absent; whether it was."""
        if key in self._entries:
            return False
        self.put(key, value)
        return True

    def pop(self, key: K) -> V | None:
        return self._entries.pop(key, None)
