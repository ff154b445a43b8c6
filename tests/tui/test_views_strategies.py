"""Rung: pure functions from the store to text. Strategies, settings, and what a change would do and did."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import AlertRow
from tests.tui.desk import AVELLANEDA, SETTINGS, TUNED, WHO, desk, knowing
from tests.tui.examples import NOW_S, WALL_MS, snapshot
from tests.tui.reading import store, text, tones
from tui.client import Answered, Heard, Lost, Pictured
from tui.state import Store
from tui.views import change, strategies
from tui.views.change import Plan
from tui.views.line import Line, Tone, plain


def strategy_lines(made: Store, width: int = 79) -> list[Line]:
    return strategies.row_lines(made, strategies.strategies(made), width)


def setting_rows(made: Store, width: int = 79, strategy: str = "avellaneda") -> list[str]:
    return [plain(each) for each in strategies.setting_lines(strategies.settings(made, strategy), width)]


def test_each_strategy_says_its_state_in_a_word_and_why_it_is_not_running() -> None:
    running, paused, stopped = (plain(each) for each in strategy_lines(knowing(), 119))
    assert running.split()[:5] == ["avellaneda", "running", "3", "4", "+37.42"]
    assert "BTC≥91905 01:00Z .4646/.5417" in running
    assert f"PAUSED         0      0      −1.19 pause by {WHO} (venue maintenance)" in paused
    assert "STOPPED        0      0       0.00 ZeroDivisionError: float division" in stopped


def test_states_differ_in_word_and_tone() -> None:
    lines = strategy_lines(knowing())
    words = ("running", "PAUSED", "STOPPED")
    assert [tones(line, word) for line, word in zip(lines, words, strict=True)] == [
        {Tone.GOOD}, {Tone.WARN}, {Tone.ALARM},
    ]  # fmt: skip


def test_a_strategy_in_full_lists_what_it_quotes() -> None:
    made = knowing()
    running, paused, _ = strategies.strategies(made)
    said = strategies.whole(made, running)
    assert said.startswith("avellaneda: running\n3 markets, 4 live orders, +37.42 in this run\n")
    assert "BTC≥91612 06:00Z .6016/.6186" in said.split("\n")
    assert strategies.whole(made, paused).endswith("\nno quote")


def test_settings_say_their_value_origin_and_bounds_those_that_can_be_tuned_first() -> None:
    rows = setting_rows(knowing(desk(tuned=())))
    assert [row.split()[0] for row in rows] == ["gamma", "max_half_spread", "kelly_fraction", "model", "classes"]
    assert rows[0].split(maxsplit=3) == ["gamma", "0.0004", "default.toml", "at least 0, below 1e+12"]
    assert rows[2].split(maxsplit=3) == ["kelly_fraction", "0.05", "--set", "above 0, at most 1"]
    assert rows[3].split() == ["model", "glft", "default.toml"]
    assert [row.split()[0] for row in setting_rows(knowing(), strategy="cross_venue")] == ["min_edge_bps", "realised"]
    assert setting_rows(knowing(), strategy="nobody") == []


def test_a_tuned_setting_shows_old_and_new_who_when_and_why() -> None:
    made = knowing()
    row = setting_rows(made, 139)[0]
    assert row.split()[:3] == ["gamma", "0.0005", "operator"]
    assert row.endswith(f"0.0004 → 0.0005 00:56:02Z {WHO} (wider tonight)")
    assert tones(strategies.setting_lines(strategies.settings(made, "avellaneda"), 79)[0], "operator") == {Tone.WARN}
    said = strategies.setting_text(strategies.settings(made, "avellaneda")[0])
    assert said.split("\n")[:2] == [f"{AVELLANEDA}.gamma = 0.0005", "configured 0.0004 by default.toml"]
    assert "A restart goes back to the configuration, and says so." in said


# -- a change


def tune(value: str = "") -> Plan:
    return Plan(OperatorAction.TUNE, "avellaneda", f"{AVELLANEDA}.gamma", value)


def asked(made: Store, plan: Plan, now_s: float = NOW_S) -> str:
    return text(change.question(made, plan, now_s, 70)).replace("\n", " ")


@pytest.mark.parametrize(
    ("value", "problem"),
    [("0.5", ""), ("-1", ""), ("1e-4", ""), ("", "type the new value first"), ("many", "'many' is not a number")],
)
def test_only_what_cannot_be_a_value_is_stopped_here(value: str, problem: str) -> None:
    """Bounds are the daemon's business: what it would say must not be guessed at."""
    assert change.wrong(value) == problem


