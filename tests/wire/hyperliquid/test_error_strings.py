"""The table of error texts against the list of the venue sheet."""

from __future__ import annotations

import re

import pytest

from hlomm.venues.hyperliquid.wire.errors import (
    GONE,
    REFUSES_US,
    UNKNOWN,
    channel_error_code,
    error_code,
    post_id_in,
    rejected_status_code,
)
from hlomm.venues.hyperliquid.wire.statuses import Standing, standing
from tests.wire.hyperliquid.conftest import Shared

# Two codes share one text; the first of the list is what it is read as.
SHARED_TEXT = {"PositionFlipAtOpenInterestCap": "PositionIncreaseAtOpenInterestCap"}

EXAMPLES = {
    "quote_token": "USDC",
    "bbo": "0.45@0.46",
    "address": "0x0000000000000000000000000000000000000000",
    "a": "1",
    "b": "2",
    "n": "7",
    "used": "37986",
    "cap": "10436",
    "vlm": "437.92",
}


def filled_in(text: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: EXAMPLES[match[1]], text)


def test_every_text_of_the_list_has_its_code(shared: Shared) -> None:
    rows = shared.json("error_strings.json")["exchange"]
    assert len(rows) == 42
    for row in rows:
        expected = SHARED_TEXT.get(row["code"], row["code"])
        assert error_code(filled_in(row["text"])) == expected, row


def test_the_asset_suffix_of_the_wire_changes_nothing(shared: Shared) -> None:
    for row in shared.json("error_strings.json")["exchange"]:
        text = filled_in(row["text"])
        assert error_code(f"{text} asset=100102180") == error_code(text)


def test_minimum_value_texts_are_told_apart() -> None:
    assert error_code("Order must have minimum value of $10.") == "MinTradeNtl"
    assert error_code("Order must have minimum value of 10 USDC. asset=100102180") == "MinTradeSpotNtl"


@pytest.mark.parametrize("text", ["", "something new", "order must have minimum value of $10.", " Price must be"])
def test_texts_outside_the_table_are_unknown(text: str) -> None:
    assert error_code(text) == UNKNOWN


def test_gateway_texts_have_codes_of_their_own() -> None:
    assert error_code("429 Too Many Requests") == "RateLimitIp"
    assert error_code("too many pending post requests id=4") == "TooManyPosts"


def test_websocket_prefixes_of_the_list_are_known(shared: Shared) -> None:
    for prefix in shared.json("error_strings.json")["ws_error_prefixes"]:
        assert channel_error_code(prefix.replace("{id}", "12")) != UNKNOWN, prefix


def test_a_websocket_error_with_embedded_json_is_matched_by_its_beginning() -> None:
    assert channel_error_code('Already subscribed: {"type":"trades","coin":"#150"}') == "AlreadySubscribed"
    assert channel_error_code("Cannot track more than 10 total users.") == "TooManyUsers"
    assert channel_error_code("whatever") == UNKNOWN


@pytest.mark.parametrize(
    ("text", "post_id"),
    [
        ("too many pending post requests id=1234", 1234),
        ("too many pending post requests id=7 later", 7),
        ("too many pending post requests", None),
        ("id=x", None),
        ("id=1234567890123456789012", None),
        ("grid=5", None),
    ],
)
def test_the_post_an_error_speaks_of_is_found(text: str, post_id: int | None) -> None:
    assert post_id_in(text) == post_id


def test_every_status_word_of_the_list_is_placed(shared: Shared) -> None:
    words = shared.json("error_strings.json")["order_status_values"]
    placed = {word: standing(word) for word in words}
    assert Standing.UNKNOWN not in placed.values()
    assert placed["open"] is Standing.RESTS
    assert [word for word in words if placed[word] is Standing.TRIGGERED] == ["triggered"]
    ended = {word for word in words if placed[word] is Standing.ENDED}
    assert ended == {
        "filled",
        "canceled",
        "marginCanceled",
        "vaultWithdrawalCanceled",
        "openInterestCapCanceled",
        "selfTradeCanceled",
        "reduceOnlyCanceled",
        "siblingFilledCanceled",
        "delistedCanceled",
        "liquidatedCanceled",
        "outcomeSettledCanceled",
        "scheduledCancel",
        "internalCancel",
    }
    assert all(word == "rejected" or word.endswith("Rejected") for word in words if placed[word] is Standing.REFUSED)


@pytest.mark.parametrize("word", ["", "Open", "partiallyFilled", "canceled "])
def test_status_words_of_no_known_family_are_unknown(word: str) -> None:
    assert standing(word) is Standing.UNKNOWN


def test_refused_statuses_share_the_codes_of_the_texts(shared: Shared) -> None:
    codes = {row["code"] for row in shared.json("error_strings.json")["exchange"]}
    for word in shared.json("error_strings.json")["order_status_values"]:
        if standing(word) is Standing.REFUSED and word != "rejected":
            assert rejected_status_code(word) in codes, word
    assert rejected_status_code("rejected") == UNKNOWN


def test_codes_with_consequences_exist_in_the_list(shared: Shared) -> None:
    codes = {row["code"] for row in shared.json("error_strings.json")["exchange"]}
    assert codes >= GONE
    assert codes >= REFUSES_US


def test_http_bodies_of_the_list_never_decode_to_an_answer(shared: Shared) -> None:
    from hlomm.venues.hyperliquid.wire.replies import decode_exchange

    for row in shared.json("error_strings.json")["http"]:
        reply, anomalies = decode_exchange(row["body"].encode())
        assert reply is None
        assert [one.kind for one in anomalies] == ["exchange.schema"]
