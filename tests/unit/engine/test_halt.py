"""The halt machine: its table, and the walks through it that inputs cause."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import IllegalTransition
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    JournalFailed,
    MarketListed,
    OperatorAction,
    SendLost,
    SendRefused,
    SentAction,
    SessionUp,
    StopRequested,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState
from hlomm.domain.outputs import AlertLevel, CancelOrders, HaltChanged, HaltState, PlaceOrders
from hlomm.engine.config import OnDisconnect
from hlomm.engine.halt import TRANSITIONS, HaltEvent, advance
from tests.support.rig import Rig, alerts, cancelled, halts, of, placed, risky
from tests.support.values import account, config, earlier_run_id, levels, lots, outcome, perp, resting, token, usd

S, E = HaltState, HaltEvent
KEEP = config(flatten={"on_kill": False, "on_disconnect": {HYPERLIQUID: OnDisconnect.FLATTEN}})
PAUSE = config(flatten={"on_disconnect": {HYPERLIQUID: OnDisconnect.PAUSE}})

# -- the table


@pytest.mark.parametrize(("state", "event"), list(itertools.product(HaltState, HaltEvent)))
def test_a_pair_is_in_the_table_or_raises(state: HaltState, event: HaltEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"cannot {event.value}"):
            advance(state, event)


def test_only_a_person_leads_out_of_halted_to_quoting() -> None:
    into_running = {(state, event) for (state, event), after in TRANSITIONS.items() if after is S.RUNNING}
    assert into_running == {(S.STARTING, E.READY), (S.HALTED, E.RESUME)}


def test_danger_is_understood_everywhere_but_at_the_end() -> None:
    for state in set(HaltState) - {S.STOPPED}:
        assert advance(state, E.DANGER) in (S.FLATTENING, S.STOPPING)
    assert not [pair for pair in TRANSITIONS if pair[0] is S.STOPPED], "stopped is the end"


def test_a_stop_is_possible_from_everywhere_and_ends_in_stopped() -> None:
    for state in set(HaltState) - {S.STOPPED}:
        assert advance(state, E.STOP) is S.STOPPING
    assert advance(S.STOPPING, E.SAFE) is S.STOPPED


def test_every_state_leads_to_safety() -> None:
    for start in HaltState:
        reached, open_ = {start}, [start]
        while open_:
            here = open_.pop()
            for (state, _), after in TRANSITIONS.items():
                if state is here and after not in reached:
                    reached.add(after)
                    open_.append(after)
        assert S.STOPPED in reached
        assert start in (S.STOPPING, S.STOPPED) or S.HALTED in reached


# -- starting


def test_running_needs_every_session() -> None:
    rig = Rig(boot=False)
    rig.boot()
    assert rig.halt is S.STARTING
    assert halts(rig.tell(SessionUp(HYPERLIQUID))) == [S.RUNNING]
    assert halts(rig.tell(SessionUp(HYPERLIQUID))) == []


def test_a_halt_of_the_last_run_is_carried_over() -> None:
    rig = Rig(halted="drawdown 151 > 150")
    assert rig.halt is S.HALTED
    assert rig.state.halt_reason == "drawdown 151 > 150"
    assert halts(rig.outputs) == [S.FLATTENING, S.HALTED]
    assert all(change.persist for change in of(rig.outputs, HaltChanged))
    assert not risky(rig.want(bid=("0.52", 100)))
    rig.command(OperatorAction.RESUME)
    assert rig.halt is S.RUNNING
    assert len(placed(rig.outputs)) == 1


def test_a_carried_halt_keeps_tokens_and_takes_out_what_the_last_run_left() -> None:
    rig = Rig(boot=False)
    rig.boot(halted="kill by uid 1000")
    stray = earlier_run_id()
    rig.tell(
        MarketListed(perp()),
        MarketListed(outcome()),
        account(1_000, tokens=(token(100, "40"),), orders=(resting(stray),)),
        SessionUp(HYPERLIQUID),
    )
    assert [one.client_id for one in cancelled(rig.outputs)] == [stray]
    assert rig.halt is S.FLATTENING
    rig.closed(rig.order(stray), filled=30, oid="9001")
    assert rig.halt is S.HALTED, "what it had filled before our time is not waited for"
    assert not risky(rig.outputs)
    assert rig.net() == lots(100)


def test_a_strays_cancel_that_could_not_leave_before_the_session_was_up_is_repeated() -> None:
    rig = Rig(boot=False)
    rig.boot(halted="x")
    stray = earlier_run_id()
    rig.tell(MarketListed(perp()), MarketListed(outcome()), account(orders=(resting(stray),)))
    rig.tell(SendRefused((stray,), SentAction.CANCEL, "no session"))
    outputs = rig.tell(SessionUp(HYPERLIQUID)) + rig.wait(0.3)
    assert [one.client_id for one in cancelled(rig.outputs) + cancelled(outputs)].count(stray) >= 2


def test_danger_while_starting() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.command(OperatorAction.KILL)
    assert rig.halt is S.FLATTENING, "nobody has said yet what an earlier run left"
    rig.tell(MarketListed(perp()), MarketListed(outcome()), account(), SessionUp(HYPERLIQUID))
    assert rig.halt is S.HALTED, "a session that comes up later does not undo it"


# -- kill, flatten, resume


@pytest.mark.parametrize("action", [OperatorAction.KILL, OperatorAction.FLATTEN])
def test_orders_first_then_tokens_then_halted(action: OperatorAction) -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    bid = rig.resting_bid("0.52", 100)
    outputs = rig.command(action, reason="nervous")
    assert halts(outputs) == [S.FLATTENING]
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    assert not risky(outputs), "nothing is sold while an order of the market rests"
    (sale,) = placed(rig.closed(bid, filled=0))
    assert sale.reduce_only
    outputs = rig.filled(sale, 100, at="0.50") + rig.closed(sale, filled=100, status="filled")
    assert halts(outputs) == [S.HALTED]
    assert rig.net() == 0
    (change,) = of(outputs, HaltChanged)
    assert change.persist
    assert "nervous" in change.reason
    assert "uid 1000" in change.reason


def test_a_kill_may_keep_tokens_a_flatten_never_does() -> None:
    rig = Rig(KEEP)
    rig.buy(100, "0.5")
    assert halts(rig.command(OperatorAction.KILL)) == [S.FLATTENING, S.HALTED]
    assert not risky(rig.outputs)
    assert len(placed(rig.command(OperatorAction.FLATTEN))) == 1


def test_flatten_during_a_kill_that_keeps_adds_the_sale_and_its_time() -> None:
    """The walk that only cancelled may be nearly over: selling gets a deadline of its own, once."""
    rig = Rig(KEEP)
    rig.buy(100, "0.5")
    bid = rig.resting_bid("0.52", 100)
    rig.command(OperatorAction.KILL)
    rig.keep_fresh(10)
    rig.command(OperatorAction.FLATTEN)
    walk = rig.state.walk
    assert walk is not None
    deadline = walk.deadline_ns
    assert deadline - rig.now.mono_ns == rig.state.config.flatten.deadline_ns
    rig.keep_fresh(1)
    rig.command(OperatorAction.FLATTEN)
    assert walk.deadline_ns == deadline, "only once"
    assert len(placed(rig.closed(bid, filled=0))) == 1


def test_kill_is_idempotent() -> None:
    rig = Rig()
    bid = rig.resting_bid()
    for _ in range(3):
        rig.command(OperatorAction.KILL)
    assert [one.client_id for one in cancelled(rig.outputs)] == [bid.client_id]
    assert halts(rig.outputs).count(S.FLATTENING) == 1


def test_resume_is_refused_while_a_session_is_down() -> None:
    rig = Rig()
    rig.command(OperatorAction.KILL)
    rig.down()
    outputs = rig.command(OperatorAction.RESUME)
    assert rig.halt is S.HALTED
    assert "is down" in alerts(outputs, "resume_refused")[0].text
    rig.up()
    rig.command(OperatorAction.RESUME)
    assert rig.halt is S.RUNNING


@pytest.mark.parametrize("state", [S.STARTING, S.RUNNING, S.FLATTENING])
def test_resume_has_no_meaning_elsewhere_and_says_so(state: HaltState) -> None:
    rig = Rig()
    if state is S.STARTING:
        rig = Rig(boot=False)
        rig.boot()
        rig.state.venues[HYPERLIQUID].up = True
    elif state is S.FLATTENING:
        rig.resting_bid()
        rig.command(OperatorAction.KILL)
    assert rig.halt is state
    outputs = rig.command(OperatorAction.RESUME)
    assert rig.halt is state
    assert "nothing to resume" in alerts(outputs, "resume_refused")[0].text


def test_resume_starts_the_high_water_mark_anew() -> None:
    rig = Rig()
    rig.state.high_water += usd(1_000)
    rig.book(levels(("0.51", 500)))
    assert rig.halt is S.HALTED
    rig.command(OperatorAction.RESUME)
    rig.keep_fresh(2)
    assert rig.halt is S.RUNNING
    assert rig.state.high_water == rig.state.equity()


# -- drawdown


@pytest.mark.parametrize(("price", "halted"), [("0.05001", False), ("0.05", False), ("0.04999", True)])
def test_drawdown_of_marked_equity_latches(price: str, halted: bool) -> None:
    rig = Rig(config(limits={"max_drawdown": usd(45)}))
    rig.buy(100, "0.50")
    rig.book(levels((price, 500)), levels(("0.60", 500)))
    assert (rig.halt is S.RUNNING) is not halted
    if halted:
        assert rig.state.halt_reason.startswith("drawdown 45")
        rig.book(levels(("0.50", 500)), levels(("0.60", 500)))
        assert rig.halt is not S.RUNNING, "a recovery does not undo it"


def test_drawdown_is_measured_from_the_high_water_mark() -> None:
    rig = Rig(config(limits={"max_drawdown": usd(30)}))
    rig.buy(100, "0.50")
    rig.book(levels(("0.75", 500)), levels(("0.80", 500)))
    rig.book(levels(("0.46", 500)), levels(("0.80", 500)))
    assert rig.halt is S.RUNNING
    rig.book(levels(("0.44", 500)), levels(("0.80", 500)))
    assert rig.halt is not S.RUNNING
    assert rig.state.max_drawdown == usd(31)


def test_pairs_are_worth_what_they_pay_however_wide_the_book() -> None:
    """Valued at bid and 1 - ask, 300 pairs in a wide book would look like a loss of 294 and trip the switch."""
    rig = Rig()
    rig.buy(300, "0.50")
    rig.buy(300, "0.45", Leg.NO)
    equity = rig.state.equity()
    rig.book(levels(("0.01", 500)), levels(("0.99", 500)))
    assert rig.state.equity() == equity == usd("10015")
    assert rig.halt is S.RUNNING


def test_an_unpriced_token_counts_at_cost() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.tell(account(100, tokens=(token(50, "20"),)), MarketListed(outcome()), SessionUp(HYPERLIQUID))
    assert rig.state.equity() == usd(120)


# -- sessions


def test_a_lost_session_flattens_by_policy() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    bid = rig.resting_bid()
    outputs = rig.down()
    assert halts(outputs) == [S.FLATTENING]
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    assert not placed(rig.closed(bid, filled=0) + rig.wait(1)), "no book, no price"
    (sale,) = placed(rig.book())
    rig.filled(sale, 100, at="0.5")
    rig.closed(sale, filled=100, status="filled")
    assert rig.halt is S.HALTED
    assert rig.net() == 0


def test_what_happens_while_halted_does_not_hide_why_it_was_halted() -> None:
    """A blip of the network at night must not leave `session lost` as the whole reason: the morning would resume."""
    rig = Rig()
    rig.command(OperatorAction.KILL, reason="the feed looks odd")
    first = rig.state.halt_reason
    for _ in range(3):
        rig.down()
        rig.up()
        rig.wait(20)
    assert rig.halt is S.HALTED
    assert rig.state.halt_reason == f"hyperliquid session lost (socket closed) — before that: {first}"
    kept = of(rig.outputs, HaltChanged)[-1]
    assert (kept.reason, kept.persist) == (rig.state.halt_reason, True)
    assert halts(rig.command(OperatorAction.RESUME)) == [S.RUNNING]
    rig.down()
    assert "before that" not in rig.state.halt_reason


def test_danger_before_the_sessions_are_up_does_not_hide_the_carried_halt() -> None:
    rig = Rig(boot=False)
    rig.boot(halted="drawdown 151 > 150")
    rig.command(OperatorAction.FLATTEN)
    assert rig.state.halt_reason == "flatten by uid 1000 — before that: drawdown 151 > 150"


def test_a_lost_session_pauses_by_policy() -> None:
    rig = Rig(PAUSE)
    bid = rig.resting_bid()
    outputs = rig.down()
    assert rig.halt is S.RUNNING
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    assert alerts(outputs, "session_lost")
    rig.closed(bid, filled=0)
    assert not risky(rig.wait(3))
    rig.up()
    assert rig.note(1) == "book", "what was known of the book is gone with the session"
    assert len(placed(rig.book())) == 1


def test_a_session_that_is_down_cannot_go_down() -> None:
    rig = Rig(PAUSE)
    rig.down()
    assert not alerts(rig.down(), "session_lost")


def test_a_session_lost_before_it_was_ever_up_is_no_danger() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.down()
    assert rig.halt is S.STARTING


# -- journal


def test_without_a_journal_everything_is_cancelled_and_nothing_sold() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    bid = rig.resting_bid()
    outputs = rig.tell(JournalFailed("no space left on device"))
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    rig.closed(bid, filled=0)
    assert rig.halt is S.HALTED
    assert not risky(outputs)
    assert rig.net() == lots(100)


def test_what_is_kept_without_a_journal_is_named_with_the_way_out() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    (said,) = alerts(rig.tell(JournalFailed("no space left on device")), "flattened")
    assert said.level is AlertLevel.CRITICAL
    assert "100 YES 0 NO (worst 50.00" in said.text
    assert "policy" not in said.text
    assert said.text.endswith("start again, then `hlomm flatten`"), "a resume is refused"


def test_without_a_journal_and_without_tokens_there_is_nothing_to_do() -> None:
    rig = Rig()
    (said,) = alerts(rig.tell(JournalFailed("no space left on device")), "flattened")
    assert (said.level, ", flat" in said.text) == (AlertLevel.INFO, True)


@pytest.mark.parametrize("later", ["flatten", "kill", "down", "stop", "drawdown"])
def test_after_a_journal_failure_no_other_reason_sells(later: str) -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    rig.buy(40, "0.45", Leg.NO)  # neither are pairs merged
    rig.tell(JournalFailed("read-only"))
    outputs = _provoke(rig, later)
    rig.book()
    outputs += rig.keep_fresh(3)
    assert not risky(outputs)


def test_a_journal_that_fails_during_a_sale_stops_the_sale() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    (sale,) = placed(rig.command(OperatorAction.FLATTEN))
    outputs = rig.tell(JournalFailed("EIO"))
    rig.closed(sale, filled=0)
    outputs += rig.keep_fresh(5)
    assert not risky(outputs)
    assert rig.halt is S.HALTED


def test_a_journal_that_fails_during_a_merge_is_followed_by_no_other() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    rig.buy(40, "0.45", Leg.NO)
    assert risky(rig.command(OperatorAction.FLATTEN))
    outputs = rig.tell(JournalFailed("EIO")) + rig.keep_fresh(5)
    assert not risky(outputs)
    assert rig.halt is S.HALTED


def test_without_a_journal_there_is_no_resume() -> None:
    rig = Rig()
    rig.tell(JournalFailed("EIO"))
    outputs = rig.command(OperatorAction.RESUME)
    assert rig.halt is S.HALTED
    assert "restart" in alerts(outputs, "resume_refused")[0].text


def _provoke(rig: Rig, how: str) -> list[object]:
    match how:
        case "flatten":
            return list(rig.command(OperatorAction.FLATTEN))
        case "kill":
            return list(rig.command(OperatorAction.KILL))
        case "down":
            return list(rig.down())
        case "stop":
            return list(rig.tell(StopRequested("SIGTERM", flatten=True)))
        case _:
            rig.state.high_water += usd(10_000)
            return list(rig.turn())


# -- stopping


@pytest.mark.parametrize("flatten", [True, False])
def test_a_stop_cancels_sells_by_policy_and_is_the_end(flatten: bool) -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    bid = rig.resting_bid()
    outputs = rig.tell(StopRequested("SIGTERM", flatten))
    assert halts(outputs) == [S.STOPPING]
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]
    outputs = rig.closed(bid, filled=0)
    if flatten:
        (sale,) = placed(outputs)
        outputs = rig.filled(sale, 100, at="0.5") + rig.closed(sale, filled=100, status="filled")
    assert halts(outputs) == [S.STOPPED]
    assert not any(change.persist for change in of(rig.outputs, HaltChanged))
    assert rig.engine.next_deadline() is None
    assert rig.command(OperatorAction.RESUME) == alerts(rig.outputs[-1:])
    assert rig.halt is S.STOPPED


def test_after_the_end_nothing_moves_any_more() -> None:
    rig = Rig()
    rig.tell(StopRequested("done", flatten=True))
    assert rig.halt is S.STOPPED
    rig.down()
    rig.command(OperatorAction.FLATTEN)
    rig.tell(StopRequested("again", flatten=True))
    rig.want(bid=("0.52", 100))
    assert rig.halt is S.STOPPED
    assert not risky(rig.outputs)
    assert not of(rig.outputs, PlaceOrders)


def test_a_stop_during_a_flatten_finishes_the_flatten() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    bid = rig.resting_bid()
    rig.command(OperatorAction.FLATTEN)
    outputs = rig.tell(StopRequested("SIGTERM", flatten=False))
    assert halts(outputs) == [S.STOPPING]
    (sale,) = placed(rig.closed(bid, filled=0))
    assert halts(rig.filled(sale, 100, at="0.5")) == [S.STOPPED]


def test_a_stop_with_flatten_during_a_kill_that_keeps() -> None:
    rig = Rig(KEEP)
    rig.buy(100, "0.5")
    bid = rig.resting_bid()
    rig.command(OperatorAction.KILL)
    rig.tell(StopRequested("SIGTERM", flatten=True))
    assert len(placed(rig.closed(bid, filled=0))) == 1


def test_danger_while_stopping_stays_stopping() -> None:
    rig = Rig()
    rig.resting_bid()
    rig.tell(StopRequested("SIGTERM", flatten=False))
    rig.command(OperatorAction.KILL)
    rig.down()
    assert rig.halt is S.STOPPING
    assert S.FLATTENING not in halts(rig.outputs)


def test_stopping_a_halted_daemon_keeps_the_halt_on_disk() -> None:
    rig = Rig(KEEP)
    rig.command(OperatorAction.KILL)
    before = of(rig.outputs, HaltChanged)[-1]
    assert before.persist
    rig.tell(StopRequested("SIGTERM", flatten=False))
    assert [change.state for change in of(rig.outputs, HaltChanged)][-2:] == [S.STOPPING, S.STOPPED]
    assert S.RUNNING not in [change.state for change in of(rig.outputs, HaltChanged)[1:]]


# -- orders in doubt on the way to safety


def test_orders_in_doubt_are_cancelled_too_and_again() -> None:
    """A lost answer may be a resting order: the way to safety sends the cancel, it does not wait for the answer."""
    rig = Rig()
    (request,) = placed(rig.want(bid=("0.52", 100)))
    rig.tell(SendLost((request.client_id,), SentAction.PLACE, "socket closed"))
    outputs = rig.command(OperatorAction.KILL)
    assert [one.client_id for one in cancelled(outputs)] == [request.client_id]
    again = cancelled(rig.wait(5))
    assert 2 <= len(again) <= 4
    assert rig.order(request.client_id).state is OrderState.UNKNOWN
    rig.closed(request)
    assert rig.halt is S.HALTED


def test_the_deadline_ends_the_walk_and_says_what_is_not_confirmed() -> None:
    rig = Rig()
    rig.resting_bid()
    rig.command(OperatorAction.KILL)
    outputs = rig.wait(14.9)
    assert rig.halt is S.FLATTENING
    outputs = rig.wait(0.2)
    assert rig.halt is S.HALTED
    (alert,) = alerts(outputs, "flatten_deadline")
    assert alert.level is AlertLevel.CRITICAL
    assert "1 orders not confirmed gone" in alert.text
    assert "check the venue by hand" in alert.text


def test_an_order_that_turns_up_after_the_deadline_is_still_cancelled() -> None:
    rig = Rig()
    bid = rig.resting_bid()
    rig.command(OperatorAction.KILL)
    rig.wait(20)
    assert rig.halt is S.HALTED
    assert bid.state is OrderState.UNKNOWN
    outputs = rig.answer(bid, leaves=100)
    assert [one.client_id for one in cancelled(outputs)] == [bid.client_id]


@given(
    st.lists(
        st.sampled_from(["kill", "flatten", "resume", "down", "up", "stop", "journal", "want", "answer"]), max_size=14
    )
)
def test_halted_emits_nothing_but_cancels_and_reductions(steps: list[str]) -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}))
    rig.buy(100, "0.5")
    for step in steps:
        before = rig.halt
        match step:
            case "kill":
                outputs = rig.command(OperatorAction.KILL)
            case "flatten":
                outputs = rig.command(OperatorAction.FLATTEN)
            case "resume":
                outputs = rig.command(OperatorAction.RESUME)
            case "down":
                outputs = rig.down()
            case "up":
                outputs = rig.up() + rig.book()
            case "stop":
                outputs = rig.tell(StopRequested("x", flatten=True))
            case "journal":
                outputs = rig.tell(JournalFailed("x"))
            case "want":
                outputs = rig.want(bid=("0.52", 50), ask=("0.58", 50)) + rig.keep_fresh(1)
            case _:
                outputs = [o for order in list(rig.state.orders.live()) for o in rig.closed(order, filled=0, oid="7")]
        if rig.halt is not S.RUNNING and before is not S.RUNNING:
            for output in risky(outputs):
                assert isinstance(output, PlaceOrders)
                assert all(order.reduce_only and order.side.name == "SELL" for order in output.orders)
                assert not rig.state.journal_failed
        assert not (rig.halt is S.STOPPED and of(outputs, CancelOrders) and before is S.STOPPED)


@pytest.mark.parametrize("action", [OperatorAction.FLATTEN, OperatorAction.CANCEL])
def test_a_halt_is_noted_when_its_walk_begins_and_not_when_it_ends(action: OperatorAction) -> None:
    """A crash on the way must not come back quoting."""
    rig = Rig()
    rig.buy(100, "0.5")
    first = of(rig.command(action), HaltChanged)[0]
    assert (first.state, first.persist) == (S.FLATTENING, True)


def test_a_kill_while_stopping_survives_the_restart() -> None:
    rig = Rig()
    rig.resting_bid()
    rig.tell(StopRequested("SIGTERM", flatten=False))
    (change,) = of(rig.command(OperatorAction.KILL), HaltChanged)
    assert (change.state, change.persist) == (S.STOPPING, True)
