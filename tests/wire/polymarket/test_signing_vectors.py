"""Keys, headers, orders and wallets byte for byte against the golden vectors; against another signer: `tests/twins`."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.faults import ConfigError, ProtocolViolation
from hlomm.domain.orders import Side
from hlomm.domain.secret import Secret
from hlomm.venues.curve import Key, checksummed
from hlomm.venues.polymarket import auth, signing
from hlomm.venues.polymarket.auth import ApiKey, L2Signer
from hlomm.venues.polymarket.contracts import (
    V1_EXCHANGES,
    Contracts,
    condition_of_position,
    is_position_id,
    outcome_of_position,
)
from hlomm.venues.polymarket.signing import OrderSigner, SignatureType, SignedOrder, wrap_session
from hlomm.venues.polymarket.wallets import WalletKind, wallet_of
from tests.wire.polymarket.conftest import Shared

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
OWNER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def key_of(text: str) -> Key:
    return Key(bytes.fromhex(text[2:]))


def signed(vector: dict[str, Any]) -> SignedOrder:
    """The order of a vector, signed by us."""
    asked, wire = vector["input"], vector["wire"]["order"]
    signer = OrderSigner(
        key_of(vector["private_key"]), SignatureType(asked["signature_type"]), asked["funder"], Contracts()
    )
    return signer.sign(
        token=int(wire["tokenId"]),
        side=Side[wire["side"]],
        amounts=(int(wire["makerAmount"]), int(wire["takerAmount"])),
        salt=wire["salt"],
        timestamp_ms=int(wire["timestamp"]),
        neg_risk=asked["neg_risk"],
        metadata=wire["metadata"],
        builder=wire["builder"],
    )


def test_the_file_holds_what_the_sheet_says(shared: Shared) -> None:
    document = shared.json("signing_vectors.json")
    assert len(document["orders"]["vectors"]) == 41
    assert document["orders"]["struct"] == signing.ORDER_TYPE
    assert document["orders"]["order_typehash"] == f"0x{signing._ORDER_TYPEHASH.hex()}"
    assert document["orders"]["typed_data_sign_typehash"] == f"0x{signing._TYPED_DATA_SIGN_TYPEHASH.hex()}"
    assert {one["input"]["signature_type"] for one in document["orders"]["vectors"]} == {0, 1, 2, 3}
    assert {one["domain"]["version"] for one in document["orders"]["vectors"]} == {"2", "3"}


def test_type_hashes_are_those_of_their_texts() -> None:
    assert signing.keccak(signing.ORDER_TYPE.encode()) == signing._ORDER_TYPEHASH
    words = "Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt"
    nested = f"TypedDataSign({words})"
    assert signing.keccak((nested + signing.ORDER_TYPE).encode()) == signing._TYPED_DATA_SIGN_TYPEHASH


def test_every_wallet_signature_has_its_headers(shared: Shared) -> None:
    vectors = shared.json("signing_vectors.json")["l1_clob_auth"]["vectors"]
    assert len(vectors) == 4
    for one in vectors:
        headers = auth.l1_headers(key_of(one["private_key"]), one["chain_id"], one["timestamp"], one["nonce"])
        assert headers == one["headers"]


def test_every_request_has_its_hmac(shared: Shared) -> None:
    vectors = shared.json("signing_vectors.json")["l2_hmac"]["vectors"]
    assert len(vectors) == 10
    for one in vectors:
        body = (one["body"] or "").encode()
        said = auth.l2_signature(
            auth.hmac_key(Secret(one["secret"])), one["timestamp"], one["method"], one["path"], body
        )
        assert said == one["POLY_SIGNATURE"], one["note"]


def test_a_query_is_not_signed_and_the_address_is_the_keys_own() -> None:
    signer = L2Signer(
        ApiKey("id", Secret("_-8tLS1wb2x5bWFya2V0LXRlc3Qtc2VjcmV0LTAwMDE="), Secret("word")), OWNER.lower()
    )
    with_query = signer.headers(1_763_650_000, "GET", "/data/orders?next_cursor=MA==")
    assert with_query == signer.headers(1_763_650_000, "GET", "/data/orders")
    assert with_query == {
        "POLY_ADDRESS": OWNER,
        "POLY_API_KEY": "id",
        "POLY_PASSPHRASE": "word",
        "POLY_TIMESTAMP": "1763650000",
        "POLY_SIGNATURE": "8HapgZlMR0e5kuF7ur4zn3uCPDIA8so2TIkLwWVo-Ag=",
    }


@pytest.mark.parametrize("secret", ["a", "not base64!", "ümlaut", "AAA"])
def test_a_secret_that_is_no_base64_is_refused(secret: str) -> None:
    with pytest.raises(ProtocolViolation):
        auth.hmac_key(Secret(secret))


def test_secrets_are_not_shown() -> None:
    assert "c2VjcmV0" not in repr(ApiKey("id", Secret("c2VjcmV0"), Secret("word")))
    assert KEY[2:] not in repr(OrderSigner(key_of(KEY), SignatureType.EOA, OWNER, Contracts()))


def test_every_order_has_its_id_and_signature(shared: Shared) -> None:
    for vector in shared.json("signing_vectors.json")["orders"]["vectors"]:
        ours, wire = signed(vector), vector["wire"]["order"]
        assert ours.id == vector["order_hash"], vector["name"]
        assert ours.signature == wire["signature"], vector["name"]
        assert (ours.order.maker, ours.order.signer) == (wire["maker"], wire["signer"]), vector["name"]


def test_the_exchange_follows_from_the_asset_id_and_the_flag(shared: Shared) -> None:
    exchanges = signing.Exchanges(Contracts())
    for vector in shared.json("signing_vectors.json")["orders"]["vectors"]:
        token, neg_risk = int(vector["wire"]["order"]["tokenId"]), vector["input"]["neg_risk"]
        chosen = exchanges.of(token, neg_risk=neg_risk)
        assert (chosen.address, chosen.version) == (
            vector["domain"]["verifyingContract"],
            vector["domain"]["version"],
        ), vector["name"]
        assert is_position_id(token) == (vector["input"]["id_kind"] == "position_id")


def test_position_ids_are_told_by_their_shape(shared: Shared) -> None:
    for one in shared.json("signing_vectors.json")["position_ids"]["vectors"]:
        token = int(one["id"])
        assert is_position_id(token) is one["is_v2_position_id"]
        if one["is_v2_position_id"]:
            assert condition_of_position(token) == one["condition_id"]
            assert outcome_of_position(token) == one["outcome_index"]


def test_a_deposit_wallets_signature_has_317_bytes(shared: Shared) -> None:
    for vector in shared.json("signing_vectors.json")["orders"]["vectors"]:
        length = 317 if vector["input"]["signature_type"] == 3 else 65
        assert len(bytes.fromhex(signed(vector).signature[2:])) == length


def test_every_wallet_is_derived(shared: Shared) -> None:
    for one in shared.json("signing_vectors.json")["wallet_derivation"]["vectors"]:
        assert wallet_of(one["owner"], WalletKind.PROXY) == one["proxy"]
        assert wallet_of(one["owner"], WalletKind.SAFE) == one["safe"]
        assert wallet_of(one["owner"], WalletKind.DEPOSIT) == one["deposit_beacon"]
        assert wallet_of(one["owner"], WalletKind.DEPOSIT_UUPS) == one["deposit_uups_pre_2026_06_29"]


def test_a_session_keys_signature_is_wrapped(shared: Shared) -> None:
    vector = shared.json("signing_vectors.json")["session_key_wrap"]
    inner = bytes.fromhex(vector["inner_signature"][2:])
    assert f"0x{wrap_session(inner, vector['session_signer']).hex()}" == vector["wrapped"]


def test_a_session_key_signs_with_its_own_key_for_the_owners_wallet(shared: Shared) -> None:
    wallet = shared.json("signing_vectors.json")["wallet_derivation"]["vectors"][0]["deposit_beacon"]
    second = Key(bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"))
    plain = OrderSigner(second, SignatureType.DEPOSIT, wallet, Contracts())
    wrapped = OrderSigner(second, SignatureType.DEPOSIT, wallet, Contracts(), session_key=True)
    terms: dict[str, Any] = {
        "token": 5, "side": Side.BUY, "amounts": (1, 2), "salt": 3, "timestamp_ms": 4, "neg_risk": False,
    }  # fmt: skip
    inner = bytes.fromhex(plain.sign(**terms).signature[2:])
    assert wrapped.sign(**terms).signature == f"0x{wrap_session(inner, second.address).hex()}"


def test_legacy_exchanges_are_recognised_and_refused(shared: Shared) -> None:
    vectors = shared.json("signing_vectors.json")["orders_legacy_v1"]["vectors"]
    assert {one["domain"]["verifyingContract"].lower() for one in vectors} == V1_EXCHANGES
    for one in vectors:
        for place in ("regular", "neg_risk", "positions"):
            with pytest.raises(ConfigError, match="V1"):
                Contracts(**{place: one["domain"]["verifyingContract"]})


def test_a_contract_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="regular"):
        Contracts(regular="0x12")


def test_salts_fit_a_double_and_follow_from_the_client_id() -> None:
    salts = {signing.salt_of(f"0x686c{number:028x}") for number in range(1_000)}
    assert len(salts) == 1_000
    assert max(salts) < 2**53
    assert signing.salt_of("0x686c01") == signing.salt_of("0x686c01")


def test_addresses_get_their_capitals() -> None:
    for address in (OWNER, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0xE111180000d2663C0091e4f400237545B87B996B"):
        assert checksummed(address.lower()) == address
