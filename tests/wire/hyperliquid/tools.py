"""Short forms for frames and decoded results."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from hlomm.domain.units import SCALE, parse
from hlomm.venues.hyperliquid.wire.frames import Decoded, decode_frame

T = TypeVar("T")


def frame(channel: str, data: Any, **extra: Any) -> str:
    return json.dumps({"channel": channel, "data": data, **extra})


def decoded(channel: str, data: Any) -> Decoded:
    return decode_frame(frame(channel, data))


def value(channel: str, data: Any, kind: type[T]) -> T:
    """The frame's value, with no anomaly beside it."""
    result = decoded(channel, data)
    assert result.anomalies == ()
    assert isinstance(result.frame, kind)
    return result.frame


def kinds(result: Decoded) -> list[str]:
    return [one.kind for one in result.anomalies]


def refusal(channel: str, data: Any) -> str:
    """The one kind of anomaly a frame without value is refused for."""
    result = decoded(channel, data)
    assert result.frame is None
    (kind,) = kinds(result)
    return kind


def level(px: str, sz: str = "100", n: int = 1) -> dict[str, Any]:
    return {"px": px, "sz": sz, "n": n}


def levels(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [level(px, sz) for px, sz in pairs]


def scaled(*pairs: tuple[str, str]) -> tuple[tuple[int, int], ...]:
    return tuple((parse(px), parse(sz)) for px, sz in pairs)


def book(coin: str, bids: list[Any], asks: list[Any], time: int = 1_000, **extra: Any) -> dict[str, Any]:
    return {"coin": coin, "time": time, "levels": [bids, asks], **extra}


def fill_row(**fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "coin": "#9000",
        "px": "0.45",
        "sz": "20.0",
        "side": "B",
        "time": 1_785_412_801_000,
        "startPosition": "0.0",
        "dir": "Buy",
        "closedPnl": "0.0",
        "hash": "0xabc",
        "oid": 77,
        "crossed": False,
        "fee": "0.0",
        "tid": 424_242,
        "cloid": "0x686c019fb2e54e000000000000000001",
        "feeToken": "USDC",
        "twapId": None,
    }
    row.update(fields)
    return {key: one for key, one in row.items() if one is not ...}


def order_row(**fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "coin": "#9000",
        "side": "B",
        "limitPx": "0.45",
        "sz": "60.0",
        "oid": 1_001,
        "timestamp": 1_785_412_800_500,
        "origSz": "100.0",
        "cloid": "0x686c019fb2e54e000000000000000001",
    }
    row.update(fields)
    return {key: one for key, one in row.items() if one is not ...}


def update_row(status: str = "open", **fields: Any) -> dict[str, Any]:
    return {"order": order_row(**fields), "status": status, "statusTimestamp": 1_785_412_800_600}


ONE = SCALE
