"""Every rule: what it finds in which world, and that it finds nothing in a sound one."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from hlomm.daemon.alerts.conditions import COVERED, RULES, Found, KeyLife, Rule, World, look
from hlomm.daemon.alerts.looks import FAILED, RENEWED, Deadmen, Farewell, Outside
from hlomm.daemon.alerts.message import Health, one_line
from hlomm.domain.desk_rows import StrategyRow
from hlomm.domain.ids import KALSHI, VenueId
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import GuardianRow, Snapshot
from hlomm.engine.ladder import Rung
from hlomm.link.guardian import Phase, Told
from hlomm.settings.load import load
from tests.support.canaries import of_text
from tests.tui.examples import VENUE, cash, snapshot


def found_in(there: World) -> list[tuple[Rule, Found]]:
    return [(rule, one) for rule, found in look(there) for one in found]


RULES_OF = load("sim", environ={}).settings.alerts
UP = GuardianRow(state="up", pid=1, answer_age_s=0.1)
WALL_MS = 1_795_222_627_000
DAY_MS = 86_400_000
GIB = 1 << 30
HL = VenueId("hyperliquid")
PHASES = {
    Phase.WARNED: "guardian_warned", Phase.ACTING: "guardian_acting", Phase.DONE: "guardian_done",
    Phase.GAVE_UP: "guardian_gave_up",
}  # fmt: skip


def daemon(**changes: Any) -> Snapshot:
    """One that is sound, but for changes of its report, its only venue (`venue`) or its guardian."""
    venue = msgspec.structs.replace(VENUE, **changes.pop("venue", {}))
    guardian = changes.pop("guardian", UP)
    return msgspec.structs.replace(snapshot(venues=(venue,), **changes), guardian=guardian)


def told(phase: Phase) -> Told:
    return Told(id=1, phase=phase, reason="beats are late", daemon_pid=1, beat_age_s=2.0, did=("cancelled 3 orders",))


def world(**changes: Any) -> World:
    sound = World(
        rules=RULES_OF, wall_ms=WALL_MS, snapshot=daemon(), guardian=told(Phase.WATCHING), owned=True,
        disk_free=50 * GIB, services=(Health(number=1, scheme="discord"),),
    )  # fmt: skip
    return attrs.evolve(sound, **changes)


def gone(**changes: Any) -> World:
    why = "no daemon answers at /s — start one with `hlomm run`"
    return world(**{"snapshot": None, "error": why, "silent_s": 6.0} | changes)


def key(days: float) -> tuple[KeyLife, ...]:
    return (KeyLife("kalshi engine on mainnet", "hlomm keys rotate kalshi", WALL_MS + int(days * DAY_MS)),)


def beginning(*, state: str, uptime_s: float, session: str) -> Snapshot:
    return msgspec.structs.replace(daemon(state=state, venue={"session": session}), uptime_s=uptime_s)


STRATEGY = StrategyRow(id="avellaneda", state="stopped", why="ValueError")
C, W, I = AlertLevel.CRITICAL, AlertLevel.WARNING, AlertLevel.INFO
CASES: list[tuple[str, World, list[tuple[str, AlertLevel]], str]] = [
    ("sound", world(), [], ""),
    ("one that is starting", world(snapshot=daemon(state=HaltState.STARTING.value)), [], ""),
    ("silent for a moment", gone(silent_s=4.9), [], ""),
    ("gone", gone(), [("daemon_gone", C)], "no daemon answers at /s); its guardian (watching) answers"),
    ("hung, guardian at work", gone(guardian=told(Phase.ACTING)), [("daemon_gone", C), ("guardian_acting", C)], ""),
    ("never seen", gone(met=False), [("daemon_absent", W)], "no daemon has answered since"),
    ("never seen, left unattended", gone(met=False, guardian=None), [("daemon_absent", W), ("unattended", C)], ""),
    ("stopped", gone(clean=True, owned=False, guardian=None), [("daemon_stopped", I)], "in good order"),
    ("unattended", gone(guardian=None), [("daemon_gone", C), ("unattended", C)], "its orders may rest"),
    ("halted", world(snapshot=daemon(state="halted", reason="drawdown")), [("halted", C)], "HALTED: drawdown"),
    ("flattening", world(snapshot=daemon(state="flattening", reason="")), [("halted", C)], "no reason is known"),
    ("stopping", world(snapshot=daemon(state="stopping", reason="told to")), [], ""),
    ("no guardian", world(snapshot=daemon(guardian=GuardianRow(state="down", reason="it died"))),
     [("guardian_down", C)], "(it died): nothing is quoted"),
    ("guardian not wanted", world(snapshot=daemon(guardian=GuardianRow())), [], ""),
    *((phase.value, world(guardian=told(phase)), [(code, W if phase in (Phase.WARNED, Phase.DONE) else C)],
       "beats are late") for phase, code in PHASES.items()),
    ("quiet", world(snapshot=daemon(venue={"data_age_s": 3.0})), [], ""),
    ("silent", world(snapshot=daemon(venue={"data_age_s": 3.1})), [("venue_silent", W)], "nothing heard for 3.1 s"),
    ("never heard", world(snapshot=daemon(venue={"data_age_s": None})), [], ""),
    ("down", world(snapshot=daemon(venue={"session": "rest_only"})), [("venue_silent", W)], "session rest_only"),
    ("starting", world(snapshot=beginning(state="starting", uptime_s=5.0, session="connecting")), [], ""),
    ("starting for long", world(snapshot=beginning(state="starting", uptime_s=61.0, session="connecting")),
     [("venue_silent", W)], "session connecting"),
    ("fuse", world(snapshot=daemon(venue={"fuse": "tripped: orders 61 > 60"})), [("fuse_tripped", C)], "61 > 60"),
    ("fuse whole", world(snapshot=daemon(venue={"fuse": "ok"})), [], ""),
    ("dead-man twice", world(deadman_failures={HL: 2}), [], ""),
    ("dead-man", world(deadman_failures={HL: 3, KALSHI: 0}), [("deadman_failing", W)], "3 times in a row"),
    ("key", world(keys=key(13.9)), [("key_expiring", W)], "then hlomm keys rotate kalshi"),
    ("key of later", world(keys=key(14.1)), [], ""),
    ("key of yesterday", world(keys=key(-1)), [("key_expiring", C)], "expired on 2026-11-20"),
    ("runway", world(snapshot=daemon(venue={"budget_runway_min": 119})), [("budget_runway", W)], "380 of 10204 used"),
    ("runway long", world(snapshot=daemon(venue={"budget_runway_min": 120})), [], ""),
    ("disk", world(disk_free=GIB - 1), [("disk_low", W)], "1.00 GiB free"),
    ("disk full", world(disk_free=GIB // 11), [("disk_low", C)], "halts trading"),
    ("disk unknown", world(disk_free=None), [], ""),
    ("drawdown", world(snapshot=daemon(drawdown=cash("120.01"))), [("drawdown", W)], "drawdown 120.01 of 150.00"),
    ("drawdown at its mark", world(snapshot=daemon(drawdown=cash("120"))), [], ""),
    ("no limit", world(snapshot=daemon(drawdown=cash("120"), drawdown_limit=cash("0"))), [], ""),
    ("restrained", world(snapshot=daemon(ladder=Rung.CRITICAL.value, ladder_reasons=("quotes pulled",))),
     [("restrained", W)], "quotes pulled"),
    ("careful", world(snapshot=daemon(ladder=Rung.WARNING.value, ladder_reasons=("gross",))), [], ""),
    ("strategy", world(snapshot=daemon(strategies=(STRATEGY,))), [("strategy_stopped", W)], "stopped (ValueError)"),
    ("service", world(services=(Health(number=2, scheme="slack", why="HTTP 500: x", failing_s=1, waiting=4),)),
     [("alerts_undelivered", W)], "service 2 (slack) fails: HTTP 500: x; 4 messages wait"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "expected", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_found(there: World, expected: list[tuple[str, AlertLevel]], said: str) -> None:
    found = list(found_in(there))
    assert [(rule.code, one.level or rule.level) for rule, one in found] == expected
    assert not found or said in " / ".join(one.what for _, one in found)
    for rule, one in found:
        assert one_line(one.what) == one.what, "one line as it is"
        assert rule.next


def test_every_rule_is_in_the_table_and_every_code_stands_once() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes))
    assert {code for _, _, expected, _ in CASES for code, _ in expected} == set(codes)


def test_what_a_rule_covers_is_told_by_it() -> None:
    """Each alert that is not sent besides has a world in which a rule speaks."""
    assert {"danger", "session_lost", "guardian_down", "guardian_up", "fuse_tripped", "strategy_fault"} == COVERED


def test_two_venues_are_two_conditions() -> None:
    other = msgspec.structs.replace(VENUE, venue=KALSHI, session="down")
    both = msgspec.structs.replace(daemon(venue={"data_age_s": 9.0}), venues=(VENUE, other))
    both = msgspec.structs.replace(both, venues=(*both.venues, daemon(venue={"data_age_s": 9.0}).venues[0]))
    assert [one.subject for _, one in found_in(world(snapshot=both))] == [KALSHI, HL]


def test_a_daemon_that_says_nothing_has_not_ended_what_it_said() -> None:
    """Nor one that is starting or stopping: HALTED is over when it trades, not when it is gone."""
    of_daemon = {"halted", "guardian_down", "venue_silent", "fuse_tripped", "deadman_failing", "budget_runway",
                 "drawdown", "restrained", "strategy_stopped"}  # fmt: skip
    of_guardian = set(PHASES.values())
    told_by = {rule.code for rule, _ in look(gone(guardian=None))}
    assert {rule.code for rule in RULES} - told_by == of_daemon | of_guardian
    for state in ("starting", "stopping", "stopped"):
        there = {rule.code for rule, _ in look(world(snapshot=beginning(state=state, uptime_s=5.0, session="live")))}
        assert of_daemon - there == of_daemon - {"drawdown"}, state
    assert {rule.code for rule, _ in look(world())} == {rule.code for rule in RULES}


# -- failures of a dead-man


def counted(**counters: int) -> Snapshot:
    return daemon(venue={"counters": counters})


def test_failures_in_a_row_begin_anew_with_every_success() -> None:
    deadmen = Deadmen()
    steps = [
        ({"deadman_armed": 1}, 0), ({"deadman_armed": 1, "deadman_unanswered": 1}, 1),
        ({"deadman_armed": 1, "deadman_unanswered": 3}, 3), ({"deadman_armed": 1, "deadman_unanswered": 3}, 3),
        ({"deadman_armed": 1, "deadman_renewed": 1, "deadman_unanswered": 4}, 0),
        ({"deadman_armed": 1, "deadman_renewed": 1, "deadman_unanswered": 5}, 1),
        ({"deadman_unanswered": 0}, 0), ({"heartbeats_unanswered": 2}, 2), ({"renewals_failed": 4}, 4),
    ]  # fmt: skip
    for counters, expected in steps:
        assert deadmen.see(counted(**counters)) == {HL: expected}, counters


def test_the_counters_are_those_that_sessions_count() -> None:
    """By name, as they stand in the sources: another name there would silence the rule."""
    from tests.arch.scanning import files_of, source_of

    sources = "".join(source_of(path) for path in files_of("hlomm/venues"))
    for name in FAILED | RENEWED:
        assert f'"{name}"' in sources, name


# -- goodbyes


def outside(*, owned: bool, phase: Phase | None = Phase.WATCHING) -> Outside:
    guardian = None if phase is None else told(phase)
    return Outside(owned=owned, guardian=guardian, disk_free=None, keys=())


def test_a_goodbye_is_told_from_a_death_that_a_guardian_put_in_order() -> None:
    here, away = daemon(), outside(owned=False, phase=None)
    stopped = Farewell()
    assert not stopped.see(here, outside(owned=True))
    assert not stopped.see(None, outside(owned=True)), "its goodbye is on its way"
    assert stopped.see(None, outside(owned=False, phase=Phase.STOOD_DOWN))
    assert stopped.see(None, away)
    died = Farewell()
    died.see(here, outside(owned=True))
    assert not died.see(None, outside(owned=True, phase=Phase.ACTING))
    assert not died.see(None, outside(owned=False, phase=Phase.DONE))
    assert not died.see(None, away), "for as long as nobody is there"
    assert not died.see(here, outside(owned=True))
    assert died.see(None, away), "the next one is another one"


def test_without_a_guardian_only_a_daemon_that_was_stopping_has_said_goodbye() -> None:
    lonely = GuardianRow()
    for state, clean in (("running", False), ("stopping", True), ("stopped", True), ("halted", False)):
        farewell = Farewell()
        farewell.see(daemon(guardian=lonely, state=state), outside(owned=False, phase=None))
        assert farewell.see(None, outside(owned=False, phase=None)) is clean, state


def test_nothing_secret_is_known_to_a_rule() -> None:
    """A world has no URL in it: a rule could not tell one if it wanted to."""
    found = Found(what=str(world()))
    assert not list(of_text("url", "://").found_in(found.what.encode(), found.what.lower().encode()))
