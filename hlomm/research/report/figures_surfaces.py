"""The three surfaces as pictures that can be turned, two of them with a slider over moments of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hlomm.domain.times import NS_PER_S, utc_clock
from hlomm.research.report.drawing import INK, RED, Figure, Trace, figure, plain
from hlomm.research.report.gather import Gathered
from hlomm.research.report.surfaces import (
    Band,
    Grid,
    Moment,
    Odds,
    band,
    band_axes,
    chosen_market,
    in_cents,
    inefficiency,
    moments,
    odds,
    odds_axes,
)

MOMENTS: Final = 12
_CAMERA: Final = {"eye": {"x": -1.55, "y": -1.55, "z": 0.85}}


def surfaces(gathered: Gathered) -> tuple[list[Figure], list[str]]:
    """Pictures, and for those that cannot be drawn the reason."""
    chosen = moments(gathered, chosen_market(gathered), MOMENTS)
    found: list[Figure] = []
    why: list[str] = []
    for name, made, reason in (
        ("quote band", band_figure(gathered, chosen), "no strategy of this run quoted by a model"),
        ("P(YES)", odds_figure(gathered, chosen), "no contract of this run was priced on its underlying"),
        ("inefficiency", inefficiency_figure(gathered), "no event of this run was seen at two venues"),
    ):
        if made is None:
            why.append(f"no surface of {name}: {reason}")
        else:
            found.append(made)
    return found, why


def band_figure(gathered: Gathered, chosen: Sequence[Moment]) -> Figure | None:
    sigmas, qs = band_axes(gathered, chosen)
    made = [one for moment in chosen if sigmas and (one := band(gathered, moment, sigmas=sigmas, qs=qs)) is not None]
    if not made:
        return None
    return _sliding(
        gathered, "surface-band", "Quote band over (σ, q)", [_band_traces(one) for one in made],
        [one.moment for one in made], x="σ of the price, c/√min", y="q = YES − NO", z="YES price",
        note="Unrounded bid and ask of the live quoter at that moment's fair value, time left and settings; the dot is "
        "where the run stood. Where nothing is drawn the model does not quote: too wide, or beyond 0 and 1.",
    )  # fmt: skip


def _band_traces(one: Band) -> list[Trace]:
    at = one.moment
    x = None if at.sigma_p is None else in_cents(at.sigma_p)
    dots = [(x, at.q, px) for px in (at.own_bid, at.own_ask) if px is not None and x is not None]
    return [
        _surface("bid", one.x, one.y, one.bid, "Blues", 0.9),
        _surface("ask", one.x, one.y, one.ask, "Reds", 0.75),
        _points("our quotes then", dots, INK),
        _points("fair value then", [] if x is None else [(x, at.q, at.fair)], "#c98a00"),
    ]


def odds_figure(gathered: Gathered, chosen: Sequence[Moment]) -> Figure | None:
    sigmas, spots = odds_axes(gathered, chosen)
    made = [one for moment in chosen if sigmas and (one := odds(gathered, moment, sigmas=sigmas, spots=spots))]
    if not made:
        return None
    return _sliding(
        gathered, "surface-odds", "Parity: P(YES) over (σ, S)", [_odds_traces(one) for one in made],
        [one.moment for one in made], x="realised σ, per √year", y="S, underlying", z="P(YES)",
        note="The digital that strategies price with, at that moment's time left and premium; the dot is the fair "
        "value that was held then, blended with the book.",
    )  # fmt: skip


def _odds_traces(one: Odds) -> list[Trace]:
    at = one.moment
    dot = [] if at.realised_vol is None else [(at.realised_vol, at.spot, at.fair)]
    return [_surface("P(YES)", one.x, one.y, one.p, "Viridis", 0.95), _points("fair value then", dot, RED)]


def inefficiency_figure(gathered: Gathered) -> Figure | None:
    found = inefficiency(gathered)
    if found is None:
        return None
    y = list(range(len(found.venues)))
    minutes = [(at - found.x[0]) / (60.0 * NS_PER_S) for at in found.x]
    said = [
        [
            "" if cell is None else f"{utc_clock(at)} {plain(venue)}, peak {cell:.2f}"
            for at, cell in zip(found.x, row, strict=True)
        ]
        for venue, row in zip(found.venues, found.peak, strict=True)
    ]
    trace = _surface("inefficiency", minutes, y, found.z, "YlOrRd", 1.0) | {
        "text": said, "cmin": 0.0, "colorbar": {"title": {"text": "× cost"}, "len": 0.6, "thickness": 12},
        "showscale": True, "showlegend": False, "reversescale": True,
        "hovertemplate": "%{text}<br>mean %{z:.2f} of its threshold<extra></extra>",
    }  # fmt: skip
    # The scene has no axis of time that it labels legibly: minutes, named by the clock.
    ticks = list(range(0, len(minutes), max(len(minutes) // 6, 1)))
    scene = _scene("UTC", "", "|deviation| / cost of trading on it")
    scene["xaxis"] |= {"tickvals": [minutes[at] for at in ticks], "ticktext": [utc_clock(found.x[at]) for at in ticks]}
    scene["yaxis"] |= {"tickvals": y, "ticktext": [plain(venue) for venue in found.venues]}
    scene["zaxis"] |= {"rangemode": "tozero"}
    scene |= {
        "aspectmode": "manual", "aspectratio": {"x": 1.9, "y": 0.8, "z": 0.8},
        "camera": {"eye": {"x": -1.5, "y": -1.9, "z": 0.9}, "center": {"x": 0.0, "y": 0.0, "z": -0.15}},
    }  # fmt: skip
    return figure(
        gathered.source, "surface-inefficiency", "Inefficiency over (venue, time)", [trace], height=560, scene=scene,
        margin={"l": 0, "r": 0, "t": 48, "b": 0},
        note="How far each venue's mid stands from what the others say, as a share of what trading on it costs, mean "
        "over its linked contracts; above 1 it pays. Sampled by the engine every five seconds.",
    )  # fmt: skip


def _sliding(
    gathered: Gathered, key: str, title: str, states: Sequence[list[Trace]], at: Sequence[Moment], *, x: str, y: str,
    z: str, note: str,
) -> Figure:  # fmt: skip
    """The first state, and a slider to the others."""
    names = [f"{utc_clock(moment.wall_ns)} · {_left(moment.tau_s)} left" for moment in at]
    frames = [
        {"name": str(number), "data": state, "traces": list(range(len(state)))} for number, state in enumerate(states)
    ]
    steps = [
        {"method": "animate", "label": name, "args": [
            [str(number)], {"mode": "immediate", "frame": {"duration": 0, "redraw": True},
                            "transition": {"duration": 0}},
        ]}
        for number, name in enumerate(names)
    ]  # fmt: skip
    slider = {
        "active": 0, "steps": steps, "pad": {"t": 8}, "len": 0.9, "x": 0.05, "ticklen": 0,
        "currentvalue": {"prefix": "moment: ", "font": {"size": 12, "color": INK}},
        "font": {"size": 9, "color": "rgba(0,0,0,0)"},
    }  # fmt: skip
    scene = _scene(x, y, z)
    scene["zaxis"] |= {"range": _range(states)}
    return figure(
        gathered.source, key, f"{title}, {at[0].ticker}", states[0], frames=frames, height=600, scene=scene, note=note,
        sliders=[slider] if len(steps) > 1 else [], margin={"l": 0, "r": 0, "t": 48, "b": 60},
        legend={"orientation": "v", "x": 0.01, "y": 0.95, "font": {"size": 11}},
    )  # fmt: skip


def _range(states: Sequence[list[Trace]]) -> list[float]:
    """Prices that any state shows, with a little room, within what a price can be."""
    cells = [cell for state in states for trace in state for cell in _heights(trace) if cell is not None]
    if not cells:
        return [0.0, 1.0]
    room = 0.05 * (max(cells) - min(cells)) + 0.005
    return [max(min(cells) - room, 0.0), min(max(cells) + room, 1.0)]


def _heights(trace: Trace) -> list[float | None]:
    if trace["type"] == "surface":
        return [cell for row in trace["z"] for cell in row]
    return list(trace["z"])


def _left(tau_s: float) -> str:
    return f"{tau_s:.0f} s" if tau_s < 600.0 else f"{tau_s / 60.0:.0f} min"


def _scene(x: str, y: str, z: str) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}, "zaxis": {"title": {"text": z}},
        "camera": _CAMERA, "aspectmode": "cube",
    }  # fmt: skip


def _surface(name: str, x: Sequence[float], y: Sequence[float], z: Grid, colours: str, opacity: float) -> Trace:
    return {
        "type": "surface", "name": name, "x": _short(x), "y": _short(y),
        "z": [[None if value is None else round(value, 5) for value in row] for row in z], "colorscale": colours,
        "opacity": opacity, "showscale": False, "showlegend": True,
        "contours": {"z": {"show": True, "usecolormap": False, "color": "rgba(0,0,0,0.25)", "width": 1}},
    }  # fmt: skip


def _short(values: Sequence[float]) -> list[float]:
    return [value if isinstance(value, int) else float(f"{value:.7g}") for value in values]


def _points(name: str, points: Sequence[tuple[float, float, float]], colour: str) -> Trace:
    x, y, z = ([point[place] for point in points] for place in range(3))
    return {
        "type": "scatter3d", "mode": "markers", "name": name, "x": x, "y": y, "z": z,
        "marker": {"size": 5, "color": colour, "line": {"color": "white", "width": 1}},
    }  # fmt: skip
