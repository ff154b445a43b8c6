"""Websocket frames to values (venue sheet section 10). One public entry, `decode_frame`, which never raises.

Whatever can be read of a frame's `sid` and `seq` is told even if the rest cannot: every numbered frame counts, whether
we understand it or not, and one that was not understood may have been a change of a book.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from hlomm.venues.anomalies import DECODE_ERRORS, Anomaly, anomaly
from hlomm.venues.fields import DecimalText, Millis, Text, Word
from hlomm.venues.kalshi.wire.documents import Ranges
from hlomm.venues.kalshi.wire.schemas import IdText, Seconds, Seq, ShardNumber, TickerText

LevelRow = tuple[DecimalText, DecimalText]
Side = Annotated[list[LevelRow], Meta(max_length=20_000)]


class _Frame(Struct, frozen=True, tag_field="type", kw_only=True):
    """`sid` and `seq` 0 where the frame has none."""

    sid: Seq = 0
    seq: Seq = 0
    id: Seq = 0


class SnapshotMsg(Struct, frozen=True):
    market_ticker: TickerText
    yes_dollars_fp: Side = []
    no_dollars_fp: Side = []


class DeltaMsg(Struct, frozen=True, kw_only=True):
    market_ticker: TickerText
    price_dollars: DecimalText
    delta_fp: DecimalText
    side: Word
    ts_ms: Millis = 0
    client_order_id: Word = ""


class Snapshot(_Frame, frozen=True, tag="orderbook_snapshot"):
    msg: SnapshotMsg


class Delta(_Frame, frozen=True, tag="orderbook_delta"):
    msg: DeltaMsg


class TradeMsg(Struct, frozen=True, kw_only=True):
    trade_id: IdText
    market_ticker: TickerText
    yes_price_dollars: DecimalText
    count_fp: DecimalText
    taker_outcome_side: Word = ""
    taker_book_side: Word = ""
    is_block_trade: bool = False
    ts_ms: Millis = 0


class Trade(_Frame, frozen=True, tag="trade"):
    msg: TradeMsg


class TickerMsg(Struct, frozen=True, kw_only=True):
    market_ticker: TickerText
    yes_bid_dollars: DecimalText = ""
    yes_ask_dollars: DecimalText = ""
    ts_ms: Millis = 0


class Ticker(_Frame, frozen=True, tag="ticker"):
    msg: TickerMsg


class FillMsg(Struct, frozen=True, kw_only=True):
    trade_id: IdText
    order_id: IdText
    market_ticker: TickerText
    yes_price_dollars: DecimalText
    count_fp: DecimalText
    fee_cost: DecimalText
    book_side: Word
    is_taker: bool
    client_order_id: Word = ""
    post_position_fp: DecimalText | None = None
    exchange_index: ShardNumber = 0
    subaccount: int | None = None
    ts_ms: Millis
    """Without it nobody could tell a fill of ours from history."""


class FillFrame(_Frame, frozen=True, tag="fill"):
    msg: FillMsg


class UserOrderMsg(Struct, frozen=True, kw_only=True):
    order_id: IdText
    ticker: TickerText
    status: Word
    book_side: Word
    yes_price_dollars: DecimalText
    fill_count_fp: DecimalText
    remaining_count_fp: DecimalText
    initial_count_fp: DecimalText
    client_order_id: Word = ""
    exchange_index: ShardNumber = 0
    last_update_reason: Word = ""
    created_ts_ms: Millis = 0
    last_updated_ts_ms: Millis | None = None
    expiration_ts_ms: Millis | None = None
    subaccount_number: int | None = None


class UserOrder(_Frame, frozen=True, tag="user_order"):
    msg: UserOrderMsg


class PositionMsg(Struct, frozen=True, kw_only=True):
    market_ticker: TickerText
    position_fp: DecimalText
    subaccount: int | None = None


class Position(_Frame, frozen=True, tag="market_position"):
    msg: PositionMsg


class LifecycleMsg(Struct, frozen=True, kw_only=True):
    market_ticker: TickerText
    event_type: Word
    exchange_index: ShardNumber | None = None
    open_ts: Seconds | None = None
    close_ts: Seconds | None = None
    result: Word | None = None
    settlement_value: DecimalText | None = None
    determination_ts: Seconds | None = None
    settled_ts: Seconds | None = None
    floor_strike: Decimal | None = None
    cap_strike: Decimal | None = None
    strike_type: Word | None = None
    yes_sub_title: Text | None = None
    price_ranges: Ranges | None = None


class Lifecycle(_Frame, frozen=True, tag="market_lifecycle_v2"):
    msg: LifecycleMsg


class EventLifecycle(_Frame, frozen=True, tag="event_lifecycle"):
    msg: Any = None


class EventFeeMsg(Struct, frozen=True, kw_only=True):
    event_ticker: TickerText
    fee_type_override: Word | None = None
    fee_multiplier_override: Decimal | None = None


class EventFee(_Frame, frozen=True, tag="event_fee_update"):
    msg: EventFeeMsg


class GroupMsg(Struct, frozen=True, kw_only=True):
    event_type: Word
    order_group_id: IdText


class Group(_Frame, frozen=True, tag="order_group_updates"):
    msg: GroupMsg


class AverageRow(Struct, frozen=True, kw_only=True):
    value: DecimalText
    window_size: Annotated[int, Meta(ge=0, le=10_000)]
    window_start_ts_ms: Millis
    window_end_ts_exclusive: Millis


class IndexMsg(Struct, frozen=True, kw_only=True):
    index_id: Word
    received_at: Millis
    data: Text
    avg_60s_data: AverageRow | None = None
    last_60s_windowed_average_15min: AverageRow | None = None


class IndexValue(_Frame, frozen=True, tag="cfbenchmarks_value"):
    msg: IndexMsg


class IndexTickMsg(Struct, frozen=True, kw_only=True):
    index_id: Word
    value_usd: DecimalText
    source_ts_ms: Millis
    received_at: Millis


class IndexTick(_Frame, frozen=True, tag="cfbenchmarks_value_5hz"):
    msg: IndexTickMsg


class SubscribedMsg(Struct, frozen=True):
    channel: Word
    sid: Seq


class Subscribed(_Frame, frozen=True, tag="subscribed"):
    msg: SubscribedMsg


class Unsubscribed(_Frame, frozen=True, tag="unsubscribed"):
    msg: Any = None


class Ok(_Frame, frozen=True, tag="ok"):
    msg: Any = None


class ErrorMsg(Struct, frozen=True, kw_only=True):
    code: int
    msg: Text = ""
    market_ticker: Word = ""


class Error(_Frame, frozen=True, tag="error"):
    msg: ErrorMsg

    @property
    def terminal(self) -> bool:
        """Whether the subscription is dead: it has to be asked for again."""
        return self.msg.code in TERMINAL_CODES


class Unreadable(Struct, frozen=True, kw_only=True):
    """A frame of which only the number could be read, if that."""

    sid: int = 0
    seq: int = 0
    type: str = ""


class _Head(Struct, kw_only=True):
    type: Word = ""
    sid: Seq = 0
    seq: Seq = 0


Frame = (
    Snapshot
    | Delta
    | Trade
    | Ticker
    | FillFrame
    | UserOrder
    | Position
    | Lifecycle
    | EventLifecycle
    | EventFee
    | Group
    | IndexValue
    | IndexTick
    | Subscribed
    | Unsubscribed
    | Ok
    | Error
)

TERMINAL_CODES: Final = frozenset({10, 17, 25})
UNKNOWN_SID: Final = 7
"""The venue has no such subscription: nothing comes over it, whatever we believe."""
FRAME_CHARS_MAX: Final = 4 * 2**20

_decoder: Final = msgspec.json.Decoder(Frame)
_heads: Final = msgspec.json.Decoder(_Head)


def decode_frame(message: str | bytes) -> tuple[Frame | Unreadable, Anomaly | None]:
    """The frame, or what could be read of it together with what was wrong."""
    if len(message) > FRAME_CHARS_MAX:
        return Unreadable(), anomaly("frame.too_long", len(message))
    try:
        return _decoder.decode(message), None
    except DECODE_ERRORS as error:
        problem = str(error)
    try:
        head = _heads.decode(message)
    except DECODE_ERRORS as error:
        return Unreadable(), anomaly("frame.not_json", error)
    known = head.type in _TYPES
    return (
        Unreadable(sid=head.sid, seq=head.seq, type=head.type),
        anomaly(f"frame.{head.type}" if known else "frame.unknown_type", problem),
    )


_TYPES: Final = frozenset(
    {
        "orderbook_snapshot", "orderbook_delta", "trade", "ticker", "fill", "user_order", "market_position",
        "market_lifecycle_v2", "event_lifecycle", "event_fee_update", "order_group_updates", "cfbenchmarks_value",
        "cfbenchmarks_value_5hz", "subscribed", "unsubscribed", "ok", "error",
    }
)  # fmt: skip
