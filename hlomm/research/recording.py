"""Recorded HIP-4 market data as engine inputs.

A recording is a folder of parquet files, or of folders of them, with the columns described in its own documentation:
snapshots of both coins of an outcome, prints of both coins, best bid and offer and mark of the perp, and the parsed
description. The two coins are one book seen from two sides, so only YES is fed; the mirror is checked, not assumed.
Everything is ordered by the time it reached the recorder: that is what a strategy could have known.

Of several outcomes each is a recording of its own, with its perp's rows from a minute before its own to a minute after.

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
from hlomm.research.recorded_files import Frames, read_frames
from hlomm.research.usable import AROUND_NS, MAX_PRINT_AGE_NS, MOST, put_in_order, sensible, unsettled

_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL, "b": Side.BUY, "a": Side.SELL}
"""Of the taker, in words or as the venue writes them."""
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
    """Read the recording of one outcome; UsageError says what is missing, or that there are several."""
    found, unfit = load_all(folder)
    if len(found) + len(unfit) > 1:
        raise UsageError(
            f"{folder}: {len(found) + len(unfit)} outcomes, and one is wanted — `hlomm backtest` runs each of them, "
            "and `hlomm import hip4` makes a store of them"
        )
    if unfit:
        raise UsageError(unfit[0][1])
    return found[0]


def load_all(folder: Path) -> tuple[list[Recording], list[tuple[str, str]]]:
    """Every outcome among the files; ticker and reason of those that cannot be used. UsageError without any."""
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: no such folder — `hlomm backtest` needs a recording of a HIP-4 market (parquet files: book, "
            "trade and meta of the outcome, bbo and mark of its perp)"
        )
    mended: Counter[str] = Counter()
    frames = read_frames(folder, mended)
    outcomes, unfit = _outcomes(frames, folder)
    found: list[Recording] = []
    for coin, outcome in outcomes.items():
        try:
            found.append(
                _recording(folder, frames, outcome, coin, Counter(mended), whole=len(outcomes) + len(unfit) == 1)
            )
        except UsageError as error:
            unfit.append((outcome.ticker, str(error)))
    return found, unfit


def _recording(
    folder: Path, frames: Frames, outcome: Market, coin: int, mended: Counter[str], *, whole: bool
) -> Recording:
    perp = perp_of(outcome.underlying)
    yes_books = _need(frames, ("book_snapshot", f"#{coin}"), folder)
    prints = _need(frames, ("trade", f"#{coin}"), folder)
    bbos = _need(frames, ("bbo", outcome.underlying), folder)
    marks = _need(frames, ("mark", outcome.underlying), folder)
    no_books = frames.get(("book_snapshot", f"#{coin + 1}"))
    if not whole:
        bbos, marks = (_around(rows, yes_books) for rows in (bbos, marks))
    try:
        books = list(_books(yes_books, outcome.id, mended))
        print_events, replayed = _prints(prints, outcome.id)
        touches = list(_bbos(bbos, perp.id, mended))
        mark_events = list(_marks(marks, perp.id))
    except (pl.exceptions.PolarsError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{folder}: rows that make no sense ({error})") from None
    for what, rows, steady in (
        ("books", books, True), ("prints", print_events, False), ("touches of its perp", touches, True),
        ("marks of its perp", mark_events, False),
    ):  # fmt: skip
        if (reason := put_in_order(what, rows, mended, steady=steady)) is not None:
            raise UsageError(f"{folder}: {reason}: it cannot be backtested")
    if (reason := unsettled(outcome, max((mark.exchange_ns for mark in mark_events), default=0))) is not None:
        raise UsageError(f"{folder}: {reason}: it cannot be backtested")
    events: list[Event] = [*books, *print_events, *touches, *mark_events]
    events.sort(key=lambda event: event.received_ns)
    return Recording(
        outcome=outcome, perp=perp, events=tuple(events), marks=tuple((e.exchange_ns, e.item.px) for e in mark_events),
        books=len(books), prints_raw=len(prints), prints_replayed=replayed,
        mirrored=0 if no_books is None else _mirrored(yes_books, no_books),
        repairs=tuple(sorted((+mended).items())),
    )  # fmt: skip


def _around(rows: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Those of the perp that lie within the outcome's time."""
    received = own["local_recv_ts"].sort()
    return rows.filter(pl.col("local_recv_ts").is_between(received[0] - AROUND_NS, received[-1] + AROUND_NS))


def perp_of(coin: str) -> Market:
    return Market(
        id=perp_market(HYPERLIQUID, coin), venue=HYPERLIQUID, kind=MarketKind.PERP, ticker=perp_ticker(coin),
        underlying=coin, tick=Px(SCALE // 10), lot=Qty(SCALE // 100_000), min_notional=MIN_NOTIONAL,
        quote_token="USDC",  # noqa: S106 - a currency
    )  # fmt: skip


# -- what there is


def _need(frames: Frames, key: tuple[str, str], folder: Path) -> pl.DataFrame:
    frame = frames.get(key)
    if frame is None:
        raise UsageError(f"{folder}: no {key[0]} of {key[1]} among its parquet files")
    return frame


def _outcomes(frames: Frames, folder: Path) -> tuple[dict[int, Market], list[tuple[str, str]]]:
    """Binaries by the coin number of YES; symbols of others, with the reason. UsageError without a binary."""
    metas = {symbol: frame for (event, symbol), frame in frames.items() if event == "market_meta"}
    if not metas:
        raise UsageError(f"{folder}: no market_meta among its parquet files, so strike and expiry are unknown")
    found: dict[int, Market] = {}
    unfit: list[tuple[str, str]] = []
    for symbol, frame in metas.items():
        row = frame.row(-1, named=True)
        try:
            fields: dict[str, str] = dict(zip(row["keys"], row["values"], strict=True))
            market, coin = _market(fields)
        except (KeyError, ValueError, TypeError, UnitError) as error:
            unfit.append((symbol, f"{folder}: its market_meta is not that of a binary ({error!r})"))
            continue
        if found.setdefault(coin, market) != market:
            raise UsageError(f"{folder}: its files with market_meta differ on {market.id}")
    if not found:
        raise UsageError(unfit[0][1])
    return found, unfit


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
    whole = round(value * SCALE)
    if abs(whole) > MOST:
        raise ValueError(f"a number of {value:g}")
    return whole


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
        if (trade_id and trade_id in seen) or received_ns - exchange_ns > MAX_PRINT_AGE_NS:
            continue
        seen.add(trade_id)
        item = TradePrint(
            market, Px(_scaled(price)), Qty(_scaled(size)), _SIDES[str(side).lower()], trade_id or "",
            exchange_ns // NS_PER_MS,
        )  # fmt: skip
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
