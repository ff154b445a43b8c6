"""Every file of `synthetic/rest`: portfolio, limits and exchange decode to what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.units import parse
from hlomm.venues.kalshi import eastern
from hlomm.venues.kalshi.wire import account, exchange
from hlomm.venues.kalshi.wire.sides import BookSide
from hlomm.venues.kalshi.wire.tickers import read_ticker
from hlomm.venues.kalshi.wire.times import wall_ms, wall_ns
from tests.wire.kalshi.conftest import Shared

MARKET = "KXBTCD-26NOV2017-T90999.99"
NOT_USED = {"candlesticks.json", "queue_positions.json", "trades.json"}
"""Endpoints nothing here asks for."""


def test_no_rest_file_is_left_out(shared: Shared) -> None:
    read_here = {
        "account_limits.json", "balance.json", "endpoint_costs.json", "exchange_status.json",
        "exchange_status.crypto_shard_paused.json", "fills.json", "orderbook.json", "orderbook.empty.json",
        "orders.json", "positions.json", "settlements.json",
    }  # fmt: skip
    elsewhere = {"order_scenarios.json"}
    documents = {name for name in shared.files("synthetic/rest") if name.startswith(("event_", "series_"))}
    assert set(shared.files("synthetic/rest")) == read_here | elsewhere | documents | NOT_USED


def test_balances_are_told_by_shard(shared: Shared) -> None:
    read = account.balance(shared.rest("balance"))
    assert read.total == parse("1234.5678")
    assert read.shards == {0: parse("234.5678"), 2: parse("1000")}


def test_positions_are_signed(shared: Shared) -> None:
    rows, cursor = account.positions(shared.rest("positions"))
    assert cursor == ""
    assert [(row.ticker, row.qty, row.cost, row.shard) for row in rows] == [
        (MARKET, parse("85.5"), parse("42.75"), 2),
        ("KXBTCD-26NOV2017-T91249.99", -parse("10"), parse("7.6"), 2),
    ]


def test_orders_say_side_price_and_what_is_left(shared: Shared) -> None:
    (resting, done), cursor = account.orders(shared.rest("orders"))
    assert cursor == ""
    assert (resting.client_id, resting.side, resting.px) == ("hlomm-k-000001", BookSide.BID, parse("0.48"))
    assert (resting.status, resting.filled, resting.leaves) == (account.RESTING, 0, parse("10"))
    assert (resting.shard, resting.initial) == (2, parse("10"))
    assert (done.side, done.px, done.status, done.filled) == (
        BookSide.ASK, parse("0.52"), account.EXECUTED, parse("10"),
    )  # fmt: skip


def test_fills_are_known_by_trade_and_order(shared: Shared) -> None:
    (fill,), _ = account.fills(shared.rest("fills"))
    assert fill.key == "d91bc706-ee49-470d-82d8-11418bda6fed:a6d6010d-6d5f-40a1-a7e7-5501386bb621"
    assert (fill.ticker, fill.side, fill.px, fill.qty) == (MARKET, BookSide.BID, parse("0.5"), parse("85.5"))
    assert (fill.fee, fill.maker) == (parse("1.4963"), False)
    assert fill.venue_ms == wall_ms("2026-11-20T21:00:00.456Z", "test")


def test_settlements_pay_in_cents(shared: Shared) -> None:
    (row,), _ = account.settlements(shared.rest("settlements"))
    assert (row.ticker, row.result, row.yes, row.no) == (MARKET, "yes", parse("85.5"), 0)
    assert row.revenue == parse("85.5")


def test_limits_and_costs(shared: Shared) -> None:
    limits = exchange.limits(shared.rest("account_limits"))
    assert limits.tier == "advanced"
    assert limits.read == limits.write == exchange.Bucket(360, 720)
    costs = exchange.costs(shared.rest("endpoint_costs"))
    assert costs.default == 10
    assert costs.special["DELETE", "/portfolio/events/orders/{order_id}"] == 2


def test_a_shard_pauses_alone(shared: Shared) -> None:
    running = exchange.status(shared.rest("exchange_status"), 2)
    assert (running.exchange, running.trading, running.resumes_ms) == (True, True, None)
    paused = shared.rest("exchange_status.crypto_shard_paused")
    assert (exchange.status(paused, 2).exchange, exchange.status(paused, 2).trading) == (True, False)
    assert exchange.status(paused, 0).trading
    assert exchange.status(paused, 9).trading
    down = b'{"exchange_active":false,"trading_active":false,"exchange_estimated_resume_time":"2026-11-26T10:00:00Z"}'
    assert exchange.status(down, 2) == exchange.ExchangeStatus(
        exchange=False, trading=False, resumes_ms=wall_ms("2026-11-26T10:00:00Z", "test")
    )


def test_books_may_be_empty(shared: Shared) -> None:
    yes, no = exchange.book(shared.rest("orderbook"))
    assert yes[-1] == ("0.4800", "120.00")
    assert no[-1] == ("0.5000", "85.50")
    assert exchange.book(shared.rest("orderbook.empty")) == ([], [])
    assert exchange.book(b'{"orderbook_fp":{"yes_dollars":null}}') == ([], [])


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (account.balance, b'{"balance_dollars":12}'),
        (account.balance, b'{"balance_dollars":"1e5"}'),
        (account.positions, b'{"market_positions":[{"ticker":"T"}]}'),
        (account.orders, b'{"orders":[{"order_id":"a","book_side":"up"}]}'),
        (account.one_order, b"{}"),
        (account.fills, b'{"fills":[{}]}'),
        (exchange.limits, b'{"read":{"refill_rate":0,"bucket_capacity":1}}'),
        (exchange.as_of_ms, b'{"as_of_time":"yesterday"}'),
        (exchange.book, b"\xff"),
    ],
)
def test_what_is_no_such_document_is_said_to_be_none(decode: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        decode(body)


def test_small_answers() -> None:
    assert exchange.as_of_ms(b'{"as_of_time":"2026-11-20T21:00:00.5Z"}') == wall_ms("2026-11-20T21:00:00.500Z", "t")
    assert exchange.netting(b'{"enabled":true}', 2)
    by_shard = b'{"netting_configs":[{"enabled":true,"exchange_index":0},{"enabled":false,"exchange_index":2}]}'
    assert exchange.netting(by_shard, 0)
    assert not exchange.netting(by_shard, 2)
    with pytest.raises(ProtocolViolation):
        exchange.netting(by_shard, 7)
    assert exchange.settlement_px("1.0000") == parse("1")


# -- clocks


def test_eastern_time_over_both_changes_of_the_clock() -> None:
    assert eastern.instants(2026, 11, 20, 17, 0) == (wall_ns("2026-11-20T22:00:00Z", "t"),)
    assert eastern.instants(2026, 9, 1, 7, 0) == (wall_ns("2026-09-01T11:00:00Z", "t"),)
    twice = eastern.instants(2026, 11, 1, 1, 30)
    assert twice == (wall_ns("2026-11-01T05:30:00Z", "t"), wall_ns("2026-11-01T06:30:00Z", "t"))
    assert eastern.instant("EDT", 2026, 11, 1, 1, 30) == twice[0]
    assert eastern.instant("EST", 2026, 11, 1, 1, 30) == twice[1]
    assert eastern.instants(2026, 3, 8, 2, 30) == ()
    assert eastern.instant("EST", 2026, 7, 1, 12, 0) is None
    assert eastern.instants(2026, 2, 30, 1, 0) == ()


@pytest.mark.parametrize(
    "text", ["", "2026-11-20 21:00:00Z", "2026-11-20T21:00:00", "2026-11-31T21:00:00Z", "2026-13-01T00:00:00Z"]
)
def test_other_ways_of_writing_a_time_are_refused(text: str) -> None:
    with pytest.raises(ProtocolViolation):
        wall_ns(text, "test")


@pytest.mark.parametrize(
    "text", ["KXBTCD-26NOV2017", "KXBTC15M-26NOV201615-30", "KXBTCMAXY-26-DEC31-109999.99", "", "x" * 500]
)
def test_other_forms_of_ticker_are_none(text: str) -> None:
    assert read_ticker(text) is None
