"""REST answers and requests: a value, or an anomaly; never an exception."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hlomm.cli.research import LENGTHS
from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import BookSource
from hlomm.domain.units import parse
from hlomm.venues.hyperliquid.wire import info, standing
from hlomm.venues.hyperliquid.wire.candles import LENGTHS_S, candles_request, decode_candles
from tests.wire.hyperliquid.tools import book, fill_row, levels, order_row

USER = "0x14791697260E4C9A71F18484C9F997B308E59325"


def kinds(result: tuple[Any, Any]) -> list[str]:
    value, anomalies = result
    assert value is None
    return [one.kind for one in anomalies]


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


# -- requests


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (info.request("meta"), {"type": "meta"}),
        (info.l2_book_request("#9000"), {"type": "l2Book", "coin": "#9000"}),
        (
            candles_request("BTC", "1m", 5, 9),
            {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m", "startTime": 5, "endTime": 9}},
        ),
        (info.settled_outcome_request(95), {"type": "settledOutcome", "outcome": 95}),
        (info.user_request("userFees", "0xabc"), {"type": "userFees", "user": "0xabc"}),
        (
            info.order_status_request("0xabc", ClientId("0x01")),
            {"type": "orderStatus", "user": "0xabc", "oid": "0x01"},
        ),
    ],
)
def test_requests_are_the_documented_documents(body: bytes, expected: dict[str, Any]) -> None:
    assert json.loads(body) == expected


# -- books


def test_a_book_over_rest_is_marked_as_such() -> None:
    snapshot, anomalies = info.decode_l2_book(text(book("#9001", levels(("0.4", "10")), [])))
    assert anomalies == ()
    assert snapshot is not None
    assert snapshot.source is BookSource.REST
    assert snapshot.asks == ((parse("0.6"), parse("10")),)


def test_an_unknown_coin_has_no_book_and_that_is_no_anomaly() -> None:
    assert info.decode_l2_book(b"null") == (None, ())


def test_a_crossed_book_is_refused_over_rest_too() -> None:
    crossed = book("#9000", levels(("0.5", "1")), levels(("0.4", "1")))
    assert kinds(info.decode_l2_book(text(crossed))) == ["l2Book.crossed"]


# -- the account


def test_bad_fills_cost_themselves_only() -> None:
    rows, anomalies = info.decode_fills(text([fill_row(), fill_row(sz="x"), fill_row(coin="@1")]), USER)
    assert rows is not None
    assert (len(rows.fills), rows.skipped, rows.snapshot) == (1, 1, True)
    assert [one.kind for one in anomalies] == ["fill.size"]


def test_order_status_finds_an_order_or_says_it_is_unknown() -> None:
    row = {"order": order_row(), "status": "canceled", "statusTimestamp": 7}
    found, anomalies = info.decode_order_status(text({"status": "order", "order": row}))
    assert anomalies == ()
    assert found is not None
    assert found.report is not None
    assert (found.report.status, found.report.filled, found.report.venue_ms) == ("canceled", parse("40"), 7)
    assert info.decode_order_status(b'{"status":"unknownOid"}') == (info.OrderStatus(None), ())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"status": "order"}, "orderStatus.status"),
        ({"status": "missing"}, "orderStatus.status"),
        ({"status": "order", "order": {"status": "open"}}, "orderStatus.schema"),
        (
            {"status": "order", "order": {"order": order_row(coin="@1"), "status": "open", "statusTimestamp": 1}},
            "order.coin",
        ),
        (
            {"status": "order", "order": {"order": order_row(sz="-1"), "status": "open", "statusTimestamp": 1}},
            "order.size",
        ),
        (None, "orderStatus.schema"),
    ],
)
def test_order_statuses_of_another_shape_are_refused(value: Any, kind: str) -> None:
    assert kinds(info.decode_order_status(text(value))) == [kind]


FEES = {
    "userCrossRate": "0.00045",
    "userAddRate": "-0.00001",
    "userSpotCrossRate": "0.0007",
    "userSpotAddRate": "0.0004",
    "activeReferralDiscount": "0.04",
}


def test_fees_keep_rebates_and_discounts_apart() -> None:
    fees, _ = info.decode_user_fees(text(FEES))
    assert fees == info.UserFees(
        perp_taker=45_000, perp_maker=-1_000, spot_taker=70_000, spot_maker=40_000, referral_discount=4_000_000
    )


def test_a_missing_discount_is_none() -> None:
    fees, _ = info.decode_user_fees(
        text({key: value for key, value in FEES.items() if key != "activeReferralDiscount"})
    )
    assert fees is not None
    assert fees.referral_discount == 0


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"userCrossRate": "0.11"}, "userFees.rate"),
        ({"userSpotAddRate": "-0.2"}, "userFees.rate"),
        ({"userSpotCrossRate": "NaN"}, "userFees.rate"),
        ({"activeReferralDiscount": "1.01"}, "userFees.discount"),
        ({"activeReferralDiscount": "-0.01"}, "userFees.discount"),
        ({"userAddRate": 0.1}, "userFees.schema"),
        ({"userAddRate": None}, "userFees.schema"),
    ],
)
def test_fees_that_cannot_be_are_refused(fields: dict[str, Any], kind: str) -> None:
    assert kinds(info.decode_user_fees(text({**FEES, **fields}))) == [kind]


def test_rate_limits_and_times_are_numbers() -> None:
    limit, _ = info.decode_rate_limit(text({"cumVlm": "1.123456789", "nRequestsUsed": 5, "nRequestsCap": 10_000}))
    assert limit == info.RateLimit(5, 10_000)
    assert info.decode_exchange_status(b'{"time":1785412800000,"specialStatuses":null}') == (
        info.ExchangeStatus(1_785_412_800_000, None),
        (),
    )


def test_who_may_act_for_whom() -> None:
    role, _ = standing.decode_role(text({"role": "agent", "data": {"user": "0xAB"}}))
    assert role == standing.Role("agent", "0xab")
    assert standing.decode_role(text({"role": "subAccount", "data": {"master": "0xCD"}}))[0] == standing.Role(
        "subAccount", "0xcd"
    )
    assert standing.decode_role(text({"role": "missing"}))[0] == standing.Role("missing", "")
    agents, _ = standing.decode_agents(text([{"name": "a", "address": "0xEF", "validUntil": 5}]))
    assert agents == (standing.Agent("a", "0xef", 5),)
    assert standing.decode_mode(text("unifiedAccount")) == ("unifiedAccount", ())


@pytest.mark.parametrize(
    "value", [{"nRequestsUsed": -1, "nRequestsCap": 1}, {"nRequestsUsed": "5", "nRequestsCap": 1}, {}]
)
def test_rate_limits_of_another_shape_are_refused(value: Any) -> None:
    assert kinds(info.decode_rate_limit(text(value))) == ["userRateLimit.schema"]


@pytest.mark.parametrize("value", [{}, {"time": "now"}, {"time": -1}, {"time": 10**15}, {"time": 1.5}])
def test_times_of_another_shape_are_refused(value: Any) -> None:
    assert kinds(info.decode_exchange_status(text(value))) == ["exchangeStatus.schema"]


# -- whatever comes instead of an answer

EVERY: dict[str, Callable[[bytes], tuple[Any, Any]]] = {
    "outcomeMeta.schema": info.decode_outcome_meta,
    "meta.schema": info.decode_perp_meta,
    "settledOutcome.schema": info.decode_settled_outcome,
    "balances.schema": lambda body: info.decode_balances(body, USER),
    "openOrders.schema": info.decode_open_orders,
    "userFills.schema": lambda body: info.decode_fills(body, USER),
    "orderStatus.schema": info.decode_order_status,
    "l2Book.schema": info.decode_l2_book,
    "userFees.schema": info.decode_user_fees,
    "userRateLimit.schema": info.decode_rate_limit,
    "exchangeStatus.schema": info.decode_exchange_status,
    "candles.schema": decode_candles,
    "userRole.schema": standing.decode_role,
    "extraAgents.schema": standing.decode_agents,
    "userAbstraction.schema": standing.decode_mode,
}


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html><body>502 Bad Gateway</body></html>", id="html"),
        pytest.param(b"\xff\xfe\x00", id="binary"),
        pytest.param(b'{"a":"\xff"}', id="not utf-8"),
        pytest.param(b"[" * 200_000, id="deep"),
        pytest.param(b'"' + b"x" * 2**20 + b'"', id="long string"),
        pytest.param(b"7", id="number"),
        pytest.param(b"NaN", id="nan"),
        pytest.param(b"true", id="true"),
        pytest.param(b'{"time":', id="cut"),
    ],
)
def test_bodies_that_are_no_answer_are_refused_by_kind(kind: str, body: bytes) -> None:
    assert kinds(EVERY[kind](body)) == [kind]


def test_a_bad_candle_costs_itself() -> None:
    good = {
        "t": 0,
        "T": 59_999,
        "s": "BTC",
        "i": "1m",
        "o": "1.0",
        "c": "2.0",
        "h": "3.0",
        "l": "1.0",
        "v": "9",
        "n": 1,
    }
    bad = [good | change for change in ({"o": "0"}, {"l": "-1.0"}, {"v": "-1"}, {"t": -1}, {"n": None}, {"s": ""})]
    rows, anomalies = decode_candles(text([*bad, good, 7, {}]))
    assert rows is not None
    assert (len(rows.candles), rows.skipped) == (1, 8)
    assert {one.kind for one in anomalies} == {"candle.schema", "candle.px", "candle.volume"}
    assert decode_candles(text([]))[0] is not None


def test_the_command_knows_every_length() -> None:
    assert tuple(LENGTHS_S) == LENGTHS
