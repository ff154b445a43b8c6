"""Signatures of L1 actions (venue sheet section 5.1): orders, cancels, modifies, userOutcome.

Action bytes are MessagePack; with nonce, vault and expiry appended they are hashed; the hash is the `connectionId` of
an EIP-712 `Agent` struct whose domain never changes, so three keccaks and one secp256k1 signature make an action.
Pure: no clock, no randomness (RFC 6979 makes the signature a function of key and digest).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import Struct

from hlomm.domain.secret import Sealed
from hlomm.venues.curve import Key, address_bytes, keccak

_DOMAIN: Final = bytes.fromhex("d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040")
_AGENT_TYPEHASH: Final = bytes.fromhex("26f05c2f7239b6983075e58321292d77b3aa173d19b27257ac96ab362570f508")
_EIP712_PREFIX: Final = b"\x19\x01" + _DOMAIN


class Chain(Enum):
    """Network of the venue. The value is the word of `hyperliquidChain`."""

    MAINNET = "Mainnet"
    TESTNET = "Testnet"


# Agent typehash and keccak of the source ("a" on mainnet, "b" on testnet), ready to be hashed with a connection id.
_AGENT_HEAD: Final = {
    Chain.MAINNET: _AGENT_TYPEHASH + bytes.fromhex("3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb"),
    Chain.TESTNET: _AGENT_TYPEHASH + bytes.fromhex("b5553de315e0edf504d9150af82dafa5c4667fa618ed0a6f19c69b41166c5510"),
}


class Signature(Struct, frozen=True):
    """`r` and `s` as 0x and 64 hex digits, zero padded; `v` 27 or 28."""

    r: str
    s: str
    v: int

    def fields(self) -> dict[str, Any]:
        return {"r": self.r, "s": self.s, "v": self.v}


def pack_action(action: Mapping[str, Any]) -> bytes:
    """MessagePack of an action in its key order; integers minimal, from 2^32 on as uint64.

    Parts of it may be written already. The venue packs with another library: `tests/twins` holds this one to its bytes.
    """
    return msgspec.msgpack.encode(action)


def action_hash(packed: bytes, nonce: int, vault: str | None, expires_after_ms: int | None) -> bytes:
    """`connectionId` of an action. ValueError if the vault is no address."""
    parts = [packed, nonce.to_bytes(8, "big")]
    parts.append(b"\x00" if vault is None else b"\x01" + address_bytes(vault))
    if expires_after_ms is not None:
        parts.append(b"\x00" + expires_after_ms.to_bytes(8, "big"))
    return keccak(b"".join(parts))


def l1_digest(chain: Chain, connection_id: bytes) -> bytes:
    """What is signed: the EIP-712 digest of `Agent(source, connectionId)`."""
    return keccak(_EIP712_PREFIX + keccak(_AGENT_HEAD[chain] + connection_id))


class Signer(Sealed):
    """A secret key for one network. Its repr shows the address only."""

    __slots__ = ("_key", "address", "chain")

    def __init__(self, key: Key, chain: Chain) -> None:
        self._key = key
        self.chain = chain
        self.address = key.address

    def __repr__(self) -> str:
        return f"Signer({self.address}, {self.chain.value})"

    def sign_digest(self, digest: bytes) -> Signature:
        raw = self._key.sign(digest)
        return Signature(f"0x{raw[:32].hex()}", f"0x{raw[32:64].hex()}", 27 + raw[64])

    def sign_action(
        self, action: Mapping[str, Any], nonce: int, vault: str | None = None, expires_after_ms: int | None = None
    ) -> Signature:
        """Signature of an L1 action as posted with the same nonce, vault and expiry."""
        connection_id = action_hash(pack_action(action), nonce, vault, expires_after_ms)
        return self.sign_digest(l1_digest(self.chain, connection_id))
