"""Contracts of the venue on Polygon (venue sheet section 3), and which of them an order is signed for."""

from __future__ import annotations

from typing import Any, Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.venues.curve import address_bytes

POLYGON: Final = 137

PROXY_FACTORY: Final = "0xaB45c5A4B0c941a2F231C04C3f49182e1A254052"
SAFE_FACTORY: Final = "0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b"
DEPOSIT_FACTORY: Final = "0x00000000000Fb5C9ADea0298D729A0CB3823Cc07"
DEPOSIT_BEACON: Final = "0x7A18EDfe055488A3128f01F563e5B479D92ffc3a"
DEPOSIT_IMPLEMENTATION: Final = "0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB"
"""Behind the deposit wallets made before 2026-06-29."""

V1_EXCHANGES: Final = frozenset(
    {"0x4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e", "0xc5d563a36ae78145c45a50134d48a1215220f80a"}
)
"""Dead since 2026-04-28: an order signed for one of them can never match."""

_POSITION_GAP: Final = ((1 << 64) - 1) << 40
_MODULES: Final = frozenset({1, 2, 3})
TOKEN_LIMIT: Final = 1 << 256


def _contract(_contracts: object, field: attrs.Attribute[Any], value: str) -> None:
    try:
        address_bytes(value)
    except ValueError as error:
        raise ConfigError(f"contract {field.name}: {error}") from None
    if value.lower() in V1_EXCHANGES:
        raise ConfigError(f"contract {field.name}: {value} is an exchange of V1, dead since 2026-04-28")


@attrs.frozen(kw_only=True)
class Contracts:
    """Where orders are settled."""

    chain_id: int = POLYGON
    regular: str = attrs.field(default="0xE111180000d2663C0091e4f400237545B87B996B", validator=_contract)
    neg_risk: str = attrs.field(default="0xe2222d279d744050d28e00520010520000310F59", validator=_contract)
    positions: str = attrs.field(default="0xe3333700cA9d93003F00f0F71f8515005F6c00Aa", validator=_contract)
    """Exchange V3, for ids of protocol v2."""


def is_position_id(token: int) -> bool:
    """Whether an asset id is of protocol v2: module in the top byte, bits 40 to 103 zero."""
    return token >> 248 in _MODULES and not token & _POSITION_GAP


def condition_of_position(token: int) -> str:
    """The 31-byte condition id of a position id."""
    return f"0x{(token >> 8).to_bytes(31, 'big').hex()}"


def outcome_of_position(token: int) -> int:
    return token & 0xFF
