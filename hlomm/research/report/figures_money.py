"""Result, drawdown and inventory over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from hlomm.domain.units import SCALE, to_fixed
from hlomm.research.report.drawing import (
    AMBER,
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    INK,
    RED,
    TEAL,
    VIOLET,
    Figure,
    axis,
    figure,
    line,
    signed,
    time_axis,
)
from hlomm.research.report.gather import Gathered
from hlomm.research.report.thin import Tally

PARTS: Final = (
    ("spread", 1, BLUE), ("inventory", 1, AMBER), ("hedge", 1, VIOLET), ("fees", -1, RED), ("rewards", 1, TEAL),
    ("settlement", 1, GREEN), ("rounding", 1, GREY),
)  # fmt: skip
"""Columns of `equity` that add up to `total`, with their signs."""


def since_start(equity: pl.DataFrame) -> pl.DataFrame:
    """Result and its parts as changes since the first sample, fees with their sign."""
    return equity.select(
        "wall_ns",
        *((pl.col(name) - pl.col(name).first()) * sign for name, sign, _ in PARTS),
        pl.col("total") - pl.col("total").first(),
    )


def money(gathered: Gathered, tally: Tally) -> list[Figure]:
    """Empty where no account was ever open."""
    equity = gathered.tables["equity"]
    if equity.is_empty():
        return []
    return [_result(gathered, equity, tally), _split(gathered, equity), *_below(gathered, equity, tally)]


def _result(gathered: Gathered, equity: pl.DataFrame, tally: Tally) -> Figure:
    changes = since_start(equity)
    traces = [
        line(name, changes, name, tally, colour=colour, visible=True if (changes[name] != 0).any() else "legendonly")
        for name, _, colour in PARTS
        if name != "rounding"
    ]
    total = line("total", changes, "total", tally, colour=INK)
    total["line"]["width"] = 2.6
    return figure(
        gathered.source, "result", "Result and its parts", [*traces, total], xaxis=time_axis(),
        yaxis=axis("USDC since the run began"), height=420, hovermode="x unified",
        note="At reference prices (mid, or fair value where a side of the book is missing). "
        "total = spread + inventory + hedge − fees + rewards + settlement + rounding, to the last unit.",
    )  # fmt: skip


def _split(gathered: Gathered, equity: pl.DataFrame) -> Figure:
    last = since_start(equity).row(-1, named=True)
    marking = equity["marking"][-1] - equity["marking"][0]
    capital = equity["capital"][-1] - equity["capital"][0]
    steps = [(name, last[name]) for name, _, _ in PARTS] + [("marks", marking)]
    shown = [(name, value) for name, value in steps if value or name in ("spread", "inventory", "fees", "settlement")]
    change = equity["equity"][-1] - equity["equity"][0] - capital
    return figure(
        gathered.source, "split", "What the change of equity is made of", [
            {
                "type": "waterfall", "x": [*(name for name, _ in shown), "equity change"],
                "y": [*(value / SCALE for _, value in shown), change / SCALE],
                "measure": [*("relative" for _ in shown), "total"], "text": [
                    signed(value) for _, value in [*shown, ("", change)]
                ], "textposition": "outside", "cliponaxis": False, "connector": {"line": {"color": GREY, "width": 1}},
                "increasing": {"marker": {"color": GREEN}}, "decreasing": {"marker": {"color": RED}},
                "totals": {"marker": {"color": INK}}, "hoverinfo": "x+text",
            }
        ], xaxis=axis(""), yaxis=axis("USDC"), showlegend=False,
        note=("marks: what conservative marks (bid for longs) take off reference prices. " if marking else "")
        + (f"Capital that moved meanwhile is not in it: {signed(capital)}." if capital else ""),
    )  # fmt: skip


def _below(gathered: Gathered, equity: pl.DataFrame, tally: Tally) -> list[Figure]:
    fallen = equity.with_columns(below=-pl.col("drawdown"))
    worst = to_fixed(equity["max_drawdown"][-1], 2)
    whole = equity.with_columns(pl.col("equity") - pl.col("capital") + pl.col("capital").last())
    return [
        figure(
            gathered.source, "equity", "Equity", [line("equity", whole, "equity", tally, colour=INK)],
            xaxis=time_axis(), yaxis=axis("USDC", tickformat=",.2f"), height=320, showlegend=False,
            note="Both wallets and everything held at conservative marks; accounts that opened later and other capital "
            "that moved count from the start.",
        ),
        figure(
            gathered.source, "drawdown", "Drawdown", [
                line("drawdown", fallen, "below", tally, colour=RED, fill="tozeroy", fillcolor="rgba(209,73,91,0.18)")
            ], xaxis=time_axis(), yaxis=axis("below the high-water mark"), height=320, showlegend=False,
            note=f"The engine's own largest drawdown, looked at in every turn, is {worst}.",
        ),
    ]  # fmt: skip


def inventory(gathered: Gathered, shown: Sequence[str], tally: Tally) -> Figure | None:
    """Net contracts of the drawn markets; None without any."""
    quotes = gathered.tables["quotes"]
    traces = []
    for number, market in enumerate(shown):
        rows = quotes.filter(pl.col("market") == market)
        if (rows["net"] != 0).any():
            name, colour = rows["ticker"][-1], COLOURS[number % len(COLOURS)]
            traces.append(line(name, rows, "net", tally, colour=colour))
    if not traces:
        return None
    return figure(
        gathered.source, "inventory", "Inventory", traces, xaxis=time_axis(), yaxis=axis("YES − NO, contracts"),
        note="Of the contracts drawn below; tokens of pairs across venues are not among them.",
    )  # fmt: skip
