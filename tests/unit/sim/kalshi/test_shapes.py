"""Rung: stateful async. What the venue sends has the keys and types of the synthetic fixtures.

Where a fixture shows a key only in one situation, the same situation is made here; what is absent by rule (an empty
book side, a strike that is not known) is checked where the rule is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from hlomm.sim.harness_kalshi import simulated_kalshi

NEVER_SENT = {"cfbenchmarks_value_5hz"}
"""Frames of channels that the simulator does not have."""


def shape(value: Any) -> Any:
    """Keys and types, all the way down; whole and broken numbers are one type, an empty list fits any."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else "text"


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Where two shapes differ; null stands for anything."""
    if "NoneType" in (ours, theirs):
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        rows = [f"{where}.{key} is missing" for key in theirs.keys() - ours.keys()]
        rows += [f"{where}.{key} is more" for key in ours.keys() - theirs.keys()]
        for key in ours.keys() & theirs.keys():
            rows += differences(ours[key], theirs[key], f"{where}.{key}")
        return sorted(rows)
    if isinstance(ours, list) and isinstance(theirs, list):
        return differences(ours[0], theirs[0], f"{where}[]") if ours and theirs else []
    return [] if ours == theirs else [f"{where}: {ours} is not {theirs}"]


def alike(ours: Any, theirs: Any, *, but: tuple[str, ...] = ()) -> None:
    found = [row for row in differences(shape(ours), shape(theirs)) if row not in but]
    assert found == []


@pytest.fixture
def rest_fixture(kalshi_fixture: Any) -> Callable[[str], Any]:
    return lambda name: kalshi_fixture(f"synthetic/rest/{name}.json")


@pytest.fixture
def frames(shared: Path) -> Callable[[str], dict[str, list[Any]]]:
    """Server frames of a fixture by type."""

    def read(name: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for line in (shared / "fixtures" / "kalshi" / "synthetic" / "ws" / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            if row["dir"] == "server":
                found.setdefault(row["frame"]["type"], []).append(row["frame"])
        return found

    return read


async def test_public_documents(autojump_clock: Any, client: Any, rest_fixture: Any) -> None:
    async with simulated_kalshi(seed=8) as sim:
        me = client(sim)
        await trio.sleep(5)
        alike(await me.get("/exchange/status"), rest_fixture("exchange_status"))
        for series in ("KXBTCD", "KXBTC15M"):
            alike(await me.get(f"/series/{series}"), rest_fixture(f"series_{series}"))
        ticker = await me.ticker()
        event = ticker.rpartition("-")[0]
        alike(await me.get(f"/events/{event}"), rest_fixture("event_KXBTCD-26NOV2017"))
        window = (await me.ticker("KXBTC15M")).rpartition("-")[0]
        alike(await me.get(f"/events/{window}"), rest_fixture("event_KXBTC15M-26NOV201615.active"))
        alike(await me.get(f"/markets/{ticker}/orderbook"), rest_fixture("orderbook"))
        (row,) = (await me.get(f"/markets/orderbooks?tickers={ticker}"))["orderbooks"]
        alike(row, {"ticker": ticker, **rest_fixture("orderbook")})
        alike(await me.get("/markets/trades?limit=5"), rest_fixture("trades"))
        alike(await me.get("/account/endpoint_costs"), rest_fixture("endpoint_costs"))
        schedule = (await me.get("/exchange/schedule"))["schedule"]
        assert set(schedule) == {"standard_hours", "maintenance_windows"}


async def test_a_window_before_it_opens_and_after_it_is_over(
    autojump_clock: Any, client: Any, calm: Any, rest_fixture: Any
) -> None:
    quarter_ns = 1_795_000_500 * 10**9
    async with simulated_kalshi(config=calm(), venue_origin_ns=quarter_ns - 45 * 10**9) as sim:
        me = client(sim)
        old = (await me.ticker("KXBTC15M")).rpartition("-")[0]
        (market,) = (await me.get("/markets?series_ticker=KXBTC15M&status=unopened"))["markets"]
        fresh = market["event_ticker"]
        alike(await me.get(f"/events/{fresh}"), rest_fixture("event_KXBTC15M-26NOV201615.before_open"))
        await trio.sleep(49)
        assert "floor_strike" in (await me.get(f"/markets/{market['ticker']}"))["market"]
        (listed,) = (await me.get(f"/markets?tickers={market['ticker']}"))["markets"]
        assert "floor_strike" not in listed, "lists show a strike later"
        await trio.sleep(4)
        (listed,) = (await me.get(f"/markets?tickers={market['ticker']}"))["markets"]
        assert "floor_strike" in listed
        await trio.sleep(5)
        alike(await me.get(f"/events/{old}"), rest_fixture("event_KXBTC15M-26NOV201615.finalized"))


async def test_private_documents(autojump_clock: Any, sim: Any, client: Any, rest_fixture: Any) -> None:
    me, other = client(sim), client(sim, 1)
    ticker = await me.ticker()
    await me.place(ticker, "bid", "0.4800", "10.00", client_order_id="a")
    await other.place(ticker, "ask", "0.4800", "4.00", client_order_id="b")
    alike(await me.get("/portfolio/balance"), rest_fixture("balance"))
    alike(await me.get("/portfolio/orders"), rest_fixture("orders"))
    alike(await me.get("/portfolio/fills"), rest_fixture("fills"))
    alike(await me.get("/portfolio/positions"), rest_fixture("positions"))
    queue = await me.get(f"/portfolio/orders/queue_positions?market_tickers={ticker}")
    alike(queue, rest_fixture("queue_positions"))
    alike(await me.get("/account/limits"), rest_fixture("account_limits"))
    assert (await me.get("/portfolio/subaccounts/netting"))["netting_configs"][0]["enabled"] is True


async def test_settlements(autojump_clock: Any, sim: Any, client: Any, rest_fixture: Any) -> None:
    me, other = client(sim), client(sim, 1)
    rows = (await me.get("/markets?series_ticker=KXBTCD&status=open"))["markets"]
    ticker = min(rows, key=lambda row: row["close_time"])["ticker"]
    await me.place(ticker, "bid", "0.5000", "10.00")
    await other.place(ticker, "ask", "0.5000", "10.00")
    await trio.sleep(70)
    alike(await client(sim).get("/portfolio/settlements"), rest_fixture("settlements"))


async def test_order_scenarios(autojump_clock: Any, sim: Any, client: Any, rest_fixture: Any) -> None:
    """Every scenario, replayed in order against the same state, has the fixture's status and body."""
    me, other = client(sim), client(sim, 1)
    ticker = await me.ticker()
    await other.place(ticker, "ask", "0.5000", "85.50")
    ids: dict[str, str] = {}
    done = []
    for case in rest_fixture("order_scenarios"):
        name, path = case["name"], case["path"]
        if name in {"unfunded_shard", "after_close", "rate_limited"}:
            continue  # states of their own: test_engine, test_speaker
        if name in {"post_only_would_cross", "batch_create_mixed"}:
            await other.place(ticker, "ask", "0.5000", "1.00")
        body = _as_here(case["request"], ticker, ids, sim)
        for theirs, ours in ids.items():
            path = path.replace(theirs, ours)
        path = path.replace("KXBTCD-26NOV2017-T90999.99", ticker)
        if name == "cancel_unrouted_hits_shard_0" or name.startswith(("amend", "decrease")):
            path = path.replace(ids[FIRST], ids.get("live", ids[FIRST]))
        status, answer = await me.call(case["method"], path, body)
        assert status == case["status"], (name, answer)
        theirs = case["response"]
        alike(answer, theirs)
        if status >= 400:
            assert answer == theirs, name
        for ours_item, theirs_item in zip(answer.get("orders", [answer]), theirs.get("orders", [theirs]), strict=True):
            if "order_id" in theirs_item and "order_id" in ours_item:
                ids.setdefault(theirs_item["order_id"], ours_item["order_id"])
        if name == "cancel":  # the scenarios go on as if it were alive
            _, placed = await me.place(ticker, "bid", "0.4800", "10.00", client_order_id="hlomm-k-000001-again")
            ids["live"] = placed["order_id"]
        done.append(name)
    assert len(done) == len(rest_fixture("order_scenarios")) - 3


