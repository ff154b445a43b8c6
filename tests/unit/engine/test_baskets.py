"""Baskets: all legs or none, completed or sold back within what they may lose, and left to a person otherwise."""

from __future__ import annotations

import attrs
import pytest

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import HYPERLIQUID, VenueOrderId
from hlomm.domain.inputs import (
    FeeRates,
    GuardianDown,
    MarketListed,
    MarketSettled,
    OperatorAction,
    RateBudget,
    SendLost,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.units import SCALE
from hlomm.engine import gate
from hlomm.engine.basket import Phase
from hlomm.engine.basket_orders import LEGS_MAX, rehearsed
from hlomm.engine.config import OnDisconnect
from hlomm.engine.digest import Digest
from hlomm.engine.report import report
from tests.support.puppet import Puppet
from tests.support.questions import ASKS, BIDS, KLASS, QUESTION, RULES, Desk, members, numbered, wanted
from tests.support.rig import Rig, alerts, placed
from tests.support.values import config, levels, lots, outcome, px, seconds, usd


def rules(**sections: dict[str, object]):
    """The rules of these tests with single values changed."""
    return attrs.evolve(
        RULES, **{name: attrs.evolve(getattr(RULES, name), **values) for name, values in sections.items()}
    )


def all_filled(desk: Desk, orders: list[OrderRequest], number: float = 100) -> list[OrderRequest]:
    found: list[OrderRequest] = []
    for order in orders:
        found += desk.ends(order, number)
    return found


def missed(number: float = 0, **how: float) -> tuple[Desk, list[OrderRequest]]:
    """A basket of which the last leg filled only so much, and what is sent at once."""
    desk = Desk.open()
    first, second, third = desk.want(wanted(**how))
    desk.ends(first, 100)
    desk.ends(second, 100)
    return desk, desk.ends(third, number)


# -- all legs, together


def test_every_leg_leaves_in_one_turn_at_one_size_and_never_rests() -> None:
    desk = Desk.open()
    orders = desk.want(wanted())
    assert [(one.market, one.leg, one.side, one.px, one.qty, one.tif) for one in orders] == [
        (numbered(place), Leg.YES, Side.BUY, px("0.31"), lots(100), Tif.IOC) for place in range(3)
    ]
    assert desk.phase == "working"
    assert desk.rig.note(+1, numbered(1)) == "taking"


def test_all_filled_is_all_done() -> None:
    desk = Desk.open()
    assert not all_filled(desk, desk.want(wanted()))
    assert desk.phase == "done"
    assert desk.held() == [100, 100, 100]
    assert desk.counts("started", "done", "mended", "unwound", "abandoned") == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("number", [0, 60])
def test_all_equally_short_is_done_as_well(number: float) -> None:
    desk = Desk.open()
    assert not all_filled(desk, desk.want(wanted()), number)
    assert (desk.phase, desk.held()) == ("done", [number] * 3)


def test_one_basket_of_a_question_at_a_time_and_not_faster_than_the_pace() -> None:
    desk = Desk.open()
    orders = desk.want(wanted())
    desk.rig.wait(2)
    for place in range(3):
        desk.book(place)
    assert not desk.want(wanted())
    all_filled(desk, orders)
    (again,) = {len(desk.want(wanted()))}
    assert again == 3
    all_filled(desk, desk.rig_orders())
    assert not desk.want(wanted()), "not within the pace"


def test_no_new_one_while_an_order_of_a_dropped_one_may_still_fill() -> None:
    desk = Desk.open()
    orders = desk.want(wanted())
    desk.basket.phase = Phase.DROPPED
    desk.rig.wait(2)
    for place in range(3):
        desk.book(place)
    assert not desk.want(wanted())
    all_filled(desk, orders)
    assert len(desk.want(wanted())) == 3


# -- the rehearsal


@pytest.mark.parametrize(
    ("limits", "most"),
    [({"max_position": lots(40)}, 40), ({"max_gross_notional": usd(62)}, 66), ({"max_loss_total": usd(62)}, 66)],
)
def test_the_smallest_room_decides_for_all(limits: dict[str, int], most: float) -> None:
    desk = Desk.open(rules(limits=limits))
    orders = desk.want(wanted())
    assert {one.qty for one in orders} == {lots(most)}
    assert len(orders) == 3


@pytest.mark.parametrize(
    ("limits", "guard"),
    [
        ({"max_position": 0}, "max_position"), ({"max_open_orders": 2}, "open_orders"),
        ({"max_position": lots(9)}, "min_notional"), ({"max_gross_notional": usd("31")}, "max_gross_notional"),
        ({"max_resting_without_deadman": usd(31)}, "max_resting_without_deadman"),
    ],
)  # fmt: skip
def test_one_leg_that_may_not_go_keeps_all_at_home(limits: dict[str, int], guard: str) -> None:
    desk = Desk.open(rules(limits=limits))
    assert not desk.want(wanted())
    assert desk.rig.note(+1, numbered(0)) == guard
    assert desk.known.basket is None
    assert desk.rig.state.counters.rejected[guard] == 1


def test_fewer_sets_than_are_worth_it_are_not_bought() -> None:
    desk = Desk.open(rules(limits={"max_position": lots(40)}))
    assert not desk.want(attrs.evolve(wanted(), least=lots(41)))
    assert desk.rig.note(+1, numbered(0)) == "basket"


def test_the_budget_must_last_for_every_leg() -> None:
    desk = Desk.open()
    reserve = RULES.budget.reserve
    desk.rig.tell(RateBudget(HYPERLIQUID, used=0, cap=reserve + 2))
    assert not desk.want(wanted())
    assert desk.rig.note(+1, numbered(0)) == "budget"
    desk.rig.tell(RateBudget(HYPERLIQUID, used=0, cap=reserve + 3))
    desk.rig.wait(5)
    for place in range(3):
        desk.book(place)
    assert len(desk.want(wanted())) == 3


def test_more_legs_than_a_fuse_takes_for_sane_are_not_sent() -> None:
    desk = Desk.open(rules(limits={"max_open_orders": 100}), count=LEGS_MAX + 1)
    assert not desk.want(wanted(LEGS_MAX + 1))
    assert desk.rig.note(+1, numbered(0)) == "basket"


def test_a_rehearsal_leaves_no_trace() -> None:
    desk = Desk.open()
    state = desk.rig.state
    before = (state.digest.value, state.orders.live_count, list(state.orders.live()), state.counters.passed)
    assert rehearsed(state, wanted()) == lots(100)
    assert (state.digest.value, state.orders.live_count, list(state.orders.live()), state.counters.passed) == before


def test_supposed_orders_count_only_while_they_are_supposed() -> None:
    desk = Desk.open()
    register = desk.rig.state.orders
    desk.want(wanted())
    (order,) = register.live_in(numbered(0))
    supposed = attrs.evolve(order, client_id="supposed", market=numbered(1))
    with register.supposing([supposed]):
        assert register.live_count == 4
        assert supposed in register.exposed_in(numbered(1))
    assert register.live_count == 3
    assert supposed not in register.exposed_in(numbered(1))


# -- who is asked, and when


def test_nobody_is_asked_before_the_question_is_complete() -> None:
    rig = Rig(RULES, markets=members(3)[:2], strategies=[Puppet(klass=KLASS)])
    assert rig.puppet.combined == []
    rig.tell(MarketListed(members(3)[2]))
    for place in range(3):
        rig.book(BIDS, ASKS, market=numbered(place))
    assert set(rig.puppet.combined) == {tuple(numbered(place) for place in range(3))}


def test_a_strategy_must_have_the_whole_question() -> None:
    strategies = [Puppet("other", klass="else"), Puppet(klass=KLASS)]
    markets = [*members(3)[:2], outcome(17, klass="else", question=QUESTION, question_size=3)]
    rig = Rig(RULES, markets=markets, strategies=strategies)
    rig.book(market=numbered(0))
    assert [puppet.combined for puppet in strategies] == [[], []]


def test_an_outcome_that_is_over_makes_a_question_incomplete() -> None:
    desk = Desk.open()
    desk.rig.tell(MarketSettled(numbered(1), px(0), "early"))
    desk.rig.puppet.combined.clear()
    assert not desk.want(wanted())
    assert desk.rig.puppet.combined == []


@pytest.mark.parametrize("what", ["stale", "pause", "guardian"])
def test_nobody_is_asked_while_one_market_is_blocked(what: str) -> None:
    desk = Desk.open()
    if what == "stale":
        desk.rig.wait(7)
        desk.book(0)
        desk.book(1)
    elif what == "pause":
        desk.rig.command(OperatorAction.PAUSE, target="puppet")
    else:
        desk.rig.state.guardian_required = True
        desk.rig.tell(GuardianDown("gone"))
    desk.rig.puppet.combined.clear()
    assert not desk.want(wanted())
    assert desk.rig.puppet.combined == []


def test_what_a_merge_costs_is_told_to_who_reckons_with_it() -> None:
    desk = Desk.open()
    desk.rig.tell(FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=0, close_taker=0, settle=70_000))
    desk.want(None)
    assert desk.rig.puppet.views[-1].merge_fee == 70_000, "until a merge shows it, what settling costs"
    desk.rig.state.merge_fee[HYPERLIQUID] = 5
    desk.want(None)
    assert desk.rig.puppet.views[-1].merge_fee == 5
    desk.want(wanted())
    assert desk.basket.unit == SCALE - 5


