"""`order_scenarios.json`: every request is the one we would send, every answer and refusal is read as what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import ONE, SCALE, Px, Qty, parse
from hlomm.venues.kalshi.wire import errors, orders
from hlomm.venues.kalshi.wire.errors import Fate, Refusal, refusal
from hlomm.venues.kalshi.wire.schemas import count_text, floor_count, price_text
from hlomm.venues.kalshi.wire.sides import BookSide, from_wire, to_wire
from tests.wire.kalshi.conftest import Shared

SHARD = 2
LISTED = [
    "create_resting", "create_ioc_partial", "create_sell_yes_is_buy_no", "create_expiring",
    "duplicate_client_order_id", "post_only_would_cross", "insufficient_balance_on_shard", "unfunded_shard",
    "wrong_shard", "off_tick", "after_close",
    "legacy_endpoint_gone", "rate_limited", "cancel", "cancel_unrouted_hits_shard_0", "amend_price_keeps_filled",
    "decrease_by", "batch_create_mixed", "batch_cancel_mixed", "group_create",
]  # fmt: skip


@pytest.fixture
def scenarios(shared: Shared) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(shared.rest("order_scenarios"))}


def body_of(one: dict[str, Any]) -> bytes:
    return json.dumps(one["response"]).encode()


def create_of(request: dict[str, Any]) -> orders.Create:
    return orders.Create(
        ticker=request["ticker"],
        shard=request["exchange_index"],
        client_id=request["client_order_id"],
        side=BookSide(request["side"]),
        px=Px(parse(request["price"])),
        qty=Qty(parse(request["count"])),
        tif=request["time_in_force"],
        post_only=request["post_only"],
        reduce_only=request["reduce_only"],
        expires_s=request.get("expiration_time"),
    )


def test_no_scenario_is_left_out(scenarios: dict[str, dict[str, Any]]) -> None:
    assert list(scenarios) == LISTED


def test_our_creates_are_the_requests(scenarios: dict[str, dict[str, Any]]) -> None:
    seen = 0
    for one in scenarios.values():
        if one["method"] == "POST" and one["path"] == orders.ORDERS:
            assert orders.create_body(create_of(one["request"])) == one["request"], one["name"]
            seen += 1
    assert seen == 12
    batch = scenarios["batch_create_mixed"]
    rows = batch["request"]["orders"]
    assert orders.batch_create_body([create_of(row) for row in rows]) == batch["request"]
    assert batch["path"] == orders.BATCHED


def test_our_cancels_amends_and_decreases_are_the_requests(scenarios: dict[str, dict[str, Any]]) -> None:
    order_id, ticker = "3b23c1c7-f4ef-4f0d-8b9a-9e53c61f1a0d", "KXBTCD-26NOV2017-T90999.99"
    assert orders.cancel_path(order_id, ticker, SHARD) == scenarios["cancel"]["path"]
    # The scenario renames the order as it amends; ours keep their name, which is what the engine knows them by.
    amend = scenarios["amend_price_keeps_filled"]
    assert orders.amend_path(order_id) == amend["path"]
    ours = orders.amend_body(
        orders.Amend(
            ticker=ticker, shard=SHARD, order_id=order_id, side=BookSide.BID, px=Px(parse("0.47")),
            total=Qty(parse("10")), client_id="hlomm-k-000001",
        )
    )  # fmt: skip
    assert ours == {key: value for key, value in amend["request"].items() if key != "updated_client_order_id"}
    decrease = scenarios["decrease_by"]
    assert orders.decrease_path(order_id) == decrease["path"]
    assert orders.decrease_body(ticker, SHARD, reduce_by=Qty(parse("4"))) == decrease["request"]
    cancels = scenarios["batch_cancel_mixed"]
    targets = [(row["order_id"], row["market_ticker"], row["exchange_index"]) for row in cancels["request"]["orders"]]
    assert orders.batch_cancel_body(targets) == cancels["request"]


ANSWERS = {
    "create_resting": ("0", "10", None),
    "create_ioc_partial": ("85.5", "0", None),
    "create_sell_yes_is_buy_no": ("0", "10", None),
    "create_expiring": ("0", "10", None),
    "cancel": (None, None, "10"),
    "amend_price_keeps_filled": ("0", "10", None),
    "decrease_by": (None, "6", None),
}


def test_every_answer_is_read(scenarios: dict[str, dict[str, Any]]) -> None:
    for name, (filled, leaves, reduced) in ANSWERS.items():
        answer = orders.decode_answer(body_of(scenarios[name]))
        assert answer.order_id == scenarios[name]["response"]["order_id"]
        assert answer.client_id == scenarios[name]["response"]["client_order_id"]
        assert answer.venue_ms == scenarios[name]["response"]["ts_ms"]
        assert answer.filled == (None if filled is None else parse(filled)), name
        assert answer.leaves == (None if leaves is None else parse(leaves)), name
        assert answer.reduced_by == (None if reduced is None else parse(reduced)), name


REFUSALS = {
    "duplicate_client_order_id": (errors.DUPLICATE_ID, Fate.ALREADY),
    "post_only_would_cross": (errors.POST_ONLY_CROSS, Fate.REFUSED),
    "insufficient_balance_on_shard": (errors.INSUFFICIENT_BALANCE, Fate.REFUSED),
    "unfunded_shard": (errors.UNFUNDED_SHARD, Fate.REFUSED),
    "wrong_shard": (errors.WRONG_SHARD, Fate.REFUSED),
    "off_tick": (errors.INVALID_PRICE, Fate.REFUSED),
    "after_close": (errors.MARKET_INACTIVE, Fate.REFUSED),
    "legacy_endpoint_gone": (errors.LEGACY_ENDPOINT, Fate.REFUSED),
    "rate_limited": (errors.RATE_LIMITED, Fate.REFUSED),
}


def test_every_refusal_has_its_word_and_its_fate(scenarios: dict[str, dict[str, Any]]) -> None:
    for name, (code, fate) in REFUSALS.items():
        read = refusal(scenarios[name]["status"], body_of(scenarios[name]))
        assert (read.code, read.fate(places=True)) == (code, fate), name
    unrouted = scenarios["cancel_unrouted_hits_shard_0"]
    read = refusal(unrouted["status"], body_of(unrouted))
    assert (read.code, read.fate(places=False)) == (errors.NOT_FOUND, Fate.AMBIGUOUS)


def test_batches_are_read_item_by_item(scenarios: dict[str, dict[str, Any]]) -> None:
    creates = orders.decode_batch(201, body_of(scenarios["batch_create_mixed"]))
    assert isinstance(creates[0], orders.Answer)
    assert creates[0].leaves == parse("10")
    assert isinstance(creates[1], Refusal)
    assert (creates[1].code, creates[1].fate(places=True)) == (errors.POST_ONLY_CROSS, Fate.REFUSED)
    cancels = orders.decode_batch(200, body_of(scenarios["batch_cancel_mixed"]))
    assert isinstance(cancels[0], orders.Answer)
    assert cancels[0].reduced_by == parse("10")
    assert isinstance(cancels[1], Refusal)
    assert (cancels[1].code, cancels[1].fate(places=False)) == (errors.NOT_FOUND, Fate.AMBIGUOUS)


FORMS: list[tuple[int, bytes, str, Fate]] = [
    (400, b'{"code":"invalid_order","message":"m","details":"post only cross"}', errors.POST_ONLY_CROSS, Fate.REFUSED),
    (400, b'{"error":{"code":"INVALID_PRICE","message":"m"}}', errors.INVALID_PRICE, Fate.REFUSED),
    (429, b'{"error":"too many requests"}', errors.RATE_LIMITED, Fate.REFUSED),
    (400, b'{"error":{"code":"available_balance_too_low"}}', errors.INSUFFICIENT_BALANCE, Fate.REFUSED),
    (400, b'{"error":{"code":"EXCEEDED_ORDER_GROUP_RISK_LIMIT"}}', errors.GROUP_LIMIT, Fate.REFUSED),
    (409, b'{"error":{"code":"anything","message":"m"}}', errors.DUPLICATE_ID, Fate.ALREADY),
    (401, b"", errors.ACCESS_DENIED, Fate.REFUSED),
    (403, b"<html>", errors.ACCESS_DENIED, Fate.REFUSED),
    (400, b'{"error":{"code":"never_seen"}}', errors.UNKNOWN, Fate.AMBIGUOUS),
    (500, b'{"error":{"code":"invalid_price"}}', errors.INVALID_PRICE, Fate.AMBIGUOUS),
    (502, b"<html>bad gateway", errors.SERVER_FAULT, Fate.AMBIGUOUS),
    (503, b'{"code":"EXCHANGE_UNAVAILABLE"}', errors.SERVER_FAULT, Fate.AMBIGUOUS),
    (404, b'{"error":{"code":"not_found"}}', errors.NOT_FOUND, Fate.AMBIGUOUS),
    (418, b"[" * 100_000, errors.UNKNOWN, Fate.AMBIGUOUS),
]


@pytest.mark.parametrize(("status", "body", "code", "fate"), FORMS)
def test_all_three_forms_and_none_of_them(status: int, body: bytes, code: str, fate: Fate) -> None:
    read = refusal(status, body)
    assert (read.code, read.fate(places=True)) == (code, fate)
    assert len(read.text) <= errors.TEXT_CHARS


def test_a_duplicate_of_a_cancel_settles_nothing() -> None:
    assert refusal(409, b"").fate(places=False) is Fate.AMBIGUOUS


@given(st.integers(300, 599), st.binary(max_size=200))
def test_no_body_makes_reading_a_refusal_fail(status: int, body: bytes) -> None:
    assert refusal(status, body).status == status


def test_success_of_the_removed_endpoint_is_none() -> None:
    with pytest.raises(ProtocolViolation):
        orders.decode_answer(b'{"error":{"code":"deprecated_v1_order_endpoint"}}')


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"order_id":5}', b'{"fill_count":"x"}', b'{"fill_count":"-1"}'])
def test_an_unreadable_answer_is_said_to_be_one(body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        orders.decode_answer(body)


def test_only_a_resting_order_may_expire() -> None:
    order = orders.Create(
        ticker="T", shard=2, client_id="c", side=BookSide.BID, px=Px(SCALE // 2), qty=Qty(SCALE), tif=orders.IOC,
        expires_s=1,
    )  # fmt: skip
    with pytest.raises(ValueError, match="may expire"):
        orders.create_body(order)


SIDES = [
    (Leg.YES, Side.BUY, "0.48", BookSide.BID, "0.48"),
    (Leg.YES, Side.SELL, "0.52", BookSide.ASK, "0.52"),
    (Leg.NO, Side.BUY, "0.48", BookSide.ASK, "0.52"),
    (Leg.NO, Side.SELL, "0.48", BookSide.BID, "0.52"),
]


@pytest.mark.parametrize(("leg", "side", "px", "wire_side", "wire_px"), SIDES)
def test_legs_and_sides_on_the_book_of_yes(leg: Leg, side: Side, px: str, wire_side: BookSide, wire_px: str) -> None:
    assert to_wire(leg, side, Px(parse(px))) == (wire_side, parse(wire_px))
    assert from_wire(wire_side, Px(parse(wire_px)), leg) == (side, parse(px))


@given(st.sampled_from(Leg), st.sampled_from(Side), st.integers(1, ONE - 1))
def test_there_and_back(leg: Leg, side: Side, px: int) -> None:
    wire_side, wire_px = to_wire(leg, side, Px(px))
    assert from_wire(wire_side, wire_px, leg) == (side, px)


@given(st.integers(0, 10**9))
def test_texts_of_prices_and_counts_are_exact(steps: int) -> None:
    assert parse(count_text(Qty(steps * 10**6))) == steps * 10**6
    assert parse(price_text(Px(steps * 10**4))) == steps * 10**4
    assert floor_count(steps) <= steps < floor_count(steps) + 10**6


@pytest.mark.parametrize("value", [1, 10**4 - 1, -(10**6)])
def test_what_the_wire_cannot_say_is_not_rounded(value: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        price_text(Px(value))
    with pytest.raises(ValueError, match="multiple"):
        count_text(Qty(value))
