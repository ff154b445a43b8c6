"""Daemons of all kinds on a real Unix socket, and a client that meets them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hlomm.link.protocol import (
    VERSION,
    Frames,
    Hello,
    ToClient,
    ToDaemon,
    Update,
    Watch,
    Welcome,
    decode_to_daemon,
    encode,
)
from tests.tui.examples import snapshot
from tui.client import Client, Event, Times

QUICK = Times(
    connect_s=1, welcome_s=0.05, silence_s=0.1, command_s=0.05, pause_first_s=0.005, pause_last_s=0.02, watch_ms=250
)
PATIENT = Times(pause_first_s=0.005, pause_last_s=0.02)
WELCOME = Welcome(version=VERSION, pid=42, profile="sim")


class Peer:
    """The daemon's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = Frames()
        self._waiting: list[ToDaemon] = []

    async def read(self) -> ToDaemon:
        while not self._waiting:
            data = await self._reader.read(65_536)
            if not data:
                raise EOFError
            self._waiting += [decode_to_daemon(body) for body in self._frames.feed(data)]
        return self._waiting.pop(0)

    async def send(self, *messages: ToClient) -> None:
        await self.raw(b"".join(encode(message) for message in messages))

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def welcome(self) -> Watch:
        """The usual beginning."""
        assert isinstance(await self.read(), Hello)
        await self.send(WELCOME)
        watch = await self.read()
        assert isinstance(watch, Watch)
        return watch

    async def until_closed(self) -> None:
        try:
            while True:
                await self.read()
        except (EOFError, ConnectionError):
            return


Script = Callable[[Peer], Awaitable[None]]


class World:
    """A client, what it delivered, and servers that come and go."""

    def __init__(self, path: Path, times: Times, **options: Any) -> None:
        self.path = path
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self.client = Client(path, self._deliver, times, **options)
        self.connections = 0

    def _deliver(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    async def until(self, kind: type[Event], count: int = 1) -> Event:
        """The count-th event of that kind."""
        async with asyncio.timeout(5):
            while True:
                found = [event for event in self.events if isinstance(event, kind)]
                if len(found) >= count:
                    return found[count - 1]
                self._news.clear()
                await self._news.wait()

    @asynccontextmanager
    async def serving(self, *scripts: Script) -> AsyncIterator[None]:
        """Connection n is played by script n, further ones by the last."""
        tasks: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            script = scripts[min(self.connections, len(scripts) - 1)]
            self.connections += 1
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await script(Peer(reader, writer))
            except (EOFError, ConnectionError, asyncio.CancelledError):
                pass  # the client has left, or the test is over
            finally:
                writer.close()

        server = await asyncio.start_unix_server(handle, self.path)
        try:
            yield
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.path.unlink(missing_ok=True)


@asynccontextmanager
async def world(path: Path, times: Times = PATIENT, **options: Any) -> AsyncIterator[World]:
    made = World(path, times, **options)
    running = asyncio.create_task(made.client.run())
    try:
        yield made
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def updates(peer: Peer) -> None:
    watch = await peer.welcome()
    while True:
        await peer.send(Update(id=watch.id, snapshot=snapshot()))
        await asyncio.sleep(0.01)