def test_a_strategy_that_raises_over_a_question_is_stopped_alone() -> None:
    desk = Desk.open()

    def fail(_: object) -> None:
        raise ValueError("planted")

    desk.rig.puppet.combine = fail  # type: ignore[method-assign, assignment]
    desk.rig.state.touch(numbered(0))
    outputs = desk.rig.turn()
    assert alerts(outputs, "strategy_fault")
    assert desk.rig.halt is HaltState.RUNNING


# -- completing


def test_a_missed_leg_is_bought_after_up_to_break_even_and_the_allowance() -> None:
    desk, (mend,) = missed()
    assert desk.phase == "mending"
    assert (mend.market, mend.side, mend.leg, mend.qty) == (numbered(2), Side.BUY, Leg.YES, lots(100))
    assert mend.px == px("0.43"), "0.31 + 0.31 + 0.43 is 1 and 5 USDC more for a hundred"
    desk.ends(mend, 100, at="0.33")
    assert desk.phase == "done"
    assert desk.counts("started", "done", "mended", "unwound") == (1, 1, 1, 0)


def test_however_much_may_be_lost_a_limit_stays_below_one() -> None:
    _, (mend,) = missed(loss=1_000)
    assert mend.px == px("0.99999")


def test_sets_that_were_complete_lend_nothing_to_the_rest() -> None:
    desk, (mend,) = missed(50)
    assert mend.qty == lots(50)
    assert mend.px == px("0.48"), "5 USDC for fifty, and none of the 3.5 that fifty sets gained"
    assert desk.basket.aside == lots(50)
    assert desk.basket.legs[0].basis(lots(50), lots(50)) == usd("15.5"), "nor are they part of what the rest cost"


