"""Operator commands as the record tells them: what was asked, and what became of it."""

from __future__ import annotations

import pytest

from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.outputs import Alert, AlertLevel, Output
from hlomm.domain.times import Now
from hlomm.journal.codec import InputRecord, TurnRecord
from hlomm.journal.commands import Commands, Told

NOW = Now(1, 1_795_000_000_000_000_000)


def told(action: OperatorAction, *outputs: Output, target: str = "t") -> Told:
    commands = Commands(state="running")
    commands.feed(7, InputRecord(1, NOW, OperatorCommand(action=action, actor="uid 1000 from 10.0.0.7", target=target)))
    found = commands.feed(7, TurnRecord(2, NOW, 0, tuple(outputs)))
    assert found is not None
    return found


def alert(level: AlertLevel, text: str) -> Alert:
    return Alert(level=level, code="c", text=text)


def test_a_tune_is_answered_by_its_own_words_whatever_else_its_turn_said() -> None:
    """Once tuned, strategies decide anew in the same turn: one of them may complain of something else."""
    taken = told(
        OperatorAction.TUNE, alert(AlertLevel.INFO, "gamma 1 -> 2"), alert(AlertLevel.CRITICAL, "something else"),
        target="strategy.avellaneda.gamma=2",
    )  # fmt: skip
    assert (taken.action, taken.who, taken.target) == ("tune", "uid 1000 from 10.0.0.7", "strategy.avellaneda.gamma=2")
    assert taken.result == "running: gamma 1 -> 2"
    refused = told(OperatorAction.TUNE, alert(AlertLevel.WARNING, "gamma = -1 is refused"), alert(AlertLevel.INFO, "x"))
    assert refused.result == "refused, still running: gamma = -1 is refused"


@pytest.mark.parametrize("action", [OperatorAction.PAUSE, OperatorAction.RESUME])
def test_other_commands_are_answered_by_the_last_word_of_their_turn(action: OperatorAction) -> None:
    result = told(action, alert(AlertLevel.INFO, "first"), alert(AlertLevel.WARNING, "last")).result
    assert result == "refused, still running: last"
