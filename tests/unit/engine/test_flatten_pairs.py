"""Complete pairs on the way to safety: both halves go, or none that would leave the other naked."""

from __future__ import annotations

import pytest

from hlomm.domain.ids import HYPERLIQUID, KALSHI, ClientIds
from hlomm.domain.inputs import BookSnapshot, OperatorAction, SessionDown, SessionUp, StopRequested, VenuePaused
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side
from hlomm.domain.outputs import HaltState, Output
from hlomm.engine.report import report
from hlomm.engine.safety import left_open
from hlomm.venues.flatten_plan import FlattenBounds, plan_flatten
from hlomm.venues.protocol import SaleRules
from tests.support.pairs import DEAR, HL, KS, PairDesk
from tests.support.rig import placed
from tests.support.values import lots, px
from tests.unit.engine.test_pairs import NOTHING, bought, told


def sales(outputs: list[Output]) -> list[OrderRequest]:
    return [order for order in placed(outputs) if order.purpose is Purpose.FLATTEN]


def waited(desk: PairDesk, span_s: float, *markets: str) -> list[OrderRequest]:
    """Sales within a span in which the venues tell what our books say; none of them fills."""
    found: list[OrderRequest] = []
    for _ in range(round(span_s * 2)):
        outputs = desk.rig.wait(0.5)
        for venue in (HYPERLIQUID, KALSHI):
            if desk.rig.state.venues[venue].up:
                outputs += desk.rig.tell(told(desk, venue))
        found += sales(outputs)
    assert not markets or {order.market for order in found} <= set(markets)
    return found


def held(desk: PairDesk) -> int:
    return desk.rig.state.pairs.held((HL.id, KS.id))


def test_a_lost_venue_makes_no_half_of_a_pair_naked() -> None:
    desk = bought()
    outputs = desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False))
    assert sales(outputs) + waited(desk, 30) == []
    assert desk.rig.state.halt is HaltState.HALTED
    assert held(desk) == lots(100), "they are a pair as before"
    assert desk.rig.state.withheld(HL.id, Leg.YES) == lots(100)
    assert [trade.how for trade in report(desk.rig.state).arbitrage.trades] == ["held"]


def test_once_the_venue_is_back_both_halves_are_sold() -> None:
    desk = bought()
    desk.rig.tell(SessionDown(KALSHI, "no pong", rest=False))
    waited(desk, 30)
    outputs = desk.rig.tell(told(desk, KALSHI), SessionUp(KALSHI))
    assert desk.rig.state.halt is HaltState.FLATTENING, "the walk goes on"
    outputs += desk.books(dear=DEAR)
    found = sales(outputs) + waited(desk, 1)
    assert {(order.market, order.leg, order.side, order.qty) for order in found} == {
        (HL.id, Leg.YES, Side.SELL, lots(100)), (KS.id, Leg.NO, Side.SELL, lots(100)),
    }  # fmt: skip


@pytest.mark.parametrize("which", ["cheap", "dear"])
def test_without_a_buyer_for_one_half_the_other_is_kept(which: str) -> None:
    desk = bought()
    desk.books(**{which: NOTHING})  # type: ignore[arg-type]
    outputs = desk.rig.command(OperatorAction.KILL)
    assert sales(outputs) + waited(desk, 5) == []
    assert held(desk) == lots(100)
    assert desk.rig.state.halt is HaltState.HALTED, "nothing is waited for"


def test_what_is_beyond_the_pairs_is_sold() -> None:
    desk = bought()
    yes, no = sorted(sales(desk.rig.command(OperatorAction.KILL)), key=lambda order: order.market)
    assert (yes.market, no.market) == (HL.id, KS.id)
    desk.books(dear=NOTHING)
    desk.rig.filled(no, 30)
    desk.rig.closed(no, 30, status="canceled")
    desk.rig.rejected(yes, "IocCancel", "could not match")
    found = waited(desk, 3)
    assert {(order.market, order.leg, order.qty) for order in found} == {(HL.id, Leg.YES, lots(30))}


def test_of_a_pair_that_was_sold_in_part_the_rest_stays_one() -> None:
    desk = bought()
    orders = sales(desk.rig.command(OperatorAction.KILL))
    assert len(orders) == 2
    for order in orders:
        desk.rig.filled(order, 30)
        desk.rig.closed(order, 30, status="canceled")
    desk.books(dear=NOTHING)
    waited(desk, 15)
    assert desk.rig.state.halt is HaltState.HALTED
    assert held(desk) == lots(70)
    (left,) = desk.rig.state.pairs.open
    assert left.spent == 95 * lots(70) // 100
    trades = report(desk.rig.state).arbitrage.trades
    assert sorted((trade.how.partition(":")[0], trade.qty) for trade in trades) == [
        ("held", lots(70)), ("sold", lots(30)),
    ]  # fmt: skip
    assert sum(trade.spent for trade in trades) == 95 * lots(1), "its parts cost what it cost"


def test_a_stop_during_a_pause_of_one_venue_leaves_the_pair_whole_for_the_sweep_too() -> None:
    desk = bought()
    state = desk.rig.state
    desk.rig.tell(VenuePaused(KALSHI, desk.rig.ms + 7_200_000, "maintenance"))
    assert sales(desk.rig.tell(StopRequested("SIGTERM", flatten=True))) + waited(desk, 20) == []
    assert left_open(state)
    assert held(desk) == lots(100)
    known = state.markets[HL.id]
    book = BookSnapshot(HL.id, tuple(known.book.bids), tuple(known.book.asks), 0)
    for whole, orders in ((state.pairs.tokens(HL.id, Leg.YES), 0), (0, 1)):
        plan = plan_flatten(
            told(desk, HYPERLIQUID).tokens, {HL.id: book},
            FlattenBounds(slippage=px("0.05"), whole={(HL.id, Leg.YES): whole}), ClientIds(1).mint,
            rules=lambda _: SaleRules.of(known.market),
        )  # fmt: skip
        assert len(plan.orders) == orders
        assert plan.done is (orders == 0)
