"""The account: order rows and balances (venue sheet sections 2, 3, 7.9).

In streams rows are decoded one by one: a row that cannot be read costs itself, not its neighbours. Rows of coins this
program never trades (spot pairs) are skipped without being an anomaly.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, VenueOrderId
from hlomm.domain.inputs import RestingOrder, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import ONE, Cash, Px, Qty
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import (
    CoinText,
    DecimalText,
    Millis,
    VenueNumber,
    Word,
    cash_toward_zero,
    positive,
    qty,
    unsigned,
)
from hlomm.venues.hyperliquid.wire.coins import Coin, read_coin, read_token

SideLetter = Annotated[str, Meta(max_length=1)]
CloidText = Annotated[str, Meta(max_length=40)]


class OrderFields(Struct, frozen=True, rename="camel"):
    """The part of an order row that all three sources share: openOrders, orderStatus, orderUpdates."""

    coin: CoinText
    side: SideLetter
    limit_px: DecimalText
    sz: DecimalText
    oid: VenueNumber
    timestamp: Millis
    orig_sz: DecimalText | None = None
    cloid: CloidText | None = None
    is_trigger: bool = False
    """A stop or take-profit somebody placed by hand; only the list of open orders says so."""


class StatusRow(Struct, frozen=True, rename="camel"):
    order: OrderFields
    status: Word
    status_timestamp: Millis


class BalanceRow(Struct, frozen=True, rename="camel"):
    """`token` is left out by outcome rows and not needed for the others."""

    coin: CoinText
    total: DecimalText
    entry_ntl: DecimalText = "0"


class BalanceList(Struct, frozen=True):
    balances: Annotated[list[BalanceRow], Meta(max_length=5_000)]


class OrderReport(Struct, frozen=True, kw_only=True):
    """State of one order as the venue tells it. `px` in the leg's own coin."""

    market: MarketId
    leg: Leg
    side: Side
    px: Px
    leaves: Qty
    filled: Qty
    venue_order_id: VenueOrderId
    client_id: ClientId | None
    status: str
    venue_ms: int


class OrderRows(Struct, frozen=True):
    reports: tuple[OrderReport, ...]
    skipped: int


class Balances(Struct, frozen=True):
    """Spot balances: cash by token name, outcome tokens by market and leg (empty rows left out)."""

    user: str
    cash: dict[str, Cash]
    tokens: tuple[TokenBalance, ...]


_status_row: Final = msgspec.json.Decoder(StatusRow)
_order_fields: Final = msgspec.json.Decoder(OrderFields)


def read_side(letter: str, kind: str) -> Side:
    if letter == "B":
        return Side.BUY
    if letter == "A":
        return Side.SELL
    raise ProtocolViolation(kind, f"expected A or B, was {letter!r}")


def client_id_of(cloid: str | None) -> ClientId | None:
    """Client order ids are case-insensitive hex: ours are lower-case."""
    return None if cloid is None else ClientId(cloid.lower())


# -- orders


def order_reports(rows: list[msgspec.Raw]) -> tuple[OrderRows, tuple[Anomaly, ...]]:
    """Rows of `orderUpdates` and `historicalOrders`."""
    good: list[OrderReport] = []
    anomalies: list[Anomaly] = []
    skipped = 0
    for raw in rows:
        row, wrong = guarded("order.schema", _status_row.decode, raw)
        anomalies += wrong
        if row is None:
            continue
        if read_coin(row.order.coin) is None:
            skipped += 1
            continue
        report, wrong = guarded("order.schema", order_report, row)
        anomalies += wrong
        if report is not None:
            good.append(report)
    return OrderRows(tuple(good), skipped), tuple(anomalies)


def order_report(row: StatusRow) -> OrderReport:
    """One order with its status. ProtocolViolation `order.*` for figures that cannot be."""
    order = row.order
    coin = read_coin(order.coin)
    if coin is None:
        raise ProtocolViolation("order.coin", f"expected an outcome or perp coin, was {order.coin!r}")
    leaves = unsigned(order.sz, "order.size")
    original = leaves if order.orig_sz is None else unsigned(order.orig_sz, "order.size")
    if original < leaves:
        raise ProtocolViolation("order.size", f"{order.sz} remain of {order.orig_sz}")
    return OrderReport(
        market=coin.market,
        leg=coin.leg,
        side=read_side(order.side, "order.side"),
        px=_limit_px(coin, order),
        leaves=Qty(leaves),
        filled=Qty(original - leaves),
        venue_order_id=VenueOrderId(str(order.oid)),
        client_id=client_id_of(order.cloid),
        status=row.status,
        venue_ms=row.status_timestamp,
    )


def _limit_px(coin: Coin | None, order: OrderFields) -> Px:
    px = Px(positive(order.limit_px, "order.price"))
    if coin is not None and coin.outcome is not None and px >= ONE:
        raise ProtocolViolation("order.price", f"outcome order at {order.limit_px!r}")
    return px


def resting_orders(rows: list[msgspec.Raw]) -> tuple[RestingOrder, ...]:
    """Every open order of the account; ProtocolViolation or a decode error if a single one cannot be read.

    This list is what "no order rests" is concluded from, so it is complete or it is nothing. Spot pairs, which we
    never trade, keep their coin name as market id.
    """
    return tuple(_resting(_order_fields.decode(raw)) for raw in rows)


def _resting(order: OrderFields) -> RestingOrder:
    """A trigger on a whole position has no size until it fires, and one at market may have no price.

    It rests all the same, and must not keep the list from being read.
    """
    coin = read_coin(order.coin)
    trigger = order.is_trigger
    return RestingOrder(
        client_id=client_id_of(order.cloid),
        venue_order_id=VenueOrderId(str(order.oid)),
        market=MarketId(f"{HYPERLIQUID}:{order.coin}") if coin is None else coin.market,
        leg=Leg.YES if coin is None else coin.leg,
        side=read_side(order.side, "order.side"),
        px=Px(unsigned(order.limit_px, "order.price")) if trigger else _limit_px(coin, order),
        leaves=Qty(unsigned(order.sz, "order.size")) if trigger else qty(order.sz, "order.size"),
    )


# -- balances


def balances(data: BalanceList, user: str) -> Balances:
    """Spot balances; ProtocolViolation if a figure cannot be read, because a missing row would read as zero."""
    cash: dict[str, Cash] = {}
    tokens: list[TokenBalance] = []
    for row in data.balances:
        token = read_token(row.coin)
        if token is not None:
            total = unsigned(row.total, "balance.total")
            if total:
                cost = cash_toward_zero(row.entry_ntl, "balance.cost")
                tokens.append(TokenBalance(token.market, token.leg, Qty(total), cost))
        elif _is_settled_leftover(row.coin):
            continue
        else:
            cash[row.coin] = cash_toward_zero(row.total, "balance.total")
    return Balances(user.lower(), cash, tuple(sorted(tokens, key=lambda held: (held.market, held.leg))))


def _is_settled_leftover(coin: str) -> bool:
    """`o<outcome>`: what remains listed of a settled outcome; worth nothing."""
    return coin.startswith("o") and coin[1:].isascii() and coin[1:].isdigit()
