"""Pairs across the three venues of the soak: what became of each is known, and none is left on one leg.

`hlomm soak --intents 1000` is the same at length: a thousand pairs for each venue, with every fault of that venue.
"""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.cli.soak import pairs_command
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, VenueId
from hlomm.engine import basket_course, safety
from hlomm.engine.state import State
from hlomm.research.soak.beside.door import Door
from hlomm.research.soak.day import Day, SeedResult
from hlomm.research.soak.plan import draw_pairs, faults_at
from hlomm.research.soak.weather import Fault
from hlomm.venues.kalshi.account_feed import AccountFeed

SPAN_S = 700.0
SEED = 1
ENDS = ("done", "unwound", "flattened", "kept", "none", "naked")


def lived(seed: int, venue: VenueId) -> SeedResult:
    return Day(draw_pairs(seed, venue, SPAN_S)).live()


def rules(result: SeedResult) -> set[str]:
    return {finding.rule for finding in result.findings}


@pytest.mark.parametrize("venue", [HYPERLIQUID, POLYMARKET, KALSHI])
def test_with_every_fault_at_one_venue_no_pair_is_left_on_one_leg(venue: VenueId) -> None:
    result = lived(SEED, venue)
    assert result.findings == ()
    pairs = result.pairs
    assert pairs["begun"] > 0
    assert pairs["open"] == pairs["naked"] == 0
    assert sum(pairs[end] for end in ENDS) == pairs["begun"], "each of them has one end"


def test_the_faults_of_a_venue_are_its_own_and_the_deaths() -> None:
    deaths = {Fault.DEATH_MID_PAIR, Fault.GUARDIAN_DEATH_MID_PAIR}
    polymarket, kalshi, hyperliquid = (set(faults_at(venue)) for venue in (POLYMARKET, KALSHI, HYPERLIQUID))
    assert polymarket & kalshi == kalshi & hyperliquid == hyperliquid & polymarket == deaths
    assert polymarket | kalshi >= {fault for fault in Fault if fault.startswith(("pm_", "kalshi_"))}


def test_a_venue_that_nobody_knows() -> None:
    with pytest.raises(UsageError, match="no venue 'nasdaq'"):
        pairs_command(["nasdaq"], 1, first=0, as_json=True)


# -- every rule finds the mistake that it is there for


def test_a_pair_that_nobody_completes_or_sells(monkeypatch: pytest.MonkeyPatch) -> None:
    def idle(_state: State, *_rest: Any) -> None:
        return None

    monkeypatch.setattr(basket_course, "_try", idle)
    monkeypatch.setattr(safety, "watch_pairs", idle)
    assert "naked" in rules(lived(SEED, POLYMARKET))


def test_a_fill_at_kalshi_that_is_never_booked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccountFeed, "on_fill", lambda _self, _row: [])
    assert rules(lived(SEED, POLYMARKET))


def test_money_from_nowhere_at_a_venue_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Door.count

    def count(door: Door, order_id: str, qty: int) -> None:
        honest(door, order_id, qty)
        if door.venue == KALSHI:
            door.ours.cash[2] += 1  # type: ignore[attr-defined]

    monkeypatch.setattr(Door, "count", count)
    assert {"conserved"} <= rules(lived(SEED, POLYMARKET))
