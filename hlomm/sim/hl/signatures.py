"""Who signed an action: EIP-712 digests and public-key recovery (venue sheet section 5).

The constants are derived here from the type strings; the tests compare them with the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import coincurve
import msgpack
import sha3

from hlomm.sim.refusals import UNRECOVERABLE, WholeActionRefused

_ZERO_ADDRESS: Final = bytes(32)
_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_AGENT_TYPE: Final = b"Agent(string source,bytes32 connectionId)"
_CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

SOURCE_TESTNET: Final = "b"

Field = tuple[str, str]
"""Name and EIP-712 type."""

USER_SIGNED: Final[dict[str, tuple[str, tuple[Field, ...]]]] = {
    "usdClassTransfer": (
        "UsdClassTransfer",
        (("hyperliquidChain", "string"), ("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")),
    ),
    "approveAgent": (
        "ApproveAgent",
        (("hyperliquidChain", "string"), ("agentAddress", "address"), ("agentName", "string"), ("nonce", "uint64")),
    ),
}
"""Actions signed field by field by the master key that this venue carries out."""


def keccak(data: bytes) -> bytes:
    digest: bytes = sha3.keccak_256(data).digest()
    return digest


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _domain(name: bytes, chain_id: int) -> bytes:
    return keccak(
        keccak(_DOMAIN_TYPE) + keccak(name) + keccak(b"1") + _word(chain_id) + _ZERO_ADDRESS,
    )


L1_DOMAIN: Final = _domain(b"Exchange", 1337)
AGENT_TYPEHASH: Final = keccak(_AGENT_TYPE)


def action_hash(action: Mapping[str, Any], nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """Connection id of an L1 action: keccak of its canonical MessagePack, nonce, vault and expiry."""
    packed: bytes = msgpack.packb(action)
    packed += nonce.to_bytes(8, "big")
    packed += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:])
    if expires_after is not None:
        packed += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(packed)


def l1_digest(connection_id: bytes, source: str) -> bytes:
    struct = keccak(AGENT_TYPEHASH + keccak(source.encode()) + connection_id)
    return keccak(b"\x19\x01" + L1_DOMAIN + struct)


def user_digest(primary: str, fields: tuple[Field, ...], message: Mapping[str, Any], chain_id: int) -> bytes:
    """Digest of a user-signed action over its listed fields. KeyError, TypeError or ValueError for a bad message."""
    kind = f"HyperliquidTransaction:{primary}(" + ",".join(f"{kind} {name}" for name, kind in fields) + ")"
    encoded = keccak(kind.encode()) + b"".join(_encoded(message[name], kind) for name, kind in fields)
    return keccak(b"\x19\x01" + _domain(b"HyperliquidSignTransaction", chain_id) + keccak(encoded))


def _encoded(value: Any, kind: str) -> bytes:
    match kind:
        case "string":
            return keccak(str(value).encode())
        case "address":
            return bytes.fromhex(str(value)[2:]).rjust(32, b"\x00")
        case _:  # bool and uint64
            return _word(int(value))


def recover(digest: bytes, r: str, s: str, v: int) -> str:
    """Lower-case address behind a signature; r and s may lack leading zeros. WholeActionRefused if malformed."""
    try:
        big_r, big_s = int(r, 16), int(s, 16)
    except ValueError:
        raise WholeActionRefused(UNRECOVERABLE) from None
    if v not in {27, 28} or not 0 < big_r < _CURVE_ORDER or not 0 < big_s < _CURVE_ORDER:
        raise WholeActionRefused(UNRECOVERABLE)
    signature = _word(big_r) + _word(big_s) + bytes([v - 27])
    try:
        key = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:  # not the x coordinate of any point
        raise WholeActionRefused(UNRECOVERABLE) from None
    return address_of(key)


def address_of(key: coincurve.PublicKey) -> str:
    return "0x" + keccak(key.format(compressed=False)[1:])[-20:].hex()
