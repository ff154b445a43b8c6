"""Limits, state of the exchange and single books over REST (venue sheet sections 4, 5 and 9)."""

from __future__ import annotations

from typing import Annotated

import attrs
import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.units import Px, Qty
from hlomm.venues.anomalies import DECODE_ERRORS
from hlomm.venues.fields import DecimalText, Word, positive
from hlomm.venues.kalshi.wire.account import decode
from hlomm.venues.kalshi.wire.schemas import IdText, ShardNumber, TickerText, inner_price, price
from hlomm.venues.kalshi.wire.times import wall_ms


class _Book(Struct):
    yes_dollars: list[tuple[DecimalText, DecimalText]] | None = None
    no_dollars: list[tuple[DecimalText, DecimalText]] | None = None


class _BookBody(Struct):
    orderbook_fp: _Book


class _Bucket(Struct):
    refill_rate: Annotated[float, Meta(gt=0, le=1e7)]
    bucket_capacity: Annotated[float, Meta(gt=0, le=1e7)]


class _Limits(Struct):
    read: _Bucket
    write: _Bucket
    usage_tier: Word = ""


class _Cost(Struct):
    method: Word
    path: Annotated[str, Meta(max_length=200)]
    cost: Annotated[int, Meta(ge=0, le=10_000)]


class _Costs(Struct):
    default_cost: Annotated[int, Meta(ge=0, le=10_000)]
    endpoint_costs: list[_Cost] | None = None


class _ShardStatus(Struct):
    exchange_index: ShardNumber
    exchange_active: bool
    trading_active: bool


class _Status(Struct):
    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: Word | None = None
    exchange_index_statuses: list[_ShardStatus] | None = None


class _AsOf(Struct):
    as_of_time: Word


class _NettingRow(Struct):
    enabled: bool
    exchange_index: ShardNumber | None = None


class _Netting(Struct):
    enabled: bool | None = None
    netting_configs: list[_NettingRow] | None = None


@attrs.frozen
class Bucket:
    refill_per_s: float
    capacity: float


@attrs.frozen
class AccountLimits:
    tier: str
    read: Bucket
    write: Bucket


@attrs.frozen
class Costs:
    default: int
    special: dict[tuple[str, str], int]


@attrs.frozen(kw_only=True)
class ExchangeStatus:
    """State of one shard: gate on the shard, not only on the top of the document."""

    exchange: bool
    trading: bool
    resumes_ms: int | None


class _TradeRow(Struct):
    trade_id: IdText
    ticker: TickerText
    count_fp: DecimalText
    yes_price_dollars: DecimalText
    created_time: Word
    taker_outcome_side: Word = ""
    taker_book_side: Word = ""


class _Trades(Struct):
    trades: list[msgspec.Raw]


_trade_row = msgspec.json.Decoder(_TradeRow)


@attrs.frozen(kw_only=True)
class PublicTrade:
    """A trade in YES prices."""

    trade_id: str
    ticker: str
    px: Px
    qty: Qty
    taker_buys: bool
    venue_ms: int


def trades(body: bytes) -> tuple[list[PublicTrade], int]:
    """Trades in the order of the answer, and how many could not be read."""
    rows = decode("trades", body, _Trades).trades
    found: list[PublicTrade] = []
    for raw in rows:
        try:
            row = _trade_row.decode(raw)
            found.append(
                PublicTrade(
                    trade_id=row.trade_id, ticker=row.ticker, px=inner_price(row.yes_price_dollars, "trade.price"),
                    qty=Qty(positive(row.count_fp, "trade.count")),
                    taker_buys=row.taker_book_side == "bid" or row.taker_outcome_side == "yes",
                    venue_ms=wall_ms(row.created_time, "trade.time"),
                )
            )  # fmt: skip
        except (ProtocolViolation, *DECODE_ERRORS):
            continue
    return found, len(rows) - len(found)


def book(body: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Rows of the YES and of the NO side, each in its own price and in any order."""
    read = decode("orderbook", body, _BookBody).orderbook_fp
    return list(read.yes_dollars or []), list(read.no_dollars or [])


def limits(body: bytes) -> AccountLimits:
    read = decode("limits", body, _Limits)
    return AccountLimits(
        read.usage_tier,
        Bucket(read.read.refill_rate, read.read.bucket_capacity),
        Bucket(read.write.refill_rate, read.write.bucket_capacity),
    )


def costs(body: bytes) -> Costs:
    read = decode("costs", body, _Costs)
    return Costs(read.default_cost, {(row.method, row.path): row.cost for row in read.endpoint_costs or []})


def status(body: bytes, shard: int) -> ExchangeStatus:
    """What the exchange says of a shard; of one it does not list, what it says of all."""
    read = decode("status", body, _Status)
    mine = next((row for row in read.exchange_index_statuses or [] if row.exchange_index == shard), None)
    resumes = read.exchange_estimated_resume_time
    return ExchangeStatus(
        exchange=read.exchange_active and (mine is None or mine.exchange_active),
        trading=read.trading_active and (mine is None or mine.trading_active),
        resumes_ms=wall_ms(resumes, "status.resume") if resumes else None,
    )


def as_of_ms(body: bytes) -> int:
    return wall_ms(decode("as_of", body, _AsOf).as_of_time, "as_of.time")


def netting(body: bytes, shard: int) -> bool:
    """Whether opposite positions cancel out, of the whole account or by shard, as the answer has it."""
    read = decode("netting", body, _Netting)
    rows = [row for row in read.netting_configs or [] if row.exchange_index in (None, shard)]
    if read.enabled is None and not rows:
        raise ProtocolViolation("netting", "expected enabled, or a row of the shard")
    return read.enabled if read.enabled is not None else all(row.enabled for row in rows)


def settlement_px(text: str) -> Px:
    """What YES pays: 0 to 1."""
    return price(text, "settlement.value")
