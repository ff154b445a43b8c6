"""Settings of strategies that an operator changes while the engine runs.

The command is an input like any other: it is on record whether it is carried out or refused, and a replay does the
same. What is changed holds until the run ends; the next one begins as configured, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hlomm.domain.desk_rows import TunedRow
from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import OperatorCommand
from hlomm.domain.outputs import AlertLevel
from hlomm.engine.state import State
from hlomm.engine.tunables import Retune, Tuned, said
from hlomm.strategy.base import Strategies, Tunable

TUNED: Final = "tuned"
REFUSED: Final = "tune_refused"


def tune(state: State, item: OperatorCommand, strategies: Strategies, words: str) -> None:
    """`target` is `key=value`, or several with semicolons between them: all of them or none.

    The strategies decide anew, with the new values, in the turn that follows.
    """
    try:
        changes = _weighed(state, _wanted(item.target))
        takers = {key: _taker(strategies, key, change) for key, change in changes.items()}
    except ConfigError as error:
        state.out.alert(AlertLevel.WARNING, REFUSED, f"{error} — {words}")
        return
    for key, change in changes.items():
        takers[key].retune(change.name, change.value)
        state.digest.mix_text(change.name)
        state.digest.mix(*change.value.as_integer_ratio())
        if change.value == change.configured:
            state.tuned.pop(key, None)
        else:
            state.tuned[key] = Tuned(change=change, who=item.actor, reason=item.reason, wall_ms=state.now.wall_ms)
    state.books_moved = True  # the next run is to know
    state.out.alert(AlertLevel.INFO, TUNED, f"{_said(changes)}: {words}; {_until(changes)}")
    for market_id, market in state.markets.items():
        market.refused.clear()  # what the gate said of the old wish is no answer to the new one
        state.touch(market_id)


def _said(changes: Mapping[str, Retune]) -> str:
    return ", ".join(f"{key} {said(change.was)} -> {said(change.value)}" for key, change in changes.items())


def _until(changes: Mapping[str, Retune]) -> str:
    """How long it holds. A restart may read a file that says the same by then."""
    if all(change.value == change.configured for change in changes.values()):
        return "as configured again"
    return "until the daemon restarts and reads its configuration"


def _wanted(target: str) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for assignment in target.split(";"):
        key, _, text = (part.strip() for part in assignment.partition("="))
        if key in wanted:
            raise ConfigError(f"{key} is refused: it is given twice")
        wanted[key] = text
    return wanted


def _taker(strategies: Strategies, key: str, change: Retune) -> Tunable:
    strategy = strategies.get(change.strategy)
    if strategy is None:
        raise ConfigError(f"{key} is refused: strategy {change.strategy} is not enabled, so nothing would follow")
    if not isinstance(strategy, Tunable):
        raise ConfigError(f"{key} is refused: {change.strategy} takes no change while it runs")
    return strategy


def _weighed(state: State, wanted: Mapping[str, str]) -> Mapping[str, Retune]:
    named = ", ".join(wanted)
    if state.journal_failed:
        raise ConfigError(f"{named} is refused: the journal cannot be written, so nothing would prove it")
    if state.tuner is None:
        raise ConfigError(f"{named} is refused: this engine was built without its configuration")
    return state.tuner.weigh({key: tuned.change.value for key, tuned in state.tuned.items()}, wanted)


def ended(state: State, carried: tuple[tuple[str, str], ...]) -> None:
    """The last run had been tuned: this one is as configured, which may be the same by now."""
    gone = [f"{key} was {value}" for key, value in carried if not _configured(state, key, value)]
    if gone:
        what = ", ".join(gone)
        state.out.alert(AlertLevel.WARNING, "tuning_ended", f"as configured again since the restart: {what}")


def _configured(state: State, key: str, text: str) -> bool:
    if state.tuner is None:
        return False
    try:
        change = state.tuner.weigh({}, {key: text})[key]
    except ConfigError:  # a bound moved: it cannot be what is configured
        return False
    return change.value == change.configured


def carried(state: State) -> tuple[tuple[str, str], ...]:
    """What the next run is told."""
    return tuple((key, said(tuned.change.value)) for key, tuned in state.tuned.items())


def rows(state: State) -> tuple[TunedRow, ...]:
    return tuple(
        TunedRow(
            key=key, value=said(tuned.change.value), was=said(tuned.change.was),
            configured=said(tuned.change.configured), who=tuned.who, reason=tuned.reason, wall_ms=tuned.wall_ms,
        )
        for key, tuned in state.tuned.items()
    )  # fmt: skip
