"""What the venue's reports do to one order: quantities, ids, doubt, and the way back from it.

Single stories, each named after what happens; the machine in `tests/machines/test_engine_orders.py` mixes them.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hlomm.domain.ids import ClientId, VenueOrderId
from hlomm.domain.inputs import OrderAnswer, OrderClosed
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderEvent, OrderRequest, OrderState, Purpose, Side, Tif
from hlomm.domain.units import Px, Qty
from hlomm.engine import order_register
from hlomm.engine import orders as orders_module
from hlomm.engine.digest import Digest
from hlomm.engine.order import RETIRED_KEPT, Order
from hlomm.engine.orders import Orders
from tests.support.values import M2, M, lots, px

S = OrderState
A, B, C = VenueOrderId("1"), VenueOrderId("2"), VenueOrderId("3")
COUNT = itertools.count(1)


class Desk:
    """One set of orders and a clock that ticks at every call; quantities in contracts."""

    def __init__(self) -> None:
        self.orders = Orders(Digest())
        self.clock = itertools.count(1)

    def place(
        self, number: float = 100, price: str = "0.50", leg: Leg = Leg.YES, side: Side = Side.BUY, market: Any = M
    ) -> Order:
        request = OrderRequest(
            client_id=ClientId(f"0x686c{next(COUNT):028x}"), market=market, leg=leg, side=side, px=px(price),
            qty=lots(number), tif=Tif.ALO, purpose=Purpose.QUOTE,
        )  # fmt: skip
        return self.orders.placed(request, None, next(self.clock))

    def resting(self, number: float = 100, price: str = "0.50", oid: VenueOrderId = A) -> Order:
        order = self.place(number, price)
        self.opened(order, oid)
        return order

    def amending(self, number: float = 100, to: float = 80, price: str = "0.40") -> Order:
        order = self.resting(number)
        self.orders.amend_sent(order, px(price), lots(to), next(self.clock))
        return order

    def opened(self, order: Order, oid: VenueOrderId, leaves: float | None = None) -> None:
        self.orders.opened(order, oid, None if leaves is None else lots(leaves), next(self.clock))

    def closed(
        self, order: Order, oid: VenueOrderId | None, filled: float | None = None, status: str = "canceled"
    ) -> None:
        item = OrderClosed(
            client_id=order.client_id, venue_order_id=oid, status=status,
            filled=None if filled is None else lots(filled), venue_ms=0,
        )  # fmt: skip
        self.orders.closed(order, item, next(self.clock))

    def filled(self, order: Order, number: float, oid: VenueOrderId | None = A) -> None:
        self.orders.filled(order, oid, lots(number), next(self.clock))

    def answered(
        self,
        order: Order,
        oid: VenueOrderId | None = A,
        *,
        leaves: float = 0,
        filled: float = 0,
        open_: bool = True,
        found: bool = True,
        late: bool = True,
        status: str = "",
        price: Px | None = None,
    ) -> None:
        item = OrderAnswer(
            client_id=order.client_id, found=found, open=open_ and found,
            status=status or ("open" if open_ else "canceled"),
            venue_order_id=oid if found else None, leaves=lots(leaves), filled=lots(filled), px=price,
        )  # fmt: skip
        self.orders.answered(order, item, next(self.clock), believe_absence=late)

    def cancel(self, order: Order) -> None:
        self.orders.cancel_sent(order, next(self.clock))

    def lose(self, order: Order) -> None:
        self.orders.lost(order, next(self.clock))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def figures(order: Order) -> tuple[OrderState, float, float, float]:
    """(state, leaves, filled, due) in contracts."""
    return order.state, order.leaves / 1e8, order.filled / 1e8, order.due / 1e8


# -- the ordinary life


def test_a_new_order_is_exposed_in_full_from_the_moment_it_is_sent(desk: Desk) -> None:
    order = desk.place(100)
    assert figures(order) == (S.PENDING_NEW, 100, 0, 0)
    assert order.exposed == lots(100)
    assert order.venue_order_id is None


def test_acknowledged_filled_in_parts_and_done(desk: Desk) -> None:
    order = desk.resting(100)
    desk.filled(order, 30)
    assert figures(order) == (S.OPEN, 70, 30, 0)
    desk.filled(order, 70)
    assert figures(order) == (S.FILLED, 0, 100, 0)
    assert desk.orders.live_count == 0
    assert order.exposed == 0


def test_fills_may_outrun_the_acknowledgement(desk: Desk) -> None:
    order = desk.place(100)
    desk.filled(order, 30)
    assert figures(order) == (S.PENDING_NEW, 70, 30, 0)
    desk.opened(order, A)
    assert figures(order) == (S.OPEN, 70, 30, 0)
    desk.opened(order, A, leaves=70)
    assert figures(order) == (S.OPEN, 70, 30, 0)


def test_a_whole_fill_before_the_acknowledgement(desk: Desk) -> None:
    order = desk.place(100)
    desk.filled(order, 100)
    assert figures(order) == (S.FILLED, 0, 100, 0)
    desk.opened(order, A, leaves=100)
    desk.closed(order, A, filled=100, status="filled")
    assert figures(order) == (S.FILLED, 0, 100, 0)


def test_an_acknowledgement_that_says_less_rests_makes_the_rest_due(desk: Desk) -> None:
    """The difference has filled; until the fill arrives it is exposure like any other."""
    order = desk.place(100)
    desk.opened(order, A, leaves=60)
    assert figures(order) == (S.OPEN, 60, 0, 40)
    assert order.exposed == lots(100)
    desk.filled(order, 40)
    assert figures(order) == (S.OPEN, 60, 40, 0)
    assert order.exposed == lots(60)


def test_due_is_consumed_fill_by_fill_and_counted_once(desk: Desk) -> None:
    order = desk.place(100)
    desk.opened(order, A, leaves=60)
    desk.filled(order, 15)
    assert figures(order) == (S.OPEN, 60, 15, 25)
    desk.filled(order, 25)
    desk.filled(order, 10)
    assert figures(order) == (S.OPEN, 50, 50, 0)


def test_an_old_acknowledgement_takes_nothing_back(desk: Desk) -> None:
    order = desk.resting(100)
    desk.filled(order, 30)
    desk.opened(order, A, leaves=100)
    assert figures(order) == (S.OPEN, 70, 30, 0)


# -- the end


def test_a_cancel_with_its_figure_leaves_missing_fills_due(desk: Desk) -> None:
    order = desk.resting(100)
    desk.cancel(order)
    desk.closed(order, A, filled=30)
    assert figures(order) == (S.CANCELED, 0, 0, 30)
    assert order in desk.orders.awaiting_fills()
    assert order in desk.orders.exposed_in(M)
    assert order not in desk.orders.exposed_in(M2)
    assert order.exposed == lots(30)
    desk.filled(order, 30)
    assert figures(order) == (S.CANCELED, 0, 30, 0)
    assert desk.orders.awaiting_fills() == []
    assert list(desk.orders.exposed()) == []


def test_a_figure_that_follows_the_bare_acknowledgement_still_counts(desk: Desk) -> None:
    order = desk.resting(100)
    desk.cancel(order)
    desk.closed(order, None)
    assert figures(order) == (S.CANCELED, 0, 0, 0)
    desk.closed(order, A, filled=30)
    assert figures(order) == (S.CANCELED, 0, 0, 30)


def test_filled_said_before_the_fills(desk: Desk) -> None:
    order = desk.resting(100)
    desk.closed(order, A, filled=100, status="filled")
    assert figures(order) == (S.FILLED, 0, 0, 100)
    for part in (10, 20, 70):
        desk.filled(order, part)
    assert figures(order) == (S.FILLED, 0, 100, 0)


def test_an_immediate_fill_is_the_first_the_order_hears_of_its_id(desk: Desk) -> None:
    order = desk.place(100)
    desk.closed(order, A, filled=100, status="filled")
    assert order.venue_order_id == A
    assert figures(order) == (S.FILLED, 0, 0, 100)


def test_a_duplicated_end_changes_nothing(desk: Desk) -> None:
    order = desk.resting(100)
    for _ in range(3):
        desk.closed(order, A, filled=40)
    desk.filled(order, 40)
    for _ in range(2):
        desk.closed(order, A, filled=40)
    assert figures(order) == (S.CANCELED, 0, 40, 0)


def test_a_late_fill_after_the_end_is_booked_without_reviving_the_order(desk: Desk) -> None:
    order = desk.resting(100)
    desk.closed(order, A, filled=0)
    desk.filled(order, 25)
    assert figures(order) == (S.CANCELED, 0, 25, 0)
    assert desk.orders.live_count == 0


def test_the_end_of_a_settled_market_ends_the_order(desk: Desk) -> None:
    order = desk.resting(100)
    desk.closed(order, A, filled=0, status="outcomeSettledCanceled")
    assert order.state is S.CANCELED


# -- refusals


def test_a_refused_order_is_gone(desk: Desk) -> None:
    order = desk.place()
    desk.orders.refused(order, next(desk.clock))
    assert figures(order) == (S.REJECTED, 0, 0, 0)
    desk.orders.refused(order, next(desk.clock))
    assert order.state is S.REJECTED


def test_a_refusal_of_what_rests_is_a_question_not_an_end(desk: Desk) -> None:
    """A post-only amend that would cross is reported as a rejection of the same client id: the old order may rest."""
    for order in (desk.resting(), desk.amending()):
        desk.orders.refused(order, next(desk.clock))
        assert order.state is S.UNKNOWN
        assert order.exposed >= lots(100), "the order that rested still counts"
    assert desk.orders.anomalies["refused_while_resting"] == 2


def test_a_refusal_of_what_has_filled_is_a_question(desk: Desk) -> None:
    order = desk.place(100)
    desk.filled(order, 10)
    desk.orders.refused(order, next(desk.clock))
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(90)


def test_a_refused_order_that_rests_after_all_counts_in_full_while_it_is_asked_about(desk: Desk) -> None:
    order = desk.place(100)
    desk.orders.refused(order, next(desk.clock))
    desk.opened(order, A)
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(100)
    assert order in desk.orders.live_in(M)

    other = desk.place(100)
    desk.orders.refused(other, next(desk.clock))
    desk.opened(other, B, leaves=70)
    assert other.exposed == lots(70)


# -- amends


def test_while_an_amend_is_out_both_sizes_may_fill(desk: Desk) -> None:
    order = desk.amending(100, to=80, price="0.40")
    assert order.exposed == lots(180)
    assert order.exposed_px == px("0.50")
    assert order.state is S.PENDING_AMEND
    dearer = desk.amending(100, to=80, price="0.60")
    assert dearer.exposed_px == px("0.60")


def test_an_amend_that_took_effect(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.opened(order, B)
    assert figures(order) == (S.OPEN, 80, 0, 0)
    assert order.px == px("0.40")
    assert order.venue_order_id == B


@pytest.mark.parametrize("first", ["open", "canceled"])
def test_the_two_halves_of_an_amend_may_come_in_either_order(desk: Desk, first: str) -> None:
    order = desk.amending(100, to=80)
    if first == "open":
        desk.opened(order, B)
        desk.closed(order, A, filled=20)
    else:
        desk.closed(order, A, filled=20)
        assert order.live, "the end of the old half is not the end of the order"
        assert order.exposed == lots(80 + 20)
        desk.opened(order, B)
    assert figures(order) == (S.OPEN, 80, 0, 20)
    desk.filled(order, 20, A)
    assert figures(order) == (S.OPEN, 80, 20, 0)


def test_a_fill_of_the_new_half_may_come_first_of_all(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.filled(order, 30, B)
    assert figures(order) == (S.OPEN, 50, 30, 0)
    desk.opened(order, B, leaves=50)
    desk.closed(order, A, filled=0)
    assert figures(order) == (S.OPEN, 50, 30, 0)


def test_the_new_half_may_end_before_it_was_ever_seen_open(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.closed(order, B, filled=80, status="filled")
    assert figures(order) == (S.FILLED, 0, 0, 80)
    desk.closed(order, A, filled=0)
    desk.opened(order, B)
    assert figures(order) == (S.FILLED, 0, 0, 80)


def test_fills_of_the_old_half_after_the_new_one_rests(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.opened(order, B)
    desk.filled(order, 15, A)
    assert figures(order) == (S.OPEN, 80, 15, 0)


def test_missing_fills_of_the_old_half_are_counted_at_the_price_they_happened_at(desk: Desk) -> None:
    """The old price may lock more cash than the new one."""
    order = desk.amending(100, to=80, price="0.20")
    desk.opened(order, B)
    assert order.exposed_px == px("0.20")
    desk.closed(order, A, filled=60)
    assert order.due == lots(60)
    assert order.exposed_px == px("0.50")
    desk.filled(order, 60, A)
    assert order.exposed_px == px("0.20")


def test_a_repeat_of_the_old_rest_says_nothing_about_the_amend(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.opened(order, A, leaves=100)
    assert order.state is S.PENDING_AMEND
    assert order.exposed == lots(180)


def test_an_amend_that_never_left_leaves_the_order_as_it_was(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.orders.amend_refused(order, next(desk.clock))
    assert figures(order) == (S.OPEN, 100, 0, 0)
    assert order.px == px("0.50")
    assert order.exposed == lots(100)


def test_an_amend_that_never_left_of_an_order_that_is_gone_is_an_end(desk: Desk) -> None:
    """Otherwise an order without an id and without size stays open for ever and blocks its side of the market."""
    order = desk.amending(100, to=80)
    desk.closed(order, A, filled=40)
    desk.orders.amend_refused(order, next(desk.clock))
    assert figures(order) == (S.CANCELED, 0, 0, 40)
    assert desk.orders.live_count == 0


def test_an_amend_that_the_venue_refused_is_off_the_table_at_once(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.orders.amend_failed(order, next(desk.clock))
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(100)
    desk.answered(order, A, leaves=100, late=False)
    assert figures(order) == (S.OPEN, 100, 0, 0)


@pytest.mark.parametrize("prepare", ["resting", "place"])
def test_a_refusal_of_an_amend_nobody_sent_changes_nothing(desk: Desk, prepare: str) -> None:
    order = desk.resting() if prepare == "resting" else desk.place()
    before = figures(order)
    desk.orders.amend_refused(order, next(desk.clock))
    assert figures(order) == before
    assert desk.orders.anomalies["refusal_of_nothing"] == 1


# -- cancels


def test_a_cancel_that_never_left_leaves_the_order_open(desk: Desk) -> None:
    order = desk.resting()
    desk.cancel(order)
    assert order.state is S.PENDING_CANCEL
    desk.orders.cancel_refused(order, next(desk.clock))
    assert figures(order) == (S.OPEN, 100, 0, 0)


def test_a_cancel_that_never_left_of_an_order_never_seen_is_a_question(desk: Desk) -> None:
    order = desk.place()
    desk.cancel(order)
    desk.orders.cancel_refused(order, next(desk.clock))
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(100)


@pytest.mark.parametrize("prepare", ["resting", "place", "amending"])
def test_a_late_refusal_of_a_cancel_after_the_doubt_was_settled_changes_nothing(desk: Desk, prepare: str) -> None:
    """The post may be given up long after a query has found the order open: that is no reason to freeze."""
    order = {"resting": desk.resting, "place": desk.place, "amending": desk.amending}[prepare]()
    before = figures(order)
    desk.orders.cancel_refused(order, next(desk.clock))
    assert figures(order) == before


def test_cancelled_while_amending_ends_both_halves(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.cancel(order)
    desk.closed(order, None)
    assert figures(order) == (S.CANCELED, 0, 0, 0)
    assert order.exposed == 0


def test_an_amend_may_take_effect_under_a_cancel(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.cancel(order)
    desk.opened(order, B)
    assert order.state is S.PENDING_CANCEL
    assert order.exposed == lots(80)
    desk.closed(order, B, filled=0)
    assert order.state is S.CANCELED


# -- doubt


def test_a_lost_answer_keeps_everything_exposed(desk: Desk) -> None:
    for order, exposed in ((desk.place(), 100), (desk.resting(), 100), (desk.amending(), 180)):
        desk.lose(order)
        assert order.state is S.UNKNOWN
        assert order.exposed == lots(exposed)


def test_found_open(desk: Desk) -> None:
    order = desk.place()
    desk.lose(order)
    desk.answered(order, A, leaves=60, filled=40, price=px("0.50"))
    assert figures(order) == (S.OPEN, 60, 0, 40)
    desk.filled(order, 40)
    assert figures(order) == (S.OPEN, 60, 40, 0)


@pytest.mark.parametrize(("status", "state"), [("filled", S.FILLED), ("canceled", S.CANCELED)])
def test_found_ended(desk: Desk, status: str, state: OrderState) -> None:
    order = desk.place()
    desk.lose(order)
    desk.answered(order, A, filled=100 if status == "filled" else 30, open_=False, status=status)
    assert figures(order) == (state, 0, 0, 100 if status == "filled" else 30)


def test_absence_is_believed_only_when_said_twice_and_late_enough(desk: Desk) -> None:
    order = desk.place()
    desk.lose(order)
    for _ in range(5):
        desk.answered(order, found=False, late=False)
        assert order.state is S.UNKNOWN
        assert order.exposed == lots(100)
    desk.answered(order, found=False, late=True)
    assert order.state is S.REJECTED

    other = desk.place()
    desk.lose(other)
    desk.answered(other, found=False, late=True)
    assert other.state is S.UNKNOWN, "once is not enough"
    desk.answered(other, found=False, late=True)
    assert other.state is S.REJECTED


def test_absence_of_an_order_that_was_seen_is_an_end_not_a_refusal(desk: Desk) -> None:
    order = desk.resting()
    desk.lose(order)
    desk.answered(order, found=False)
    desk.answered(order, found=False)
    assert order.state is S.CANCELED


def test_denials_of_an_earlier_doubt_do_not_count(desk: Desk) -> None:
    order = desk.place()
    desk.lose(order)
    desk.answered(order, found=False)
    desk.opened(order, A)
    desk.lose(order)
    desk.answered(order, found=False)
    assert order.state is S.UNKNOWN


@pytest.mark.parametrize("sign_of_life", ["fill", "answer"])
def test_a_sign_of_life_between_two_denials_counts_against_them(desk: Desk, sign_of_life: str) -> None:
    order = desk.amending(100, to=80)
    desk.lose(order)
    desk.answered(order, found=False)
    if sign_of_life == "fill":
        desk.filled(order, 10, A)
    else:
        desk.answered(order, A, leaves=100, late=False)
    desk.answered(order, found=False)
    assert order.state is S.UNKNOWN


def test_fills_booked_while_the_answer_was_under_way_are_not_brought_back(desk: Desk) -> None:
    """The answer was made before the fill we already have: taken at its word, 30 contracts would rest twice."""
    order = desk.resting(100)
    desk.lose(order)
    desk.filled(order, 30)
    desk.answered(order, A, leaves=100, filled=0)
    assert figures(order) == (S.OPEN, 70, 30, 0)


def test_an_answer_about_a_replaced_id_is_history(desk: Desk) -> None:
    order = desk.amending(100, to=200)
    desk.opened(order, B)
    desk.lose(order)
    desk.answered(order, A, leaves=100, late=True)
    assert order.state is S.UNKNOWN, "ask again"
    assert order.venue_order_id == B
    assert order.exposed == lots(200)
    desk.answered(order, B, leaves=200)
    assert figures(order) == (S.OPEN, 200, 0, 0)


def test_an_old_answer_may_still_tell_of_fills(desk: Desk) -> None:
    order = desk.amending(100, to=200)
    desk.opened(order, B)
    desk.lose(order)
    desk.answered(order, A, leaves=60, filled=40)
    assert order.due == lots(40)
    assert order.exposed == lots(240)


def test_a_lost_amend_may_still_arrive_after_the_old_order_was_seen(desk: Desk) -> None:
    """The query overtook the amend: believing that it did not happen would free room that is about to be used."""
    order = desk.amending(100, to=200)
    desk.lose(order)
    desk.answered(order, A, leaves=100, late=False)
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(300)
    desk.opened(order, B)
    assert figures(order) == (S.OPEN, 200, 0, 0)


def test_a_lost_amend_is_given_up_once_it_cannot_arrive_any_more(desk: Desk) -> None:
    order = desk.amending(100, to=200)
    desk.lose(order)
    desk.answered(order, A, leaves=100, late=True, price=px("0.50"))
    assert figures(order) == (S.OPEN, 100, 0, 0)
    assert order.px == px("0.50")
    assert order.exposed == lots(100)


def test_a_lost_amend_that_took_effect_is_found_under_its_new_id(desk: Desk) -> None:
    order = desk.amending(100, to=200, price="0.40")
    desk.lose(order)
    desk.answered(order, B, leaves=150, filled=50, late=False, price=px("0.40"))
    assert figures(order) == (S.OPEN, 150, 0, 50)
    assert (order.px, order.venue_order_id) == (px("0.40"), B)


def test_an_amend_of_an_order_that_had_ended_cannot_take_effect(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.lose(order)
    desk.answered(order, A, filled=100, open_=False, status="filled", late=False)
    assert figures(order) == (S.FILLED, 0, 0, 100)


def test_the_old_half_reported_gone_then_found_gone_is_an_end(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.closed(order, A, filled=10)
    desk.lose(order)
    desk.answered(order, A, filled=10, open_=False)
    assert figures(order) == (S.CANCELED, 0, 0, 10)


def test_the_old_half_reported_gone_then_said_open_is_an_old_answer(desk: Desk) -> None:
    order = desk.amending(100, to=80)
    desk.closed(order, A, filled=10)
    desk.lose(order)
    desk.answered(order, A, leaves=100)
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(80 + 10)


# -- ids that nobody announced


@pytest.mark.parametrize("news", ["opened", "closed", "filled"])
def test_news_of_an_id_that_no_request_explains_is_a_question(desk: Desk, news: str) -> None:
    order = desk.resting(100)
    if news == "opened":
        desk.opened(order, C, leaves=50)
    elif news == "closed":
        desk.closed(order, C, filled=20)
    else:
        desk.filled(order, 20, C)
    assert order.state is S.UNKNOWN
    assert desk.orders.anomalies["unexpected_venue_id"] == 1
    assert order.exposed >= lots(100), "what was known to rest still counts"
    desk.answered(order, C, leaves=50, filled=20, price=px("0.33"))
    assert order.state is S.OPEN
    assert (order.venue_order_id, order.px, order.leaves) == (C, px("0.33"), lots(50))


def test_an_order_that_ended_under_an_unannounced_id_does_not_stay_in_doubt_for_ever(desk: Desk) -> None:
    order = desk.resting(100)
    desk.closed(order, C, filled=20)
    desk.answered(order, C, filled=20, open_=False)
    assert figures(order) == (S.CANCELED, 0, 0, 20)


def test_more_fills_than_were_ordered_are_booked_and_noticed(desk: Desk) -> None:
    order = desk.resting(100)
    desk.filled(order, 130)
    assert figures(order) == (S.FILLED, 0, 130, 0)
    assert desk.orders.anomalies["overfilled"] == 1


# -- orders found at the venue


def found(desk: Desk, number: float = 60, oid: VenueOrderId = A) -> Order:
    return desk.orders.adopt(
        Order(
            client_id=ClientId(f"0x686c{next(COUNT):028x}"), market=M, leg=Leg.YES, side=Side.BUY, tif=Tif.GTC,
            purpose=Purpose.QUOTE, strategy=None, px=px("0.5"), leaves=lots(number), state=S.OPEN,
            venue_order_id=oid, sent_ns=0, touched_ns=0,
        )
    )  # fmt: skip


def test_what_a_found_order_had_filled_before_us_is_not_awaited(desk: Desk) -> None:
    """60 of 100 rested when we came; the venue counts the 40 of the earlier run too, and no such fill will come."""
    order = found(desk, 60)
    desk.cancel(order)
    desk.closed(order, A, filled=40)
    assert figures(order) == (S.CANCELED, 0, 0, 0)
    assert desk.orders.awaiting_fills() == []


def test_a_found_order_fills_like_any_other(desk: Desk) -> None:
    order = found(desk, 60)
    desk.filled(order, 20)
    assert figures(order) == (S.OPEN, 40, 20, 0)
    desk.filled(order, 40)
    assert order.state is S.FILLED


def test_a_finished_order_that_rests_after_all_is_asked_about(desk: Desk) -> None:
    order = desk.resting(100)
    desk.closed(order, A, filled=0)
    desk.orders.resurfaced(order, lots(100), next(desk.clock))
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(100)
    assert order in desk.orders.live_in(M)
    assert desk.orders.live_count == 1
    desk.answered(order, A, leaves=100)
    assert figures(order) == (S.OPEN, 100, 0, 0)


def test_a_finished_order_reported_open_under_a_new_id_is_asked_about(desk: Desk) -> None:
    """Its amend took effect although we had reason to think otherwise: that is no late word of what ended."""
    order = desk.resting(100)
    desk.closed(order, A, filled=0)
    desk.opened(order, B, leaves=80)
    assert order.state is S.UNKNOWN
    assert order.exposed == lots(80)
    desk.answered(order, B, leaves=80)
    assert figures(order) == (S.OPEN, 80, 0, 0)


def test_late_word_of_the_first_rest_revives_nothing(desk: Desk) -> None:
    order = desk.place(100)
    desk.cancel(order)
    desk.closed(order, None)
    desk.opened(order, A, leaves=100)
    desk.opened(order, A)
    assert figures(order) == (S.CANCELED, 0, 0, 0)


def test_missing_fills_can_be_given_up(desk: Desk) -> None:
    order = desk.resting(100)
    desk.closed(order, A, filled=30)
    desk.orders.forgive_due(order)
    assert order.due == 0
    assert desk.orders.awaiting_fills() == []
    desk.filled(order, 30)
    assert figures(order) == (S.CANCELED, 0, 30, 0)


# -- the collection


def test_live_orders_are_listed_by_market_and_age(desk: Desk) -> None:
    first, second = desk.place(market=M), desk.place(market=M2)
    third = desk.place(market=M)
    assert desk.orders.live_in(M) == [first, third]
    assert list(desk.orders.live()) == [first, third, second]
    assert desk.orders.live_count == 3
    desk.orders.refused(first, next(desk.clock))
    assert desk.orders.live_in(M) == [third]
    assert desk.orders.get(first.client_id) is first


def test_one_client_id_is_one_order(desk: Desk) -> None:
    order = desk.place()
    with pytest.raises(AssertionError):
        desk.orders.adopt(order)


def test_finished_orders_are_remembered_within_a_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_register, "REMEMBERED", 20)
    live = desk.resting()
    owed = desk.resting(oid=B)
    desk.closed(owed, B, filled=10)
    ended = []
    for _ in range(60):
        order = desk.place()
        desk.orders.refused(order, next(desk.clock))
        ended.append(order)
    assert desk.orders.get(live.client_id) is live
    assert desk.orders.get(owed.client_id) is owed, "its fill is still to come"
    assert desk.orders.get(ended[-1].client_id) is ended[-1]
    assert desk.orders.get(ended[0].client_id) is None
    assert len(desk.orders._by_id) <= 20 + desk.orders.live_count + 1


def test_every_event_is_reachable_by_some_report() -> None:
    """A word in the vocabulary that no code says is a hole in the table's test."""
    source = orders_module.__loader__.get_source(orders_module.__name__)
    assert source is not None
    assert {event for event in OrderEvent if f"OrderEvent.{event.name}" not in source} == set()