def test_our_own_quote_is_nobody_to_buy_from() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    (quote,) = placed(desk.rig.want(ask=("0.31", 100), fair="0.30", market=numbered(2)))
    desk.rig.opened(quote)
    desk.book(2, BIDS, levels(("0.31", 100), ("0.44", 500)))
    sales = desk.ends(third, 0)
    assert {sale.side for sale in sales} == {Side.SELL}


def test_fees_are_part_of_break_even() -> None:
    desk = Desk.open()
    rates = FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=10_000_000, close_maker=0, close_taker=0, settle=0)
    desk.rig.tell(rates)
    first, second, third = desk.want(wanted(price="0.30"))
    desk.ends(first, 100, fee="3")
    desk.ends(second, 100, fee="3")
    (mend,) = desk.ends(third, 0)
    assert mend.px == px("0.35454"), "1.05 less 0.66, and a tenth of the price for the fee"


def test_attempts_to_complete_are_paced_and_bounded() -> None:
    desk, (mend,) = missed()
    mends = [mend]
    assert not desk.ends(mend, 0)
    for _ in range(2):
        found = desk.wait(1.01)
        assert len(found) == 1, "one a second"
        mends += found
        assert not desk.ends(found[0], 0)
    assert {one.market for one in mends} == {numbered(2)}
    sales = desk.wait(1.01)
    assert desk.phase == "unwinding"
    assert {(one.market, one.side) for one in sales} == {(numbered(0), Side.SELL), (numbered(1), Side.SELL)}


def test_the_next_attempt_needs_no_news_of_the_market() -> None:
    desk = Desk.open(rules(quotes={"refresh_ns": seconds(60)}, limits={"stale_book_ns": seconds(90)}))
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    (mend,) = desk.ends(third, 0)
    assert not desk.ends(mend, 0)
    desk.rig.jump(0.5)
    assert desk.rig.engine.next_deadline() == desk.basket.again_ns
    assert len(desk.wait(0.6)) == 1


def test_nobody_completes_what_costs_more_than_it_may() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.book(2, BIDS, levels(("0.44", 500)))
    sales = desk.ends(third, 0)
    assert desk.phase == "unwinding"
    assert {one.side for one in sales} == {Side.SELL}


