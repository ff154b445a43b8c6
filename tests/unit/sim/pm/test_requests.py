"""Private and public requests: who may ask, what is refused and how, batches, limits, cancels."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import trio

from hlomm.sim.harness_polymarket import simulated_polymarket

LOT = 10_000


@pytest.fixture
async def rig(pm_client, quiet, autojump_clock) -> Any:
    async with simulated_polymarket(seed=3, config=quiet()) as sim:
        client = await pm_client(sim).login()
        market = next(one for one in sim.venue.exchange.markets.values() if one.spec.family.value == "updown")
        yield sim, client, market
    assert sim.venue.world.audit() == []


async def test_keys_are_made_once_and_derived(pm_client, quiet, autojump_clock) -> None:
    async with simulated_polymarket(seed=3, config=quiet()) as sim:
        client = pm_client(sim)
        none = await client.request("GET", "/auth/derive-api-key", headers=client.l1())
        assert (none.status, none.body) == (400, {"error": "Could not derive api key!"})
        made = await client.request("POST", "/auth/api-key", headers=client.l1())
        assert set(made.body) == {"apiKey", "secret", "passphrase"}
        again = await client.request("POST", "/auth/api-key", headers=client.l1())
        assert (again.status, again.body) == (400, {"error": "Could not create api key"})
        derived = await client.request("GET", "/auth/derive-api-key", headers=client.l1())
        assert derived.body == made.body
        other = await client.request("POST", "/auth/api-key", headers=client.l1(nonce=1))
        assert other.body["apiKey"] != made.body["apiKey"]
        headers = client.l1() | {"POLY_ADDRESS": sim.accounts[1].address}
        refused = await client.request("POST", "/auth/api-key", headers=headers)
        assert (refused.status, refused.body) == (401, {"error": "Invalid L1 Request headers"})
        client.creds = made.body
        keys = await client.private("GET", "/auth/api-keys")
        assert set(keys.body["apiKeys"]) == {made.body["apiKey"], other.body["apiKey"]}
        assert (await client.private("DELETE", "/auth/api-key")).body == "OK"
        assert (await client.private("GET", "/data/orders")).status == 401


async def test_a_private_request_must_be_signed_as_sent(rig, autojump_clock) -> None:
    sim, client, market = rig
    body = client.order(market.spec.tokens[0], "BUY", "0.40", "10")
    for change in (
        {"POLY_SIGNATURE": b64encode(b"x" * 32).decode()},
        {"POLY_PASSPHRASE": "0" * 64},
        {"POLY_API_KEY": "00000000-0000-0000-0000-000000000000"},
        {"POLY_ADDRESS": sim.accounts[1].address},
    ):
        headers = client.l2("GET", "/data/orders", b"") | change
        answer = await client.request("GET", "/data/orders", headers=headers)
        assert (answer.status, answer.body) == (401, {"error": "Unauthorized/Invalid api key"}), change
    signed_with_query = client.l2("GET", "/data/orders?market=0x", b"")
    assert (await client.request("GET", "/data/orders?market=0x", headers=signed_with_query)).status == 401
    reserialised = await client.request("POST", "/order", body, client.l2("POST", "/order", b"{}"))
    assert reserialised.status == 401


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"owner": "someone else"}, "the order owner has to be the owner of the API KEY"),
        ({"orderType": "IOC"}, "Invalid order payload"),
        ({"orderType": "FAK", "postOnly": True}, "Invalid order payload"),
        ({"order": 1}, "Invalid payload"),
        ({"order.side": "HOLD"}, "Invalid side"),
        ({"order.salt": 2**60}, "Invalid order payload"),
        ({"order.makerAmount": "-4"}, "Invalid order payload"),
        ({"order.makerAmount": "4000001"}, "invalid signature"),
        ({"order.tokenId": "12"}, "Invalid token id"),
        ({"order.signature": "0x00"}, "invalid signature"),
        ({"order.signatureType": 2}, "maker address not allowed, please use the deposit wallet flow"),
        ({"order.signer": "0x" + "11" * 20}, "the order signer address has to be the address of the API KEY"),
        ({"order.expiration": "99"}, "invalid expiration"),
    ],
)
async def test_a_bad_order_is_refused_in_the_venues_words(rig, change, error, autojump_clock) -> None:
    _, client, market = rig
    body = client.order(market.spec.tokens[0], "BUY", "0.40", "10")
    for name, value in change.items():
        target, _, field = name.rpartition(".")
        (body[target] if target else body)[field] = value
    answer = await client.private("POST", "/order", body)
    assert (answer.status, answer.body) == (400, {"error": error})


async def test_an_order_of_the_old_version(rig, fixtures, autojump_clock) -> None:
    _, client, _ = rig
    for row in fixtures("signing_vectors.json")["orders_legacy_v1"]["vectors"]:
        answer = await client.private("POST", "/order", row["wire"])
        assert (answer.status, answer.body) == (400, {"error": "order_version_mismatch"})


async def test_decimals_of_market_orders(rig, autojump_clock) -> None:
    _, client, market = rig
    token = market.spec.tokens[0]
    for amounts, text in (
        ((5_001_000, 10_000_000), "invalid amounts, the market buy orders maker amount supports"),
        ((5_000_000, 9_615_350), "invalid amounts, the market buy orders maker amount supports"),
        ((5_000_000, 9_615_300), "no orders found to match with FAK order"),
    ):
        answer = await client.post(token, "BUY", "", "", "FAK", amounts=amounts)
        assert answer.status == 400
        assert answer.body["error"].startswith(text)


async def test_amounts_name_the_worst_price(pm_client, rig, autojump_clock) -> None:
    """Rounding shares down raises the quotient above the ask; rounding them up would lower it below."""
    sim, client, market = rig
    yes, no = market.spec.tokens
    other = await pm_client(sim, 1).login()
    await other.post(no, "BUY", "0.48", "20")
    up = await client.post(yes, "BUY", "", "", "FAK", amounts=(5_000_000, 9_615_400))
    assert up.status == 400
    down = await client.post(yes, "BUY", "", "", "FAK", amounts=(5_000_000, 9_615_300))
    assert (down.body["status"], down.body["takingAmount"], down.body["makingAmount"]) == ("matched", "9.61", "4.9972")


async def test_a_batch_answers_each_order(rig, autojump_clock) -> None:
    _, client, market = rig
    yes, no = market.spec.tokens
    batch = [
        client.order(yes, "BUY", "0.40", "10"),
        client.order(yes, "SELL", "0.60", "10"),
        client.order(no, "BUY", "0.40", "10"),
    ]
    answer = await client.private("POST", "/orders", batch)
    assert answer.status == 200
    assert [row["success"] for row in answer.body] == [True, True, True]
    assert [bool(row["orderID"]) for row in answer.body] == [True, False, True]
    assert answer.body[1]["errorMsg"] == "not enough balance / allowance"
    many = await client.private("POST", "/orders", [batch[0]] * 16)
    assert (many.status, many.body) == (400, {"error": "Too many orders in payload: 16, max allowed: 15"})


async def test_cancels(rig, pm_client, autojump_clock) -> None:
    sim, client, market = rig
    yes, no = market.spec.tokens
    ids = [(await client.post(token, "BUY", "0.40", "10")).body["orderID"] for token in (yes, yes, no, no)]
    stranger = await pm_client(sim, 1).login()
    theirs = await stranger.private("DELETE", "/order", {"orderID": ids[0]})
    assert theirs.body["canceled"] == []
    one = await client.private("DELETE", "/order", {"orderID": ids[0]})
    assert one.body == {"canceled": [ids[0]], "not_canceled": {}}
    twice = await client.private("DELETE", "/orders", [ids[0], ids[1], "0x00"])
    assert twice.body["canceled"] == [ids[1]]
    assert twice.body["not_canceled"] == {ids[0]: "already canceled or matched", "0x00": "order not found"}
    by_asset = await client.private("DELETE", "/cancel-market-orders", {"asset_id": yes})
    assert by_asset.body["canceled"] == []
    by_market = await client.private("DELETE", "/cancel-market-orders", {"market": market.spec.condition})
    assert by_market.body["canceled"] == ids[2:]
    await client.post(yes, "BUY", "0.40", "10")
    assert len((await client.private("DELETE", "/cancel-all")).body["canceled"]) == 1
    nothing = await client.private("DELETE", "/cancel-market-orders", {})
    assert (nothing.status, nothing.body) == (400, {"error": "Invalid payload"})
    assert (await client.private("GET", f"/data/order/{ids[0]}")).body is None


async def test_a_held_order_cannot_be_cancelled(rig, pm_client, autojump_clock) -> None:
    sim, client, market = rig
    yes, no = market.spec.tokens
    other = await pm_client(sim, 1).login()
    await other.post(no, "BUY", "0.60", "10")
    body = client.order(yes, "BUY", "0.40", "10")
    found: list[Any] = []

    async def send() -> None:
        found.append(await client.private("POST", "/order", body))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await trio.sleep(0.12)
        [held] = sim.venue.exchange.held
        second = pm_client(sim, creds=client.creds)
        kept = await second.private("DELETE", "/order", {"orderID": held})
        assert kept.body["not_canceled"][held] == "cannot cancel because the order is in pending/delayed status"
    assert found[0].body["status"] == "matched"
    assert found[0].body["orderID"] == held


async def test_the_limiter_counts_orders(rig, autojump_clock) -> None:
    _, client, market = rig
    batch = [client.order(market.spec.tokens[0], "BUY", "0.40", "5") for _ in range(15)]
    lefts = []
    for _ in range(5):
        answer = await client.private("POST", "/orders", batch)
        lefts.append(answer.status)
        if answer.status == 429:
            break
        assert answer.headers["poly-ratelimit-tier"] == "Standard"
        assert int(answer.headers["poly-ratelimit-remaining"]) < 60
    assert lefts[-1] == 429
    assert int(answer.headers["retry-after"]) >= 1
    await trio.sleep(1)
    assert (await client.private("DELETE", "/cancel-all")).status == 200


async def test_public_documents(rig, autojump_clock) -> None:
    sim, client, market = rig
    yes, no = market.spec.tokens
    await client.post(yes, "BUY", "0.40", "10")
    await client.post(no, "BUY", "0.45", "10")
    assert await client.get(f"/price?token_id={yes}&side=BUY") == {"price": "0.55"}
    assert await client.get(f"/price?token_id={yes}&side=SELL") == {"price": "0.4"}
    assert await client.get(f"/midpoint?token_id={yes}") == {"mid": "0.475"}
    assert await client.get(f"/spread?token_id={no}") == {"spread": "0.15"}
    assert await client.get(f"/tick-size?token_id={yes}") == {"minimum_tick_size": 0.01}
    assert await client.get(f"/neg-risk?token_id={yes}") == {"neg_risk": False}
    assert await client.get(f"/last-trade-price?token_id={yes}") == {"price": "0.5", "side": ""}
    assert (await client.get(f"/markets-by-token/{yes}"))["condition_id"] == market.spec.condition
    books = await client.request("POST", "/books", [{"token_id": yes}, {"token_id": no}])
    assert [book["asset_id"] for book in books.body] == [yes, no]
    prices = await client.request("POST", "/prices", [{"token_id": yes, "side": "BUY"}])
    assert prices.body == {yes: {"BUY": "0.55", "SELL": "0.4"}}
    listed = await client.get("/markets")
    assert listed["next_cursor"] == "LTE="
    assert listed["count"] == len(sim.venue.exchange.markets)
    unknown = await client.request("GET", "/book?token_id=5")
    assert (unknown.status, unknown.body) == (404, {"error": "No orderbook exists for the requested token id"})
    assert (await client.request("GET", "/nowhere")).status == 404
    assert await client.get("/ok") == "OK"


async def test_gamma_pages(rig, autojump_clock) -> None:
    sim, client, _ = rig
    seen: list[str] = []
    cursor = ""
    while True:
        page = await client.get("/gamma/markets/keyset?limit=1" + (f"&after_cursor={cursor}" if cursor else ""))
        seen += [row["slug"] for row in page["markets"]]
        if "next_cursor" not in page:
            break
        cursor = page["next_cursor"]
    assert seen == [market.spec.slug for market in sim.venue.exchange.markets.values()]
    assert (await client.request("GET", "/gamma/markets/keyset?offset=1")).status == 422
    updown = await client.get("/gamma/events?tag_slug=up-or-down&closed=false")
    assert {event["seriesSlug"] for event in updown} == {"btc-up-or-down-5m"}
    first, second = list(sim.venue.exchange.markets.values())[:2]
    for query in (
        f"condition_ids={first.spec.condition}&condition_ids={second.spec.condition}",
        f"clob_token_ids={first.spec.tokens[0]},{second.spec.tokens[1]}",
    ):
        assert {row["slug"] for row in await client.get(f"/gamma/markets?{query}")} == {
            first.spec.slug,
            second.spec.slug,
        }
    far = await client.get("/gamma/markets?end_date_min=2031-01-01T00:00:00Z")
    assert far == []


async def test_control_converts_for_the_owner(rig, autojump_clock) -> None:
    sim, client, market = rig
    request = {"type": "split", "account": "daemon", "market": market.spec.condition, "lots": 1000}
    split = await client.request("POST", "/sim", request)
    assert split.body["tokens"][market.spec.tokens[0]]["total"] == "10"
    assert split.body["cash"] == "9990"
    merged = await client.request("POST", "/sim", request | {"type": "merge"})
    assert merged.body["cash"] == "10000"
    assert (await client.request("POST", "/sim", request | {"type": "merge"})).status == 422
    assert (await client.request("POST", "/sim", {"type": "fault", "name": "nope"})).status == 422
    assert sim.state()["conservation_ok"]
