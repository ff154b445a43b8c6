"""Funded test accounts, and the API keys that the venue gives out for wallet signatures."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Final

import attrs
import coincurve

from hlomm.sim.pm.chain import PROXY_FACTORY, SAFE_FACTORY, address_bytes, address_of, checksummed, keccak
from hlomm.sim.pm.matching import uuid_of

_NAMES: Final = (("daemon", 0), ("free-1", 0), ("free-2", 2), ("free-3", 3), ("free-4", 1))
_SAFE_INIT: Final = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
_PROXY_INIT: Final = bytes.fromhex("d21df8dc65880a8606f09fe0ce3df9b8869287ab0b058be05aa9e8af6330a00b")


@attrs.frozen(kw_only=True)
class PmAccount:
    """Keys of a funded account, as announced to clients. `funder` holds the money: the wallet, or the key itself."""

    name: str
    address: str
    key: str
    funder: str
    signature_type: int


def funded_accounts(seed: int) -> list[PmAccount]:
    """The funded accounts of a seed; the first is the one the daemon trades."""
    accounts = []
    for name, signature_type in _NAMES:
        key = coincurve.PrivateKey(keccak(f"hlomm-sim-polymarket/{seed}/{name}/key".encode()))
        address = address_of(key.public_key)
        accounts.append(
            PmAccount(
                name=name,
                address=checksummed(address),
                key="0x" + key.secret.hex(),
                funder=checksummed(funder_of(address, signature_type)),
                signature_type=signature_type,
            )
        )
    return accounts


def funder_of(owner: str, signature_type: int) -> str:
    """Lower-case address of the wallet that an owner trades for.

    Proxies and safes are where their factories put them. A deposit wallet's address is made up: its factory's code is
    not known here, and nothing depends on it.
    """
    raw = address_bytes(owner)
    match signature_type:
        case 1:
            return _create2(PROXY_FACTORY, keccak(raw), _PROXY_INIT)
        case 2:
            return _create2(SAFE_FACTORY, keccak(raw.rjust(32, b"\0")), _SAFE_INIT)
        case 3:
            return "0x" + keccak(b"hlomm-sim-deposit-wallet" + raw)[-20:].hex()
        case _:
            return owner.lower()


def _create2(factory: str, salt: bytes, init: bytes) -> str:
    return "0x" + keccak(b"\xff" + address_bytes(factory) + salt + init)[-20:].hex()


@attrs.frozen(kw_only=True)
class ApiKey:
    """What signs private requests. `address` is the signer, lower case."""

    id: str
    secret: str
    passphrase: str
    address: str
    nonce: int


class ApiKeys:
    """The keys given out, by id. The same (address, nonce) always gives the same key."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._by_id: dict[str, ApiKey] = {}

    def create(self, address: str, nonce: int) -> ApiKey | None:
        """A new key, None if there is one already."""
        key = self._make(address, nonce)
        if key.id in self._by_id:
            return None
        self._by_id[key.id] = key
        return key

    def derive(self, address: str, nonce: int) -> ApiKey | None:
        """The key that was created, None if none was."""
        return self._by_id.get(self._make(address, nonce).id)

    def find(self, key_id: str) -> ApiKey | None:
        return self._by_id.get(key_id)

    def of(self, address: str) -> list[str]:
        return [key.id for key in self._by_id.values() if key.address == address]

    def delete(self, key: ApiKey) -> None:
        self._by_id.pop(key.id, None)

    def _make(self, address: str, nonce: int) -> ApiKey:
        base = f"{self._seed}/{address}/{nonce}"
        return ApiKey(
            id=uuid_of(f"{base}/key"),
            secret=urlsafe_b64encode(keccak(f"{base}/secret".encode())).decode(),
            passphrase=keccak(f"{base}/passphrase".encode()).hex(),
            address=address,
            nonce=nonce,
        )
