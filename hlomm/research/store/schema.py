"""Schema of recorded market data, version 1. What is written here is what every reader relies on.

A store is a folder:

    events/venue=V/market=M/day=YYYY-MM-DD/<part>.parquet    what was understood, one row per input
    frames/venue=V/market=M/day=YYYY-MM-DD/<part>.parquet    what came, byte for byte
    candles/venue=V/market=M/day=YYYY-MM-DD/<part>.parquet   what others made of it; the day is that of the first
    spool/<part>.spool                                       the open hour, see `spool`

`<part>` is `<run>-<number>`: the boot of the recorder in unix milliseconds and its spools counted from 1 (imports: the
first second, with three digits of their own, and 1). The file's own metadata has `hlomm.schema`, `hlomm.table` and, but
in files of before it was introduced, `hlomm.sum` (see `sums`). M is the market id without its venue, percent-encoded,
and `_` for what is about no single market. The day is that of the receive time, in UTC.

Both tables
- `run`, `seq`: (run, seq) orders all rows of a recorder, and is the order in which they came. Frames and events share
  the count.
- `recv_ns`: receive time, wall clock, unix ns; against a simulator the venue's clock as its document maps it.
- `mono_ns`: the monotonic clock at the same moment; null in imports.
- `source`: `live`, `sim`, or `import:<kind>`. `venue`, `market`: as in `hlomm.domain.ids`.

Events
- `kind`: `book`, `bbo`, `trade`, `mark` (typed columns); state of markets and session (`listed`, `changed`, `settled`,
  `delisted`, `up`, `down`, `skew`), the whole input as JSON in `detail`; and rows of the recorder's own: `start`,
  `stop`, `gap` (what came from `detail.from_ns` to `recv_ns` is missing, `detail.reason`).
- `exchange_ns`: the venue's stamp, null where it gave none, or one of after 2099.
- `bid_px`, `bid_qty`, `ask_px`, `ask_qty`: levels, best first, in YES space; integers of 1e-8, as every price and
  quantity here. An empty list is an empty side. A `bbo` has at most one level a side; its size is 0 where the source
  did not tell it.
- `px`, `qty`, `aggressor` (1: the taker gained from YES, -1), `trade_id`: of a trade; `px` also of a mark.
- `rest`: the book was asked for, not pushed.
- `frame`: `seq` of the frame it was read from; null where it came of no single one.

Candles
- `length_s`, `open_ns`: length and beginning. `open`, `high`, `low`, `close` in 1e-8; `volume` as the source has it.
- `run` of candles that were asked for: the first of their file in unix milliseconds.

Frames
- `connection`: counts the connections of a venue from 1; 0 for requests. `channel`: path of the socket, or method and
  path of the request. `request`: body of the request, null for pushes. `data`: the message or the answer's body.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec
import polars as pl

from hlomm.domain.faults import DataDefect
from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    BookSource,
    ClockSkew,
    Input,
    Level,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    SessionDown,
    SessionUp,
    TradePrint,
)
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import Px, Qty
from hlomm.research.usable import END_NS

SCHEMA: Final = 1
EVENTS: Final = "events"
FRAMES: Final = "frames"
TABLES: Final = (EVENTS, FRAMES)
"""What a recorder writes."""
CANDLES: Final = "candles"
ALL_TABLES: Final = (*TABLES, CANDLES)
NO_MARKET: Final = "_"

START: Final = "start"
STOP: Final = "stop"
GAP: Final = "gap"
OWN_KINDS: Final = (START, STOP, GAP)

_LEVELS: Final = pl.List(pl.Int64)
_COMMON: Final[dict[str, pl.DataType]] = {
    "run": pl.Int64(), "seq": pl.Int64(), "recv_ns": pl.Int64(), "mono_ns": pl.Int64(), "source": pl.String(),
    "venue": pl.String(), "market": pl.String(),
}  # fmt: skip
COLUMNS: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    EVENTS: _COMMON | {
        "kind": pl.String(), "exchange_ns": pl.Int64(), "bid_px": _LEVELS, "bid_qty": _LEVELS, "ask_px": _LEVELS,
        "ask_qty": _LEVELS, "px": pl.Int64(), "qty": pl.Int64(), "aggressor": pl.Int8(), "trade_id": pl.String(),
        "rest": pl.Boolean(), "detail": pl.String(), "frame": pl.Int64(),
    },
    FRAMES: _COMMON | {
        "connection": pl.Int64(), "channel": pl.String(), "request": pl.Binary(), "data": pl.Binary(),
    },
    CANDLES: {
        "run": pl.Int64(), "seq": pl.Int64(), "source": pl.String(), "venue": pl.String(), "market": pl.String(),
        "length_s": pl.Int64(), "open_ns": pl.Int64(), "open": pl.Int64(), "high": pl.Int64(), "low": pl.Int64(),
        "close": pl.Int64(), "volume": pl.Float64(),
    },
}  # fmt: skip

_STATES: Final[dict[str, type[Any]]] = {
    "listed": MarketListed, "changed": MarketChanged, "settled": MarketSettled, "delisted": MarketDelisted,
    "up": SessionUp, "down": SessionDown, "skew": ClockSkew,
}  # fmt: skip
_KIND_OF: Final = {kind: name for name, kind in _STATES.items()}
MARKET_KINDS: Final = ("book", "bbo", "trade", "mark")

Row = dict[str, Any]


class SchemaError(DataDefect):
    """A row or a file that is not of this schema."""


def recorded(item: Input) -> bool:
    """Whether an input is public, and so has a place in a recording."""
    return type(item) in _KIND_OF or isinstance(item, BookSnapshot | BboUpdate | TradePrint | MarkPrice)


def market_of(item: Input) -> str:
    """The market an input is about, empty for news of a session."""
    if isinstance(item, MarketListed | MarketChanged):
        return item.market.id
    return str(getattr(item, "market", ""))


def event_columns(item: Input) -> Row:
    """The columns that say what an input says; the others stay null. SchemaError for one that is not recorded."""
    match item:
        case BookSnapshot():
            return {
                "kind": "book", "exchange_ns": _stamp(item.venue_ms), **_side("bid", item.bids),
                **_side("ask", item.asks), "rest": item.source is BookSource.REST,
            }  # fmt: skip
        case BboUpdate():
            return {
                "kind": "bbo", "exchange_ns": _stamp(item.venue_ms),
                **_side("bid", () if item.bid is None else (item.bid,)),
                **_side("ask", () if item.ask is None else (item.ask,)),
            }  # fmt: skip
        case TradePrint():
            return {
                "kind": "trade", "exchange_ns": _stamp(item.venue_ms), "px": int(item.px), "qty": int(item.qty),
                "aggressor": int(item.aggressor), "trade_id": item.trade_id,
            }  # fmt: skip
        case MarkPrice():
            return {"kind": "mark", "exchange_ns": _stamp(item.venue_ms), "px": int(item.px)}
        case _ if type(item) in _KIND_OF:
            return {"kind": _KIND_OF[type(item)], "detail": msgspec.json.encode(item).decode()}
    raise SchemaError(f"{type(item).__name__} is not recorded")


def input_of(row: Mapping[str, Any]) -> Input | None:
    """The input of an event row, None for the recorder's own rows. SchemaError for a row that makes no sense."""
    kind = row["kind"]
    try:
        if kind in OWN_KINDS:
            return None
        if kind in _STATES:
            item: Input = msgspec.json.decode(row["detail"] or "", type=_STATES[kind])
            return item
        return _market_news(kind, MarketId(row["market"]), row)
    except (TypeError, ValueError, IndexError, msgspec.MsgspecError) as error:
        raise SchemaError(f"row {row.get('run')}-{row.get('seq')} of kind {kind!r}: {error}") from None


