"""Bodies of requests, as the bytes that are signed and sent (venue sheet sections 5.2, 7, 8 and 9).

A body is serialised once: its HMAC covers these very bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from hlomm.domain.orders import Side, Tif
from hlomm.venues.polymarket.auth import ApiKey
from hlomm.venues.polymarket.signing import Order, SignedOrder

POST_ORDERS_MAX: Final = 15
CANCEL_MAX: Final = 1_000
ASSETS_PER_FRAME: Final = 200

ORDER_TYPES: Final = {Tif.ALO: "GTC", Tif.GTC: "GTC", Tif.IOC: "FAK", Tif.FOK: "FOK"}
PING: Final = "PING"

_encode: Final = msgspec.json.Encoder().encode


def order_document(signed: SignedOrder, owner: str, tif: Tif, expiration_s: int = 0) -> dict[str, Any]:
    """One order as it is posted. `expiration_s` other than 0 makes it a GTD (only for what may rest)."""
    assert not expiration_s or tif in (Tif.ALO, Tif.GTC), "only an order that may rest expires"
    return {
        "order": {**_fields(signed.order, expiration_s), "signature": signed.signature},
        "owner": owner,
        "orderType": "GTD" if expiration_s else ORDER_TYPES[tif],
        "deferExec": False,
        "postOnly": tif is Tif.ALO,
    }


def _fields(order: Order, expiration_s: int) -> dict[str, Any]:
    return {
        "salt": order.salt,
        "maker": order.maker,
        "signer": order.signer,
        "tokenId": str(order.token),
        "makerAmount": str(order.maker_amount),
        "takerAmount": str(order.taker_amount),
        "side": "BUY" if order.side is Side.BUY else "SELL",
        "expiration": str(expiration_s),
        "signatureType": int(order.signature_type),
        "timestamp": str(order.timestamp_ms),
        "metadata": order.metadata,
        "builder": order.builder,
    }


def orders_body(documents: Sequence[dict[str, Any]]) -> bytes:
    """For POST /order (one) or POST /orders (up to 15)."""
    assert 0 < len(documents) <= POST_ORDERS_MAX
    return _encode(documents[0] if len(documents) == 1 else list(documents))


def orders_path(count: int) -> str:
    return "/order" if count == 1 else "/orders"


def cancel_body(order_ids: Sequence[str]) -> bytes:
    """For DELETE /order (one) or DELETE /orders (up to 1,000)."""
    assert 0 < len(order_ids) <= CANCEL_MAX
    return _encode({"orderID": order_ids[0]} if len(order_ids) == 1 else list(order_ids))


def heartbeat_body(heartbeat_id: str) -> bytes:
    return _encode({"heartbeat_id": heartbeat_id})


def with_query(path: str, **fields: str | int) -> str:
    return f"{path}?{urlencode(fields)}" if fields else path


# -- websockets


def market_hello(assets: Sequence[str]) -> str:
    """First frame of the market channel."""
    frame = {"type": "market", "assets_ids": list(assets), "custom_feature_enabled": True, "initial_dump": True}
    return _encode(frame).decode()


def market_change(assets: Sequence[str], *, subscribe: bool) -> str:
    operation = "subscribe" if subscribe else "unsubscribe"
    frame = {"operation": operation, "assets_ids": list(assets), "custom_feature_enabled": True}
    return _encode(frame).decode()


def user_hello(api_key: ApiKey) -> str:
    """First frame of the user channel: every market of the key."""
    auth = {"apiKey": api_key.key, "secret": api_key.secret.reveal(), "passphrase": api_key.passphrase.reveal()}
    return _encode({"type": "user", "auth": auth}).decode()
