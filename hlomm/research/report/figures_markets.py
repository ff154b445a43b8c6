"""Quotes against the book, market by market, and how good fills and forecasts were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.fills import FillKind
from hlomm.domain.units import SCALE
from hlomm.research.report.drawing import (
    AMBER,
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    INK,
    RED,
    Figure,
    Trace,
    axis,
    figure,
    line,
    milliseconds,
    plain,
    time_axis,
)
from hlomm.research.report.gather import Gathered
from hlomm.research.report.quality import ALL, MarkoutCell, Scored
from hlomm.research.report.thin import Tally

MARKETS_MAX: Final = 24
FILLS_DRAWN: Final = 2_000
"""Of one market; the latest of them."""
_SERIES: Final = (
    ("bid", "market bid", GREEN, "solid"), ("ask", "market ask", RED, "solid"), ("own_bid", "our bid", BLUE, "dot"),
    ("own_ask", "our ask", INK, "dot"), ("fair", "fair", AMBER, "solid"),
)  # fmt: skip


def drawn(gathered: Gathered) -> tuple[list[str], int]:
    """Markets that get a picture, most fills first, then most samples; and how many get none."""
    fills = gathered.tables["fills"].filter(pl.col("outcome") & (pl.col("kind") == FillKind.TRADE.value))
    traded = dict(fills.group_by("market").len().iter_rows())
    counts = gathered.tables["quotes"].group_by("market", maintain_order=True).len().rows()
    ranked = sorted(counts, key=lambda row: (-traded.get(row[0], 0), -row[1]))
    return [market for market, _ in ranked[:MARKETS_MAX]], max(len(ranked) - MARKETS_MAX, 0)


def market(gathered: Gathered, market_id: str, tally: Tally) -> Figure:
    """Fair value, own quotes and the book of others, with fills."""
    rows = gathered.tables["quotes"].filter(pl.col("market") == market_id)
    traces = [
        line(name, rows, column, tally, colour=colour) | {"line": _stroke(colour, dash)}
        for column, name, colour, dash in _SERIES
    ]
    fills = gathered.tables["fills"].filter((pl.col("market") == market_id) & (pl.col("kind") == FillKind.TRADE.value))
    kept = fills.tail(FILLS_DRAWN)
    tally.points += len(fills)
    tally.drawn += len(kept)
    for sign, symbol, name, colour in ((1, "triangle-up", "bought YES", BLUE), (-1, "triangle-down", "sold YES", INK)):
        traces.append(_marks(kept.filter(pl.col("sign") == sign), symbol, name, colour))
    settled = next((one for name, one in gathered.settled.items() if name == market_id), None)
    ticker, strategy = rows["ticker"][-1], rows["strategy"][-1] or "no strategy"
    brief = f"{market_id}, {strategy}, {len(fills)} fills"
    if settled is not None:
        brief += f"; settled, YES paid {settled.yes_px / SCALE:g}"
    part = f" The last {len(kept)} fills are drawn." if len(kept) < len(fills) else ""
    return figure(
        gathered.source, f"market:{market_id}", ticker, traces, xaxis=time_axis(), yaxis=axis("YES price"),
        height=460, brief=brief, note=f"{brief}. The book without our own orders.{part}",
    )  # fmt: skip


def _stroke(colour: str, dash: str) -> dict[str, object]:
    return {"color": colour, "width": 1.2 if dash == "solid" else 1.8, "shape": "hv", "dash": dash}


def _marks(fills: pl.DataFrame, symbol: str, name: str, colour: str) -> Trace:
    text = [
        f"{qty / SCALE:g} {'maker' if maker else 'taker'}"
        for qty, maker in fills.select("qty", "maker").iter_rows()
    ]  # fmt: skip
    return {
        "type": "scatter", "mode": "markers", "name": plain(name), "x": milliseconds(fills["wall_ns"]),
        "y": [px / SCALE for px in fills["yes_px"]], "text": text,
        "marker": {"symbol": symbol, "size": 10, "color": colour, "line": {"color": "white", "width": 1}},
    }  # fmt: skip


def markout_figure(gathered: Gathered, key: str, title: str, cells: Sequence[MarkoutCell], unit: str) -> Figure | None:
    """Bars by bucket, one colour per horizon; None without a fill that has a figure."""
    if not any(cell.fills for cell in cells):
        return None
    buckets = list(dict.fromkeys(cell.bucket for cell in cells))
    traces: list[Trace] = []
    for number, horizon_s in enumerate(MARKOUT_S):
        row = [cell for cell in cells if cell.horizon_s == horizon_s]
        traces.append(
            {
                "type": "bar", "name": f"{horizon_s} s", "x": buckets,
                "y": [None if cell.mean is None else 100.0 * cell.mean for cell in row],
                "marker": {"color": COLOURS[number]}, "text": [str(cell.fills) if cell.fills else "" for cell in row],
                "textposition": "outside", "textfont": {"size": 9}, "cliponaxis": False,
                "hovertemplate": "%{x}: %{y:+.3f} c over %{text} fills<extra>%{fullData.name}</extra>",
            }
        )  # fmt: skip
    return figure(
        gathered.source, key, title, traces, xaxis=axis(unit, type="category"),
        yaxis=axis("cents per contract, in our favour"), barmode="group",
        note="Fills of our resting orders, mean weighted by size, against the reference price that long after; "
        "the number of fills is on each bar.",
    )  # fmt: skip


def calibration_figure(gathered: Gathered, scored: Sequence[Scored]) -> Figure | None:
    """Forecast against frequency, our fair values and the market's mids; None where nothing settled."""
    whole = next((one for one in scored if one.tau == ALL), None)
    if whole is None:
        return None
    traces: list[Trace] = [
        {"type": "scatter", "mode": "lines", "name": "perfect", "x": [0, 1], "y": [0, 1],
         "line": {"color": GREY, "dash": "dash", "width": 1}, "hoverinfo": "skip"}
    ]  # fmt: skip
    for name, made, colour in (("fair value", whole.model, BLUE), ("market mid", whole.market, AMBER)):
        bins = [] if made is None else [one for one in made.bins if one is not None]
        traces.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": name, "x": [one.mean_p for one in bins],
                "y": [one.freq for one in bins], "text": [f"{one.count} samples" for one in bins],
                "marker": {"color": colour, "size": [6 + min(one.count, 400) ** 0.5 for one in bins]},
                "line": {"color": colour, "width": 1},
            }
        )  # fmt: skip
    return figure(
        gathered.source, "calibration", "Calibration of P(YES)", traces, height=420,
        xaxis=axis("forecast", range=[-0.02, 1.02]), yaxis=axis("share that paid YES", range=[-0.05, 1.05]),
        note=f"{whole.model.n} samples of {whole.events} contracts that settled. Samples of one contract are not "
        "independent: judge by the number of contracts.",
    )  # fmt: skip
