"""The surfaces over the time of a run, as animated GIFs: one frame per recorded moment, the source tag in each."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hlomm.domain.times import utc_clock
from hlomm.research.report.gather import Gathered
from hlomm.research.report.surfaces import (
    Grid,
    Inefficiency,
    Moment,
    band,
    band_axes,
    chosen_market,
    in_cents,
    inefficiency,
    moments,
    odds,
    odds_axes,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES: Final = 36
FRAME_MS: Final = 160
LAST_MS: Final = 1_500
"""Of the last frame, before it begins again."""
_SIZE: Final = (7.2, 5.4)
_DPI: Final = 100


def write(gathered: Gathered, stem: Path) -> tuple[list[Path], list[str]]:
    """Files `<stem>-<surface>.gif`, and of those that cannot be drawn the reason."""
    written: list[Path] = []
    missing: list[str] = []
    for name, make, reason in (
        ("quote-band", band_frames, "no strategy of this run quoted by a model"),
        ("p-yes", odds_frames, "no contract of this run was priced on its underlying"),
        ("inefficiency", inefficiency_frames, "no event of this run was seen at two venues"),
    ):
        frames = make(gathered)
        if len(frames) < 2:
            missing.append(f"no GIF of {name}: {reason if not frames else 'only one moment was recorded'}")
            continue
        path = stem.with_name(f"{stem.name}-{name}.gif")
        _save(path, (frame() for frame in frames))
        written.append(path)
    return written, missing


Frames = list[Callable[[], "Figure"]]
"""Each draws one frame when asked: only one is ever held."""


def band_frames(gathered: Gathered) -> Frames:
    chosen = moments(gathered, chosen_market(gathered), FRAMES)
    sigmas, qs = band_axes(gathered, chosen)
    made = [one for moment in chosen if sigmas and (one := band(gathered, moment, sigmas=sigmas, qs=qs)) is not None]
    low, high = _reach(grid for one in made for grid in (one.bid, one.ask))

    def draw(number: int) -> Figure:
        one = made[number]
        figure, axes = _canvas(gathered, "Quote band over (σ, q)", one.moment)
        for grid, colours in ((one.bid, "Blues"), (one.ask, "Reds")):
            _surface(axes, one.x, one.y, grid, colours, low, high)
        if one.moment.sigma_p is not None:
            for px in (one.moment.own_bid, one.moment.own_ask):
                if px is not None:
                    axes.scatter([in_cents(one.moment.sigma_p)], [one.moment.q], [px], color="black", s=24, zorder=9)
        _label(axes, "σ of the price, c/√min", "q = YES − NO", "YES price", (low, high))
        return figure

    return [lambda number=number: draw(number) for number in range(len(made))]  # type: ignore[misc]


def odds_frames(gathered: Gathered) -> Frames:
    chosen = moments(gathered, chosen_market(gathered), FRAMES)
    sigmas, spots = odds_axes(gathered, chosen)
    made = [one for moment in chosen if sigmas and (one := odds(gathered, moment, sigmas=sigmas, spots=spots))]

    def draw(number: int) -> Figure:
        one = made[number]
        figure, axes = _canvas(gathered, "P(YES) over (σ, S)", one.moment)
        _surface(axes, one.x, one.y, one.p, "viridis", 0.0, 1.0)
        if one.moment.realised_vol is not None:
            axes.scatter([one.moment.realised_vol], [one.moment.spot], [one.moment.fair], color="red", s=30, zorder=9)
        _label(axes, "realised σ, per √year", "S, underlying", "P(YES)", (0.0, 1.0))
        return figure

    return [lambda number=number: draw(number) for number in range(len(made))]  # type: ignore[misc]


def inefficiency_frames(gathered: Gathered) -> Frames:
    """The surface as far as it was known, further in every frame."""
    found = inefficiency(gathered)
    if found is None or len(found.x) < 2:
        return []
    whole = found
    _, high = _reach([found.z])
    count = min(FRAMES, len(found.x) - 1)
    ends = [1 + (len(found.x) - 1) * number // count for number in range(1, count + 1)]

    def draw(end: int) -> Figure:
        figure, axes = _canvas(gathered, "Inefficiency over (venue, time)", None, whole.x[end - 1])
        minutes = [(at - whole.x[0]) / 60e9 for at in whole.x]
        _surface(axes, minutes[:end], list(range(len(whole.venues))), [row[:end] for row in whole.z], "YlOrRd",
                 0.0, high)  # fmt: skip
        axes.set_xlim(minutes[0], minutes[-1])
        _label(axes, f"minutes since {utc_clock(whole.x[0])}", "", "|deviation| / cost", (0.0, high))
        _venues(axes, whole)
        return figure

    return [lambda end=end: draw(end) for end in ends]  # type: ignore[misc]


# -- drawing


def _canvas(gathered: Gathered, title: str, moment: Moment | None, wall_ns: int | None = None) -> tuple[Figure, Any]:
    """A figure with its title, its moment and the tag."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - a second of import, needed only here

    figure = Figure(figsize=_SIZE, dpi=_DPI)
    axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)
    axes.view_init(elev=24, azim=-128)
    axes.tick_params(labelsize=7)
    figure.text(0.03, 0.95, f"{title} — source: {gathered.source}", fontsize=12, weight="bold", parse_math=False)
    if moment is not None:
        said = f"{moment.ticker[:60]}   {utc_clock(moment.wall_ns)} UTC   {moment.tau_s:.0f} s left"
    else:
        said = "" if wall_ns is None else f"{utc_clock(wall_ns)} UTC"
    figure.text(0.03, 0.91, said, fontsize=9, color="#616e7c", parse_math=False)
    return figure, axes


def _surface(
    axes: Any, x: Sequence[float], y: Sequence[float], grid: Grid, colours: str, low: float, high: float
) -> None:
    import numpy as np  # noqa: PLC0415 - as matplotlib

    heights = np.array([[np.nan if cell is None else cell for cell in row] for row in grid])
    across, along = np.meshgrid(np.array(x), np.array(y))
    if np.isfinite(heights).any():
        axes.plot_surface(across, along, heights, cmap=colours, vmin=low, vmax=high, alpha=0.85, linewidth=0.2,
                          edgecolor="#33333355")  # fmt: skip


def _label(axes: Any, x: str, y: str, z: str, reach: tuple[float, float]) -> None:
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.set_zlabel(z, fontsize=8)
    axes.set_zlim(*reach)


def _venues(axes: Any, found: Inefficiency) -> None:
    axes.set_yticks(list(range(len(found.venues))), found.venues)


def _reach(grids: Any) -> tuple[float, float]:
    """Least and greatest height of several grids, apart."""
    cells = [cell for grid in grids for row in grid for cell in row if cell is not None]
    low, high = min(cells, default=0.0), max(cells, default=1.0)
    return (low, high) if high > low else (low - 0.01, high + 0.01)


def _save(path: Path, figures: Iterator[Figure]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - as matplotlib
    from PIL import Image  # noqa: PLC0415 - as matplotlib, which brings it

    images = []
    for figure in figures:
        raw = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(raw, format="png")
        images.append(Image.open(raw).convert("RGB").quantize(128))
    times = [*(FRAME_MS for _ in images[1:]), LAST_MS]
    images[0].save(path, save_all=True, append_images=images[1:], duration=times, loop=0, optimize=False)
