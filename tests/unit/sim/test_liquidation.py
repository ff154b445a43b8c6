"""Rung: pure, stateful. Margin figures, and the forced closing of accounts below maintenance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account, PerpPosition
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill, FillDir, Liquidated
from hlomm.sim.hl import perp_rows, rows
from hlomm.sim.liquidation import BACKSTOP
from hlomm.sim.refusals import Status

BUY, SELL = Side.BUY, Side.SELL
BTC = 100_000


def geared(desk: Any, side: Side = BUY, perp: int = 1_000) -> Account:
    """An account whose whole margin stands behind 0.2 BTC at 80,000."""
    me, other = desk.account(perp=perp), desk.account(perp=1_000_000)
    desk.perp(other, Side(-side), 800_000, BTC // 5)
    desk.perp(me, side, 800_000, BTC // 5, Tif.IOC)
    assert me.perp.lots == side * BTC // 5
    return me


def move(desk: Any, mark: int) -> None:
    desk.exchange.perp.mark_ticks = mark
    desk.exchange.run_schedules()


def fills(desk: Any, account: Account) -> list[Any]:
    return [e.row for e in desk.events(Fill) if e.account is account and e.row.liquidation is not None]


@given(st.integers(-(10**13), 10**13), st.integers(-(10**7), 10**7))
def test_at_the_liquidation_price_equity_meets_maintenance(raw: int, lots: int) -> None:
    position = PerpPosition(raw=raw, lots=lots)
    px = position.liquidation_px()
    if px is None:
        assert lots == 0 or raw * lots >= 0
        return
    ticks = px // PERP_GRID.tick
    safe, lost = (ticks + 1, ticks - 1) if lots > 0 else (ticks - 1, ticks + 1)
    assert safe <= 0 or position.value(safe) >= position.maintenance(safe)
    assert lost <= 0 or position.value(lost) <= position.maintenance(lost)


def test_margin_on_the_wire(desk: Any) -> None:
    me = geared(desk)
    state = perp_rows.clearinghouse(desk.exchange, me, 0)
    assert state["marginSummary"]["totalMarginUsed"] == "800.0"
    assert state["crossMaintenanceMarginUsed"] == "200.0"  # 1/80 of 16,000
    px = float(state["assetPositions"][0]["position"]["liquidationPx"])
    assert px == pytest.approx(-(me.perp.raw / SCALE) / (0.2 * (1 - 1 / 80)))
    short = geared(desk, SELL)
    px = float(perp_rows.clearinghouse(desk.exchange, short, 0)["assetPositions"][0]["position"]["liquidationPx"])
    assert px == pytest.approx((short.perp.raw / SCALE) / (0.2 * (1 + 1 / 80)))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_closed_against_the_book_and_the_rest_stays_with_its_owner(desk: Any, side: Side) -> None:
    me, maker = geared(desk, side), desk.account(perp=1_000_000)
    desk.perp(me, side, 800_000 - side * 100_000, BTC // 100)
    at = 760_000 if side is BUY else 840_000
    desk.perp(maker, side, at, BTC)
    px = me.perp.liquidation_px() // PERP_GRID.tick
    move(desk, px + side * 2)
    assert me.perp.lots != 0
    move(desk, px - side * 2)
    assert me.perp.lots == me.perp.entry == 0
    assert 0 < me.perp.raw < 1_000 * SCALE
    (row,) = fills(desk, me)
    assert row.dir is (FillDir.CLOSE_LONG if side is BUY else FillDir.CLOSE_SHORT)
    assert (row.px, row.crossed) == (at * PERP_GRID.tick, True)
    assert rows.fill_row(row)["liquidation"]["method"] == "market"
    (theirs,) = fills(desk, maker)
    assert theirs.liquidation.user == me.address
    statuses = [r.status for r in desk.exchange.tape.blotter_of(me).rows.values()]
    assert Status.LIQUIDATED in statuses
    (event,) = desk.events(Liquidated)
    assert event.account is me
    assert perp_rows.liquidation(event)["liquidated_user"] == me.address


def test_an_empty_book_waits_and_then_the_backstop_takes_all(desk: Any) -> None:
    me = geared(desk)
    px = me.perp.liquidation_px() // PERP_GRID.tick
    move(desk, px - 2)
    assert me.perp.lots
    assert desk.events(Liquidated) == []
    mark = px * 995 // 1000
    gain = me.perp.lots * mark * PERP_GRID.cash - me.perp.entry
    move(desk, mark)
    assert (me.perp.lots, me.perp.raw, me.perp.entry) == (0, 0, 0)
    backstop = desk.exchange.accounts[BACKSTOP]
    assert backstop.perp.lots == BTC // 5
    (row,) = fills(desk, me)
    assert (row.liquidation.method, row.px, row.closed_pnl) == ("backstop", mark * PERP_GRID.tick, gain)
    (event,) = desk.events(Liquidated)
    assert event.backstop == BACKSTOP


def test_a_thin_book_leaves_the_rest_to_the_backstop(desk: Any) -> None:
    me, maker = geared(desk), desk.account(perp=1_000_000)
    desk.perp(maker, BUY, 700_000, BTC // 10)  # half of it, far below the mark
    px = me.perp.liquidation_px() // PERP_GRID.tick
    move(desk, px - 2)
    assert (me.perp.lots, me.perp.raw) == (0, 0)
    assert desk.exchange.accounts[BACKSTOP].perp.lots == BTC // 10
    assert desk.exchange.accounts[BACKSTOP].perp.raw < 0
    assert [row.liquidation.method for row in fills(desk, me)] == ["market", "backstop"]


def test_a_bankrupt_account_ends_at_zero_and_the_backstop_bears_the_debt(desk: Any) -> None:
    me, maker = geared(desk), desk.account(perp=1_000_000)
    desk.perp(maker, BUY, 600_000, BTC)
    px = me.perp.liquidation_px() // PERP_GRID.tick
    move(desk, px - 2)
    assert (me.perp.lots, me.perp.raw) == (0, 0)
    assert desk.exchange.accounts[BACKSTOP].perp.raw < 0
    assert desk.exchange.accounts[BACKSTOP].perp.lots == 0


def test_switched_off(make_desk: Any) -> None:
    desk = make_desk(RulesConfig(liquidations=False))
    me = geared(desk)
    move(desk, 100_000)
    assert me.perp.lots
    assert desk.exchange.audit() == []


def test_an_account_without_position_is_left_alone(desk: Any) -> None:
    me = desk.account(perp=0)
    move(desk, 100_000)
    assert desk.events(Liquidated) == []
    assert me.perp.raw == 0
