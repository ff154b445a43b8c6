"""What a comparison found: per market, in sum, as a document and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from hlomm.assembly.documents import amount
from hlomm.domain.ids import MarketId
from hlomm.domain.units import Px, to_fixed
from hlomm.research.drift.delays import Delays
from hlomm.research.store.recordings import Excluded

PARTS: Final = ("latency", "signals", "others", "queue", "fees")


@attrs.frozen(kw_only=True)
class QuoteShares:
    """Of time and sides."""

    equal: float
    differ: float
    only_live: float
    only_model: float
    apart: float | None
    """Mean distance in price where both quoted."""


@attrs.frozen(kw_only=True)
class MarketDrift:
    """Amounts in 1e-8; `model` plus the parts is `live`."""

    ticker: str
    market: MarketId
    period: str
    settled: Px | None
    mark: Px
    model: int
    latency: int
    signals: int
    others: int
    queue: int
    fees: int
    live: int
    fills: tuple[int, ...]
    """Trades of M0, M1, R and L."""
    contracts: tuple[int, ...]
    """The same in contracts, 1e-8."""
    quotes: QuoteShares
    fair_same: float | None
    """Share of the time in which the two runs had the same fair value."""
    fair_apart: float | None
    """Mean distance of the two, in price."""
    queue_models: Mapping[str, tuple[int, int]]
    """(result before fees, trades) of the run's own orders by queue model."""

    @property
    def gap(self) -> int:
        return self.live - self.model

    @property
    def residual(self) -> int:
        """What the parts leave of the gap: nothing."""
        return self.gap - (self.latency + self.signals + self.others + self.queue + self.fees)

    def document(self) -> dict[str, Any]:
        return {
            "market": self.market, "ticker": self.ticker, "period": self.period,
            "settled": None if self.settled is None else amount(self.settled), "mark": amount(self.mark),
            **{name: amount(getattr(self, name)) for name in ("model", *PARTS, "live", "gap", "residual")},
            "fills": dict(zip(("model", "timed", "as_sent", "live"), self.fills, strict=True)),
            "contracts": dict(
                zip(("model", "timed", "as_sent", "live"), (amount(qty) for qty in self.contracts), strict=True)
            ),
            "quotes": attrs.asdict(self.quotes), "fair_same": self.fair_same,
            "fair_apart": self.fair_apart,
            "queue_models": {
                name: {"result": amount(worth), "fills": trades} for name, (worth, trades) in self.queue_models.items()
            },
        }  # fmt: skip


@attrs.frozen(kw_only=True)
class Drift:
    name: str
    profile: str
    fill_model: str
    markets: tuple[MarketDrift, ...]
    excluded: tuple[Excluded, ...]
    assumed: Delays
    measured: Delays | None
    """None where too few orders were stamped: then nothing is put down to latency."""
    total: int
    """The engine's own result of everything, when the run was asked to end."""
    elsewhere: int
    hedge: int
    """Of `elsewhere`, what perps brought."""
    told: tuple[str, ...]
    replay: str
    sound: bool

    def sums(self) -> dict[str, int]:
        names = ("model", *PARTS, "live")
        return {name: sum(getattr(one, name) for one in self.markets) for name in names}

    def document(self) -> dict[str, Any]:
        sums = self.sums()
        return {
            "run": self.name, "profile": self.profile, "fill_model": self.fill_model, "sound": self.sound,
            "replay": self.replay, "told": list(self.told),
            "latency_ns": {
                "assumed": attrs.asdict(self.assumed),
                "measured": None if self.measured is None else attrs.asdict(self.measured),
            },
            "sum": {name: amount(value) for name, value in sums.items()}
            | {"gap": amount(sums["live"] - sums["model"]), "elsewhere": amount(self.elsewhere),
               "hedge": amount(self.hedge), "total": amount(self.total)},
            "markets": [one.document() for one in self.markets],
            "excluded": [attrs.asdict(one) for one in self.excluded],
        }  # fmt: skip

    def text(self) -> str:
        lines = [f"run {self.name} ({self.profile}): {self.replay}; fill model: {self.fill_model}", self._latency()]
        lines += self.told
        lines += [f"left out: {one.ticker or one.market}: {one.reason}" for one in self.excluded]
        table: list[tuple[str, ...]] = [
            ("market", "model", *PARTS, "live", "fills", "quotes equal", "fair equal", "apart")
        ]
        table += [
            (
                one.ticker, *(_signed(getattr(one, name)) for name in ("model", *PARTS, "live")),
                f"{one.fills[0]}/{one.fills[1]}/{one.fills[2]}/{one.fills[3]}", _share(one.quotes.equal),
                _share(one.fair_same), "-" if one.fair_apart is None else f"{100 * one.fair_apart:.2f} c",
            )
            for one in self.markets
        ]  # fmt: skip
        sums = self.sums()
        table.append(("sum", *(_signed(sums[name]) for name in ("model", *PARTS, "live")), "", "", "", ""))
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        lines.append("")
        for row in table:
            first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join((row[0].ljust(len(first)), *rest)).rstrip())
        lines += [
            "", "fills: of the model, with measured latency, of the run's own orders in the model, live",
            f"the run's own orders by queue model, fills and result: {self._by_queue()}",
            f"elsewhere {_signed(self.elsewhere)} (perps {_signed(self.hedge)}), in all {_signed(self.total)}",
        ]  # fmt: skip
        return "\n".join(lines)

    def _by_queue(self) -> str:
        found: dict[str, tuple[int, int]] = {}
        for one in self.markets:
            for name, (worth, trades) in one.queue_models.items():
                before = found.get(name, (0, 0))
                found[name] = before[0] + worth, before[1] + trades
        live = sum(one.live for one in self.markets), sum(one.fills[3] for one in self.markets)
        told = [f"{name} {trades} {_signed(worth)}" for name, (worth, trades) in found.items()]
        return ", ".join([*told, f"live {live[1]} {_signed(live[0])}"])

    def _latency(self) -> str:
        assumed = f"{self.assumed.entry_ns / 1e6:.0f} + {self.assumed.answer_ns / 1e6:.0f} ms assumed"
        if self.measured is None:
            return f"latency: {assumed}; too few orders of this run were stamped to measure it"
        return (
            f"latency: {assumed}, {self.measured.entry_ns / 1e6:.0f} + {self.measured.answer_ns / 1e6:.0f} ms measured"
        )


def _signed(value: int) -> str:
    return ("+" if value >= 0 else "") + to_fixed(value, 2)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"
