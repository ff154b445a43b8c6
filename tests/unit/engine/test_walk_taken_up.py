"""A walk whose deadline came while the venue was out of reach goes on when it answers again."""

from __future__ import annotations

import pytest

from hlomm.domain.ids import HYPERLIQUID, POLYMARKET
from hlomm.domain.inputs import (
    MarketListed,
    OperatorAction,
    SendLost,
    SentAction,
    SessionDown,
    SessionUp,
    StopRequested,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Side
from hlomm.domain.outputs import HaltState
from hlomm.engine.config import OnDisconnect
from tests.support.rig import Rig, alerts, cancelled, placed, queried
from tests.support.values import M, account, config, outcome, perp

DEADLINE_S = 15
PAUSED_THERE = config(flatten={"on_disconnect": {POLYMARKET: OnDisconnect.PAUSE}})
KEEP = config(flatten={"on_kill": False})


def out_of_reach(rig: Rig) -> None:
    """The session is lost, nobody answers, the deadline passes."""
    rig.down(rest=False)
    rig.wait(DEADLINE_S + 1)
    assert rig.halt is HaltState.HALTED


def holding(**how: object) -> Rig:
    rig = Rig(honest=False, **how)  # type: ignore[arg-type]
    rig.buy(100, "0.5", Leg.YES)
    return rig


def test_back_again_it_sells_what_it_could_not() -> None:
    rig = holding()
    out_of_reach(rig)
    out = rig.up()
    assert rig.halt is HaltState.FLATTENING
    assert "session lost" in alerts(out, "walk_taken_up")[0].text
    (sale,) = placed(rig.book())
    assert (sale.side, sale.reduce_only) == (Side.SELL, True)


def test_back_before_the_time_is_up_it_is_not_left_at_what_could_not_be_sold_by_then() -> None:
    rig = holding()
    rig.down(rest=False)
    rig.wait(DEADLINE_S - 1)
    rig.up()
    rig.wait(2)
    assert rig.halt is HaltState.FLATTENING
    (sale,) = placed(rig.book())
    assert (sale.side, sale.reduce_only) == (Side.SELL, True)


def test_requests_alone_are_enough() -> None:
    rig = holding()
    out_of_reach(rig)
    rig.tell(SessionDown(HYPERLIQUID, "requests are answered again", True))
    assert rig.halt is HaltState.FLATTENING


def test_with_the_venue_in_reach_the_deadline_is_the_end() -> None:
    """A person was told to look; nothing that happens later speaks against that."""
    rig = holding()
    rig.command(OperatorAction.FLATTEN)
    rig.wait(DEADLINE_S + 1)
    assert rig.halt is HaltState.HALTED
    rig.up()
    assert rig.halt is HaltState.HALTED


def test_lost_again_and_again_each_return_gets_its_own_time() -> None:
    rig = holding()
    for _ in range(3):
        out_of_reach(rig)
        rig.up()
        assert rig.halt is HaltState.FLATTENING


def test_a_walk_that_was_to_keep_tokens_still_keeps_them() -> None:
    rig = holding(config=KEEP)
    rig.command(OperatorAction.KILL)
    rig.down(rest=False)
    state = rig.state
    assert state.walk is not None
    sells = state.walk.sell
    rig.wait(DEADLINE_S + 1)
    rig.up()
    assert state.walk is not None
    assert state.walk.sell is sells


def test_an_order_in_doubt_is_asked_about_however_often_it_is_cancelled() -> None:
    """Cancels go out as often as questions: they must not put the question off, or the doubt never ends."""
    rig = Rig(honest=False)
    bid = rig.resting_bid()
    rig.command(OperatorAction.KILL)
    rig.tell(SendLost((bid.client_id,), SentAction.CANCEL, "no answer"))
    asked = 0
    for _ in range(100):
        outputs = rig.wait(0.1)
        asked += queried(outputs).count(bid.client_id)
        if cancelled(outputs):
            rig.wait(0.4)
            rig.cancel_failed(bid)
    assert rig.order(bid.client_id).state is OrderState.UNKNOWN
    assert asked >= 5, "every second and a half"


@pytest.mark.parametrize("confirmed", [False, True])
def test_where_an_order_may_have_rested_is_forgotten_by_the_venues_word_only(confirmed: bool) -> None:
    rig = Rig(honest=confirmed)
    rig.state.baskets.rested = {(M, Leg.YES): 0}
    rig.command(OperatorAction.FLATTEN)
    rig.wait(DEADLINE_S + 1)
    assert rig.halt is HaltState.HALTED
    assert bool(rig.state.baskets.rested) is not confirmed


def test_resume_ends_the_matter() -> None:
    """Later a stop that is to keep what is held sells nothing for a reason that a person has dealt with."""
    rig = Rig(PAUSED_THERE, honest=False, venues=(HYPERLIQUID, POLYMARKET), boot=False)
    rig.boot()
    rig.tell(account(asked_ns=rig.now.mono_ns), MarketListed(perp()), MarketListed(outcome()), SessionUp(HYPERLIQUID))
    rig.buy(100, "0.5", Leg.YES)
    out_of_reach(rig)
    rig.up()
    rig.wait(DEADLINE_S + 1)
    assert rig.state.unfinished is not None, "the other venue has never been there"
    rig.command(OperatorAction.RESUME)
    assert rig.halt is HaltState.RUNNING
    rig.tell(StopRequested("SIGINT", flatten=False))
    assert rig.state.walk is not None
    assert not rig.state.walk.sell


# -- a venue that was not reached in this run


def test_what_nobody_was_asked_about_is_not_called_flat() -> None:
    rig = Rig(boot=False)
    rig.boot()
    out = rig.command(OperatorAction.KILL) + rig.wait(DEADLINE_S + 1)
    assert rig.halt is HaltState.HALTED
    (said,) = alerts(out, "flatten_deadline")
    assert "which the venue has not confirmed" in said.text
    assert not alerts(out, "flattened")
    out = rig.up()
    assert alerts(out, "walk_taken_up")
    assert alerts(out, "flattened"), "by the word of the venue"


def test_a_stop_does_not_wait_for_it() -> None:
    rig = Rig(boot=False)
    rig.boot()
    rig.tell(StopRequested("SIGINT", flatten=True))
    assert rig.halt is HaltState.STOPPED


def test_it_keeps_no_other_waiting_and_is_made_safe_when_it_comes() -> None:
    rig = Rig(PAUSED_THERE, honest=False, venues=(HYPERLIQUID, POLYMARKET), boot=False)
    rig.boot()
    rig.tell(account(asked_ns=rig.now.mono_ns), MarketListed(perp()), MarketListed(outcome()), SessionUp(HYPERLIQUID))
    rig.buy(100, "0.5", Leg.YES)
    out_of_reach(rig)
    assert alerts(rig.up(), "walk_taken_up")
    assert len(placed(rig.book())) == 1, "sold, though the other has never been there"
    rig.wait(DEADLINE_S + 1)
    assert rig.halt is HaltState.HALTED
    rig.up()
    assert rig.halt is HaltState.HALTED, "what is there has had its time"
    rig.tell(account(0, asked_ns=rig.now.mono_ns, venue=POLYMARKET))
    assert alerts(rig.up(POLYMARKET), "walk_taken_up")
