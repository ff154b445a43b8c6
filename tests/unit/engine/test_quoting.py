"""From wishes to the fewest actions: when a resting quote is touched, how often, and in which batch."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.ids import HYPERLIQUID, StrategyId
from hlomm.domain.inputs import (
    BboUpdate,
    ClockSkew,
    MarketDelisted,
    MarketListed,
    MarkPrice,
    OperatorAction,
    RateBudget,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, PlaceOrders, Subscribe
from hlomm.domain.view import BookShape, MarketView, no_quote
from hlomm.engine import quoting
from hlomm.engine.config import OnDisconnect
from hlomm.engine.core import Engine
from hlomm.engine.refusals import KEPT
from tests.support.puppet import Puppet, desire
from tests.support.rig import BIDS, Rig, amended, cancelled, halts, of, placed, risky
from tests.support.values import (
    BASE,
    M2,
    PERP,
    M,
    account,
    bbo,
    config,
    earlier_run_id,
    levels,
    lots,
    outcome,
    perp,
    px,
    resting,
    seconds,
)

S = OrderState
BID, ASK = 1, -1
CALM = config(quotes={"min_interval_ns": 0})
"""No pacing: what the difference alone decides."""


@pytest.fixture
def rig() -> Rig:
    return Rig(CALM)


# -- placing


def test_a_wish_becomes_one_post_only_order_per_side(rig: Rig) -> None:
    outputs = rig.want(bid=("0.52", 100), ask=("0.58", 90))
    (batch,) = of(outputs, PlaceOrders)
    bid, ask = batch.orders
    assert (bid.leg, bid.side, bid.px, bid.qty) == (Leg.YES, Side.BUY, px("0.52"), lots(100))
    assert (ask.leg, ask.side, ask.px, ask.qty) == (Leg.NO, Side.BUY, px("0.42"), lots(90))
    assert {bid.tif, ask.tif} == {Tif.ALO}
    assert rig.note(BID) == rig.note(ASK) == "ok"


def test_quotes_of_several_markets_share_a_batch() -> None:
    rig = Rig(CALM, markets=[outcome(), outcome(16)])
    rig.puppet.desired[M] = desire(bid=("0.52", 100))
    rig.state.touch(M)
    (batch,) = of(rig.want(ask=("0.58", 100), market=M2), PlaceOrders)
    assert [order.market for order in batch.orders] == [M, M2]


def test_nothing_is_placed_twice_while_the_answer_is_out(rig: Rig) -> None:
    rig.want(bid=("0.52", 100))
    for price in ("0.53", "0.51", "0.52"):
        assert not risky(rig.want(bid=(price, 100)))
    assert rig.note(BID) == "ok"


def test_a_fulfilled_wish_is_left_alone(rig: Rig) -> None:
    rig.resting_bid()
    assert not rig.keep_fresh(5)


def test_a_wish_withdrawn_is_cancelled_at_once_and_once(rig: Rig) -> None:
    order = rig.resting_bid()
    (request,) = cancelled(rig.want())
    assert (request.client_id, request.leg, request.market) == (order.client_id, Leg.YES, M)
    assert rig.keep_fresh(5) == []
    assert order.state is S.PENDING_CANCEL
    assert rig.note(BID) == "puppet"


def test_an_order_may_be_cancelled_before_it_was_acknowledged(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    assert [one.client_id for one in cancelled(rig.want())] == [request.client_id]


def test_a_new_quote_waits_for_the_end_of_the_old_one(rig: Rig) -> None:
    order = rig.resting_bid()
    rig.want()
    assert not placed(rig.want(bid=("0.52", 100)))
    assert rig.note(BID) == S.PENDING_CANCEL.value
    assert len(placed(rig.closed(order, filled=0))) == 1


def test_refilled_after_a_whole_fill(rig: Rig) -> None:
    order = rig.resting_bid("0.52", 100)
    outputs = rig.filled(order, 100)
    assert [one.qty for one in placed(outputs)] == [lots(100)]


# -- moving


@pytest.mark.parametrize(("price", "moves"), [("0.52099", False), ("0.521", True), ("0.51901", False), ("0.519", True)])
def test_least_move(rig: Rig, price: str, moves: bool) -> None:
    order = rig.resting_bid("0.52", 100)
    found = amended(rig.want(bid=(price, 100)))
    assert bool(found) is moves
    if moves:
        (amend,) = found
        assert (amend.client_id, amend.px, amend.qty, amend.tif) == (order.client_id, px(price), lots(100), Tif.ALO)
        assert amend.venue_order_id == rig.oid_of[order.client_id]


@pytest.mark.parametrize(("price", "moves"), [("0.52499", False), ("0.525", True)])
def test_the_strategys_tolerance_widens_the_least_move(rig: Rig, price: str, moves: bool) -> None:
    rig.resting_bid("0.52", 100, tolerance="0.005")
    assert bool(amended(rig.want(bid=(price, 100), tolerance="0.005"))) is moves


@pytest.mark.parametrize(("number", "moves"), [(125, False), (126, True), (75, False), (74, True)])
def test_least_change_of_size(rig: Rig, number: float, moves: bool) -> None:
    rig.resting_bid("0.52", 100)
    assert bool(amended(rig.want(bid=("0.52", number)))) is moves


def test_size_is_compared_with_what_is_left(rig: Rig) -> None:
    order = rig.resting_bid("0.52", 100)
    rig.filled(order, 15)
    assert not amended(rig.keep_fresh(2))
    rig.filled(order, 10)
    assert [one.qty for one in amended(rig.outputs)] == [lots(100)]


def test_moves_of_the_no_leg_are_measured_in_yes_space(rig: Rig) -> None:
    order = rig.resting_ask("0.58", 100)
    assert (order.leg, order.px) == (Leg.NO, px("0.42"))
    assert not amended(rig.want(ask=("0.5805", 100)))
    (amend,) = amended(rig.want(ask=("0.59", 100)))
    assert (amend.leg, amend.px) == (Leg.NO, px("0.41"))


def test_no_second_amend_before_the_first_is_answered(rig: Rig) -> None:
    order = rig.resting_bid("0.52", 100)
    rig.want(bid=("0.53", 100))
    assert not risky(rig.want(bid=("0.54", 100)))
    assert rig.note(BID) == S.PENDING_AMEND.value
    outputs = rig.opened(order)
    assert [one.px for one in amended(outputs)] == [px("0.54")]


def test_an_amend_that_does_not_fit_beside_the_old_order_takes_it_out_first() -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}, limits={"max_position": lots(150)}))
    order = rig.resting_bid("0.52", 100)
    outputs = rig.want(bid=("0.53", 100))
    assert not amended(outputs)
    assert [one.client_id for one in cancelled(outputs)] == [order.client_id]
    assert rig.note(BID) == "making_room"
    assert [one.px for one in placed(rig.closed(order, filled=0))] == [px("0.53")]


def test_wishing_for_more_than_fits_keeps_what_rests() -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}, limits={"max_position": lots(150)}))
    rig.resting_bid("0.52", 100)
    outputs = rig.want(bid=("0.52", 140))
    assert not cancelled(outputs)
    assert not amended(outputs)
    assert rig.note(BID) == "ok"


def test_a_gate_that_refuses_the_new_price_takes_the_old_quote_out(rig: Rig) -> None:
    order = rig.resting_bid("0.52", 100, fair="0.55")
    rig.want(bid=("0.52", 100), fair="0.55")
    outputs = rig.want(bid=("0.52", 20), fair="0.99")
    assert [one.client_id for one in cancelled(outputs)] == [order.client_id]
    assert rig.note(BID) == "fair_deviation"


# -- pacing


def test_a_side_is_touched_at_most_once_per_interval() -> None:
    rig = Rig()
    order = rig.resting_bid("0.52", 100)
    assert not amended(rig.want(bid=("0.53", 100)))
    rig.jump(0.499)
    assert not amended(rig.want(bid=("0.53", 100)))
    rig.jump(0.001)
    assert len(amended(rig.want(bid=("0.53", 100)))) == 1
    rig.opened(order)
    rig.jump(0.4)
    assert not amended(rig.want(bid=("0.54", 100)))


def test_the_wish_that_had_to_wait_is_not_forgotten() -> None:
    rig = Rig()
    rig.resting_bid("0.52", 100)
    rig.want(bid=("0.53", 100))
    assert len(amended(rig.wait(1))) == 1


def test_retreats_do_not_wait() -> None:
    """Moving away from the market is how losses are avoided: no interval applies."""
    rig = Rig()
    bid, ask = rig.resting_bid("0.52", 100), None
    assert len(amended(rig.want(bid=("0.51", 100)))) == 1
    rig.opened(bid)
    assert len(amended(rig.want(bid=("0.50001", 100)))) == 1
    other = Rig()
    ask = other.resting_ask("0.58", 100)
    assert len(amended(other.want(ask=("0.59", 100)))) == 1
    other.opened(ask)
    assert not amended(other.want(ask=("0.58", 100)))


def test_cancels_do_not_wait() -> None:
    rig = Rig()
    rig.resting_bid("0.52", 100)
    assert len(cancelled(rig.want())) == 1


def test_placing_again_after_a_cancel_waits_for_the_interval() -> None:
    rig = Rig()
    order = rig.resting_bid("0.52", 100)
    rig.want()
    rig.puppet.desired[M] = rig.puppet.desired[M]
    rig.want(bid=("0.52", 100))
    assert not placed(rig.closed(order, filled=0))
    assert len(placed(rig.wait(1))) == 1


def test_the_gate_is_not_asked_again_at_once_for_what_it_has_no_room() -> None:
    """With every tick the wish comes again, and finding out that there is no room is most of what a tick costs."""
    rig = Rig(config(limits={"max_position": lots(10)}))  # 10 contracts are worth less than the venue's minimum
    asked = lambda: rig.state.counters.rejected.get("min_notional", 0)  # noqa: E731
    assert not placed(rig.want(bid=("0.52", 100)))
    assert asked() == 1
    for _ in range(5):
        rig.jump(0.05)
        rig.book()
        assert rig.market().notes[BID].guard == "min_notional", "the reason stays where people look for it"
    assert asked() == 1
    rig.state.config = config()
    for _ in range(8):
        rig.jump(0.5)
        assert not placed(rig.book()), "nothing that decides on it has changed"
    assert len(placed(rig.buy(1, "0.50"))) == 1, "what is held has, and the least interval is over"


def test_what_there_was_no_room_for_is_asked_for_again_in_time() -> None:
    rig = Rig(config(limits={"max_position": lots(10)}))
    assert not placed(rig.want(bid=("0.52", 100)))
    rig.state.config = config()
    rig.keep_fresh(0.5 * KEPT - 0.2)
    assert rig.state.orders.live_count == 0
    rig.keep_fresh(0.7)
    assert rig.state.orders.live_count == 1, "prices and time make room as well"


def test_the_two_sides_are_paced_apart() -> None:
    rig = Rig()
    rig.resting_bid("0.52", 100)
    assert len(placed(rig.want(bid=("0.52", 100), ask=("0.58", 100)))) == 1


def test_a_short_budget_slows_quoting_down() -> None:
    rig = Rig()
    order = rig.resting_bid("0.52", 100)
    rig.tell(RateBudget(HYPERLIQUID, used=9_100, cap=10_000))
    rig.jump(1.99)
    rig.book()
    assert not amended(rig.want(bid=("0.53", 100))), "four intervals of half a second"
    rig.jump(0.01)
    assert len(amended(rig.want(bid=("0.53", 100)))) == 1
    rig.opened(order)
    rig.jump(10)
    rig.book()
    assert not amended(rig.want(bid=("0.533", 100))), "four times the least move"
    assert len(amended(rig.want(bid=("0.534", 100)))) == 1


def test_the_reserve_lets_only_cancels_through() -> None:
    rig = Rig(CALM)
    order = rig.resting_bid("0.52", 100)
    rig.tell(RateBudget(HYPERLIQUID, used=9_900, cap=10_000))
    outputs = rig.want(bid=("0.54", 100), ask=("0.58", 100))
    assert not risky(outputs)
    assert [one.client_id for one in cancelled(outputs)] == [order.client_id]
    assert rig.note(ASK) == "budget"


def test_every_action_is_paid_from_the_budget() -> None:
    rig = Rig(CALM)
    rig.tell(RateBudget(HYPERLIQUID, used=0, cap=10_000))
    order = rig.resting_bid("0.52", 100)
    rig.want(bid=("0.53", 100))
    rig.opened(order)
    rig.want()
    assert rig.state.budgets.left(HYPERLIQUID) == 10_000 - 3
    counters = rig.state.counters
    assert (counters.placed, counters.amends, counters.cancels) == (1, 1, 1)


# -- staying post-only


@pytest.mark.parametrize(("wish", "sent"), [("0.59998", "0.59998"), ("0.60", "0.59999"), ("0.75", "0.59999")])
def test_a_bid_stays_below_the_best_ask(rig: Rig, wish: str, sent: str) -> None:
    (request,) = placed(rig.want(bid=(wish, 100)))
    assert request.px == px(sent)


def test_an_ask_stays_above_the_best_bid(rig: Rig) -> None:
    (request,) = placed(rig.want(ask=("0.40", 100)))
    assert request.px == px(1) - px("0.50001")


def test_no_room_inside_the_book_is_said(rig: Rig) -> None:
    rig.book(levels(("0.99999", 500)), ())
    rig.want(ask=("0.95", 100))
    assert rig.note(ASK) == "post_only"
    assert not rig.state.orders.live_in(M)


# -- one live quote per direction


def test_an_extra_order_of_an_earlier_run_is_taken_out(rig: Rig) -> None:
    first = rig.resting_bid("0.52", 100)
    stray = earlier_run_id()
    rig.keep_fresh(10)
    outputs = rig.tell(account(orders=(resting(stray), resting(first.client_id, oid=rig.oid_of[first.client_id]))))
    assert [one.client_id for one in cancelled(outputs)] == [stray]


def test_never_two_live_quotes_in_one_direction(rig: Rig) -> None:
    order = rig.resting_bid("0.52", 100)
    for step in range(20):
        rig.want(bid=(f"0.5{step % 7 + 1}", 100 + step * 10))
        if step % 5 == 4:
            rig.opened(order)
        assert sum(o.direction == BID for o in rig.state.orders.live_in(M)) == 1


# -- what keeps a market from being quoted


def block(rig: Rig, how: str) -> Any:
    match how:
        case "stale_book":
            return rig.wait(7)
        case "crossed_book":
            return rig.book(levels(("0.6", 50)), levels(("0.6", 50)))
        case "paused":
            return rig.command(OperatorAction.PAUSE, target="puppet", reason="lunch")
        case "clock_skew":
            return rig.tell(ClockSkew(HYPERLIQUID, -3_001)) + rig.wait(1)
        case "market":
            return rig.tell(MarketDelisted(M, "gone"))
        case "session":
            return rig.down()
        case "halted":
            return rig.command(OperatorAction.KILL) + rig.wait(1)
        case _:
            raise AssertionError(how)


@pytest.mark.parametrize("how", ["stale_book", "crossed_book", "paused", "clock_skew", "market", "session", "halted"])
def test_each_guard_cancels_names_itself_and_asks_no_strategy(how: str) -> None:
    rig = Rig(config(flatten={"on_disconnect": {HYPERLIQUID: OnDisconnect.PAUSE}}, quotes={"min_interval_ns": 0}))
    order = rig.resting_bid("0.52", 100)
    asked = len(rig.puppet.views)
    outputs = block(rig, how)
    assert order.client_id in [one.client_id for one in cancelled(outputs)]
    assert rig.note(BID) == rig.note(ASK) == how
    assert rig.market().desired is not None
    if how not in ("stale_book", "clock_skew"):
        assert len(rig.puppet.views) == asked
    asked = len(rig.puppet.views)
    assert not risky(rig.wait(2))
    assert len(rig.puppet.views) == asked


@pytest.mark.parametrize(("skew_ms", "blocked"), [(3_000, False), (-3_000, False), (3_001, True), (-3_001, True)])
def test_clock_skew_at_its_edge(rig: Rig, skew_ms: int, blocked: bool) -> None:
    rig.tell(ClockSkew(HYPERLIQUID, skew_ms))
    assert bool(placed(rig.want(bid=("0.52", 100)))) is not blocked


def test_unpausing_quotes_again(rig: Rig) -> None:
    order = rig.resting_bid("0.52", 100)
    rig.command(OperatorAction.PAUSE, target="puppet")
    rig.closed(order, filled=0)
    assert len(placed(rig.command(OperatorAction.UNPAUSE, target="puppet"))) == 1


def test_pausing_a_strategy_that_does_not_exist_says_which_do(rig: Rig) -> None:
    rig.resting_bid("0.52", 100)
    (alert,) = rig.command(OperatorAction.PAUSE, target="nobody")
    assert "puppet" in alert.text  # type: ignore[union-attr]
    assert rig.state.paused == {}


def test_a_market_nobody_quotes_is_neither_followed_nor_quoted() -> None:
    rig = Rig(CALM, markets=[outcome(), outcome(16, klass="template:x")])
    assert M2 not in [output.market for output in of(rig.outputs, Subscribe)]
    assert rig.market(M2).strategy is None
    rig.book(market=M2)
    assert not rig.wait(3) or M2 not in {view.market.id for view in rig.puppet.views}


def test_the_first_strategy_that_wants_a_market_has_it() -> None:
    first, second = Puppet("first"), Puppet("second")
    engine = Engine(BASE, [first, second], [HYPERLIQUID])
    rig = Rig(boot=False)
    rig.engine, rig.puppet = engine, first
    rig.boot()
    rig.tell(MarketListed(outcome()))
    assert rig.market().strategy == StrategyId("first")


# -- the view


def last_view(rig: Rig) -> MarketView:
    rig.want()
    return rig.puppet.views[-1]


def test_our_own_orders_are_not_in_the_view(rig: Rig) -> None:
    rig.resting_bid("0.52", 100)
    rig.book(levels(("0.52", 100), ("0.50", 500)), levels(("0.60", 500)))
    view = last_view(rig)
    assert view.bids == levels(("0.50", 500))
    rig.book(levels(("0.52", 100)), levels(("0.60", 500)))
    assert last_view(rig).shape is BookShape.ASK_ONLY


def test_an_unacknowledged_order_is_still_in_the_view(rig: Rig) -> None:
    rig.want(bid=("0.52", 100))
    rig.book(levels(("0.52", 100)), levels(("0.60", 500)))
    assert rig.puppet.views[-1].bids == levels(("0.52", 100))


def test_the_underlying_is_the_perps_mid_or_its_mark_and_has_its_own_age(rig: Rig) -> None:
    view = last_view(rig)
    assert (view.underlying_px, view.underlying_mid2) == (None, None)
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    rig.jump(2)
    rig.book()
    view = last_view(rig)
    assert (view.underlying_px, view.underlying_mid2, view.underlying_age_ns) == (px(80_000), None, seconds(2))
    rig.tell(bbo((px(79_999), lots(1)), (px(80_002), lots(1)), rig.ms, PERP))
    rig.jump(1)
    rig.book()
    view = last_view(rig)
    assert (view.underlying_mid2, view.underlying_age_ns) == (px(160_001), seconds(1))


def test_fresh_marks_do_not_make_a_stalled_perp_book_fresh(rig: Rig) -> None:
    """The book's stream died, the marks go on: quoting on the old mid would be quoting blind."""
    rig.tell(BboUpdate(PERP, (px(79_999), lots(1)), (px(80_001), lots(1)), rig.ms))
    rig.jump(5)
    rig.tell(MarkPrice(PERP, px(81_000), rig.ms))
    view = last_view(rig)
    assert view.underlying_mid2 == px(160_000)
    assert view.underlying_age_ns == seconds(5), "the age of the price that is used"
    rig.jump(2)
    rig.book()
    view = last_view(rig)
    assert view.underlying_mid2 is None, "beyond the limit the mark takes over"
    assert (view.underlying_px, view.underlying_age_ns) == (px(81_000), seconds(2))


