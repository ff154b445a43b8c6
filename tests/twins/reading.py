"""The slow twin of everything that is read: `json`, then Decimal for every figure, then the values of the domain."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Any, Final

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Level, MarkPrice, TokenBalance, TradePrint
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, Qty
from hlomm.venues.hyperliquid.wire.account import Balances, OrderReport, OrderRows
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.frames import PostAnswer
from hlomm.venues.hyperliquid.wire.public import Marks, Prints
from hlomm.venues.hyperliquid.wire.replies import Accepted, ActionRefused, Done, Filled, Refused, Rested, Status

_EIGHT: Final = Decimal("0.00000001")


def value_of(text: str) -> Any:
    """What a frame of market or account says."""
    frame = json.loads(text)
    return _READERS[frame["channel"]](frame["data"])


def units(text: str, rounding: str | None = None) -> int:
    """Exact in 1e-8, unless it says how to round."""
    value = Decimal(text)
    if rounding is not None:
        value = value.quantize(_EIGHT, rounding)
    scaled = value.scaleb(8)
    assert scaled == scaled.to_integral_value(), text
    return int(scaled)


def _where(coin: str) -> tuple[MarketId, Leg]:
    if coin[0] not in "#+":
        return MarketId(f"{HYPERLIQUID}:{coin}"), Leg.YES
    return MarketId(f"{HYPERLIQUID}:o{coin[1:-1] or 0}"), Leg(int(coin[-1]))


def _levels(rows: list[Any], leg: Leg) -> tuple[Level, ...]:
    return tuple((units(row["px"]) if leg is Leg.YES else _other(row["px"]), units(row["sz"])) for row in rows)


def _other(px: str) -> int:
    return units(str(1 - Decimal(px)))


def _book(data: Any) -> BookSnapshot:
    market, leg = _where(data["coin"])
    bids, asks = data["levels"] if leg is Leg.YES else reversed(data["levels"])
    return BookSnapshot(market, _levels(bids, leg), _levels(asks, leg), data["time"])


def _bbo(data: Any) -> BboUpdate:
    market, leg = _where(data["coin"])
    bid, ask = data["bbo"] if leg is Leg.YES else reversed(data["bbo"])
    touch = [None if row is None else _levels([row], leg)[0] for row in (bid, ask)]
    return BboUpdate(market, touch[0], touch[1], data["time"])


def _trades(data: Any) -> Prints:
    trades = []
    for row in data:
        market, leg = _where(row["coin"])
        if leg is Leg.YES:
            side = Side.BUY if row["side"] == "B" else Side.SELL
            trades.append(
                TradePrint(market, Px(units(row["px"])), Qty(units(row["sz"])), side, str(row["tid"]), row["time"])
            )
    return Prints(tuple(trades), len(data) - len(trades))


def _context(data: Any) -> Marks:
    mark = data["ctx"].get("markPx")
    return Marks(() if mark is None else (MarkPrice(_where(data["coin"])[0], Px(units(mark)), 0),))


def _contexts(data: str) -> Marks:
    marks: list[MarkPrice] = []
    for coin, context in json.loads(zlib.decompress(base64.b64decode(data), wbits=-15)).items():
        marks += _context({"coin": coin, "ctx": context}).marks
    return Marks(tuple(marks))


def _orders(data: Any) -> OrderRows:
    return OrderRows(tuple(_order(row["order"], row) for row in data), 0)


def _order(order: Any, row: Any) -> OrderReport:
    market, leg = _where(order["coin"])
    whole = Decimal(order["origSz"])
    return OrderReport(
        market=market, leg=leg, side=_side(order), px=Px(units(order["limitPx"])), leaves=Qty(units(order["sz"])),
        filled=Qty(units(str(whole - Decimal(order["sz"])))), venue_order_id=VenueOrderId(str(order["oid"])),
        client_id=_client_id(order), status=row["status"], venue_ms=row["statusTimestamp"],
    )  # fmt: skip


def _side(row: Any) -> Side:
    return Side.BUY if row["side"] == "B" else Side.SELL


def _client_id(row: Any) -> ClientId | None:
    return None if row.get("cloid") is None else ClientId(row["cloid"].lower())


def _fills(data: Any) -> FillRows:
    return FillRows(data["user"].lower(), data["isSnapshot"], tuple(_fill(row) for row in data["fills"]), 0)


def _fill(row: Any) -> Fill:
    market, leg = _where(row["coin"])
    fee = Decimal(row["fee"])
    if row["feeToken"].startswith("+"):
        fee = (fee * Decimal(row["px"])).quantize(_EIGHT, ROUND_CEILING)
    known = f"o{row['oid']}:{row['px']}:{row['sz']}:{row['startPosition']}" if row["tid"] == 0 else row["tid"]
    kinds = {kind.value: kind for kind in FillKind}
    return Fill(
        key=f"{row['coin']}:{row['time']}:{known}", market=market, leg=leg, side=_side(row),
        px=Px(units(row["px"])), qty=Qty(units(row["sz"])), fee=Cash(units(str(fee))),
        kind=kinds.get(row["dir"].lower().replace(" ", "_").removesuffix("_outcome"), FillKind.TRADE),
        maker=not row["crossed"], client_id=_client_id(row), venue_order_id=VenueOrderId(str(row["oid"])),
        venue_ms=row["time"],
    )  # fmt: skip


def _balances(data: Any) -> Balances:
    cash, tokens = {}, []
    for row in data["spotState"]["balances"]:
        if row["coin"].startswith("+"):
            market, leg = _where(row["coin"])
            cost = Cash(units(row["entryNtl"], ROUND_DOWN))
            if Decimal(row["total"]):
                tokens.append(TokenBalance(market, leg, Qty(units(row["total"])), cost))
        else:
            cash[row["coin"]] = Cash(units(row["total"], ROUND_DOWN))
    return Balances(data["user"].lower(), cash, tuple(sorted(tokens, key=lambda one: (one.market, one.leg))))


def _post(data: Any) -> PostAnswer:
    payload = data["response"]["payload"]
    if data["response"]["type"] == "error":
        return PostAnswer(data["id"], None, payload)
    if payload["status"] == "err":
        return PostAnswer(data["id"], ActionRefused(payload["response"]), None)
    body = payload["response"]
    return PostAnswer(data["id"], Accepted(body["type"], tuple(map(_status, body["data"]["statuses"]))), None)


def _status(status: Any) -> Status:
    if status == "success":
        return Done()
    ((word, told),) = status.items()
    if word == "error":
        return Refused(told)
    oid = VenueOrderId(str(told["oid"]))
    return Rested(oid, _client_id(told)) if word == "resting" else Filled(
        oid, _client_id(told), Qty(units(told["totalSz"]))
    )  # fmt: skip


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "l2Book": _book, "bbo": _bbo, "trades": _trades, "activeAssetCtx": _context, "fastAssetCtxs": _contexts,
    "orderUpdates": _orders, "userFills": _fills, "spotState": _balances, "post": _post,
}  # fmt: skip
