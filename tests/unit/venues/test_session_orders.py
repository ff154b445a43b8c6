"""Orders through a session: sent once, answered once, and never guessed about."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.ids import HYPERLIQUID, ClientId, VenueOrderId
from hlomm.domain.inputs import (
    AccountState,
    AmendFailed,
    BboUpdate,
    CancelFailed,
    ConversionFailed,
    FillReceived,
    Input,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
    SessionDown,
    SessionUp,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.outputs import AmendOrders, ConvertSet, PlaceOrders, QueryAccount, QueryOrder, Subscribe
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Qty, parse
from tests.unit.venues.fake_hyperliquid import ACCOUNT, FakeHyperliquid, HangUp, Never, now_ms, refused, statuses
from tests.unit.venues.harness import OUTCOME, PERP, Harness, amend_of, cancel, order, place, running
from tests.wire.hyperliquid.tools import fill_row, level, order_row

Clock = trio.testing.MockClock


@pytest.fixture
def venue() -> FakeHyperliquid:
    return FakeHyperliquid()


def amends(*pairs: tuple[OrderRequest, int, str, str]) -> AmendOrders:
    return AmendOrders(HYPERLIQUID, tuple(amend_of(one, oid, px, qty) for one, oid, px, qty in pairs))


def actions(venue: FakeHyperliquid) -> list[tuple[str, dict[str, Any]]]:
    """Actions after the signer's check."""
    return [(way, body["action"]) for way, body in venue.actions if body["action"]["type"] != "noop"]


async def placed(live: Harness, **fields: Any) -> OrderRequest:
    """An order that rests; its venue id is the venue's last."""
    one = order(**fields)
    live.submit(place(one))
    await live.settle()
    assert live.seen.of(OrderOpened)[-1].client_id == one.client_id
    return one


def news(status: str, one: OrderRequest, oid: int, sz: str = "100.0") -> dict[str, Any]:
    row = order_row(cloid=one.client_id, oid=oid, sz=sz, origSz="100.0")
    return {"order": row, "status": status, "statusTimestamp": now_ms()}


# -- acknowledgements


