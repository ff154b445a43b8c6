"""A session's fuse has tripped: what this engine wants is not trusted any more, and a restart is the only way back."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.ids import HYPERLIQUID, VenueId
from hlomm.domain.inputs import FeeRates, FuseTripped, OperatorAction
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.outputs import HaltChanged, HaltState
from tests.support.rig import Rig, alerts, cancelled, of, placed, risky

WHY = "max_orders_per_s: 61 orders in a second > 60"
SELLING_COSTS = FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=5_000_000, settle=0)


def trip(rig: Rig) -> Any:
    return rig.tell(FuseTripped(HYPERLIQUID, WHY))


def test_everything_is_cancelled_tokens_are_sold_and_it_stays_halted() -> None:
    rig = Rig()
    rig.buy(100, "0.5", Leg.YES)
    bid = rig.resting_bid()
    out = trip(rig)
    assert [one.client_id for one in cancelled(out)] == [bid.client_id]
    (changed,) = of(out, HaltChanged)
    assert changed.state is HaltState.FLATTENING
    assert changed.persist, "a restart must not go on as if nothing had been"
    assert WHY in changed.reason
    (alert,) = alerts(out, "fuse_tripped")
    assert WHY in alert.text
    assert "restart the daemon" in alert.text
    (sale,) = placed(rig.closed(bid))
    assert (sale.side, sale.reduce_only) == (Side.SELL, True)


def test_only_sales_are_tried_because_no_purchase_would_leave() -> None:
    def way(*before: Any) -> Side:
        rig = Rig()
        rig.tell(SELLING_COSTS)  # five per cent to sell: buying the complement keeps more
        rig.buy(100, "0.5", Leg.YES)
        out = rig.tell(*before) if before else rig.command(OperatorAction.FLATTEN)
        (order,) = placed(out)
        return order.side

    assert way() is Side.BUY
    assert way(FuseTripped(HYPERLIQUID, WHY)) is Side.SELL


def test_resume_is_refused_with_the_remedy() -> None:
    rig = Rig()
    trip(rig)
    rig.wait(30)
    assert rig.halt is HaltState.HALTED
    out = rig.command(OperatorAction.RESUME)
    assert rig.halt is HaltState.HALTED
    (alert,) = alerts(out, "resume_refused")
    assert alert.text == f"cannot resume: the fuse of hyperliquid ({WHY}) has tripped — restart the daemon, then resume"
    assert not risky(rig.keep_fresh(60))


def test_told_again_while_halted_it_says_so_and_stays_safe() -> None:
    rig = Rig()
    trip(rig)
    rig.wait(30)
    out = trip(rig)
    assert alerts(out, "fuse_tripped")
    assert not placed(out)
    rig.wait(30)
    assert rig.halt is HaltState.HALTED


def test_it_is_part_of_the_digest() -> None:
    one, other = Rig(), Rig()
    one.tell(FuseTripped(HYPERLIQUID, "a"))
    other.tell(FuseTripped(HYPERLIQUID, "b"))
    assert one.engine.digest() != other.engine.digest()


def test_a_venue_that_is_not_ours_is_a_fault() -> None:
    with pytest.raises(InvariantBroken, match="unknown venue"):
        Rig().tell(FuseTripped(VenueId("elsewhere"), WHY))
