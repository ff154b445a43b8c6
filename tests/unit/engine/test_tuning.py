"""Settings changed while the engine runs: what follows at once, what is refused, and what a restart makes of it."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.carried import Carried
from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import BookSnapshot, Booted, JournalFailed, OperatorAction, OperatorCommand, SessionUp
from hlomm.domain.outputs import AlertLevel, HaltState, Output
from hlomm.domain.units import SCALE, Px
from hlomm.engine.report import report
from hlomm.settings.load import engine_settings
from hlomm.settings.tunable import value_of
from tests.support.rig import Rig, alerts, amended, placed, risky
from tests.support.storm import Storm
from tests.support.values import EPOCH_MS, lots

MARKET = outcome_market(HYPERLIQUID, 15)
HALF = "strategy.avellaneda.min_half_spread"


def quoting(*sets: str) -> Storm:
    """The real strategy over a two-sided book."""
    storm = Storm(*sets).boot()
    book(storm)
    assert storm.engine.state.orders.live_count == 2
    return storm


def book(storm: Storm) -> list[Output]:
    bids = tuple((Px((49 - n) * SCALE // 100), lots(300)) for n in range(5))
    asks = tuple((Px((51 + n) * SCALE // 100), lots(300)) for n in range(5))
    storm.feed(BookSnapshot(MARKET, bids, asks, storm.ms))
    return storm.record[-1][2]


def tune(storm: Storm, target: str, reason: str = "") -> list[Output]:
    storm.feed(
        OperatorCommand(action=OperatorAction.TUNE, actor="uid 1000 from 10.0.0.7", reason=reason, target=target)
    )
    return storm.record[-1][2]


def restarted(storm: Storm, books: Carried) -> Storm:
    storm.feed(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config=storm.config, halted=None, account=books.account,
            carried=books,
        )
    )  # fmt: skip
    return storm


def half(storm: Storm) -> float:
    desired = storm.engine.state.markets[MARKET].desired
    assert desired is not None
    return float(dict(desired.facts)["half"])


def test_the_strategy_decides_with_the_new_value_in_the_same_turn() -> None:
    storm = quoting()
    before = half(storm)
    outputs = tune(storm, f"{HALF} = 0.06", "news at 14:00")
    assert before < 0.06 <= half(storm)
    (said,) = alerts(outputs, "tuned")
    assert said.level is AlertLevel.INFO
    assert said.text == (
        f"{HALF} 0.0025 -> 0.06: tune by uid 1000 from 10.0.0.7 (news at 14:00); "
        "until the daemon restarts and reads its configuration"
    )
    (row,) = report(storm.engine.state).tuned
    assert (row.key, row.value, row.was, row.configured) == (HALF, "0.06", "0.0025", "0.0025")
    assert (row.who, row.reason, row.wall_ms) == ("uid 1000 from 10.0.0.7", "news at 14:00", storm.ms)


def test_a_second_change_says_what_it_was_and_the_way_back_leaves_no_trace() -> None:
    storm = quoting()
    tune(storm, f"{HALF}=0.06")
    tune(storm, f"{HALF}=0.04")
    (row,) = report(storm.engine.state).tuned
    assert (row.value, row.was, row.configured) == ("0.04", "0.06", "0.0025")
    outputs = tune(storm, f"{HALF}=0.0025")
    assert alerts(outputs, "tuned")[0].text.endswith("; as configured again")
    assert report(storm.engine.state).tuned == ()


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (f"{HALF}=-1", f"{HALF} = -1 is refused: a number, at least 0, below 1e+12"),
        (
            "strategy.avellaneda.max_half_spread=1",
            "strategy.avellaneda.max_half_spread = 1 is refused: a number, above 0",
        ),
        ("strategy.avellaneda.max_size=1e6", "above limits.max_position"),
        ("limits.max_position=1", "limits.max_position cannot be tuned"),
        ("strategy.complete_set.min_edge=0.5", "strategy complete_set is not enabled"),
        ("rubbish", "rubbish cannot be tuned"),
        ("", "cannot be tuned"),
    ],
)
def test_what_is_refused_changes_nothing_and_says_why(target: str, what: str) -> None:
    storm = quoting()
    before, resting = half(storm), storm.engine.state.orders.live_count
    outputs = tune(storm, target)
    (said,) = alerts(outputs)
    assert (said.level, said.code) == (AlertLevel.WARNING, "tune_refused")
    assert what in said.text
    assert "tune by uid 1000" in said.text
    assert not risky(outputs)
    assert (half(storm), storm.engine.state.orders.live_count, report(storm.engine.state).tuned) == (
        before,
        resting,
        (),
    )


def test_several_are_one_change_weighed_together() -> None:
    """The first alone would contradict what is in force."""
    storm, least, most = quoting(), "strategy.avellaneda.min_half_spread", "strategy.avellaneda.max_half_spread"
    configured = {key: value_of(engine_settings(storm.config), key) for key in (least, most)}
    assert configured[most] < 0.13, "or the first would pass by itself"
    outputs = tune(storm, f"{least}=0.13; {most}=0.14")
    (said,) = alerts(outputs, "tuned")
    assert said.text.startswith(f"{least} {configured[least]} -> 0.13, {most} {configured[most]} -> 0.14: tune by uid")
    assert [row.value for row in report(storm.engine.state).tuned] == ["0.13", "0.14"]


@pytest.mark.parametrize(
    ("second", "what"),
    [
        ("strategy.avellaneda.gamma=-1", "strategy.avellaneda.gamma = -1 is refused"),
        ("limits.max_position=1", "limits.max_position cannot be tuned"),
        ("strategy.complete_set.min_edge=0.5", "strategy complete_set is not enabled"),
        (f"{HALF}=0.05", f"{HALF} is refused: it is given twice"),
        ("", "cannot be tuned"),
    ],
)
def test_one_of_several_that_is_refused_keeps_all_of_them_out(second: str, what: str) -> None:
    storm = quoting()
    before = half(storm)
    (said,) = alerts(tune(storm, f"{HALF}=0.06;{second}"))
    assert (said.level, said.code) == (AlertLevel.WARNING, "tune_refused")
    assert what in said.text
    assert (half(storm), report(storm.engine.state).tuned) == (before, ())


def test_one_that_comes_while_halted_is_taken_and_sends_nothing_until_the_resume() -> None:
    storm = quoting()
    storm.feed(OperatorCommand(action=OperatorAction.KILL, actor="uid 1000"))
    for _ in range(40):
        storm.wait(1)
        for flight in list(storm.venue.in_flight):
            storm.venue.arrive(flight, storm.now.mono_ns, whim=0)
        for letter in storm.venue.undelivered():
            letter.told += 1
            storm.feed(letter.item)
    assert storm.engine.state.halt is HaltState.HALTED
    outputs = tune(storm, f"{HALF}=0.06")
    assert len(alerts(outputs, "tuned")) == 1
    assert not risky(outputs)
    assert not placed(book(storm))
    storm.feed(OperatorCommand(action=OperatorAction.RESUME, actor="uid 1000"))
    assert storm.engine.state.halt is HaltState.RUNNING
    book(storm)
    assert half(storm) >= 0.06


def test_without_a_journal_nothing_is_changed_for_nothing_would_prove_it() -> None:
    storm = quoting()
    storm.feed(JournalFailed("disk full"))
    (said,) = alerts(tune(storm, f"{HALF}=0.06"), "tune_refused")
    assert "the journal cannot be written" in said.text
    assert report(storm.engine.state).tuned == ()


def test_a_strategy_that_takes_no_changes_and_an_engine_without_configuration_refuse() -> None:
    rig = Rig()
    rig.want(bid=("0.52", 100))
    (said,) = alerts(rig.command(OperatorAction.TUNE, target="strategy.puppet.gamma=1"), "tune_refused")
    assert "built without its configuration" in said.text


def test_the_next_run_is_as_configured_and_says_so() -> None:
    storm = quoting()
    storm.engine.checkpoint()
    tune(storm, f"{HALF}=0.06")
    books = storm.engine.checkpoint()
    assert books is not None, "a change is worth a checkpoint of its own"
    assert books.tuned == ((HALF, "0.06"),)
    assert not alerts(restarted(Storm(f"{HALF}=0.06"), books).record[-1][2], "tuning_ended"), "the file says it now"
    again = restarted(Storm(), books)
    (said,) = alerts(again.record[-1][2], "tuning_ended")
    assert said.text == f"as configured again since the restart: {HALF} was 0.06"
    again.feed(SessionUp(HYPERLIQUID))
    assert report(again.engine.state).tuned == ()
    later = again.engine.checkpoint()
    assert later is not None
    assert later.tuned == (), "it is said once"


def test_the_digest_tells_two_values_apart() -> None:
    storms = [quoting() for _ in range(2)]
    assert storms[0].engine.digest() == storms[1].engine.digest()
    for storm, value in zip(storms, ("0.0025001", "0.0025002"), strict=True):
        storm.feed(OperatorCommand(action=OperatorAction.PAUSE, actor="uid 1000", target="avellaneda"))
        tune(storm, f"{HALF}={value}")
    assert storms[0].engine.digest() != storms[1].engine.digest(), "though nothing was decided with either"


def test_old_books_know_no_changes() -> None:
    books = quoting().engine.checkpoint()
    assert books is not None
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(books))[:-2]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=type(books)).tuned == ()


def test_quotes_follow_a_smaller_size() -> None:
    storm = quoting()
    storm.wait(1)
    for flight in list(storm.venue.in_flight):
        storm.venue.arrive(flight, storm.now.mono_ns, whim=0)
    for letter in storm.venue.undelivered():
        letter.told += 1
        storm.feed(letter.item)
    sizes = {order.leaves for order in storm.engine.state.orders.live()}
    outputs = tune(storm, "strategy.avellaneda.max_size=11")
    wished = storm.engine.state.markets[MARKET].desired
    assert wished is not None
    assert wished.bid is not None
    assert wished.bid.qty < min(sizes)
    assert amended(outputs) or not placed(outputs)
