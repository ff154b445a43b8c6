"""Headers of requests: the wallet signs for keys (L1), the key signs everything private (L2); venue sheet section 4.

Pure: the caller says what time it is, in seconds of the venue's clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from msgspec import Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.secret import Sealed, Secret
from hlomm.venues.curve import Key, address_bytes, checksummed, keccak

_DOMAIN_TYPEHASH: Final = keccak(b"EIP712Domain(string name,string version,uint256 chainId)")
_AUTH_TYPEHASH: Final = keccak(b"ClobAuth(address address,string timestamp,uint256 nonce,string message)")
_NAME: Final = keccak(b"ClobAuthDomain")
_VERSION: Final = keccak(b"1")
_MESSAGE: Final = keccak(b"This message attests that I control the given wallet")


class ApiKey(Struct, frozen=True):
    """Credentials of L2. The repr shows the key's id only."""

    key: str
    secret: Secret
    passphrase: Secret

    def __repr__(self) -> str:
        return f"ApiKey({self.key})"


def l1_headers(key: Key, chain_id: int, timestamp_s: int, nonce: int = 0) -> dict[str, str]:
    """Headers that prove control of the wallet, for routes under `/auth`."""
    domain = keccak(_DOMAIN_TYPEHASH + _NAME + _VERSION + chain_id.to_bytes(32, "big"))
    contents = keccak(
        _AUTH_TYPEHASH
        + bytes(12)
        + address_bytes(key.address)
        + keccak(str(timestamp_s).encode())
        + nonce.to_bytes(32, "big")
        + _MESSAGE
    )
    raw = key.sign(keccak(b"\x19\x01" + domain + contents))
    return {
        "POLY_ADDRESS": checksummed(key.address),
        "POLY_SIGNATURE": f"0x{raw[:64].hex()}{27 + raw[64]:02x}",
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_NONCE": str(nonce),
    }


def hmac_key(secret: Secret) -> Secret:
    """The bytes that an API key's secret stands for. ProtocolViolation `api_key.secret` if not urlsafe base64."""
    decoded = _decoded(secret)
    if decoded is None:
        raise ProtocolViolation("api_key.secret", "expected urlsafe base64 with its padding")
    return decoded


def check_api_key(key: ApiKey) -> None:
    """ProtocolViolation for one that cannot be sent. HTTP libraries repeat a header that they refuse in their error."""
    hmac_key(key.secret)
    word = key.passphrase.reveal()
    if not word or not word.isascii() or not word.isprintable():
        raise ProtocolViolation("api_key.passphrase", "expected printable ASCII")


def _decoded(secret: Secret) -> Secret | None:
    try:
        return Secret(base64.b64decode(secret.reveal(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None


def l2_signature(secret: Secret, timestamp_s: int, method: str, path: str, body: bytes = b"") -> str:
    """HMAC of a request. `path` has no query; `body` must be the very bytes that are sent."""
    message = f"{timestamp_s}{method}{path}".encode() + body
    return base64.urlsafe_b64encode(hmac.new(secret.reveal_bytes(), message, hashlib.sha256).digest()).decode()


class L2Signer(Sealed):
    """Signs requests with one API key of one wallet key."""

    __slots__ = ("_address", "_secret", "api_key")

    def __init__(self, api_key: ApiKey, address: str) -> None:
        self.api_key = api_key
        self._address = checksummed(address)
        self._secret = hmac_key(api_key.secret)

    def headers(self, timestamp_s: int, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """`path` as it is requested; a query is cut off here, because it is not signed."""
        return {
            "POLY_ADDRESS": self._address,
            "POLY_API_KEY": self.api_key.key,
            "POLY_PASSPHRASE": self.api_key.passphrase.reveal(),
            "POLY_TIMESTAMP": str(timestamp_s),
            "POLY_SIGNATURE": l2_signature(self._secret, timestamp_s, method, path.partition("?")[0], body),
        }
