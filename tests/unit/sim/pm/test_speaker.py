"""The simulated Polymarket over the wire: listed, quoted, ordered, filled, settled."""

from __future__ import annotations

import json
from typing import Any

import trio

from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness_polymarket import simulated_polymarket


def tokens_of(sim: Any, family: str = "above") -> tuple[str, str]:
    for market in sim.venue.exchange.markets.values():
        if market.spec.family.value == family and market.accepting:
            return market.spec.tokens
    raise AssertionError(family)


async def test_a_stranger_finds_a_market_and_a_book(pm_client, autojump_clock) -> None:
    async with simulated_polymarket(seed=3) as sim:
        client = pm_client(sim)
        assert await client.get("/version") == {"version": 2}
        assert await client.get("/time") == client.now_s
        events = (await client.get("/gamma/events/keyset?tag_slug=bitcoin&limit=100"))["events"]
        market = events[0]["markets"][0]
        token = json.loads(market["clobTokenIds"])[0]
        book = await client.get(f"/book?token_id={token}")
        bids, asks = ([float(level["price"]) for level in book[side]] for side in ("bids", "asks"))
        assert bids == sorted(bids)
        assert asks == sorted(asks, reverse=True)
        assert bids[-1] < asks[-1]
        assert book["market"] == market["conditionId"]


async def test_an_order_rests_fills_and_becomes_money(
    pm_client, quiet, websocket_client, until_event, autojump_clock
) -> None:
    async with simulated_polymarket(seed=3, config=quiet(retried=0.0, failed=0.0)) as sim:
        maker, taker = await pm_client(sim).login(), await pm_client(sim, 1).login()
        yes, no = tokens_of(sim)
        stream = await maker.user_stream(websocket_client)
        public = await maker.market_stream(websocket_client, [yes, no])
        await trio.sleep(0.2)
        placed = await maker.post(yes, "BUY", "0.40", "10", post_only=True)
        assert placed.body["status"] == "live", placed
        order = await until_event(stream, "order")
        assert (order["type"], order["status"], order["id"]) == ("PLACEMENT", "LIVE", placed.body["orderID"])
        change = await until_event(public, "price_change")
        assert {(row["asset_id"], row["side"], row["price"], row["size"]) for row in change["price_changes"]} == {
            (yes, "BUY", "0.4", "10"),
            (no, "SELL", "0.6", "10"),
        }
        before = sim.clock.now_ns()
        matched = await taker.post(no, "BUY", "0.60", "10", kind="FOK")
        assert sim.clock.now_ns() - before > 150_000_000
        assert matched.body["status"] == "matched", matched
        assert (matched.body["makingAmount"], matched.body["takingAmount"]) == ("6", "10")
        trade = await until_event(stream, "trade")
        assert (trade["status"], trade["trader_side"], trade["asset_id"], trade["price"]) == (
            "MATCHED",
            "MAKER",
            no,
            "0.6",
        )
        own = [row for row in trade["maker_orders"] if row["owner"] == maker.creds["apiKey"]]
        assert [(row["asset_id"], row["price"], row["matched_amount"], row["side"]) for row in own] == [
            (yes, "0.4", "10", "BUY")
        ]
        # Matched is not money: the tokens cannot be sold yet.
        sold = await maker.post(yes, "SELL", "0.50", "10")
        assert (sold.status, sold.body) == (400, {"error": "not enough balance / allowance"})
        for status in ("MINED", "CONFIRMED"):
            assert (await until_event(stream, "trade"))["status"] == status
        held = await maker.private("GET", f"/balance-allowance?asset_type=CONDITIONAL&token_id={yes}&signature_type=0")
        assert held.body["balance"] == "10000000"
        cash = await taker.private("GET", "/balance-allowance?asset_type=COLLATERAL&signature_type=0")
        assert cash.body["balance"] == str(10_000_000_000 - 6_000_000 - 168_000)
        assert (await maker.post(yes, "SELL", "0.50", "10")).body["status"] == "live"
        assert sim.state()["conservation_ok"]


