"""What all figures share: plain dictionaries as plotly.js reads them, the source tag in every title, one look.

Text from venues is escaped: plotly.js reads a subset of HTML in every text it draws.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import polars as pl

from hlomm.domain.units import SCALE, to_fixed
from hlomm.research.report.source import Source
from hlomm.research.report.thin import Tally, thin

Trace = dict[str, Any]
INK: Final = "#1f2933"
GRID: Final = "#e4e7eb"
BLUE, GREEN, RED, AMBER, VIOLET, TEAL, GREY = (
    "#1f6feb", "#2a9d8f", "#d1495b", "#c98a00", "#7b4fb5", "#0b7285", "#7b8794",
)  # fmt: skip
COLOURS: Final = (BLUE, RED, GREEN, AMBER, VIOLET, TEAL, "#b5651d", "#5c677d", "#e377c2", "#3a7d44")
_FONT: Final = {"family": "system-ui, sans-serif", "size": 12, "color": INK}


@attrs.frozen(kw_only=True)
class Figure:
    """One picture. `frames` are further states of it, chosen with a slider."""

    key: str
    title: str
    """Plain text, without the tag."""
    data: Sequence[Trace]
    layout: Mapping[str, Any]
    note: str = ""
    """Plain text below it."""
    brief: str = ""
    """Plain text beside its title where it is one of a list."""
    frames: Sequence[Mapping[str, Any]] = ()
    height: int = 360

    def document(self) -> dict[str, Any]:
        """As plotly.js takes it."""
        return {"data": list(self.data), "layout": dict(self.layout), "frames": list(self.frames)}


def figure(
    source: Source,
    key: str,
    title: str,
    data: Sequence[Trace],
    *,
    note: str = "",
    brief: str = "",
    frames: Sequence[Mapping[str, Any]] = (),
    height: int = 360,
    **layout: Any,
) -> Figure:
    """A figure with the tag in its title."""
    whole: dict[str, Any] = {
        "title": {"text": f"{plain(title)}  ·  source: {source}", "x": 0.01, "xanchor": "left", "font": {"size": 14}},
        "font": _FONT, "paper_bgcolor": "white", "plot_bgcolor": "white", "height": height,
        "margin": {"l": 62, "r": 20, "t": 48, "b": 44}, "hovermode": "closest",
        "legend": {"orientation": "h", "y": -0.17, "yanchor": "top", "font": {"size": 11}}, **layout,
    }  # fmt: skip
    return Figure(key=key, title=title, data=data, layout=whole, note=note, brief=brief, frames=frames, height=height)


def plain(text: str) -> str:
    """Text that plotly.js shows as it stands."""
    return html.escape(text, quote=True)


def axis(title: str, **more: Any) -> dict[str, Any]:
    named = {"title": {"text": title, "standoff": 8}, "automargin": True}
    return {**named, "gridcolor": GRID, "zerolinecolor": "#9aa5b1", **more}


def time_axis(**more: Any) -> dict[str, Any]:
    return axis("", type="date", **more)


def line(
    name: str, frame: pl.DataFrame, column: str, tally: Tally, *, colour: str, step: bool = True, **more: Any
) -> Trace:
    """A scaled column over `wall_ns`, thinned; nulls are gaps."""
    times, values = thin(milliseconds(frame["wall_ns"]), frame[column].to_list(), tally)
    return {
        "type": "scatter", "mode": "lines", "name": plain(name), "x": times, "y": unscaled(values),
        "line": {"color": colour, "width": 1.4, "shape": "hv" if step else "linear"}, "connectgaps": False, **more,
    }  # fmt: skip


def milliseconds(wall_ns: pl.Series) -> list[int]:
    found: list[int] = (wall_ns // 1_000_000).to_list()
    return found


def signed(value: int) -> str:
    """An amount with its sign and two decimals, cut off as everywhere people read amounts."""
    return ("+" if value > 0 else "") + to_fixed(value, 2)


def unscaled(values: Iterable[int | float | None]) -> list[float | None]:
    return [None if value is None else round(value / SCALE, 6) for value in values]
