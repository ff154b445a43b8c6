"""Everything that one calibration found: as a document, as a table, and as settings for those who want them.

The table says for every setting what it is now, what was found, within what, from how much, and what to `--set`; one is
offered only where it was estimated from contracts that the strategy quotes. The overlay (`overlay`) is a TOML file
of these, and of nothing else, that `--config` accepts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from hlomm import __version__
from hlomm.research.calibrate.intensity import ANY, Found
from hlomm.research.calibrate.latency import Latency
from hlomm.research.calibrate.probit import FoundNu
from hlomm.research.calibrate.queue import DEFAULT_N, FoundExponent

SECTION: Final = "strategy.avellaneda"
KEEP: Final = "-"
SPAN_MAX: Final = 5.0
"""Upper over lower end of an interval: beyond it a value says nothing, and is not offered."""


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table. `key` is a setting, or what it is about where there is none."""

    what: str
    key: str | None
    now: float | None
    value: float | None
    interval: tuple[float, float] | None
    n: int
    note: str
    """What `n` counts and what has to be known, or why there is no value."""

    @property
    def offered(self) -> str:
        return KEEP if self.key is None or self.value is None else f"--set {self.key}={number(self.value)}"


@attrs.frozen(kw_only=True)
class Calibration:
    sources: tuple[str, ...]
    simulated: bool
    """Whether all of it was made by a simulator; the two are never mixed."""
    now: Mapping[str, float]
    """Settings of `SECTION` in force."""
    quoted: tuple[str, ...]
    """Classes that the strategy quotes."""
    intensities: tuple[Found, ...]
    nus: tuple[FoundNu, ...]
    latency: Mapping[str, Latency]
    other_feeds: Mapping[str, Latency]
    """Of the venues that the strategy does not quote at."""
    queue: FoundExponent
    told: tuple[str, ...]

    @property
    def _world(self) -> str:
        return "simulated" if self.simulated else "real"

    def rows(self) -> list[Row]:
        return [*self._of_intensity(), *self._of_nu(), *self._of_latency(), self._of_queue()]

    # -- rows

    def _of_intensity(self) -> list[Row]:
        found = []
        fitted = {one.cell.klass for one in self.intensities if one.fit is not None and one.cell.klass in self.quoted}
        for one in self.intensities:
            if one.cell.tau != ANY or one.cell.p != ANY:
                continue
            quoted = one.cell.klass in self.quoted
            note = f"{one.arrivals} arrivals in {one.exposure_s / 3600:.2f} h of {_markets(one.markets)}"
            note += "" if quoted else "; a class that is not quoted"
            if one.fit is None:
                found.append(_row(f"A, k of {one.cell.klass}", n=one.beyond, note=f"{one.refused} ({note})"))
                continue
            fit = one.fit
            ols = "" if fit.regression is None else f"; regression {fit.regression[0]:.3g}, {fit.regression[1]:.3g}"
            note += f", {one.beyond} beyond {fit.near:.4f}{ols}"
            note += "" if fit.exponential else f"; not exponential (off by {fit.distance:.2f}): holds near the touch"
            vague = max(_span(fit.a_interval), _span(fit.k_interval)) > SPAN_MAX
            note += "; takers stop at the touch, so what is beyond it is not seen: not offered" if vague else ""
            shared = quoted and len(fitted) > 1
            note += (
                f"; one setting for {len(fitted)} quoted classes: not offered, decide between them" if shared else ""
            )
            offer = quoted and not vague and not shared
            for name, key, value, interval in (
                ("A", "fill_rate", fit.a, fit.a_interval), ("k", "fill_decay", fit.k, fit.k_interval),
            ):  # fmt: skip
                found.append(
                    Row(
                        what=f"{name} of {one.cell.klass}", key=f"{SECTION}.{key}" if offer else None,
                        now=self.now[key], value=value, interval=interval, n=one.beyond, note=note,
                    )
                )  # fmt: skip
        return found

    def _of_nu(self) -> list[Row]:
        found = []
        for one in self.nus:
            if one.cell.tau != ANY or one.cell.p != ANY:
                continue
            wider = "" if one.wider is None else f", {one.wider:.3g} on a grid four times as wide"
            note = one.refused or f"steps{wider}; estimated live from a prior of 1, weighed by {SECTION}.nu_prior_s"
            found.append(
                Row(what=f"nu of {one.cell.klass}", key=None, now=1.0, value=one.nu, interval=one.interval,
                    n=one.steps, note=note)
            )  # fmt: skip
        return found

    def _of_latency(self) -> list[Row]:
        found = []
        for name, one in (*self.latency.items(), *((f"feed of {v}", each) for v, each in self.other_feeds.items())):
            if one.refused:
                found.append(_row(f"{name}, ms", n=one.n, note=one.refused))
                continue
            quantiles = {key: ns / 1e6 for key, ns in one.quantiles().items()}
            found.append(
                Row(what=f"{name}, ms", key=None, now=None, value=quantiles["p50"],
                    interval=(quantiles["p10"], quantiles["p90"]), n=one.n,
                    note=f"p50, p10 to p90; p99 {quantiles['p99']:.0f}; clocks {one.clock}")
            )  # fmt: skip
        feed, entry = self.latency["feed"], self.latency["entry"]
        if not feed.refused and not entry.refused:
            parts = [{key: ns / 1e9 for key, ns in one.quantiles().items()} for one in (feed, entry)]
            found.append(
                Row(what="reaction, s", key=f"{SECTION}.reaction_s", now=self.now["reaction_s"],
                    value=sum(part["p50"] for part in parts),
                    interval=(sum(part["p10"] for part in parts), sum(part["p90"] for part in parts)), n=entry.n,
                    note="feed and entry together, at their medians; p10 to p90 of each")
            )  # fmt: skip
        return found

    def _of_queue(self) -> Row:
        queue = self.queue
        if queue.n is None:
            return _row("n of the queue", n=queue.telling, note=queue.refused, now=DEFAULT_N)
        errors = dict(queue.errors)
        bracket = ", ".join(f"{name} {error:.1f}" for name, error in queue.bracket)
        return Row(
            what="n of the queue", key=None, now=DEFAULT_N, value=queue.n, interval=queue.interval, n=queue.telling,
            note=f"own orders; off by {errors[queue.n]:.1f} contracts each ({bracket}, n = 2 {errors[DEFAULT_N]:.1f})",
        )  # fmt: skip

    # -- forms

    def document(self) -> dict[str, Any]:
        return {
            "version": __version__, "sources": list(self.sources),
            "simulated": self.simulated, "told": list(self.told),
            "rows": [{**attrs.asdict(row), "set": row.offered} for row in self.rows()],
            "intensity": [one.document() for one in self.intensities], "nu": [one.document() for one in self.nus],
            "latency": {name: one.document() for name, one in self.latency.items()},
            "feeds": {name: one.document() for name, one in self.other_feeds.items()},
            "queue": self.queue.document(),
        }  # fmt: skip

    def text(self) -> str:
        lines = [f"from {', '.join(self.sources)} ({self._world})", *self.told, ""]
        cells = [("what", "now", "found", "95 % interval", "n", "to set")]
        rows = self.rows()
        cells += [
            (row.what, _told(row.now), _told(row.value), _between(row.interval), str(row.n), row.offered)
            for row in rows
        ]  # fmt: skip
        widths = [max(len(each[column]) for each in cells) for column in range(6)]
        for number, each in enumerate(cells):
            lines.append("  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip())
            if number:
                lines.append(f"    {rows[number - 1].note}")
        lines += ["", *self._cells()]
        return "\n".join(lines)

    def _cells(self) -> list[str]:
        """Buckets that had enough, and how many had not."""
        lines, few = [], 0
        for one in self.intensities:
            if one.cell.tau == ANY and one.cell.p == ANY:
                continue
            if one.fit is None:
                few += 1
                continue
            lines.append(
                f"A, k of {one.cell.klass}, {one.cell.tau} left, p {one.cell.p}: {one.fit.a:.3g} "
                f"({_between(one.fit.a_interval)}), {one.fit.k:.3g} ({_between(one.fit.k_interval)}), n {one.beyond}"
            )
        for each in self.nus:
            if each.cell.tau == ANY and each.cell.p == ANY:
                continue
            if each.nu is None:
                few += 1
                continue
            lines.append(
                f"nu of {each.cell.klass}, {each.cell.tau} left, p {each.cell.p}: {each.nu:.3g} "
                f"({_between(each.interval)}), n {each.steps}"
            )
        return [*lines, f"{few} buckets of time left and price had too little: see the reasons with --json"]

    def overlay(self) -> str:
        """TOML of what is offered; comments alone where nothing is."""
        lines = [
            f"# hlomm calibrate, version {__version__}, from {', '.join(self.sources)} ({self._world}).",
            "# Nothing applies by itself: hlomm backtest --config THIS first, then decide.", "",
        ]  # fmt: skip
        rows = self.rows()
        offered = {row.key: row for row in rows if row.key is not None and row.value is not None}
        if offered:
            lines.append(f"[{SECTION}]")
        for key, row in offered.items():
            assert row.value is not None
            lines.append(
                f"{key.removeprefix(f'{SECTION}.')} = {number(row.value)}  # was {_told(row.now)}; "
                f"{_between(row.interval)}, n = {row.n}"
            )
            lines.append(f"#   {row.note}")
        lines += ["", "# Found, and no setting:"]
        lines += [
            f"# {row.what}: {_told(row.value)} ({_between(row.interval)}, n = {row.n}); {row.note}"
            for row in rows if row.key is None or row.value is None
        ]  # fmt: skip
        return "\n".join(lines) + "\n"


def _row(what: str, *, n: int, note: str, now: float | None = None) -> Row:
    return Row(what=what, key=None, now=now, value=None, interval=None, n=n, note=note)


def _span(interval: tuple[float, float] | None) -> float:
    return math.inf if interval is None or interval[0] <= 0.0 else interval[1] / interval[0]


def _markets(count: int) -> str:
    return "1 market" if count == 1 else f"{count} markets"


def number(value: float) -> str:
    """As TOML and people read it: three digits say more than an interval does."""
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    plain = f"{float(text):.12f}".rstrip("0")
    return f"{plain}0" if plain.endswith(".") else plain


def _told(value: float | None) -> str:
    return KEEP if value is None else number(value)


def _between(interval: tuple[float, float] | None) -> str:
    return "no interval" if interval is None else f"{number(interval[0])} .. {number(interval[1])}"


def names(found: Sequence[str]) -> str:
    """At most five of them, and how many more."""
    rest = len(found) - 5
    return ", ".join(found[:5]) + (f" and {rest} more" if rest > 0 else "")
