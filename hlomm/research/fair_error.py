"""How wrong fair values were, by time to expiry: a constant vol against what the strategy believed.

Forecasts of P(YES) at every snapshot of the recorded book:

- `constant_realised`: Black-Scholes digital on the vol realised over the whole recording up to then (2 s grid);
- `constant_configured`: the same on the configured annual vol;
- `model`: the strategy's digital (QUANT 3.2, 4: term structure, fat tails, implied vol of the books before this one),
  without a look at this book;
- `default`: what the strategy quotes around, its model blended with this book;
- `market`: the book's own mid, as a forecast of the result.

Measured against the mid where there is one; against the interval from the bid to 1 (or 0 to the ask) where one side
is missing, which a forecast can only leave, not hit; and squared against the result. Snapshots of one event are not
independent: squared errors against one result say how confident a forecast was, not how good it is (QUANT 10).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final

import attrs
import msgspec

from hlomm.pricing import digital
from hlomm.pricing.digital import YEAR_S
from hlomm.pricing.expected import Contract, implied_vol

FORECASTS: Final = ("constant_realised", "constant_configured", "model", "default", "market")
BINS: Final = ((3600.0, math.inf, ">60 min"), (1800.0, 3600.0, "60-30"), (900.0, 1800.0, "30-15"),
               (300.0, 900.0, "15-5"), (60.0, 300.0, "5-1"), (0.0, 60.0, "<1"))  # fmt: skip
"""(from, to, name) of the time left, in seconds; the lower end is included."""
CALIBRATION_EDGES: Final = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)
IN_SAMPLE: Final = (
    "In sample: the reasons for a term structure (realised about 12 %, implied 17 % early and 35 % at the end) were "
    "measured on this kind of recording. Out of sample: the model's numbers (relaxation, kernel) come from other price "
    "series, none is fitted here; the premium learns only from books before the one it is judged on; and five settled "
    "dailies of another venue are part of the tests. One recording is one result: its squared errors favour "
    "the surest winner, so the errors to the mid decide."
)
_GRID_S: Final = 2.0


@attrs.frozen(kw_only=True)
class Snapshot:
    """Forecasts and book at one instant; None for what was not known."""

    tau_s: float
    bid: float | None
    ask: float | None
    p: tuple[float | None, ...]
    """In the order of FORECASTS."""
    realised: float | None
    implied: float | None
    expected: float | None
    """Vols per sqrt(year): over the recording so far, of the mid, and what the strategy prices with."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One book and what was known then: all that a snapshot is made of, once somebody asks."""

    tau_s: float
    spot: float
    strike: float
    bid: float | None
    ask: float | None
    realised: float | None
    """Over the recording so far, per sqrt(year)."""
    configured: float
    model: float | None
    default: float | None
    expected: float | None

    def snapshot(self) -> Snapshot:
        mid = None if self.bid is None or self.ask is None else 0.5 * (self.bid + self.ask)
        forecasts = (
            constant(self.spot, self.strike, self.realised, self.tau_s),
            constant(self.spot, self.strike, self.configured, self.tau_s), self.model, self.default, mid,
        )  # fmt: skip
        floor = Contract(floor=self.strike)
        return Snapshot(
            tau_s=self.tau_s, bid=self.bid, ask=self.ask, p=forecasts, realised=self.realised,
            implied=None if mid is None else implied_vol(floor, self.spot, self.tau_s, mid), expected=self.expected,
        )  # fmt: skip


@attrs.define(eq=False)
class RealisedSoFar:
    """Vol over everything seen, sampled on a grid; no prior, so None before two grid points."""

    _cell: int | None = None
    _last: float = math.nan
    _before: float = math.nan
    _squares: float = 0.0
    _seconds: float = 0.0

    def update(self, t_s: float, price: float) -> None:
        """Take a positive price at a time that does not go back."""
        cell = math.floor(t_s / _GRID_S)
        if self._cell is not None and cell > self._cell:
            if not math.isnan(self._before):
                self._squares += math.log(self._last / self._before) ** 2
                self._seconds += (cell - self._cell) * _GRID_S
            self._before = self._last
        self._cell, self._last = cell, price

    @property
    def annual(self) -> float | None:
        """Per sqrt(year)."""
        return math.sqrt(self._squares / self._seconds * YEAR_S) if self._seconds > 0.0 else None


def constant(spot: float, strike: float, sigma: float | None, tau_s: float) -> float | None:
    """P(YES) of the digital with one vol; None without a vol."""
    return None if sigma is None else digital.price(spot, strike, sigma, max(tau_s, 0.0) / YEAR_S).p_yes


@attrs.frozen
class Score:
    """Errors of one forecast over a set of snapshots; None where nothing could be compared."""

    n: int
    mid_error: float | None
    """Mean absolute distance from the mid."""
    mid_rmse: float | None
    outside: float | None
    """Mean distance from the interval that a one-sided book leaves."""
    squared: float | None
    """Mean squared distance from the result."""


