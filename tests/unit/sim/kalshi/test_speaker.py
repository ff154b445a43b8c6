"""Rung: stateful async. REST and websocket over memory streams under a mock clock; nothing sleeps."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from hlomm.sim.faults import FaultArgs
from hlomm.sim.harness_kalshi import simulated_kalshi

ORDERS = "/portfolio/events/orders"


async def test_lists_quotes_takes_signed_orders_and_fills(autojump_clock: Any, client: Any) -> None:
    """The whole way of an order through the default venue with its background makers."""
    async with simulated_kalshi(seed=5) as sim:
        me = client(sim)
        ticker = await me.ticker()
        book = (await me.get(f"/markets/{ticker}/orderbook"))["orderbook_fp"]
        best_no = max(float(price) for price, _ in book["no_dollars"])
        ask = f"{1 - best_no:.4f}"
        ws = await me.websocket()
        await ws.subscribe("fill", "user_orders", "market_positions")
        status, placed = await me.place(
            ticker, "bid", ask, "1.50", client_order_id="one", time_in_force="immediate_or_cancel"
        )
        assert (status, placed["fill_count"], placed["remaining_count"]) == (201, "1.50", "0.00")
        fill = (await ws.until("fill"))["msg"]
        assert (fill["client_order_id"], fill["count_fp"], fill["post_position_fp"]) == ("one", "1.50", "1.50")
        await trio.sleep(3)
        (row,) = (await me.get("/portfolio/positions"))["market_positions"]
        assert row["position_fp"] == "1.50"
        (fill_row,) = (await me.get("/portfolio/fills"))["fills"]
        assert fill_row["fee_cost"] == fill["fee_cost"]
        assert sim.exchange.audit() == []


async def test_a_resting_order_lives_through_amend_decrease_and_cancel(
    autojump_clock: Any, sim: Any, client: Any
) -> None:
    me = client(sim)
    ticker = await me.ticker()
    status, placed = await me.place(ticker, "bid", "0.4800", "10.00", client_order_id="a", post_only=True)
    assert status == 201
    order_id = placed["order_id"]
    route = f"?exchange_index=2&market_ticker={ticker}"
    amended = {"ticker": ticker, "side": "bid", "price": "0.4700", "count": "12.00", "client_order_id": "a"}
    status, answer = await me.call(
        "POST", f"{ORDERS}/{order_id}/amend", amended | {"updated_client_order_id": "b", "exchange_index": 2}
    )
    assert (status, answer["client_order_id"], answer["remaining_count"]) == (200, "b", "12.00")
    status, answer = await me.call(
        "POST", f"{ORDERS}/{order_id}/decrease", {"reduce_by": "4.00", "exchange_index": 2, "market_ticker": ticker}
    )
    assert (status, answer["remaining_count"]) == (200, "8.00")
    status, answer = await me.call("DELETE", f"{ORDERS}/{order_id}{route}")
    assert (status, answer["reduced_by"]) == (200, "8.00")
    status, answer = await me.call("DELETE", f"{ORDERS}/{order_id}{route}")
    assert (status, answer["error"]["code"]) == (404, "not_found")
    row = (await me.get(f"/portfolio/orders/{order_id}"))["order"]
    assert (row["status"], row["remaining_count_fp"], row["client_order_id"]) == ("canceled", "0.00", "b")


async def test_an_unrouted_cancel_reaches_shard_0_and_the_order_stays(
    autojump_clock: Any, sim: Any, client: Any
) -> None:
    me = client(sim)
    ticker = await me.ticker()
    _, placed = await me.place(ticker, "bid", "0.4800", "10.00")
    status, body = await me.call("DELETE", f"{ORDERS}/{placed['order_id']}")
    assert (status, body["error"]["code"]) == (404, "not_found")
    assert [row["status"] for row in (await me.get("/portfolio/orders"))["orders"]] == ["resting"]
    status, _ = await me.call("DELETE", f"{ORDERS}/{placed['order_id']}?market_ticker={ticker}")
    assert status == 200


async def test_refusals_have_their_codes(autojump_clock: Any, sim: Any, client: Any) -> None:
    me, ticker = client(sim), await client(sim).ticker()
    await client(sim, 1).place(ticker, "ask", "0.5000", "10.00")
    await me.place(ticker, "bid", "0.4800", "10.00", client_order_id="twice")

    async def refusal(*order: str, **more: Any) -> tuple[int, str]:
        status, body = await me.place(*order, **more)
        return status, body["error"]["code"]

    assert await refusal(ticker, "bid", "0.4800", "1.00", client_order_id="twice") == (409, "order_already_exists")
    assert await refusal(ticker, "bid", "0.5000", "1.00", post_only=True) == (400, "invalid_order")
    assert await refusal(ticker, "bid", "0.4850", "1.00") == (400, "invalid_price")
    assert await refusal(ticker, "bid", "0.4800", "0.00") == (400, "invalid_order_size")
    assert await refusal(ticker, "bid", "0.4800", "900000") == (400, "insufficient_balance")
    assert await refusal(ticker, "bid", "0.4800", "1.00", exchange_index=0) == (404, "market_not_found")
    assert await refusal("KXNONE-1", "bid", "0.4800", "1.00") == (404, "market_not_found")
    assert await refusal(ticker, "bid", "0.4800", "1.00", expiration_time=1_600_000_000) == (400, "invalid_order")
    assert await refusal(ticker, "buy", "0.4800", "1.00") == (400, "invalid_parameters")
    status, body = await me.call("POST", "/portfolio/orders", {"ticker": ticker})
    assert (status, body["error"]["code"]) == (410, "deprecated_v1_order_endpoint")


async def test_signatures_clock_and_paths_are_checked(
    autojump_clock: Any, sim: Any, client: Any, rejected: Any
) -> None:
    me = client(sim)
    assert (await me.call("GET", "/portfolio/balance"))[0] == 200
    assert (await me.call("GET", "/portfolio/orders?status=resting"))[0] == 200
    late = client(sim, skew_ms=-31_000)
    assert (await late.call("GET", "/portfolio/balance"))[0] == 401
    wrong = me.headers("GET", "/trade-api/v2/portfolio/orders?status=resting")
    assert (await me.call("GET", "/portfolio/orders?status=resting", headers=wrong))[0] == 401
    assert (await me.call("GET", "/portfolio/balance", signed=False))[0] == 401
    assert (await me.call("GET", "/markets", signed=False))[0] == 200
    with pytest.raises(rejected) as caught:
        await me.websocket(headers=me.headers("GET", "/trade-api/v2/ws"))
    assert caught.value.status == 401


async def test_a_reply_that_gets_lost_leaves_the_order(autojump_clock: Any, sim: Any, client: Any, gone: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    sim.faults.arm("reply_lost")
    with pytest.raises(gone):
        await me.place(ticker, "bid", "0.4800", "10.00", client_order_id="lost")
    again = client(sim)
    status, body = await again.place(ticker, "bid", "0.4800", "10.00", client_order_id="lost")
    assert (status, body["error"]["code"]) == (409, "order_already_exists")
    (row,) = (await again.get("/portfolio/orders?status=resting"))["orders"]
    assert row["client_order_id"] == "lost"


async def test_too_many_requests_are_answered_plainly(autojump_clock: Any, client: Any, calm: Any) -> None:
    """The shard's own bucket is another than the unscoped one."""
    async with simulated_kalshi(config=calm(write_per_s=10, bucket_s=2.0)) as sim:
        me = client(sim)
        ticker = await me.ticker()
        answers = [await me.place(ticker, "bid", "0.1000", "1.00") for _ in range(4)]
        assert [status for status, _ in answers][:2] == [201, 201]
        assert answers[-1] == (429, {"error": "too many requests"})
        status, _ = await me.place(ticker, "bid", "0.1000", "1.00", exchange_index=-1)
        assert status == 201
        await trio.sleep(2)
        assert (await me.place(ticker, "bid", "0.1000", "1.00"))[0] == 201
        assert sim.speaker.statistics()["rate_limited"] >= 1


