"""What a backtest found: paths, fills and measurements, as a document for machines and a text for people."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from hlomm.assembly.documents import amount, engine_document
from hlomm.domain.report import EngineReport, Pnl
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, to_fixed, to_text
from hlomm.research.fair_error import FairError
from hlomm.research.fee_schedule import Schedule
from hlomm.research.fill_model import FillModel
from hlomm.research.hedge_overlay import Overlay
from hlomm.research.recording import Recording
from hlomm.research.tape_counts import Counts


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One point of the run's paths; prices in YES space, None where there is none."""

    wall_ns: int
    bid: Px | None
    ask: Px | None
    fair: Px | None
    own_bid: Px | None
    own_ask: Px | None
    net: int
    pnl: int


@attrs.frozen
class FillPoint:
    wall_ns: int
    sign: int
    """+1 bought YES (or sold NO)."""
    px: Px
    qty: int
    maker: bool


@attrs.frozen(kw_only=True)
class End:
    """What one fill model makes of a recording."""

    tag: str
    queue: str
    pnl: int
    fills: int

    def text(self) -> str:
        return f"{_signed(self.pnl)} by queue-{self.queue} ({self.fills} fills)"


@attrs.frozen(kw_only=True)
class Bracket:
    """Two ends of what is not known of the queue. More fills are not more profit, so either may be the larger."""

    pessimistic: End
    optimistic: End

    def document(self) -> dict[str, Any]:
        ends = {"pessimistic": self.pessimistic, "optimistic": self.optimistic}
        return {
            **{name: amount(end.pnl) for name, end in ends.items()},
            "fills": {name: end.fills for name, end in ends.items()},
            "fill_models": {name: end.tag for name, end in ends.items()},
        }

    def text(self) -> str:
        return (
            f"bracket: pnl {self.pessimistic.text()} to {self.optimistic.text()} - "
            "these are models of the queue, not facts: nobody knows what would have filled"
        )


@attrs.define(kw_only=True)
class BacktestResult:
    recording: Recording
    final: EngineReport
    settled: Px | None
    samples: list[Sample]
    fills: list[FillPoint]
    markouts: dict[int, dict[str, float | int | None]]
    turns: int
    inputs: int
    brier: float | None
    brier_market: float | None
    filled_from: list[tuple[str, int, int]]
    digest: int
    fair_error: FairError
    hedged: Overlay
    model: FillModel
    fees: Schedule
    counts: Counts
    bracket: Bracket | None = None
    """None if nobody asked for it."""

    @property
    def end(self) -> End:
        return End(tag=self.model.tag, queue=self.model.queue_tag, pnl=self.final.pnl.total, fills=self.final.fills)

    def document(self, profile: str) -> dict[str, Any]:
        first, last = self.recording.events[0].received_ns, self.recording.events[-1].received_ns
        path = [amount(sample.net) for sample in self.samples]
        return {
            "profile": profile,
            "seed": self.model.latency.seed,
            "duration_s": round((last - first) / NS_PER_S, 3),
            **engine_document(self.final),
            "venue_open_orders": 0,
            "invariant_breaks": self.final.invariant_breaks,
            "journal": None,
            "latency_us": {"p50": None, "p99": None},
            "market": self.recording.outcome.ticker,
            "settled": None if self.settled is None else amount(self.settled),
            "quotes": self.final.orders_placed + self.final.amends,
            "fill_model": self.model.tag,
            "bracket": None if self.bracket is None else self.bracket.document(),
            "fees": {"rule": self.fees.said, "known": self.fees.known},
            "filled_how": attrs.asdict(self.counts),
            "markouts": {str(h): row for h, row in self.markouts.items()},
            "brier": self.brier,
            "brier_market": self.brier_market,
            "fair_error": self.fair_error.document(),
            "hedge_overlay": self.hedged.document(),
            "inventory_path": {
                "max": max(path, default=0.0),
                "min": min(path, default=0.0),
                "last": path[-1] if path else 0.0,
                "samples": path[:: max(len(path) // 60, 1)],
            },
            "data": {
                "events": len(self.recording.events),
                "books": self.recording.books,
                "book_events": self.recording.book_events,
                "prints_raw": self.recording.prints_raw,
                "prints_replayed": self.recording.prints_replayed,
                "mirrored_books": self.recording.mirrored,
            },
            "turns": self.turns,
            "digest": f"{self.digest:016x}",
        }

    def text(self) -> str:
        engine, pnl, path = self.final, self.final.pnl, [sample.net for sample in self.samples]
        data = self.recording
        rows = [
            (
                f"{data.outcome.ticker}: {data.books} books (of which {data.mirrored} mirrored on the NO coin), "
                f"{data.prints_raw} raw prints, {data.prints_replayed} of them replays"
            ),
            *(f"in the data: {count} {what.replace('_', ' ')}" for what, count in data.repairs),
            f"fill model: {self.model.tag}",
            f"fees: {self.fees.said}",
            (
                f"quotes {engine.orders_placed + engine.amends} "
                f"(orders {engine.orders_placed}, amends {engine.amends}), "
                f"cancels {engine.cancels}, fills {engine.fills}, volume {to_fixed(engine.volume, 2)}"
            ),
            self.counts.text(),
            (
                f"inventory from {to_text(min(path, default=0))} to {to_text(max(path, default=0))} contracts; "
                f"settled {'-' if self.settled is None else to_text(self.settled)}"
            ),
            f"{parts_text(pnl)}; max drawdown {to_fixed(engine.max_drawdown, 2)}",
        ]
        if self.bracket is not None:
            rows.append(self.bracket.text())
        for horizon, row in self.markouts.items():
            mean = "-" if row["mean"] is None else f"{row['mean'] * 100:+.3f} c"
            rows.append(f"markout {horizon:>2} s: {mean} per contract ({row['n']} fills)")
        if self.brier is not None and self.brier_market is not None:
            rows.append(f"Brier score: fair value {self.brier:.5f}, market mid {self.brier_market:.5f}")
        rows.append(self.hedged.text())
        rows.extend(self.fair_error.text())
        return "\n".join(rows)


def parts_text(pnl: Pnl) -> str:
    """The result and its parts with every digit: cut to cents they would not add up."""
    return (
        f"pnl {_exact(pnl.total)} = spread {_exact(pnl.spread)} + inventory {_exact(pnl.inventory)} "
        f"+ settlement {_exact(pnl.settlement)} - fees {to_text(pnl.fees)}"
        + (f" + rounding {_exact(pnl.rounding)}" if pnl.rounding else "")
    )


def _exact(value: int) -> str:
    return ("+" if value >= 0 else "") + to_text(value)


def _signed(value: int) -> str:
    return ("+" if value >= 0 else "") + to_fixed(value, 2)
