"""The network between a client and a simulator in one process, and its total loss.

Unplugged, it behaves as a lost route does, which is worse than a refusal: bytes vanish without a word, answers do not
come, new connections hang until their maker gives up. Connections that lost bytes stay dead after it is plugged in.
"""

from __future__ import annotations

import attrs
import trio


@attrs.define(eq=False)
class Cable:
    """Counts what it swallowed. `lay` puts a connection through it."""

    cuts: int = 0
    swallowed: int = 0
    """Writes that vanished, either way."""
    hung: int = 0
    """Connections that were asked for while unplugged."""
    _plugged: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._plugged.set()

    @property
    def plugged(self) -> bool:
        return self._plugged.is_set()

    def unplug(self) -> None:
        if self.plugged:
            self.cuts += 1
            self._plugged = trio.Event()

    def plug(self) -> None:
        self._plugged.set()

    async def hold(self) -> None:
        """Wait for the network, as somebody does who connects."""
        if not self.plugged:
            self.hung += 1
        await self._plugged.wait()

    def lay(self, stream: trio.abc.Stream) -> trio.abc.Stream:
        """The same connection, through this cable."""
        return _Lead(self, stream, self.cuts)


@attrs.define(eq=False)
class _Lead(trio.abc.Stream):
    _cable: Cable
    _inner: trio.abc.Stream
    _laid: int
    """Cuts before it was laid."""
    _closed: trio.Event = attrs.field(factory=trio.Event)

    def _dead(self) -> bool:
        return self._cable.cuts > self._laid

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._dead():
            self._cable.swallowed += 1
            await trio.lowlevel.checkpoint()
            return
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._dead():
            return await self._silence()
        data = await self._inner.receive_some(max_bytes)
        if self._dead():
            self._cable.swallowed += 1
            return await self._silence()
        return data

    async def _silence(self) -> bytes:
        await self._closed.wait()
        raise trio.ClosedResourceError

    async def aclose(self) -> None:
        self._closed.set()
        await self._inner.aclose()