def score(snapshots: Sequence[Snapshot], column: int, result: float | None) -> Score:
    """Errors of the forecast in a column of FORECASTS."""
    known = [(s, p) for s in snapshots if (p := s.p[column]) is not None]
    two = [p - 0.5 * (s.bid + s.ask) for s, p in known if s.bid is not None and s.ask is not None]
    one = [
        max((s.bid or 0.0) - p, p - (1.0 if s.ask is None else s.ask), 0.0)
        for s, p in known
        if (s.bid is None) is not (s.ask is None)
    ]
    return Score(
        n=len(known),
        mid_error=_mean(abs(e) for e in two),
        mid_rmse=None if not two else math.sqrt(math.fsum(e * e for e in two) / len(two)),
        outside=_mean(one),
        squared=None if result is None else _mean((p - result) ** 2 for _, p in known),
    )


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return math.fsum(found) / len(found) if found else None


def bins_of(snapshots: Sequence[Snapshot]) -> list[tuple[str, list[Snapshot]]]:
    """Snapshots by time left, all together last."""
    rows = [(name, [s for s in snapshots if low <= s.tau_s < high]) for low, high, name in BINS]
    return [*rows, ("all", list(snapshots))]


@attrs.frozen
class CalibrationRow:
    low: float
    high: float
    n: int
    mean: float
    hit: float
    """Share of snapshots that settled YES."""


def calibration(snapshots: Sequence[Snapshot], column: int, result: float | None) -> list[CalibrationRow]:
    """Mean forecast against the result, in bands of the forecast; the top band includes 1."""
    if result is None:
        return []
    rows = []
    for index, low in enumerate(CALIBRATION_EDGES[:-1]):
        high = CALIBRATION_EDGES[index + 1]
        inside = [
            p for s in snapshots if (p := s.p[column]) is not None and low <= p and (p < high or high == p == 1.0)
        ]
        if inside:
            rows.append(CalibrationRow(low, high, len(inside), math.fsum(inside) / len(inside), result))
    return rows


@attrs.frozen
class FairError:
    """The whole comparison of one run, reckoned when it is asked for: of a thousand runs of a sweep nobody asks."""

    seen: Sequence[Seen]
    result: float | None

    @cached_property
    def snapshots(self) -> list[Snapshot]:
        return [seen.snapshot() for seen in self.seen]

    def document(self) -> dict[str, Any]:
        """Numbers for machines."""
        return {
            "bins": [self._bin(name, inside) for name, inside in bins_of(self.snapshots)],
            "calibration": {
                name: [attrs.asdict(row) for row in calibration(self.snapshots, FORECASTS.index(name), self.result)]
                for name in ("model", "default", "market")
            },
            "note": IN_SAMPLE,
        }

    def _bin(self, name: str, inside: Sequence[Snapshot]) -> dict[str, Any]:
        return {
            "tau": name,
            "snapshots": len(inside),
            "two_sided": sum(s.bid is not None and s.ask is not None for s in inside),
            "vol": {
                key: _mean(v for s in inside if (v := getattr(s, key)) is not None)
                for key in ("realised", "implied", "expected")
            },
            "errors": {
                forecast: attrs.asdict(score(inside, column, self.result)) for column, forecast in enumerate(FORECASTS)
            },
        }

    def text(self) -> list[str]:
        """The table for people: vols in percent, errors in cents, squared errors times 10,000."""
        if not self.snapshots:
            return []
        rows = [_LEGEND, _HEADING]
        for name, inside in bins_of(self.snapshots):
            made = [score(inside, column, self.result) for column in range(len(FORECASTS))]
            two = sum(s.bid is not None and s.ask is not None for s in inside)
            cells = [
                *(
                    _cell(_mean(v for s in inside if (v := getattr(s, key)) is not None), 100.0, 1)
                    for key in ("realised", "implied", "expected")
                ),
                *(_cell(one.mid_error, 100.0, 3) for one in made[:4]),
                *(_cell(one.outside, 100.0, 3) for one in (made[0], made[2])),
                *(_cell(one.squared, 1e4, 2) for one in made),
            ]
            rows.append(f"{name:>7} {len(inside):>6} {two:>6} " + "".join(f"{cell:>9}" for cell in cells))
        return [*rows, *self._calibration_text(), IN_SAMPLE]

    def _calibration_text(self) -> list[str]:
        found = []
        for name in ("default", "market"):
            rows = calibration(self.snapshots, FORECASTS.index(name), self.result)
            cells = "; ".join(f"{row.low:g}-{row.high:g}: {row.mean:.4f} of {row.n}" for row in rows)
            if cells:
                found.append(f"calibration of {name} (mean forecast of n, all settled {self.result:g}): {cells}")
        return found


_LEGEND: Final = (
    "fair value by time to expiry; const: vol realised so far, conf: configured vol, model: term structure without "
    "this book, default: model and book; vols in %, errors to the mid and beyond a one-sided book (out) in cents, "
    "squared errors to the result (sq) x 10,000"
)
_HEADING: Final = f"{'minutes':>7} {'books':>6} {'2-side':>6} " + "".join(
    f"{name:>9}"
    for name in ("realis.", "implied", "expect.", "const", "conf", "model", "default", "out con", "out mod",
                 "sq const", "sq conf", "sq mod", "sq def", "sq mid")
)  # fmt: skip


def _cell(value: float | None, scale: float, digits: int) -> str:
    return "-" if value is None else format(value * scale, f".{digits}f")
