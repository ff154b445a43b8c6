"""Both websocket streams, and everything that can go wrong with them and with REST."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.config import ListingConfig, SimConfig
from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness_polymarket import simulated_polymarket
from hlomm.sim.pm import rows
from hlomm.sim.pm.faults import PmFault


@pytest.fixture
async def rig(pm_client, quiet, autojump_clock) -> Any:
    async with simulated_polymarket(seed=3, config=quiet(retried=0.0, failed=0.0)) as sim:
        client = await pm_client(sim).login()
        market = next(one for one in sim.venue.exchange.markets.values() if one.spec.family.value == "updown")
        yield sim, client, market


async def quiet_for(ws: Any, seconds: float) -> list[str]:
    frames = []
    with trio.move_on_after(seconds):
        while True:
            frames.append(await ws.next_text())
    return frames


async def test_deltas_rebuild_the_book(pm_client, websocket_client, autojump_clock) -> None:
    """From the first snapshot on, absolute sizes alone lead to the venue's own books."""
    config = SimConfig(listing=ListingConfig(periods=("3m",)))
    async with simulated_polymarket(seed=4, config=config) as sim:
        client = pm_client(sim)
        market = next(iter(sim.venue.exchange.markets.values()))
        tokens = list(market.spec.tokens)
        ws = await client.market_stream(websocket_client, tokens)
        books: dict[str, dict[str, dict[str, str]]] = {}
        kinds: dict[str, int] = {}
        with trio.move_on_after(30):
            while True:
                frame = json.loads(await ws.next_text())
                for row in frame if isinstance(frame, list) else [frame]:
                    kinds[row["event_type"]] = kinds.get(row["event_type"], 0) + 1
                    if row["event_type"] == "book" and row["asset_id"] not in books:
                        books[row["asset_id"]] = {
                            side: {level["price"]: level["size"] for level in row[side]} for side in ("bids", "asks")
                        }
                    for change in row.get("price_changes", ()):
                        side = "bids" if change["side"] == "BUY" else "asks"
                        levels = books[change["asset_id"]][side]
                        if change["size"] == "0":
                            levels.pop(change["price"], None)
                        else:
                            levels[change["price"]] = change["size"]
                        best = max((float(price) for price in books[change["asset_id"]]["bids"]), default=0.0)
                        last = row["price_changes"][-1] is change
                        assert not last or best == float(change["best_bid"])
        now_ms = sim.venue.exchange.tape.now_ms
        for leg in Leg:
            shown = rows.book(market, leg, now_ms)
            for side in ("bids", "asks"):
                ours = books[market.spec.tokens[leg]][side]
                assert {level["price"]: level["size"] for level in shown[side]} == ours
        assert kinds["price_change"] > 50
        assert kinds["last_trade_price"] >= 3
        assert kinds["book"] > 2


async def test_ping_nonsense_and_unsubscribing(rig, websocket_client, autojump_clock) -> None:
    _, client, market = rig
    yes, no = market.spec.tokens
    ws = await client.market_stream(websocket_client, [])
    assert await ws.next_text() == "[]"
    await ws.send("PING")
    assert await ws.next_text() == "PONG"
    await ws.send("nonsense")
    assert await ws.next_text() == "INVALID OPERATION"
    await ws.send({"operation": "subscribe", "assets_ids": [yes]})
    [book] = json.loads(await ws.next_text())
    assert (book["event_type"], book["asset_id"]) == ("book", yes)
    await client.post(no, "BUY", "0.40", "10")
    change = json.loads(await ws.next_text())
    assert [row["asset_id"] for row in change["price_changes"]] == [yes]
    await ws.send({"operation": "unsubscribe", "assets_ids": [yes]})
    await trio.sleep(0.2)
    await client.post(no, "BUY", "0.41", "10")
    assert await quiet_for(ws, 5) == []


async def test_too_many_assets_close_the_connection(rig, websocket_client, gone, autojump_clock) -> None:
    _, client, _ = rig
    ws = await client.market_stream(websocket_client, [str(i) for i in range(501)])
    with pytest.raises(gone):
        await ws.drain()


async def test_the_user_stream_wants_the_right_key(rig, websocket_client, gone, autojump_clock) -> None:
    sim, client, market = rig
    right = dict(client.creds)
    client.creds = right | {"passphrase": "wrong"}
    ws = await client.user_stream(websocket_client)
    with pytest.raises(gone):
        await ws.drain()
    client.creds = right
    elsewhere = await client.user_stream(websocket_client, ["0x" + "00" * 32])
    here = await client.user_stream(websocket_client, [market.spec.condition])
    await trio.sleep(0.1)
    await client.post(market.spec.tokens[0], "BUY", "0.40", "10")
    assert json.loads(await here.next_text())["type"] == "PLACEMENT"
    assert await quiet_for(elsewhere, 5) == []
    assert sim.speaker.statistics()["websockets"] == 2


