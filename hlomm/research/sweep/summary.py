"""What a finished sweep says: one document for machines, the same as text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import polars as pl

from hlomm.pricing.trials import autocorrelations, lo_factor
from hlomm.research.sweep.job import COMPILED
from hlomm.research.sweep.judge import Judge, Rules, Table, Verdict, table
from hlomm.research.sweep.walk import Walk, walk

LAGS: Final = 10
"""Of the autocorrelations that a ratio per day counts with."""
_DAY_S: Final = 86_400
_SUMS: Final = ("pnl", "fees", "volume", "fills", "quotes")
_WORST: Final = ("max_drawdown", "inventory_max")


@attrs.frozen(kw_only=True)
class Asking:
    """What is asked of the results; it changes none of them."""

    rules: Rules
    earlier: int = 0
    """Trials made elsewhere against the same data."""
    top: int = 10
    train: int = 0
    test: int = 0


@attrs.frozen(kw_only=True)
class Summary:
    manifest: Mapping[str, Any]
    results: pl.DataFrame
    asking: Asking
    table: Table
    judge: Judge | None
    """None where no set has a result over every recording."""
    walk: Walk | None


def summarise(manifest: Mapping[str, Any], results: pl.DataFrame, asking: Asking) -> Summary:
    """UsageError where there is no room for the walk that was asked for."""
    found = manifest["recordings"]
    order = sorted(range(len(found)), key=lambda at: (found[at]["settles"], at))
    whole = table(results, order)
    walked = None
    if asking.train and whole.points:
        days = [str(each["settles"])[:10] for each in found]
        walked = walk(whole, days, asking.train, asking.test, asking.rules, asking.earlier)
    return Summary(
        manifest=manifest, results=results, asking=asking, table=whole, walk=walked,
        judge=Judge.of(whole, asking.rules, asking.earlier) if whole.points else None,
    )  # fmt: skip


# -- for machines


def document(summary: Summary) -> dict[str, Any]:
    """Infinite and undefined numbers are null."""
    manifest, whole, judge, asking = summary.manifest, summary.table, summary.judge, summary.asking
    said: dict[str, Any] = {
        "tier": manifest["tier"], "source": manifest["source"], "sets": manifest["sets"],
        "recordings": manifest["recordings"], "keys": manifest["keys"], "seed": manifest["seed"],
        "block_s": manifest["block_s"], "observations": len(whole.recordings),
        "observed": "recordings" if whole.by_event else "blocks", "failed": whole.failed,
        "trials": {"here": whole.trials, "earlier": asking.earlier, "counted": whole.trials + asking.earlier},
        "checked": _checked(summary.results) if manifest["tier"] in COMPILED else None,
        "rules": attrs.asdict(asking.rules), "winner": None, "promoted": False, "top": [], "walk": None,
    }  # fmt: skip
    if judge is None:
        return said
    ranked = judge.ranked()[: max(asking.top, 1)]
    winner = _accepted(judge.verdict(ranked[0]), said["checked"])
    said["winner"] = {**_set(summary, winner.point), **_verdict(winner), "sharpe_day": _daily(summary, ranked[0])}
    said["promoted"] = winner.promoted
    said["top"] = [
        {**_set(summary, judge.table.points[at]), **_verdict(_accepted(judge.verdict(at), said["checked"]))}
        for at in ranked
    ]
    if summary.walk is not None:
        said["walk"] = _walked(summary, summary.walk)
    return said


def _checked(results: pl.DataFrame) -> dict[str, Any]:
    """How much of what a compiled tier made was held against the engine; what it left to the engine needs no check."""
    compiled = results.filter(pl.col("error").is_null() & pl.col("left").is_null())
    checked = compiled.filter(pl.col("checked"))
    without = set(compiled["recording"].to_list()) - set(checked["recording"].to_list())
    left = results.filter(pl.col("left").is_not_null())
    return {
        "compiled": compiled.height, "checked": checked.height,
        "share": checked.height / compiled.height if compiled.height else None,
        "unchecked_recordings": sorted(without), "left": left.height,
        "left_because": dict(left.group_by("left").len().sort("left").iter_rows()),
    }  # fmt: skip


def _accepted(verdict: Verdict, checked: Mapping[str, Any] | None) -> Verdict:
    """What compiled code made is promoted only where the engine was asked as well."""
    if checked is None or not checked["unchecked_recordings"]:
        return verdict
    why = f"not one compiled result was held against the engine over recordings {checked['unchecked_recordings']}"
    return attrs.evolve(verdict, reasons=(*verdict.reasons, why))


def _set(summary: Summary, point: int) -> dict[str, Any]:
    rows = summary.results.filter(pl.col("point") == point)
    return {
        "point": point, "settings": {key: rows[key][0] for key in summary.manifest["keys"]},
        **{name: rows[name].sum() for name in _SUMS}, **{name: rows[name].max() for name in _WORST},
    }  # fmt: skip


def _verdict(verdict: Verdict) -> dict[str, Any]:
    made, found = verdict.deflated, verdict.moments
    return {
        "observations": verdict.observations, "sharpe": None if found is None else found.sharpe,
        "t": None if found is None else found.t_stat, "skew": None if found is None else found.skew,
        "kurtosis": None if found is None else found.kurtosis, "psr": verdict.psr,
        "dsr": None if made is None else made.dsr, "sharpe_of_luck": None if made is None else made.sr0,
        "min_trl": _finite(verdict.min_trl), "trials": verdict.trials, "var_sharpe": verdict.var_sr,
        "pbo": verdict.pbo, "pbo_choices": verdict.pbo_choices, "promoted": verdict.promoted,
        "reasons": list(verdict.reasons),
    }  # fmt: skip


def _daily(summary: Summary, column: int) -> dict[str, Any] | None:
    """The ratio of a day, with neighbouring blocks correlated as they were and as if they were not."""
    if summary.table.by_event or summary.judge is None:
        return None
    series = summary.table.returns[:, column].tolist()
    blocks = max(round(_DAY_S / float(summary.manifest["block_s"])), 1)
    ratio = float(summary.judge.sharpes[column])
    rho = autocorrelations(series, LAGS)
    return {"lo": _finite(ratio * lo_factor(rho, blocks)), "uncorrelated": ratio * lo_factor((), blocks)}


def _walked(summary: Summary, walked: Walk) -> dict[str, Any]:
    return {
        "unit": walked.unit.name.lower(), "unit_means": str(walked.unit), "train": walked.train, "test": walked.test,
        "pnl": math.fsum(walked.returns), "observations": len(walked.returns),
        "sharpe": None if walked.moments is None else walked.moments.sharpe, "psr": walked.psr,
        "windows": [
            {
                "train": list(window.train), "test": list(window.test), "pnl": window.pnl,
                "returns": list(window.returns), "winner": _verdict(window.winner) | {
                    "point": window.winner.point, "settings": _set(summary, window.winner.point)["settings"],
                },
            }
            for window in walked.windows
        ],
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


# -- for people


HEAD: Final = ("set", "pnl", "fills", "drawdown", "Sharpe", "t", "PSR", "DSR", "min. record", "settings")


def top_rows(said: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            str(row["point"]), f"{row['pnl']:+.2f}", str(row["fills"]), f"{row['max_drawdown']:.2f}",
            number(row["sharpe"], 4), number(row["t"], 2), number(row["psr"], 3), number(row["dsr"], 3),
            "-" if row["min_trl"] is None else str(math.ceil(row["min_trl"])), settings_text(row["settings"]),
        ]
        for row in said["top"]
    ]  # fmt: skip


def lines(said: Mapping[str, Any]) -> list[str]:
    """Everything but the table."""
    counted = said["trials"]
    data = f"{said['sets']} sets over {len(said['recordings'])} recordings ({said['source']}, tier {said['tier']})"
    made = [
        f"{data}, {said['observations']} observations ({_observed(said)}), {said['failed']} sets failed",
        f"trials counted: {counted['counted']} ({counted['here']} here with failed ones, {counted['earlier']} earlier)",
    ]  # fmt: skip
    made += checked_lines(said["checked"])
    winner = said["winner"]
    if winner is None:
        return [*made, "no set has a result over every recording: there is no winner"]
    made += [f"winner: set {winner['point']}: {settings_text(winner['settings'])}", f"  {winner_text(winner)}"]
    made.append(f"  {pbo_text(winner)}")
    if (day := winner["sharpe_day"]) is not None:
        independent = number(day["uncorrelated"], 2)
        made.append(f"  a day: Sharpe {number(day['lo'], 2)} (Lo), {independent} if blocks were uncorrelated")
    made.append(promotion_text(winner))
    return [*made, *walk_lines(said["walk"])]


def checked_lines(checked: Mapping[str, Any] | None) -> list[str]:
    """How far compiled results were held against the engine; nothing where the engine made them all."""
    if checked is None:
        return []
    share = "-" if checked["share"] is None else f"{100 * checked['share']:.2g} %"
    compared = f"{checked['checked']} of {checked['compiled']} compiled results ({share})"
    made = [f"agrees with the engine, decision by decision, in {compared}"]
    if checked["unchecked_recordings"]:
        made.append(f"NOT ACCEPTED: none was compared over recordings {checked['unchecked_recordings']}")
    made += [f"{count} left to the engine: {why}" for why, count in checked["left_because"].items()]
    return made


def promotion_text(row: Mapping[str, Any]) -> str:
    return "PROMOTED: every rule holds" if row["promoted"] else f"not promoted: {'; '.join(row['reasons'])}"


def winner_text(row: Mapping[str, Any]) -> str:
    record = "no length" if row["min_trl"] is None else f"{math.ceil(row['min_trl'])} observations"
    return (
        f"Sharpe {number(row['sharpe'], 4)} per observation, t {number(row['t'], 2)}, PSR {number(row['psr'], 3)}; "
        f"luck alone would show {number(row['sharpe_of_luck'], 4)}, deflated Sharpe {number(row['dsr'], 3)} of "
        f"{row['trials']} trials; minimum track record {record}"
    )


def pbo_text(row: Mapping[str, Any]) -> str:
    if row["pbo"] is None:
        return "probability of overfitting: too little to tell"
    return f"probability of overfitting {row['pbo']:.3f} ({row['pbo_choices']} ways to halve the time)"


def walk_lines(walked: Mapping[str, Any] | None) -> list[str]:
    if walked is None:
        return []
    made = [f"walk-forward by {walked['unit_means']}: train {walked['train']}, test {walked['test']}"]
    for window in walked["windows"]:
        winner = window["winner"]
        made.append(
            f"  {_span(window['train'])} -> {_span(window['test'])}: set {winner['point']}, trained Sharpe "
            f"{number(winner['sharpe'], 4)}, DSR {number(winner['dsr'], 3)}, PBO {number(winner['pbo'], 3)}, "
            f"min. record {'-' if winner['min_trl'] is None else math.ceil(winner['min_trl'])}; "
            f"out of sample {window['pnl']:+.2f}"
        )
    made.append(
        f"  out of sample, all tests together: {walked['pnl']:+.2f}, Sharpe {number(walked['sharpe'], 4)}, "
        f"PSR {number(walked['psr'], 3)} of {walked['observations']} observations"
    )
    return made


def settings_text(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items())


def number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _observed(said: Mapping[str, Any]) -> str:
    if said["observed"] == "recordings":
        return "one per recording"
    return f"blocks of {said['block_s']:g} s; those of one event are not independent"


def _span(names: Sequence[str]) -> str:
    return names[0] if names[0] == names[1] else f"{names[0]}..{names[1]}"