def test_a_tune_is_asked_with_old_new_bounds_and_what_a_restart_does() -> None:
    assert f"{AVELLANEDA}.gamma is 0.0005" in asked(knowing(), tune())
    said = asked(knowing(), tune("0.001"))
    assert f"{AVELLANEDA}.gamma: 0.0005 → 0.001" in said
    assert "Bounds: at least 0, below 1e+12." in said
    assert "A restart goes back to 0.0004 (default.toml)." in said
    assert tune("0.001").target == f"{AVELLANEDA}.gamma=0.001"


def test_a_pause_and_its_end_say_what_follows() -> None:
    said = asked(knowing(), Plan(OperatorAction.PAUSE, "avellaneda"))
    assert "Cancels the quotes of avellaneda (4 orders)" in said
    said = asked(knowing(), Plan(OperatorAction.UNPAUSE, "cross_venue"))
    assert f"It is paused: pause by {WHO} (venue maintenance)." in said
    assert Plan(OperatorAction.UNPAUSE, "cross_venue").target == "cross_venue"


def test_without_a_link_and_while_halted_it_says_so_first_or_as_well() -> None:
    made = knowing()
    made.apply(Lost("closed"), NOW_S)
    assert asked(made, tune("1")).startswith("No link to the daemon")
    assert "It is halted: nothing is quoted until it is resumed." in asked(knowing(desk(state="halted")), tune("1"))
    assert "no longer has this setting" in asked(knowing(news=Heard(SETTINGS[:1])), tune("1"))


def outcome(made: Store, *alerts: AlertRow, tuned: tuple[object, ...] = ()) -> str:
    made.sent(1, OperatorAction.TUNE, NOW_S)
    later = tuple(msgspec.structs.replace(row, wall_ms=WALL_MS + 5) for row in alerts)
    picture = desk(alerts=later, tuned=tuned)
    made.apply(Answered(1, picture), NOW_S + 0.1)
    made.apply(Pictured(picture), NOW_S + 0.1)
    return text(change.outcome(made, tune("0.001"), NOW_S + 0.2, 70))


def test_what_became_of_it_is_said_first() -> None:
    done = AlertRow(wall_ms=0, level="info", code="tuned", text="gamma 0.0005 -> 0.001")
    said = outcome(knowing(), done, tuned=(msgspec.structs.replace(TUNED, value="0.001"),))
    assert said.startswith(f"{AVELLANEDA}.gamma is 0.001 now\ndaemon has taken it (0.10 s)")
    no = AlertRow(wall_ms=0, level="warning", code="tune_refused", text="gamma = 0.001 is refused: a number, above 1")
    said = outcome(knowing(), no)
    assert said.startswith("REFUSED: nothing was changed\n")
    assert "WARN gamma = 0.001 is refused: a number, above 1" in said


def test_an_unsent_change_is_owned_up_to() -> None:
    assert "Nothing was sent" in text(change.outcome(knowing(), tune("1"), NOW_S, 70))


# -- what is not there


@pytest.mark.parametrize("width", [20, 79, 119, 199])
def test_older_daemons_empty_ones_and_long_words_are_drawn(width: int) -> None:
    long = msgspec.structs.replace(desk().engine.strategies[1], id="s" * 60, why="no\x1b[31m\n[b]" * 60)
    for made in (Store.begin("/s", 0.0), store(snapshot()), knowing(desk(strategies=(long,)))):
        lines = [*strategy_lines(made, width), strategies.head(made, width),
                 *strategies.setting_lines(strategies.settings(made, "avellaneda"), width),
                 *(strategies.settings_head(name, "↓3", width) for name in ("s" * 60, None))]  # fmt: skip
        assert all(len(plain(each)) <= width for each in lines)
        assert text(lines).replace("\n", "").isprintable()


def test_a_tune_is_asked_and_reported_live_while_the_display_is_frozen() -> None:
    made = knowing()
    made.toggle_freeze(NOW_S)
    for value, said in (("0.002", "0.002 → 0.001"), ("0.001", "0.001 → 0.001")):
        made.apply(Pictured(desk(tuned=(msgspec.structs.replace(TUNED, value=value),))), NOW_S)
        assert said in text(change.question(made, tune("0.001"), NOW_S, 70))
    made.sent(1, OperatorAction.TUNE, NOW_S)
    assert f"{AVELLANEDA}.gamma is 0.001 now" in text(change.outcome(made, tune("0.001"), NOW_S, 70))
