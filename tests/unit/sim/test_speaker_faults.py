"""Rung: stateful async. Every fault of the switchboard happens on the wire, and is counted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import h11
import pytest
import trio
import trio.testing

from hlomm.sim.config import FlowConfig, ListingConfig, SimConfig
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.harness import SimulatedVenue, simulated_hyperliquid


@pytest.fixture
async def sim(autojump_clock: trio.testing.MockClock) -> AsyncIterator[SimulatedVenue]:
    config = SimConfig(flow=FlowConfig(enabled=False), listing=ListingConfig(warmup_s=6.0))
    async with simulated_hyperliquid(seed=4, config=config) as sim:
        assert trio.lowlevel.current_clock() is autojump_clock, "a test on `sim` must itself ask for autojump_clock"
        yield sim


async def streaming(sim: SimulatedVenue, client: Any) -> Any:
    ws = await client(sim).websocket()
    await ws.subscribe(type="l2Book", coin="BTC", fast=True)
    await ws.until("l2Book")
    return ws


async def test_killed_sockets_end_in_the_middle_of_a_frame(
    autojump_clock: Any, sim: SimulatedVenue, client: Any, gone: Any
) -> None:
    one, other = await streaming(sim, client), await streaming(sim, client)
    sim.faults.arm(FaultName.WS_KILLED)
    for ws in (one, other):
        with pytest.raises(gone) as caught:
            await ws.drain()
        assert caught.value.code is None
    assert sim.faults.injected == {FaultName.WS_KILLED: 1}
    await streaming(sim, client)


async def test_a_silent_socket_lives_and_answers_nothing(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    ws = await streaming(sim, client)
    sim.faults.arm(FaultName.WS_SILENT, FaultArgs(for_s=300.0))
    await trio.sleep(1)
    ws.frames.clear()
    with trio.move_on_after(0.5):
        await ws.next_text()
        ws.frames.clear()
    await ws.send({"method": "ping"})
    await ws.ping(b"x")
    heard = None
    with trio.move_on_after(200):
        heard = await ws.next_text()
    assert heard is None
    with trio.fail_after(200):
        await ws.until("l2Book")


async def test_stalled_data_with_live_pings(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    ws = await streaming(sim, client)
    sim.faults.arm(FaultName.WS_STALLED, FaultArgs(for_s=120.0))
    await trio.sleep(1)
    started = trio.current_time()
    for _ in range(3):
        await trio.sleep(30)
        await ws.send({"method": "ping"})
        await ws.until("pong")
    assert not any("l2Book" in frame for frame in ws.frames)
    assert (await ws.post(1, "info", {"type": "allMids"}))["type"] == "info"
    await ws.until("l2Book")
    assert trio.current_time() - started > 118


async def test_truncated_frames_are_no_json(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    ws = await streaming(sim, client)
    sim.faults.arm(FaultName.FRAME_TRUNCATED, FaultArgs(count=2))
    texts = [await ws.next_text() for _ in range(6)]
    broken = [text for text in texts if not is_json(text)]
    assert len(broken) == 2
    assert all(text.startswith('{"channel":"l2Book"') for text in broken)


async def test_garbage_frames(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    ws = await streaming(sim, client)
    sim.faults.arm(FaultName.FRAME_GARBAGE)
    texts = [await ws.next_text() for _ in range(4)]
    assert sum(not is_json(text) for text in texts) == 1


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


async def test_duplicated_frames(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    ws = await streaming(sim, client)
    sim.faults.arm(FaultName.FRAME_DUPLICATED)
    texts = [await ws.next_text() for _ in range(4)]
    assert len(texts) - len(set(texts)) == 1


async def test_oversized_frames(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    ws = await streaming(sim, client)
    sim.faults.arm(FaultName.FRAME_OVERSIZED)
    sizes = [len(await ws.next_text()) for _ in range(3)]
    assert max(sizes) > 2 << 20


async def test_rest_faults(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    rest = await client(sim).rest()
    sim.faults.arm(FaultName.REST_429, FaultArgs(path="/exchange"))
    assert (await rest.post("/info", {"type": "meta"}))[0] == 200
    assert await rest.post("/exchange", {}) == (429, b"null")
    sim.faults.arm(FaultName.REST_500)
    assert await rest.post("/info", {"type": "meta"}) == (500, b"null")
    sim.faults.arm(FaultName.REST_HTML)
    status, body = await rest.post("/info", {"type": "meta"})
    assert status == 502
    assert body.startswith(b"<html>")
    sim.faults.arm(FaultName.REST_SLOW, FaultArgs(delay_s=9.0))
    started = trio.current_time()
    assert (await rest.post("/info", {"type": "meta"}))[0] == 200
    assert trio.current_time() - started > 9
    assert sim.faults.injected == {
        FaultName.REST_429: 1,
        FaultName.REST_500: 1,
        FaultName.REST_HTML: 1,
        FaultName.REST_SLOW: 1,
    }


async def test_a_refused_request_was_not_carried_out(
    autojump_clock: Any, sim: SimulatedVenue, client: Any, wire: Any
) -> None:
    me = client(sim)
    rest, sign = await me.rest(), me.signer()
    sim.faults.arm(FaultName.REST_500, FaultArgs(path="/exchange"))
    envelope = sign(wire.orders(wire.order(me.asset(), buy=True, px="0.4", sz="100")))
    assert (await rest.post("/exchange", envelope))[0] == 500
    await trio.sleep(2)
    assert await rest.info("openOrders", user=sim.accounts[0].address) == []


async def test_a_lost_reply_hangs_though_the_order_rests(
    autojump_clock: Any, sim: SimulatedVenue, client: Any, wire: Any
) -> None:
    me = client(sim)
    rest, sign = await me.rest(), me.signer()
    sim.faults.arm(FaultName.REPLY_LOST)
    envelope = sign(wire.orders(wire.order(me.asset(), buy=True, px="0.4", sz="100")))
    answered = False
    with trio.move_on_after(30):
        await rest.post("/exchange", envelope)
        answered = True
    assert not answered
    await rest.stream.aclose()
    other = await me.rest()
    assert len(await other.info("openOrders", user=sim.accounts[0].address)) == 1
    await trio.sleep(1)
    assert sim.speaker.clients == 1


async def test_a_lost_reply_ends_the_connection_after_a_minute(
    autojump_clock: Any, sim: SimulatedVenue, client: Any
) -> None:
    me = client(sim)
    rest, sign = await me.rest(), me.signer()
    sim.faults.arm(FaultName.REPLY_LOST)
    started = trio.current_time()
    with pytest.raises(h11.RemoteProtocolError):
        await rest.post("/exchange", sign({"type": "noop"}))
    assert 59 < trio.current_time() - started < 62


async def test_lost_and_late_replies_over_the_websocket(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    me = client(sim)
    ws, sign = await me.websocket(), me.signer()
    sim.faults.arm(FaultName.REPLY_LOST)
    lost = {"type": "action", "payload": sign({"type": "noop"})}
    await ws.send({"method": "post", "id": 1, "request": lost})
    await trio.sleep(1)
    sim.faults.arm(FaultName.REPLY_DELAYED, FaultArgs(delay_s=4.0))
    started = trio.current_time()
    await ws.post(2, "action", sign({"type": "noop"}))
    assert trio.current_time() - started > 4
    assert not any('"id":1' in frame for frame in ws.frames)


async def test_expired_agent_and_refused_nonce(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    me = client(sim)
    rest, sign = await me.rest(), me.signer()
    sim.faults.arm(FaultName.AGENT_EXPIRED)
    assert (await rest.exchange(sign({"type": "noop"})))["response"].endswith("does not exist.")
    sim.faults.clear(FaultName.AGENT_EXPIRED)
    sim.faults.arm(FaultName.NONCE_REFUSED)
    assert (await rest.exchange(sign({"type": "noop"})))["response"].startswith("Invalid nonce")
    assert (await rest.exchange(sign({"type": "noop"})))["status"] == "ok"


async def test_dead_coins_close_the_socket(autojump_clock: Any, sim: SimulatedVenue, client: Any, gone: Any) -> None:
    coin = client(sim).coin("3m")
    await trio.sleep(55)
    sim.faults.arm(FaultName.DEAD_COIN_CLOSES)
    ws = await client(sim).websocket()
    await ws.subscribe(type="bbo", coin=coin)
    with pytest.raises(gone) as caught:
        await ws.next_text()
    assert caught.value.code == 1000


async def test_an_empty_book_shows_on_the_wire(autojump_clock: Any, client: Any) -> None:
    async with simulated_hyperliquid(seed=4, config=SimConfig(listing=ListingConfig(warmup_s=6.0))) as sim:
        me = client(sim)
        sim.faults.arm(FaultName.MAKERS_WITHDRAWN, FaultArgs(side="ask", for_s=20.0))
        await trio.sleep(15)
        rest = await me.rest()
        bids, asks = (await rest.info("l2Book", coin=me.coin()))["levels"]
        assert bids
        assert asks == []
        ws = await me.websocket()
        await ws.subscribe(type="bbo", coin=me.coin())
        assert (await ws.until("bbo"))["bbo"][1] is None
        assert (await ws.until("bbo", lambda data: None not in data["bbo"]))["coin"] == me.coin()


def test_every_fault_is_exercised() -> None:
    """Names every fault once, with the test that provokes it, so that a new one cannot be forgotten."""
    here = {
        FaultName.REPLY_LOST,
        FaultName.REPLY_DELAYED,
        FaultName.WS_KILLED,
        FaultName.WS_SILENT,
        FaultName.WS_STALLED,
        FaultName.FRAME_TRUNCATED,
        FaultName.FRAME_DUPLICATED,
        FaultName.FRAME_OVERSIZED,
        FaultName.FRAME_GARBAGE,
        FaultName.REST_429,
        FaultName.REST_500,
        FaultName.REST_HTML,
        FaultName.REST_SLOW,
        FaultName.NONCE_REFUSED,
        FaultName.AGENT_EXPIRED,
        FaultName.MAKERS_WITHDRAWN,
        FaultName.DEAD_COIN_CLOSES,
    }
    elsewhere = {
        FaultName.MODIFY_REORDERED,  # test_session
        FaultName.FILLS_REPEATED,  # test_session
        FaultName.FILL_BEFORE_REPLY,  # test_speaker
        FaultName.UNKNOWN_OID,  # test_info_shapes
        FaultName.SETTLEMENT_LATE,  # test_market_model
        FaultName.SETTLEMENT_VOID,  # test_market_model
        FaultName.SETTLEMENT_MISSING,  # test_market_model
        FaultName.LISTING_LATE,  # test_buckets
        FaultName.LISTING_MISSING,  # test_buckets
        FaultName.LISTING_RENAMED,  # test_buckets
        FaultName.QUESTION_HIDDEN,  # test_buckets
    }
    of_kalshi = {  # kalshi/test_faults
        FaultName.SEQUENCE_GAP,
        FaultName.BUFFER_OVERFLOW,
        FaultName.AUTH_REFUSED,
        FaultName.TRADING_PAUSED,
        FaultName.EXCHANGE_PAUSED,
        FaultName.MARKET_PAUSED,
        FaultName.PORTFOLIO_LAGGING,
        FaultName.LEVELS_CHANGED,
        FaultName.FEES_CHANGED,
        FaultName.RULES_CHANGED,
    }
    assert here | elsewhere | of_kalshi == set(FaultName)
