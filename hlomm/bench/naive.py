"""What a first attempt would do with a frame: json, Decimal, frozen attrs, and an order signed the way SDKs sign.

This is the lowest rung of `hlomm bench naive` and lives nowhere else. Its orders have the same bytes as those of the
fast core, which a test holds it to; so the ladder compares ways of doing one thing, not different things.
"""

from __future__ import annotations

import json
import math
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any, Final

import attrs
import msgpack
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from hlomm.bench.rungs import ASSET, EXPIRES_MS, GAMMA_VAR, HALF, LOTS, MAX_DEVIATION, MAX_NOTIONAL, MIN_NOTIONAL

TICK: Final = Decimal("0.00001")
_EIGHT: Final = Decimal("0.00000001")
_ZERO: Final = "0x0000000000000000000000000000000000000000"


@attrs.frozen
class Level:
    px: Decimal
    size: Decimal


@attrs.frozen
class Book:
    coin: str
    stamp: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@attrs.frozen
class Order:
    buys: bool
    px: Decimal
    size: Decimal


def read(text: str | bytes) -> Book | None:
    """The book of a frame, None for other frames."""
    message = json.loads(text)
    if message["channel"] != "l2Book":
        return None
    data = message["data"]
    bids, asks = (tuple(Level(Decimal(row["px"]), Decimal(row["sz"])) for row in side) for side in data["levels"])
    return Book(data["coin"], data["time"], bids, asks)


def quote(book: Book, position: Decimal) -> Order:
    """Avellaneda and Stoikov's reservation price, and the bid half a spread below it."""
    mid = (book.bids[0].px + book.asks[0].px) / 2
    reservation = mid - position * Decimal(repr(GAMMA_VAR))
    half = Decimal(repr(HALF)) + Decimal(repr(math.log1p(GAMMA_VAR)))
    return Order(buys=True, px=(reservation - half).quantize(TICK, ROUND_DOWN), size=Decimal(LOTS))


def refusal(order: Order, book: Book, position: Decimal) -> str | None:
    """The checks of the ladder, in Decimal."""
    mid = (book.bids[0].px + book.asks[0].px) / 2
    notional = order.px * order.size
    checks = (
        (Decimal(0) < order.px < Decimal(1), "price"),
        (order.px < book.asks[0].px, "post_only"),
        (abs(order.px - mid) <= Decimal(repr(MAX_DEVIATION)), "fair_deviation"),
        (notional <= Decimal(MAX_NOTIONAL), "max_notional"),
        (notional.quantize(TICK, ROUND_UP) >= Decimal(MIN_NOTIONAL), "min_notional"),
        (abs(position + order.size) <= Decimal(LOTS) * 10, "max_position"),
    )
    return next((name for passed, name in checks if not passed), None)


def action_of(order: Order, cloid: str) -> dict[str, Any]:
    row = {
        "a": ASSET, "b": order.buys, "p": plain(order.px), "s": plain(order.size), "r": False,
        "t": {"limit": {"tif": "Alo"}}, "c": cloid,
    }  # fmt: skip
    return {"type": "order", "orders": [row], "grouping": "na"}


def plain(value: Decimal) -> str:
    """As SDKs write numbers: eight decimals, then without what says nothing."""
    return format(value.quantize(_EIGHT).normalize(), "f")


def sign(account: Any, action: dict[str, Any], nonce: int) -> dict[str, Any]:
    """Signature of an action through typed data, every hash made anew; `account` is eth-account's."""
    packed = msgpack.packb(action) + nonce.to_bytes(8, "big") + b"\x00"
    packed += b"\x00" + (nonce + EXPIRES_MS).to_bytes(8, "big")
    signed = account.sign_message(encode_typed_data(full_message=typed_data(keccak(packed), "b")))
    return {"r": f"0x{signed.r:064x}", "s": f"0x{signed.s:064x}", "v": signed.v}


def typed_data(connection_id: bytes, source: str) -> dict[str, Any]:
    """What is signed for an action, as EIP-712 spells it out; `source` is "a" on mainnet, "b" on testnet."""
    return {
        "domain": {"chainId": 1337, "name": "Exchange", "verifyingContract": _ZERO, "version": "1"},
        "types": {
            "Agent": [{"name": "source", "type": "string"}, {"name": "connectionId", "type": "bytes32"}],
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
            ],
        },
        "primaryType": "Agent",
        "message": {"source": source, "connectionId": connection_id},
    }  # fmt: skip


def body_of(action: dict[str, Any], nonce: int, signature: dict[str, Any]) -> str:
    return json.dumps(
        {
            "action": action, "nonce": nonce, "signature": signature, "vaultAddress": None,
            "expiresAfter": nonce + EXPIRES_MS,
        },
        separators=(",", ":"),
    )  # fmt: skip


class NaiveCore:
    """A frame in, an order out."""

    def __init__(self, key: str) -> None:
        self._account = Account.from_key(key)
        self._position = Decimal(0)

    def order_for(self, text: str | bytes, nonce: int, cloid: str) -> str | None:
        book = read(text)
        if book is None:
            return None
        order = quote(book, self._position)
        if refusal(order, book, self._position) is not None:
            return None
        action = action_of(order, cloid)
        return body_of(action, nonce, sign(self._account, action, nonce))