FIRST = "3b23c1c7-f4ef-4f0d-8b9a-9e53c61f1a0d"


def _as_here(request: Any, ticker: str, ids: dict[str, str], sim: Any) -> Any:
    """A request of the fixtures with the tickers, ids and times of this venue."""
    if request is None:
        return None
    text = json.dumps(request).replace("KXBTCD-26NOV2017-T90999.99", ticker)
    for theirs, ours in ids.items():
        text = text.replace(theirs, ours)
    body = json.loads(text)
    if "expiration_time" in body:
        body["expiration_time"] = sim.clock.now_ns() // 10**9 + 60
    if body.get("updated_client_order_id"):
        del body["client_order_id"]
    return body


async def test_book_frames(autojump_clock: Any, client: Any, frames: Any) -> None:
    async with simulated_kalshi(seed=8) as sim:
        me = client(sim)
        ticker = await me.ticker()
        ws = await me.websocket()
        await ws.command("subscribe", channels=["orderbook_delta", "trade", "ticker"], market_tickers=[ticker])
        seen: dict[str, Any] = {}
        while not {"subscribed", "orderbook_snapshot", "orderbook_delta", "trade", "ticker"} <= set(seen):
            frame = await ws.next()
            seen.setdefault(frame["type"], frame)
        sid = seen["orderbook_snapshot"]["sid"]
        await ws.command("update_subscription", sids=[sid], action="add_markets", market_tickers=["X"])
        seen["ok"] = await ws.until("ok")
        await ws.command("unsubscribe", sids=[sid])
        seen["unsubscribed"] = await ws.until("unsubscribed")
        known = frames("orderbook_ok") | {kind: frames("public")[kind] for kind in ("ticker", "trade")}
        for kind, frame in seen.items():
            assert frame.pop("sending_ts_ms") > 0
            theirs = known[kind][0]
            alike(frame, theirs)


