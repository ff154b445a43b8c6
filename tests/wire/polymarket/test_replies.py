"""Answers to orders, cancels and heartbeats; the words for refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hlomm.domain.orders import Side
from hlomm.domain.units import parse
from hlomm.venues.polymarket.signing import Order, SignatureType, SignedOrder
from hlomm.venues.polymarket.wire import errors
from hlomm.venues.polymarket.wire.errors import Failure
from hlomm.venues.polymarket.wire.replies import (
    Placed,
    decode_cancels,
    decode_failure,
    decode_heartbeat,
    decode_placed,
)
from tests.wire.polymarket.conftest import Shared

ID = "0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef12"


def order(side: Side = Side.BUY, order_id: str = ID) -> SignedOrder:
    """10 shares at 0.4."""
    amounts = (4_000_000, 10_000_000) if side is Side.BUY else (10_000_000, 4_000_000)
    fields = Order(
        salt=1, maker="0x", signer="0x", token=1, maker_amount=amounts[0], taker_amount=amounts[1], side=side,
        signature_type=SignatureType.EOA, timestamp_ms=1,
    )  # fmt: skip
    return SignedOrder(fields, order_id, "0x")


def placed(reply: Any, *orders: SignedOrder) -> Any:
    rows, anomalies = decode_placed(json.dumps(reply).encode(), orders or (order(),))
    assert (rows is None) == bool(anomalies)
    return [one.kind for one in anomalies] if rows is None else list(rows)


def reply(**fields: Any) -> dict[str, Any]:
    row = {"success": True, "errorMsg": "", "orderID": ID, "takingAmount": "", "makingAmount": "", "status": "live"}
    return {**row, **fields}


def test_recorded_answers(shared: Shared) -> None:
    rows, _ = decode_placed(shared.bytes("nautilus_rs/http_order_response_ok.json"), (order(),))
    assert rows == (Placed(ID, "", None),)
    rows, _ = decode_placed(shared.bytes("nautilus_rs/http_order_response_failed.json"), (order(),))
    assert rows == (Failure("InsufficientSpotBalance", "Insufficient balance", ambiguous=False),)
    failed = decode_failure(500, shared.bytes("nautilus_rs/http_order_response_error_500.json"))
    assert (failed.code, failed.ambiguous) == (errors.UNKNOWN, True)
    for name, gone, left in (("ok", 1, 0), ("failed", 0, 1)):
        cancels, anomalies = decode_cancels(shared.bytes(f"nautilus_rs/http_cancel_response_{name}.json"))
        assert not anomalies
        assert cancels is not None
        assert (len(cancels.canceled), len(cancels.refused)) == (gone, left)
    cancels, _ = decode_cancels(shared.bytes("nautilus_rs/http_batch_cancel_response.json"))
    assert cancels is not None
    assert [errors.error_code(text) for text in cancels.refused.values()] == ["MissingOrder"]


def test_a_success_without_an_order_id_is_a_refusal() -> None:
    row = reply(orderID="", errorMsg="not enough balance / allowance")
    assert placed(row) == [Failure("InsufficientSpotBalance", "not enough balance / allowance", ambiguous=False)]
    assert placed([row, reply()], order(), order())[1] == Placed(ID, "live", 0)
    assert placed(reply(orderID="")) == [Failure("Unknown", "refused without a word", ambiguous=False)]


@pytest.mark.parametrize(
    "text",
    [
        "order timed out", "Internal server error", "order match delayed due to market conditions",
        "could not run the execution", "words that nobody has heard",
    ],
)  # fmt: skip
def test_a_row_of_a_batch_that_says_nothing_for_certain_is_no_refusal(text: str) -> None:
    """Alone they come with status 500 and leave the order's fate open; a row has no status of its own."""
    alone, row = decode_failure(500, json.dumps({"error": text}).encode()), placed(reply(orderID="", errorMsg=text))[0]
    assert isinstance(row, Failure)
    assert (row.code, row.ambiguous) == (alone.code, True)


