"""How good fills and forecasts were: markouts by price and time left, and the calibration of P(YES).

Forecasts are fair values as they were sampled (`quotes`), of contracts that settled within the run, held against what
YES paid; the market's mid at the same instants is scored beside them. Snapshots of one event are not independent, so
the number of events is told with every score (QUANT 10).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import polars as pl

from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.fills import FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.units import SCALE
from hlomm.pricing.calibration import Calibration, calibration
from hlomm.research.report.watch import Settled

P_EDGES: Final = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)
"""Of the YES price of a fill; the lower end belongs to a bucket, 1 to the last."""
TAU_EDGES: Final = ((0.0, "<1 min"), (60.0, "1-5"), (300.0, "5-15"), (900.0, "15-30"), (1800.0, "30-60"),
                    (3600.0, ">60 min"))  # fmt: skip
"""(from, name) of the time left in seconds, the nearest to settlement first."""
BINS: Final = 10
ALL: Final = "all"


@attrs.frozen(kw_only=True)
class MarkoutCell:
    """Our resting orders' fills of one bucket. `mean` per contract, weighted by size, in price; None without any."""

    bucket: str
    horizon_s: int
    fills: int
    mean: float | None


@attrs.frozen(kw_only=True)
class Scored:
    """Forecasts of one stretch of time to expiry, all of them together under `ALL`."""

    tau: str
    events: int
    model: Calibration
    market: Calibration | None
    """Of the mids at those instants that had one, scored against the same results."""
    model_there: Calibration | None
    """Of the forecasts at those instants: what the mids may be compared with."""


def p_bucket(p: float) -> str:
    at = max(index for index, edge in enumerate(P_EDGES[:-1]) if p >= edge or not index)
    return f"{P_EDGES[at]:g}-{P_EDGES[at + 1]:g}"


def tau_bucket(tau_s: float) -> str:
    return next(name for edge, name in reversed(TAU_EDGES) if tau_s >= edge)


P_BUCKETS: Final = tuple(p_bucket(edge) for edge in P_EDGES[:-1])
TAU_BUCKETS: Final = tuple(name for _, name in TAU_EDGES)


def markouts(fills: pl.DataFrame) -> tuple[list[MarkoutCell], list[MarkoutCell]]:
    """(by price, by time left), in the order of the buckets."""
    chosen = fills.filter(pl.col("outcome") & pl.col("maker") & (pl.col("kind") == FillKind.TRADE.value))
    by_p = chosen.with_columns(
        (pl.col("yes_px") / SCALE).map_elements(p_bucket, return_dtype=pl.String).alias("bucket")
    )
    by_tau = chosen.filter(pl.col("tau_s").is_not_null()).with_columns(
        pl.col("tau_s").map_elements(tau_bucket, return_dtype=pl.String).alias("bucket")
    )
    return _cells(by_p, P_BUCKETS), _cells(by_tau, TAU_BUCKETS)


def _cells(fills: pl.DataFrame, buckets: tuple[str, ...]) -> list[MarkoutCell]:
    cells = []
    for bucket in buckets:
        inside = fills.filter(pl.col("bucket") == bucket)
        for horizon_s in MARKOUT_S:
            known = inside.select("qty", value=pl.col(f"markout_{horizon_s}s")).drop_nulls().rows()
            total = sum(qty for qty, _ in known)
            mean = sum(qty * value for qty, value in known) / total / SCALE if total else None
            cells.append(MarkoutCell(bucket=bucket, horizon_s=horizon_s, fills=len(known), mean=mean))
    return cells


def scores(quotes: pl.DataFrame, settled: Mapping[MarketId, Settled]) -> list[Scored]:
    """By time left, `ALL` last; nothing without a contract that settled."""
    rows = [
        (tau_bucket(tau_s), market, fair / SCALE, settled[market].yes_px / SCALE,
         None if bid is None or ask is None else (bid + ask) / (2 * SCALE))
        for market, wall_ns, tau_s, fair, bid, ask in quotes.select(
            "market", "wall_ns", "tau_s", "fair", "bid", "ask"
        ).iter_rows()
        if fair is not None and market in settled and wall_ns < settled[market].wall_ns and tau_s > 0.0
    ]  # fmt: skip
    found = []
    for name in (*TAU_BUCKETS, ALL):
        inside = [row for row in rows if name in (ALL, row[0])]
        model = calibration([row[2] for row in inside], [row[3] for row in inside], BINS)
        if model is None:
            continue
        both = [(p, o, mid) for _, _, p, o, mid in inside if mid is not None]
        outcomes = [o for _, o, _ in both]
        found.append(
            Scored(
                tau=name, events=len({row[1] for row in inside}), model=model,
                market=calibration([mid for _, _, mid in both], outcomes, BINS),
                model_there=calibration([p for p, _, _ in both], outcomes, BINS),
            )
        )  # fmt: skip
    return found
