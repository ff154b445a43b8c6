"""The comparison as a section of a run's page (`hlomm report RUN --drift`)."""

from __future__ import annotations

from hlomm.domain.units import to_fixed
from hlomm.research.drift.result import PARTS, Drift, MarketDrift
from hlomm.research.report.contents import Grid, Section
from hlomm.research.report.drawing import signed

_SUM = "sum"


def section(drift: Drift) -> Section:
    """One row per market: the model's result, what each cause adds, and what was made."""
    names = ("model", *PARTS, "live")
    sums = drift.sums()
    by_market = Grid(
        title="What the model says it should have made, and what it made", head=("market", *names),
        rows=[
            *((one.ticker, *(signed(getattr(one, name)) for name in names)) for one in drift.markets),
            (_SUM, *(signed(sums[name]) for name in names)),
        ],
    )  # fmt: skip
    alike = Grid(
        title="How alike the two decided", empty="nothing was compared",
        head=("market", "trades of model", "with its latency", "its own orders in the model", "live", "quotes equal",
              "fair equal", "fair apart"),
        rows=[(one.ticker, *map(str, one.fills), *_shares(one)) for one in drift.markets],
    )  # fmt: skip
    return Section(
        title="Live against the model", tables=[by_market, alike], text=_text(drift), missing=[
            f"{one.ticker or one.market}: {one.reason}" for one in drift.excluded
        ],
    )  # fmt: skip


def _shares(one: MarketDrift) -> tuple[str, str, str]:
    same = "-" if one.fair_same is None else f"{100 * one.fair_same:.0f} %"
    apart = "-" if one.fair_apart is None else f"{100 * one.fair_apart:.2f} c"
    return f"{100 * one.quotes.equal:.0f} %", same, apart


def _text(drift: Drift) -> str:
    elsewhere = f"Elsewhere {to_fixed(drift.elsewhere, 2)}, of which perps {to_fixed(drift.hedge, 2)}."
    return " ".join((f"Fill model: {drift.fill_model}.", *(f"{one}." for one in drift.told), elsewhere))
