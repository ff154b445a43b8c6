"""When a guardian acts: the table and the judgement. Rung: pure."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import IllegalTransition
from hlomm.guardian.policy import ATTENDING, TRANSITIONS, Event, Sight, advance, judge
from hlomm.link.guardian import Phase
from hlomm.settings.load import load

RULES = load("sim", (), (), environ={}).settings.guardian
FROZEN_S = 15.0
FINE = Sight(phase=Phase.WATCHING, alive=True, hung_up=False, owning=True, silent_s=0.4)


def judged(**fields: object) -> Event | None:
    found = judge(attrs.evolve(FINE, **fields), RULES, FROZEN_S)
    return None if found is None else found[0]


def test_nothing_leads_from_acting_back_to_watching():
    for (phase, event), after in TRANSITIONS.items():
        if phase not in ATTENDING:
            assert after not in ATTENDING, f"{phase} {event}"


@pytest.mark.parametrize("phase", list(Phase))
def test_a_kill_is_understood_in_every_phase(phase):
    after = advance(phase, Event.ASKED)
    assert after is Phase.ACTING or phase in {Phase.DONE, Phase.GAVE_UP, Phase.STOOD_DOWN}


def test_a_pair_outside_the_table_is_an_error():
    with pytest.raises(IllegalTransition):
        advance(Phase.DONE, Event.GOODBYE)


@given(
    st.builds(
        Sight, phase=st.sampled_from(list(Phase)), alive=st.booleans(), hung_up=st.booleans(), owning=st.booleans(),
        silent_s=st.floats(0, 100), overdue_s=st.floats(0, 100), frozen_s=st.none() | st.floats(0, 100),
    )
)  # fmt: skip
def test_every_judgement_is_in_the_table(sight):
    found = judge(sight, RULES, FROZEN_S)
    if found is not None:
        advance(sight.phase, found[0])


@given(st.floats(0, RULES.warn_s), st.floats(0, RULES.warn_s))
def test_a_daemon_in_time_is_left_alone(silent_s, overdue_s):
    assert judged(silent_s=silent_s, overdue_s=overdue_s) is None


@pytest.mark.parametrize(
    ("seen", "event"),
    [
        ({"silent_s": 1.6}, Event.LATE),
        ({"silent_s": 1.6, "phase": Phase.WARNED}, None),
        ({"silent_s": 0.1, "phase": Phase.WARNED}, Event.IN_TIME),
        ({"silent_s": 3.1}, Event.HUNG),
        ({"silent_s": 3.1, "phase": Phase.WARNED}, Event.HUNG),
        ({"overdue_s": 2.0}, Event.LATE),
        ({"overdue_s": 3.1}, Event.HUNG),
        ({"alive": False}, Event.DEAD),
        ({"alive": False, "owning": False}, Event.DEAD),  # it was registered: what it left is not known
        ({"hung_up": True}, Event.DEAD),
        # A frozen engine keeps no deadlines: the daemon sweeps by itself and gets the time for it.
        ({"frozen_s": 5.0, "overdue_s": 5.0}, Event.LATE),
        ({"frozen_s": 15.1, "overdue_s": 15.1}, Event.HUNG),
        # Before anybody registered only what an earlier run left counts.
        ({"phase": Phase.WAITING, "owning": False, "silent_s": 1000.0}, None),
        ({"phase": Phase.WAITING, "owning": True, "silent_s": 29.0}, None),
        ({"phase": Phase.WAITING, "owning": True, "silent_s": 31.0}, Event.HUNG),
        ({"phase": Phase.WAITING, "owning": False, "alive": False}, Event.VANISHED),
        ({"phase": Phase.WAITING, "owning": True, "alive": False}, Event.DEAD),
        ({"phase": Phase.ACTING, "alive": False, "silent_s": 100.0}, None),
        ({"phase": Phase.DONE, "alive": False}, None),
    ],
)
def test_what_is_seen_and_what_it_means(seen, event):
    assert judged(**seen) is event