async def test_the_portfolio_lags_and_says_so(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    ticker = await me.ticker()
    sim.faults.arm("portfolio_lagging", FaultArgs(for_s=1.0, delay_s=5.0))
    _, placed = await me.place(ticker, "bid", "0.4800", "10.00")
    assert (await me.get("/portfolio/orders"))["orders"] == []
    before = (await me.get("/exchange/user_data_timestamp"))["as_of_time"]
    await trio.sleep(6)
    assert [row["order_id"] for row in (await me.get("/portfolio/orders"))["orders"]] == [placed["order_id"]]
    assert (await me.get("/exchange/user_data_timestamp"))["as_of_time"] > before


async def test_an_rsa_key_can_be_registered(autojump_clock: Any, sim: Any, client: Any, kalshi_fixture: Any) -> None:
    keys = kalshi_fixture("signing_vectors.json")["keys"]["rsa"]
    me = client(sim)
    answer = await me.control(type="key", account="daemon", public_pem=keys["public_pem"])
    me.key_id, me.pem = answer["key_id"], keys["private_pkcs8_pem"]
    assert (await me.call("GET", "/portfolio/balance"))[0] == 200


async def test_a_market_without_traders_settles_and_the_next_is_listed(
    autojump_clock: Any, sim: Any, client: Any
) -> None:
    me, other = client(sim), client(sim, 1)
    rows = (await me.get("/markets?series_ticker=KXBTCD&status=open"))["markets"]
    ticker = min(rows, key=lambda row: row["close_time"])["ticker"]
    await me.place(ticker, "bid", "0.5000", "10.00")
    await other.place(ticker, "ask", "0.5000", "10.00")
    await trio.sleep(60)
    status, body = await me.place(ticker, "bid", "0.5000", "1.00")
    assert (status, body["error"]["code"]) == (400, "market_inactive")
    await trio.sleep(40)
    market = (await me.get(f"/markets/{ticker}"))["market"]
    assert market["status"] == "finalized"
    (mine,) = (await me.get("/portfolio/settlements"))["settlements"]
    (theirs,) = (await client(sim, 1).get("/portfolio/settlements"))["settlements"]
    assert mine["revenue"] + theirs["revenue"] == 1000
    assert (mine["market_result"] == "yes") is (mine["revenue"] == 1000) is (market["result"] == "yes")
    assert (await me.get("/portfolio/positions"))["market_positions"] == []
    fresh = (await me.get("/markets?series_ticker=KXBTCD&status=open"))["markets"]
    assert ticker not in {row["ticker"] for row in fresh}
    assert len(fresh) == len(rows)


@pytest.mark.parametrize("form", ["enveloped", "flat"])
async def test_errors_come_in_either_form(autojump_clock: Any, client: Any, calm: Any, form: str) -> None:
    async with simulated_kalshi(config=calm(error_form=form)) as sim:
        status, body = await client(sim).call("GET", "/markets/KXNONE")
        assert status == 404
        error = body["error"] if form == "enveloped" else body
        assert (error["code"], error["message"]) == ("not_found", "not found")
        assert ("error" in body) is (form == "enveloped")


async def test_a_balance_is_what_is_free_unless_set_otherwise(autojump_clock: Any, client: Any, calm: Any) -> None:
    for available, left in ((True, 95), (False, 100)):
        async with simulated_kalshi(config=calm(balance_available=available, deposit_usd=100)) as sim:
            me = client(sim)
            await me.place(await me.ticker(), "bid", "0.5000", "10.00")
            answer = await me.get("/portfolio/balance?exchange_index=2")
            assert (answer["balance"], answer["balance_dollars"]) == (left * 100, f"{left}.0000")
            assert (await me.get("/portfolio/balance"))["balance"] == (left + 100) * 100


async def test_cash_moves_between_shards(autojump_clock: Any, sim: Any, client: Any) -> None:
    me = client(sim)
    body = {
        "source": "event_contract",
        "destination": "event_contract",
        "amount": 250_000,
        "source_exchange_shard": 0,
        "destination_exchange_shard": 2,
    }
    assert (await me.call("POST", "/portfolio/intra_exchange_instance_transfer", body))[0] == 200
    rows = (await me.get("/portfolio/balance"))["balance_breakdown"]
    assert rows == [{"exchange_index": 0, "balance": "9975.0000"}, {"exchange_index": 2, "balance": "10025.0000"}]
    status, answer = await me.call("POST", "/portfolio/intra_exchange_instance_transfer", body | {"amount": 10**12})
    assert (status, answer["error"]["code"]) == (400, "insufficient_balance")


async def test_status_filters_know_their_words(autojump_clock: Any, sim: Any, client: Any) -> None:
    """`active` is a status of markets and no filter."""
    me = client(sim)
    assert (await me.call("GET", "/markets?status=active"))[0] == 400
    assert (await me.get("/markets?status=open"))["markets"]
    first = await me.get("/markets?limit=2")
    second = await me.get(f"/markets?limit=2&cursor={first['cursor']}")
    tickers = [row["ticker"] for row in first["markets"] + second["markets"]]
    assert len(set(tickers)) == 4
