"""Lost answers, deadlines, refusals: nothing is believed without the venue's word, nothing is sent twice."""

from __future__ import annotations

import pytest

from hlomm.domain.ids import HYPERLIQUID, ClientId, VenueOrderId
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    MarketSettled,
    OperatorAction,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    RateBudget,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.orders import OrderState
from hlomm.domain.outputs import ExitRequested, HaltState
from hlomm.engine import core
from hlomm.engine.intake_orders import FATAL_CODES
from tests.support.rig import Rig, alerts, amended, cancelled, halts, of, placed, queried, risky
from tests.support.values import M, config, lots, px

S = OrderState
FAST = config(quotes={"min_interval_ns": 0})


@pytest.fixture
def rig() -> Rig:
    return Rig(FAST)


def lose(rig: Rig, client_id: ClientId, action: SentAction = SentAction.PLACE) -> list[object]:
    return list(rig.tell(SendLost((client_id,), action, "socket closed")))


# -- lost on the way


def test_a_lost_place_is_asked_about_at_once_and_not_repeated(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    outputs = lose(rig, request.client_id)
    assert queried(outputs) == [request.client_id]  # type: ignore[arg-type]
    assert not placed(rig.keep_fresh(10)), "the wish stands, and the old order may"
    assert rig.note(1) == "unknown"


def test_the_question_is_repeated_until_it_is_answered(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    lose(rig, request.client_id)
    assert len(queried(rig.keep_fresh(6))) == 4, "every 1.5 s"
    rig.answer(request, leaves=100, oid="7")
    assert rig.order(request.client_id).state is S.OPEN
    assert queried(rig.keep_fresh(6)) == []


def test_found_open_it_is_a_quote_like_any_other(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    lose(rig, request.client_id)
    rig.answer(request, leaves=80, filled=20, oid="7")
    order = rig.order(request.client_id)
    assert (order.leaves, order.due, order.state) == (lots(80), lots(20), S.OPEN)
    assert len(amended(rig.want(bid=("0.53", 100)))) == 1


def test_an_absent_order_blocks_its_side_until_it_cannot_arrive_any_more(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    lose(rig, request.client_id)
    for _ in range(7):
        assert not placed(rig.keep_fresh(2) + rig.answer(request, found=False))
    assert rig.order(request.client_id).state is S.UNKNOWN
    rig.keep_fresh(1)
    outputs = rig.answer(request, found=False)
    assert rig.order(request.client_id).state is S.REJECTED
    assert len(placed(outputs)) == 1, "now the wish may be carried out"


@pytest.mark.parametrize("action", [SentAction.AMEND, SentAction.CANCEL])
def test_lost_amends_and_cancels_are_asked_about(rig: Rig, action: SentAction) -> None:
    bid = rig.resting_bid()
    rig.want(bid=("0.54", 100)) if action is SentAction.AMEND else rig.want()
    assert queried(lose(rig, bid.client_id, action)) == [bid.client_id]  # type: ignore[arg-type]
    assert bid.exposed == lots(200 if action is SentAction.AMEND else 100)


def test_a_lost_amend_is_doubted_for_as_long_as_it_may_arrive(rig: Rig) -> None:
    """The order is old, the amend is not: its own age decides."""
    bid = rig.resting_bid()
    rig.keep_fresh(60)
    rig.want(bid=("0.54", 200))
    lose(rig, bid.client_id, SentAction.AMEND)
    rig.keep_fresh(5)
    rig.answer(bid, leaves=100)
    assert bid.state is S.UNKNOWN
    assert bid.exposed == lots(300)
    rig.keep_fresh(11)
    rig.answer(bid, leaves=100)
    assert bid.exposed == lots(100) or bid.amending, "given up, and perhaps amended anew"
    assert bid.venue_order_id == rig.oid_of[bid.client_id]


def test_an_answer_that_comes_when_the_doubt_is_over_is_ignored(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    lose(rig, request.client_id)
    rig.opened(request, oid="7")
    rig.filled(rig.order(request.client_id), 30)
    rig.answer(request, leaves=100, oid="7")
    assert rig.order(request.client_id).leaves == lots(70)


def test_but_an_end_is_an_end_whenever_it_is_told(rig: Rig) -> None:
    bid = rig.resting_bid()
    rig.answer(bid, open_=False, filled=0)
    assert bid.state is S.CANCELED


# -- deadlines


@pytest.mark.parametrize("state", ["pending_new", "pending_amend", "pending_cancel"])
def test_silence_becomes_a_question_after_the_deadline(rig: Rig, state: str) -> None:
    if state == "pending_new":
        (request,) = placed(rig.want(bid=("0.52", 100)))
        client_id = request.client_id
    else:
        client_id = rig.resting_bid().client_id
        rig.want(bid=("0.54", 100)) if state == "pending_amend" else rig.want()
    assert rig.order(client_id).state.value == state
    assert queried(rig.keep_fresh(11.9)) == []
    assert queried(rig.keep_fresh(1.0)) == [client_id]
    assert rig.order(client_id).state is S.UNKNOWN


def test_news_of_an_order_restart_its_deadline(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    rig.keep_fresh(8)
    rig.filled(request, 10, oid="7")
    assert queried(rig.keep_fresh(11)) == []


def test_a_resting_order_has_no_deadline(rig: Rig) -> None:
    rig.resting_bid()
    assert queried(rig.keep_fresh(60)) == []


# -- refused before leaving


def test_a_place_that_never_left_is_as_if_never_sent(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    outputs = rig.tell(SendRefused((request.client_id,), SentAction.PLACE, "queue full"))
    assert rig.order(request.client_id).state is S.REJECTED
    assert [one.px for one in placed(outputs)] == [px("0.52")], "with a new id"
    assert placed(outputs)[0].client_id != request.client_id


def test_an_amend_that_never_left_is_tried_again(rig: Rig) -> None:
    bid = rig.resting_bid()
    rig.want(bid=("0.54", 100))
    outputs = rig.tell(SendRefused((bid.client_id,), SentAction.AMEND, "queue full"))
    assert [one.client_id for one in amended(outputs)] == [bid.client_id]
    assert bid.exposed == lots(200)


def test_a_cancel_that_never_left_is_tried_again(rig: Rig) -> None:
    bid = rig.resting_bid()
    rig.want()
    assert not cancelled(rig.tell(SendRefused((bid.client_id,), SentAction.CANCEL, "queue full"))), "not at once"
    assert [one.client_id for one in cancelled(rig.wait(0.3))] == [bid.client_id]


# -- refused by the venue


def test_a_refused_quote_is_placed_again_until_the_market_rests(rig: Rig) -> None:
    outputs, sent = rig.want(bid=("0.52", 100)), 0
    while placed(outputs):
        (request,) = placed(outputs)
        sent += 1
        outputs = rig.rejected(request, text="Order has invalid price.")
    assert sent == 4
    (alert,) = alerts(rig.outputs, "venue_refusals")
    assert "4 refusals in 30 s" in alert.text
    assert "Order has invalid price." in alert.text
    assert rig.note(1) == "venue_refusals"
    assert not placed(rig.keep_fresh(19.9))
    assert len(placed(rig.keep_fresh(1))) == 1
    assert rig.state.counters.venue_rejects == {"Tick": 4}


def test_old_refusals_are_forgotten(rig: Rig) -> None:
    for _ in range(8):
        for request in placed(rig.want(bid=("0.52", 100))):
            rig.puppet.desired.clear()
            rig.rejected(request)
        rig.keep_fresh(16)
    assert not alerts(rig.outputs, "venue_refusals")


def test_the_same_refusal_on_a_second_channel_counts_once(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    rig.puppet.desired.clear()
    for _ in range(5):
        rig.rejected(request)
    assert rig.state.counters.venue_rejects == {"Tick": 1}


def test_a_refused_amend_is_a_question_about_the_old_order(rig: Rig) -> None:
    bid = rig.resting_bid()
    rig.want(bid=("0.54", 100))
    outputs = rig.amend_failed(bid, code="BadAloPx")
    assert bid.state is S.UNKNOWN
    assert queried(outputs) == [bid.client_id]
    assert bid.exposed == lots(100), "what the venue refused cannot rest"
    outputs = rig.answer(bid, leaves=100)
    assert len(amended(outputs)) == 1


def test_an_amend_refused_on_the_order_stream_does_not_end_the_order(rig: Rig) -> None:
    """A post-only amend that would match is told as a rejection under the same client id."""
    bid = rig.resting_bid()
    rig.want(bid=("0.54", 100))
    outputs = rig.rejected(bid, code="BadAloPx", text="badAloPxRejected")
    assert queried(outputs) == [bid.client_id]
    assert bid.exposed >= lots(100)
    rig.amend_failed(bid, code="BadAloPx")
    rig.answer(bid, leaves=100)
    assert bid.state in (S.OPEN, S.PENDING_AMEND)


def test_a_refused_cancel_is_a_question(rig: Rig) -> None:
    bid = rig.resting_bid()
    rig.want()
    outputs = rig.cancel_failed(bid)
    assert queried(outputs) == [bid.client_id]
    rig.answer(bid, open_=False, status="filled", filled=100)
    assert bid.state is S.FILLED
    assert bid.due == lots(100)


def test_a_refused_cancel_of_what_is_gone_is_no_news(rig: Rig) -> None:
    bid = rig.resting_bid()
    rig.want()
    rig.closed(bid, filled=0)
    assert rig.cancel_failed(bid) == []
    assert bid.state is S.CANCELED


@pytest.mark.parametrize("code", sorted(FATAL_CODES))
@pytest.mark.parametrize("how", ["place", "amend", "cancel"])
def test_a_refusal_that_no_retry_heals_halts(rig: Rig, code: str, how: str) -> None:
    bid = rig.resting_bid()
    if how == "place":
        (ask,) = placed(rig.want(bid=("0.52", 100), ask=("0.58", 100)))
        outputs = rig.rejected(ask, code=code, text="User or API Wallet does not exist")
    elif how == "amend":
        rig.want(bid=("0.54", 100))
        outputs = rig.amend_failed(bid, code=code, text="User or API Wallet does not exist")
    else:
        rig.want()
        outputs = rig.cancel_failed(bid, code=code, text="User or API Wallet does not exist")
    assert HaltState.FLATTENING in halts(outputs)
    assert "does not exist" in rig.state.halt_reason
    assert not risky(outputs)


def test_a_late_fatal_refusal_of_a_forgotten_market_halts_without_a_fault(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "MARKETS_KEPT", 1)
    bid = rig.resting_bid()
    rig.want()
    rig.closed(bid, filled=0)
    rig.tell(MarketSettled(M, px(1), ""))
    assert M not in rig.state.markets
    rig.amend_failed(bid, code="ModifyDead")
    rig.rejected(bid, code="Tick")
    assert halts(rig.rejected(bid, code="UnknownSigner")) != []


def test_a_rate_limit_refusal_empties_the_budget(rig: Rig) -> None:
    rig.tell(RateBudget(HYPERLIQUID, used=0, cap=10_000))
    (request,) = placed(rig.want(bid=("0.52", 100)))
    outputs = rig.rejected(request, code="RateLimitAddress", text="Too many cumulative requests")
    assert not placed(outputs)
    assert rig.note(1) == "budget"
    assert rig.state.budgets.left(HYPERLIQUID) == 0
    assert len(placed(rig.tell(RateBudget(HYPERLIQUID, used=0, cap=10_000)) + rig.keep_fresh(1))) == 1


def test_a_rate_limit_refusal_without_a_known_budget_is_an_ordinary_refusal(rig: Rig) -> None:
    (request,) = placed(rig.want(bid=("0.52", 100)))
    rig.rejected(request, code="RateLimitAddress")
    assert rig.state.counters.venue_rejects == {"RateLimitAddress": 1}


# -- news of orders that nobody knows


UNKNOWN = ClientId("0x686c" + "7" * 28)


@pytest.mark.parametrize(
    "item",
    [
        OrderOpened(client_id=UNKNOWN, venue_order_id=VenueOrderId("1"), leaves=None, venue_ms=0),
        OrderClosed(client_id=UNKNOWN, venue_order_id=None, status="canceled", filled=None, venue_ms=0),
        OrderRejected(client_id=UNKNOWN, code="UnknownSigner", text="x"),
        AmendFailed(client_id=UNKNOWN, code="Tick", text="x"),
        CancelFailed(client_id=UNKNOWN, code="UnknownSigner", text="x"),
        SendLost((UNKNOWN,), SentAction.PLACE, "x"),
        SendRefused((UNKNOWN,), SentAction.CANCEL, "x"),
        OrderAnswer(
            client_id=UNKNOWN, found=True, open=True, status="open", venue_order_id=VenueOrderId("1"), leaves=lots(1),
            filled=lots(0),
        ),
    ],
)  # fmt: skip
def test_news_of_an_unknown_order_are_counted_and_change_nothing(rig: Rig, item: object) -> None:
    outputs = rig.tell(item)  # type: ignore[arg-type]
    assert outputs == []
    assert rig.state.orders.anomalies == {"unknown_client_id": 1}
    assert rig.halt is HaltState.RUNNING


# -- every pair of report and state: no report, however late or odd, may break the engine


REPORTS = ["opened", "opened_other", "closed", "closed_bare", "closed_other", "filled", "filled_other", "rejected",
           "amend_failed", "cancel_failed", "lost", "place_refused", "amend_refused", "cancel_refused", "found",
           "found_ended", "found_other", "absent"]  # fmt: skip


def prepare(rig: Rig, state: str) -> ClientId:
    if state == "pending_new":
        return placed(rig.want(bid=("0.52", 100)))[0].client_id
    bid = rig.resting_bid()
    match state:
        case "pending_amend":
            rig.want(bid=("0.54", 120))
        case "amend_half_gone":
            rig.want(bid=("0.54", 120))
            rig.closed(bid, filled=10)
        case "pending_cancel":
            rig.want()
        case "amend_then_cancel":
            rig.want(bid=("0.54", 120))
            rig.want()
        case "unknown":
            lose(rig, bid.client_id)
        case "unknown_amend":
            rig.want(bid=("0.54", 120))
            lose(rig, bid.client_id, SentAction.AMEND)
        case "filled":
            rig.filled(bid, 100)
        case "canceled":
            rig.want()
            rig.closed(bid, filled=20)
        case "rejected":
            rig.closed(bid, filled=0)
            (request,) = placed(rig.outputs[-1:])
            rig.rejected(request)
            return request.client_id
    return bid.client_id


STATES = ["pending_new", "open", "pending_amend", "amend_half_gone", "pending_cancel", "amend_then_cancel", "unknown",
          "unknown_amend", "filled", "canceled", "rejected"]  # fmt: skip


def report(rig: Rig, client_id: ClientId, kind: str) -> None:
    order, odd = rig.order(client_id), "31337"
    match kind:
        case "opened":
            rig.opened(order, oid=rig.oid_of.get(client_id, "1"), leaves=40)
        case "opened_other":
            rig.opened(order, oid=odd)
        case "closed":
            rig.closed(order, filled=30, oid=rig.oid_of.get(client_id, "1"))
        case "closed_bare":
            rig.closed(order)
        case "closed_other":
            rig.closed(order, filled=30, oid=odd)
        case "filled":
            rig.filled(order, 5)
        case "filled_other":
            rig.filled(order, 5, oid=odd)
        case "rejected":
            rig.rejected(order)
        case "amend_failed":
            rig.amend_failed(order)
        case "cancel_failed":
            rig.cancel_failed(order)
        case "lost":
            lose(rig, client_id)
        case "place_refused" | "amend_refused" | "cancel_refused":
            rig.tell(SendRefused((client_id,), SentAction(kind.removesuffix("_refused")), "x"))
        case "found":
            rig.answer(order, leaves=60, filled=40)
        case "found_ended":
            rig.answer(order, open_=False, filled=40)
        case "found_other":
            rig.answer(order, leaves=60, oid=odd)
        case _:
            rig.answer(order, found=False)


@pytest.mark.parametrize("first", REPORTS)
@pytest.mark.parametrize("state", STATES)
def test_any_two_reports_in_any_state_leave_the_order_sound(state: str, first: str) -> None:
    for second in REPORTS:
        rig = Rig(FAST)
        client_id = prepare(rig, state)
        report(rig, client_id, first)
        report(rig, client_id, second)
        order = rig.order(client_id)
        assert order.leaves >= 0
        assert order.due >= 0
        assert order.exposed >= order.leaves
        assert order.live == (order.client_id in {one.client_id for one in rig.state.orders.live()})
        assert order.live or not order.amending
        assert rig.state.orders.live_count == len(list(rig.state.orders.live()))
        assert rig.halt is HaltState.RUNNING


def test_a_kill_reaches_an_order_in_every_live_state() -> None:
    for state in STATES[:8]:
        rig = Rig(FAST)
        client_id = prepare(rig, state)
        before = len([one for one in cancelled(rig.outputs) if one.client_id == client_id])
        outputs = rig.command(OperatorAction.KILL)
        sent = before + len([one for one in cancelled(outputs) if one.client_id == client_id])
        assert sent >= 1, state


def test_a_venue_that_refuses_our_key_ends_the_run_so_that_the_guardian_can_act() -> None:
    rig = Rig()
    bid = rig.resting_bid()
    rig.cancel_failed(bid, code="UnknownSigner")
    assert of(rig.outputs, ExitRequested)
