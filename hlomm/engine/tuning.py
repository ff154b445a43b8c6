"""Settings of strategies that an operator changes while the engine runs.

The command is an input like any other: it is on record whether it is carried out or refused, and a replay does the
same. What is changed holds until the run ends; the next one begins as configured, and says so.
"""

from __future__ import annotations

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
    """`target` is `key=value`. The strategy decides anew, with the new value, in the turn that follows."""
    key, _, text = (part.strip() for part in item.target.partition("="))
    try:
        change = _weighed(state, key, text)
        strategy = _taker(strategies, key, change)
    except ConfigError as error:
        state.out.alert(AlertLevel.WARNING, REFUSED, f"{error} — {words}")
        return
    strategy.retune(change.name, change.value)
    state.digest.mix_text(change.name)
    state.digest.mix(*change.value.as_integer_ratio())
    if change.value == change.configured:
        state.tuned.pop(key, None)
        ending = "as configured again"
    else:
        state.tuned[key] = Tuned(change=change, who=item.actor, reason=item.reason, wall_ms=state.now.wall_ms)
        ending = f"until the daemon restarts, then {said(change.configured)} again"
    state.books_moved = True  # the next run is to know
    state.out.alert(AlertLevel.INFO, TUNED, f"{key} {said(change.was)} -> {said(change.value)}: {words}; {ending}")
    for market_id, market in state.markets.items():
        market.refused.clear()  # what the gate said of the old wish is no answer to the new one
        state.touch(market_id)


def _taker(strategies: Strategies, key: str, change: Retune) -> Tunable:
    strategy = strategies.get(change.strategy)
    if strategy is None:
        raise ConfigError(f"{key} is refused: strategy {change.strategy} is not enabled, so nothing would follow")
    if not isinstance(strategy, Tunable):
        raise ConfigError(f"{key} is refused: {change.strategy} takes no change while it runs")
    return strategy


def _weighed(state: State, key: str, text: str) -> Retune:
    if state.journal_failed:
        raise ConfigError(f"{key} is refused: the journal cannot be written, so nothing would prove it")
    if state.tuner is None:
        raise ConfigError(f"{key} is refused: this engine was built without its configuration")
    return state.tuner.weigh({name: tuned.change.value for name, tuned in state.tuned.items()}, key, text)


def ended(state: State, carried: tuple[tuple[str, str], ...]) -> None:
    """The last run had been tuned: this one has not."""
    if carried:
        what = ", ".join(f"{key} was {value}" for key, value in carried)
        state.out.alert(AlertLevel.WARNING, "tuning_ended", f"as configured again since the restart: {what}")


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
