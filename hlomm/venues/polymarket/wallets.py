"""Which wallet contract belongs to a key: CREATE2 addresses of the factories (venue sheet section 4.3). Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

from hlomm.venues.curve import address_bytes, checksummed, keccak
from hlomm.venues.polymarket import contracts

_PROXY_CODE: Final = bytes.fromhex("d21df8dc65880a8606f09fe0ce3df9b8869287ab0b058be05aa9e8af6330a00b")
_SAFE_CODE: Final = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
# Creation code of ERC-1967 proxies with arguments appended: a beacon proxy, and before 2026-06-29 a UUPS proxy. The
# second and third byte of the head hold the length of what follows it.
_BEACON_HEAD: Final = bytes.fromhex("6100523d8160233d3973")
_BEACON_TAIL: Final = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)
_UUPS_HEAD: Final = bytes.fromhex("61003d3d8160233d3973")
_UUPS_TAIL: Final = bytes.fromhex(
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)


class WalletKind(Enum):
    PROXY = "proxy"
    SAFE = "safe"
    DEPOSIT = "deposit"
    DEPOSIT_UUPS = "deposit_uups"
    """Deposit wallets made before 2026-06-29."""


def wallet_of(owner: str, kind: WalletKind) -> str:
    """The checksummed address of an owner's wallet, whether it exists already or not."""
    plain = address_bytes(owner)
    padded = bytes(12) + plain
    match kind:
        case WalletKind.PROXY:
            return _create2(contracts.PROXY_FACTORY, keccak(plain), _PROXY_CODE)
        case WalletKind.SAFE:
            return _create2(contracts.SAFE_FACTORY, keccak(padded), _SAFE_CODE)
        case WalletKind.DEPOSIT:
            return _deposit(padded, _BEACON_HEAD, contracts.DEPOSIT_BEACON, _BEACON_TAIL)
        case WalletKind.DEPOSIT_UUPS:
            return _deposit(padded, _UUPS_HEAD, contracts.DEPOSIT_IMPLEMENTATION, _UUPS_TAIL)


def _deposit(owner: bytes, head: bytes, target: str, tail: bytes) -> str:
    arguments = bytes(12) + address_bytes(contracts.DEPOSIT_FACTORY) + owner
    length = int.from_bytes(head[1:3], "big") + len(arguments)
    code = head[:1] + length.to_bytes(2, "big") + head[3:] + address_bytes(target) + tail + arguments
    return _create2(contracts.DEPOSIT_FACTORY, keccak(arguments), keccak(code))


def _create2(factory: str, salt: bytes, code_hash: bytes) -> str:
    digest = keccak(b"\xff" + address_bytes(factory) + salt + code_hash)
    return checksummed(f"0x{digest[12:].hex()}")
