"""Rung: pure, stateful. Cancel, modify, sets, settlement, the scheduled cancel, and what is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim import tape
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill, FillDir, OrderChanged, OutcomeSettled, VenueCancel
from hlomm.sim.orders import NewOrder, Refused, Resting, Target
from hlomm.sim.refusals import Status, WholeActionRefused

YES, NO, BUY, SELL = Leg.YES, Leg.NO, Side.BUY, Side.SELL
CLOID = "0x" + "c" * 32


def new(
    desk: Any, leg: Leg, side: Side, ticks: int, lots: int, tif: Tif = Tif.ALO, cloid: str | None = None
) -> NewOrder:
    return NewOrder(target=Target(desk.outcome, leg), side=side, ticks=ticks, lots=lots, tif=tif, cloid=cloid)


def statuses(desk: Any, account: Any) -> list[tuple[int, Status]]:
    return [(e.row.oid, e.row.status) for e in desk.events(OrderChanged) if e.account is account]


def test_cancel_frees_what_was_reserved_and_only_once(desk: Any) -> None:
    me = desk.account()
    oid = desk.place(me, YES, BUY, 40_000, 100).oid
    target = Target(desk.outcome, YES)
    assert desk.exchange.cancel(me, target, oid)
    assert me.quote_hold == 0
    assert not desk.exchange.cancel(me, target, oid)


def test_cancel_needs_owner_and_asset(desk: Any) -> None:
    me, other = desk.account(), desk.account()
    oid = desk.place(me, YES, BUY, 40_000, 100).oid
    assert not desk.exchange.cancel(other, Target(desk.outcome, YES), oid)
    assert not desk.exchange.cancel(me, Target(desk.outcome, NO), oid)
    assert desk.exchange.cancel(me, Target(desk.outcome, YES), oid)


def test_modify_gives_a_new_id_keeps_the_client_id_and_reports_both(desk: Any) -> None:
    me = desk.account()
    old = desk.place(me, YES, BUY, 40_000, 100, Tif.ALO, cloid=CLOID).oid
    placed = desk.exchange.modify(me, CLOID, new(desk, YES, BUY, 41_000, 50), always_place=False)
    assert isinstance(placed, Resting)
    assert placed.oid != old
    assert placed.cloid == CLOID
    assert statuses(desk, me) == [(old, Status.OPEN), (old, Status.CANCELED), (placed.oid, Status.OPEN)]
    assert desk.exchange.oid_of(me, CLOID) == placed.oid
    assert me.quote_hold == 41_000 * 50 * 1_000


def test_modify_of_a_dead_order_is_refused_unless_forced(desk: Any) -> None:
    me = desk.account()
    refused = desk.exchange.modify(me, 999, new(desk, YES, BUY, 41_000, 50), always_place=False)
    assert refused.refusal.text == "Cannot modify canceled or filled order"
    assert isinstance(desk.exchange.modify(me, 999, new(desk, YES, BUY, 41_000, 50), always_place=True), Resting)


def test_modify_overrides_gtc_to_post_only_and_refuses_ioc(desk: Any) -> None:
    me = desk.account()
    oid = desk.place(me, YES, BUY, 40_000, 100).oid
    placed = desk.exchange.modify(me, oid, new(desk, YES, BUY, 41_000, 50, Tif.GTC), always_place=False)
    assert desk.exchange.tape.blotter_of(me).open[placed.oid].tif is Tif.ALO
    refused = desk.exchange.modify(me, placed.oid, new(desk, YES, BUY, 41_000, 50, Tif.IOC), always_place=False)
    assert isinstance(refused, Refused)
    assert placed.oid in desk.exchange.tape.blotter_of(me).open


@pytest.mark.parametrize("keeps_old", [True, False])
def test_a_refused_modify_keeps_or_loses_the_old_order_as_configured(make_desk: Any, keeps_old: bool) -> None:
    desk = make_desk(RulesConfig(modify_refused_keeps_old=keeps_old))
    me, other = desk.account(), desk.account()
    desk.place(other, NO, BUY, 50_000, 100)
    oid = desk.place(me, YES, BUY, 40_000, 100).oid
    refused = desk.exchange.modify(me, oid, new(desk, YES, BUY, 60_000, 50), always_place=False)
    assert refused.refusal.status is Status.BAD_ALO_REJECTED
    assert (oid in desk.exchange.tape.blotter_of(me).open) is keeps_old
    assert desk.exchange.audit() == []


def test_client_ids_may_be_used_again_and_name_the_latest_order(desk: Any) -> None:
    me = desk.account()
    first = desk.place(me, YES, BUY, 40_000, 100, cloid=CLOID).oid
    desk.exchange.cancel(me, Target(desk.outcome, YES), first)
    assert desk.exchange.oid_of(me, CLOID) is None
    second = desk.place(me, YES, BUY, 40_000, 100, cloid=CLOID).oid
    assert desk.exchange.oid_of(me, CLOID) == second


def test_history_is_bounded_and_never_forgets_an_open_order(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "HISTORY_ORDERS", 5)
    me = desk.account()
    kept = desk.place(me, YES, BUY, 30_000, 100, cloid=CLOID).oid
    for _ in range(20):
        oid = desk.place(me, YES, BUY, 40_000, 30, cloid="0x" + "d" * 32).oid
        desk.exchange.cancel(me, Target(desk.outcome, YES), oid)
    blotter = desk.exchange.tape.blotter_of(me)
    assert len(blotter.rows) == 5
    assert kept in blotter.rows
    assert blotter.cloids[CLOID] == kept


def test_split_reports_two_synthetic_fills(desk: Any) -> None:
    me = desk.account()
    desk.exchange.split(me, desk.outcome, 25)
    rows = [event.row for event in desk.events(Fill)]
    assert [(r.dir, r.px, r.lots, r.side) for r in rows] == [(FillDir.SPLIT, SCALE // 2, 25, BUY)] * 2
    assert rows[0].oid == rows[1].oid
    assert me.quote == (10_000 - 25) * SCALE


def test_merge_takes_what_is_free(desk: Any) -> None:
    me = desk.account()
    desk.exchange.split(me, desk.outcome, 60)
    desk.place(me, YES, SELL, 80_000, 20)
    desk.exchange.merge(me, desk.outcome, None)
    assert me.held(desk.outcome, YES).total == 20
    assert me.held(desk.outcome, NO).total == 20
    with pytest.raises(WholeActionRefused, match="Insufficient outcome token balance"):
        desk.exchange.merge(me, desk.outcome, 1)


@pytest.mark.parametrize(
    ("outcome", "lots", "text"),
    [
        (15, 10_001, "Outcome error: Insufficient quote token balance"),
        (99, 1, "Outcome error: Outcome does not exist"),
    ],
)
def test_split_refusals(desk: Any, outcome: int, lots: int, text: str) -> None:
    with pytest.raises(WholeActionRefused) as caught:
        desk.exchange.split(desk.account(), outcome, lots)
    assert caught.value.text == text


def test_settlement_cancels_pays_and_forgets(desk: Any) -> None:
    yes, no = desk.account(), desk.account()
    desk.place(yes, YES, BUY, 60_000, 100)
    desk.place(no, NO, BUY, 40_000, 100, Tif.IOC)
    resting = desk.place(yes, YES, BUY, 20_000, 100).oid
    desk.place(yes, YES, SELL, 99_000, 50)
    desk.exchange.settle(desk.outcome, SCALE, "price:80001.5")
    assert yes.quote == (10_000 - 60 + 100) * SCALE
    assert no.quote == (10_000 - 40) * SCALE
    assert yes.quote_hold == 0
    assert (resting, Status.OUTCOME_SETTLED) in statuses(desk, yes)
    assert len(desk.events(VenueCancel)) == 2
    rows = {event.account: event.row for event in desk.events(Fill) if event.row.dir is FillDir.SETTLEMENT}
    assert (rows[yes].px, rows[yes].lots, rows[yes].closed_pnl) == (SCALE, 100, 40 * SCALE)
    assert (rows[no].px, rows[no].closed_pnl) == (0, -40 * SCALE)
    assert desk.events(OutcomeSettled)[0].outcome == desk.outcome
    assert desk.outcome not in desk.exchange.outcomes
    assert desk.exchange.settled[desk.outcome].details == "price:80001.5"
    assert desk.exchange.ledger.escrow == 0


def test_void_pays_half_to_both(desk: Any) -> None:
    me = desk.account()
    desk.exchange.split(me, desk.outcome, 11)
    desk.exchange.settle(desk.outcome, SCALE // 2, "void")
    assert me.quote == 10_000 * SCALE


def test_settlement_fee_falls_on_the_payout(make_desk: Any) -> None:
    desk = make_desk(RulesConfig(outcome_fees=True, outcome_fee_scale=SCALE))
    yes, no = desk.account(), desk.account()
    desk.place(yes, YES, BUY, 60_000, 163)
    desk.place(no, NO, BUY, 40_000, 163, Tif.IOC)
    desk.exchange.settle(desk.outcome, SCALE, "price:80001.5")
    fees = {event.account: event.row.fee for event in desk.events(Fill) if event.row.dir is FillDir.SETTLEMENT}
    assert fees == {yes: 163 * SCALE * 14 // 10_000, no: 0}
    assert desk.exchange.audit() == []


def test_a_settled_outcome_takes_no_orders(desk: Any) -> None:
    me = desk.account()
    desk.exchange.settle(desk.outcome, 0, "price:1.0")
    assert desk.place(me, YES, BUY, 40_000, 100).refusal.text == "Outcome has been settled"
    with pytest.raises(WholeActionRefused, match="Outcome has been settled"):
        desk.exchange.split(me, desk.outcome, 1)


def test_scheduled_cancel_is_refused_below_the_volume_gate(desk: Any) -> None:
    me = desk.account()
    me.volume = 437_920_000_00
    with pytest.raises(WholeActionRefused) as caught:
        desk.exchange.schedule_cancel(me, desk.exchange.tape.now_ms + 10_000)
    assert caught.value.text == (
        "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $437.92."
    )


def test_scheduled_cancel_fires_once_and_is_limited_per_day(make_desk: Any) -> None:
    desk = make_desk(RulesConfig(schedule_cancel_volume_usd=0, schedule_cancel_daily=2))
    me, exchange = desk.account(), desk.exchange
    for _ in range(2):
        oid = desk.place(me, YES, BUY, 40_000, 100).oid
        exchange.schedule_cancel(me, exchange.tape.now_ms + 5_000)
        exchange.run_schedules()
        assert oid in exchange.tape.blotter_of(me).open
        exchange.tape.now_ns += 5_000_000_000
        exchange.run_schedules()
        assert exchange.tape.blotter_of(me).rows[oid].status is Status.SCHEDULED
    with pytest.raises(WholeActionRefused, match="Limit is 2"):
        exchange.schedule_cancel(me, exchange.tape.now_ms + 5_000)
    exchange.tape.now_ns += 86_400 * 10**9
    exchange.schedule_cancel(me, exchange.tape.now_ms + 5_000)
    exchange.schedule_cancel(me, None)
    exchange.tape.now_ns += 10**10
    exchange.run_schedules()
    with pytest.raises(WholeActionRefused, match="5 seconds"):
        exchange.schedule_cancel(me, exchange.tape.now_ms + 4_000)
