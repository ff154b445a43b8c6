"""A venue that agrees to everything: what becomes of orders where nobody else is, and how it would be told (sheet 4).

Orders rest until they are cancelled and never fill. For measurements and rehearsals, which want answers of the right
shape and nothing to happen. Pure: the venue's time is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.markets import Leg
from hlomm.venues.hyperliquid.wire.coins import outcome_asset, outcome_coin

Json = dict[str, Any]

_LETTERS: Final = {True: "B", False: "A"}
_OK: Final = "success"
_MISSING: Final = "Order was never placed, already canceled, or filled."
_ASSET_BASE: Final = outcome_asset(0, Leg.YES)


def frame(channel: str, data: Any) -> bytes:
    """A websocket message."""
    return msgspec.json.encode({"channel": channel, "data": data})


@attrs.define(eq=False)
class Echo:
    """One account's orders."""

    perp: str
    """Coin of every asset that is no outcome."""
    orders: dict[str, Json] = attrs.field(factory=dict)
    """Resting, by client id: rows of `openOrders`."""
    counts: dict[str, int] = attrs.field(factory=dict)
    """Actions by type, and `orders`: those placed and amended."""
    cloids: dict[int, str] = attrs.field(factory=dict)
    """By the venue's id, of what rests."""
    _last_oid: int = 10_000_000

    def posted(self, message: Json, now_ms: int) -> list[bytes]:
        """Frames that answer a `post`."""
        reply, news = self.act(message["request"]["payload"]["action"], now_ms)
        data = {"id": message["id"], "response": {"type": "action", "payload": reply}}
        return [frame("post", data), *([frame("orderUpdates", news)] if news else [])]

    def act(self, action: Json, now_ms: int) -> tuple[Json, list[Json]]:
        """Carry an action out: the reply, and rows of `orderUpdates`."""
        kind = action["type"]
        self._count(kind)
        news: list[Json] = []
        match kind:
            case "order":
                statuses: Sequence[Any] = [self._rest(order, news, now_ms) for order in action["orders"]]
            case "batchModify":
                statuses = [self._modify(row["oid"], row["order"], news, now_ms) for row in action["modifies"]]
            case "cancelByCloid":
                statuses = [self._cancel(row["cloid"], news, now_ms) for row in action["cancels"]]
            case "cancel":
                statuses = [self._cancel(self.cloids.get(row["o"], ""), news, now_ms) for row in action["cancels"]]
            case _:
                return {"status": "ok", "response": {"type": "default"}}, []
        word = "cancel" if kind.startswith("cancel") else "order"
        return {"status": "ok", "response": {"type": word, "data": {"statuses": statuses}}}, news

    def _rest(self, order: Json, news: list[Json], now_ms: int) -> Json:
        self._count("orders")
        self._last_oid += 1
        oid, cloid, place = self._last_oid, order["c"], order["a"] - _ASSET_BASE
        coin = self.perp if place < 0 else outcome_coin(place // 10, Leg(place % 10))
        row = {
            "coin": coin, "side": _LETTERS[order["b"]], "limitPx": order["p"], "sz": order["s"], "oid": oid,
            "timestamp": now_ms, "origSz": order["s"], "cloid": cloid, "reduceOnly": order["r"],
            "orderType": "Limit", "tif": order["t"]["limit"]["tif"].capitalize(), "isTrigger": False,
            "triggerCondition": "N/A", "triggerPx": "0.0", "children": [], "isPositionTpsl": False,
        }  # fmt: skip
        self.orders[cloid], self.cloids[oid] = row, cloid
        news.append({"order": row, "status": "open", "statusTimestamp": now_ms})
        return {"resting": {"oid": oid, "cloid": cloid}}

    def _modify(self, oid: int, order: Json, news: list[Json], now_ms: int) -> Json:
        if self._cancel(self.cloids.get(oid, ""), news, now_ms) != _OK:
            return {"error": _MISSING}
        return self._rest(order, news, now_ms)

    def _cancel(self, cloid: str, news: list[Json], now_ms: int) -> Any:
        row = self.orders.pop(cloid, None)
        if row is None:
            return {"error": _MISSING}
        del self.cloids[row["oid"]]
        news.append({"order": row, "status": "canceled", "statusTimestamp": now_ms})
        return _OK

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1
