"""The keys themselves, by kind: from what a person has to what is encrypted, and back.

| kind | content of the file | id |
|---|---|---|
| `secp256k1` | 32 bytes, as in any Ethereum keyfile | address |
| `rsa`, `ed25519` | `{"id", "pem"}`: PKCS#8 PEM | id of the API key |
| `hmac` | `{"id", "secret", "passphrase"}` | id of the API key |
"""

from __future__ import annotations

import attrs
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from hlomm.domain.faults import ConfigError, ProtocolViolation
from hlomm.domain.secret import Secret, seal
from hlomm.keystore.files import ED25519, HMAC, RSA, SECP256K1
from hlomm.venues.curve import Key, checksummed
from hlomm.venues.kalshi.signing import PrivateKey, load_private_key
from hlomm.venues.polymarket.auth import ApiKey, check_api_key


class _Pem(msgspec.Struct, frozen=True):
    id: str
    pem: Secret


class _Triple(msgspec.Struct, frozen=True):
    id: str
    secret: Secret
    passphrase: Secret


class _Typed(msgspec.Struct, frozen=True):
    """A triple as the venue's own tools print it."""

    secret: Secret
    passphrase: Secret
    key: str = ""
    api_key: str = msgspec.field(default="", name="apiKey")


@attrs.frozen(kw_only=True)
class Material:
    """A key that is one. `content` is what gets encrypted, `text` what a session is made with."""

    kind: str
    id: str
    content: Secret
    text: Secret

    def api_key(self) -> ApiKey:
        """Of kind hmac."""
        triple = msgspec.json.decode(self.content.reveal_bytes(), type=_Triple, dec_hook=seal)
        return ApiKey(triple.id, triple.secret, triple.passphrase)


def secp256k1(text: Secret) -> Material:
    """Out of 64 hex digits. ConfigError if they are no key."""
    key = Key.parse(text)
    digits = Secret(text.reveal().strip().removeprefix("0x").lower())
    return Material(
        kind=SECP256K1, id=checksummed(key.address), content=Secret(bytes.fromhex(digits.reveal())),
        text=Secret(f"0x{digits.reveal()}"),
    )  # fmt: skip


def pem(text: Secret, key_id: str) -> Material:
    """Out of an unencrypted PEM. ConfigError if it is no RSA or Ed25519 key, or the id is missing."""
    if not key_id.strip():
        raise ConfigError("the id of the API key is missing: name it with --key-id, as the venue shows it")
    return _pem(load_private_key(text), key_id.strip())


def _pem(key: PrivateKey, key_id: str) -> Material:
    plain = Secret(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Material(
        kind=RSA if isinstance(key, RSAPrivateKey) else ED25519, id=key_id, text=plain,
        content=Secret(msgspec.json.encode({"id": key_id, "pem": plain.reveal()})),
    )  # fmt: skip


def hmac(text: Secret) -> Material:
    """Out of JSON with `key` (or `apiKey`), `secret` and `passphrase`. ConfigError if one is missing."""
    typed = _typed(text)
    key_id = "" if typed is None else typed.key or typed.api_key
    if typed is None or not key_id or not typed.secret or not typed.passphrase:
        raise ConfigError('an API key is JSON: {"key": "…", "secret": "…", "passphrase": "…"}; this is something else')
    try:
        check_api_key(ApiKey(key_id, typed.secret, typed.passphrase))
    except ProtocolViolation as error:
        raise ConfigError(f"API key {key_id}: {error.kind.removeprefix('api_key.')}: {error}") from None
    return Material(
        kind=HMAC, id=key_id, text=typed.secret,
        content=Secret(
            msgspec.json.encode(
                {"id": key_id, "secret": typed.secret.reveal(), "passphrase": typed.passphrase.reveal()}
            )
        ),
    )  # fmt: skip


def _typed(text: Secret) -> _Typed | None:
    try:
        return msgspec.json.decode(text.reveal_bytes(), type=_Typed, dec_hook=seal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def opened(kind: str, content: Secret) -> Material | None:
    """What was encrypted, None if it is not of that kind."""
    try:
        if kind == SECP256K1:
            return secp256k1(Secret(content.reveal_bytes().hex()))
        if kind == HMAC:
            triple = msgspec.json.decode(content.reveal_bytes(), type=_Triple, dec_hook=seal)
            return Material(kind=HMAC, id=triple.id, text=triple.secret, content=content)
        held = msgspec.json.decode(content.reveal_bytes(), type=_Pem, dec_hook=seal)
        found = pem(held.pem, held.id)
    except (ConfigError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if found.kind == kind else None