# -- selling back


def unwinding(**how: float) -> tuple[Desk, list[OrderRequest]]:
    desk = Desk.open()
    first, second, third = desk.want(wanted(**how))
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.book(2, BIDS, ())
    return desk, desk.ends(third, 0)


def test_the_surplus_is_sold_back_within_what_it_may_lose() -> None:
    desk, sales = unwinding()
    assert [(one.market, one.side, one.qty, one.px) for one in sales] == [
        (numbered(0), Side.SELL, lots(100), px("0.285")), (numbered(1), Side.SELL, lots(100), px("0.285")),
    ]  # fmt: skip
    outputs = desk.rig.outputs
    for sale in sales:
        desk.ends(sale, 100, at="0.29")
    assert (desk.phase, desk.held()) == ("done", [0, 0, 0])
    assert desk.counts("done", "unwound", "abandoned") == (1, 1, 0)
    (alert,) = alerts(outputs, "basket_unwound")
    assert "4.00 lost" in alert.text
    assert alert.level is AlertLevel.WARNING


def test_after_a_basket_that_was_sold_back_the_question_rests_longer_each_time() -> None:
    desk, sales = unwinding()
    for rest_s in (30, 60):
        for sale in sales:
            desk.ends(sale, 100, at="0.29")
        assert desk.phase == "done"
        desk.rig.wait(rest_s - 1)
        for place in range(3):
            desk.book(place)
        assert not desk.want(wanted())
        desk.rig.wait(1)
        for place in range(3):
            desk.book(place)
        first, second, third = desk.want(wanted())
        desk.ends(first, 100)
        desk.ends(second, 100)
        desk.book(2, BIDS, ())
        sales = desk.ends(third, 0)


def test_what_would_lose_more_than_it_may_is_not_sold_but_left_to_a_person() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.book(2, BIDS, ())
    for place in (0, 1):
        desk.book(place, levels(("0.25", 500)), ASKS)
    assert not desk.ends(third, 0)
    assert not desk.wait(1.01)
    assert not desk.wait(2.02)
    desk.rig.wait(1)
    assert desk.phase == "abandoned"
    (alert,) = alerts(desk.rig.outputs, "basket_abandoned")
    assert alert.level is AlertLevel.CRITICAL
    assert "100 YES OUT:BTC-80000-15, 100 YES OUT:BTC-80000-16" in alert.text
    assert "62.00" in alert.text
    assert "hlomm flatten" in alert.text
    for place in range(3):
        desk.book(place)
    desk.rig.wait(40)
    for place in range(3):
        desk.book(place)
    assert not desk.want(wanted()), "no other basket there in this run"


def test_what_is_too_small_to_sell_is_left_with_a_warning_and_the_question_goes_on() -> None:
    desk, mends = missed(98)
    assert not mends, "2 contracts are worth less than an order"
    desk.rig.wait(5)
    assert desk.phase == "abandoned"
    (alert,) = alerts(desk.rig.outputs, "basket_abandoned")
    assert alert.level is AlertLevel.WARNING
    assert "1.24" in alert.text
    desk.rig.wait(30)
    for place in range(3):
        desk.book(place)
    assert len(desk.want(wanted())) == 3


def test_one_leg_that_nobody_buys_does_not_keep_the_other_from_being_sold() -> None:
    desk = Desk.open(rules(limits={"one_sided": config().limits.one_sided}))
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.book(2, BIDS, ())
    desk.book(0, (), ASKS)
    (sale,) = desk.ends(third, 0)
    assert sale.market == numbered(1)
    assert sale.px == px("0.26"), "all it may lose is lost on this one: 0.31 less 0.05"


def test_a_gain_that_is_not_made_yet_is_no_allowance_for_the_other_leg() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.book(2, BIDS, ())
    desk.book(0, levels(("0.60", 500)), levels(("0.62", 500)))
    sales = {sale.market: sale for sale in desk.ends(third, 0)}
    assert sales[numbered(1)].px == px("0.275"), "3 of the 5 USDC that are left, shared by two hundred contracts"


