"""The keeper of a venue's dead-man, on a switch that a test scripts: when it asks for what, and what it tells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trio
import trio.testing

from hlomm.domain.faults import ConfigError, VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, ClientId, VenueOrderId
from hlomm.domain.inputs import (
    AccountState,
    DeadmanArmed,
    Input,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    RestingOrder,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash, Px, Qty
from hlomm.venues.deadman import DeadmanKeeper, DeadmanRules, Declined, Resting
from hlomm.venues.hyperliquid.direct import DirectRequests
from hlomm.venues.hyperliquid.limits import AddressBudget
from hlomm.venues.hyperliquid.schedule import ScheduleCancel
from hlomm.venues.venue_time import VenueTime
from tests.unit.venues.fake_hyperliquid import mock_clock, now_ms
from tests.unit.venues.harness import OUTCOME

Clock = trio.testing.MockClock
A, B = ClientId("0xa"), ClientId("0xb")
TERM_S = 30.0
ARRIVES_S = 10.0


class Switch:
    """Answers at once, or as scripted; keeps when it was asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []
        self.silent = False
        self.declines: Declined | None = None

    async def arm(self, term_s: float) -> int | Declined:
        self._ask(f"arm {term_s:g}")
        await trio.lowlevel.checkpoint()
        return now_ms() + round(term_s * 1000) if self.declines is None else self.declines

    async def disarm(self) -> Declined | None:
        self._ask("disarm")
        await trio.lowlevel.checkpoint()
        return self.declines

    def _ask(self, what: str) -> None:
        self.asked.append((round(trio.current_time() - Bench.started, 1), what))
        if self.silent:
            raise VenueUnavailable("no answer")


class Bench:
    started = 0.0

    def __init__(self, **rules: Any) -> None:
        self.switch, self.live, self.told = Switch(), True, list[int]()
        self.counts: dict[str, int] = {}
        self.resting = Resting(mock_clock())
        fields: dict[str, Any] = {"term_s": TERM_S, "arrives_within_s": ARRIVES_S, **rules}
        self.keeper = DeadmanKeeper(
            HYPERLIQUID, self.switch, DeadmanRules(**fields), mock_clock(), self._count, self._emit, self.resting
        )
        Bench.started = trio.current_time()
        self.wall_ms = now_ms()

    def _count(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def _emit(self, items: Sequence[Input]) -> None:
        for item in items:
            assert isinstance(item, DeadmanArmed)
            self.told.append(item.until_ms and item.until_ms - self.wall_ms)

    def rests(self, client_id: ClientId = A) -> None:
        self.resting.note([OrderOpened(client_id=client_id, venue_order_id=VenueOrderId("1"), leaves=None, venue_ms=0)])

    def gone(self, client_id: ClientId = A) -> None:
        closed = OrderClosed(client_id=client_id, venue_order_id=None, status="canceled", filled=None, venue_ms=0)
        self.resting.note([closed])


@asynccontextmanager
async def bench(**rules: Any) -> AsyncIterator[Bench]:
    made = Bench(**rules)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.keeper.run, lambda: made.live)
        await trio.testing.wait_all_tasks_blocked()
        yield made
        nursery.cancel_scope.cancel()


# -- what rests


def account(*client_ids: ClientId | None, asked_ns: int = 0) -> AccountState:
    orders = tuple(
        RestingOrder(
            client_id=one, venue_order_id=VenueOrderId("9"), market=OUTCOME, leg=Leg.YES, side=Side.BUY, px=Px(1),
            leaves=Qty(1),
        )
        for one in client_ids
    )  # fmt: skip
    return AccountState(venue=HYPERLIQUID, cash=Cash(0), tokens=(), orders=orders, asked_mono_ns=asked_ns)


def answer(*, found: bool, rests: bool) -> OrderAnswer:
    return OrderAnswer(
        client_id=A, found=found, open=rests, status="", venue_order_id=None, leaves=Qty(0), filled=Qty(0)
    )


@pytest.mark.parametrize(
    ("event", "left"),
    [
        (OrderRejected(client_id=A, code="Tick", text=""), 0),
        (OrderClosed(client_id=A, venue_order_id=None, status="scheduledCancel", filled=None, venue_ms=0), 0),
        (SendRefused((A,), SentAction.PLACE, ""), 0),
        (SendRefused((A,), SentAction.CANCEL, ""), 1),
        (SendRefused((A,), SentAction.AMEND, ""), 1),
        (SendLost((A,), SentAction.PLACE, ""), 1),
        (answer(found=True, rests=False), 0),
        (answer(found=False, rests=False), 0),
        (answer(found=True, rests=True), 1),
        (account(A), 1),
        (account(), 1),  # asked for before it can have arrived
        (account(asked_ns=11 * NS_PER_S), 0),
        (account(B, None, asked_ns=11 * NS_PER_S), 1),  # ours from an earlier run counts, a foreign one does not
    ],
)
async def test_what_may_rest(event: Input, left: int, autojump_clock: Clock) -> None:
    resting = Resting(mock_clock())
    resting.sent([A], 10 * NS_PER_S)
    resting.note([event])
    assert len(resting) == left


