"""A resolver that hangs or fails: who waits for it, how long, and what is known all the same."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.venues import names
from hlomm.venues.http_client import HttpLimits
from hlomm.venues.socket_stream import open_stream
from hlomm.venues.transport import Transport

_FEW = 50
"""More than all threads that trio shares."""


@attrs.define(eq=False)
class Resolver:
    """The platform's, which may be told to hang or to fail."""

    asked: int = 0
    fails: bool = False
    answers: threading.Event = attrs.field(factory=threading.Event)

    def __call__(self, *question: Any, _real: Any = socket.getaddrinfo) -> Any:
        if question[-1] & socket.AI_NUMERICHOST:
            return _real(*question)
        self.asked += 1
        self.answers.wait()
        if self.fails:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return _real("127.0.0.1", *question[1:])


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    monkeypatch.setattr(names, "KNOWN_S", 0.02)
    monkeypatch.setattr(names, "UNKNOWN_S", 0.05)
    yield made
    made.answers.set()


async def _knock(host: str, port: int) -> None:
    stream = await open_stream(host, port, False)
    await stream.aclose()


async def test_names_that_hang_keep_neither_the_disk_nor_another_venue_waiting(resolver: Resolver) -> None:
    async def try_it() -> None:
        with pytest.raises(OSError, match=r"was not looked up in 0\.05 s: see to this machine's resolver"):
            await _knock("venue.test", 9)

    async with trio.open_nursery() as nursery:
        for _ in range(_FEW):
            nursery.start_soon(try_it)
    assert resolver.asked == names.LOOKUPS_MAX, "those that nobody waits for any more are still under way"
    with trio.fail_after(1):
        await trio.to_thread.run_sync(lambda: None)  # as a sync of the journal
    with pytest.raises(OSError, match=r"other\.test"):
        await _knock("other.test", 9)
    assert resolver.asked == names.LOOKUPS_MAX + 1, "it was asked for, whatever the first one does"


@pytest.mark.parametrize("fails", [False, True], ids=["hangs", "fails"])
async def test_an_address_that_was_known_is_gone_to_without_a_resolver(resolver: Resolver, *, fails: bool) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with listener:
        resolver.answers.set()
        await _knock("venue.test", port)
        resolver.fails = fails
        if not fails:
            resolver.answers.clear()
        with trio.fail_after(1):
            await _knock("venue.test", port)
        assert resolver.asked == 2, "it is asked anew each time: addresses change"


async def test_a_name_that_never_was_known_is_said_to_be_the_matter(resolver: Resolver) -> None:
    resolver.fails = True
    resolver.answers.set()
    async with Transport().http("http://venue.test:9", HttpLimits()) as client:
        with pytest.raises(VenueUnavailable, match="Temporary failure in name resolution"):
            await client.post("/info", b"{}")
