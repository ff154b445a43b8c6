"""Inventory states: the shares at which they begin, what each does to the quotes, and the surprise that flattens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.inputs import MarkPrice, OperatorAction
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Side
from hlomm.domain.outputs import HaltState
from hlomm.domain.units import to_text
from hlomm.engine.inventory import Stage, stage
from tests.support.rig import Rig, alerts, amended, cancelled, placed
from tests.support.values import PERP, M, config, levels, lots, outcome, px, seconds

BID, ASK = 1, -1
SHARES: dict[str, Any] = {
    "widen_above": px("0.5"), "widen_factor": px("1.5"), "pause_above": px("0.8"), "reduce_above": px("0.9"),
    "reduce_at_touch": True, "flatten_above": px(1),
}  # fmt: skip
LOADED = config(quotes={"min_interval_ns": 0}, inventory=SHARES)
"""400 contracts is the limit: 200 widen, 320 pause, 360 reduce."""


def holding(net: int, **inventory: Any) -> Rig:
    """Net YES contracts (negative: NO), 0.52 to 0.58 wished around 0.55, others at 0.50 and 0.60."""
    rig = Rig(config(quotes={"min_interval_ns": 0}, inventory=SHARES | inventory))
    if net:
        rig.buy(abs(net), "0.5", Leg.YES if net > 0 else Leg.NO)
    rig.want(bid=("0.52", 40), ask=("0.58", 40), fair="0.55")
    return rig


def quoted(rig: Rig, direction: int) -> Any:
    found = [order for order in rig.state.orders.live_in(M) if order.direction == direction]
    return found[0].yes_px if found else None


# -- the table


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (0, Stage.CALM), (200, Stage.CALM), (200.5, Stage.WIDEN), (320, Stage.WIDEN), (320.5, Stage.PAUSE),
        (360, Stage.PAUSE), (360.5, Stage.REDUCE), (400, Stage.REDUCE), (1_000, Stage.REDUCE),
    ],
)  # fmt: skip
def test_a_state_begins_beyond_its_share(net: float, expected: Stage) -> None:
    for sign in (1, -1):
        assert stage(sign * lots(net), lots(400), LOADED.inventory) is expected


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(1, 10**12))
def test_more_inventory_is_never_a_milder_state(one: int, other: int, cap: int) -> None:
    small, large = sorted((abs(one), abs(other)))
    assert stage(small, cap, LOADED.inventory) <= stage(-large, cap, LOADED.inventory)


# -- what they do


@pytest.mark.parametrize(
    ("net", "bid", "ask"),
    [
        (200, "0.52", "0.58"),
        (201, "0.505", "0.58"),  # half a half-spread farther: 1.5 times as wide, on the side that loads
        (320, "0.505", "0.58"),
        (321, None, "0.58"),
        (360, None, "0.58"),
        (361, None, "0.58"),
        (-200, "0.52", "0.58"),
        (-201, "0.52", "0.595"),
        (-321, "0.52", None),
        (-361, "0.52", None),
    ],
)
def test_quotes_by_inventory(net: int, bid: str | None, ask: str | None) -> None:
    rig = holding(net)
    assert quoted(rig, BID) == (bid and px(bid))
    assert quoted(rig, ASK) == (ask and px(ask))
    loaded = BID if net > 0 else ASK
    if abs(net) > 320:
        assert rig.note(loaded) == "inventory"
        assert f"net {net} of 400 = " in rig.market().notes[loaded].detail
    elif abs(net) > 200:
        assert rig.note(loaded) == "ok"
        share = abs(net) * 100 // 400
        assert f"spread x1.5, inventory: net {net} of 400 = {share} % > 50 %" in rig.market().restraints[loaded]


@pytest.mark.parametrize(
    ("asks", "fair", "allowed", "stands"),
    [
        (("0.57", 500), "0.55", True, "0.57"),  # joins the others
        (("0.54", 500), "0.55", True, "0.55"),  # but gives nothing away
        (("0.54", 500), "0.550005", True, "0.55001"),  # fair rounded away from itself, to the tick
        (("0.59", 500), "0.55", True, "0.58"),  # never farther than wished
        (("0.57", 500), "0.55", False, "0.58"),
        (("0.57", 500), None, True, "0.58"),
    ],
)
def test_reducing_stands_at_the_touch_if_allowed(asks: Any, fair: str | None, allowed: bool, stands: str) -> None:
    rules = config(quotes={"min_interval_ns": 0}, inventory=SHARES | {"reduce_at_touch": allowed})
    rig = Rig(rules)
    rig.buy(361, "0.5")
    rig.book(levels(("0.50", 500)), levels(asks))
    rig.want(bid=("0.52", 40), ask=("0.58", 40), fair=fair)
    assert quoted(rig, ASK) == px(stands)
    mirror = Rig(rules)
    mirror.buy(361, "0.5", Leg.NO)
    mirror.book(((10**8 - px(asks[0]), lots(500)),), levels(("0.50", 500)))
    mirror.want(bid=("0.42", 40), ask=("0.48", 40), fair=None if fair is None else to_text(10**8 - px(fair)))
    assert quoted(mirror, BID) == 10**8 - px(stands)


def test_reducing_goes_no_farther_than_flat() -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}, inventory=SHARES | {"reduce_above": px("0.8")}))
    rig.buy(321, "0.5")
    rig.want(bid=("0.52", 400), ask=("0.58", 400), fair="0.55")
    (ask,) = rig.state.orders.live_in(M)
    assert ask.leaves == lots(321)
    assert ask.direction == ASK


def test_a_fill_that_loads_pulls_the_side_at_once() -> None:
    rig = holding(310)
    (bid,) = [order for order in rig.state.orders.live_in(M) if order.direction == BID]
    rig.opened(bid)
    outputs = rig.filled(bid, 11)
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    assert rig.note(BID) == "inventory"


def test_a_fill_that_unloads_brings_the_side_back() -> None:
    rig = holding(321)
    (ask,) = rig.state.orders.live_in(M)
    rig.opened(ask)
    outputs = rig.filled(ask, 1)
    assert [one.leg for one in placed(outputs)] == [Leg.YES]
    assert quoted(rig, BID) == px("0.505")


def test_in_a_fast_market_the_wider_of_two_factors_counts_and_the_touch_is_left_alone() -> None:
    rig = holding(201)
    for order in list(rig.state.orders.live()):
        rig.opened(order)
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    outputs = rig.tell(MarkPrice(PERP, px(81_000), rig.ms))
    assert {one.px for one in amended(outputs)} == {px("0.46"), px("0.64")}, "x3, not x4.5, on either side"
    rig = holding(361)
    rig.book(levels(("0.50", 500)), levels(("0.56", 500)))
    for order in list(rig.state.orders.live()):
        rig.closed(order, filled=0)
    assert quoted(rig, ASK) == px("0.56")
    rig.opened(rig.state.orders.live_in(M)[0])
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    outputs = rig.tell(MarkPrice(PERP, px(81_000), rig.ms))
    assert [one.px for one in amended(outputs)] == [px("0.64")]


# -- the surprise


@pytest.mark.parametrize(("net", "danger"), [(400, False), (-400, False), (401, True), (-401, True)])
def test_a_position_beyond_the_limit_is_sold(net: int, danger: bool) -> None:
    rig = Rig(LOADED)
    outputs = rig.buy(abs(net), "0.5", Leg.YES if net > 0 else Leg.NO)
    assert (rig.halt is not HaltState.RUNNING) is danger
    assert any(order.reduce_only for order in placed(outputs)) is danger
    assert rig.state.counters.trips == ({"inventory": 1} if danger else {})
    if danger:
        (alert,) = alerts(outputs, "danger")
        assert f"inventory of OUT:BTC-80000-15 beyond the limit: net {net} of 400 = 100 %" in alert.text
        assert "selling" in alert.text


def test_who_resumes_with_it_reduces_unless_it_grows() -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}, inventory=SHARES, flatten={"attempts": 1}))
    rig.book((), levels(("0.60", 500)))  # no buyer: it is held
    rig.buy(450, "0.5")
    assert rig.halt is HaltState.HALTED
    rig.book()
    rig.want(bid=("0.52", 20), ask=("0.58", 20), fair="0.55")
    rig.command(OperatorAction.RESUME)
    rig.keep_fresh(2)
    assert rig.halt is HaltState.RUNNING
    assert quoted(rig, BID) is None
    assert quoted(rig, ASK) is not None
    rig.buy(1, "0.5")
    assert rig.halt is not HaltState.RUNNING
    assert rig.state.counters.trips == {"inventory": 2}


@given(st.integers(-399, 399), st.integers(1, 98), st.integers(1, 60), st.integers(2, 97), st.integers(1, 30))
def test_no_restraint_ever_loads_a_paused_side_crosses_or_leaves_the_range(
    net: int, bid: int, width: int, best: int, spread: int
) -> None:
    rig = Rig(LOADED)
    if net:
        rig.buy(abs(net), "0.5", Leg.YES if net > 0 else Leg.NO)
    ask, other = min(bid + width, 99), min(best + spread, 99)
    rig.book(levels((best / 100, 5_000)), levels((other / 100, 5_000)))
    outputs = rig.want(bid=(bid / 100, 50), ask=(ask / 100, 50) if ask > bid else None, fair=(bid + ask) / 200)
    for order in placed(outputs):
        way = int(order.side) if order.leg is Leg.YES else -int(order.side)
        own = order.px if order.leg is Leg.YES else 10**8 - order.px
        assert 0 < own < 10**8
        assert (own - (px(other / 100) if way > 0 else px(best / 100))) * way < 0
        if abs(net) > 320:
            assert way * net < 0


# -- the last seconds


def test_close_to_settlement_only_reductions_are_quoted() -> None:
    rig = Rig(config(quotes={"drain_ns": seconds(15)}), markets=[outcome(tau_s=20)])
    rig.buy(60, "0.5")
    rig.want(bid=("0.52", 100), ask=("0.58", 100))
    assert {order.side for order in rig.state.orders.live()} == {Side.BUY, Side.SELL}
    for order in list(rig.state.orders.live()):
        rig.opened(order)
    rig.keep_fresh(6)
    for order in list(rig.state.orders.live()):
        if order.state is OrderState.PENDING_CANCEL:
            rig.closed(order, filled=0)
    rig.keep_fresh(1)
    assert [(order.leg, order.side, order.exposed) for order in rig.state.orders.live()] == [
        (Leg.YES, Side.SELL, lots(60))
    ]
    assert rig.note(+1).startswith("drain")
