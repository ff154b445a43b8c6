"""A venue that takes no new orders for a while: nothing is placed there, what rests goes, a walk waits for it."""

from __future__ import annotations

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import OperatorAction, VenuePaused
from hlomm.domain.outputs import HaltState
from hlomm.domain.view import Desired, Take
from hlomm.engine.quoting import blocked
from tests.support.rig import Rig, alerts, cancelled, placed
from tests.support.values import M, config, lots, px

FAST = config(quotes={"min_interval_ns": 0})


def paused(rig: Rig, span_s: float, reason: str = "maintenance") -> VenuePaused:
    return VenuePaused(HYPERLIQUID, rig.ms + round(span_s * 1_000), reason)


def test_quotes_go_and_come_back_when_its_time_has_passed() -> None:
    rig = Rig(FAST)
    order = rig.resting_bid()
    outputs = rig.tell(paused(rig, 5))
    assert [request.client_id for request in cancelled(outputs)] == [order.client_id]
    (alert,) = alerts(outputs, "venue_paused")
    assert "UTC (maintenance)" in alert.text
    rig.closed(order)
    assert placed(rig.keep_fresh(4)) == []
    why = blocked(rig.state, rig.market())
    assert why is not None
    assert why.startswith("venue_paused: hyperliquid takes no new orders until ")
    assert why.endswith("UTC (maintenance)")
    assert len(placed(rig.keep_fresh(2))) == 1


def test_it_may_say_earlier_that_it_is_open_and_later_that_it_takes_longer() -> None:
    rig = Rig(FAST)
    rig.tell(paused(rig, 5))
    assert alerts(rig.tell(paused(rig, 60)), "venue_paused") == [], "said once"
    rig.want(bid=("0.52", 100))
    assert placed(rig.keep_fresh(10)) == []
    outputs = rig.tell(VenuePaused(HYPERLIQUID, 0, "open"))
    assert len(placed(outputs)) == 1
    assert len(alerts(outputs, "venue_open")) == 1
    assert alerts(rig.tell(VenuePaused(HYPERLIQUID, 0, "open")), "venue_open") == []


def test_a_walk_waits_for_it_without_wasting_attempts() -> None:
    rig = Rig(FAST)
    rig.buy(100, "0.5")
    rig.tell(paused(rig, 4))
    rig.state.touch(M)
    outputs = rig.command(OperatorAction.FLATTEN)
    assert placed(outputs) == []
    assert placed(rig.wait(3)) == []
    assert rig.halt is HaltState.FLATTENING
    assert rig.state.walk is not None
    assert "takes no new orders" in rig.state.walk.held[M]
    (sale,) = placed(rig.wait(2))
    assert sale.qty == lots(100)


def test_a_strategy_that_wants_to_trade_at_once_does_not() -> None:
    rig = Rig(FAST)
    rig.tell(paused(rig, 60))
    rig.want(fair="0.55")
    rig.puppet.desired[M] = Desired(
        bid=None, ask=None, fair=px("0.55"), take=Take(direction=1, px=px("0.6"), qty=lots(10), reason="edge")
    )
    rig.state.touch(M)
    assert placed(rig.turn()) == []
