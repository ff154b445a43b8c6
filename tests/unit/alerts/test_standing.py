"""What stands is said once, again after a while, and once that it is over; what comes too fast is counted."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.daemon.alerts.conditions import Found, Rule
from hlomm.daemon.alerts.pace import CODES_MAX, RESERVED, Pace, Repeats
from hlomm.daemon.alerts.standing import STANDING_MAX, Register
from hlomm.domain.outputs import AlertLevel

INFO, WARNING, CRITICAL = AlertLevel
REMIND_S = 600


def rule(**changes: object) -> Rule:
    values = {
        "code": "venue_silent", "level": WARNING, "next": "wait", "find": lambda _: iter(()), "hold_s": 3.0,
        "calm_s": 10.0, "over": "it is back",
    } | changes  # fmt: skip
    return Rule(**values)  # type: ignore[arg-type]


PLAIN = rule()


def story(
    course: dict[tuple[int, int], AlertLevel | None], one: Rule = PLAIN, until: int = 3_000
) -> list[tuple[int, str]]:
    """What is said at which second; a span of seconds has a level for as long as it is so."""
    register, told = Register(REMIND_S), []
    for second in range(until):
        level = next((level for (begin, end), level in course.items() if begin <= second < end), None)
        found = [] if level is None else [Found(what="x", subject="hl", level=level)]
        told += [(second, said.say.value) for said in register.see([(one, found)], float(second))]
    return told


@pytest.mark.parametrize(
    ("course", "said"),
    [
        ({}, []),
        ({(10, 12): WARNING}, []),
        ({(10, 60): WARNING}, [(13, "raised"), (70, "over")]),
        ({(10, 60): WARNING, (65, 90): WARNING}, [(13, "raised"), (100, "over")]),
        ({(10, 60): WARNING, (80, 90): WARNING}, [(13, "raised"), (70, "over"), (83, "raised"), (100, "over")]),
        ({(0, 1400): WARNING}, [(3, "raised"), (603, "again"), (1203, "again"), (1410, "over")]),
        ({(0, 20): WARNING, (20, 50): CRITICAL}, [(3, "raised"), (20, "raised"), (60, "over")]),
        ({(0, 2): WARNING, (2, 50): CRITICAL}, [(3, "raised"), (60, "over")]),
        ({(0, 20): CRITICAL, (20, 50): WARNING}, [(3, "raised"), (60, "over")]),
        ({(0, 20): WARNING, (25, 50): CRITICAL}, [(3, "raised"), (25, "raised"), (60, "over")]),
        # Flickering changes nothing about when a reminder is due.
        ({(n, n + 9): WARNING for n in range(0, 700, 10)}, [(3, "raised"), (603, "again"), (709, "over")]),
    ],
)  # fmt: skip
def test_stories(course: dict[tuple[int, int], AlertLevel | None], said: list[tuple[int, str]]) -> None:
    assert story(course) == said


def test_one_that_does_not_speak_of_its_end_and_one_that_is_said_once() -> None:
    assert story({(0, 700): INFO}, rule(over="", hold_s=0)) == [(0, "raised"), (600, "again")]
    assert story({(0, 700): INFO}, rule(seldom=0, hold_s=0)) == [(0, "raised"), (710, "over")]
    assert story({(0, 2_000): INFO}, rule(seldom=3, hold_s=0)) == [(0, "raised"), (1_800, "again"), (2_010, "over")]


def test_what_nobody_can_tell_of_stays_as_it_is() -> None:
    register, quick = Register(REMIND_S), rule(hold_s=0)
    assert len(register.see([(quick, [Found(what="x")])], 0.0)) == 1
    for second in range(1, 5_000):
        assert register.see([], float(second)) == []
    assert [said.say.value for said in register.see([(quick, [Found(what="x")])], 5_000.0)] == ["again"]
    assert register.see([(quick, [])], 5_001.0) == []
    assert [said.say.value for said in register.see([(quick, [])], 5_011.0)] == ["over"]


def test_each_subject_stands_by_itself_and_there_is_an_end_to_them() -> None:
    register = Register(REMIND_S)
    quick = rule(hold_s=0)
    found = [Found(what="x", subject=str(n)) for n in range(STANDING_MAX + 50)]
    assert len(register.see([(quick, found)], 0.0)) == STANDING_MAX
    assert len(register.raised()) == STANDING_MAX
    assert [said.say.value for said in register.see([(quick, found[1:])], 1.0)] == []
    assert [said.standing.found.subject for said in register.see([(quick, found[1:])], 20.0)] == ["0"]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([WARNING, CRITICAL])), max_size=200), st.integers(1, 40))
def test_however_it_comes_and_goes_it_is_raised_before_it_is_over_and_never_over_twice(
    course: list[tuple[bool, AlertLevel]], step: int
) -> None:
    register, last = Register(REMIND_S), "over"
    for place, (there, level) in enumerate(course):
        found = [Found(what="x", level=level)] if there else []
        for said in register.see([(PLAIN, found)], float(place * step)):
            assert (last, said.say.value) not in (("over", "over"), ("over", "again"))
            last = said.say.value
    for second in range(2):
        for said in register.see([(PLAIN, [])], 1e6 + 100 * second):
            last = said.say.value
    assert last == "over"
    assert not register.raised()


# -- how often


def test_a_minute_has_its_places_and_a_third_of_them_is_for_what_is_critical() -> None:
    pace = Pace(18)
    assert [pace.lets(WARNING, 0.0) for _ in range(10)].count(True) == 9 - 9 // RESERVED
    assert [pace.lets(CRITICAL, 0.0) for _ in range(5)].count(True) == 3
    for code in ("fee_differs",) * 4 + ("halted",) * 2:
        pace.hold(code)
    assert pace.held == Counter({"fee_differs": 4, "halted": 2})
    assert pace.release(1.0) == "", "no room to say so yet"
    assert pace.release(30.0) == "6 more held back: 4 fee_differs, 2 halted"
    assert pace.release(120.0) == ""
    assert pace.lets(WARNING, 120.0)


@given(st.lists(st.floats(0, 300), max_size=300).map(sorted), st.integers(3, 60))
def test_no_minute_ever_has_more_than_its_places(times: list[float], per_minute: int) -> None:
    pace = Pace(per_minute)
    sent = [at for at in times if pace.lets(CRITICAL, at)]
    assert all(sum(1 for at in sent if begin <= at < begin + 60) <= per_minute for begin in sent)


def test_a_repeated_alert_is_counted_and_the_count_told() -> None:
    repeats = Repeats(300)
    assert [repeats.first("foreign_fill", "", at) for at in (0, 10, 299, 300, 310, 700)] == [0, None, None, 2, None, 1]
    assert repeats.first("foreign_fill", "another", 700) == 0
    for n in range(CODES_MAX + 10):
        repeats.first(f"code{n}", "", 1_000)
    assert repeats.first("foreign_fill", "", 1_000) == 0, "what is not remembered is new"
