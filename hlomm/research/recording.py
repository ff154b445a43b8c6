"""Recorded HIP-4 market data as engine inputs.

A recording is a folder of parquet files with the columns described in its own documentation: snapshots of both coins
of an outcome, prints of both coins, best bid and offer and mark of the perp, and the parsed description. The two
coins are one book seen from two sides, so only YES is fed; the mirror is checked, not assumed. Everything is ordered by
the time it reached the recorder: that is what a strategy could have known.

What is mended is counted in `Recording.repairs`, and what cannot be relied on is refused: by the rules of
`hlomm.research.usable`, and a print is taken once by its id, and not if it was old when it came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import polars as pl

from hlomm.domain.faults import UnitError, UsageError
from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market, perp_market
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, Level, MarkPrice, TradePrint
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.ticker import outcome_ticker, perp_ticker, wall_ns_of
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse
from hlomm.research.usable import MAX_PRINT_AGE_NS, put_in_order, sensible, unsettled

_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
OUTCOME_TICK: Final = Px(SCALE // 100_000)
MIN_NOTIONAL: Final = Cash(10 * SCALE)


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One input with the times at which it happened and arrived."""

    received_ns: int
    exchange_ns: int
    item: Input


def count_books(events: Iterable[Event]) -> int:
    """Snapshots and touches."""
    return sum(isinstance(event.item, BookSnapshot | BboUpdate) for event in events)


@attrs.frozen(kw_only=True)
class Recording:
    outcome: Market
    perp: Market
    events: tuple[Event, ...]
    """Ordered by arrival."""
    marks: tuple[tuple[int, Px], ...]
    """(exchange or arrival time, mark) of the perp, in order."""
    books: int
    prints_raw: int
    prints_replayed: int
    mirrored: int
    """NO snapshots found to be the exact mirror of their YES snapshot."""
    settled: Px | None = None
    """What YES paid, where the recording says so; else the marks around expiry tell."""
    repairs: tuple[tuple[str, int], ...] = ()
    """What loading left out or mended, by kind, with counts."""

    @property
    def book_events(self) -> int:
        """Snapshots and touches, of the contract and its perp."""
        return count_books(self.events)