async def test_a_list_from_before_it_was_sent_does_not_end_what_was_seen_to_rest(autojump_clock: Clock) -> None:
    resting = Resting(mock_clock())
    resting.sent([A], 10 * NS_PER_S)
    opened = OrderOpened(client_id=A, venue_order_id=VenueOrderId("1"), leaves=None, venue_ms=0)
    resting.note([opened, account()])
    assert len(resting) == 1


async def test_an_order_that_shows_late_rests_again(autojump_clock: Clock) -> None:
    made = Bench()
    made.rests()
    made.resting.note([account(asked_ns=NS_PER_S)])
    assert len(made.resting) == 0
    made.rests()
    assert len(made.resting) == 1


# -- cadence


async def test_armed_with_the_first_order_renewed_every_third_taken_back_when_nothing_rests(
    autojump_clock: Clock,
) -> None:
    async with bench() as b:
        await trio.sleep(100)
        assert b.switch.asked == [], "nothing rests"
        b.resting.sent([A], 10 * NS_PER_S)
        await trio.sleep(25)
        assert b.switch.asked == [(100.0, "arm 30"), (110.0, "arm 30"), (120.0, "arm 30")]
        assert b.told == [130_000, 140_000, 150_000]
        b.gone()
        b.rests(B)
        await trio.sleep(10)
        b.gone(B)
        await trio.sleep(100)
        assert b.switch.asked[3:] == [(130.0, "arm 30"), (140.0, "disarm")]
        assert b.told[3:] == [160_000, 0]
        assert b.counts == {"deadman_armed": 1, "deadman_renewed": 3, "deadman_disarmed": 1}


async def test_ahead_it_is_armed_while_nothing_rests(autojump_clock: Clock) -> None:
    async with bench(ahead=True) as b:
        await trio.sleep(25)
        assert b.switch.asked == [(0.0, "arm 30"), (10.0, "arm 30"), (20.0, "arm 30")]


