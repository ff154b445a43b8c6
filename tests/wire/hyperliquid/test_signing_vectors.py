"""Signatures byte for byte against the golden vectors; against independent implementations in `tests/twins`."""

from __future__ import annotations

from typing import Any

from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid import signing, user_signing
from hlomm.venues.hyperliquid.signing import Chain, Signer
from tests.wire.hyperliquid.conftest import Shared

CHAINS = {"mainnet": Chain.MAINNET, "testnet": Chain.TESTNET}
KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"


def vectors(shared: Shared, scheme: str) -> list[dict[str, Any]]:
    return [one for one in shared.json("signing_vectors.json")["vectors"] if one["scheme"] == scheme]


def signer_for(vector: dict[str, Any]) -> Signer:
    return Signer(Key(bytes.fromhex(KEY[2:])), CHAINS[vector["network"]])


def test_the_file_holds_what_the_count_says(shared: Shared) -> None:
    document = shared.json("signing_vectors.json")
    assert document["private_key"] == KEY
    assert document["count"] == len(document["vectors"]) == 133
    assert len(vectors(shared, "l1")) == 107
    assert len(vectors(shared, "user")) == 26


def test_every_l1_vector_packs_to_the_same_bytes(shared: Shared) -> None:
    for vector in vectors(shared, "l1"):
        assert signing.pack_action(vector["action"]).hex() == vector["msgpack_hex"], vector["name"]


def test_every_l1_vector_has_the_same_hash_and_digest(shared: Shared) -> None:
    for vector in vectors(shared, "l1"):
        connection_id = signing.action_hash(
            bytes.fromhex(vector["msgpack_hex"]), vector["nonce"], vector["vaultAddress"], vector["expiresAfter"]
        )
        assert f"0x{connection_id.hex()}" == vector["action_hash"], vector["name"]
        digest = signing.l1_digest(CHAINS[vector["network"]], connection_id)
        assert f"0x{digest.hex()}" == vector["eip712_digest"], vector["name"]


def test_every_l1_vector_has_the_same_signature(shared: Shared) -> None:
    for vector in vectors(shared, "l1"):
        signature = signer_for(vector).sign_action(
            vector["action"], vector["nonce"], vector["vaultAddress"], vector["expiresAfter"]
        )
        assert signature.fields() == vector["signature"], vector["name"]


def test_every_user_signed_vector_has_the_same_digest_and_signature(shared: Shared) -> None:
    for vector in vectors(shared, "user"):
        digest = user_signing.user_digest(vector["signed_message"])
        assert f"0x{digest.hex()}" == vector["eip712_digest"], vector["name"]
        signature = user_signing.sign_user_action(signer_for(vector), vector["signed_message"])
        assert signature.fields() == vector["signature"], vector["name"]


def test_every_user_signed_vector_is_posted_as_recorded(shared: Shared) -> None:
    for vector in vectors(shared, "user"):
        assert user_signing.posted_action(vector["signed_message"]) == vector["wire_action"], vector["name"]


def test_user_actions_are_built_from_their_fields(shared: Shared) -> None:
    """A builder that put a field under another name would be refused by the venue with a random address."""
    built = 0
    for vector in vectors(shared, "user"):
        message = dict(vector["signed_message"])
        if message["signatureChainId"] != user_signing.SIGNATURE_CHAIN_ID:
            continue
        stamped = {"type", "nonce", "time", "signatureChainId", "hyperliquidChain"}
        fields = {key: value for key, value in message.items() if key not in stamped}
        action = user_signing.user_action(signer_for(vector), message["type"], fields, vector["nonce"])
        assert action == message, vector["name"]
        built += 1
    assert built == 24


def test_constants_are_the_hashes_they_claim_to_be(shared: Shared) -> None:
    constants = shared.json("signing_vectors.json")["layout"]["constants"]
    assert f"0x{signing._DOMAIN.hex()}" == constants["l1_domain_separator"]
    assert f"0x{signing._AGENT_TYPEHASH.hex()}" == constants["agent_typehash"]
    assert signing.keccak(b"Agent(string source,bytes32 connectionId)") == signing._AGENT_TYPEHASH
    for chain, letter, key in (
        (Chain.MAINNET, b"a", "keccak_source_a_mainnet"),
        (Chain.TESTNET, b"b", "keccak_source_b_testnet"),
    ):
        assert signing._AGENT_HEAD[chain] == signing._AGENT_TYPEHASH + signing.keccak(letter)
        assert f"0x{signing.keccak(letter).hex()}" == constants[key]