def _market_news(kind: str, market: MarketId, row: Mapping[str, Any]) -> Input:
    stamp = row["exchange_ns"]
    venue_ms = 0 if stamp is None else int(stamp) // NS_PER_MS
    match kind:
        case "book":
            source = BookSource.REST if row["rest"] else BookSource.STREAM
            return BookSnapshot(market, _levels(row, "bid"), _levels(row, "ask"), venue_ms, source)
        case "bbo":
            bids, asks = _levels(row, "bid"), _levels(row, "ask")
            return BboUpdate(market, bids[0] if bids else None, asks[0] if asks else None, venue_ms)
        case "trade":
            aggressor = Side(row["aggressor"])
            return TradePrint(market, Px(row["px"]), Qty(row["qty"]), aggressor, row["trade_id"] or "", venue_ms)
        case "mark":
            return MarkPrice(market, Px(int(row["px"])), venue_ms)
        case _:
            raise ValueError("no such kind")


def _stamp(venue_ms: int) -> int | None:
    """None for a stamp that cannot be meant: one that a column cannot hold would keep all the others out of it."""
    return venue_ms * NS_PER_MS if venue_ms and venue_ms * NS_PER_MS < END_NS else None


def _side(name: str, levels: tuple[Level, ...]) -> Row:
    return {f"{name}_px": [px for px, _ in levels], f"{name}_qty": [qty for _, qty in levels]}


def _levels(row: Mapping[str, Any], name: str) -> tuple[Level, ...]:
    return tuple(zip(row[f"{name}_px"], row[f"{name}_qty"], strict=True))


def folder_of(table: str, venue: str, market: str, day: str) -> str:
    """Where rows lie, relative to the store."""
    name = quote(market.partition(":")[2] or market or NO_MARKET, safe="")
    return f"{table}/venue={quote(venue, safe='')}/market={name}/day={day}"


def market_in(folder_name: str, venue: str) -> str:
    """The market id of a `market=` folder."""
    name = unquote(folder_name.removeprefix("market="))
    return "" if name == NO_MARKET else f"{venue}:{name}"


def venue_in(market: str) -> str:
    return str(venue_of(MarketId(market))) if market else ""
