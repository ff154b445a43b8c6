"""One picture of a backtest: prices and own quotes, inventory, result."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.research.backtest_result import BacktestResult


def draw(result: BacktestResult, path: Path) -> None:
    """Write an SVG (or whatever the suffix asks for)."""
    import matplotlib as mpl  # noqa: PLC0415 - a second of import, needed only here
    from matplotlib.figure import Figure  # noqa: PLC0415

    mpl.rcParams["svg.hashsalt"] = "hlomm"  # the same run gives the same file
    figure = Figure(figsize=(11, 8), layout="constrained")
    prices, inventory, pnl = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
    times = [_time(sample.wall_ns) for sample in result.samples]

    def column(name: str) -> list[float | None]:
        values = [getattr(sample, name) for sample in result.samples]
        return [None if value is None else value / SCALE for value in values]

    prices.step(times, column("bid"), where="post", color="#2a9d8f", lw=0.8, label="best bid")
    prices.step(times, column("ask"), where="post", color="#e76f51", lw=0.8, label="best ask")
    prices.step(times, column("own_bid"), where="post", color="#264653", lw=0.8, ls=":", label="our bid")
    prices.step(times, column("own_ask"), where="post", color="#264653", lw=0.8, ls=":", label="our ask")
    prices.plot(times, column("fair"), color="#e9c46a", lw=1.0, label="fair value")
    for sign, marker, name in ((1, "^", "bought YES"), (-1, "v", "sold YES")):
        chosen = [fill for fill in result.fills if fill.sign == sign]
        prices.scatter(
            [_time(fill.wall_ns) for fill in chosen], [fill.px / SCALE for fill in chosen], marker=marker, s=28,
            color="#1d3557", zorder=3, label=name,
        )  # fmt: skip
    prices.set_ylabel("YES price")
    prices.legend(loc="best", fontsize=8, ncols=2)
    prices.set_title(f"{result.recording.outcome.ticker} — {len(result.fills)} fills")
    inventory.step(times, column("net"), where="post", color="#264653")
    inventory.set_ylabel("YES - NO")
    pnl.plot(times, column("pnl"), color="#2a9d8f")
    pnl.set_ylabel("PnL (USDC)")
    for axis in (prices, inventory, pnl):
        axis.grid(visible=True, alpha=0.3)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _time(wall_ns: int) -> datetime:
    return datetime.fromtimestamp(wall_ns / NS_PER_S, UTC)
