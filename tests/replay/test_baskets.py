"""Baskets on record: runs in which legs fill, miss, get lost and come late replay byte for byte."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import (
    BookSnapshot,
    FillReceived,
    MarketListed,
    OperatorAction,
    OperatorCommand,
    OrderAnswer,
    OrderClosed,
    OrderRejected,
    SendLost,
    SentAction,
    SessionUp,
)
from hlomm.domain.orders import Purpose
from hlomm.domain.outputs import HaltState
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.engine.order import Order
from hlomm.research.replay import replay
from tests.replay.journals import Run, write
from tests.support.storm import Storm
from tests.support.values import lots, outcome

SETS = (
    "strategy.avellaneda.enabled=false", "strategy.complete_set.enabled=true", "flatten.retry_s=0.2",
    "flatten.attempts=3", "strategy.complete_set.max_unwind_loss=10", "strategy.complete_set.max_size=60",
    "limits.max_loss_event=100000", "limits.max_loss_underlying=100000", "limits.max_loss_total=100000",
    "limits.max_position=100000", "limits.max_gross_notional=100000", "limits.max_drawdown=100000",
)  # fmt: skip
SEEDS = (1, 9, 10, 11)
OUTCOMES = range(30, 33)
CENT = SCALE // 100


def traded(seed: int, steps: int = 60) -> Run:
    """A question of which the books wander, and a venue that does anything with an order."""
    run, rng = Run(*SETS), random.Random(seed)
    storm = run.storm.boot()
    for number in OUTCOMES:
        market = outcome(
            number, klass="priceBucket", question=7, question_size=len(OUTCOMES), strike=None, fallback=number == 32
        )
        storm.feed(MarketListed(market))
    for _ in range(steps):
        for number in OUTCOMES:
            storm.feed(_book(storm, number, rng))
        storm.wait(rng.choice((0.05, 0.3, 1.1, 31.0)))
        if storm.engine.state.orders.live_count and rng.random() < 0.05:
            storm.feed(OperatorCommand(action=OperatorAction.FLATTEN, actor="storm"))
        for order in list(storm.engine.state.orders.live()):
            if order.purpose is Purpose.LEG:
                _answer(storm, order, rng)
        if storm.engine.state.halt is not HaltState.RUNNING:
            storm.wait(20)
            storm.feed(SessionUp(HYPERLIQUID))
            storm.feed(OperatorCommand(action=OperatorAction.RESUME, actor="storm"))
    return run


def _book(storm: Storm, number: int, rng: random.Random) -> BookSnapshot:
    mid = 33 + rng.choice((-3, -1, 0, 0, 1, 3))
    bids, asks = (((mid - 1) * CENT, lots(200)),), (((mid + 1) * CENT, lots(200)),)
    return BookSnapshot(outcome_market(HYPERLIQUID, number), bids, asks, storm.ms)


def _answer(storm: Storm, order: Order, rng: random.Random) -> None:
    fate = rng.random()
    share = rng.choice((1, 1, 1, 1, 1, 2))
    qty = max(order.leaves // share // SCALE * SCALE, SCALE)
    (fill,) = storm.fill(order.market, order.leg, order.side, order.px, qty).fills
    fill = msgspec.structs.replace(fill, client_id=order.client_id)
    client = order.client_id
    if fate < 0.05:
        return
    if fate < 0.1:
        storm.feed(SendLost((client,), SentAction.PLACE, "storm"))
    elif fate < 0.15 or order.asked:
        storm.feed(
            OrderAnswer(
                client_id=client, found=True, open=False, status="canceled", venue_order_id=None, leaves=Qty(0),
                filled=Qty(0), px=Px(order.px),
            )
        )  # fmt: skip
    elif fate < 0.25:
        storm.feed(OrderRejected(client_id=client, code="IocCancel", text="storm"))
    else:
        storm.feed(FillReceived(fill))
        status = "filled" if share == 1 else "canceled"
        closed = OrderClosed(client_id=client, venue_order_id=None, status=status, filled=Qty(qty), venue_ms=storm.ms)
        storm.feed(closed)
    if fate > 0.97:
        storm.wait(5)
        late = storm.fill(order.market, order.leg, order.side, order.px, SCALE).fills[0]
        storm.feed(FillReceived(msgspec.structs.replace(late, client_id=client)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_with_baskets_replays_byte_for_byte(seed: int, tmp_path: Path) -> None:
    run = traded(seed)
    assert run.storm.engine.state.baskets.counts["started"] > 0
    write(tmp_path, run.records)
    assert replay(tmp_path).document()["identical"] is True


def test_the_runs_replayed_here_hold_every_end_of_a_basket() -> None:
    ends = {name for seed in SEEDS for name in traded(seed).storm.engine.state.baskets.counts}
    assert ends == {"started", "done", "mended", "unwound", "abandoned", "dropped"}
