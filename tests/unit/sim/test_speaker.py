"""Rung: stateful async. REST, websocket and control over memory streams under a mock clock; nothing sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from hlomm.sim.config import BufferConfig, FlowConfig, ListingConfig, RulesConfig, SimConfig
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.sim.hl.venue import Venue
from hlomm.sim.speak_hyperliquid import HyperliquidSpeaker

CLOID = "0x" + "1" * 32


def calm_with(rules: RulesConfig | None = None, buffers: BufferConfig | None = None) -> SimConfig:
    return SimConfig(
        flow=FlowConfig(enabled=False),
        listing=ListingConfig(warmup_s=6.0),
        rules=rules or RulesConfig(),
        buffers=buffers or BufferConfig(),
    )


@pytest.fixture
async def sim(autojump_clock: trio.testing.MockClock) -> AsyncIterator[SimulatedVenue]:
    async with simulated_hyperliquid(seed=4, config=calm_with()) as sim:
        assert trio.lowlevel.current_clock() is autojump_clock, "a test on `sim` must itself ask for autojump_clock"
        yield sim


async def test_http_failures_have_the_recorded_bodies(
    autojump_clock: Any, sim: SimulatedVenue, client: Any, shared: Any, golden: Callable[[str], Any]
) -> None:
    del shared
    rest = await client(sim).rest()
    rows = {row["status"]: row["body"] for row in golden("error_strings.json")["http"] if row["status"] >= 400}
    cases = [
        (400, "/info", b"{", "application/json"),
        (415, "/info", b"{}", "text/plain"),
        (422, "/info", b'{"type":"conquer"}', "application/json"),
        (422, "/exchange", b'{"action":{"type":"noop"}}', "application/json"),
        (500, "/info", b'{"type":"recentTrades","coin":"#10"}', "application/json"),
    ]
    for status, path, body, content_type in cases:
        assert await rest.post(path, body, content_type=content_type) == (status, rows[status].encode())
    assert (await rest.request("GET", "/info", b"", content_type="application/json"))[0] == 404
    assert (await rest.post("/elsewhere", {}))[0] == 404


async def test_ip_weight_answers_429_null_and_recovers(autojump_clock: Any, client: Any) -> None:
    async with simulated_hyperliquid(config=calm_with(RulesConfig(ip_weight_per_min=45))) as sim:
        rest = await client(sim).rest()
        assert [(await rest.post("/info", {"type": "meta"}))[0] for _ in range(3)] == [200, 200, 429]
        assert await rest.post("/info", {"type": "meta"}) == (429, b"null")
        await trio.sleep(61)
        assert (await rest.post("/info", {"type": "meta"}))[0] == 200
        assert sim.speaker.statistics()["ip_weight"] == 2


async def test_an_order_over_rest(autojump_clock: Any, sim: SimulatedVenue, client: Any, wire: Any) -> None:
    me = client(sim)
    rest, sign = await me.rest(), me.signer()
    started = trio.current_time()
    reply = await rest.exchange(sign(wire.orders(wire.order(me.asset(), buy=True, px="0.4", sz="100", cloid=CLOID))))
    assert 0.25 <= trio.current_time() - started <= 0.42
    oid = reply["response"]["data"]["statuses"][0]["resting"]["oid"]
    (row,) = await rest.info("frontendOpenOrders", user=sim.accounts[0].address)
    assert (row["oid"], row["coin"], row["tif"]) == (oid, me.coin(), "Alo")
    status = await rest.info("orderStatus", user=sim.accounts[0].address, oid=CLOID)
    assert status["order"]["status"] == "open"


async def test_venue_time_runs_with_the_clock_and_the_map_agrees(
    autojump_clock: Any, sim: SimulatedVenue, client: Any
) -> None:
    before = (await (await client(sim).rest()).info("exchangeStatus"))["time"]
    await trio.sleep(600)
    after = (await (await client(sim).rest()).info("exchangeStatus"))["time"]
    assert after - before == pytest.approx(600_000, abs=200)
    assert sim.clock_map.venue_ns(read_host().wall_ns) == pytest.approx(sim.clock.now_ns(), abs=1000)


async def test_speed_multiplies_venue_time(autojump_clock: Any, client: Any, wire: Any) -> None:
    async with simulated_hyperliquid(config=calm_with(), speed=20.0) as sim:
        me = client(sim)
        rest, sign = await me.rest(), me.signer()
        started, venue = trio.current_time(), sim.clock.now_ns()
        await rest.exchange(sign(wire.orders(wire.order(me.asset(), buy=True, px="0.4", sz="100"))))
        assert trio.current_time() - started < 0.03
        await trio.sleep(6)
        assert sim.clock.now_ns() - venue > 119 * 10**9
        assert sim.venue.world.blocks > 1700


async def test_websocket_life(autojump_clock: Any, sim: SimulatedVenue, client: Any, gone: Any) -> None:
    ws = await client(sim).websocket()
    assert sim.speaker.statistics()["websockets"] == 1
    await ws.send({"method": "ping"})
    assert await ws.next() == {"channel": "pong"}
    await ws.ping(b"abc")
    await ws.until("control-pong")
    assert ws.pongs == [b"abc"]
    await ws.subscribe(type="l2Book", coin="BTC", fast=True)
    await ws.until("subscriptionResponse")
    for _ in range(5):
        assert (await ws.until("l2Book"))["fast"] is True
    from wsproto.events import CloseConnection

    await ws.stream.send_all(ws.ws.send(CloseConnection(code=1000)))
    with pytest.raises(gone) as caught:
        await ws.drain()
    assert caught.value.code == 1000
    await trio.sleep(1)
    assert sim.speaker.statistics()["websockets"] == 0
    assert sim.speaker.clients == 0


async def test_a_client_that_leaves_without_a_word_is_forgotten(
    autojump_clock: Any, sim: SimulatedVenue, client: Any
) -> None:
    ws = await client(sim).websocket()
    await ws.subscribe(type="allMids")
    await ws.stream.aclose()
    await trio.sleep(3)
    assert sim.speaker.statistics()["websockets"] == 0
    rest = await client(sim).rest()
    await rest.stream.aclose()
    await trio.sleep(1)
    assert sim.speaker.clients == 0


async def test_order_entry_over_the_websocket_and_its_streams(autojump_clock: Any, client: Any, wire: Any) -> None:
    async with simulated_hyperliquid(seed=4, config=SimConfig(listing=ListingConfig(warmup_s=6.0))) as sim:
        me = client(sim)
        ws, sign, user = await me.websocket(), me.signer(), sim.accounts[0].address
        for kind in ("orderUpdates", "userFills", "spotState"):
            await ws.subscribe(type=kind, user=user)
            await ws.until("subscriptionResponse")
        book = await (await me.rest()).info("l2Book", coin=me.coin())
        ask = book["levels"][1][0]["px"]
        taker = wire.order(me.asset(), buy=True, px=str(round(float(ask) + 0.1, 5)), sz="25", tif="Ioc")
        response = await ws.post(7, "action", sign(wire.orders(taker)))
        filled = response["payload"]["response"]["data"]["statuses"][0]["filled"]
        fills = await ws.until("userFills", lambda data: "isSnapshot" not in data)
        assert sum(float(fill["sz"]) for fill in fills["fills"]) == 25.0
        assert {fill["oid"] for fill in fills["fills"]} == {filled["oid"]}
        state = sim.state()
        assert state["conservation_ok"] is True


async def test_the_reply_comes_before_the_fill_unless_a_fault_says_otherwise(
    autojump_clock: Any, client: Any, wire: Any
) -> None:
    async with simulated_hyperliquid(seed=4, config=SimConfig(listing=ListingConfig(warmup_s=6.0))) as sim:
        me = client(sim)
        ws, sign = await me.websocket(), me.signer()
        await ws.subscribe(type="userFills", user=sim.accounts[0].address)
        await ws.until("userFills")
        order = wire.order(me.asset(), buy=True, px="0.95", sz="25", tif="Ioc")
        for number, first in ((1, "post"), (2, "userFills")):
            if number == 2:
                sim.faults.arm("fill_before_reply")
            payload = sign(wire.orders(order))
            await ws.send({"method": "post", "id": number, "request": {"type": "action", "payload": payload}})
            channels = [(await ws.next())["channel"], (await ws.next())["channel"]]
            assert channels[0] == first
            assert set(channels) == {"post", "userFills"}


async def test_silence_closes_after_a_minute_and_pings_prevent_it(
    autojump_clock: Any, sim: SimulatedVenue, client: Any, gone: Any
) -> None:
    quiet, busy = await client(sim).websocket(), await client(sim).websocket()
    started = trio.current_time()
    for _ in range(4):
        await trio.sleep(30)
        await busy.send({"method": "ping"})
        assert await busy.until("pong") is None
    with pytest.raises(gone):
        await quiet.next_text()
    assert trio.current_time() - started >= 120
    assert sim.speaker.statistics()["silence_closes"] == 1


async def test_connections_are_limited(autojump_clock: Any, client: Any, websocket_client: Any) -> None:
    async with simulated_hyperliquid(config=calm_with(RulesConfig(ws_connections=2, ws_new_per_min=4))) as sim:
        first, _second = await client(sim).websocket(), await client(sim).websocket()
        refused = websocket_client(await sim.connect("sim", 80, False))
        with pytest.raises(AssertionError, match="RejectConnection"):
            await refused.open()
        await first.stream.aclose()
        await trio.sleep(1)
        await client(sim).websocket()
        assert sim.speaker.statistics()["ws_refused"] == 1


async def test_other_paths_are_no_websockets(autojump_clock: Any, sim: SimulatedVenue, websocket_client: Any) -> None:
    ws = websocket_client(await sim.connect("sim", 80, False))
    with pytest.raises(AssertionError, match="RejectConnection"):
        await ws.open("/elsewhere")


async def test_a_consumer_that_does_not_read_is_disconnected(autojump_clock: Any, websocket_client: Any) -> None:
    """Its queue is bounded: the venue lets go of it and serves the others."""
    buffers = BufferConfig(outbox_frames=50)
    async with simulated_hyperliquid(config=calm_with(buffers=buffers)) as sim, trio.open_nursery() as nursery:
        ours, theirs = trio.testing.lockstep_stream_pair()  # a write waits until it is read
        nursery.start_soon(sim.speaker.serve_stream, theirs)
        socket = websocket_client(ours)
        await socket.open()
        await socket.next_text()
        await socket.subscribe(type="l2Book", coin="BTC", fast=True)
        await trio.sleep(120)
        assert sim.speaker.statistics()["slow_consumers"] == 1
        await ours.aclose()


async def test_oversized_bodies_and_messages_are_refused(autojump_clock: Any, client: Any, gone: Any) -> None:
    buffers = BufferConfig(body_bytes=2000)
    async with simulated_hyperliquid(config=calm_with(buffers=buffers)) as sim:
        rest = await client(sim).rest()
        assert (await rest.post("/info", b" " * 5000))[0] == 413
        ws = await client(sim).websocket()
        await ws.send("x" * 5000)
        with pytest.raises(gone) as caught:
            await ws.next_text()
        assert caught.value.code == 1009


async def test_garbage_on_the_port_is_answered_or_dropped(autojump_clock: Any, sim: SimulatedVenue) -> None:
    stream = await sim.connect("sim", 80, False)
    await stream.send_all(b"\x16\x03\x01 hello\r\n\r\n")
    assert b"400" in await stream.receive_some(1000)
    assert await stream.receive_some(1000) == b""
    idle = await sim.connect("sim", 80, False)
    await trio.sleep(80)
    assert await idle.receive_some(1000) == b""


async def test_control_tells_the_truth_and_arms_faults(
    autojump_clock: Any, sim: SimulatedVenue, client: Any, wire: Any
) -> None:
    me = client(sim)
    rest, sign = await me.rest(), me.signer()
    await rest.exchange(sign(wire.orders(wire.order(me.asset(), buy=True, px="0.4", sz="100"))))
    state = await rest.control({"type": "state"})
    account = state["accounts"]["daemon"]
    assert (account["quote"], account["hold"], account["open_orders"]) == ("10000.0", "40.0", 1)
    assert state["conservation_ok"] is True
    assert set(state["accounts"]) == {"daemon", "daemon-sub", "free-1", "free-2", "free-3"}
    assert len(state["outcomes"]) == 3
    armed = await rest.control({"type": "fault", "name": "rest_500", "args": {"path": "/info"}})
    assert armed == {"armed": ["rest_500"]}
    assert await rest.post("/info", {"type": "meta"}) == (500, b"null")
    assert (await rest.control({"type": "state"}))["faults"] == {"armed": [], "injected": {"rest_500": 1}}
    await rest.control({"type": "fault", "name": "ws_silent"})
    assert await rest.control({"type": "clear", "name": "ws_silent"}) == {"armed": []}
    for bad in ({"type": "fault", "name": "nope"}, {"type": "fault", "name": "ws_silent", "args": {"x": 1}}, {}, []):
        assert (await rest.post("/sim", bad))[0] == 422
    assert (await rest.post("/sim", b"{"))[0] == 400


async def test_control_is_for_loopback_only(autojump_clock: Any, sim: SimulatedVenue, rest_client: Any) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sim.speaker.serve_stream, theirs, "192.0.2.1")
        assert (await rest_client(ours).post("/sim", {"type": "state"}))[0] == 404
        await ours.aclose()


async def test_refused_connections(autojump_clock: Any, sim: SimulatedVenue) -> None:
    sim.refuse_connections = True
    with pytest.raises(ConnectionRefusedError):
        await sim.connect("sim", 80, False)


async def test_a_world_that_fell_behind_catches_up_in_turns(autojump_clock: trio.testing.MockClock) -> None:
    config = calm_with(buffers=BufferConfig(catch_up_blocks=4))
    async with simulated_hyperliquid(config=config) as sim:
        assert isinstance(sim.venue, Venue)
        assert isinstance(sim.speaker, HyperliquidSpeaker)
        autojump_clock.jump(10.0)
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.1)
        assert sim.speaker.statistics()["catch_ups"] > 10
        assert sim.venue.world.next_step_ns > sim.clock.now_ns() - 100_000_000


async def test_frames_are_json_with_channel_and_data(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    ws = await client(sim).websocket()
    for topic in ("l2Book", "bbo", "trades", "activeAssetCtx"):
        await ws.subscribe(type=topic, coin=client(sim).coin())
    await ws.subscribe(type="allMids")
    for _ in range(20):
        frame = msgspec.json.decode(await ws.next_text())
        assert set(frame) == {"channel", "data"}


async def test_control_gives_an_account_a_past(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    rest = await client(sim).rest()
    request = {"type": "volume", "account": "daemon", "usd": 2_000_000}
    assert await rest.control(request) == {"account": "daemon", "volume": "2000000.0"}
    assert (await rest.control({"type": "state"}))["accounts"]["daemon"]["volume"] == "2000000.0"
    for bad in ({"usd": -1}, {"usd": True}, {"usd": "1"}, {"account": "maker-0"}, {"account": None}):
        assert (await rest.post("/sim", request | bad))[0] == 422


async def test_control_ends_an_approval(autojump_clock: Any, sim: SimulatedVenue, client: Any) -> None:
    rest = await client(sim).rest()
    account = sim.accounts[0]
    request = {"type": "agent", "address": account.guardian_address.upper().replace("0X", "0x"), "until_ms": 5}
    assert await rest.control(request) == {"address": account.guardian_address, "until_ms": 5}
    assert sim.venue.agents.master_of(account.guardian_address, 4) == account.address
    assert sim.venue.agents.master_of(account.guardian_address, 5) is None
    for bad in ({"address": account.address}, {"until_ms": True}, {"until_ms": "5"}, {"until_ms": 1.5}):
        assert (await rest.post("/sim", request | bad))[0] == 422
    await rest.control(request | {"until_ms": None})
    assert sim.venue.agents.get(account.guardian_address) is None