def load(folder: Path) -> Recording:
    """Read a recording; UsageError says what is missing."""
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: no such folder — `hlomm backtest` needs a recording of a HIP-4 market (parquet files: book, "
            "trade and meta of the outcome, bbo and mark of its perp)"
        )
    mended: Counter[str] = Counter()
    frames = _frames(folder, mended)
    outcome, coin = _outcome(frames, folder)
    perp = perp_of(outcome.underlying)
    yes_books = _need(frames, ("book_snapshot", f"#{coin}"), folder)
    prints = _need(frames, ("trade", f"#{coin}"), folder)
    bbos = _need(frames, ("bbo", outcome.underlying), folder)
    marks = _need(frames, ("mark", outcome.underlying), folder)
    no_books = frames.get(("book_snapshot", f"#{coin + 1}"))
    try:
        books = list(_books(yes_books, outcome.id, mended))
        print_events, replayed = _prints(prints, outcome.id)
        touches = list(_bbos(bbos, perp.id, mended))
        mark_events = list(_marks(marks, perp.id))
    except (pl.exceptions.PolarsError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{folder}: rows that make no sense ({error})") from None
    for what, rows, steady in (
        ("books", books, True), ("prints", print_events, False), ("touches of its perp", touches, True),
        ("marks of its perp", mark_events, False),
    ):  # fmt: skip
        if (reason := put_in_order(what, rows, mended, steady=steady)) is not None:
            raise UsageError(f"{folder}: {reason}: it cannot be backtested")
    if (reason := unsettled(outcome, max(mark.exchange_ns for mark in mark_events))) is not None:
        raise UsageError(f"{folder}: {reason}: it cannot be backtested")
    events: list[Event] = [*books, *print_events, *touches, *mark_events]
    events.sort(key=lambda event: event.received_ns)
    return Recording(
        outcome=outcome, perp=perp, events=tuple(events), marks=tuple((e.exchange_ns, e.item.px) for e in mark_events),
        books=len(books), prints_raw=len(prints), prints_replayed=replayed,
        mirrored=0 if no_books is None else _mirrored(yes_books, no_books),
        repairs=tuple(sorted((+mended).items())),
    )  # fmt: skip


def perp_of(coin: str) -> Market:
    return Market(
        id=perp_market(HYPERLIQUID, coin), venue=HYPERLIQUID, kind=MarketKind.PERP, ticker=perp_ticker(coin),
        underlying=coin, tick=Px(SCALE // 10), lot=Qty(SCALE // 100_000), min_notional=MIN_NOTIONAL,
        quote_token="USDC",  # noqa: S106 - a currency
    )  # fmt: skip


# -- files


def _frames(folder: Path, mended: Counter[str]) -> dict[tuple[str, str], pl.DataFrame]:
    """Frames by (event, symbol), whatever the files are called and however many there are of each."""
    frames: dict[tuple[str, str], pl.DataFrame] = {}
    for path in sorted(folder.glob("*.parquet")):
        try:
            frame = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise UsageError(f"{path}: not a readable parquet file ({error})") from None
        if frame.is_empty() or not {"event", "symbol", "local_recv_ts", "exchange_ts"} <= set(frame.columns):
            mended["files_passed_over"] += 1
            continue
        key = str(frame["event"][0]), str(frame["symbol"][0])
        if frame.n_unique(("event", "symbol")) > 1:
            raise UsageError(f"{path}: rows of more than one kind or symbol")
        if key in frames:
            if frames[key].schema != frame.schema:
                raise UsageError(f"{path}: its columns are not those of the other file with {key[0]} of {key[1]}")
            frame = pl.concat([frames[key], frame])
        frames[key] = frame
    return frames


def _need(frames: dict[tuple[str, str], pl.DataFrame], key: tuple[str, str], folder: Path) -> pl.DataFrame:
    frame = frames.get(key)
    if frame is None:
        raise UsageError(f"{folder}: no {key[0]} of {key[1]} among its parquet files")
    return frame


def _outcome(frames: dict[tuple[str, str], pl.DataFrame], folder: Path) -> tuple[Market, int]:
    """The outcome market and the coin number of its YES side."""
    metas = [(symbol, frame) for (event, symbol), frame in frames.items() if event == "market_meta"]
    if not metas:
        raise UsageError(f"{folder}: no market_meta among its parquet files, so strike and expiry are unknown")
    _, frame = metas[0]
    row = frame.row(-1, named=True)
    try:
        fields: dict[str, str] = dict(zip(row["keys"], row["values"], strict=True))
        return _market(fields)
    except (KeyError, ValueError, TypeError, UnitError) as error:
        raise UsageError(f"{folder}: its market_meta is not that of a binary ({error!r})") from None


def _market(fields: Mapping[str, str]) -> tuple[Market, int]:
    outcome = int(fields["outcome_idx"])
    day, _, minute = fields["expiry"].partition("-")
    expiry_ns = wall_ns_of(int(day[:4]), int(day[4:6]), int(day[6:8]), int(minute[:2]) * 60 + int(minute[2:]))
    strike = Px(parse(fields["targetPrice"]))
    market = Market(
        id=outcome_market(HYPERLIQUID, outcome), venue=HYPERLIQUID, kind=MarketKind.OUTCOME,
        ticker=outcome_ticker(fields["underlying"], strike, expiry_ns), underlying=fields["underlying"],
        tick=OUTCOME_TICK, lot=Qty(SCALE), min_notional=MIN_NOTIONAL, quote_token="USDC",  # noqa: S106 - a currency
        klass=fields["class"], strike=strike, expiry_ns=expiry_ns, period=fields["period"],
    )  # fmt: skip
    return market, 10 * outcome


# -- rows to inputs


def _scaled(value: float) -> int:
    """Recorded floats carry at most 5 decimals (sizes: whole contracts): the nearest unit is the exact one."""
    return round(value * SCALE)


def _levels(prices: list[float], sizes: list[float]) -> tuple[Level, ...]:
    return tuple((_scaled(px), _scaled(qty)) for px, qty in zip(prices, sizes, strict=True))


def _rows(frame: pl.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    return iter(frame.select("local_recv_ts", "exchange_ts", *columns).rows())


def _books(frame: pl.DataFrame, market: MarketId, mended: Counter[str]) -> Iterator[Event]:
    for received_ns, exchange_ns, bid_px, bid_sz, ask_px, ask_sz in _rows(
        frame, "bid_px", "bid_sz", "ask_px", "ask_sz"
    ):
        bids, asks = _levels(bid_px, bid_sz), _levels(ask_px, ask_sz)
        if bids and asks and bids[0][0] >= asks[0][0]:
            mended["crossed_books"] += 1
            continue
        item = sensible(BookSnapshot(market, bids, asks, exchange_ns // NS_PER_MS))
        yield Event(received_ns=received_ns, exchange_ns=exchange_ns, item=item)


def _prints(frame: pl.DataFrame, market: MarketId) -> tuple[list[Event], int]:
    """Prints once each; the second value counts replays that were dropped."""
    events: list[Event] = []
    seen: set[str] = set()
    for received_ns, exchange_ns, price, size, side, trade_id in _rows(frame, "price", "size", "side", "trade_id"):
        if trade_id in seen or received_ns - exchange_ns > MAX_PRINT_AGE_NS:
            continue
        seen.add(trade_id)
        aggressor = _SIDES[side]
        item = TradePrint(market, Px(_scaled(price)), Qty(_scaled(size)), aggressor, trade_id, exchange_ns // NS_PER_MS)
        sensible(item)
        events.append(Event(received_ns=received_ns, exchange_ns=exchange_ns, item=item))
    return events, len(frame) - len(events)


def _bbos(frame: pl.DataFrame, perp: MarketId, mended: Counter[str]) -> Iterator[Event]:
    for received_ns, exchange_ns, bid_px, bid_sz, ask_px, ask_sz in _rows(
        frame, "bid_px", "bid_sz", "ask_px", "ask_sz"
    ):
        bid = None if bid_px is None else (_scaled(bid_px), _scaled(bid_sz))
        ask = None if ask_px is None else (_scaled(ask_px), _scaled(ask_sz))
        if bid is not None and ask is not None and bid[0] >= ask[0]:
            mended["crossed_touches"] += 1
            continue
        item = sensible(BboUpdate(perp, bid, ask, exchange_ns // NS_PER_MS))
        yield Event(received_ns=received_ns, exchange_ns=exchange_ns, item=item)


class _MarkEvent(Event, frozen=True, kw_only=True, gc=False):
    item: MarkPrice


def _marks(frame: pl.DataFrame, perp: MarketId) -> Iterator[_MarkEvent]:
    for received_ns, exchange_ns, mark_px in _rows(frame, "mark_px"):
        item = sensible(MarkPrice(perp, Px(_scaled(mark_px)), exchange_ns // NS_PER_MS))
        yield _MarkEvent(received_ns=received_ns, exchange_ns=exchange_ns, item=item)


def _mirrored(yes: pl.DataFrame, no: pl.DataFrame) -> int:
    """How many NO snapshots mirror the YES snapshot of the same venue time."""
    by_time = {row[1]: row for row in _rows(no, "bid_px", "bid_sz", "ask_px", "ask_sz")}
    count = 0
    for _, exchange_ns, bid_px, bid_sz, ask_px, ask_sz in _rows(yes, "bid_px", "bid_sz", "ask_px", "ask_sz"):
        other = by_time.get(exchange_ns)
        if other is None:
            continue
        mirror_bids = tuple((SCALE - px, qty) for px, qty in _levels(other[4], other[5]))
        mirror_asks = tuple((SCALE - px, qty) for px, qty in _levels(other[2], other[3]))
        count += mirror_bids == _levels(bid_px, bid_sz) and mirror_asks == _levels(ask_px, ask_sz)
    return count
