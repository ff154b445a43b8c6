"""The mempool and the order of execution inside a block (venue sheet 4.5).

Actions wait until the first block after they reached the sequencer. Inside a block, actions without GTC or IOC run
first, then cancels, then everything with a GTC or IOC; within a class first come, first served.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import IntEnum

import attrs


class ActionClass(IntEnum):
    """Order of execution inside a block."""

    PASSIVE = 0
    """Post-only orders and everything that is neither a cancel nor aggressive."""
    CANCEL = 1
    AGGRESSIVE = 2


@attrs.frozen
class _Waiting:
    klass: ActionClass
    run: Callable[[], None]


class MempoolFull(Exception):  # noqa: N818 - a state, met by the caller with a refusal
    """More actions wait than the sequencer is willing to hold."""


class Sequencer:
    """Holds submitted actions until their block. `run` callbacks are executed by whoever takes them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, int, _Waiting]] = []
        self._count = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._heap)

    def submit(self, arrival_ns: int, klass: ActionClass, run: Callable[[], None]) -> None:
        """Queue an action that reaches the sequencer at `arrival_ns`; MempoolFull when the bound is hit."""
        if len(self._heap) >= self._limit:
            self.refused += 1
            raise MempoolFull
        self._count += 1
        heapq.heappush(self._heap, (arrival_ns, self._count, _Waiting(klass, run)))

    def take(self, block_ns: int) -> list[Callable[[], None]]:
        """The actions of the block at `block_ns`, in order of execution."""
        due: list[tuple[ActionClass, int, Callable[[], None]]] = []
        while self._heap and self._heap[0][0] <= block_ns:
            _, _, waiting = heapq.heappop(self._heap)
            due.append((waiting.klass, len(due), waiting.run))
        due.sort(key=lambda item: item[:2])
        return [run for _, _, run in due]