@pytest.mark.parametrize(
    ("side", "taking", "making", "filled"),
    [
        (Side.BUY, "", "", "0"),
        (Side.BUY, "10", "4", "10"),
        (Side.BUY, "10000000", "4000000", "10"),
        (Side.BUY, "2500000", "1000000", "2.5"),
        (Side.BUY, "2.5", "1", "2.5"),
        (Side.SELL, "4", "10", "10"),
        (Side.SELL, "4000000", "10000000", "10"),
        (Side.SELL, "0.4", "1.0", "1"),
    ],
)
def test_amounts_in_both_forms(side: Side, taking: str, making: str, filled: str) -> None:
    row = reply(status="matched", takingAmount=taking, makingAmount=making)
    assert placed(row, order(side)) == [Placed(ID, "matched", parse(filled))]


def test_answers_that_fit_no_question_are_no_answers() -> None:
    assert placed(reply(takingAmount="11000000")) == ["placed.amount"]
    assert placed(reply(takingAmount="10.5")) == ["placed.amount"]
    assert placed(reply(orderID="0x99")) == ["placed.order_id"]
    assert placed([reply()], order(), order()) == ["placed.length"]
    assert placed("nonsense") == ["placed.schema"]
    assert decode_placed(b"", (order(),))[1][0].kind == "placed.schema"


@pytest.mark.parametrize(
    ("status", "text", "code", "ambiguous"),
    [
        (400, "invalid post-only order: order crosses book", "BadAloPx", False),
        (400, "order 0xab is invalid. Price (0.511) breaks minimum tick size rule: 0.01", "Tick", False),
        (400, "order 0xab is invalid. Size (1) lower than the minimum: 5", "MinSize", False),
        (400, "order 0xab is invalid. Duplicated.", "Duplicated", True),
        (400, "not enough balance / allowance", "InsufficientSpotBalance", False),
        (400, "order couldn't be fully filled. FOK orders are fully filled or killed.", "FokCancel", False),
        (400, "no orders found to match with FAK order. FAK orders are partially filled", "IocCancel", False),
        (400, "invalid amounts, the market buy orders maker amount supports a max accuracy of 2", "Decimals", False),
        (400, "order_version_mismatch", "OrderVersion", False),
        (400, "'0xabc' address in closed only mode", "UnknownSigner", False),
        (400, "the order signer address has to be the address of the API KEY", "UnknownSigner", False),
        (400, "order match delayed due to market conditions", "Delayed", True),
        (401, "Unauthorized/Invalid api key", "UnknownSigner", False),
        (404, "No orderbook exists for the requested token id", "NoSuchMarket", False),
        (425, "engine restarting", "Restarting", False),
        (429, "Too Many Requests", "RateLimitAddress", False),
        (500, "order timed out", "TimedOut", True),
        (500, "Internal server error", "Unknown", True),
        (500, "there are no matching orders", "IocCancel", False),
        (502, "Bad Gateway", "Unknown", True),
        (202, "", "Unknown", True),
        (302, "", "Unknown", False),
        (400, "context canceled", "TimedOut", True),
        (503, "upstream connect error or disconnect/reset before headers", "Paused", True),
        (503, "<html>Service Unavailable</html>", "Paused", True),
        (503, "Trading is currently disabled. Check polymarket.com for updates", "Paused", False),
        (503, "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.", "CancelOnly",
         False),
    ],
)  # fmt: skip
def test_error_texts(status: int, text: str, code: str, ambiguous: bool) -> None:
    said = decode_failure(status, json.dumps({"error": text}).encode())
    assert (said.code, said.ambiguous) == (code, ambiguous)


def test_a_restarting_venue_says_how_long() -> None:
    text = "post-only mode: only post-only orders and cancels are allowed"
    body = json.dumps({"error": text, "code": "post_only_mode", "retry_after_seconds": 79}).encode()
    said = decode_failure(503, body)
    assert (said.code, said.retry_after_s, said.ambiguous) == ("PostOnlyMode", 79, False)


def test_an_error_that_is_no_json_is_still_one() -> None:
    said = decode_failure(502, b"<html>\xff bad gateway")
    assert said.text.startswith("HTTP 502")
    assert said.ambiguous


def test_heartbeats() -> None:
    assert decode_heartbeat(b'{"heartbeat_id":"abc"}') == ("abc", ())
    assert decode_heartbeat(b'{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"right"}')[0] == "right"
    assert decode_heartbeat(b"[]")[1][0].kind == "heartbeat.schema"
    assert decode_failure(400, b'{"error_msg":"Invalid Heartbeat ID"}').text == "Invalid Heartbeat ID"
