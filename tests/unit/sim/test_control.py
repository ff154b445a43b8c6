"""Control requests are answered alike whichever venue is asked: in its own words, on loopback alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from hlomm.sim.harness_town import simulated_town
from hlomm.sim.speaker import Speaker

NAMES = ("hyperliquid", "polymarket", "kalshi")


async def asked(speaker: Speaker, body: bytes, *, method: str = "POST", address: str = "127.0.0.1") -> tuple[int, str]:
    """Status and body of the answer to a request to `/sim`."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.serve_stream, theirs, address)
        head = f"{method} /sim HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        await ours.send_all(head.encode() + body)
        answer = b"".join([bytes(chunk) async for chunk in ours])
    top, _, rest = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), rest.decode()


@pytest.mark.parametrize("name", NAMES)
async def test_the_truth_faults_and_nonsense(name: str, autojump_clock: trio.testing.MockClock) -> None:
    async with simulated_town(seed=5) as town:
        speaker: Any = getattr(town, name).speaker
        status, text = await asked(speaker, b'{"type":"state"}')
        assert (status, json.loads(text)["conservation_ok"]) == (200, True)
        assert await asked(speaker, b'{"type":"fault","name":"rest_500"}') == (200, '{"armed":["rest_500"]}')
        assert await asked(speaker, b'{"type":"clear"}') == (200, '{"armed":[]}')
        bad = b'{"type":"fault","name":"nope"}', b'{"type":"fault","name":"rest_500","args":{"count":-1}}', b"{}", b"[]"
        for request in bad:
            status, text = await asked(speaker, request)
            assert status == 422
            assert any(word in text for word in ("unknown fault 'nope'", "fault.count", "expected type state"))
        status, text = await asked(speaker, b"{")
        assert (status, "as JSON" in text) == (400, True)


@pytest.mark.parametrize("name", NAMES)
async def test_it_is_for_loopback_only(name: str, autojump_clock: trio.testing.MockClock) -> None:
    async with simulated_town(seed=5) as town:
        sim: Any = getattr(town, name)
        assert (await asked(sim.speaker, b'{"type":"state"}', address="192.0.2.1"))[0] == 404
        assert (await asked(sim.speaker, b"", method="GET"))[0] == 404
        assert (await asked(sim.speaker, b'{"type":"fault","name":"ws_silent"}', address="::1"))[0] == 200
        assert sim.faults.armed() == ["ws_silent"]
