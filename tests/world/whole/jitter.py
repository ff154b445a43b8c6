"""A connection whose bytes come a little late, by chance: what travels on two of them arrives in either order."""

from __future__ import annotations

import random
from typing import Final

import attrs
import trio

from hlomm.sim.harness import SimulatedVenue

LATE_SHARE: Final = 0.3
"""Of all reads; the others are on time."""
MEAN_S: Final = 0.02


@attrs.define(eq=False)
class Jittery(trio.abc.Stream):
    _inner: trio.abc.Stream
    _rng: random.Random

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._rng.random() < LATE_SHARE:
            await trio.sleep(self._rng.expovariate(1 / MEAN_S))  # before the read: cancelled here, nothing is lost
        return await self._inner.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._inner.aclose()


@attrs.define(eq=False)
class Roads:
    """All ways to the venue, each with a chance of its own."""

    _sim: SimulatedVenue
    _seed: int
    _laid: int = 0

    async def connect(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        stream = await self._sim.connect(host, port, tls)
        self._laid += 1
        return Jittery(stream, random.Random(f"{self._seed}/{self._laid}"))