async def test_frames_can_go_wrong(rig, websocket_client, autojump_clock) -> None:
    sim, client, market = rig
    yes, _ = market.spec.tokens
    ws = await client.market_stream(websocket_client, [yes])
    assert json.loads(await ws.next_text())[0]["event_type"] == "book"
    prices = iter(f"0.{cents}" for cents in range(20, 90))

    async def change() -> str:
        price = next(prices)
        await client.post(yes, "BUY", price, "5")
        return price

    def price_of(text: str) -> str:
        return json.loads(text)["price_changes"][0]["price"].ljust(4, "0")

    sim.faults.arm("delta_lost")
    await change()
    told = await change()
    assert price_of(await ws.next_text()) == told
    sim.faults.arm("frame_duplicated")
    price = await change()
    assert [price_of(await ws.next_text()) for _ in range(2)] == [price, price]
    sim.faults.arm("frame_reordered")
    first, second = await change(), await change()
    assert [price_of(await ws.next_text()) for _ in range(2)] == [second, first]
    sim.faults.arm("frame_empty")
    price = await change()
    assert await ws.next_text() == "[]"
    assert price_of(await ws.next_text()) == price
    sim.faults.arm("frame_garbage")
    await change()
    with pytest.raises(json.JSONDecodeError):
        json.loads(await ws.next_text())
    await ws.next_text()
    sim.faults.arm("ws_frozen", FaultArgs(for_s=10))
    await change()
    await ws.send("PING")
    assert await ws.next_text() == "PONG"
    assert await quiet_for(ws, 5) == []
    sim.faults.clear()
    sim.faults.arm("ws_silent", FaultArgs(for_s=10))
    await ws.send("PING")
    assert await quiet_for(ws, 5) == []


async def test_sockets_are_torn(rig, websocket_client, gone, autojump_clock) -> None:
    sim, client, market = rig
    ws = await client.market_stream(websocket_client, [market.spec.tokens[0]])
    await ws.next_text()
    sim.faults.arm("ws_killed")
    with pytest.raises(gone) as end:
        await ws.drain()
    assert end.value.code is None


async def test_resolutions_may_go_untold(rig, websocket_client, until_event, autojump_clock) -> None:
    sim, client, _ = rig
    ws = await client.market_stream(websocket_client, [], custom_feature_enabled=True)
    first = await until_event(ws, "market_resolved")
    sim.faults.arm("resolved_untold")
    second = await until_event(ws, "market_resolved")
    resolved = [market for market in sim.venue.exchange.markets.values() if market.resolved_ms is not None]
    resolved.sort(key=lambda market: (market.resolved_ms, market.number))
    told = [market.spec.condition for market in resolved]
    assert told.index(second["market"]) > told.index(first["market"]) + 1


async def test_rest_goes_wrong(rig, autojump_clock) -> None:
    sim, client, market = rig
    yes, _ = market.spec.tokens
    for name, status in (("rest_429", 429), ("rest_500", 500)):
        sim.faults.arm(name)
        assert (await client.request("GET", f"/book?token_id={yes}")).status == status
        assert (await client.request("GET", f"/book?token_id={yes}")).status == 200
    sim.faults.arm("rest_html")
    with pytest.raises(json.JSONDecodeError):
        await client.request("GET", "/time")
    sim.faults.arm("rest_slow", FaultArgs(count=1, delay_s=5.0))
    before = trio.current_time()
    await client.request("GET", "/time")
    assert trio.current_time() - before > 5
    sim.faults.arm("reply_delayed", FaultArgs(count=1, delay_s=5.0))
    before = trio.current_time()
    assert (await client.post(yes, "BUY", "0.40", "5")).body["status"] == "live"
    assert trio.current_time() - before > 5
    sim.faults.arm("rest_425")
    assert (await client.post(yes, "BUY", "0.40", "5")).status == 425
    sim.faults.arm("cancel_only", FaultArgs(for_s=10))
    refused = await client.post(yes, "BUY", "0.40", "5")
    assert (refused.status, refused.body["error"][:35]) == (503, "Trading is currently cancel-only. N")
    assert len((await client.private("DELETE", "/cancel-all")).body["canceled"]) == 1
    sim.faults.clear()
    sim.faults.arm("trading_disabled", FaultArgs(for_s=10))
    assert (await client.post(yes, "BUY", "0.40", "5")).status == 503
    sim.faults.clear()
    sim.faults.arm("key_revoked", FaultArgs(for_s=10))
    assert (await client.post(yes, "BUY", "0.40", "5")).status == 401
    sim.faults.clear()
    sim.faults.arm("heartbeat_lost")
    lost = await client.private("POST", "/v1/heartbeats", {"heartbeat_id": ""})
    assert (lost.status, lost.body["heartbeat_id"]) == (400, "")
    sim.faults.arm("hydration_gap", FaultArgs(delay_s=3600.0))
    assert (await client.request("GET", f"/book?token_id={yes}")).status == 404
    sim.faults.arm("gamma_lags", FaultArgs(delay_s=3600.0))
    assert await client.get("/gamma/markets") == []


