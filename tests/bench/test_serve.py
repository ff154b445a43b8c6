"""The loopback venue's side of a websocket: whoever is fed may write as much as it likes before it reads."""

from __future__ import annotations

import trio
import trio.testing
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import Ping, TextMessage

from hlomm.bench.serve import Link
from hlomm.bench.venue import BenchVenue

PING = '{"method":"ping"}'


async def test_what_a_client_writes_is_heard_while_it_does_not_read(autojump_clock: object) -> None:
    """Each would wait for the other: the venue for its book to be read, the client for its orders."""
    client, server = trio.testing.lockstep_stream_pair()
    link, ours = Link(BenchVenue(), server), Connection(ConnectionType.CLIENT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.run, Connection(ConnectionType.SERVER), b"")
        nursery.start_soon(link.send, [b"a book that nobody reads yet"])
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(1):
            for _ in range(20):
                await client.send_all(ours.send(TextMessage(data=PING)))
                await client.send_all(ours.send(Ping()))
        told: list[str] = []
        with trio.fail_after(1):
            while len(told) < 21:
                ours.receive_data(bytes(await client.receive_some(65_536)))
                told += [event.data for event in ours.events() if isinstance(event, TextMessage)]
        assert told[0] == "a book that nobody reads yet"
        assert all("pong" in one for one in told[1:])
        await client.aclose()
