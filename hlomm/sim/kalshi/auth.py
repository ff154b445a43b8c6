"""Who signed a request (venue sheet section 2): RSA-PSS or Ed25519 over timestamp, method and path without query.

Accounts come with an Ed25519 key derived from the seed. RSA keys cannot be derived from a seed and take long to make,
so none is shipped: a client that wants one registers its public half through the control requests.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256
from typing import Final
from uuid import UUID

import attrs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from hlomm.domain.times import NS_PER_MS
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.refusals import Refused, unauthorized

PublicKey = RSAPublicKey | Ed25519PublicKey
_SALT: Final = 32
_KEYS_MAX: Final = 1_000
_TIMESTAMP_DIGITS: Final = 16


class BadKey(ValueError):  # noqa: N818 - a state, answered with a refusal
    """A PEM that is no RSA or Ed25519 public key, or one too many."""


@attrs.frozen
class Credentials:
    """The three headers; empty where one is missing."""

    key_id: str
    timestamp: str
    signature: str


def credentials(headers: list[tuple[bytes, bytes]]) -> Credentials:
    """Read the headers, whose values are case-sensitive and names are not."""
    found = {key.lower(): value.decode("latin-1") for key, value in headers}
    names = (b"kalshi-access-key", b"kalshi-access-timestamp", b"kalshi-access-signature")
    return Credentials(*(found.get(name, "") for name in names))


def message_of(timestamp: str, method: str, path: str) -> bytes:
    """What is signed. `path` starts at the API root and has no query."""
    return f"{timestamp}{method}{path}".encode()


def verifies(key: PublicKey, signature: str, message: bytes) -> bool:
    """Whether a base64 signature is the key's over a message; the salt of PSS must be as long as the digest."""
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, message)
        else:
            key.verify(raw, message, padding.PSS(padding.MGF1(hashes.SHA256()), _SALT), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def public_key(pem: str) -> PublicKey:
    """A public key from its PEM; BadKey for anything else."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(str(error)) from error
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise BadKey("expected an RSA or Ed25519 key")
    return key


def seeded_key(seed: int, name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(f"hlomm-sim/{seed}/kalshi/{name}".encode()).digest())


def seeded_uuid(seed: int, name: str) -> str:
    return str(UUID(bytes=sha256(f"hlomm-sim/{seed}/kalshi-id/{name}".encode()).digest()[:16], version=4))


def private_pem(key: Ed25519PrivateKey) -> str:
    """PKCS#8, as the venue hands out."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Keys:
    """Public keys by key id."""

    def __init__(self, tolerance_s: float) -> None:
        self._tolerance_ms = round(tolerance_s * 1000)
        self._keys: dict[str, tuple[PublicKey, Account]] = {}
        self.refused = 0

    def add(self, key_id: str, key: PublicKey, account: Account) -> None:
        """Register a key; BadKey when there are too many."""
        if len(self._keys) >= _KEYS_MAX:
            raise BadKey("too many keys")
        self._keys[key_id] = (key, account)

    def account_of(self, given: Credentials, method: str, path: str, now_ns: int) -> Account:
        """The member behind a request; Refused with 401."""
        known = self._keys.get(given.key_id)
        plain = given.timestamp.isascii() and given.timestamp.isdecimal() and len(given.timestamp) <= _TIMESTAMP_DIGITS
        refusal = None
        if known is None:
            refusal = unauthorized("NOT_FOUND")
        elif not plain or abs(int(given.timestamp) - now_ns // NS_PER_MS) > self._tolerance_ms:
            refusal = unauthorized("INVALID_TIMESTAMP")
        elif not verifies(known[0], given.signature, message_of(given.timestamp, method, path)):
            refusal = unauthorized("INCORRECT_API_KEY_SIGNATURE")
        if refusal is not None or known is None:
            self.refused += 1
            raise Refused(refusal or unauthorized("NOT_FOUND"))
        return known[1]
