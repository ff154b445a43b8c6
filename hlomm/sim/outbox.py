"""Frames waiting to be written to one connection: ordered by the time they are due, bounded, one reader."""

from __future__ import annotations

import heapq
import math

import trio

from hlomm.sim.clock import VenueClock
from hlomm.sim.config import BufferConfig


class OutboxFull(Exception):  # noqa: N818 - the peer is too slow and will be dropped
    """More waits for the peer than the bound allows."""


class Outbox:
    """A venue message reaches the client some time after it was decided; this is where it travels."""

    def __init__(self, clock: VenueClock, bounds: BufferConfig) -> None:
        self._clock = clock
        self._bounds = bounds
        self._heap: list[tuple[int, int, bytes | None]] = []
        self._bytes = 0
        self._count = 0
        self._changed = trio.Event()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, payload: bytes | None, due_ns: int) -> None:
        """Queue a frame; None asks the reader to stop after what is due before it. OutboxFull beyond the bound."""
        size = 0 if payload is None else len(payload)
        if len(self._heap) >= self._bounds.outbox_frames or self._bytes + size > self._bounds.outbox_bytes:
            raise OutboxFull
        self._count += 1
        self._bytes += size
        heapq.heappush(self._heap, (due_ns, self._count, payload))
        if self._heap[0][1] == self._count:
            self._changed.set()

    async def take(self) -> list[bytes | None]:
        """Wait until something is due and return all that is, in order."""
        await trio.lowlevel.checkpoint()
        while not self._heap or self._heap[0][0] > self._clock.now_ns():
            self._changed = trio.Event()
            deadline = self._clock.trio_time(self._heap[0][0]) if self._heap else math.inf
            with trio.move_on_at(deadline):
                await self._changed.wait()
        return self._pop_due()

    def _pop_due(self) -> list[bytes | None]:
        now_ns = self._clock.now_ns()
        due: list[bytes | None] = []
        while self._heap and self._heap[0][0] <= now_ns:
            payload = heapq.heappop(self._heap)[2]
            self._bytes -= 0 if payload is None else len(payload)
            due.append(payload)
        return due
