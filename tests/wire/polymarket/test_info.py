"""Answers about the venue, balances, resolutions; the field types."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.secret import Secret
from hlomm.domain.units import ONE, Px, parse
from hlomm.venues.polymarket.wire import info, values
from hlomm.venues.polymarket.wire.gamma import FeeSchedule
from tests.wire.polymarket.conftest import Shared


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_balances(shared: Shared) -> None:
    assert info.decode_balance(shared.bytes("nautilus_rs/http_balance_allowance_collateral.json"))[0] == parse("1000")
    assert info.decode_balance(shared.bytes("nautilus_rs/http_balance_allowance_no_allowance.json"))[0] == parse(
        "250.5"
    )
    assert info.decode_balance(body({"balance": "0", "allowances": {"0xE1": "1"}}))[0] == 0
    assert info.decode_balance(body({"balance": "1"}))[0] == 100
    for wrong in ("-1", "1e6", "", "x", "9" * 19, "-0.5"):
        assert info.decode_balance(body({"balance": wrong}))[1][0].kind == "balance.amount"


def test_keys() -> None:
    key, _ = info.decode_api_key(body({"apiKey": "id", "secret": "AAAA", "passphrase": "p"}))
    assert key is not None
    assert (key.key, key.secret, key.passphrase) == ("id", Secret("AAAA"), Secret("p"))
    assert info.decode_api_key(body({"apiKey": "id", "secret": "?", "passphrase": "p"}))[1][0].kind == "api_key.secret"
    refused = info.decode_api_key(body({"apiKey": "id", "secret": "AAAA", "passphrase": "canary\r\n"}))[1][0]
    assert refused.kind == "api_key.passphrase", "or the client's error would repeat the header"
    assert "canary" not in refused.detail
    assert info.decode_api_key(b"{}")[1][0].kind == "api_key.schema"


def test_time_and_version() -> None:
    assert info.decode_time(b"1763650000")[0] == 1_763_650_000_000
    assert info.decode_time(b'"1763650000"')[0] == 1_763_650_000_000
    for text in (b"soon", b"-1", b"9" * 15, b"9" * 4_000):
        assert info.decode_time(text)[1][0].kind == "time.schema", "it would go into the journal as our skew"
    assert info.decode_version(b'{"version":2}')[0] == 2
    assert info.decode_version(b"{}")[1][0].kind == "version.schema"


def tokens(*rows: tuple[str, str, bool], **fields: Any) -> Any:
    made = [{"token_id": token, "outcome": label, "winner": wins, "price": 0.5} for token, label, wins in rows]
    return info.decode_tokens(body({"condition_id": "0x1", "closed": True, "tokens": made, **fields}))


def test_tokens_and_what_they_paid(shared: Shared) -> None:
    assert tokens(("7", "Yes", True), ("8", "No", False)) == (info.Tokens("7", "8", ONE), ())
    assert tokens(("8", "Down", True), ("7", "Up", False)) == (info.Tokens("7", "8", Px(0)), ())
    assert tokens(("7", "Up", False), ("8", "Down", False))[0].paid is None
    assert tokens(("7", "Up", False), ("8", "Down", False), is_50_50_outcome=True)[0].paid == ONE // 2
    assert tokens(("7", "Up", True), ("8", "Down", True))[1][0].kind == "tokens.winners"
    assert tokens(("7", "Up", False))[1][0].kind == "tokens.outcomes"
    assert tokens(("7", "FaZe", False), ("8", "illwill", False))[1][0].kind == "tokens.outcomes"
    for name in ("clob_market_closed_binary_accepting_false", "clob_market_closed_binary_accepting_true"):
        document = shared.json(f"nautilus_rs/{name}.json")
        got, anomalies = info.decode_tokens(shared.bytes(f"nautilus_rs/{name}.json"))
        assert anomalies == ()
        assert got is not None
        assert got.yes == document["tokens"][0]["token_id"]
        assert got.paid == (ONE if document["tokens"][0]["winner"] else 0)
    read = [info.decode_tokens(body(row)) for row in shared.json("nautilus_py/http/markets.json")["data"]]
    assert sum(got is not None for got, _ in read) > 50
    assert {wrong.kind for _, anomalies in read for wrong in anomalies} <= {"tokens.outcomes"}, "old and sports"


def test_the_order_books_own_record() -> None:
    got, _ = info.decode_compact(body({"fd": {"r": 0.07, "e": 1, "to": True}, "itode": True}))
    assert got == info.Compact(FeeSchedule(rate=Decimal("0.07")), taker_delay=True)
    got, _ = info.decode_compact(b"{}")
    assert got == info.Compact(None, taker_delay=False)


@pytest.mark.parametrize(
    ("value", "millis"),
    [
        ("1725868885", 1_725_868_885_000),
        (1_725_868_885, 1_725_868_885_000),
        ("1725842520990", 1_725_842_520_990),
        ("2024-01-01T00:00:00Z", 1_704_067_200_000),
        ("2024-02-29T23:59:59.5Z", 1_709_251_199_000),
        ("2026-03-19 23:20:15+00", 1_773_962_415_000),
        ("", 0),
        (None, 0),
    ],
)
def test_stamps(value: Any, millis: int) -> None:
    assert values.stamp_ms(value, "t") == millis


@pytest.mark.parametrize("value", ["soon", "2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z", -5])
def test_stamps_that_are_none(value: Any) -> None:
    with pytest.raises(ProtocolViolation):
        values.stamp_ms(value, "t")


@pytest.mark.parametrize("text", ["0", "-1", "", "1x", "٣", str(1 << 256)])
def test_ids_that_are_none(text: str) -> None:
    with pytest.raises(ProtocolViolation):
        values.token_number(text, "t")


@pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "0.000000001", "1e30"])
def test_figures_that_are_none(text: str) -> None:
    with pytest.raises(ProtocolViolation):
        values.scaled(Decimal(text), "t")
    assert values.scaled(Decimal("0.01"), "t") == 1_000_000
