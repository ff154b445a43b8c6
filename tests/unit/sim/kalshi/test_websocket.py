"""Rung: stateful async. Numbers, snapshots, deltas, private channels, errors and pings of the websocket."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio

from hlomm.sim.harness_kalshi import simulated_kalshi


class Book:
    """A book folded from frames by the rules of the sheet; raises on what may not be."""

    def __init__(self, *, yes_price: bool = False) -> None:
        self.yes_price = yes_price
        self.sides: dict[str, dict[int, int]] = {"yes": {}, "no": {}}
        self.snapshots = 0

    def take(self, frame: dict[str, Any]) -> None:
        msg = frame["msg"]
        if frame["type"] == "orderbook_snapshot":
            self.snapshots += 1
            for side in self.sides:
                rows = msg.get(f"{side}_dollars_fp", [])
                self.sides[side] = {self.ticks(side, price): self.lots(count) for price, count in rows}
                assert rows == sorted(rows)
        elif frame["type"] == "orderbook_delta":
            level = self.ticks(msg["side"], msg["price_dollars"])
            side = self.sides[msg["side"]]
            left = side.get(level, 0) + self.lots(msg["delta_fp"])
            assert left >= 0, "a delta never makes a level negative"
            side[level] = left
            if left == 0:
                del side[level]

    def ticks(self, side: str, price: str) -> int:
        own = round(float(price) * 10_000)
        return 10_000 - own if side == "no" and self.yes_price else own

    @staticmethod
    def lots(count: str) -> int:
        return round(float(count) * 100)


async def test_numbers_are_dense_and_every_frame_uses_one(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    tickers = [row["ticker"] for row in (await me.get("/markets?series_ticker=KXBTCD&status=open"))["markets"]][-3:]
    ws = await me.websocket()
    await ws.command("subscribe", channels=["orderbook_delta"], market_tickers=tickers[:2])
    frames = [await ws.next() for _ in range(3)]
    sid = frames[0]["msg"]["sid"]
    assert "seq" not in frames[0]
    assert [frame["seq"] for frame in frames[1:]] == [1, 2]
    assert [frame["msg"]["market_ticker"] for frame in frames[1:]] == tickers[:2]
    assert all("yes_dollars_fp" not in frame["msg"] for frame in frames[1:]), "an empty side has no key"
    await me.place(tickers[0], "bid", "0.4000", "10.00", client_order_id="mine")
    delta = await ws.next()
    assert (delta["type"], delta["seq"], delta["msg"]["client_order_id"]) == ("orderbook_delta", 3, "mine")
    add = await ws.command("update_subscription", sids=[sid], action="add_markets", market_tickers=tickers[2:])
    ok, snapshot = await ws.next(), await ws.next()
    assert (ok["type"], ok["id"], ok["seq"], ok["msg"]) == ("ok", add, 4, {"market_tickers": tickers})
    assert (snapshot["seq"], snapshot["msg"]["market_ticker"]) == (5, tickers[2])
    again = await ws.command("update_subscription", sids=[sid], action="get_snapshot", market_tickers=tickers[:1])
    snapshot = await ws.next()
    assert (snapshot["id"], snapshot["seq"]) == (again, 6)
    assert snapshot["msg"]["yes_dollars_fp"] == [["0.4000", "10.00"]]
    await ws.command("update_subscription", sids=[sid], action="delete_markets", market_tickers=tickers[:1])
    ok = await ws.next()
    assert (ok["seq"], ok["msg"]) == (7, {"market_tickers": tickers[1:]})
    await ws.command("list_subscriptions")
    assert (await ws.next())["msg"] == [{"channel": "orderbook_delta", "sid": sid}]
    await ws.command("unsubscribe", sids=[sid])
    gone = await ws.next()
    assert (gone["type"], gone["sid"], gone["seq"]) == ("unsubscribed", sid, 8)


async def test_deltas_fold_to_the_book_with_both_prices_of_no(autojump_clock: Any, client: Any) -> None:
    """Two subscriptions to the busy default venue, one with use_yes_price, end in the book that REST shows."""
    async with simulated_kalshi(seed=6) as sim:
        me = client(sim)
        ticker = await me.ticker()
        ws = await me.websocket()
        for yes_price in (False, True):
            await ws.command(
                "subscribe", channels=["orderbook_delta"], market_tickers=[ticker], use_yes_price=yes_price
            )
        books: dict[int, Book] = {}
        seqs: dict[int, int] = {}
        while len(seqs) < 2 or min(seqs.values()) < 300:
            frame = await ws.next()
            if frame["type"] == "subscribed":
                sid = frame["msg"]["sid"]
                books[sid], seqs[sid] = Book(yes_price=bool(books)), 0
                continue
            sid = frame["sid"]
            seqs[sid] += 1
            assert frame["seq"] == seqs[sid]
            books[sid].take(frame)
            if len(set(seqs.values())) == 1:
                best = [max(side, default=0) for side in books[sid].sides.values()]
                assert sum(best) < 10_000, "the two ladders never cross"
        one, other = books.values()
        for _ in range(600):
            if one.sides == other.sides:
                break
            frame = await ws.next()
            books[frame["sid"]].take(frame)
        assert one.sides == other.sides
        assert one.snapshots == other.snapshots == 1
        assert all(one.sides.values())


async def test_private_channels_follow_an_order(autojump_clock: Any, sim: Any, client: Any) -> None:
    me, other = client(sim), client(sim, 1)
    ticker = await me.ticker()
    ws, spy = await me.websocket(), await other.websocket()
    sids = await ws.subscribe(
        "fill", "user_orders", "market_positions", "trade", "orderbook_delta", market_ticker=ticker
    )
    await spy.subscribe("fill", "user_orders", "market_positions")
    await me.place(ticker, "bid", "0.4800", "10.00", client_order_id="a", post_only=True)
    resting = (await ws.until("user_order"))["msg"]
    assert (resting["status"], resting["remaining_count_fp"]) == ("resting", "10.00")
    await other.place(ticker, "ask", "0.4800", "4.00")
    seen: dict[str, Any] = {}
    while not {"trade", "fill", "user_order", "market_position", "orderbook_delta"} <= set(seen):
        frame = await ws.next()
        seen[frame["type"]] = frame
    assert seen["fill"]["sid"] == sids["fill"]
    assert "seq" not in seen["fill"]
    assert (seen["trade"]["seq"], seen["trade"]["msg"]["taker_outcome_side"]) == (1, "no")
    assert seen["orderbook_delta"]["msg"]["delta_fp"] == "-4.00"
    assert seen["orderbook_delta"]["msg"]["client_order_id"] == "a"
    fill, order, position = (seen[kind]["msg"] for kind in ("fill", "user_order", "market_position"))
    assert (fill["is_taker"], fill["fee_cost"], fill["post_position_fp"]) == (False, "0.000000", "4.00")
    assert (order["fill_count_fp"], order["maker_fill_cost_dollars"]) == ("4.00", "1.920000")
    assert order["last_update_reason"] == "Trade"
    assert (position["position_fp"], position["position_cost_dollars"]) == ("4.00", "1.9200")
    theirs = (await spy.until("fill"))["msg"]
    assert (theirs["is_taker"], theirs["book_side"], theirs["post_position_fp"]) == (True, "ask", "-4.00")
    assert "client_order_id" not in theirs


async def test_a_limit_lowered_below_what_has_matched_trips_the_group(
    autojump_clock: Any, sim: Any, client: Any
) -> None:
    me, other = client(sim), client(sim, 1)
    ticker = await me.ticker()
    _, group = await me.call(
        "POST", "/portfolio/order_groups/create", {"contracts_limit_fp": "150.00", "exchange_index": 2}
    )
    path = f"/portfolio/order_groups/{group['order_group_id']}"
    await me.place(ticker, "bid", "0.9000", "30.00", order_group_id=group["order_group_id"])
    await other.place(ticker, "ask", "0.9000", "20.00", time_in_force="immediate_or_cancel")
    assert (await me.call("PUT", f"{path}/limit", {"contracts_limit_fp": "20.00"}))[0] == 200
    assert (await me.get(path))["is_auto_cancel_enabled"] is False, "the limit has to be exceeded"
    assert (await me.call("PUT", f"{path}/limit", {"contracts_limit_fp": "19.00"}))[0] == 200
    assert (await me.get(path))["is_auto_cancel_enabled"] is True
    status, body = await me.place(ticker, "bid", "0.4000", "1.00", order_group_id=group["order_group_id"])
    assert (status, body["error"]["code"]) == (400, "exceeded_order_group_risk_limit")


async def test_order_groups_are_told(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    ws = await me.websocket()
    await ws.subscribe("order_group_updates", "user_orders")
    status, group = await me.call(
        "POST", "/portfolio/order_groups/create", {"contracts_limit_fp": "150.00", "exchange_index": 2}
    )
    assert (status, group["exchange_index"]) == (201, 2)
    assert (await ws.until("order_group_updates"))["msg"]["event_type"] == "created"
    await me.place(ticker, "bid", "0.4000", "1.00", order_group_id=group["order_group_id"])
    assert (await me.call("PUT", f"/portfolio/order_groups/{group['order_group_id']}/trigger", {}))[0] == 200
    frame = await ws.until("order_group_updates")
    assert (frame["seq"], frame["msg"]["event_type"]) == (2, "triggered")
    assert (await ws.until("user_order", lambda msg: msg["status"] == "canceled"))["msg"][
        "remaining_count_fp"
    ] == "0.00"
    (row,) = (await me.get("/portfolio/order_groups"))["order_groups"]
    assert row["is_auto_cancel_enabled"] is True
    assert (await me.call("PUT", f"/portfolio/order_groups/{group['order_group_id']}/reset", {}))[0] == 200
    assert (await me.place(ticker, "bid", "0.4000", "1.00", order_group_id=group["order_group_id"]))[0] == 201
    assert (await me.call("DELETE", f"/portfolio/order_groups/{group['order_group_id']}"))[0] == 200
    assert (await me.get("/portfolio/orders?status=resting"))["orders"] == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", 1),
        ({"id": 1, "cmd": "subscribe"}, 2),
        ({"id": 1, "cmd": "subscribe", "params": {}}, 3),
        ({"id": 1, "cmd": "unsubscribe", "params": {}}, 4),
        ({"id": 1, "cmd": "conquer", "params": {}}, 5),
        ({"id": 1, "cmd": "unsubscribe", "params": {"sids": [99]}}, 7),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["nothing"]}}, 8),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["trade"], "market_tickers": "x"}}, 11),
        ({"id": 1, "cmd": "update_subscription", "params": {"sids": [1, 2], "action": "add_markets"}}, 12),
        ({"id": 1, "cmd": "update_subscription", "params": {"sids": [1], "action": "burn"}}, 13),
        ({"id": 1, "cmd": "subscribe", "params": {"channels": ["orderbook_delta"]}}, 14),
        ({"id": 1, "cmd": "update_subscription", "params": {"sids": [1]}}, 15),
    ],
)
async def test_bad_commands_are_answered_with_their_code(
    autojump_clock: Any, sim: Any, client: Any, message: Any, code: int
) -> None:
    ws = await client(sim).websocket()
    await ws.subscribe("trade")
    await ws.send(message)
    frame = await ws.until("error")
    assert frame["msg"]["code"] == code
    assert frame.get("id") == (None if code == 1 else 1)


async def test_pings_come_every_ten_seconds_with_a_heartbeat(autojump_clock: Any, sim: Any, client: Any) -> None:
    ws = await client(sim).websocket()
    await ws.subscribe("cfbenchmarks_value", index_ids=["BRTI"])
    for _ in range(35):
        await ws.until("cfbenchmarks_value")
    assert ws.pings == [b"heartbeat"] * 3


async def test_the_index_comes_once_a_second_with_its_averages(autojump_clock: Any, client: Any, calm: Any) -> None:
    """From half a minute before a quarter hour to its end: the second average counts up to sixty."""
    quarter_ns = 1_795_000_500 * 10**9
    async with simulated_kalshi(config=calm(), venue_origin_ns=quarter_ns - 90 * 10**9) as sim:
        ws = await client(sim).websocket()
        await ws.subscribe("cfbenchmarks_value", index_ids=["BRTI"])
        counts = []
        for _ in range(91):
            msg = (await ws.until("cfbenchmarks_value"))["msg"]
            at_ms = msg["avg_60s_data"]["window_end_ts_exclusive"]
            assert json.loads(msg["data"])["time"] == at_ms
            assert msg["avg_60s_data"]["window_size"] == 60
            counts.append((at_ms, msg.get("last_60s_windowed_average_15min", {}).get("window_size")))
        assert [at_ms for at_ms, _ in counts] == list(range(counts[0][0], counts[0][0] + 91_000, 1000))
        left = {at_ms: (quarter_ns // 10**6 - at_ms) // 1000 for at_ms, _ in counts}
        assert counts == [(at_ms, 60 - left[at_ms] if 0 <= left[at_ms] < 60 else None) for at_ms, _ in counts]
        assert 60 in dict(counts).values()


async def test_the_ticker_channel_starts_with_a_snapshot_on_request(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    ws = await me.websocket()
    await ws.subscribe("ticker", market_ticker=ticker, send_initial_snapshot=True)
    first = (await ws.until("ticker"))["msg"]
    assert (first["yes_bid_dollars"], first["yes_ask_dollars"]) == ("0.0000", "1.0000")
    await me.place(ticker, "bid", "0.4000", "3.00")
    second = (await ws.until("ticker"))["msg"]
    assert (second["yes_bid_dollars"], second["yes_bid_size_fp"]) == ("0.4000", "3.00")


async def test_a_connection_that_ends_leaves_no_subscription(autojump_clock: Any, sim: Any, client: Any) -> None:
    ws = await client(sim).websocket()
    await ws.subscribe("trade", "fill")
    await ws.stream.aclose()
    await trio.sleep(1)
    assert sim.speaker.statistics()["websockets"] == 0
    assert all(not subscriptions for subscriptions in sim.speaker._hub._subscriptions.values())
