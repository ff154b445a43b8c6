"""Pictures of a sweep: its ratios against luck, overfitting, the settings, and how the winners went on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
import polars as pl

from hlomm.research.report.drawing import AMBER, BLUE, GREEN, GREY, INK, RED, Figure, axis, figure, plain
from hlomm.research.report.source import Source
from hlomm.research.sweep.judge import Judge
from hlomm.research.sweep.summary import Summary

BINS: Final = 40
_SIGNED: Final = [[0, RED], [0.5, "#ffffff"], [1, GREEN]]
CELLS_MOST: Final = 12
"""Values of a key before neighbours share a cell."""


def equity(source: Source, made: Summary, said: Mapping[str, Any]) -> Figure:
    """The winner's result over the observations it was chosen by."""
    assert made.judge is not None
    column = made.judge.ranked()[0]
    series = [round(each, 6) for each in accumulate(made.table.returns[:, column].tolist(), initial=0.0)]
    return figure(
        source, "sweep-winner", f"Result of the winner, set {said['winner']['point']} (in sample)",
        [{"type": "scatter", "mode": "lines", "x": list(range(len(series))), "y": series, "line": {"color": BLUE}}],
        xaxis=axis("observation"), yaxis=axis("USDC"), showlegend=False,
        note="It was chosen by exactly these observations: what choosing makes of luck and skill together.",
    )  # fmt: skip


def ratios(source: Source, judge: Judge, said: Mapping[str, Any]) -> Figure:
    """How the ratios of all sets lie, and where the best of so many without skill would."""
    trace = _histogram(judge.sharpes.tolist(), BLUE)
    winner = said["winner"]
    marks = [("winner", winner["sharpe"], RED), ("best by luck alone", winner["sharpe_of_luck"], AMBER)]
    return figure(
        source, "sweep-ratios", "Sharpe ratios of all sets", [trace], xaxis=axis("Sharpe per observation"),
        yaxis=axis("sets"), showlegend=False, bargap=0.02, **_marked(marks),
        note=f"Luck alone: the expected largest of {winner['trials']} ratios without skill that vary as these do "
        f"(variance {winner['var_sharpe']:.3g}).",
    )  # fmt: skip


def logits(source: Source, judge: Judge) -> Figure | None:
    """None where there was too little to halve."""
    if not judge.logits:
        return None
    return figure(
        source, "sweep-logits", "Rank out of sample of the best in sample", [_histogram(judge.logits, GREY)],
        xaxis=axis("ln(w/(1−w)); at 0 and below it is in the lower half"), yaxis=axis("halvings"), showlegend=False,
        bargap=0.02, **_marked([("middle", 0.0, RED)]),
        note=f"PBO {judge.pbo:.3f}: the share at 0 or below, of {len(judge.logits)} ways to halve the time.",
    )  # fmt: skip


def heat(source: Source, made: Summary) -> Figure | None:
    """Mean ratio over the two keys that matter most; None where fewer than two were varied."""
    assert made.judge is not None
    settings = made.results.unique("point", keep="first").filter(pl.col("point").is_in(list(made.table.points)))
    frame = settings.sort("point").select(*made.manifest["keys"]).with_columns(ratio=pl.Series(made.judge.sharpes))
    varied = [key for key in made.manifest["keys"] if frame[key].n_unique() > 1]
    if len(varied) < 2:
        return None
    cut = {key: _cells(frame[key].to_list()) for key in varied}
    matter = sorted(varied, key=lambda key: -_between(cut[key][0], frame["ratio"].to_list()))
    across, up = matter[:2]
    (xs, x_names), (ys, y_names) = cut[across], cut[up]
    held: dict[tuple[int, int], list[float]] = {}
    for x, y, ratio in zip(xs, ys, frame["ratio"].to_list(), strict=True):
        held.setdefault((x, y), []).append(ratio)
    cells = [
        [_mean(held.get((x, y))) for x in range(len(x_names))] for y in range(len(y_names))
    ]  # fmt: skip
    return figure(
        source, "sweep-heat", f"Mean Sharpe over {across} and {up}", [
            {
                "type": "heatmap", "x": list(map(plain, x_names)), "y": list(map(plain, y_names)), "z": cells,
                "colorscale": _SIGNED, "zmid": 0, "hoverongaps": False, "colorbar": {"title": {"text": "Sharpe"}},
            }
        ], xaxis=axis(plain(across), type="category"), yaxis=axis(plain(up), type="category"), height=440,
        note="Mean over all other keys, of the two keys whose values move it most. A ridge is worth more than a peak.",
    )  # fmt: skip


