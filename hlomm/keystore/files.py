"""A key file as it lies on disk, still encrypted: its label, its parameters, and what is wrong with either.

The file is JSON: an Ethereum keyfile (`version` 3, `crypto`, and for an Ethereum key its `address`) with one more part,

    "hlomm": {"version": 1, "venue", "role", "network", "kind", "id", "imported_ms", "expires_ms"}

which says what the key is for. It holds nothing secret, and it is no authority: the kind and the id are compared with
what comes out of the ciphertext. Keyfiles without that part, made elsewhere, are read too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import attrs
import msgspec

from hlomm.domain.checkup import Code
from hlomm.domain.faults import KeyFault
from hlomm.domain.secret import Secret

SECP256K1: Final = "secp256k1"
RSA: Final = "rsa"
ED25519: Final = "ed25519"
HMAC: Final = "hmac"
SCRYPT_N: Final = 1 << 18
"""As eth-account: about a second and 256 MiB for each guess at the password."""
SOON_MS: Final = 14 * 86_400_000
"""A key that the venue stops taking within this is warned about."""
N_MAX: Final = 1 << 20
N_WEAK: Final = 1 << 17
"""A password behind less than this is cheap to guess; the doctor says so."""
_MEMORY_MAX: Final = 1 << 31
_Hex = Annotated[str, msgspec.Meta(pattern=r"^(0x)?([0-9a-fA-F]{2})*$", max_length=1 << 16)]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is for."""

    version: Literal[1]
    venue: str
    role: str
    network: str
    kind: str
    id: str
    """Address of a chain's key, else the id of the API key."""
    imported_ms: int
    expires_ms: int | None = None
    """When the venue stops taking it, if that was said."""


class _Cipher(msgspec.Struct, frozen=True):
    iv: _Hex


class _Derivation(msgspec.Struct, frozen=True):
    dklen: Literal[32]
    salt: _Hex
    n: Annotated[int, msgspec.Meta(ge=2, le=N_MAX)] = 2
    r: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    p: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    c: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 1
    prf: Literal["hmac-sha256"] = "hmac-sha256"


class Crypto(msgspec.Struct, frozen=True):
    """Checked before anything is derived: a file must not be able to ask for all memory or for a day."""

    cipher: Literal["aes-128-ctr"]
    cipherparams: _Cipher
    ciphertext: _Hex
    kdf: Literal["scrypt", "pbkdf2"]
    kdfparams: _Derivation
    mac: _Hex

    @property
    def weak(self) -> bool:
        return self.kdf == "scrypt" and self.kdfparams.n < N_WEAK


class _File(msgspec.Struct, frozen=True):
    version: Literal[3]
    crypto: Crypto
    hlomm: Label | None = None


@attrs.frozen
class KeyFile:
    """One file, read and checked as far as that goes without the password."""

    path: Path
    label: Label | None
    crypto: Crypto

    def parts(self) -> dict[str, Any]:
        """`crypto` as a document again."""
        found: dict[str, Any] = msgspec.to_builtins(self.crypto)
        return found


def parse(path: Path, content: Secret) -> KeyFile:
    """KeyFault for what is no keyfile, or not all of one; it never repeats the content."""
    document, why = _document(content)
    if document is None:
        text = f"{path}: {why} — import the key again (`hlomm keys import`), or name another file"
        raise KeyFault(Code.KEY_DAMAGED, text)
    parameters = document.crypto.kdfparams
    if document.crypto.kdf == "scrypt" and (
        parameters.n & (parameters.n - 1) or 128 * parameters.n * parameters.r > _MEMORY_MAX
    ):
        text = (
            f"{path}: scrypt with n={parameters.n}, r={parameters.r} is none that we would run — import the key again"
        )
        raise KeyFault(Code.KEY_DAMAGED, text)
    return KeyFile(path, document.hlomm, document.crypto)


def _document(content: Secret) -> tuple[_File | None, str]:
    try:
        return msgspec.json.decode(content.reveal_bytes(), type=_File), ""
    except msgspec.ValidationError as error:
        return None, f"not a key file that we know ({error})"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, "not a key file, or cut off"


def encode(keyfile: dict[str, Any], label: Label) -> bytes:
    """The bytes of a file: a keyfile or a `crypto` part, and the label."""
    return msgspec.json.encode({**keyfile, "version": 3, "hlomm": label})