def test_a_live_perp_book_does_not_make_an_old_mark_fresh(rig: Rig) -> None:
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    rig.jump(30)
    rig.book()
    rig.tell(BboUpdate(PERP, (px(79_999), lots(1)), None, rig.ms))
    view = last_view(rig)
    assert view.underlying_mid2 is None
    assert view.underlying_age_ns == seconds(30)


def test_the_view_counts_time_book_and_tokens(rig: Rig) -> None:
    rig.buy(30, "0.5")
    rig.buy(10, "0.4", Leg.NO)
    rig.jump(1.5)
    view = last_view(rig)
    assert (view.yes, view.no, view.net) == (lots(30), lots(10), lots(20))
    assert view.tau_ns == seconds(3_600 - 1.5)
    assert view.book_age_ns == seconds(1.5)
    before = view.book_count
    rig.book(BIDS, levels(("0.6", 1)))
    assert last_view(rig).book_count == before + 1
    assert view.equity == rig.state.equity()


def test_the_view_of_a_market_without_its_perp() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.tell(MarketListed(outcome()))
    view = quoting.view_of(rig.state, rig.market())
    assert (view.underlying_px, view.underlying_mid2) == (None, None)
    rig.tell(MarketListed(perp()))
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    assert quoting.view_of(rig.state, rig.market()).underlying_px == px(80_000)


# -- when decisions are made


def test_a_quiet_market_is_decided_again_and_again(rig: Rig) -> None:
    asked = len(rig.puppet.views)
    rig.keep_fresh(5)
    assert len(rig.puppet.views) - asked >= 9


def test_a_move_of_the_underlying_is_a_reason_to_decide(rig: Rig) -> None:
    asked = len(rig.puppet.views)
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    assert len(rig.puppet.views) == asked + 1


def test_an_unchanged_book_is_no_reason(rig: Rig) -> None:
    asked = len(rig.puppet.views)
    rig.book()
    assert len(rig.puppet.views) == asked


def test_a_reason_without_a_guard_still_names_somebody(rig: Rig) -> None:
    rig.puppet.desired[M] = no_quote("")
    rig.state.touch(M)
    rig.turn()
    assert rig.note(BID) == "strategy"


def test_a_halt_is_not_a_message_of_every_turn(rig: Rig) -> None:
    rig.command(OperatorAction.KILL)
    assert halts(rig.wait(5)) == []
    assert not of(rig.outputs[-3:], AmendOrders)
    assert not of(rig.outputs[-3:], CancelOrders)
