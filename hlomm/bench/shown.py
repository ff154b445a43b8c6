"""Documents of benchmarks as text: tables, and bars against budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]

WIDTH: Final = 24
"""Of a bar that fills its budget."""
_FIGURES: Final = ("p50", "p90", "p99", "p999")


def bar(value: float, budget: float) -> str:
    """The value as a part of its budget: full at the mark, one sign more where it is beyond."""
    filled = min(round(value / budget * WIDTH), WIDTH)
    return "█" * filled + "·" * (WIDTH - filled) + ("▶" if value > budget else "│")


def row(name: str, found: Json, budget: float | None = None) -> tuple[str, ...]:
    """Name, percentiles, budget and its bar, by p50."""
    if not found.get("count"):
        return (name, *["-"] * len(_FIGURES), "" if budget is None else f"{budget:g}", "")
    cells = [number(float(found[figure])) for figure in _FIGURES]
    return (name, *cells, "" if budget is None else f"{budget:g}", "" if budget is None else bar(found["p50"], budget))


def number(value: float) -> str:
    """Three figures are all that a measurement is good for."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def whose(document: Json) -> list[str]:
    """The machine, and what to think of the figures."""
    machine, python = document["machine"], document["python"]
    optimised = "optimised build" if python["optimised"] else "a build without optimisations"
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']} {machine['kernel']}"
    return [f"{where}, Python {python['version']} ({optimised})", *doubts(document["disturbed"])]


def doubts(reasons: Sequence[str]) -> list[str]:
    """Why these figures say little about this program; nothing where there is no reason."""
    if not reasons:
        return []
    head = "DISTURBED: these figures are no facts about this program. Stop what else runs here, and try again:"
    return [head, *(f"  {reason}" for reason in reasons)]
