"""A venue's own breaker: what it lets pass, what resets it, and that nothing goes round in a circle."""

from __future__ import annotations

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import Input, OperatorAction, VenueRearmed, VenueTripped
from hlomm.domain.outputs import HaltState, ResetBreaker
from hlomm.engine.ladder import ladder
from hlomm.engine.quoting import blocked
from hlomm.engine.report import report
from hlomm.engine.venue_breaker import Arming
from tests.support.rig import Rig, alerts, cancelled, of, placed
from tests.support.values import config

FAST = config(quotes={"min_interval_ns": 0})
WHY = "more than 800 contracts within 15 s"
TRIP: Input = VenueTripped(HYPERLIQUID, WHY)
REARMED: Input = VenueRearmed(HYPERLIQUID)


def arming(rig: Rig) -> Arming:
    return rig.state.venues[HYPERLIQUID].breaker.arming


def once_reset() -> Rig:
    """It has tripped, was quiet, and was reset: the one time that this happens by itself."""
    rig = Rig(FAST)
    order = rig.resting_bid()
    rig.tell(TRIP)
    rig.closed(order)
    assert len(of(rig.keep_fresh(61), ResetBreaker)) == 1
    rig.tell(REARMED)
    return rig


def test_quotes_go_and_nothing_is_placed_until_it_is_reset() -> None:
    rig = Rig(FAST)
    order = rig.resting_bid()
    outputs = rig.tell(TRIP)
    assert [request.client_id for request in cancelled(outputs)] == [order.client_id]
    (alert,) = alerts(outputs, "venue_breaker")
    assert alert.level.value == "critical"
    assert WHY in alert.text
    assert "reset after 60 s without a fill, or at once by `hlomm resume`" in alert.text
    rig.closed(order)
    assert rig.halt is HaltState.RUNNING
    quiet = rig.keep_fresh(59)
    assert placed(quiet) == []
    assert of(quiet, ResetBreaker) == []
    why = blocked(rig.state, rig.market())
    assert why is not None
    assert why.startswith("venue_breaker: hyperliquid breaker has tripped")
    assert any("breaker has tripped" in text for text in ladder(rig.state)[1])
    assert "breaker has tripped" in report(rig.state).accounts[0].closed
    assert of(rig.keep_fresh(2), ResetBreaker) == [ResetBreaker(HYPERLIQUID)]
    assert placed(rig.keep_fresh(5)) == [], "asked for is not done"
    outputs = rig.tell(REARMED)
    assert len(placed(outputs)) == 1
    assert len(alerts(outputs, "venue_rearmed")) == 1
    assert rig.state.counters.trips == {"venue_breaker": 1, "venue_reset": 1}


def test_a_fill_makes_the_quiet_time_begin_anew() -> None:
    rig = Rig(FAST)
    rig.tell(TRIP)
    rig.keep_fresh(40)
    rig.buy(10, "0.5")
    assert of(rig.keep_fresh(59), ResetBreaker) == []
    assert len(of(rig.keep_fresh(2), ResetBreaker)) == 1


def test_what_trips_again_within_the_hour_waits_for_a_person() -> None:
    rig = once_reset()
    (alert,) = alerts(rig.tell(TRIP), "venue_breaker")
    for order in list(rig.state.orders.exposed()):
        rig.closed(order)
    assert "`hlomm resume` resets it" in alert.text
    assert of(rig.keep_fresh(600), ResetBreaker) == []
    outputs = rig.command(OperatorAction.RESUME)
    assert of(outputs, ResetBreaker) == [ResetBreaker(HYPERLIQUID)]
    assert alerts(outputs, "resume_refused") == []
    assert alerts(outputs, "venue_reset")[0].text.startswith("hyperliquid: ")
    assert placed(outputs) == []
    assert len(placed(rig.tell(REARMED))) == 1


def test_after_an_hour_it_may_be_reset_by_itself_again() -> None:
    rig = once_reset()
    rig.jump(3_600)
    rig.tell(TRIP)
    assert len(of(rig.wait(61), ResetBreaker)) == 1


def test_a_reset_that_fails_is_said_and_left_to_a_person() -> None:
    rig = Rig(FAST)
    rig.tell(TRIP)
    rig.keep_fresh(61)
    assert arming(rig) is Arming.RESETTING
    (alert,) = alerts(rig.tell(VenueTripped(HYPERLIQUID, "HTTP 503")), "venue_breaker")
    assert "could not be reset (HTTP 503)" in alert.text
    assert of(rig.keep_fresh(300), ResetBreaker) == []
    assert len(of(rig.command(OperatorAction.RESUME), ResetBreaker)) == 1


def test_a_reset_that_nobody_answers_is_taken_back() -> None:
    rig = Rig(FAST)
    rig.tell(TRIP)
    rig.keep_fresh(61)
    outputs = rig.keep_fresh(120)
    assert arming(rig) is Arming.TRIPPED
    assert of(outputs, ResetBreaker) == []
    assert "nobody answered" in alerts(outputs, "venue_breaker")[0].text
    assert len(of(rig.command(OperatorAction.RESUME), ResetBreaker)) == 1


def test_the_way_home_passes() -> None:
    rig = Rig(FAST)
    rig.buy(100, "0.5")
    rig.tell(TRIP)
    assert len(placed(rig.command(OperatorAction.FLATTEN))) == 1


def test_while_halted_it_is_reset_by_the_resume_alone() -> None:
    rig = Rig(FAST)
    rig.tell(TRIP)
    rig.command(OperatorAction.KILL)
    assert rig.halt is HaltState.HALTED
    assert of(rig.keep_fresh(300), ResetBreaker) == []
    rig.want(bid=("0.52", 100))
    outputs = rig.command(OperatorAction.RESUME)
    assert rig.halt is HaltState.RUNNING
    assert len(of(outputs, ResetBreaker)) == 1
    assert placed(outputs) == []


def test_a_second_word_of_the_same_trip_is_not_said_again() -> None:
    rig = Rig(FAST)
    rig.tell(TRIP)
    assert alerts(rig.tell(TRIP), "venue_breaker") == []
    assert rig.state.counters.trips == {"venue_breaker": 1}
    assert alerts(Rig(FAST).tell(REARMED), "venue_rearmed") == []


def test_it_enters_the_digest() -> None:
    digests = set()
    for items in ((), (TRIP,), (VenueTripped(HYPERLIQUID, "other"),), (TRIP, REARMED)):
        rig = Rig(FAST)
        for item in items:
            rig.engine.feed(item, rig.now)
        digests.add(rig.engine.digest())
    assert len(digests) == 4