def test_exposed_cash_uses_own_coin_prices() -> None:
    desk = Desk()
    order = desk.place(100, "0.30", leg=Leg.NO)
    assert order.yes_px == px("0.70")
    assert order.direction == -1
    assert order.exposed_px == px("0.30")
    assert Qty(order.exposed) == lots(100)


def test_an_order_amended_all_night_remembers_a_bounded_number_of_ids(desk: Desk) -> None:
    order = desk.resting()
    for number in range(500):
        desk.orders.amend_sent(order, px("0.5" if number % 2 else "0.51"), lots(100), number)
        desk.orders.opened(order, VenueOrderId(f"n{number}"), lots(100), number)
    assert len(order.tallies) <= RETIRED_KEPT + 1
    assert order.retired < set(order.tallies)
    assert (order.venue_order_id, order.state) == ("n499", S.OPEN)


class _Visits(dict[Any, Order]):
    """The orders of one market, and how often somebody went through them."""

    visits = 0

    def values(self) -> Any:
        self.visits += 1
        return super().values()


def test_what_is_unanswered_is_found_without_going_through_the_markets_in_which_all_rests() -> None:
    """In the order of `live`, which decides the order of the questions to the venue."""
    desk = Desk()
    first = desk.place(market=M2)
    markets = [f"hl:#{number}0" for number in range(50)]
    rest = [desk.place(market=market) for market in markets]
    last = desk.place(market=M)
    second = desk.place(market=M2)
    for number, order in enumerate(rest):
        desk.opened(order, VenueOrderId(f"{100 + number}"))
    register = desk.orders
    assert register.unanswered() == [first, second, last]
    assert register.unanswered() == [order for order in register.live() if order.state is not S.OPEN]
    known = {market: _Visits(orders) for market, orders in register._live.items()}
    register._live = known
    assert register.unanswered() == [first, second, last]
    assert {market for market, orders in known.items() if orders.visits} == {M, M2}
    for order, oid in ((first, "1"), (second, "2"), (last, "3")):
        desk.opened(order, VenueOrderId(oid))
    assert register.unanswered() == []