def test_cheap_surplus_goes_by_its_complement() -> None:
    """100 at 0.05 are 5 USDC and cannot be sold; their complement costs 95 and can be bought."""
    desk = Desk.open()
    bids, asks = levels(("0.05", 500)), levels(("0.06", 500))
    for place in range(3):
        desk.book(place, bids, asks)
    first, second, third = desk.want(wanted(price="0.06", number=200, loss=7))
    desk.ends(first, 200)
    desk.ends(second, 200)
    desk.book(0, levels(("0.04", 500)), asks)
    desk.book(2, bids, ())
    sales = {sale.market: sale for sale in desk.ends(third, 0)}
    out = sales[numbered(0)]
    assert (out.leg, out.side) == (Leg.NO, Side.BUY)
    desk.ends(out, 200, at="0.96")
    desk.ends(sales[numbered(1)], 200, at="0.05")
    assert desk.phase == "done"
    assert desk.basket.loss(0) == usd(6)


def test_tokens_that_a_conversion_used_are_made_good_by_their_complement() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.rig.buy(60, "0.69", Leg.NO, market=numbered(0))
    for leg in Leg:
        desk.rig.buy(60, "0.5", leg, side=Side.SELL, kind=FillKind.MERGE, market=numbered(0))
    desk.book(2, BIDS, ())
    sales = [(sale.leg, sale.side, sale.qty) for sale in desk.ends(third, 0) if sale.market == numbered(0)]
    assert sales == [(Leg.YES, Side.SELL, lots(40)), (Leg.NO, Side.BUY, lots(60))]


def test_no_baskets_are_mended_and_sold_in_their_own_coin() -> None:
    desk = Desk.open()
    bids, asks = levels(("0.36", 500)), levels(("0.38", 500))
    for place in range(3):
        desk.book(place, bids, asks)
    first, second, third = desk.want(wanted(leg=Leg.NO, price="0.64", number=50))
    desk.ends(first, 50)
    desk.ends(second, 50)
    (mend,) = desk.ends(third, 0)
    assert (mend.leg, mend.px) == (Leg.NO, px("0.82")), "2.10 less 1.28"
    desk.book(2, (), asks)
    sales = desk.ends(mend, 0) + desk.wait(1.01)
    assert {(sale.leg, sale.side, sale.px) for sale in sales} == {(Leg.NO, Side.SELL, px("0.59"))}


# -- news that comes late, or not at all


def test_a_leg_in_doubt_is_waited_for_and_never_sent_again() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    assert not desk.rig.tell(SendLost((third.client_id,), SentAction.PLACE, "timeout")) or desk.phase == "working"
    for _ in range(10):
        for place in range(3):
            desk.book(place)
        assert not desk.wait(1)
    assert desk.phase == "working"
    desk.rig.answer(third, found=True, open_=False, status="filled", filled=100, oid="77")
    assert desk.phase == "working", "the fills themselves are still due"
    desk.rig.filled(third, 100, oid="77")
    assert desk.phase == "done"


def test_fills_that_are_due_are_waited_for() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.rig.closed(third, 100, status="filled", oid="77")
    assert desk.phase == "working"
    desk.rig.filled(third, 100, oid="77")
    assert desk.phase == "done"


def test_a_fill_that_comes_after_the_end_is_sold_back_not_bought_after() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    for order in (first, second, third):
        desk.ends(order, 0)
    assert desk.phase == "done"
    desk.rig.filled(first, 100, oid=VenueOrderId("5"))
    assert desk.phase == "unwinding"
    sales = [order for order in desk.rig_orders() if order.side is Side.SELL]
    assert [(sale.market, sale.qty) for sale in sales] == [(numbered(0), lots(100))]
    assert desk.counts("started", "done", "reopened") == (1, 1, 1)


# -- when somebody else takes over


@pytest.mark.parametrize("action", [OperatorAction.KILL, OperatorAction.FLATTEN])
def test_a_halt_in_the_middle_drops_the_basket(action: OperatorAction) -> None:
    desk, _ = missed()
    outputs = desk.rig.command(action)
    assert desk.phase == "dropped"
    (alert,) = alerts(outputs, "basket_dropped")
    assert alert.level is AlertLevel.INFO
    assert "100 YES" in alert.text
    desk.rig.wait(30)
    assert desk.counts("dropped", "done", "abandoned") == (1, 0, 0)
    assert not alerts(desk.rig.wait(5), "basket_dropped")


def test_a_lost_session_drops_it_where_the_policy_is_to_flatten() -> None:
    desk, _ = missed()
    desk.rig.down()
    assert desk.phase == "dropped"


def test_a_lost_session_is_waited_for_where_the_policy_is_to_pause() -> None:
    desk = Desk.open(rules(flatten={"on_disconnect": {HYPERLIQUID: OnDisconnect.PAUSE}}))
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.rig.down()
    desk.ends(third, 0)
    desk.rig.wait(20)
    assert (desk.phase, desk.basket.attempts) == ("mending", 0)
    desk.rig.up()
    sent = []
    for place in range(3):
        sent += [order for order in desk.rig_orders(desk.book(place)) if order.market == numbered(2)]
    assert desk.basket.attempts > 0