async def test_what_is_seen_of_the_chain_may_be_old(rig, pm_client, autojump_clock) -> None:
    sim, client, market = rig
    yes, no = market.spec.tokens
    other = await pm_client(sim, 1).login()
    balance = f"/balance-allowance?asset_type=CONDITIONAL&token_id={yes}&signature_type=0"
    update = balance.replace("allowance?", "allowance/update?")
    sim.faults.arm("balance_stale", FaultArgs(for_s=20))
    sim.faults.arm("data_lags", FaultArgs(for_s=20, delay_s=600.0))
    sim.faults.arm("trade_stuck", FaultArgs(count=1, delay_s=5.0))
    await client.post(yes, "BUY", "0.40", "10")
    await other.post(no, "BUY", "0.60", "10")
    await trio.sleep(7)
    assert sim.venue.exchange.bank.pairs.get(market.number, 0) in {0, 1000}
    await trio.sleep(5)
    assert sim.venue.exchange.bank.pairs[market.number] == 1000
    assert (await client.private("GET", update)).body is None
    assert (await client.private("GET", balance)).body["balance"] == "0"
    assert await client.get(f"/data-api/positions?user={client.account.funder}") == []
    await trio.sleep(20)
    await client.private("GET", update)
    assert (await client.private("GET", balance)).body["balance"] == "10000000"
    [position] = await client.get(f"/data-api/positions?user={client.account.funder}")
    assert position["size"] == 10


async def test_makers_withdraw(autojump_clock) -> None:
    async with simulated_polymarket(seed=3) as sim:
        sim.faults.arm("makers_withdrawn", FaultArgs(for_s=60, side="bid"))
        await trio.sleep(20)
        for market in sim.venue.world.listing.live.values():
            assert not market.accepting or not market.depth(Leg.YES, Side.BUY)
        sim.faults.clear()
        await trio.sleep(10)
        assert any(market.depth(Leg.YES, Side.BUY) for market in sim.venue.world.listing.live.values())


async def test_the_price_stream_shows_what_is_settled_on(rig, websocket_client, fixtures, autojump_clock) -> None:
    sim, _, market = rig
    ws = websocket_client(await sim.connect("sim", 80, False))
    await ws.open("/rtds")
    topics = ("crypto_prices", "crypto_prices_chainlink", "crypto_prices_twap_sixty")
    await ws.send({"action": "subscribe", "subscriptions": [{"topic": topic, "type": "*"} for topic in topics]})
    last: dict[str, dict[int, str]] = {topic: {} for topic in topics}
    kinds: set[tuple[str, str]] = set()
    while True:
        frame = json.loads(await ws.next_text())
        kinds.add((frame["topic"], frame["type"]))
        recorded = fixtures(f"nautilus_rs/rtds_crypto_prices_{frame['type']}.json")
        assert frame.keys() == recorded.keys()
        assert frame["payload"].keys() == recorded["payload"].keys()
        if frame["type"] == "update":
            payload = frame["payload"]
            last[frame["topic"]][payload["timestamp"]] = payload["full_accuracy_value"]
            if payload["timestamp"] > market.spec.end_ns // 10**6 + 2000:
                break
    assert len(kinds) == 6
    await trio.sleep(30)
    end_ms = market.spec.end_ns // 10**6
    assert int(last["crypto_prices_twap_sixty"][end_ms]) == market.final * 10**10
    assert market.yes_ticks == (10_000 if market.final >= market.beat else 0)
    await ws.send("PING")
    while await ws.next_text() != "PONG":
        pass


def test_every_fault_is_tested() -> None:
    here = {
        *(
            "delta_lost",
            "frame_duplicated",
            "frame_reordered",
            "frame_empty",
            "frame_garbage",
            "ws_frozen",
            "ws_silent",
        ),
        *("ws_killed", "resolved_untold", "rest_429", "rest_500", "rest_html", "rest_slow", "reply_delayed"),
        *("rest_425", "cancel_only", "trading_disabled", "key_revoked", "heartbeat_lost", "hydration_gap"),
        *("gamma_lags", "balance_stale", "data_lags", "trade_stuck", "makers_withdrawn"),
    }
    elsewhere = {
        *("reply_lost", "restart", "trade_failed"),  # test_speaker
        *("resolution_late", "resolution_void", "fee_changed", "tick_changed"),  # test_world
        *("minimum_changed", "rules_changed"),
    }
    assert here | elsewhere == {fault.value for fault in PmFault}
