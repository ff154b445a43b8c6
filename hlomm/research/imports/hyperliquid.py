"""Hyperliquid: the HIP-4 recording, CSV tables of perps, raw frames, and the venue's own archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs
import msgspec

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, MarketId, is_outcome, perp_market
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, Level, MarketListed, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, Qty
from hlomm.research.imports.lines import Line, Tally, cells, possible, scaled, seconds, text_lines
from hlomm.research.recording import load_all, perp_of
from hlomm.research.store.schema import market_of
from hlomm.research.usable import END_NS, FIRST_NS
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from hlomm.venues.hyperliquid.wire.public import Marks, Prints

ARCHIVE_EXTRA: Final = "reading it needs the lz4 library: pip install '.[archive]'"
_SIDES: Final = {"bid": 0, "ask": 1}
_DIGITS: Final = 19
"""Of a time in ns."""


class _ArchiveLine(msgspec.Struct):
    time: str
    raw: msgspec.Raw


_archive_line: Final = msgspec.json.Decoder(_ArchiveLine)


def read_hip4(paths: Sequence[Path], tally: Tally) -> Iterator[Line]:
    """Recordings as `hlomm backtest` reads them: YES of each outcome, touch and mark of its perp, replays left out."""
    told: set[tuple[int, int, Input]] = set()
    for folder in dict.fromkeys(path if path.is_dir() else path.parent for path in paths):
        found, unfit = load_all(folder)
        if not found:
            raise UsageError(unfit[0][1])
        tally.add("outcomes_left_out", len(unfit))
        for recording in found:
            tally.add("replayed_prints", recording.prints_replayed)
            tally.add("mirrored_books_of_the_no_coin", recording.mirrored)
            for name, count in recording.repairs:
                tally.add(name, count)
            first_ns = recording.events[0].received_ns
            for market in (recording.perp, recording.outcome):
                yield Line(recv_ns=first_ns, news=((MarketListed(market), None),))
            for event in recording.events:
                key = event.received_ns, event.exchange_ns, event.item
                if key not in told:  # outcomes of one time share their perp's rows
                    told.add(key)
                    yield Line(recv_ns=event.received_ns, news=((event.item, event.exchange_ns),))


# -- CSV


def read_csv(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    """`orderbooks_COIN.csv`, `prices_COIN.csv`, `trades_COIN.csv`: times of receipt in seconds, of the venue in ms."""
    coins: dict[str, None] = {}
    lines: list[Line] = []
    for path in files:
        what, _, coin = path.name.removesuffix(".gz").removesuffix(".csv").partition("_")
        table = {"orderbooks": _books, "prices": _touches, "trades": _trades}.get(what)
        if table is None or not coin:
            tally.add("files_of_other_names")
            continue
        coins[coin] = None
        rows = table(_rows(path, tally), perp_market(HYPERLIQUID, coin), tally)
        lines += (attrs.evolve(line, file=str(path)) for line in rows)
    if lines:
        first_ns = min(line.recv_ns for line in lines)
        yield from (Line(recv_ns=first_ns, news=((MarketListed(perp_of(coin)), None),)) for coin in coins)
    yield from lines


def _rows(path: Path, tally: Tally) -> Iterator[Mapping[str, str]]:
    """By the names in the header; a row that is shorter lacks the last."""
    rows = cells(path, tally)
    names = next(rows, [])
    return (dict(zip(names, row, strict=False)) for row in rows if row)


def _books(rows: Iterator[Mapping[str, str]], market: MarketId, tally: Tally) -> Iterator[Line]:
    for row in rows:
        try:
            bids, asks = (tuple(_ladder(row, side)) for side in _SIDES)
            item = BookSnapshot(market, bids, asks, int(row["exchange_timestamp"]))
            yield Line(recv_ns=possible(seconds(row["timestamp"])), news=((item, None),))
        except (KeyError, TypeError, ValueError):
            tally.add("unreadable_rows")


def _ladder(row: Mapping[str, str], side: str) -> Iterator[Level]:
    for depth in range(100):
        px, size = row.get(f"{side}_price_{depth}"), row.get(f"{side}_size_{depth}")
        if not px or not size:
            return
        if scaled(size):
            yield scaled(px), scaled(size)


def _touches(rows: Iterator[Mapping[str, str]], market: MarketId, tally: Tally) -> Iterator[Line]:
    """Two rows make an update, one for each side; where one is missing, that side is empty."""
    under_way: tuple[str, str] | None = None
    sides: list[Level | None] = [None, None]
    for row in rows:
        try:
            key = row["timestamp"], row["exchange_timestamp"]
            side, level = _SIDES[row["side"]], (scaled(row["price"]), scaled(row["size"]))
            possible(seconds(key[0])), int(key[1])
        except (KeyError, TypeError, ValueError):
            tally.add("unreadable_rows")
            continue
        if under_way is not None and (key != under_way or sides[side] is not None):
            yield _touch(market, under_way, sides, tally)
            sides = [None, None]
        under_way = key
        sides[side] = level
    if under_way is not None:
        yield _touch(market, under_way, sides, tally)


def _touch(market: MarketId, key: tuple[str, str], sides: Sequence[Level | None], tally: Tally) -> Line:
    tally.add("touches_of_one_side", int(None in sides))
    return Line(recv_ns=possible(seconds(key[0])), news=((BboUpdate(market, sides[0], sides[1], int(key[1])), None),))


def _trades(rows: Iterator[Mapping[str, str]], market: MarketId, tally: Tally) -> Iterator[Line]:
    for row in rows:
        try:
            aggressor = {"buy": Side.BUY, "sell": Side.SELL}[row["side"]]
            item = TradePrint(
                market, Px(scaled(row["price"])), Qty(scaled(row["size"])), aggressor, row["trade_id"],
                int(row["exchange_timestamp"]),
            )  # fmt: skip
            yield Line(recv_ns=possible(seconds(row["timestamp"])), news=((item, None),))
        except (KeyError, TypeError, ValueError):
            tally.add("unreadable_rows")


# -- frames


def read_frames(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    """Lines of `<host ns> <message>`, packed or not."""
    listed: set[str] = set()
    for path in files:
        for line in text_lines(path, tally):
            stamp, _, message = line.partition(b" ")
            if not stamp.isdigit() or not message:
                tally.add("unreadable_lines")
                continue
            yield from _listing(_message(_stamp(stamp), message, tally), listed)


def _stamp(digits: bytes) -> int:
    return int(digits) if len(digits) <= _DIGITS else 0


def read_archive(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    """The venue's archive of books: LZ4 files of lines with the time of receipt and the message."""
    try:
        import lz4.frame  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(f"the archive is packed with LZ4; {ARCHIVE_EXTRA}") from None
    listed: set[str] = set()
    for path in files:
        try:
            with lz4.frame.open(path) as file:
                for line in file:
                    yield from _listing(_archived(line, tally), listed)
        except (RuntimeError, EOFError, OSError):
            tally.add("broken_files")


