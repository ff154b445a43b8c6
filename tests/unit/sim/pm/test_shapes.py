"""Documents and frames have the keys and types of the recorded ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio

from hlomm.sim.harness_polymarket import simulated_polymarket
from hlomm.sim.pm.rows import book_hash

Fixture = Callable[[str], Any]


def kind(value: Any) -> str:
    """Types as the wire tells them apart; null stands for anything."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case _:
            return "object"


def assert_like(ours: Any, recorded: Any, where: str = "", *, skip: frozenset[str] = frozenset()) -> None:
    """Every recorded key is there, and a value is of the recorded kind; lists are compared by their first items."""
    if kind(ours) == "null" or kind(recorded) == "null":
        return
    assert kind(ours) == kind(recorded), (where, ours, recorded)
    if isinstance(recorded, dict):
        missing = recorded.keys() - ours.keys() - skip
        assert not missing, (where, missing)
        for name in recorded.keys() & ours.keys():
            assert_like(ours[name], recorded[name], f"{where}.{name}", skip=skip)
    elif isinstance(recorded, list) and recorded and ours:
        assert_like(ours[0], recorded[0], f"{where}[0]", skip=skip)


# What the simulated markets have no use for: figures of popularity, pictures, people, history.
DECORATION = frozenset(
    {
        *(f"volume{span}{of}" for span in ("24hr", "1wk", "1mo", "1yr") for of in ("", "Clob")),
        *("volumeClob", "liquidityClob", "competitive", "series", "submitted_by", "resolvedBy", "lastTradePrice"),
        *(
            "umaBond",
            "umaReward",
            "customLiveness",
            "negRiskRequestID",
            "deployingTimestamp",
            "makerRebatesFeeShareBps",
        ),
        *("showGmpSeries", "showGmpOutcome", "forceShow", "publishedAt", "updatedBy", "createdAt", "updatedAt"),
        *("requiresTranslation", "groupItemTitle", "eventStartTime", "resolutionSource"),
    }
)


@pytest.fixture
async def story(pm_client, quiet, websocket_client, autojump_clock) -> dict[str, Any]:
    """Everything the wire said while two clients traded: event rows by type, and documents by name."""
    async with simulated_polymarket(seed=3, config=quiet(retried=0.0, failed=0.0)) as sim:
        maker, taker = await pm_client(sim).login(), await pm_client(sim, 1).login()
        market = next(one for one in sim.venue.exchange.markets.values() if one.spec.family.value == "above")
        later = next(one for one in sim.venue.exchange.markets.values() if one.spec.family.value == "updown")
        yes, no = market.spec.tokens
        seen: dict[str, Any] = {}

        async def listen(ws: Any) -> None:
            while True:
                rows = json.loads(await ws.next_text())
                for row in rows if isinstance(rows, list) else [rows]:
                    seen.setdefault(row["event_type"] + row.get("type", ""), row)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, await maker.user_stream(websocket_client))
            public = await maker.market_stream(websocket_client, [yes, no], custom_feature_enabled=True)
            nursery.start_soon(listen, public)
            await trio.sleep(0.2)
            await maker.post(yes, "BUY", "0.97", "10")
            resting = await maker.post(yes, "BUY", "0.30", "20")
            await taker.post(no, "BUY", "0.03", "100")
            seen["trades"] = (await maker.private("GET", "/data/trades")).body
            seen["orders"] = (await maker.private("GET", "/data/orders")).body
            seen["order"] = (await maker.private("GET", f"/data/order/{resting.body['orderID']}")).body
            seen["cancel"] = (await maker.private("DELETE", "/order", {"orderID": resting.body["orderID"]})).body
            seen["book rest"] = await maker.get(f"/book?token_id={yes}")
            seen["market"] = await maker.get(f"/markets/{market.spec.condition}")
            seen["compact"] = await maker.get(f"/clob-markets/{market.spec.condition}")
            seen["gamma updown"] = (await maker.get(f"/gamma/markets/keyset?slug={later.spec.slug}"))["markets"][0]
            seen["gamma above"] = await maker.get(f"/gamma/events/slug/{market.spec.event_slug}")
            seen["balance"] = (await maker.private("GET", "/balance-allowance?asset_type=COLLATERAL")).body
            await trio.sleep(60)
            funder = maker.account.funder
            seen["positions"] = await pm_client(sim).get(f"/data-api/positions?user={funder}")
            await trio.sleep(240)
            seen["resolutions"] = await pm_client(sim).get(
                f"/data-api/v2/resolutions?condition_id={market.spec.condition}"
            )
            seen["gamma closed"] = (
                await pm_client(sim).get(f"/gamma/markets?closed=true&condition_ids={market.spec.condition}")
            )[0]
            nursery.cancel_scope.cancel()
        return seen


