"""Rung: pure. Recovery of signers against the published vectors, and the canonical form of actions."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgpack
import msgspec
import pytest

from hlomm.sim.hl import envelope, schema, signatures
from hlomm.sim.refusals import WholeActionRefused

Golden = Callable[[str], Any]


def vectors(golden: Golden, scheme: str) -> list[dict[str, Any]]:
    document = golden("signing_vectors.json")
    rows = [row for row in document["vectors"] if row["scheme"] == scheme]
    assert len(rows) > 20
    return [row | {"signer": document["signer_address"].lower()} for row in rows]


def test_constants_are_the_published_ones(golden: Golden) -> None:
    constants = golden("signing_vectors.json")["layout"]["constants"]
    assert "0x" + signatures.L1_DOMAIN.hex() == constants["l1_domain_separator"]
    assert "0x" + signatures.AGENT_TYPEHASH.hex() == constants["agent_typehash"]
    assert "0x" + signatures.keccak(b"a").hex() == constants["keccak_source_a_mainnet"]
    assert "0x" + signatures.keccak(b"b").hex() == constants["keccak_source_b_testnet"]


def test_every_l1_vector_recovers_its_signer(golden: Golden) -> None:
    for row in vectors(golden, "l1"):
        vault = row["vaultAddress"]
        hashed = signatures.action_hash(row["action"], row["nonce"], vault, row["expiresAfter"])
        assert "0x" + hashed.hex() == row["action_hash"], row["name"]
        digest = signatures.l1_digest(hashed, row["phantom_source"])
        assert "0x" + digest.hex() == row["eip712_digest"], row["name"]
        signature = row["signature"]
        assert signatures.recover(digest, signature["r"], signature["s"], signature["v"]) == row["signer"]


def test_user_signed_vectors_recover_their_signer(golden: Golden) -> None:
    seen = 0
    for row in vectors(golden, "user"):
        message, fields = row["signed_message"], tuple((f["name"], f["type"]) for f in row["types"])
        primary = row["primaryType"].partition(":")[2]
        digest = signatures.user_digest(primary, fields, message, row["domain"]["chainId"])
        assert "0x" + digest.hex() == row["eip712_digest"], row["name"]
        signature = row["signature"]
        assert signatures.recover(digest, signature["r"], signature["s"], signature["v"]) == row["signer"]
        known = signatures.USER_SIGNED.get(row["wire_action"]["type"])
        if known is not None:
            assert known == (primary, fields)
            seen += 1
    assert seen >= 8


def test_canonical_form_restores_order_and_packing_of_every_known_action(golden: Golden) -> None:
    """Keys arrive in any order and decimals with zeros; what is hashed is the venue's own form."""
    rng, seen = random.Random(1), set()
    for row in vectors(golden, "l1"):
        shuffled = shuffle(row["action"], rng)
        try:
            action = msgspec.convert(shuffled, schema.L1Action)
        except msgspec.ValidationError:
            continue
        assert msgpack.packb(action.canonical()).hex() == row["msgpack_hex"], row["name"]
        seen.add(row["action"]["type"])
    assert seen == {
        "order",
        "cancel",
        "cancelByCloid",
        "modify",
        "batchModify",
        "scheduleCancel",
        "noop",
        "updateLeverage",
        "userOutcome",
        "agentSendAsset",
    }


def test_an_expiry_of_zero_is_hashed_and_no_expiry_is_not() -> None:
    noop = {"type": "noop"}
    assert signatures.action_hash(noop, 1, None, 0) != signatures.action_hash(noop, 1, None, None)


def shuffle(value: Any, rng: random.Random) -> Any:
    """The same JSON value with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffle(value[key], rng) for key in keys}
    return [shuffle(item, rng) for item in value] if isinstance(value, list) else value


def test_padded_decimals_hash_like_trimmed_ones() -> None:
    action = {
        "type": "order",
        "orders": [{"a": 0, "b": True, "p": "80000.0", "s": "0.0100", "r": False, "t": {"limit": {"tif": "Alo"}}}],
        "grouping": "na",
    }
    canonical = msgspec.convert(action, schema.L1Action).canonical()
    assert (canonical["orders"][0]["p"], canonical["orders"][0]["s"]) == ("80000", "0.01")


@pytest.mark.parametrize(("field", "value"), [("f", False), ("a", False)])
def test_explicit_false_flags_are_not_hashed(field: str, value: bool) -> None:
    """Signing `f: false` therefore recovers to a stranger, as at the venue."""
    kinds = {
        "f": {"type": "cancel", "cancels": [{"a": 0, "o": 1}]},
        "a": {
            "type": "modify",
            "oid": 1,
            "order": {"a": 0, "b": True, "p": "1", "s": "1", "r": False, "t": {"limit": {"tif": "Alo"}}},
        },
    }
    action = msgspec.convert(kinds[field] | {field: value}, schema.L1Action)
    assert field not in action.canonical()


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [("0x0", "0x1", 27), ("0x1", "0x0", 27), ("0xzz", "0x1", 27), ("0x1", "0x1", 29), ("0x5", "0x1", 27)],
)
def test_malformed_signatures(r: str, s: str, v: int) -> None:
    with pytest.raises(WholeActionRefused, match="Unable to recover signer"):
        signatures.recover(b"\x01" * 32, r, s, v)


VALID = {
    "action": {
        "type": "order",
        "orders": [{"a": 0, "b": True, "p": "80000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Alo"}}}],
        "grouping": "na",
    },
    "nonce": 1,
    "signature": {"r": "0x1", "s": "0x1", "v": 27},
    "vaultAddress": None,
}


def change(path: str, value: Any) -> dict[str, Any]:
    body = msgspec.json.decode(msgspec.json.encode(VALID))
    at = body
    *head, last = path.split(".")
    for key in head:
        at = at[int(key)] if key.isdecimal() else at[key]
    at[last] = value
    return body


def test_a_valid_body_is_accepted_in_both_forms() -> None:
    assert envelope.decode_envelope(msgspec.json.encode(VALID)) == envelope.convert_envelope(VALID)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("isFrontend", True),
        ("nonce", -1),
        ("nonce", "1"),
        ("expiresAfter", 1.5),
        ("vaultAddress", "0x12"),
        ("signature.extra", 1),
        ("action.type", "conquer"),
        ("action.orders.0.p", 80000),
        ("action.orders.0.p", "8e4"),
        ("action.orders.0.p", "-1"),
        ("action.orders.0.s", "0.123456789"),
        ("action.orders.0.c", "0x12"),
        ("action.orders.0.t", {}),
        ("action.orders.0.t", {"limit": {"tif": "Fok"}}),
        ("action.grouping", "some"),
    ],
)
def test_bodies_that_do_not_fit_are_malformed(path: str, value: Any) -> None:
    body = change(path, value)
    with pytest.raises(schema.Malformed):
        envelope.decode_envelope(msgspec.json.encode(body))
    with pytest.raises(schema.Malformed):
        envelope.convert_envelope(body)


def test_user_outcome_carries_exactly_one_operation() -> None:
    both = {
        "type": "userOutcome",
        "splitOutcome": {"outcome": 1, "amount": "1"},
        "mergeOutcome": {"outcome": 1, "amount": None},
    }
    for action in ({"type": "userOutcome"}, both):
        with pytest.raises(schema.Malformed):
            msgspec.convert(action, schema.L1Action).canonical()