async def test_a_lost_answer_is_resolved_by_the_id_known_before(pm_client, quiet, autojump_clock) -> None:
    async with simulated_polymarket(seed=3, config=quiet()) as sim:
        client = await pm_client(sim).login()
        yes, _ = tokens_of(sim)
        body = client.order(yes, "BUY", "0.40", "10")
        sim.faults.arm("reply_lost")
        with trio.move_on_after(5):
            await client.private("POST", "/order", body)
        again = await pm_client(sim, creds=client.creds).private("POST", "/order", body)
        assert again.status == 400
        assert again.body["error"].endswith("is invalid. Duplicated.")
        listed = (await pm_client(sim, creds=client.creds).private("GET", "/data/orders")).body
        assert [row["id"] for row in listed["data"]] == [again.body["error"].split()[1]]
        assert listed["next_cursor"] == "LTE="


async def test_every_wallet_type_trades(pm_client, quiet, autojump_clock) -> None:
    async with simulated_polymarket(seed=3, config=quiet()) as sim:
        yes, _ = tokens_of(sim)
        for index, account in enumerate(sim.accounts):
            client = await pm_client(sim, index).login()
            answer = await client.post(yes, "BUY", "0.30", "10")
            assert answer.body.get("status") == "live", (account, answer)
        assert {account.signature_type for account in sim.accounts} == {0, 1, 2, 3}


async def test_a_restart_refuses_then_takes_post_only(pm_client, quiet, autojump_clock) -> None:
    async with simulated_polymarket(seed=3, config=quiet()) as sim:
        client = await pm_client(sim).login()
        yes, _ = tokens_of(sim, "updown")
        sim.faults.arm("restart")
        await trio.sleep(1)
        assert (await client.post(yes, "BUY", "0.30", "10")).status == 425
        await trio.sleep(90)
        client = pm_client(sim, creds=client.creds)  # the idle connection is gone by now
        refused = await client.post(yes, "BUY", "0.30", "10")
        assert (refused.status, refused.body["code"]) == (503, "post_only_mode")
        assert 0 < refused.body["retry_after_seconds"] <= 120
        assert (await client.post(yes, "BUY", "0.30", "10", post_only=True)).body["status"] == "live"


async def test_orders_of_a_silent_client_are_cancelled(pm_client, quiet, autojump_clock) -> None:
    async with simulated_polymarket(seed=3, config=quiet()) as sim:
        client = await pm_client(sim).login()
        yes, _ = tokens_of(sim, "updown")
        await client.post(yes, "BUY", "0.30", "10")
        first = (await client.private("POST", "/v1/heartbeats", {"heartbeat_id": ""})).body["heartbeat_id"]
        wrong = await client.private("POST", "/v1/heartbeats", {"heartbeat_id": "nonsense"})
        assert (wrong.status, wrong.body) == (400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": first})
        beat = first
        for _ in range(6):
            await trio.sleep(5)
            beat = (await client.private("POST", "/v1/heartbeats", {"heartbeat_id": beat})).body["heartbeat_id"]
        assert len(sim.venue.exchange.open) == 1
        await trio.sleep(16)
        assert len(sim.venue.exchange.open) == 0


async def test_a_failed_trade_is_undone(pm_client, quiet, websocket_client, until_event, autojump_clock) -> None:
    async with simulated_polymarket(seed=3, config=quiet()) as sim:
        maker, taker = await pm_client(sim).login(), await pm_client(sim, 1).login()
        yes, _ = tokens_of(sim, "updown")
        stream = await taker.user_stream(websocket_client)
        await maker.post(yes, "BUY", "0.40", "10")
        sim.faults.arm("trade_failed", FaultArgs(count=1))
        _, no = tokens_of(sim, "updown")
        assert (await taker.post(no, "BUY", "0.60", "10", kind="FAK")).body["status"] == "matched"
        statuses = [(await until_event(stream, "trade"))["status"] for _ in range(3)]
        assert statuses == ["MATCHED", "RETRYING", "FAILED"]
        assert sim.venue.exchange.bank.pairs == {}
        cash = await taker.private("GET", "/balance-allowance?asset_type=COLLATERAL&signature_type=0")
        assert cash.body["balance"] == "10000000000"
        assert sim.state()["conservation_ok"]