async def test_private_frames(autojump_clock: Any, sim: Any, client: Any, frames: Any) -> None:
    me, other = client(sim), client(sim, 1)
    ticker = await me.ticker()
    ws = await me.websocket()
    await ws.subscribe("fill", "user_orders", "market_positions", "order_group_updates")
    known = frames("private")
    await me.place(ticker, "bid", "0.4800", "10.00", client_order_id="a")
    resting = await ws.until("user_order")
    await other.place(ticker, "ask", "0.4800", "4.00")
    seen: dict[str, Any] = {}
    while not {"fill", "user_order", "market_position"} <= set(seen):
        frame = await ws.next()
        seen[frame["type"]] = frame
    theirs = next(frame for frame in known["user_order"] if "last_update_reason" in frame["msg"])
    for ours, fixture in [
        (resting, known["user_order"][0]),
        (seen["user_order"], theirs),
        (seen["fill"], known["fill"][0]),
        (seen["market_position"], known["market_position"][0]),
    ]:
        ours.pop("sending_ts_ms")
        alike(ours, fixture)


async def test_public_frames(autojump_clock: Any, client: Any, calm: Any, frames: Any) -> None:
    """A quarter of an hour from the listing of a window to the end of the one before it, with new ticks and fees."""
    quarter_ns = 1_795_000_500 * 10**9
    async with simulated_kalshi(config=calm(), venue_origin_ns=quarter_ns - 135 * 10**9) as sim:
        ws = await client(sim).websocket()
        await ws.subscribe("market_lifecycle_v2", "cfbenchmarks_value")
        sim.faults.arm("levels_changed")
        sim.faults.arm("fees_changed")
        wanted = [frame for rows in frames("public").values() for frame in rows if frame["type"] not in NEVER_SENT]
        wanted = [frame for frame in wanted if frame["type"] not in {"ticker", "trade"}]
        assert len(wanted) == 8
        seen: list[Any] = []
        while len(seen) < 400 and not all(_matches(seen, frame) for frame in wanted):
            frame = await ws.next()
            assert frame.pop("sending_ts_ms") > 0
            seen.append(frame)
        assert [frame["msg"] for frame in wanted if not _matches(seen, frame)] == []


def _matches(seen: list[Any], theirs: Any) -> bool:
    """Whether a frame of the same shape was seen (and, for markets that compare with their opening, of their kind)."""
    return any(frame["type"] == theirs["type"] and not differences(shape(frame), shape(theirs)) for frame in seen)
