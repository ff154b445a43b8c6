"""The slow twin of everything that leaves: Decimal, plain dicts, a packer in Python, typed data spelt out, `json`.

Nothing here is the program's own code but what `hlomm.bench.naive` is made of, the first attempt that the ladder begins
with. Keccak is pycryptodome's (through eth-hash), signatures are eth-account's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

import attrs
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys import KeyAPI
from eth_keys.backends import NativeECCBackend
from eth_utils.crypto import keccak
from msgpack import fallback

from hlomm.bench import naive

Json = dict[str, Any]

KEY: Final = bytes.fromhex("0123456789012345678901234567890123456789012345678901234567890123")
"""Of the golden vectors."""


# -- actions, in the order of keys in which they are signed


@attrs.frozen(kw_only=True)
class Order:
    """An order as people say it."""

    asset: int
    buys: bool
    px: Decimal
    size: Decimal
    tif: str
    cloid: str
    reduce_only: bool = False
    oid: int = 0
    """Of the order that it replaces."""

    def row(self) -> Json:
        return {
            "a": self.asset, "b": self.buys, "p": naive.plain(self.px), "s": naive.plain(self.size),
            "r": self.reduce_only, "t": {"limit": {"tif": self.tif}}, "c": self.cloid,
        }  # fmt: skip


def place(orders: Sequence[Order]) -> Json:
    return {"type": "order", "orders": [one.row() for one in orders], "grouping": "na"}


def batch_modify(orders: Sequence[Order]) -> Json:
    return {"type": "batchModify", "modifies": [{"oid": one.oid, "order": one.row()} for one in orders]}


def cancel_by_cloid(orders: Sequence[Order]) -> Json:
    return {
        "type": "cancelByCloid", "cancels": [{"asset": one.asset, "cloid": one.cloid} for one in orders], "f": True,
    }  # fmt: skip


def cancel(orders: Sequence[Order]) -> Json:
    return {"type": "cancel", "cancels": [{"a": one.asset, "o": one.oid} for one in orders], "f": True}


# -- bytes


@attrs.frozen(kw_only=True)
class Request:
    """An action with all that its signature covers."""

    action: Json
    mainnet: bool
    nonce: int
    vault: str | None
    expires_ms: int | None

    def packed(self) -> bytes:
        return packed(self.action)

    def signable(self) -> Any:
        covered = self.packed() + self.nonce.to_bytes(8, "big")
        covered += b"\x00" if self.vault is None else b"\x01" + bytes.fromhex(self.vault[2:])
        if self.expires_ms is not None:
            covered += b"\x00" + self.expires_ms.to_bytes(8, "big")
        return encode_typed_data(full_message=naive.typed_data(keccak(covered), "a" if self.mainnet else "b"))

    def body(self, signature: Json) -> Json:
        return {
            "action": self.action, "nonce": self.nonce, "signature": signature, "vaultAddress": self.vault,
            "expiresAfter": self.expires_ms,
        }  # fmt: skip


def packed(value: Any) -> bytes:
    data: bytes = fallback.Packer().pack(value)
    return data


def digest_of(signable: Any) -> bytes:
    digest: bytes = keccak(b"\x19" + signable.version + signable.header + signable.body)
    return digest


@cache
def account(key: bytes = KEY) -> LocalAccount:
    made: LocalAccount = Account.from_key(key)
    return made


def signature(signable: Any) -> Json:
    signed = account().sign_message(signable)
    return {"r": f"0x{signed.r:064x}", "s": f"0x{signed.s:064x}", "v": signed.v}


def signature_in_python(digest: bytes) -> Json:
    """By nothing but Python's integers: eth-account itself uses the program's C library where it finds it."""
    signed = KeyAPI(NativeECCBackend()).PrivateKey(KEY).sign_msg_hash(digest)
    return {"r": f"0x{signed.r:064x}", "s": f"0x{signed.s:064x}", "v": 27 + signed.v}


def text(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"))


def post(number: int, body: Json) -> str:
    return text({"method": "post", "id": number, "request": {"type": "action", "payload": body}})


def websocket_frame(payload: bytes, mask: bytes) -> bytes:
    """A whole text message from a client (RFC 6455, section 5.2), byte by byte."""
    size = len(payload)
    if size < 126:
        head = bytes([0x81, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([0x81, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x81, 0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
