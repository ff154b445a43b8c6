"""Digests and signatures against the published vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hlomm.sim.pm import chain
from hlomm.sim.pm.chain import BadSignature, SignedOrder
from hlomm.sim.pm.keys import funder_of


def signed(row: dict[str, Any]) -> SignedOrder:
    return SignedOrder(
        salt=row["salt"],
        maker=row["maker"],
        signer=row["signer"],
        token_id=int(row["tokenId"]),
        maker_amount=int(row["makerAmount"]),
        taker_amount=int(row["takerAmount"]),
        side={"BUY": 0, "SELL": 1}[row["side"]],
        signature_type=row["signatureType"],
        timestamp=int(row["timestamp"]),
        metadata=bytes.fromhex(row["metadata"][2:]),
        builder=bytes.fromhex(row["builder"][2:]),
    )


@pytest.fixture
def vectors(fixtures: Callable[[str], Any]) -> Any:
    return fixtures("signing_vectors.json")


def owner_of(vectors: Any, key: str) -> str:
    return next(one["address"].lower() for one in vectors["keys"] if one["private_key"] == key)


def test_type_hashes(vectors) -> None:
    assert "0x" + chain.ORDER_TYPEHASH.hex() == vectors["orders"]["order_typehash"]
    assert "0x" + chain.WRAP_TYPEHASH.hex() == vectors["orders"]["typed_data_sign_typehash"]


def test_every_order_has_its_id_and_its_signer(vectors) -> None:
    rows = vectors["orders"]["vectors"]
    assert len(rows) == 41
    assert {row["wire"]["order"]["signatureType"] for row in rows} == {0, 1, 2, 3}
    for row in rows:
        order = signed(row["wire"]["order"])
        neg_risk = row["domain"]["verifyingContract"] == chain.NEG_RISK_EXCHANGE
        assert chain.order_id(order, neg_risk=neg_risk) == row["order_hash"], row["name"]
        signature = row["wire"]["order"]["signature"]
        found = chain.order_signer(order, signature, neg_risk=neg_risk)
        assert found == owner_of(vectors, row["private_key"]), row["name"]


def test_tampering_changes_the_signer_or_breaks_the_signature(vectors) -> None:
    changes = {"salt": 1, "makerAmount": "1", "takerAmount": "1", "side": None, "timestamp": "1", "tokenId": "5" * 60}
    count = 0
    for row in vectors["orders"]["vectors"]:
        original = row["wire"]["order"]
        neg_risk = row["domain"]["verifyingContract"] == chain.NEG_RISK_EXCHANGE
        for field, value in changes.items():
            flipped = {"BUY": "SELL", "SELL": "BUY"}[original["side"]]
            order = signed(original | {field: flipped if value is None else value})
            count += 1
            try:
                found = chain.order_signer(order, original["signature"], neg_risk=neg_risk)
            except BadSignature:
                continue
            assert found != owner_of(vectors, row["private_key"]), (row["name"], field)
    assert count == 41 * 6


def test_the_other_exchange_is_another_signature(vectors) -> None:
    for row in vectors["orders"]["vectors"]:
        if row["domain"]["version"] != "2":
            continue  # ids of the newer namespace have one exchange
        order, signature = signed(row["wire"]["order"]), row["wire"]["order"]["signature"]
        wrong = row["domain"]["verifyingContract"] != chain.NEG_RISK_EXCHANGE
        assert chain.order_id(order, neg_risk=wrong) != row["order_hash"]
        try:
            assert chain.order_signer(order, signature, neg_risk=wrong) != owner_of(vectors, row["private_key"])
        except BadSignature:
            assert order.signature_type == 3


@pytest.mark.parametrize(
    "signature", ["", "0x", "0x" + "00" * 65, "0x" + "ff" * 64 + "1b", "zz", "0x" + "11" * 64 + "00"]
)
def test_nonsense_is_no_signature(vectors, signature: str) -> None:
    order = signed(vectors["orders"]["vectors"][0]["wire"]["order"])
    with pytest.raises(BadSignature):
        chain.order_signer(order, signature, neg_risk=False)


def test_a_signature_has_one_form(vectors) -> None:
    """The other root of the curve signs as well, mathematically; the chain does not take it."""
    row = vectors["orders"]["vectors"][0]
    raw = bytes.fromhex(row["wire"]["order"]["signature"][2:])
    n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    mirrored = raw[:32] + (n - int.from_bytes(raw[32:64])).to_bytes(32) + bytes([27 + 28 - raw[64]])
    with pytest.raises(BadSignature):
        chain.order_signer(signed(row["wire"]["order"]), mirrored.hex(), neg_risk=False)


def test_key_requests(vectors) -> None:
    rows = [row for row in vectors["l1_clob_auth"]["vectors"] if row["chain_id"] == chain.CHAIN_ID]
    assert len(rows) >= 2
    for row in rows:
        headers = row["headers"]
        stamp, nonce = headers["POLY_TIMESTAMP"], int(headers["POLY_NONCE"])
        found = chain.auth_signer(headers["POLY_ADDRESS"], stamp, nonce, headers["POLY_SIGNATURE"])
        assert found == headers["POLY_ADDRESS"].lower()
        other = chain.auth_signer(headers["POLY_ADDRESS"], stamp, nonce + 1, headers["POLY_SIGNATURE"])
        assert other != headers["POLY_ADDRESS"].lower()


def test_request_signatures(vectors) -> None:
    rows = vectors["l2_hmac"]["vectors"]
    assert len(rows) == 10
    for row in rows:
        body = (row["body"] or "").encode()
        stamp = str(row["timestamp"])
        assert chain.request_signature(row["secret"], stamp, row["method"], row["path"], body) == row["POLY_SIGNATURE"]


def test_wallets_are_where_their_factories_put_them(vectors) -> None:
    for row in vectors["wallet_derivation"]["vectors"]:
        assert chain.checksummed(row["owner"].lower()) == row["owner"]
        assert chain.checksummed(funder_of(row["owner"], 1)) == row["proxy"]
        assert chain.checksummed(funder_of(row["owner"], 2)) == row["safe"]
        assert funder_of(row["owner"], 0) == row["owner"].lower()


def test_position_ids(vectors) -> None:
    for row in vectors["position_ids"]["vectors"]:
        assert chain.is_position(int(row["id"])) is row["is_v2_position_id"]
