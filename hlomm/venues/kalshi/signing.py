"""Request signatures (venue sheet section 2): RSA-PSS or Ed25519 over time, method and path.

The text is `<unix ms><METHOD><path>`: the path begins at the root of the API and ends before the query; host and body
are never signed. An RSA signature takes about a millisecond, so the session makes them in a thread of its own.
"""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from hlomm.domain.faults import ConfigError
from hlomm.domain.secret import Sealed, Secret

WS_PATH: Final = "/trade-api/ws/v2"
SALT_BYTES: Final = 32
_RSA_BITS_MIN: Final = 2_048

_KEY_HEADER: Final = "KALSHI-ACCESS-KEY"
_TIME_HEADER: Final = "KALSHI-ACCESS-TIMESTAMP"
_SIGNATURE_HEADER: Final = "KALSHI-ACCESS-SIGNATURE"


def signed_text(ts_ms: int, method: str, url: str) -> str:
    """What is signed for a request. `url` may be whole or begin at the path; its query is left out."""
    return f"{ts_ms}{method.upper()}{urlsplit(url).path}"


PrivateKey = RSAPrivateKey | Ed25519PrivateKey


def load_private_key(pem: Secret) -> PrivateKey:
    """A key from PEM text (PKCS#8 or PKCS#1); line breaks spelt out, as in environment files, are understood.

    ConfigError for anything else; it never repeats the text.
    """
    key = _loaded(pem)
    if key is None:
        raise ConfigError("Kalshi key: expected an unencrypted RSA or Ed25519 private key in PEM, was something else")
    if isinstance(key, RSAPrivateKey) and key.key_size < _RSA_BITS_MIN:
        raise ConfigError(f"Kalshi key: expected RSA of at least {_RSA_BITS_MIN} bits, was {key.key_size}")
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ConfigError(f"Kalshi key: expected RSA or Ed25519, was {type(key).__name__}")
    return key


def _loaded(pem: Secret) -> PrivateKeyTypes | None:
    """None for what is no key: the library's error would carry the text in the frames that it came through."""
    try:
        return serialization.load_pem_private_key(pem.reveal().strip().replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


class Signer(Sealed):
    """One API key. Its repr shows the key's id only."""

    __slots__ = ("_key", "key_id")

    def __init__(self, key_id: str, key: PrivateKey) -> None:
        self.key_id = key_id
        self._key = key

    def __repr__(self) -> str:
        return f"Signer({self.key_id})"

    def sign(self, text: str) -> bytes:
        """Raw signature. RSA signatures differ each time, Ed25519 ones do not."""
        data = text.encode()
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(data)
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=SALT_BYTES)
        return self._key.sign(data, pss, hashes.SHA256())

    def headers(self, ts_ms: int, method: str, url: str) -> tuple[tuple[str, str], ...]:
        """The three headers of a request, or of the websocket's upgrade (GET of its path)."""
        signature = base64.b64encode(self.sign(signed_text(ts_ms, method, url))).decode()
        return ((_KEY_HEADER, self.key_id), (_TIME_HEADER, str(ts_ms)), (_SIGNATURE_HEADER, signature))
