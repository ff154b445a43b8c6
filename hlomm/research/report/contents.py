"""What stands on the page, section by section, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import polars as pl

from hlomm.domain.basket_rows import TradeRow
from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_S, utc_clock
from hlomm.domain.units import to_fixed, to_text
from hlomm.research.report import figures_markets, figures_money, quality
from hlomm.research.report.drawing import Figure, signed
from hlomm.research.report.figures_surfaces import surfaces
from hlomm.research.report.gather import Gathered
from hlomm.research.report.quality import Scored
from hlomm.research.report.source import Source
from hlomm.research.report.tables import SCHEMAS
from hlomm.research.report.thin import Tally

_DAY_NS: Final = 86_400 * NS_PER_S
PAIRS_SHOWN: Final = 200


@attrs.frozen
class Tile:
    name: str
    value: str
    detail: str = ""
    mood: str = ""
    """`good`, `bad` or nothing."""


@attrs.frozen(kw_only=True)
class Grid:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str = "none"


@attrs.frozen(kw_only=True)
class Section:
    title: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Grid] = ()
    text: str = ""
    missing: Sequence[str] = ()
    """What cannot be shown, and why."""
    choice: bool = False
    """One figure at a time, chosen from a list."""


@attrs.frozen(kw_only=True)
class Contents:
    source: str
    name: str
    facts: Sequence[tuple[str, str]]
    told: Sequence[str]
    sound: bool
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    footer: Sequence[str]


def contents(gathered: Gathered, more: Sequence[Section] = ()) -> Contents:
    """Everything drawn and written down; text is plain here and escaped where it is put on the page.

    `more` comes after the result.
    """
    tally = Tally()
    shown, left_out = figures_markets.drawn(gathered)
    markets = [figures_markets.market(gathered, market, tally) for market in shown]
    held = figures_money.inventory(gathered, shown, tally)
    money = figures_money.money(gathered, tally)
    turned, why = surfaces(gathered)
    sections = [
        Section(
            title="Result", figures=[*money, *([] if held is None else [held])],
            missing=[
                *([] if money else ["no account was ever open: there is no result"]),
                *([] if held is not None else ["no contract was held at a sampled moment"]),
            ],
        ),
        *more,
        Section(
            title="Quotes against the book", figures=markets, choice=True,
            text=f"{left_out} more markets are not drawn; the Parquet file has all of them." if left_out else "",
            missing=[] if markets else ["no market was quoted or held"],
        ),
        _fills(gathered), _forecasts(gathered), Section(title="Surfaces", figures=turned, missing=why),
        _pairs(gathered), _income(gathered), _alerts(gathered),
    ]  # fmt: skip
    return Contents(
        source=str(gathered.source), name=gathered.name, facts=_facts(gathered), told=_told(gathered),
        sound=gathered.sound, tiles=_tiles(gathered), sections=sections,
        footer=[tally.text(), "Times are UTC, of the engine's wall clock; amounts in the venues' quote currency."],
    )  # fmt: skip


# -- header


def _facts(gathered: Gathered) -> list[tuple[str, str]]:
    boot = gathered.boot
    seconds = (gathered.last_ns - gathered.first_ns) // NS_PER_S
    recorded = gathered.source is Source.RECORDED
    unknown = "none" if gathered.source is not Source.SIM else "not on record"
    return [
        ("settings of profile" if recorded else "profile", boot.profile),
        ("recording" if recorded else "run", gathered.name),
        ("seed", unknown if boot.seed is None else str(boot.seed)),
        ("ran with", boot.version),
        ("reported with", gathered.version),
        ("from", stamp(gathered.first_ns)),
        ("to", stamp(gathered.last_ns)),
        ("span", f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"),
        ("venues", ", ".join(str(row.venue) for row in gathered.final.accounts) or "none"),
    ]


def stamp(wall_ns: int) -> str:
    return f"{utc_day(wall_ns)} {utc_clock(wall_ns)}"


def unaccounted(equity: pl.DataFrame) -> int:
    """Largest amount, over all samples, by which equity is not capital, marks and the parts of the result."""
    if equity.is_empty():
        return 0
    parts = sum((sign * pl.col(name) for name, sign, _ in figures_money.PARTS), pl.lit(0))
    missing = pl.col("equity") - pl.col("capital") - pl.col("marking") - parts
    return int(equity.select(missing.abs().max()).item())


def _told(gathered: Gathered) -> list[str]:
    left = unaccounted(gathered.tables["equity"])
    adds_up = (
        "the parts of the result add up to the change of equity, to the last unit, at every sample"
        if not left
        else f"THE PARTS OF THE RESULT DO NOT ADD UP: {to_text(left)} at worst"
    )
    return [*gathered.told, adds_up]


# -- key figures


def _tiles(gathered: Gathered) -> list[Tile]:
    final, equity = gathered.final, gathered.tables["equity"]
    change = 0 if equity.is_empty() else int(equity["total"][-1] - equity["total"][0])
    day = _day(equity)
    trades = final.arbitrage
    return [
        Tile("equity", to_fixed(final.equity, 2), f"{signed(_grown(equity))} by its result, at those marks"),
        Tile("result of the run", signed(change), f"{signed(final.pnl.total)} since the books began", _mood(change)),
        Tile("result of the day", signed(day), "since 00:00 UTC, or since the run began", _mood(day)),
        Tile("drawdown", to_fixed(final.drawdown, 2), f"largest {to_fixed(final.max_drawdown, 2)}"),
        Tile(
            "fills", str(final.fills),
            f"{final.orders_placed} orders, {final.amends} amends, {final.cancels} cancels",
        ),
        Tile("volume", to_fixed(final.volume, 2), "notional"),
        Tile("fees", to_fixed(final.pnl.fees, 2), "paid"),
        Tile("settled contracts", str(final.quoted_settled), f"of {final.quoted} quoted"),
        Tile("pairs across venues", str(trades.taken), f"{trades.settled} settled, {trades.mismatched} mismatched"),
        Tile(
            "expected of those", signed(trades.expected), f"realised {signed(trades.realised)}",
            _mood(trades.realised),
        ),
        Tile("state at the end", final.state, final.reason),
        Tile("broken invariants", str(final.invariant_breaks), "", "bad" if final.invariant_breaks else ""),
    ]  # fmt: skip


def _grown(equity: pl.DataFrame) -> int:
    """Change of equity that no capital brought."""
    own = equity["equity"] - equity["capital"]
    return 0 if equity.is_empty() else int(own[-1] - own[0])


def _day(equity: pl.DataFrame) -> int:
    """Change of the result since the last sample before the final day began."""
    if equity.is_empty():
        return 0
    midnight = equity["wall_ns"][-1] // _DAY_NS * _DAY_NS
    before = equity.filter(pl.col("wall_ns") < midnight)
    start = equity["total"][0] if before.is_empty() else before["total"][-1]
    return int(equity["total"][-1] - start)


def _mood(value: int) -> str:
    return "good" if value > 0 else "bad" if value < 0 else ""


# -- sections


def _fills(gathered: Gathered) -> Section:
    by_p, by_tau = quality.markouts(gathered.tables["fills"])
    made = [
        figures_markets.markout_figure(gathered, "markout-p", "Markouts by price", by_p, "YES price of the fill"),
        figures_markets.markout_figure(gathered, "markout-tau", "Markouts by time left", by_tau, "time to settlement"),
    ]
    found = [one for one in made if one is not None]
    missing = [] if found else ["no fill of a resting order lived long enough for a markout"]
    return Section(title="Markouts", figures=found, missing=missing)


def _forecasts(gathered: Gathered) -> Section:
    scored = quality.scores(gathered.tables["quotes"], gathered.settled)
    picture = figures_markets.calibration_figure(gathered, scored)
    if picture is None:
        return Section(title="Calibration of P(YES)", missing=["no contract with a fair value settled in this run"])
    head = ("time left", "contracts", "samples", "Brier", "rel.", "res.", "unc.", "variance", "covariance",
            "log loss", "skill", "with a mid", "Brier there", "Brier of mid")  # fmt: skip
    return Section(
        title="Calibration of P(YES)", figures=[picture], tables=[
            Grid(
                title="Brier = reliability − resolution + uncertainty + within-bin variance − within-bin covariance",
                head=head, rows=[_score(row) for row in scored],
            )
        ],
    )  # fmt: skip


def _score(row: Scored) -> list[str]:
    made = row.model
    parts = (made.brier, made.reliability, made.resolution, made.uncertainty, made.within_bin_var, made.within_bin_cov)
    return [
        row.tau, str(row.events), str(made.n), *(f"{part:.5f}" for part in parts), f"{made.log_loss:.4f}",
        "–" if made.skill is None else f"{made.skill:+.3f}", "0" if row.market is None else str(row.market.n),
        "–" if row.model_there is None else f"{row.model_there.brier:.5f}",
        "–" if row.market is None else f"{row.market.brier:.5f}",
    ]  # fmt: skip


def _pairs(gathered: Gathered) -> Section:
    trades = gathered.final.arbitrage.trades
    kinds = gathered.final.arbitrage.kinds
    return Section(
        title="Pairs across venues, strikes and sets",
        text="" if len(trades) <= PAIRS_SHOWN else f"the last {PAIRS_SHOWN} of {len(trades)} on record",
        tables=[
            Grid(
                title="By kind (expected and realised of those that settled)",
                head=("kind", "taken", "settled", "mismatched", "paid more", "expected", "realised"),
                rows=[
                    [str(kind), str(row.taken), str(row.settled), str(row.mismatched), str(row.bonus),
                     signed(row.expected), signed(row.realised)]
                    for kind, row in kinds.items() if row.taken
                ], empty="none was taken",
            ),
            Grid(
                title="One by one", head=("began", "kind", "quantity", "spent", "expected", "realised", "how", "group"),
                rows=[_pair(row) for row in trades[-PAIRS_SHOWN:]], empty="none was completed",
            ),
        ],
    )  # fmt: skip


def _pair(row: TradeRow) -> list[str]:
    return [
        stamp(row.began_ms * 1_000_000), str(row.kind), to_text(row.qty), to_fixed(row.spent, 4),
        to_fixed(row.expected, 4), "–" if row.realised is None else to_fixed(row.realised, 4), row.how, row.group,
    ]  # fmt: skip


def _income(gathered: Gathered) -> Section:
    rows = [
        [str(row.venue), to_fixed(row.rebates, 4), str(row.scoring), str(row.quoted), to_fixed(row.per_day, 2)]
        for row in gathered.income
        if row.rebates or row.quoted
    ]
    return Section(
        title="Rebates and rewards", tables=[
            Grid(
                title="Estimated; no part of the result until a venue pays it",
                head=("venue", "rebates of this run", "contracts that score at its end", "quoted with a programme",
                      "rewards a day as they stand"), rows=rows, empty="no venue promised any",
            )
        ],
    )  # fmt: skip


def _alerts(gathered: Gathered) -> Section:
    rows = [[level, code, str(count)] for (level, code), count in gathered.alerts.items()]
    columns = [
        [name, column, str(kind), meaning]
        for name, schema in SCHEMAS.items()
        for column, (kind, meaning) in schema.items()
    ]
    return Section(
        title="Alerts and data",
        tables=[
            Grid(title="Alerts", head=("level", "code", "times"), rows=sorted(rows, key=lambda row: -int(row[2]))),
            Grid(
                title="Columns of the Parquet files (`hlomm report --parquet`), amounts in 1e-8",
                head=("file", "column", "type", "meaning"), rows=columns,
            ),
        ],
    )  # fmt: skip