def walked(source: Source, found: Mapping[str, Any]) -> Figure:
    """Result of all tests, one after the other."""
    series, ends, names = [0.0], [], []
    for window in found["windows"]:
        for each in window["returns"]:
            series.append(round(series[-1] + each, 6))
        ends.append(len(series) - 1)
        names.append(f"set {window['winner']['point']}, test {' to '.join(window['test'])}")
    return figure(
        source, "sweep-walk", "Walk-forward: every test with the winner of its train", [
            {"type": "scatter", "mode": "lines", "x": list(range(len(series))), "y": series, "line": {"color": INK}},
            {
                "type": "scatter", "mode": "markers", "x": ends, "y": [series[at] for at in ends],
                "marker": {"color": RED, "size": 6}, "text": list(map(plain, names)), "hoverinfo": "text+y",
            },
        ], xaxis=axis("observation out of sample"), yaxis=axis("USDC"), showlegend=False,
        note="Nothing of a test was known when its winner was chosen. A point marks the end of each test.",
    )  # fmt: skip


def _histogram(values: Sequence[float], colour: str) -> dict[str, Any]:
    counts, edges = np.histogram(np.array(values), bins=BINS)
    middles = [round(float(a + b) / 2, 9) for a, b in pairwise(edges)]
    return {"type": "bar", "x": middles, "y": counts.tolist(), "marker": {"color": colour}}


def _marked(marks: Sequence[tuple[str, float | None, str]]) -> dict[str, Any]:
    """Vertical lines with names."""
    known = [(name, at, colour) for name, at, colour in marks if at is not None]
    return {
        "shapes": [
            {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": {"color": colour}}
            for _, at, colour in known
        ],
        "annotations": [
            {"x": at, "yref": "paper", "y": 1 - 0.08 * number, "text": plain(name), "showarrow": False,
             "xanchor": "left", "font": {"color": colour}}
            for number, (name, at, colour) in enumerate(known)
        ],
    }  # fmt: skip


def _cells(values: Sequence[str]) -> tuple[list[int], list[str]]:
    """Cell of each value, and the names of the cells; many numbers share cells of equal count."""
    distinct = sorted(set(values), key=_numeric)
    if len(distinct) <= CELLS_MOST:
        return [distinct.index(value) for value in values], distinct
    per = math.ceil(len(distinct) / CELLS_MOST)
    place = {value: at // per for at, value in enumerate(distinct)}
    groups = [distinct[at : at + per] for at in range(0, len(distinct), per)]
    return [place[value] for value in values], [f"{_short(each[0])} … {_short(each[-1])}" for each in groups]


def _numeric(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _short(text: str) -> str:
    first, value, _ = _numeric(text)
    return text if first else f"{value:.3g}"


def _between(cells: Sequence[int], ratios_: Sequence[float]) -> float:
    """How much of the ratios' spread lies between cells."""
    held: dict[int, list[float]] = {}
    for cell, ratio in zip(cells, ratios_, strict=True):
        held.setdefault(cell, []).append(ratio)
    middle = math.fsum(ratios_) / len(ratios_)
    return math.fsum(len(each) * (math.fsum(each) / len(each) - middle) ** 2 for each in held.values())


def _mean(values: Sequence[float] | None) -> float | None:
    return None if not values else round(math.fsum(values) / len(values), 6)