def _archived(line: bytes, tally: Tally) -> Line | None:
    try:
        row = _archive_line.decode(line)
        return _message(iso_ns(row.time), bytes(row.raw), tally)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        tally.add("unreadable_lines")
        return None


def iso_ns(text: str) -> int:
    """`2023-09-16T23:00:00.123456789`, which is UTC, in ns. ValueError for what is none."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_S + int((fraction or "0")[:9].ljust(9, "0"))


def _message(recv_ns: int, message: bytes, tally: Tally) -> Line | None:
    """None for a message that cannot be read; one that says nothing of markets is kept as it is."""
    if not FIRST_NS <= recv_ns < END_NS:
        tally.add("impossible_times")
        return None
    decoded = decode_frame(message)
    for one in decoded.anomalies:
        tally.add(f"malformed.{one.kind}")
    if decoded.frame is None:
        return None
    news: tuple[Input, ...] = ()
    match decoded.frame:
        case BookSnapshot() | BboUpdate():
            news = (decoded.frame,)
        case Prints(trades=trades):
            news = trades
        case Marks(marks=marks):
            news = marks
        case _:
            tally.add("messages_of_no_market")
    return Line(recv_ns=recv_ns, news=tuple((item, None) for item in news), raw=message, channel="/ws")


def _listing(line: Line | None, listed: set[str]) -> Iterator[Line]:
    """A perp is described in front of its first news; an outcome cannot be, its terms are in no frame of prices."""
    if line is None:
        return
    for market in {market_of(item) for item, _ in line.news} - listed:
        listed.add(market)
        if not is_outcome(MarketId(market)):
            yield Line(recv_ns=line.recv_ns, news=((MarketListed(perp_of(market.partition(":")[2])), None),))
    yield line
