"""The portfolio over REST: balances, positions, orders, fills, settlements (venue sheet section 7)."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import attrs
import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.units import Cash, Px, Qty
from hlomm.venues.anomalies import DECODE_ERRORS
from hlomm.venues.fields import DecimalText, Word, signed, unsigned
from hlomm.venues.kalshi.wire.schemas import IdText, ShardNumber, TickerText, inner_price
from hlomm.venues.kalshi.wire.sides import BookSide
from hlomm.venues.kalshi.wire.times import wall_ms

T = TypeVar("T")

RESTING: Final = "resting"
CANCELED: Final = "canceled"
EXECUTED: Final = "executed"


# -- rows as they come


class _ShardBalance(Struct):
    exchange_index: ShardNumber
    balance: DecimalText


class _Balance(Struct):
    balance_dollars: DecimalText
    balance_breakdown: list[_ShardBalance] | None = None


class _Position(Struct):
    ticker: TickerText
    position_fp: DecimalText
    market_exposure_dollars: DecimalText = "0"
    exchange_index: ShardNumber | None = None


class _Positions(Struct):
    market_positions: list[_Position] | None = None
    cursor: str | None = None


class _Order(Struct, kw_only=True):
    order_id: IdText
    ticker: TickerText
    book_side: BookSide
    status: Word
    yes_price_dollars: DecimalText
    fill_count_fp: DecimalText
    remaining_count_fp: DecimalText
    initial_count_fp: DecimalText
    client_order_id: Word | None = None
    exchange_index: ShardNumber | None = None
    order_group_id: IdText | None = None


class _Orders(Struct):
    orders: list[_Order] | None = None
    cursor: str | None = None


class _OneOrder(Struct):
    order: _Order


class _Fill(Struct, kw_only=True):
    trade_id: IdText
    order_id: IdText
    book_side: BookSide
    count_fp: DecimalText
    yes_price_dollars: DecimalText
    is_taker: bool
    fee_cost: DecimalText
    created_time: Word
    ticker: Annotated[str, Meta(max_length=80)] = ""
    market_ticker: Annotated[str, Meta(max_length=80)] = ""
    exchange_index: ShardNumber | None = None


class _Fills(Struct):
    fills: list[_Fill] | None = None
    cursor: str | None = None


class _Settlement(Struct, kw_only=True):
    ticker: TickerText
    market_result: Word
    yes_count_fp: DecimalText
    no_count_fp: DecimalText
    revenue: int
    settled_time: Word


class _Settlements(Struct):
    settlements: list[_Settlement] | None = None
    cursor: str | None = None


# -- values


@attrs.frozen(kw_only=True)
class Balance:
    total: Cash
    shards: dict[int, Cash]
    """Empty where the answer does not break it down."""


@attrs.frozen(kw_only=True)
class PositionRow:
    """`qty` is signed: above zero YES, below NO. `cost` is the venue's exposure."""

    ticker: str
    qty: int
    cost: Cash
    shard: int | None


@attrs.frozen(kw_only=True)
class OrderRow:
    order_id: str
    client_id: str | None
    ticker: str
    shard: int | None
    side: BookSide
    px: Px
    status: str
    filled: Qty
    leaves: Qty
    initial: Qty
    group: str | None = None


@attrs.frozen(kw_only=True)
class FillRow:
    trade_id: str
    order_id: str
    ticker: str
    side: BookSide
    px: Px
    qty: Qty
    fee: Cash
    maker: bool
    venue_ms: int
    client_id: str | None = None
    position_after: int | None = None
    """Signed, where the message says it."""

    @property
    def key(self) -> str:
        """One order's part in one trade."""
        return f"{self.trade_id}:{self.order_id}"


@attrs.frozen(kw_only=True)
class SettlementRow:
    ticker: str
    result: str
    yes: Qty
    no: Qty
    revenue: Cash
    venue_ms: int


def decode(kind: str, body: bytes, form: type[T]) -> T:
    """A document of that form; ProtocolViolation(`kind`) for anything else."""
    try:
        return msgspec.json.decode(body, type=form)
    except DECODE_ERRORS as error:
        raise ProtocolViolation(kind, str(error)) from None


def balance(body: bytes) -> Balance:
    read = decode("balance", body, _Balance)
    shards = {row.exchange_index: Cash(signed(row.balance, "balance.shard")) for row in read.balance_breakdown or []}
    return Balance(total=Cash(signed(read.balance_dollars, "balance.total")), shards=shards)


def positions(body: bytes) -> tuple[list[PositionRow], str]:
    """One page and the cursor of the next, empty at the end."""
    read = decode("positions", body, _Positions)
    rows = [
        PositionRow(
            ticker=row.ticker,
            qty=signed(row.position_fp, "position.count"),
            cost=Cash(unsigned(row.market_exposure_dollars, "position.cost")),
            shard=row.exchange_index,
        )
        for row in read.market_positions or []
    ]
    return rows, read.cursor or ""


def orders(body: bytes) -> tuple[list[OrderRow], str]:
    read = decode("orders", body, _Orders)
    return [_order(row) for row in read.orders or []], read.cursor or ""


def one_order(body: bytes) -> OrderRow:
    return _order(decode("order", body, _OneOrder).order)


def _order(row: _Order) -> OrderRow:
    return OrderRow(
        order_id=row.order_id,
        client_id=row.client_order_id or None,
        ticker=row.ticker,
        shard=row.exchange_index,
        side=row.book_side,
        px=inner_price(row.yes_price_dollars, "order.price"),
        status=row.status,
        filled=Qty(unsigned(row.fill_count_fp, "order.count")),
        leaves=Qty(unsigned(row.remaining_count_fp, "order.count")),
        initial=Qty(unsigned(row.initial_count_fp, "order.count")),
        group=row.order_group_id,
    )


def fills(body: bytes) -> tuple[list[FillRow], str]:
    read = decode("fills", body, _Fills)
    rows = [
        FillRow(
            trade_id=row.trade_id,
            order_id=row.order_id,
            ticker=row.market_ticker or row.ticker,
            side=row.book_side,
            px=inner_price(row.yes_price_dollars, "fill.price"),
            qty=Qty(unsigned(row.count_fp, "fill.count")),
            fee=Cash(signed(row.fee_cost, "fill.fee")),
            maker=not row.is_taker,
            venue_ms=wall_ms(row.created_time, "fill.time"),
        )
        for row in read.fills or []
    ]
    return rows, read.cursor or ""


def settlements(body: bytes) -> tuple[list[SettlementRow], str]:
    read = decode("settlements", body, _Settlements)
    rows = [
        SettlementRow(
            ticker=row.ticker,
            result=row.market_result,
            yes=Qty(unsigned(row.yes_count_fp, "settlement.count")),
            no=Qty(unsigned(row.no_count_fp, "settlement.count")),
            revenue=Cash(row.revenue * 1_000_000),  # cents, one of the figures that stayed integers
            venue_ms=wall_ms(row.settled_time, "settlement.time"),
        )
        for row in read.settlements or []
    ]
    return rows, read.cursor or ""