def test_a_question_that_settles_takes_its_basket_with_it() -> None:
    desk, _ = missed()
    outputs = desk.rig.tell(MarketSettled(numbered(0), px(1), "price"))
    assert desk.phase == "dropped"
    assert alerts(outputs, "basket_dropped")
    for place in (1, 2):
        desk.rig.tell(MarketSettled(numbered(place), px(0), "price"))
    assert desk.rig.state.baskets.by_group == {}


def test_a_basket_that_is_done_is_not_dropped_when_its_question_settles() -> None:
    desk = Desk.open()
    all_filled(desk, desk.want(wanted()))
    desk.rig.tell(MarketSettled(numbered(0), px(1), "price"))
    assert desk.counts("done", "dropped") == (1, 0)
    assert not alerts(desk.rig.outputs, "basket_dropped")


def test_past_its_expiry_nothing_is_sent_any_more() -> None:
    desk = Desk.open(tau_s=10)
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.rig.jump(11)
    assert not desk.ends(third, 0)
    assert desk.phase == "dropped"


def test_a_paused_strategy_still_has_its_basket_brought_to_an_end() -> None:
    desk, (mend,) = missed()
    desk.rig.command(OperatorAction.PAUSE, target="puppet")
    desk.ends(mend, 100)
    assert desk.phase == "done"


# -- through the gate, and for people


def test_no_order_of_a_basket_leaves_without_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[tuple[object, ...]] = []
    judge = gate.judge

    def noted(state: object, want: gate.Proposal) -> gate.Verdict:
        verdict = judge(state, want)  # type: ignore[arg-type]
        if not isinstance(verdict, gate.Reject) and not state.orders.get("supposed 0"):  # type: ignore[attr-defined]
            passed.append((want.market.market.id, want.leg, want.side, want.px, verdict.qty))
        return verdict

    monkeypatch.setattr(gate, "judge", noted)
    desk = Desk.open()
    passed.clear()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    (mend,) = desk.ends(third, 0)
    desk.book(2, BIDS, ())
    sales = desk.ends(mend, 0) + desk.wait(1.01)
    assert len(sales) == 2
    for order in (first, second, third, mend, *sales):
        verdict = (order.market, order.leg, order.side, order.px, order.qty)
        assert verdict in passed
        passed.remove(verdict)


def test_a_mend_that_the_gate_refuses_leads_to_selling_back_at_once() -> None:
    desk = Desk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    desk.book(2, (), ASKS)
    sales = desk.ends(third, 0)
    assert desk.rig.state.counters.rejected["one_sided"] == 1
    assert {sale.side for sale in sales} == {Side.SELL}


def test_people_see_the_basket_and_the_counts() -> None:
    desk, _ = missed()
    shown = report(desk.rig.state)
    (row,) = shown.baskets
    assert (row.group, row.phase, row.over, row.qty) == (f"hyperliquid#{QUESTION}", "mending", False, lots(100))
    assert row.legs == (Leg.YES, Leg.YES, Leg.YES)
    assert row.held == {numbered(0): lots(100), numbered(1): lots(100), numbered(2): 0}
    assert (row.spent, row.edge) == (usd(62), px("0.05"))
    assert shown.basket_counts == {"started": 1}


def test_what_happens_to_a_basket_is_in_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed: list[tuple[int, ...]] = []
    text: list[str] = []
    mix, mix_text = Digest.mix, Digest.mix_text

    def named(digest: Digest, what: str) -> None:
        mix_text(digest, what)
        text[:] = [what]

    def noted(digest: Digest, *parts: int) -> None:
        if text == [f"hyperliquid#{QUESTION}"]:
            mixed.append(parts)
        text.clear()
        mix(digest, *parts)

    monkeypatch.setattr(Digest, "mix_text", named)
    monkeypatch.setattr(Digest, "mix", noted)
    desk, (mend,) = missed()
    desk.ends(mend, 100)
    working, mending, done = (list(Phase).index(phase) for phase in (Phase.WORKING, Phase.MENDING, Phase.DONE))
    assert working == 0
    assert mixed == [
        (3, lots(100)),
        (mending, 0, lots(100)),
        (mending, 1),
        (done, lots(100), lots(100)),
    ]