async def test_the_cancel_of_an_order_is_written_when_that_has_left(
    venue: FakeHyperliquid, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(venue) as live:
        one = await placed(live)
        monkeypatch.delattr("hlomm.venues.hyperliquid.wire.actions.cancel_row")
        live.submit(cancel(one))
        await live.settle()
        row = {"asset": 100_009_000, "cloid": one.client_id}
        assert actions(venue)[-1] == ("ws", {"type": "cancelByCloid", "cancels": [row], "f": True})


async def test_orders_are_acknowledged_over_the_socket(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        bid, ask = order(Side.BUY, "0.45"), order(Side.SELL, "0.55", leg=Leg.NO)
        live.submit(place(bid, ask))
        assert live.session.statistics().posts_in_flight == 1
        await live.settle()
        assert [(one.client_id, one.venue_order_id, one.leaves) for one in live.seen.of(OrderOpened)] == [
            (bid.client_id, "1001", None),
            (ask.client_id, "1002", None),
        ]
        ((way, action),) = actions(venue)
        assert way == "ws"
        assert [row["a"] for row in action["orders"]] == [100_009_000, 100_009_001]
        assert live.session.statistics().posts_in_flight == 0
        assert live.session.statistics().ack_p50_ms == 0


async def test_a_fill_may_come_before_the_acknowledgement(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.answer_posts = False
        one = order()
        live.submit(place(one))
        await live.settle()
        fill = fill_row(cloid=one.client_id, oid=1_001, tid=9, time=now_ms())
        await venue.push("userFills", {"user": ACCOUNT, "fills": [fill]})
        await venue.socket.answer(1, statuses("order", [{"resting": {"oid": 1_001}}]))
        await live.settle()
        events = [item for item in live.seen.inputs if isinstance(item, FillReceived | OrderOpened)]
        assert [type(item) for item in events] == [FillReceived, OrderOpened]
        assert isinstance(events[0], FillReceived)
        assert events[0].fill.client_id == one.client_id


async def test_answers_may_come_out_of_order(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.answer_posts = False
        first, second = order(), order()
        live.submit(place(first))
        live.submit(place(second))
        await live.settle()
        await venue.socket.answer(2, statuses("order", [{"error": "Order has zero size."}]))
        await venue.socket.answer(1, statuses("order", [{"resting": {"oid": 5}}]))
        await live.settle()
        assert live.seen.of(OrderRejected) == [
            OrderRejected(client_id=second.client_id, code="ZeroSize", text="Order has zero size.")
        ]
        assert [one.client_id for one in live.seen.of(OrderOpened)] == [first.client_id]


async def test_order_news_of_the_stream_agree_with_the_answer(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        one = await placed(live)
        await venue.push("orderUpdates", [news("open", one, 1_001)])
        await venue.push("orderUpdates", [news("filled", one, 1_001, "0.0")])
        assert [item.leaves for item in live.seen.of(OrderOpened)] == [None, parse("100")]
        (closed,) = live.seen.of(OrderClosed)
        assert (closed.status, closed.filled, closed.venue_order_id) == ("filled", parse("100"), "1001")


async def test_orders_of_other_programs_are_left_alone(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        stranger = order(client_id=ClientId("0x" + "7" * 32))
        await venue.push("orderUpdates", [news("open", stranger, 4)])
        assert live.seen.of(OrderOpened) == []
        assert live.counter("foreign_orders") == 1


async def test_an_order_placed_with_a_foreign_looking_id_is_still_ours(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        one = await placed(live, client_id=ClientId("0x" + "7" * 32))
        await venue.push("orderUpdates", [news("canceled", one, 1_001)])
        assert len(live.seen.of(OrderClosed)) == 1
        venue.open_orders = [order_row(cloid=one.client_id), order_row(cloid="0x" + "8" * 32, oid=5)]
        live.seen.clear()
        live.submit(QueryAccount(HYPERLIQUID))
        await live.until(AccountState)
        assert [resting.client_id for resting in live.seen.of(AccountState)[0].orders] == [one.client_id, None]


# -- refusals


async def test_a_batch_refused_as_a_whole_is_refused_one_by_one(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    texts: list[Any] = [
        refused("Too many cumulative requests sent (37986 > 10436) for cumulative volume traded $437.92."),
        statuses("order", [{"error": "Price must be divisible by tick size. asset=100009000"}]),
    ]
    venue.on_action = lambda _body: texts.pop(0)
    async with running(venue) as live:
        orders = [order(), order(), order()]
        live.submit(place(*orders))
        live.submit(place(*orders))
        await live.settle()
        assert [item.code for item in live.seen.of(OrderRejected)] == ["RateLimitAddress"] * 3 + ["Tick"] * 3


async def test_a_post_the_gateway_refuses_is_a_refusal(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.answer_posts = False
        one, two, three, four = order(), order(), order(), order()
        for each in (one, two, three, four):
            live.submit(place(each))
        await live.settle()
        response = {"type": "error", "payload": "429 Too Many Requests"}
        await venue.push("post", {"id": 1, "response": response})
        await venue.push("error", "too many pending post requests id=2")
        await venue.push("post", {"id": 3, "response": {"type": "error", "payload": "502 Bad Gateway"}})
        await venue.push("post", {"id": 4, "response": {"type": "error", "payload": "upstream timed out"}})
        assert [(item.client_id, item.code) for item in live.seen.of(OrderRejected)] == [
            (one.client_id, "RateLimitIp"),
            (two.client_id, "TooManyPosts"),
        ]
        # A gateway fault says nothing about the exchange behind it.
        assert [item.client_ids for item in live.seen.of(SendLost)] == [(three.client_id,), (four.client_id,)]
        assert live.counter("channel_error.TooManyPosts") == 1


@pytest.mark.parametrize(
    "text", ["Already subscribed: {}", "Invalid subscription", "Cannot track more than 15 total users."]
)
async def test_other_errors_of_the_socket_are_only_counted(
    venue: FakeHyperliquid, autojump_clock: Clock, text: str
) -> None:
    async with running(venue) as live:
        before = len(live.seen.inputs)
        await venue.push("error", text)
        assert len(live.seen.inputs) == before
        assert sum(kind.startswith("channel_error.") for kind in live.session.statistics().counters) == 1


async def test_orders_for_unknown_markets_never_leave(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        lost = order(market="hyperliquid:DOGE")  # type: ignore[arg-type]
        live.submit(place(lost))
        await live.settle()
        (told,) = live.seen.of(SendRefused)
        assert told.client_ids == (lost.client_id,)
        assert actions(venue) == []


# -- no answer


async def test_an_order_without_answer_is_lost_never_refused(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.on_action = lambda _body: Never
        one = order()
        live.submit(place(one))
        start = trio.current_time()
        (lost,) = await live.until(SendLost)
        assert trio.current_time() - start == pytest.approx(5, abs=0.3)
        assert lost == SendLost((one.client_id,), SentAction.PLACE, "no answer in 5 s")
        assert live.seen.of(OrderRejected) == []
        assert live.session.statistics().posts_in_flight == 0


async def test_an_answer_after_the_deadline_still_tells_the_truth(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        venue.on_action = lambda _body: Never
        one = order()
        live.submit(place(one))
        await live.until(SendLost)
        await venue.socket.answer(1, statuses("order", [{"resting": {"oid": 5}}]))
        await live.settle()
        assert [item.client_id for item in live.seen.of(OrderOpened)] == [one.client_id]


async def test_an_answer_to_nothing_is_counted(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await venue.socket.answer(999, statuses("order", [{"resting": {"oid": 5}}]))
        await live.settle()
        assert live.seen.of(OrderOpened) == []
        assert live.counter("answers_to_nothing") == 1


async def test_an_unreadable_answer_is_no_answer(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.on_action = lambda _body: {"status": "perhaps"}
        one = order()
        live.submit(place(one))
        await live.settle()
        assert [item.client_ids for item in live.seen.of(SendLost)] == [(one.client_id,)]


async def test_orders_in_flight_are_lost_with_the_connection(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.answer_posts = False
        one = order()
        live.submit(place(one))
        live.submit(cancel(one))
        await live.settle()
        live.seen.clear()
        await venue.socket.drop()
        await live.until(SessionDown)
        assert [type(item) for item in live.seen.inputs[:3]] == [SessionDown, SendLost, SendLost]
        assert [item.action for item in live.seen.of(SendLost)] == [SentAction.PLACE, SentAction.CANCEL]


async def test_what_never_left_the_queue_is_refused_not_lost(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue, ws_write_deadline_s=3) as live:
        venue.client_streams[-1].stall_writes = True
        stuck, waiting = order(), order()
        live.submit(place(stuck))
        await live.settle()
        live.submit(place(waiting))
        await live.until(SessionDown)
        await live.settle()
        assert [item.client_ids for item in live.seen.of(SendLost)] == [(stuck.client_id,)]
        assert [item.client_ids for item in live.seen.of(SendRefused)] == [(waiting.client_id,)]


async def test_a_full_writer_queue_refuses(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue, writer_queue=4) as live:
        venue.client_streams[-1].stall_writes = True
        orders = [order() for _ in range(8)]
        for one in orders:
            live.submit(place(one))
        await live.settle()
        told = {client_id for item in live.seen.of(SendRefused) for client_id in item.client_ids}
        # One frame is in the writer's hands, four wait behind it.
        assert told == {one.client_id for one in orders[5:]}
        assert all("does not take frames" in item.reason for item in live.seen.of(SendRefused))


async def test_too_many_posts_in_flight_leave_room_for_cancels(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.answer_posts = False
        orders = [order() for _ in range(95)]
        for one in orders:
            live.submit(place(one))
        await live.settle()
        assert len(live.seen.of(SendRefused)) == 5
        live.submit(cancel(*orders[:3]))
        await live.settle()
        assert actions(venue)[-1][1]["type"] == "cancelByCloid"
        assert live.session.statistics().posts_in_flight == 91
        for one in orders[:20]:
            live.submit(cancel(one))
        await live.settle()
        assert live.session.statistics().posts_in_flight == 100
        assert {item.action for item in live.seen.of(SendRefused)} == {SentAction.PLACE, SentAction.CANCEL}


async def test_messages_are_paced_to_the_venues_limit(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        for _ in range(2_100):
            live.submit(place(order()))
            await trio.sleep(0.001)
        await live.settle()
        refusals = [item for item in live.seen.of(SendRefused) if "messages a minute" in item.reason]
        assert refusals
        live.submit(cancel(order()))
        await live.settle()
        assert actions(venue)[-1][1]["type"] == "cancelByCloid", "the reserve is for cancels"
        await trio.sleep(40)
        for _ in range(500):
            live.submit(place(order()))
            await trio.sleep(0.001)
        assert len(venue.texts) <= 2_000, "the venue adds up what came within any 60 s"
        await trio.sleep(20)
        sent = len(venue.texts)
        live.submit(place(order()))
        await live.settle()
        assert len(venue.texts) > sent


# -- asking what became of an order


async def test_a_lost_order_that_rests_is_found(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.on_action = lambda _body: Never
        one = order()
        live.submit(place(one))
        await live.until(SendLost)
        row = order_row(cloid=one.client_id, oid=1_001, sz="60.0", origSz="100.0")
        venue.order_status[one.client_id] = {
            "status": "order",
            "order": {"order": row, "status": "open", "statusTimestamp": now_ms()},
        }
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        await live.settle()
        assert live.seen.of(OrderAnswer) == [
            OrderAnswer(
                client_id=one.client_id,
                found=True,
                open=True,
                status="open",
                venue_order_id=VenueOrderId("1001"),
                leaves=Qty(parse("60")),
                filled=Qty(parse("40")),
                px=one.px,
            )
        ]


async def test_an_order_that_ended_is_found_with_nothing_left(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        one = order()
        row = order_row(cloid=one.client_id, sz="60.0", origSz="100.0")
        venue.order_status[one.client_id] = {
            "status": "order",
            "order": {"order": row, "status": "canceled", "statusTimestamp": now_ms()},
        }
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        (answer,) = await live.until(OrderAnswer)
        assert (answer.found, answer.open, answer.leaves, answer.filled) == (True, False, 0, parse("40"))


@pytest.mark.parametrize("rests", [True, False])
async def test_a_status_that_nobody_knows_is_settled_by_the_open_orders(
    venue: FakeHyperliquid, autojump_clock: Clock, rests: bool
) -> None:
    """The venue adds words: one that is new must not make an order that rests look ended."""
    async with running(venue) as live:
        one = order()
        row = order_row(cloid=one.client_id, oid=1_001, sz="60.0", origSz="100.0")
        venue.open_orders = [row] if rests else []
        venue.order_status[one.client_id] = {
            "status": "order",
            "order": {"order": row, "status": "parkedByVenue", "statusTimestamp": now_ms()},
        }
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        (answer,) = await live.until(OrderAnswer)
        assert (answer.found, answer.open, answer.leaves) == (True, rests, parse("60") if rests else 0)


async def test_an_order_is_unknown_only_when_it_can_no_longer_arrive(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    """The action carries an expiry; until then "unknown" may only mean "not yet"."""
    async with running(venue) as live:
        venue.on_action = lambda _body: Never
        one = order()
        sent = trio.current_time()
        live.submit(place(one))
        await live.until(SendLost)
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        (answer,) = await live.until(OrderAnswer)
        assert (answer.found, answer.open, answer.status) == (False, False, "unknownOid")
        assert trio.current_time() - sent >= 10


async def test_an_order_that_arrives_late_is_not_called_unknown(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.on_action = lambda _body: Never
        one = order()
        live.submit(place(one))
        await live.until(SendLost)
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        await trio.sleep(2)
        row = order_row(cloid=one.client_id, sz="100.0", origSz="100.0")
        venue.order_status[one.client_id] = {
            "status": "order",
            "order": {"order": row, "status": "open", "statusTimestamp": now_ms()},
        }
        (answer,) = await live.until(OrderAnswer)
        assert (answer.found, answer.open) == (True, True)


async def test_a_lookup_that_lags_a_fill_is_asked_twice(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        stranger = order()
        live.submit(QueryOrder(HYPERLIQUID, stranger.client_id))
        (answer,) = await live.until(OrderAnswer)
        assert answer.found is False
        assert venue.counted("orderStatus") == 2


async def test_the_same_question_is_asked_once_at_a_time(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        one = order()
        for _ in range(5):
            live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        await live.until(OrderAnswer)
        await trio.sleep(10)
        assert len(live.seen.of(OrderAnswer)) == 1
        assert live.counter("questions_not_asked") == 4
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        await live.until(OrderAnswer, 2)


async def test_a_question_that_is_not_answered_is_repeated_and_then_given_up(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        one = order()
        venue.info_override["orderStatus"] = lambda _body: (500, b"null")
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        await trio.sleep(20)
        assert live.seen.of(OrderAnswer) == []
        assert (live.counter("questions_failed"), live.counter("questions_unanswered")) == (4, 1)
        venue.info_override.clear()
        live.submit(QueryOrder(HYPERLIQUID, one.client_id))
        await live.until(OrderAnswer)


async def test_the_account_is_read_when_asked(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        answers: list[Any] = [(500, b"null"), (500, b"null")]
        venue.info_override["frontendOpenOrders"] = lambda body: (
            answers.pop(0) if answers else venue._info("frontendOpenOrders", body)
        )
        live.submit(QueryAccount(HYPERLIQUID))
        live.submit(QueryAccount(HYPERLIQUID))
        await live.until(AccountState)
        assert live.counter("questions_failed") == 2
        assert live.counter("questions_not_asked") == 1


async def test_the_account_gives_up_after_a_few_questions(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue, reconcile_every_s=1_000) as live:
        live.seen.clear()
        venue.info_override["frontendOpenOrders"] = lambda _body: (500, b"null")
        live.submit(QueryAccount(HYPERLIQUID))
        await trio.sleep(30)
        assert live.seen.of(AccountState) == []
        assert live.counter("questions_unanswered") == 1
        venue.info_override.clear()
        live.submit(QueryAccount(HYPERLIQUID))
        await live.until(AccountState)


# -- cancels


async def test_a_cancel_is_confirmed_and_then_told_in_full_by_the_stream(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        one = await placed(live)
        live.submit(cancel(one))
        await live.settle()
        await venue.push("orderUpdates", [news("canceled", one, 1_001, "70.0")])
        first, second = live.seen.of(OrderClosed)
        assert (first.status, first.filled, first.venue_order_id) == ("canceled", None, None)
        assert (second.status, second.filled, second.venue_order_id) == ("canceled", parse("30"), "1001")


async def test_a_cancel_of_something_gone_says_so(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    text = "Order was never placed, already canceled, or filled. asset=100009000"
    async with running(venue) as live:
        venue.on_action = lambda _body: statuses("cancel", [{"error": text}])
        one = order()
        live.submit(cancel(one))
        await live.settle()
        assert live.seen.of(CancelFailed) == [CancelFailed(client_id=one.client_id, code="MissingOrder", text=text)]


# -- amends


async def test_an_amend_keeps_the_client_id_and_changes_the_venue_id(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        one = await placed(live)
        live.submit(amends((one, 1_001, "0.46", "80")))
        await live.settle()
        assert [item.venue_order_id for item in live.seen.of(OrderOpened)] == ["1001", "1002"]
        _, action = actions(venue)[-1]
        assert action["type"] == "batchModify"
        assert action["modifies"][0]["oid"] == 1_001
        assert action["modifies"][0]["order"]["t"] == {"limit": {"tif": "Alo"}}


@pytest.mark.parametrize("order_of_news", ["cancel first", "open first", "both before the answer", "fill first"])
async def test_the_events_of_an_amend_may_come_in_any_order(
    venue: FakeHyperliquid, autojump_clock: Clock, order_of_news: str
) -> None:
    """Whatever the order, the engine never hears that the order is gone."""
    async with running(venue) as live:
        one = await placed(live)
        venue.answer_posts = False
        live.submit(amends((one, 1_001, "0.46", "80")))
        await live.settle()
        live.seen.clear()
        canceled, opened = news("canceled", one, 1_001), news("open", one, 1_002)
        answer = statuses("order", [{"resting": {"oid": 1_002, "cloid": one.client_id}}])
        if order_of_news == "cancel first":
            await venue.push("orderUpdates", [canceled])
            await venue.socket.answer(2, answer)
            await live.settle()
            await venue.push("orderUpdates", [opened])
        elif order_of_news == "open first":
            await venue.push("orderUpdates", [opened])
            await venue.socket.answer(2, answer)
            await live.settle()
            await venue.push("orderUpdates", [canceled])
        elif order_of_news == "both before the answer":
            await venue.push("orderUpdates", [canceled, opened])
            await venue.socket.answer(2, answer)
        else:
            fill = fill_row(cloid=one.client_id, oid=1_002, tid=5, time=now_ms())
            await venue.push("userFills", {"user": ACCOUNT, "fills": [fill]})
            await venue.push("orderUpdates", [canceled])
            await venue.socket.answer(2, answer)
        await live.settle()
        assert live.seen.of(OrderClosed) == []
        assert {item.venue_order_id for item in live.seen.of(OrderOpened)} == {"1002"}
        await venue.push("orderUpdates", [news("canceled", one, 1_002)])
        assert [item.venue_order_id for item in live.seen.of(OrderClosed)] == ["1002"]


async def test_a_refused_amend_releases_the_cancel_it_caused(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        one = await placed(live)
        venue.answer_posts = False
        live.submit(amends((one, 1_001, "0.99", "80")))
        await live.settle()
        await venue.push("orderUpdates", [news("canceled", one, 1_001)])
        assert live.seen.of(OrderClosed) == []
        text = "Post only order would have immediately matched, bbo was 0.45@0.46."
        await venue.socket.answer(2, statuses("order", [{"error": text}]))
        await live.settle()
        assert [item.code for item in live.seen.of(AmendFailed)] == ["BadAloPx"]
        assert [item.venue_order_id for item in live.seen.of(OrderClosed)] == ["1001"]


async def test_a_lost_amend_is_asked_about_not_believed_canceled(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        one = await placed(live)
        venue.answer_posts = False
        live.submit(amends((one, 1_001, "0.46", "80")))
        await live.settle()
        await venue.push("orderUpdates", [news("canceled", one, 1_001)])
        (lost,) = await live.until(SendLost)
        assert lost.action is SentAction.AMEND
        await venue.push("orderUpdates", [news("canceled", one, 1_001)])
        assert live.seen.of(OrderClosed) == []


# -- merges


async def test_a_merge_is_silent_when_it_works_and_told_when_not(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        before = len(live.seen.inputs)
        live.submit(ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(parse("40"))))
        await live.settle()
        assert len(live.seen.inputs) == before
        assert actions(venue)[-1][1]["mergeOutcome"] == {"outcome": 900, "amount": "40"}
        venue.on_action = lambda _body: refused("Invalid input number")
        live.submit(ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(parse("40"))))
        live.submit(ConvertSet(action=SetAction.MERGE, market=PERP, qty=Qty(1)))
        await live.settle()
        assert sorted(item.text for item in live.seen.of(ConversionFailed)) == [
            "Invalid input number",
            "not an outcome market",
        ]


async def test_a_merge_without_answer_says_that_nobody_knows(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.on_action = lambda _body: Never
        live.submit(ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(parse("40"))))
        (failed,) = await live.until(ConversionFailed)
        assert failed.text == "unknown whether done: no answer in 5 s"


# -- without the stream


async def offline(live: Harness) -> None:
    live.venue.refuse_ws = True
    await live.venue.socket.drop()
    await live.until(SessionDown)
    live.seen.clear()


async def test_orders_go_over_rest_while_the_stream_is_down(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await offline(live)
        connections, before = venue.http_connections, live.counter("actions_over_warm_lines")
        one = order()
        live.submit(place(one))
        live.submit(cancel(one))
        await live.settle()
        assert [way for way, _ in actions(venue)] == ["rest", "rest"]
        assert [item.client_id for item in live.seen.of(OrderOpened)] == [one.client_id]
        assert [item.client_id for item in live.seen.of(OrderClosed)] == [one.client_id]
        assert live.counter("rest_fallbacks") == 2
        assert live.counter("actions_over_warm_lines") == before + 2
        assert venue.http_connections == connections, "nothing had to be opened for them"


async def test_what_finds_no_line_free_goes_over_the_pool(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await offline(live)
        venue.on_action = lambda body: Never if body["action"]["type"] == "order" else venue.polite(body)
        one, two, before = order(), order(), live.counter("actions_over_warm_lines")
        live.submit(place(one))
        live.submit(place(two))
        await live.settle()
        live.submit(cancel(one))
        await live.settle()
        assert [item.client_id for item in live.seen.of(OrderClosed)] == [one.client_id]
        assert live.counter("actions_without_warm_line") == 1
        await live.until(SendLost, 2)
        assert live.counter("actions_over_warm_lines") == before + 2
        assert len(actions(venue)) == 3, "what a line had taken was not sent again"


async def test_lines_are_open_before_the_stream_is_lost_and_need_not_be(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        assert live.counter("warm_lines_opened") == 2
        await trio.sleep(600)
        assert live.counter("warm_lines_opened") == 2
    async with running(venue, warm_s=0) as live:
        assert live.counter("warm_lines_opened") == 0
        await offline(live)
        live.submit(place(order()))
        await live.settle()
        assert len(live.seen.of(OrderOpened)) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((429, b"null"), OrderRejected),
        ((422, b"Failed to deserialize the JSON body into the target type"), OrderRejected),
        ((500, b"null"), SendLost),
        ((502, b"<html>Bad Gateway</html>"), SendLost),
        ((200, b"<html>"), SendLost),
        ((200, b"null"), SendLost),
        ((204, b""), SendLost),
        ((302, b""), OrderRejected),
        (Never, SendLost),
        (HangUp, SendLost),
    ],
)
async def test_rest_answers_that_are_none_are_told_for_what_they_are(
    venue: FakeHyperliquid, autojump_clock: Clock, answer: Any, kind: type[Input]
) -> None:
    async with running(venue) as live:
        await offline(live)
        venue.on_action = lambda _body: answer
        one = order()
        live.submit(place(one))
        await live.until(kind)
        told = [item for item in live.seen.inputs if isinstance(item, OrderRejected | SendLost | SendRefused)]
        assert [type(item) for item in told] == [kind]
        assert len(actions(venue)) == 1, "sent once, whatever became of it"


async def test_a_venue_out_of_reach_refuses_places_but_tries_cancels(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        venue.refuse_http = True
        venue.info_override = {
            kind: lambda _body: Never for kind in ("frontendOpenOrders", "outcomeMeta", "spotClearinghouseState")
        }
        await offline(live)
        await live.until(SessionDown)
        one = order()
        live.submit(place(one))
        live.submit(cancel(one))
        await trio.sleep(10)
        told = [(item.action, item.client_ids) for item in live.seen.of(SendRefused)]
        assert (SentAction.PLACE, (one.client_id,)) in told
        assert live.counter("rest_fallbacks") == 1


async def test_rest_fallbacks_are_bounded_and_keep_room_for_cancels(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue, rest_tasks_max=16) as live:
        await offline(live)
        venue.on_action = lambda _body: Never
        for _ in range(10):
            live.submit(place(order()))
        await live.settle()
        assert len(live.seen.of(SendRefused)) == 4
        for _ in range(12):
            live.submit(cancel(order()))
        await live.settle()
        refusals = live.seen.of(SendRefused)
        assert [item.action for item in refusals].count(SentAction.CANCEL) == 2
        await trio.sleep(8)
        assert len(live.seen.of(SendLost)) + len(live.seen.of(SendRefused)) == 22


async def test_a_fallback_under_way_survives_the_reconnect(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await offline(live)
        venue.on_action = lambda _body: Never
        one = order()
        live.submit(place(one))
        await live.settle()
        venue.refuse_ws = False
        await live.until(SessionUp)
        (lost,) = await live.until(SendLost)
        assert lost.client_ids == (one.client_id,)


async def test_outputs_of_a_session_that_does_not_run_wait_for_it(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    from hlomm.venues.hyperliquid.session import HyperliquidSession
    from hlomm.venues.transport import Transport
    from tests.unit.venues.fake_hyperliquid import mock_clock
    from tests.unit.venues.harness import Recorder, config

    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
    one = order()
    session.submit(place(one))
    session.submit(QueryOrder(HYPERLIQUID, one.client_id))
    session.submit(QueryAccount(HYPERLIQUID))
    recorder = Recorder()
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        await nursery.start(session.run, recorder)
        assert recorder.of(SendRefused) == [SendRefused((one.client_id,), SentAction.PLACE, "not connected")]
        assert session.statistics().counters["questions_not_asked"] == 2
        nursery.cancel_scope.cancel()


# -- from inside the engine's turn


async def test_outputs_given_from_inside_the_sink_never_call_it_back_at_once(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    """The recorder asserts that it is never entered twice."""
    async with running(venue) as live:
        good, bad = order(), order(market="hyperliquid:DOGE")  # type: ignore[arg-type]

        def react(item: Input) -> None:
            if isinstance(item, BboUpdate):
                live.submit(PlaceOrders(HYPERLIQUID, (good, bad)))
                live.submit(QueryOrder(HYPERLIQUID, good.client_id))
                live.submit(Subscribe(PERP))
            if isinstance(item, OrderOpened):
                live.submit(cancel(good))

        live.submit(Subscribe(OUTCOME))
        live.seen.react = react
        await venue.push("bbo", {"coin": "#9000", "time": 5, "bbo": [level("0.4"), level("0.5")]})
        await live.settle()
        assert [item.client_ids for item in live.seen.of(SendRefused)] == [(bad.client_id,)]
        assert [item.client_id for item in live.seen.of(OrderClosed)] == [good.client_id]


async def test_an_order_leaves_in_the_same_turn_as_the_frame_that_caused_it(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        start = trio.current_time()

        def react(item: Input) -> None:
            if isinstance(item, BboUpdate):
                live.submit(place(order(tif=Tif.ALO)))
                assert live.session.statistics().posts_in_flight == 1

        live.seen.react = react
        await venue.push("bbo", {"coin": "#9000", "time": 5, "bbo": [level("0.4"), level("0.5")]})
        assert len(actions(venue)) == 1
        assert trio.current_time() == start


async def test_large_outputs_are_split_and_every_order_is_answered(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        orders = [order() for _ in range(100)]
        live.submit(place(*orders))
        await live.settle()
        assert [len(action["orders"]) for _, action in actions(venue)] == [39, 39, 22]
        assert [item.client_id for item in live.seen.of(OrderOpened)] == [one.client_id for one in orders]
        nonces = [body["nonce"] for _, body in venue.actions]
        assert nonces == sorted(set(nonces))


async def test_every_action_expires(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        one = await placed(live)
        live.submit(amends((one, 1_001, "0.46", "80")))
        live.submit(cancel(one))
        live.submit(ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(parse("1"))))
        await live.settle()
        assert len(venue.actions) == 5
        for _, body in venue.actions:
            assert body["expiresAfter"] - now_ms() == 10_000
            assert json.dumps(body).isascii()


async def test_actions_are_counted_against_the_account(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        left = live.counter("actions_left")
        live.submit(place(order(), order(), order()))
        await live.settle()
        assert live.counter("actions_left") == left - 3
        await trio.sleep(31)
        assert live.counter("actions_left") == left, "the venue's own count replaces the estimate"
