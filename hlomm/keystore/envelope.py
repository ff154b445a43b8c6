"""Encryption of a key file: the `crypto` part of an Ethereum keyfile (version 3), over any bytes.

    {"cipher": "aes-128-ctr", "cipherparams": {"iv"}, "ciphertext", "kdf": "scrypt",
     "kdfparams": {"dklen": 32, "n", "r", "p", "salt"}, "mac"}

scrypt of the password gives 32 bytes: 16 encrypt, 16 go before the ciphertext into the keccak that is the MAC. Keyfiles
of Ethereum keys are made by eth-keyfile (what eth-account uses) and are ordinary ones. It refuses to make them for
anything but such a key, so for other bytes the same parts are put together here; all are read by eth-keyfile.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json, encrypt_aes_ctr

from hlomm.domain.secret import Secret
from hlomm.keystore.files import SCRYPT_N
from hlomm.venues.curve import keccak

_R: Final = 8
_P: Final = 1
_BYTES: Final = 32
_CIPHER_BYTES: Final = 16


def encrypt_key(key: Secret, password: Secret, n: int = SCRYPT_N) -> dict[str, Any]:
    """A whole keyfile of a secp256k1 key, as `geth account import` takes it. `n` is lower in tests only."""
    return dict(create_keyfile_json(key.reveal_bytes(), password.reveal_bytes(), kdf="scrypt", iterations=n))


def encrypt(content: Secret, password: Secret, n: int = SCRYPT_N) -> dict[str, Any]:
    """The `crypto` part for any bytes."""
    salt, iv = secrets.token_bytes(_BYTES), secrets.token_bytes(_CIPHER_BYTES)
    derived = Secret(Scrypt(salt=salt, length=_BYTES, n=n, r=_R, p=_P).derive(password.reveal_bytes()))
    ciphertext = encrypt_aes_ctr(
        content.reveal_bytes(), derived.reveal_bytes()[:_CIPHER_BYTES], int.from_bytes(iv, "big")
    )
    mac = keccak(derived.reveal_bytes()[_CIPHER_BYTES:] + ciphertext)
    return {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": iv.hex()},
        "ciphertext": ciphertext.hex(),
        "kdf": "scrypt",
        "kdfparams": {"dklen": _BYTES, "n": n, "r": _R, "p": _P, "salt": salt.hex()},
        "mac": mac.hex(),
    }


def decrypt(crypto: Mapping[str, Any], password: Secret) -> Secret | None:
    """The content, None if the password is wrong. `crypto` is checked already (`hlomm.keystore.files`).

    The library's error is dropped here: the frames that it came through hold the password.
    """
    try:
        return Secret(decode_keyfile_json({"version": 3, "crypto": dict(crypto)}, password.reveal_bytes()))
    except (ValueError, TypeError, KeyError):
        return None
