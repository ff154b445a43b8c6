"""Kalshi: a public data set of snapshots, trades and labels, one JSON document a line.

Snapshots have the best prices and the contracts of a whole side, not the size of a level: a touch without sizes is
told, and a size of 0 says so. A label is what the market paid; it is told where the market's rows end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hlomm.domain.ids import KALSHI, MarketId, kalshi_market
from hlomm.domain.inputs import BboUpdate, Input, Level, MarketSettled, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import ONE, SCALE, Px, Qty
from hlomm.research.imports.lines import Line, Tally, scaled, seconds, text_lines

VENUE: Final = KALSHI
_document: Final = msgspec.json.Decoder(dict[str, Any])
_PAYS: Final = {"yes": ONE, "no": Px(0)}


def read(files: Sequence[Path], tally: Tally) -> Iterator[Line]:
    labels: dict[str, tuple[int, MarketSettled]] = {}
    for path in files:
        for raw in text_lines(path, tally):
            try:
                row = _document.decode(raw)
                market = kalshi_market(str(row["ticker"]))
                if "yb" in row:
                    yield Line(recv_ns=seconds(row["ts"]), news=((_touch(market, row), None),), file=str(path))
                elif "taker_side" in row:
                    yield Line(recv_ns=seconds(row["ts"]), news=(_trade(market, row),), file=str(path))
                elif "label" in row:
                    label = _label(market, row)
                    labels[market] = max(labels.get(market, label), label, key=lambda one: one[0])
                else:
                    tally.add("rows_of_another_kind")
            except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
                tally.add("unreadable_lines")
    for recv_ns, settled in labels.values():
        yield Line(recv_ns=recv_ns, news=((settled, None),))


def _touch(market: MarketId, row: dict[str, Any]) -> Input:
    return BboUpdate(market, _price(row["yb"]), _price(row["ya"]), 0)


def _price(number: float | None) -> Level | None:
    """None for an empty side, which reads 0 or 1."""
    px = 0 if number is None else scaled(number)
    return (px, 0) if 0 < px < SCALE else None


def _trade(market: MarketId, row: dict[str, Any]) -> tuple[Input, int]:
    side = {"yes": Side.BUY, "no": Side.SELL}[row["taker_side"]]
    stamp_ns = _iso_ns(row["created_time"])
    px, qty = scaled(row["yes_price"]), scaled(row["count"])
    if not 0 < px < SCALE or not qty:
        raise ValueError("a trade of nothing")
    return TradePrint(market, Px(px), Qty(qty), side, "", stamp_ns // NS_PER_MS), stamp_ns


def _label(market: MarketId, row: dict[str, Any]) -> tuple[int, MarketSettled]:
    return _iso_ns(row["close_time"]), MarketSettled(market, _PAYS[row["outcome"]], "label of the data set")


def _iso_ns(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time of nobody knows where")
    return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1_000
