"""Rung: pure, stateful. The store knows what it knows, and for how long it has known it."""

from __future__ import annotations

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.markets import Leg
from hlomm.domain.naming import coin_name
from hlomm.domain.units import Px
from tests.tui import examples
from tests.tui.examples import DANGER, SETTLED, WALL_MS, daily, perp, pulled, quarter, snapshot
from tui.client import Answered, Declined, Guarded, Lost, Pictured, Rejected, Unanswered, Up
from tui.state import Fate, Freshness, Phase, Store, freshness, in_order


def store(*rows: examples.MarketRow) -> Store:
    """Connected at 100 s, with one snapshot."""
    made = Store.begin("/tmp/s", 99.0)
    made.apply(Up("sim", 1), 100.0)
    made.apply(Pictured(snapshot(rows or None)), 100.0)
    return made


def test_a_new_store_knows_nothing_and_says_so() -> None:
    empty = Store.begin("/tmp/s", 10.0)
    assert (empty.shown, empty.markets(), empty.market(), empty.link.phase) == (None, [], None, Phase.CONNECTING)
    assert not empty.connected(10.1)
    assert empty.lag_s(12.5) == 2.5


def test_a_snapshot_makes_it_connected_until_it_is_old() -> None:
    made = store()
    assert made.connected(100.2)
    assert made.connected(103.0)
    assert not made.connected(103.1)


def test_a_lost_link_is_not_connected_however_fresh_the_snapshot() -> None:
    made = store()
    made.apply(Lost("closed"), 100.1)
    assert (made.connected(100.1), made.link.why) == (False, "closed")


def test_failed_attempts_do_not_make_the_loss_look_shorter() -> None:
    """The age counts from the last word of the daemon, not from the last attempt to reach it."""
    made = store()
    for second in range(5):
        made.apply(Lost("nobody answers"), 101.0 + second)
    assert made.lag_s(106.0) == 6.0


def test_a_rejection_keeps_its_reason() -> None:
    made = store()
    made.apply(Rejected("version 2"), 101.0)
    assert (made.link.phase, made.link.why) == (Phase.REJECTED, "version 2")


def test_markets_come_by_expiry_with_perps_last() -> None:
    assert [row.ticker for row in in_order((perp(), daily(), quarter(), pulled()))] == [
        pulled().ticker, quarter().ticker, daily().ticker, perp().ticker,
    ]  # fmt: skip


def test_settled_markets_leave_the_table() -> None:
    made = store(quarter(settled=Px(0)), daily())
    assert [row.id for row in made.markets()] == [daily().id]


def test_the_first_market_is_selected_and_the_cursor_stops_at_the_ends() -> None:
    made = store(quarter(), daily())
    assert made.selected == quarter().id
    made.move(5)
    assert made.selected == daily().id
    made.move(-9)
    assert made.selected == quarter().id


def test_the_selection_follows_its_market_when_others_come_and_go() -> None:
    made = store(quarter(), daily())
    made.select(daily().id)
    made.apply(Pictured(snapshot((pulled(), quarter(), daily(), perp()))), 101.0)
    assert made.selected == daily().id


def test_when_the_selected_market_is_gone_its_successor_is_selected() -> None:
    made = store(pulled(), quarter(), daily())
    made.select(quarter().id)
    made.apply(Pictured(snapshot((pulled(), daily()))), 101.0)
    assert made.selected == daily().id
    made.apply(Pictured(snapshot(())), 102.0)
    assert made.selected is None


def test_the_filter_takes_words_of_the_name_as_it_is_shown() -> None:
    made = store(pulled(), quarter(), daily(), perp())
    made.set_filter(" btc 06: ")
    assert [row.id for row in made.markets()] == [daily().id]
    assert made.selected == daily().id
    made.set_filter(coin_name(quarter().id, Leg.NO) or "")
    assert [row.id for row in made.markets()] == [quarter().id]
    made.set_filter("eth")
    assert (made.markets(), made.selected) == ([], None)
    made.set_filter("")
    assert len(made.markets()) == 4


def test_a_frozen_display_stays_and_the_live_snapshot_goes_on() -> None:
    made = store(quarter())
    made.toggle_freeze(101.0)
    made.apply(Pictured(snapshot((daily(),))), 105.0)
    assert made.live is not made.shown
    assert [row.id for row in made.markets()] == [quarter().id]
    assert made.shown_lag_s(150.0) == 1.0, "ages are those of the moment of freezing"
    made.toggle_freeze(151.0)
    assert [row.id for row in made.markets()] == [daily().id]


def test_freezing_nothing_is_harmless() -> None:
    empty = Store.begin("/tmp/s", 0.0)
    empty.toggle_freeze(1.0)
    assert empty.held is None


def test_ages_grow_while_nothing_is_heard() -> None:
    assert store().shown_lag_s(104.5) == 4.5
    assert Store.begin("/tmp/s", 0.0).shown_lag_s(104.5) == 0.0


def test_an_order_waits_is_silent_after_a_second_then_is_taken() -> None:
    made = store()
    made.sent(7, OperatorAction.KILL, 101.0)
    ordered = made.ordered
    assert ordered is not None
    assert (ordered.fate, ordered.silent(101.9), ordered.silent(102.1)) == (Fate.WAITING, False, True)
    made.apply(Answered(7, snapshot()), 102.5)
    assert (ordered.fate, ordered.settled_s, ordered.silent(200.0)) == (Fate.TAKEN, 102.5, False)


def test_an_answer_to_another_order_changes_nothing() -> None:
    made = store()
    made.sent(7, OperatorAction.KILL, 101.0)
    made.apply(Declined(6, "frozen"), 101.1)
    assert made.ordered is not None
    assert made.ordered.fate is Fate.WAITING


def test_a_late_answer_outranks_the_silence_before_it() -> None:
    made = store()
    made.sent(7, OperatorAction.KILL, 101.0)
    made.apply(Unanswered(7, "no answer in 5 s"), 106.0)
    assert made.ordered is not None
    assert (made.ordered.fate, made.ordered.why) == (Fate.UNANSWERED, "no answer in 5 s")
    made.apply(Answered(7, snapshot()), 107.0)
    assert made.ordered.fate is Fate.TAKEN


def test_consequences_are_the_alerts_since_the_order() -> None:
    made = store()
    assert made.consequences() == []
    made.sent(1, OperatorAction.KILL, 101.0)
    later = examples.AlertRow(wall_ms=WALL_MS + 10, level="info", code="x", text="later")
    made.apply(Pictured(snapshot(alerts=(SETTLED, DANGER, later))), 101.2)
    assert made.consequences() == [later]


def test_freshness_has_two_thresholds() -> None:
    assert [freshness(value) for value in (0.0, 3.0, 3.1, 6.0, 6.1, None)] == [
        Freshness.FRESH, Freshness.FRESH, Freshness.DIM, Freshness.DIM, Freshness.STALE, Freshness.DIM,
    ]  # fmt: skip


def test_selecting_what_is_not_there_selects_what_is() -> None:
    made = store(quarter())
    made.select(MarketId("nowhere:o1"))
    assert made.selected == quarter().id


def test_a_kill_is_under_way_until_daemon_or_guardian_has_spoken_whatever_is_ordered_since() -> None:
    made = store()
    made.sent(1, OperatorAction.KILL, 100.0)
    made.sent(2, OperatorAction.FLATTEN, 100.0)
    made.apply(Unanswered(1, "the link was lost before an answer came"), 100.0)
    assert made.unanswered_kill()
    made.apply(Guarded(1, "acting: kill"), 100.0)
    assert not made.unanswered_kill()
