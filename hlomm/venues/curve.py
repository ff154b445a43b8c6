"""Keccak and secp256k1 from their C libraries: what signatures of every chain venue are made of. Pure (RFC 6979)."""

from __future__ import annotations

import re
from typing import Final

import coincurve
import sha3
from coincurve import _libsecp256k1

from hlomm.domain.faults import ConfigError
from hlomm.domain.secret import Sealed, Secret

_KEY_BYTES: Final = 32
_KEY_HEX: Final = re.compile(rb"(?:0x)?[0-9a-fA-F]{64}")
_ADDRESS_BYTES: Final = 20


def keccak(data: bytes) -> bytes:
    digest: bytes = sha3.keccak_256(data).digest()
    return digest


def address_bytes(address: str) -> bytes:
    """20 bytes of a 0x address; ValueError otherwise."""
    raw = bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != _ADDRESS_BYTES:
        raise ValueError(f"expected a 20-byte address, was {address!r}")
    return raw


def address_of(public_key: bytes) -> str:
    """Lower-case address of an uncompressed public key (65 bytes)."""
    return f"0x{keccak(public_key[1:])[12:].hex()}"


def checksummed(address: str) -> str:
    """An address with the capitals of EIP-55."""
    digits = address_bytes(address).hex()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks, strict=False)
    )


class Key(Sealed):
    """A secret key. Its repr shows the address only."""

    __slots__ = ("_key", "address")

    def __init__(self, key: bytes) -> None:
        length, loaded = len(key), _loaded(key)
        self.address = ""  # the frame of an error keeps its locals, this one half made
        del key
        if length != _KEY_BYTES:
            raise ConfigError(f"expected a private key of {_KEY_BYTES} bytes, was {length}")
        if loaded is None:
            raise ConfigError("the private key is outside the curve's range; check the keystore entry")
        self._key = loaded
        self.address = address_of(loaded.public_key.format(compressed=False))

    @classmethod
    def parse(cls, text: Secret) -> Key:
        """A key out of its 64 hex digits, with or without 0x. ConfigError for what is none; it never repeats it."""
        if _KEY_HEX.fullmatch(text.reveal_bytes().strip()) is None:
            raise ConfigError("a private key is 64 hex digits, with or without 0x; this is something else")
        return cls(bytes.fromhex(text.reveal().strip().removeprefix("0x")))

    def __repr__(self) -> str:
        return f"Key({self.address})"

    def sign(self, digest: bytes) -> bytes:
        """65 bytes: r, s and the recovery id (0 or 1)."""
        raw: bytes = self._key.sign_recoverable(digest, hasher=None)
        return raw


def _loaded(key: bytes) -> coincurve.PrivateKey | None:
    """None if the curve has no such key. Its error would carry the key in the frames that it came through."""
    try:
        return coincurve.PrivateKey(key)
    except ValueError:
        return None


_PROBE_KEY: Final = bytes(31) + b"\x01"
_PROBE_DIGEST: Final = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
_PROBE_ADDRESS: Final = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"


def assert_fast_backend() -> None:
    """ConfigError unless keccak and secp256k1 come from their C libraries and give the right answers.

    A pure-Python stand-in signs correctly but needs milliseconds an order, and nothing else would tell.
    """
    if sha3.keccak_256.__module__ != "_pysha3" or keccak(b"").hex() != _PROBE_DIGEST:
        raise ConfigError("keccak does not come from safe-pysha3; reinstall the safe-pysha3 package")
    library = getattr(_libsecp256k1, "__file__", "") or ""
    if not library.endswith((".so", ".pyd", ".dylib")):
        raise ConfigError("secp256k1 does not come from coincurve's C library; reinstall the coincurve package")
    if Key(_PROBE_KEY).address != _PROBE_ADDRESS:
        raise ConfigError("coincurve derives a wrong address for a known key; reinstall the coincurve package")
