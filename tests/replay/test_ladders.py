"""Strikes of one settlement on record: pairs that are taken, missed, settled and carried over replay byte for byte."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import BookSnapshot, MarketListed, MarketSettled, OperatorAction, OperatorCommand, SessionUp
from hlomm.domain.orders import Purpose
from hlomm.domain.outputs import HaltState
from hlomm.domain.units import SCALE
from hlomm.research.replay import replay
from tests.replay.journals import Run, write
from tests.replay.test_baskets import _answer
from tests.support.storm import Storm
from tests.support.values import lots, outcome, px

LADDERS = (
    "strategy.avellaneda.enabled=false", "strategy.strike_ladder.enabled=true", "flatten.retry_s=0.2",
    "strategy.strike_ladder.max_size=60", "strategy.strike_ladder.max_notional_usd=1000", "flatten.attempts=3",
    "limits.max_loss_event=100000", "limits.max_loss_underlying=100000", "limits.max_loss_total=100000",
    "limits.max_position=100000", "limits.max_gross_notional=100000", "limits.max_drawdown=100000",
)  # fmt: skip
SEEDS = (13, 22, 16)
STRIKES = range(30, 33)
CENT = SCALE // 100
HOW = ("sold", "settled")


def traded(seed: int, steps: int = 60) -> Run:
    """Three strikes of which the books wander past one another, and a venue that does anything with an order."""
    run, rng = Run(*LADDERS), random.Random(seed)
    storm = run.storm.boot()
    for number in STRIKES:
        storm.feed(MarketListed(outcome(number, strike=px(80_000 + 100 * (number - 30)))))
    for _ in range(steps):
        for number in STRIKES:
            storm.feed(_book(storm, number, rng))
        storm.wait(rng.choice((0.05, 0.3, 1.1, 31.0)))
        for order in list(storm.engine.state.orders.live()):
            if order.purpose is Purpose.LEG:
                _answer(storm, order, rng)
        if storm.engine.state.halt is not HaltState.RUNNING:
            storm.wait(20)
            storm.feed(SessionUp(HYPERLIQUID))
            storm.feed(OperatorCommand(action=OperatorAction.RESUME, actor="storm"))
    return run


def settle(run: Run) -> None:
    """Between the first strike and the second."""
    for number in STRIKES:
        market = outcome_market(HYPERLIQUID, number)
        run.storm.feed(MarketSettled(market, px(int(number == 30)), "storm"))


def _book(storm: Storm, number: int, rng: random.Random) -> BookSnapshot:
    mid = 50 - 2 * (number - 30) + rng.choice((-8, -1, 0, 0, 1, 8))
    bids, asks = (((mid - 1) * CENT, lots(200)),), (((mid + 1) * CENT, lots(200)),)
    return BookSnapshot(outcome_market(HYPERLIQUID, number), bids, asks, storm.ms)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_with_ladders_replays_byte_for_byte(seed: int, tmp_path: Path) -> None:
    run = traded(seed)
    settle(run)
    state = run.storm.engine.state
    tally = state.pairs.tallies[ArbitrageKind.LADDER]
    assert tally.taken > 0
    ends = {how: {(row.group, row.began_ms) for row in state.pairs.ended if row.how.startswith(how)} for how in HOW}
    assert tally.settled == tally.taken - len(ends["sold"] - ends["settled"]), "of one sold in part the rest settles"
    assert tally.mismatched == 0
    write(tmp_path, run.records)
    assert replay(tmp_path).document()["identical"] is True


def test_the_runs_replayed_here_hold_every_end_of_a_pair() -> None:
    ends = {name for seed in SEEDS for name in traded(seed).storm.engine.state.baskets.counts}
    assert ends == {"started", "done", "mended", "unwound", "reopened", "abandoned", "dropped"}


def test_books_with_pairs_of_strikes_go_on_in_the_next_run(tmp_path: Path) -> None:
    books = traded(SEEDS[0]).books
    assert books.pairs
    assert {(pair.kind, pair.worth) for pair in books.pairs} == {(ArbitrageKind.LADDER, SCALE)}
    run = Run(*LADDERS).boot_with(books)
    assert [kept.kind for kept in run.storm.engine.state.pairs.open] == [ArbitrageKind.LADDER] * len(books.pairs)
    write(tmp_path, run.records)
    assert replay(tmp_path).document()["identical"] is True
