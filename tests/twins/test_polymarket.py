"""Orders of Polymarket: ids and signatures as eth-account makes them from typed data that is spelt out."""

from __future__ import annotations

import json
import random
from typing import Any, Final

import pytest
from eth_account.messages import encode_typed_data

from hlomm.domain.orders import Side
from hlomm.venues.curve import Key
from hlomm.venues.polymarket.contracts import Contracts
from hlomm.venues.polymarket.signing import ORDER_TYPE, OrderSigner, SignatureType, SignedOrder, wrap_session
from tests.twins import slow
from tests.twins.test_actions import MANY, SEED
from tests.wire.hyperliquid.conftest import Shared

FEW: Final = 60
CONTRACTS: Final = Contracts()
_WALLET: Final = [
    ("contents", "Order"), ("name", "string"), ("version", "string"), ("chainId", "uint256"),
    ("verifyingContract", "address"), ("salt", "bytes32"),
]  # fmt: skip
_DOMAIN: Final = [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")]
_ORDER: Final = [(name, kind) for kind, name in map(str.split, ORDER_TYPE[len("Order(") : -1].split(","))]


def domain_of(token: int, *, neg_risk: bool) -> dict[str, Any]:
    """By the top byte of the asset id and the bits below it, then by the flag."""
    if (token >> 248) in (1, 2, 3) and not (token >> 40) & (2**64 - 1):
        version, contract = "3", CONTRACTS.positions
    else:
        version, contract = "2", CONTRACTS.neg_risk if neg_risk else CONTRACTS.regular
    return {"name": "Polymarket CTF Exchange", "version": version, "chainId": 137, "verifyingContract": contract}


def typed(domain: dict[str, Any], primary: str, message: dict[str, Any]) -> Any:
    types = {"EIP712Domain": _DOMAIN, "Order": _ORDER, **({"TypedDataSign": _WALLET} if primary != "Order" else {})}
    written = {name: [{"name": field, "type": kind} for field, kind in fields] for name, fields in types.items()}
    return encode_typed_data(
        full_message={"domain": domain, "types": written, "primaryType": primary, "message": message}
    )


def expected(signed: SignedOrder, domain: dict[str, Any], key: bytes, *, session: bool = False) -> tuple[str, str]:
    """Id and signature of an order."""
    one = signed.order
    message = {
        "salt": one.salt, "maker": one.maker, "signer": one.signer, "tokenId": one.token,
        "makerAmount": one.maker_amount, "takerAmount": one.taker_amount, "side": 0 if one.side is Side.BUY else 1,
        "signatureType": int(one.signature_type), "timestamp": one.timestamp_ms,
        "metadata": bytes.fromhex(one.metadata[2:]), "builder": bytes.fromhex(one.builder[2:]),
    }  # fmt: skip
    plain, account = typed(domain, "Order", message), slow.account(key)
    order_id = f"0x{slow.digest_of(plain).hex()}"
    if one.signature_type is not SignatureType.DEPOSIT:
        return order_id, f"0x{account.sign_message(plain).signature.hex().removeprefix('0x')}"
    wallet = {
        "contents": message, "name": "DepositWallet", "version": "1", "chainId": 137, "verifyingContract": one.maker,
        "salt": bytes(32),
    }  # fmt: skip
    inner = bytes(account.sign_message(typed(domain, "TypedDataSign", wallet)).signature)
    whole = inner + plain.header + plain.body + ORDER_TYPE.encode() + len(ORDER_TYPE).to_bytes(2, "big")
    return order_id, f"0x{(wrap_session(whole, account.address) if session else whole).hex()}"


def compare(count: int) -> None:
    """AssertionError with the first order that differs."""
    for number in range(count):
        rng = random.Random(f"{SEED}/{number}")
        kind, neg_risk, session = rng.choice(list(SignatureType)), rng.random() < 0.5, rng.random() < 0.2
        funder = slow.account().address if kind is SignatureType.EOA else f"0x{rng.getrandbits(160):040x}"
        token = rng.getrandbits(256)
        if rng.random() < 0.3:
            token = rng.choice((1, 2, 3)) << 248 | rng.getrandbits(144) << 104 | rng.getrandbits(40)
        signer = OrderSigner(Key(slow.KEY), kind, funder, CONTRACTS, session_key=session)
        ours = signer.sign(
            token=token, side=rng.choice(list(Side)), amounts=(rng.getrandbits(60), rng.getrandbits(60)),
            salt=rng.getrandbits(53), timestamp_ms=rng.randrange(2 * 10**12), neg_risk=neg_risk,
            metadata=f"0x{rng.getrandbits(256):064x}", builder=f"0x{rng.getrandbits(256):064x}",
        )  # fmt: skip
        theirs = expected(ours, domain_of(token, neg_risk=neg_risk), slow.KEY, session=session)
        assert (ours.id, ours.signature) == theirs, f"order {number} of seed {SEED} differs: {ours}\nnot {theirs}"


def test_orders_are_signed_alike() -> None:
    compare(FEW)


@pytest.mark.trial
def test_a_hundred_thousand_orders_are_signed_alike() -> None:
    compare(MANY)


def test_golden_vectors_come_out_of_both_twins(shared: Shared) -> None:
    path = shared.root / "fixtures/polymarket/signing_vectors.json"
    vectors = json.loads(path.read_bytes())["orders"]["vectors"]
    for vector in vectors:
        asked, wire, key = vector["input"], vector["wire"]["order"], bytes.fromhex(vector["private_key"][2:])
        signer = OrderSigner(Key(key), SignatureType(asked["signature_type"]), asked["funder"], CONTRACTS)
        ours = signer.sign(
            token=int(wire["tokenId"]), side=Side[wire["side"]],
            amounts=(int(wire["makerAmount"]), int(wire["takerAmount"])), salt=wire["salt"],
            timestamp_ms=int(wire["timestamp"]), neg_risk=asked["neg_risk"], metadata=wire["metadata"],
            builder=wire["builder"],
        )  # fmt: skip
        theirs = expected(ours, vector["domain"], key)
        assert (ours.id, ours.signature) == theirs == (vector["order_hash"], wire["signature"]), vector["name"]
        assert domain_of(ours.order.token, neg_risk=asked["neg_risk"]) == vector["domain"], vector["name"]
    assert len(vectors) == 41
