"""Rung: stateful async. Every fault of this venue happens on the wire when it is armed, and is counted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio

from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.harness_kalshi import simulated_kalshi
from hlomm.sim.kalshi.faults import FAULTS


async def test_a_gap_swallows_a_number_and_a_snapshot_heals_it(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    ws = await me.websocket()
    sid = (await ws.subscribe("orderbook_delta", market_ticker=ticker))["orderbook_delta"]
    assert (await ws.until("orderbook_snapshot"))["seq"] == 1
    await me.control(type="fault", name="sequence_gap")
    await me.place(ticker, "bid", "0.4000", "1.00")
    await me.place(ticker, "bid", "0.4100", "1.00")
    assert (await ws.until("orderbook_delta"))["seq"] == 3
    await ws.command("update_subscription", sids=[sid], action="get_snapshot", market_tickers=[ticker])
    frame = await ws.until("orderbook_snapshot")
    assert (frame["seq"], len(frame["msg"]["yes_dollars_fp"])) == (4, 2)
    assert sim.faults.injected == {FaultName.SEQUENCE_GAP: 1}
    assert sim.speaker.statistics()["gaps"] == 1


async def test_an_overflow_ends_a_subscription_until_it_is_made_again(
    autojump_clock: Any, sim: Any, client: Any
) -> None:
    me = client(sim)
    ticker = await me.ticker()
    ws = await me.websocket()
    sid = (await ws.subscribe("orderbook_delta", market_ticker=ticker))["orderbook_delta"]
    sim.faults.arm(FaultName.BUFFER_OVERFLOW)
    frame = await ws.until("error")
    assert (frame["sid"], frame["seq"], frame["msg"]["code"]) == (sid, 2, 25)
    await me.place(ticker, "bid", "0.4000", "1.00")
    await ws.command("list_subscriptions")
    assert (await ws.next())["msg"] == []
    again = (await ws.subscribe("orderbook_delta", market_ticker=ticker))["orderbook_delta"]
    assert again != sid
    assert (await ws.until("orderbook_snapshot"))["seq"] == 1


async def test_good_signatures_are_refused(autojump_clock: Any, sim: Any, client: Any, rejected: Any) -> None:
    me = client(sim)
    sim.faults.arm(FaultName.AUTH_REFUSED, FaultArgs(count=2))
    assert (await me.call("GET", "/portfolio/balance"))[0] == 401
    with pytest.raises(rejected):
        await me.websocket()
    assert (await me.call("GET", "/portfolio/balance"))[0] == 200


async def test_pauses_of_the_shard(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    _, keeps = await me.place(ticker, "bid", "0.4000", "1.00")
    _, leaves = await me.place(ticker, "bid", "0.4000", "1.00", cancel_order_on_pause=True)
    sim.faults.arm(FaultName.TRADING_PAUSED)
    await trio.sleep(1)
    (shard,) = [s for s in (await me.get("/exchange/status"))["exchange_index_statuses"] if s["exchange_index"] == 2]
    assert (shard["exchange_active"], shard["trading_active"]) == (True, False)
    status, body = await me.place(ticker, "bid", "0.4000", "1.00")
    assert (status, body["error"]["code"]) == (400, "trading_paused")
    resting = (await me.get("/portfolio/orders?status=resting"))["orders"]
    assert [row["order_id"] for row in resting] == [keeps["order_id"]]
    assert leaves["order_id"] != keeps["order_id"]
    route = f"{keeps['order_id']}?exchange_index=2&market_ticker={ticker}"
    sim.faults.arm(FaultName.EXCHANGE_PAUSED)
    await trio.sleep(1)
    assert (await me.call("DELETE", f"/portfolio/events/orders/{route}"))[0] == 503
    sim.faults.clear(FaultName.EXCHANGE_PAUSED)
    await trio.sleep(1)
    assert (await me.call("DELETE", f"/portfolio/events/orders/{route}"))[0] == 200
    sim.faults.clear(FaultName.TRADING_PAUSED)
    await trio.sleep(1)
    assert (await me.place(ticker, "bid", "0.4000", "1.00"))[0] == 201


async def test_the_activation_of_a_paused_market_cancels_everything(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    ws = await me.websocket()
    await ws.subscribe("market_lifecycle_v2", "user_orders")
    await me.place(ticker, "bid", "0.4000", "1.00")
    sim.faults.arm(FaultName.MARKET_PAUSED, FaultArgs(delay_s=5.0))
    assert (await ws.until("market_lifecycle_v2"))["msg"] == {"event_type": "deactivated", "market_ticker": ticker}
    status, body = await me.place(ticker, "bid", "0.4000", "1.00")
    assert (status, body["error"]["code"]) == (400, "market_inactive")
    assert [row["ticker"] for row in (await me.get("/markets?status=paused"))["markets"]] == [ticker]
    canceled = (await ws.until("user_order", lambda msg: msg["status"] == "canceled"))["msg"]
    assert canceled["last_update_reason"] == "HaltCancel"
    assert (await ws.until("market_lifecycle_v2"))["msg"]["event_type"] == "activated"
    assert (await me.place(ticker, "bid", "0.4000", "1.00"))[0] == 201


async def test_ticks_fees_and_rules_change_while_it_runs(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    ws = await me.websocket()
    await ws.subscribe("market_lifecycle_v2")
    assert (await me.place(ticker, "bid", "0.0550", "1.00"))[0] == 400
    for name in (FaultName.LEVELS_CHANGED, FaultName.FEES_CHANGED, FaultName.RULES_CHANGED):
        sim.faults.arm(name)
    levels = (await ws.until("market_lifecycle_v2"))["msg"]
    assert (levels["event_type"], levels["price_level_structure"]) == (
        "price_level_structure_updated",
        "tapered_deci_cent",
    )
    fees = (await ws.until("event_fee_update"))["msg"]
    assert fees["fee_type_override"] == "quadratic_with_maker_fees"
    rules = (await ws.until("market_lifecycle_v2"))["msg"]
    assert "amended" in rules["rules_primary"]
    market = (await me.get(f"/markets/{ticker}"))["market"]
    assert (market["price_ranges"], market["rules_primary"]) == (levels["price_ranges"], rules["rules_primary"])
    event = (await me.get(f"/events/{market['event_ticker']}"))["event"]
    assert event["fee_type_override"] == "quadratic_with_maker_fees"
    assert (await me.place(ticker, "bid", "0.0550", "100.00", post_only=True))[0] == 201
    await client(sim, 1).place(ticker, "ask", "0.0550", "100.00")
    (fill,) = (await me.get("/portfolio/fills"))["fills"]
    assert (fill["is_taker"], fill["fee_cost"]) == (False, "0.091000"), "0.0175 * 100 * 0.055 * 0.945, up to a step"


async def test_settlement_and_listing_can_be_late(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    rows = (await me.get("/markets?series_ticker=KXBTCD&status=open"))["markets"]
    ticker = min(rows, key=lambda row: row["close_time"])["ticker"]
    sim.faults.arm(FaultName.SETTLEMENT_MISSING, FaultArgs(for_s=70.0))
    sim.faults.arm(FaultName.SETTLEMENT_LATE, FaultArgs(delay_s=20.0))
    sim.faults.arm(FaultName.LISTING_MISSING, FaultArgs(for_s=80.0))
    await trio.sleep(69)
    market = (await me.get(f"/markets/{ticker}"))["market"]
    assert (market["status"], market["result"]) == ("closed", "")
    assert len((await me.get("/markets?series_ticker=KXBTCD&status=open"))["markets"]) == len(rows) - 3
    await trio.sleep(24)
    market = (await client(sim).get(f"/markets/{ticker}"))["market"]
    assert market["status"] == "determined"
    assert len((await client(sim).get("/markets?series_ticker=KXBTCD&status=open"))["markets"]) == len(rows)
    assert set(sim.faults.injected) == {
        FaultName.SETTLEMENT_MISSING,
        FaultName.SETTLEMENT_LATE,
        FaultName.LISTING_MISSING,
    }


async def test_makers_withdraw(autojump_clock: Any, client: Any) -> None:
    async with simulated_kalshi(seed=5) as sim:
        me = client(sim)
        ticker = await me.ticker()
        sim.faults.arm(FaultName.MAKERS_WITHDRAWN, FaultArgs(side="ask"))
        await trio.sleep(10)
        book = (await me.get(f"/markets/{ticker}/orderbook"))["orderbook_fp"]
        assert book["yes_dollars"]
        assert not book["no_dollars"]
        sim.faults.arm(FaultName.MAKERS_WITHDRAWN)
        await trio.sleep(10)
        assert (await me.get(f"/markets/{ticker}/orderbook"))["orderbook_fp"] == {"yes_dollars": [], "no_dollars": []}


async def test_sockets_die_stall_fall_silent_and_talk_nonsense(
    autojump_clock: Any, sim: Any, client: Any, gone: Any
) -> None:
    async def index() -> Any:
        ws = await client(sim).websocket()
        await ws.subscribe("cfbenchmarks_value")
        await ws.until("cfbenchmarks_value")
        return ws

    ws = await index()
    sim.faults.arm(FaultName.WS_KILLED)
    with pytest.raises(gone):
        await ws.until("the end")
    ws = await index()
    sim.faults.arm(FaultName.FRAME_DUPLICATED)
    frames = [await ws.next() for _ in range(2)]
    assert frames[0] == frames[1]
    sim.faults.arm(FaultName.WS_STALLED, FaultArgs(for_s=25.0))
    ws.pings.clear()
    quiet = trio.current_time()
    await ws.until("cfbenchmarks_value", lambda _msg: trio.current_time() > quiet + 2)
    assert trio.current_time() - quiet >= 24
    assert len(ws.pings) >= 2, "pings go on"
    sim.faults.arm(FaultName.WS_SILENT, FaultArgs(for_s=25.0))
    ws.pings.clear()
    quiet = trio.current_time()
    await ws.until("cfbenchmarks_value", lambda _msg: trio.current_time() > quiet + 2)
    assert trio.current_time() - quiet >= 24
    assert ws.pings == []
    for name in (FaultName.FRAME_TRUNCATED, FaultName.FRAME_GARBAGE):
        sim.faults.arm(name)
        with pytest.raises(json.JSONDecodeError):
            await ws.until("the end")
        await ws.stream.aclose()  # the next fault is for the next connection
        await trio.sleep(1)
        ws = await index()
    sim.faults.arm(FaultName.FRAME_OVERSIZED)
    assert len((await ws.next())["padding"]) > 1 << 20


async def test_rest_fails_in_its_ways(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    sim.faults.arm(FaultName.REST_429)
    assert await me.call("GET", "/portfolio/balance") == (429, {"error": "too many requests"})
    sim.faults.arm(FaultName.REST_500)
    assert (await me.call("GET", "/portfolio/balance"))[0] == 500
    sim.faults.arm(FaultName.REST_HTML)
    with pytest.raises(ValueError, match="Expecting value"):
        await me.call("GET", "/portfolio/balance")
    me = client(sim)
    ticker = await me.ticker()
    sim.faults.arm(FaultName.REST_SLOW, FaultArgs(delay_s=3.0))
    started = trio.current_time()
    await me.get("/portfolio/balance")
    assert trio.current_time() - started >= 3
    sim.faults.arm(FaultName.REPLY_DELAYED, FaultArgs(delay_s=7.0))
    started = trio.current_time()
    assert (await me.place(ticker, "bid", "0.4000", "1.00"))[0] == 201
    assert trio.current_time() - started >= 7


async def test_faults_of_other_venues_cannot_be_armed(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    for request in (
        {"type": "fault", "name": "nonce_refused"},
        {"type": "fault", "name": "sequence_gap", "args": {"count": -1}},
        {"type": "key", "account": "nobody"},
        {"type": "key", "account": "daemon", "public_pem": "x"},
        {"type": "dance"},
    ):
        with pytest.raises(ValueError, match="Expecting value"):  # a plain text
            await me.request("POST", "/sim", request, signed=False)
        me = client(sim)
    assert (await me.control(type="fault", name="rest_500"))["armed"] == ["rest_500"]
    assert (await me.control(type="clear"))["armed"] == []
    assert (await me.control(type="state"))["conservation_ok"] is True


def test_every_fault_is_exercised() -> None:
    here = Path(__file__).read_text() + (Path(__file__).parent / "test_speaker.py").read_text()
    named = {FaultName[word] for word in re.findall(r"FaultName\.([A-Z_0-9]+)", here)}
    named |= {FaultName(word) for word in re.findall(r'arm\("([a-z_0-9]+)"', here)}
    assert named == FAULTS
