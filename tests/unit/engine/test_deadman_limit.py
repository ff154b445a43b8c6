"""What a total network loss would strand, its cap in the gate, and the venue-side dead-man that lifts it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.ids import HYPERLIQUID, VenueId
from hlomm.domain.inputs import DeadmanArmed
from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE
from hlomm.engine import stranded
from hlomm.engine.report import report
from tests.support.rig import Rig, amended, cancelled, placed
from tests.support.values import M2, M, config, lots, outcome, px, usd

CAP = 100


def capped(cap: float = CAP, **how: Any) -> Rig:
    return Rig(config(quotes={"min_interval_ns": 0}, limits={"max_resting_without_deadman": usd(cap)}), **how)


def left(rig: Rig) -> int:
    return stranded.stranded(rig.state, HYPERLIQUID)


def arm(rig: Rig, until_ms: int) -> Any:
    return rig.tell(DeadmanArmed(HYPERLIQUID, until_ms))


# -- what is stranded


def test_a_resting_purchase_strands_the_cash_it_locks_on_either_leg() -> None:
    rig = capped(1_000)
    rig.want(bid=("0.52", 100), ask=("0.58", 90))
    assert left(rig) == usd("52") + usd("37.8")


def test_rounded_up_order_by_order() -> None:
    rig = capped(1_000, markets=[outcome(lot=1)])
    rig.want(bid=("0.52001", 99.99999999))
    assert left(rig) == -(-px("0.52001") * lots(99.99999999) // SCALE)


def test_an_order_on_its_way_in_doubt_or_being_amended_counts() -> None:
    rig = capped(1_000)
    (request,) = placed(rig.want(bid=("0.52", 100)))
    assert left(rig) == usd(52)
    rig.opened(request)
    assert amended(rig.want(bid=("0.53", 100)))
    assert left(rig) == usd(105), "both sizes may rest, each at its own price"
    rig.state.orders.lost(rig.order(request.client_id), rig.now.mono_ns)
    assert left(rig) == usd(105)
    rig.want()
    rig.closed(rig.order(request.client_id))
    assert left(rig) == 0


def test_a_sale_of_single_tokens_strands_nothing() -> None:
    rig = capped(10)
    rig.buy(200, "0.5")
    (ask,) = placed(rig.want(ask=("0.58", 150)))
    assert (ask.leg, ask.qty) == (Leg.YES, lots(150))
    assert left(rig) == 0


def test_a_sale_out_of_pairs_strands_what_the_other_half_may_lose() -> None:
    rig = capped(1_000)
    rig.buy(150, "0.5")
    rig.buy(100, "0.4", Leg.NO)
    (ask,) = placed(rig.want(ask=("0.58", 120)))
    assert (ask.leg, ask.qty) == (Leg.YES, lots(120))
    assert left(rig) == 70 * usd("0.42"), "50 are single, 70 come out of pairs: like buying NO at 0.42"


# -- the cap


@pytest.mark.parametrize(("wanted", "placed_qty"), [(192, 192), (193, 192), (400, 192)])
def test_a_purchase_is_cut_to_the_room_in_whole_lots(wanted: int, placed_qty: int) -> None:
    rig = capped()
    (bid,) = placed(rig.want(bid=("0.52", wanted)))  # 100 / 0.52 = 192.3
    assert bid.qty == lots(placed_qty)
    assert left(rig) <= usd(CAP)


def test_both_sides_and_all_markets_share_it() -> None:
    rig = capped(markets=[outcome(), outcome(16)])
    rig.want(bid=("0.52", 100), market=M)
    (ask,) = placed(rig.want(ask=("0.58", 300), market=M2))
    assert ask.qty == lots(114)  # 48 left / 0.42 = 114.2
    assert not placed(rig.want(bid=("0.52", 100), market=M2))
    assert rig.note(1, M2) in ("max_resting_without_deadman", "min_notional")


def test_no_room_is_refused_with_the_numbers() -> None:
    rig = capped(0)
    assert not placed(rig.want(bid=("0.52", 100)))
    note = rig.market().notes[1]
    assert note.guard == "max_resting_without_deadman"
    assert note.detail == "0 would be stranded of 0, hyperliquid has no dead-man armed"


def test_a_sale_out_of_pairs_is_cut_to_singles_and_room() -> None:
    rig = capped(21)
    rig.buy(150, "0.5")
    rig.buy(100, "0.4", Leg.NO)
    (ask,) = placed(rig.want(ask=("0.58", 140)))
    assert ask.qty == lots(100), "50 single ones, and 21 / 0.42 = 50 more"
    assert left(rig) == usd(21)


def test_reductions_are_not_held_up() -> None:
    rig = capped(0)
    rig.buy(100, "0.5")
    assert len(placed(rig.want(ask=("0.58", 100)))) == 1


def test_an_amend_that_does_not_fit_beside_the_old_order_makes_room_first() -> None:
    rig = capped(60)
    bid = rig.resting_bid("0.52", 100)
    outputs = rig.want(bid=("0.55", 100))
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    (again,) = placed(rig.closed(bid, filled=0))
    assert again.px == px("0.55")


def test_a_sale_can_be_amended_without_any_room() -> None:
    """Its tokens are claimed once, whatever the price: only one of the two can be filled."""
    rig = capped(0)
    rig.buy(100, "0.5")
    ask = rig.resting_ask("0.58", 100)
    assert [one.client_id for one in amended(rig.want(ask=("0.57", 100)))] == [ask.client_id]
    assert left(rig) == 0


# -- the dead-man


def test_an_armed_deadman_lifts_the_cap_until_it_passes() -> None:
    rig = capped()
    arm(rig, rig.ms + 10_000)
    bid = rig.resting_bid("0.52", 300)
    assert left(rig) == usd(156)
    rig.keep_fresh(9.9)
    assert bid.live
    outputs = rig.wait(0.0999)
    assert not cancelled(outputs)
    assert rig.state.venues[HYPERLIQUID].deadman_until_ns is not None
    rig.wait(0.0001)
    assert rig.state.venues[HYPERLIQUID].deadman_until_ns is None, "at its moment it counts no longer"
    rig.closed(bid, filled=0)
    rig.book()
    assert {order.qty for order in placed(rig.outputs)[-1:]} == {lots(192)}


def test_a_deadman_that_is_pushed_back_goes_on_counting() -> None:
    rig = capped()
    arm(rig, rig.ms + 10_000)
    rig.keep_fresh(9)
    arm(rig, rig.ms + 10_000)
    rig.keep_fresh(9)
    assert rig.state.venues[HYPERLIQUID].deadman_until_ns is not None
    assert placed(rig.want(bid=("0.52", 300)))[0].qty == lots(300)


@pytest.mark.parametrize("until", ["refused", "past", "now"])
def test_a_refused_or_passed_deadman_is_none(until: str) -> None:
    rig = capped()
    arm(rig, rig.ms + 60_000)
    arm(rig, {"refused": 0, "past": rig.ms - 1, "now": rig.ms}[until])
    assert rig.state.venues[HYPERLIQUID].deadman_until_ns is None
    assert placed(rig.want(bid=("0.52", 300)))[0].qty == lots(192)
    assert not rig.state.timers.running("deadman:hyperliquid")


def test_arming_wakes_what_waited_for_room() -> None:
    rig = capped(0)
    rig.want(bid=("0.52", 100))
    assert len(placed(arm(rig, rig.ms + 60_000))) == 1


def test_another_venue_is_refused() -> None:
    with pytest.raises(InvariantBroken):
        capped().tell(DeadmanArmed(VenueId("elsewhere"), 1))


def test_the_report_shows_what_would_be_left_the_cap_and_the_deadman() -> None:
    rig = capped()
    rig.want(bid=("0.52", 100))
    (row,) = report(rig.state).stranded
    assert (row.venue, row.stranded, row.cap, row.deadman_until_ms) == (HYPERLIQUID, usd(52), usd(CAP), None)
    until_ms = rig.ms + 5_000
    arm(rig, until_ms)
    assert report(rig.state).stranded[0].deadman_until_ms == until_ms


def test_the_digest_knows_of_it() -> None:
    one, other = capped(), capped()
    arm(one, one.ms + 5_000)
    arm(other, other.ms + 5_001)
    assert one.engine.digest() != other.engine.digest()


@given(
    st.integers(0, 150),
    st.lists(
        st.tuples(
            st.sampled_from([M, M2]),
            st.none() | st.tuples(st.integers(40, 59), st.integers(20, 300)),
            st.none() | st.tuples(st.integers(51, 60), st.integers(20, 300)),
            st.sampled_from(["ack", "fill", "close", "wait"]),
        ),
        max_size=12,
    ),
)
def test_what_rests_without_a_deadman_never_exceeds_the_cap(cap: int, steps: list[Any]) -> None:
    rig = capped(cap, markets=[outcome(), outcome(16)])
    for market, bid, above, then in steps:
        ask = None if bid and above and bid[0] >= above[0] else above
        rig.want(bid and (bid[0] / 100, bid[1]), ask and (ask[0] / 100, ask[1]), market=market)
        assert left(rig) <= usd(cap)
        for order in list(rig.state.orders.live()):
            if then == "ack" and (order.venue_order_id is None or order.amending):  # a second id would fill twice over
                rig.opened(order)
            elif then == "fill" and order.venue_order_id is not None and order.leaves:
                rig.filled(order, min(20, order.leaves // SCALE))  # no venue fills more than there is
            elif then == "close":
                rig.closed(order, filled=0)
            assert left(rig) <= usd(cap)
        rig.jump(1)
        for one in (M, M2):
            rig.book(market=one)
        assert left(rig) <= usd(cap)