async def test_nobody_renews_while_the_session_is_down_and_it_fires(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.rests()
        await trio.sleep(5)
        b.live = False
        await trio.sleep(60)
        assert b.switch.asked == [(0.0, "arm 30")]
        assert b.told == [30_000, 0]
        assert b.counts["deadman_fired"] == 1
        assert b.keeper.until_ms == 0
        b.live = True
        b.keeper.wake()
        await trio.sleep(0.1)
        assert b.switch.asked[1:] == [(65.0, "arm 30")]


async def test_down_with_nothing_resting_it_is_taken_back(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.rests()
        await trio.sleep(5)
        b.live = False
        b.gone()
        await trio.sleep(60)
        assert b.switch.asked == [(0.0, "arm 30"), (10.0, "disarm")]
        assert "deadman_fired" not in b.counts


# -- no answers


async def test_unanswered_renewals_change_nothing_that_was_told_and_are_repeated(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.rests()
        await trio.sleep(5)
        b.switch.silent = True
        await trio.sleep(20)
        assert [at for at, _ in b.switch.asked] == [0.0, 10.0, 13.3, 16.7, 20.0, 23.3]
        assert b.told == [30_000]
        b.switch.silent = False
        await trio.sleep(3)
        assert b.told[-1] > 50_000
        assert b.counts["deadman_unanswered"] == 5


async def test_a_lost_wish_to_take_it_back_must_expire_before_anything_is_promised(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.rests()
        await trio.sleep(5)
        b.gone()
        b.switch.silent = True
        await trio.sleep(6)
        assert b.switch.asked[1:] == [(10.0, "disarm")]
        assert b.told == [30_000, 0], "told before it is asked for, and whatever becomes of it"
        b.switch.silent = False
        b.rests(B)
        await trio.sleep(9.5)
        assert len(b.switch.asked) == 2, "the wish may still arrive"
        await trio.sleep(1)
        assert b.switch.asked[2:] == [(21.0, "arm 30")]
        assert b.told[2:] == [51_000]


async def test_a_promise_of_which_no_answer_told_is_taken_back_too(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.switch.silent = True
        b.rests()
        await trio.sleep(1)
        b.switch.silent = False
        b.gone()
        await trio.sleep(20)
        assert [what for _, what in b.switch.asked] == ["arm 30", "disarm"]


async def test_nor_does_a_refusal_of_the_next_try_make_it_forgotten(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.switch.silent = True
        b.rests()
        await trio.sleep(1)
        b.switch.silent = False
        b.switch.declines = Declined("RateLimitIp", "too many requests")
        await trio.sleep(8)
        b.switch.declines = None
        b.gone()
        await trio.sleep(20)
        assert [what for _, what in b.switch.asked] == ["arm 30", "arm 30", "disarm"]


# -- no


async def test_a_refusal_is_said_once_told_once_and_asked_again_rarely(
    autojump_clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    async with bench() as b:
        b.switch.declines = Declined("ScheduleCancelVolume", "not enough", 3_600)
        b.rests()
        await trio.sleep(8_000)
        assert b.switch.asked == [(0.0, "arm 30"), (3600.0, "arm 30"), (7200.0, "arm 30")]
        assert b.told == [0]
        assert b.counts == {"deadman_declined.ScheduleCancelVolume": 3}
        assert capsys.readouterr().out.count("offers no dead-man") == 1
        b.switch.declines = None
        await trio.sleep(3_000)
        assert b.told[1:2] == [10_830_000]


async def test_a_refused_renewal_leaves_the_older_promise_standing(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.rests()
        await trio.sleep(5)
        b.switch.declines = Declined("Unknown", "no")
        await trio.sleep(20)
        assert b.told == [30_000]
        assert [at for at, _ in b.switch.asked] == [0.0, 10.0, 20.0], "asked again at the usual time"
        await trio.sleep(10)
        assert b.told == [30_000, 0]


async def test_orders_do_not_hurry_what_was_refused(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.switch.declines = Declined("ScheduleCancelVolume", "not enough", 3_600)
        for _ in range(50):
            b.rests()
            await trio.sleep(1)
        assert len(b.switch.asked) == 1


# -- the end


@pytest.mark.parametrize(("rests", "asked"), [(False, ["arm 30", "disarm"]), (True, ["arm 30"])])
async def test_at_the_end_it_is_taken_back_unless_something_may_rest(
    autojump_clock: Clock, rests: bool, asked: list[str]
) -> None:
    async with bench() as b:
        b.rests()
        await trio.sleep(1)
        if not rests:
            b.gone()
        b.live = False
    await b.keeper.finish()
    assert [what for _, what in b.switch.asked] == asked
    await b.keeper.finish()
    assert [what for _, what in b.switch.asked] == asked


async def test_at_the_end_one_of_which_no_answer_told_is_taken_back_too(autojump_clock: Clock) -> None:
    async with bench() as b:
        b.switch.silent = True
        b.rests()
        await trio.sleep(1)
        b.switch.silent = False
        b.live = False
        b.gone()
    await b.keeper.finish()
    assert [what for _, what in b.switch.asked] == ["arm 30", "disarm"]


async def test_the_end_without_a_promise_asks_for_nothing(autojump_clock: Clock) -> None:
    made = Bench()
    await made.keeper.finish()
    assert made.switch.asked == []


@pytest.mark.parametrize("term_s", [0.0, 9.9, 86_400.0, float("nan")])
def test_a_term_too_short_or_too_long_is_refused(term_s: float) -> None:
    with pytest.raises(ConfigError, match="term_s"):
        DeadmanRules(term_s=term_s, arrives_within_s=10)


# -- Hyperliquid's


class Direct:
    def __init__(self) -> None:
        self.refusal: str | None = None
        self.times: list[int | None] = []

    async def schedule_cancel(self, time_ms: int | None) -> str | None:
        await trio.lowlevel.checkpoint()
        self.times.append(time_ms)
        return self.refusal


@pytest.mark.parametrize(
    ("refusal", "code", "again_s"),
    [
        (
            "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $437.92.",
            "ScheduleCancelVolume",
            3_600,
        ),
        # Our wall clock starts at noon, the venue's is two seconds ahead: its midnight, and a second.
        ("Too many scheduled cancels triggered for the day. Limit is 10", "ScheduleCancelDaily", 43_199),
        ("Scheduled cancel time must be at least 5 seconds in the future.", "Unknown", None),
        ("429 null", "RateLimitIp", None),
    ],
)
async def test_refusals_of_hyperliquid(autojump_clock: Clock, refusal: str, code: str, again_s: float | None) -> None:
    direct, budget = Direct(), AddressBudget()
    switch = ScheduleCancel(cast("DirectRequests", direct), budget, VenueTime(mock_clock(), 2_000))
    assert await switch.arm(30) == now_ms() + 30_000
    assert await switch.disarm() is None
    assert direct.times == [now_ms() + 32_000, None], "asked on the venue's clock"
    direct.refusal = refusal
    for answer_ in (await switch.arm(30), await switch.disarm()):
        assert answer_ == Declined(code, refusal, again_s)
    assert budget.sent_since == 4
