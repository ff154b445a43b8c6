"""The core is a function of its inputs: nothing in it can see a clock, chance, the world, or the order of a set."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.arch import scanning
from tests.arch.scanning import files_of, name_of, source_of

CORE = files_of("hlomm/domain", "hlomm/pricing", "hlomm/strategy", "hlomm/engine", "hlomm/journal")
MONEY = files_of("hlomm/domain", "hlomm/engine")

FLOATS_ALLOWED: Final[dict[str, tuple[set[str], str]]] = {
    "hlomm/domain/units.py": (
        {"divides: value / SCALE", "converts: float('inf')", "converts: float('-inf')", "declares value"},
        "the one border between scaled integers and the floats of pricing",
    ),
    "hlomm/domain/times.py": (
        {"divides: venue_seconds / self.speed", "writes 1.0", "declares speed"},
        "a simulated clock may run faster; durations, not money",
    ),
    "hlomm/engine/tunables.py": (
        {"declares value", "declares was", "declares configured", "declares tuned"},
        "settings of strategies on their way through; the engine compares them and never counts with them",
    ),
    "hlomm/engine/config.py": ({"declares min_size_change"}, "a relative threshold, compared and never booked"),
}
"""File to (what is allowed there, why)."""

every = pytest.mark.parametrize("path", CORE, ids=name_of)


def test_the_rooms_of_the_core_are_all_looked_at() -> None:
    rooms = {path.relative_to(scanning.ROOT).parts[1] for path in CORE}
    assert rooms == {"domain", "pricing", "strategy", "engine", "journal"}
    assert len(CORE) > 60
    assert scanning.ROOT / "hlomm/engine/core.py" in CORE


@every
def test_nothing_of_the_core_reads_the_world(path: Path) -> None:
    assert list(scanning.impurities(source_of(path))) == []


@every
def test_nothing_of_the_core_takes_the_order_of_a_set(path: Path) -> None:
    """Texts hash differently in every process: a replay would walk such a set in another order."""
    assert list(scanning.set_orders(source_of(path))) == []


@pytest.mark.parametrize("path", MONEY, ids=name_of)
def test_money_is_counted_in_whole_numbers(path: Path) -> None:
    allowed, _ = FLOATS_ALLOWED.get(name_of(path), (set(), ""))
    assert [finding for finding in scanning.floats(source_of(path)) if finding.what not in allowed] == []


def test_no_excuse_for_a_float_has_outlived_it() -> None:
    for name, (allowed, why) in FLOATS_ALLOWED.items():
        assert why
        assert allowed == {finding.what for finding in scanning.floats(source_of(scanning.ROOT / name))} & allowed, name
