"""What a signature covers and who made it: EIP-712 digests of orders and of key requests (venue sheet 4 and 5.1).

Written from the type strings; the tests compare digests and signatures with the published vectors.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from functools import lru_cache
from typing import Final

import attrs
import coincurve
import sha3

CHAIN_ID: Final = 137
EXCHANGE: Final = "0xE111180000d2663C0091e4f400237545B87B996B"
NEG_RISK_EXCHANGE: Final = "0xe2222d279d744050d28e00520010520000310F59"
POSITION_EXCHANGE: Final = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"
"""Where ids of the newer position namespace trade; its domain is version 3."""

_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_AUTH_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId)"
_AUTH_TYPE: Final = b"ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_AUTH_TEXT: Final = b"This message attests that I control the given wallet"
ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_WRAP_TYPE: Final = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
)
_WORD: Final = 32
_CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_UINT_MAX: Final = 2**256
_BLANK_BITS: Final = ((1 << 64) - 1) << 40
"""Bits 40 to 103 of an asset id are zero in the newer position namespace."""

PROXY_FACTORY: Final = "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052"
SAFE_FACTORY: Final = "0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b"


class BadSignature(Exception):  # noqa: N818 - met by the caller with a refusal
    """No signature, or not one of the address it is said to be from."""


def keccak(data: bytes) -> bytes:
    digest: bytes = sha3.keccak_256(data).digest()
    return digest


ORDER_TYPEHASH: Final = keccak(ORDER_TYPE)
WRAP_TYPEHASH: Final = keccak(_WRAP_TYPE + ORDER_TYPE)


@attrs.frozen(kw_only=True)
class SignedOrder:
    """The signed fields of an order. Amounts in base units (6 decimals), `side` 0 buys; addresses as on the wire."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes
    builder: bytes


def word(value: int) -> bytes:
    """A 32-byte unsigned integer; BadSignature if it is none."""
    if not 0 <= value < _UINT_MAX:
        raise BadSignature("not a uint256")
    return value.to_bytes(_WORD, "big")


def address_bytes(text: str) -> bytes:
    """The 20 bytes of an address in hexadecimal; BadSignature if it is none."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise BadSignature("not an address") from None
    if len(raw) != 20 or not text.startswith("0x"):
        raise BadSignature("not an address")
    return raw


def checksummed(address: str) -> str:
    """EIP-55 spelling of an address."""
    plain = address[2:].lower()
    digest = keccak(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(digest[i], 16) >= 8 else c for i, c in enumerate(plain))


def address_of(key: coincurve.PublicKey) -> str:
    """Address of a public key, lower case."""
    return "0x" + keccak(key.format(compressed=False)[1:])[-20:].hex()


@lru_cache(maxsize=64)
def _domain(name: bytes, version: bytes, contract: str) -> bytes:
    return keccak(
        keccak(_DOMAIN_TYPE)
        + keccak(name)
        + keccak(version)
        + word(CHAIN_ID)
        + address_bytes(contract).rjust(32, b"\0")
    )


def is_position(token_id: int) -> bool:
    """Whether an asset id belongs to the newer position namespace."""
    return token_id & _BLANK_BITS == 0


def order_domain(token_id: int, *, neg_risk: bool) -> bytes:
    """Separator of the exchange an asset trades on: the id's shape decides, then the market's neg-risk flag."""
    if is_position(token_id):
        return _domain(b"Polymarket CTF Exchange", b"3", POSITION_EXCHANGE)
    return _domain(b"Polymarket CTF Exchange", b"2", NEG_RISK_EXCHANGE if neg_risk else EXCHANGE)


def order_struct(order: SignedOrder) -> bytes:
    """Struct hash of an order; BadSignature if a field does not fit its type."""
    if len(order.metadata) != _WORD or len(order.builder) != _WORD:
        raise BadSignature("not a bytes32")
    numbers = (
        order.token_id,
        order.maker_amount,
        order.taker_amount,
        order.side,
        order.signature_type,
        order.timestamp,
    )
    return keccak(
        ORDER_TYPEHASH
        + word(order.salt)
        + address_bytes(order.maker).rjust(_WORD, b"\0")
        + address_bytes(order.signer).rjust(_WORD, b"\0")
        + b"".join(word(number) for number in numbers)
        + order.metadata
        + order.builder
    )


def order_id(order: SignedOrder, *, neg_risk: bool) -> str:
    """The venue's id of an order: its digest in the domain of its exchange."""
    return "0x" + keccak(b"\x19\x01" + order_domain(order.token_id, neg_risk=neg_risk) + order_struct(order)).hex()


def recover(digest: bytes, signature: bytes) -> str:
    """Lower-case address behind 65 bytes of r, s, v; BadSignature if malformed."""
    if len(signature) != 65 or signature[64] not in {27, 28}:
        raise BadSignature("not 65 bytes that end in 27 or 28")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not 0 < r < _CURVE_ORDER or not 0 < s <= _CURVE_ORDER // 2:
        raise BadSignature("outside of the curve's order, or the upper half of it")
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        )
    except ValueError:  # not the x coordinate of any point
        raise BadSignature("no such point") from None
    return address_of(key)


def order_signer(order: SignedOrder, signature: str, *, neg_risk: bool) -> str:
    """Address of the key that signed an order, whatever its type; BadSignature if none did."""
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raise BadSignature("not hexadecimal") from None
    domain, struct = order_domain(order.token_id, neg_risk=neg_risk), order_struct(order)
    if order.signature_type != 3:
        return recover(keccak(b"\x19\x01" + domain + struct), raw)
    tail = domain + struct + ORDER_TYPE + len(ORDER_TYPE).to_bytes(2, "big")
    if raw[65:] != tail:
        raise BadSignature("the wrapping names another order or exchange")
    wrapped = keccak(
        WRAP_TYPEHASH
        + struct
        + keccak(b"DepositWallet")
        + keccak(b"1")
        + word(CHAIN_ID)
        + address_bytes(order.signer).rjust(_WORD, b"\0")
        + bytes(_WORD)
    )
    return recover(keccak(b"\x19\x01" + domain + wrapped), raw[:65])


def auth_signer(address: str, timestamp: str, nonce: int, signature: str) -> str:
    """Address of the key that signed a key request (L1); BadSignature if malformed."""
    domain = keccak(keccak(_AUTH_DOMAIN_TYPE) + keccak(b"ClobAuthDomain") + keccak(b"1") + word(CHAIN_ID))
    struct = keccak(
        keccak(_AUTH_TYPE)
        + address_bytes(address).rjust(_WORD, b"\0")
        + keccak(timestamp.encode())
        + word(nonce)
        + keccak(_AUTH_TEXT)
    )
    try:
        raw = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        raise BadSignature("not hexadecimal") from None
    return recover(keccak(b"\x19\x01" + domain + struct), raw)


def request_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """The HMAC of a private request (L2), URL-safe base64 with its padding; BadSignature for a bad secret."""
    try:
        key = urlsafe_b64decode(secret)
    except (NotBase64, ValueError):
        raise BadSignature("the secret is not base64") from None
    message = timestamp.encode() + method.encode() + path.encode() + body
    return urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
