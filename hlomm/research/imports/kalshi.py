"""Kalshi: a public data set of snapshots, trades and labels, one JSON document a line.

Snapshots have the best prices and the contracts of a whole side, not the size of a level: a touch without sizes is
told, and a size of 0 says so. A label is what the market paid; it is told where the market's rows end.

A ticker of a window tells its coin, its length and its end, and a market is listed with that when it is first heard of.
Its strike is what the index averaged before the window opened, which no row has: so there is none in its terms. Nor is
there a fee. That it settles on the average of a minute is the venue's rule for such windows, and the grid is what all
rows lie on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from hlomm.domain.ids import KALSHI, MarketId, kalshi_market
from hlomm.domain.inputs import BboUpdate, Input, MarketListed, MarketSettled, TradePrint
from hlomm.domain.markets import Market, MarketKind, Source
from hlomm.domain.orders import Side
from hlomm.domain.ticker import Terms, outcome_ticker
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import ONE, SCALE, Cash, Px, Qty
from hlomm.research.imports.lines import Line, Tally, possible, scaled, seconds, text_lines, unsized, zoned_ns
from hlomm.research.store.schema import market_of
from hlomm.venues.kalshi.eastern import instants
from hlomm.venues.kalshi.terms import AVERAGING_S
from hlomm.venues.kalshi.wire.schemas import COUNT_STEP
from hlomm.venues.kalshi.wire.tickers import read_ticker

VENUE: Final = KALSHI
_document: Final = msgspec.json.Decoder(dict[str, Any])
_PAYS: Final = {"yes": ONE, "no": Px(0)}
_WINDOW: Final = re.compile(r"KX([A-Z]+)15M", re.ASCII)
_WINDOW_NS: Final = 15 * 60 * NS_PER_S
_MILL: Final = Px(SCALE // 1_000)
_GRID: Final = (
    (Px(0), Px(SCALE // 10), _MILL), (Px(SCALE // 10), Px(9 * SCALE // 10), Px(SCALE // 100)),
    (Px(9 * SCALE // 10), ONE, _MILL),
)  # fmt: skip


def read(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    """Rows of all files, and in front of each market's first what its ticker says of it."""
    lines = list(_rows(files, tally))
    first: dict[MarketId, int] = {}
    for line in lines:
        for item, _ in line.news:
            name = MarketId(market_of(item))
            first[name] = min(first.get(name, line.recv_ns), line.recv_ns)
    for name, recv_ns in first.items():
        market = _listed(name)
        if market is None:
            tally.add("tickers_that_tell_no_window")
        else:
            yield Line(recv_ns=recv_ns, news=((MarketListed(market), None),), file=name)
    yield from lines


def _listed(name: MarketId) -> Market | None:
    ticker = name.partition(":")[2]
    parts = read_ticker(ticker)
    window = None if parts is None else _WINDOW.fullmatch(parts.series)
    if parts is None or window is None:
        return None
    ends = instants(parts.year, parts.month, parts.day, parts.hour, parts.minute)
    if len(ends) != 1:  # the hour that comes twice in autumn, or no time at all
        return None
    return Market(
        id=name, venue=KALSHI, kind=MarketKind.OUTCOME, ticker=outcome_ticker(window[1], Terms(window="15m"), ends[0]),
        underlying=window[1], tick=_MILL, ticks=_GRID, lot=Qty(COUNT_STEP), min_qty=Qty(COUNT_STEP),
        min_notional=Cash(0), quote_token="USD", klass=parts.series,  # noqa: S106 - a currency
        expiry_ns=ends[0], settles_ns=ends[0], period="15m", averaging_s=AVERAGING_S, source=Source.BRTI,
        averaging_from_ns=ends[0] - _WINDOW_NS,
    )  # fmt: skip


def _rows(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    labels: dict[str, tuple[int, MarketSettled]] = {}
    for path in files:
        for raw in text_lines(path, tally):
            try:
                row = _document.decode(raw)
                market = _market_of(row["ticker"])
                if "yb" in row:
                    yield Line(
                        recv_ns=possible(seconds(row["ts"])), news=((_touch(market, row), None),), file=str(path)
                    )
                elif "taker_side" in row:
                    yield Line(recv_ns=possible(seconds(row["ts"])), news=(_trade(market, row),), file=str(path))
                elif "label" in row:
                    label = _label(market, row)
                    labels[market] = max(labels.get(market, label), label, key=lambda one: one[0])
                else:
                    tally.add("rows_of_another_kind")
            except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
                tally.add("unreadable_lines")
    for recv_ns, settled in labels.values():
        yield Line(recv_ns=recv_ns, news=((settled, None),))


def _market_of(ticker: object) -> MarketId:
    if not isinstance(ticker, str) or not ticker:
        raise ValueError("a row of no market")
    return kalshi_market(ticker)


def _touch(market: MarketId, row: dict[str, Any]) -> Input:
    return BboUpdate(market, unsized(row["yb"]), unsized(row["ya"]), 0)


def _trade(market: MarketId, row: dict[str, Any]) -> tuple[Input, int]:
    side = {"yes": Side.BUY, "no": Side.SELL}[row["taker_side"]]
    stamp_ns = zoned_ns(row["created_time"])
    px, qty = scaled(row["yes_price"]), scaled(row["count"])
    if not 0 < px < SCALE or not qty:
        raise ValueError("a trade of nothing")
    return TradePrint(market, Px(px), Qty(qty), side, "", stamp_ns // NS_PER_MS), stamp_ns


def _label(market: MarketId, row: dict[str, Any]) -> tuple[int, MarketSettled]:
    return zoned_ns(row["close_time"]), MarketSettled(market, _PAYS[row["outcome"]], "label of the data set")
