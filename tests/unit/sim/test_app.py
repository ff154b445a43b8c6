"""Rung: a process of its own on loopback, once; and its parts under a mock clock."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from hlomm.sim.app import serve
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import BufferConfig, ListingConfig, SimConfig, SimOptions
from hlomm.sim.hl.venue import funded_accounts
from hlomm.sim.outbox import Outbox, OutboxFull

CONFIG = SimConfig(listing=ListingConfig(warmup_s=6.0))


@pytest.mark.slow
async def test_a_real_client_on_loopback(rest_client: Any, websocket_client: Any) -> None:
    """The one test that opens a port: the announcement is true, REST and websocket answer, the orphan ends."""
    announced: list[bytes] = []
    ready = trio.Event()

    def announce(document: bytes) -> None:
        announced.append(document)
        ready.set()

    options = SimOptions(seed=3, speed=20.0, linger_s=0.2, config=CONFIG)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, options, announce)
            await ready.wait()
            document = json.loads(announced[0])
            assert b"\n" not in announced[0]
            assert document["ready"] is True
            assert document["seed"] == 3
            assert set(document["clock"]) == {"host_origin_ns", "venue_origin_ns", "speed"}
            assert list(document["venues"]) == ["hyperliquid", "polymarket", "kalshi"]
            assert len({place["rest"].split("/")[2] for place in document["venues"].values()}) == 3
            assert all(place["accounts"][0]["name"] == "daemon" for place in document["venues"].values())
            venue = document["venues"]["hyperliquid"]
            assert venue["ws"] == venue["rest"].replace("http", "ws") + "/ws"
            assert venue["chain"] == "Testnet"
            assert set(venue["accounts"][0]) == {
                "address", "key", "agent_key", "agent_address", "guardian_key", "guardian_address", "name",
                "sub_address",
            }  # fmt: skip
            port = int(venue["rest"].rpartition(":")[2])
            rest = rest_client(await trio.open_tcp_stream("127.0.0.1", port))
            assert (await rest.info("meta"))["universe"][0]["name"] == "BTC"
            state = await rest.info("spotClearinghouseState", user=venue["accounts"][0]["address"])
            assert state["balances"][0]["total"] == "10000.0"
            ws = websocket_client(await trio.open_tcp_stream("127.0.0.1", port))
            await ws.open()
            await ws.subscribe(type="allMids")
            assert "BTC" in (await ws.until("allMids"))["mids"]
            await rest.stream.aclose()
            await ws.stream.aclose()
    assert len(announced) == 1


def test_accounts_depend_on_the_seed_only() -> None:
    assert funded_accounts(3) == funded_accounts(3)
    keys = [key for seed in (3, 4) for a in funded_accounts(seed) for key in (a.key, a.agent_key)]
    assert len(set(keys)) == len(keys) == 16
    assert [account.name for account in funded_accounts(3)] == ["daemon", "free-1", "free-2", "free-3"]


async def test_venue_clock(autojump_clock: trio.testing.MockClock) -> None:
    clock = VenueClock.starting_now(1_000, speed=4.0)
    assert clock.now_ns() == 1_000
    await trio.sleep(2)
    assert clock.now_ns() == 8_000_001_000
    await clock.sleep_until(16_000_001_000)
    assert trio.current_time() == pytest.approx(4.0)
    await clock.sleep_until(0)
    assert trio.current_time() == pytest.approx(4.0)


async def test_outbox_orders_by_due_time_and_is_bounded(autojump_clock: trio.testing.MockClock) -> None:
    clock = VenueClock.starting_now(0)
    outbox = Outbox(clock, BufferConfig(outbox_frames=8, outbox_bytes=2000))
    outbox.push(b"late", 5_000_000_000)
    outbox.push(b"early", 1_000_000_000)
    assert await outbox.take() == [b"early"]
    assert trio.current_time() == pytest.approx(1.0)

    async def hurry() -> None:
        await trio.sleep(1)
        outbox.push(b"now", 0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hurry)
        assert await outbox.take() == [b"now"]
    assert await outbox.take() == [b"late"]
    with pytest.raises(OutboxFull):
        outbox.push(b"x" * 2001, 0)
    for _ in range(8):
        outbox.push(b"", 0)
    with pytest.raises(OutboxFull):
        outbox.push(None, 0)
    assert len(outbox) == 8
    assert len(await outbox.take()) == 8
