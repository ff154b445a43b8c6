"""Orders that trade at once: one at a time, paced, through the gate, from inventory first."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import Output
from hlomm.domain.view import Take
from tests.support.puppet import desire
from tests.support.rig import Rig, placed
from tests.support.values import M, config, lots, px

RULES = config(quotes={"min_interval_ns": 1_000_000_000})


def take(rig: Rig, direction: int, price: str, number: float) -> list[Output]:
    wish = Take(direction=direction, px=px(price), qty=lots(number), reason="edge 0.03")
    rig.puppet.desired[M] = replace(desire(fair="0.55"), take=wish)
    rig.state.touch(M)
    return rig.turn()


def taken(outputs: list[Output]) -> list[OrderRequest]:
    return [order for order in placed(outputs) if order.purpose is Purpose.LEG]


def test_it_goes_out_at_once_and_never_rests() -> None:
    (order,) = taken(take(Rig(RULES), +1, "0.60", 100))
    assert (order.tif, order.side, order.leg, order.px, order.qty) == (
        Tif.IOC,
        Side.BUY,
        Leg.YES,
        px("0.60"),
        lots(100),
    )


def test_the_other_way_the_complement_is_bought_or_what_is_held_sold() -> None:
    (order,) = taken(take(Rig(RULES), -1, "0.50", 100))
    assert (order.side, order.leg, order.px) == (Side.BUY, Leg.NO, px("0.50"))
    rig = Rig(RULES)
    rig.buy(60, "0.4")
    (order,) = taken(take(rig, -1, "0.50", 100))
    assert (order.side, order.leg, order.qty) == (Side.SELL, Leg.YES, lots(60))


def test_one_at_a_time_and_not_faster_than_the_pace() -> None:
    rig = Rig(RULES)
    (order,) = taken(take(rig, +1, "0.60", 100))
    assert not taken(take(rig, +1, "0.60", 100))
    rig.closed(order, status="iocCancelRejected", filled=0)
    assert not taken(take(rig, +1, "0.60", 100))
    assert rig.note(+1).startswith("pacing")
    rig.jump(1.1)
    assert taken(rig.book())


@pytest.mark.parametrize(
    ("limits", "guard"), [({"max_position": 0}, "max_position"), ({"max_loss_event": 0}, "max_loss_event")]
)
def test_nothing_passes_beside_the_gate(limits: dict[str, int], guard: str) -> None:
    rig = Rig(config(limits=limits))
    assert not taken(take(rig, +1, "0.60", 100))
    assert rig.note(+1).startswith(guard)


def test_a_wish_that_is_gone_sends_nothing_more() -> None:
    rig = Rig(RULES)
    (order,) = taken(take(rig, +1, "0.60", 100))
    rig.filled(order, 100)
    rig.closed(order, status="filled", filled=100)
    rig.puppet.desired[M] = desire(fair="0.55")
    rig.jump(2)
    rig.book()
    assert not taken(rig.turn())