async def test_shapes(story: dict[str, Any], fixtures: Fixture, autojump_clock) -> None:
    pairs = {
        "book": "nautilus_py/ws/book.json",
        "price_change": "nautilus_py/ws/price_change_v2.json",
        "last_trade_price": "nautilus_py/ws/last_trade_price.json",
        "tick_size_change": "nautilus_py/ws/tick_size_change.json",
        "best_bid_ask": "nautilus_rs/ws_market_best_bid_ask_msg.json",
        "new_market": "nautilus_rs/ws_market_new_market_msg.json",
        "market_resolved": "nautilus_rs/ws_market_resolved_msg.json",
        "orderPLACEMENT": "nautilus_py/ws/order_placement.json",
        "orderUPDATE": "nautilus_rs/ws_user_order_update.json",
        "orderCANCELLATION": "nautilus_py/ws/order_cancel.json",
        "tradeTRADE": "nautilus_py/ws/user_trade3.json",
        "cancel": "nautilus_rs/http_cancel_response_ok.json",
        "order": "nautilus_rs/http_open_order.json",
        "orders": "nautilus_rs/http_open_orders_page.json",
        "book rest": "nautilus_py/http/book.json",
        "market": "nautilus_py/http/market.json",
        "gamma updown": "nautilus_rs/gamma_market.json",
        "gamma closed": "nautilus_rs/gamma_market_closed_binary_accepting_false.json",
        "positions": "nautilus_rs/data_api_positions_response.json",
    }
    for name, file in pairs.items():
        assert story[name], name
        extra = frozenset({"closedTime", "umaEndDate", "automaticallyResolved", "seriesColor", "bestAsk"})
        assert_like(story[name], fixtures(file), name, skip=DECORATION | extra)
    assert_like(story["trades"]["data"][0], fixtures("nautilus_py/ws/trades.json"), "trades")
    assert_like(story["gamma above"], fixtures("nautilus_rs/search_response.json")["events"][0], skip=DECORATION)
    resolution = fixtures("official_sdk/data_v2_resolutions.json")["items"][1]
    assert_like(story["resolutions"]["data"][0], resolution, "resolution")


async def test_contents(story: dict[str, Any], autojump_clock) -> None:
    """What shapes alone do not tell."""
    assert story["compact"]["fd"] == {"r": 0.07, "e": 1, "to": True}
    assert story["compact"]["itode"] is True
    assert story["balance"]["balance"] == "10000000000"
    assert set(story["balance"]) == {"balance", "allowances"}
    gamma = story["gamma updown"]
    assert json.loads(gamma["outcomes"]) == ["Up", "Down"]
    assert len(json.loads(gamma["clobTokenIds"])) == 2
    assert gamma["feeSchedule"]["rate"] == 0.07
    assert gamma["slug"].startswith("btc-updown-5m-")
    strike = story["gamma above"]["markets"][0]["groupItemTitle"]
    assert f"${strike} on" in story["gamma above"]["markets"][0]["question"]
    closed = story["gamma closed"]
    assert closed["closed"] is True
    assert sorted(json.loads(closed["outcomePrices"])) == ["0", "1"]
    assert story["market_resolved"]["winning_outcome"] in {"Yes", "No"}
    assert story["tick_size_change"]["new_tick_size"] == "0.001"
    assert story["trades"]["data"][0]["trader_side"] == "MAKER"


def test_book_hashes(fixtures: Fixture) -> None:
    vectors = fixtures("signing_vectors.json")["book_hash"]["vectors"]
    assert len(vectors) >= 2
    for vector in vectors:
        row = dict(vector)
        order = ["market", "asset_id", "timestamp", "hash", "bids", "asks"]
        order += ["min_order_size", "tick_size", "neg_risk", "last_trade_price"]
        assert book_hash({name: row[name] for name in order}) == vector["hash"]
