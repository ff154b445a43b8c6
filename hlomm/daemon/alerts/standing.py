"""Which conditions stand, so that each is said once, again after a while, and once that it is over.

A condition must hold before it is said, and be over for a while before that is believed: what flickers is one
condition. What has become worse is said at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final

import attrs

from hlomm.daemon.alerts.conditions import Found, Rule
from hlomm.domain.faults import IllegalTransition
from hlomm.domain.outputs import AlertLevel

STANDING_MAX: Final = 200
"""Conditions at once; more of them say nothing that these do not."""
_HEIGHT: Final = {level: height for height, level in enumerate(AlertLevel)}


class Stage(StrEnum):
    CLEAR = "clear"
    HOLDING = "holding"
    """It is so, and may pass."""
    RAISED = "raised"
    """It has been said."""
    ENDING = "ending"
    """It is no longer so, and may come back."""


class Event(StrEnum):
    PRESENT = "present"
    ABSENT = "absent"
    WORSE = "worse"
    """Present, on a higher level than was said."""
    DUE = "due"
    """It has been in this stage for as long as matters there."""


class Say(StrEnum):
    NOTHING = "nothing"
    RAISED = "raised"
    AGAIN = "again"
    OVER = "over"


_G = Stage
_E = Event

TRANSITIONS: Final[dict[tuple[Stage, Event], Stage]] = {
    (_G.CLEAR, _E.PRESENT): _G.HOLDING,
    (_G.CLEAR, _E.ABSENT): _G.CLEAR,
    (_G.HOLDING, _E.PRESENT): _G.HOLDING,
    (_G.HOLDING, _E.WORSE): _G.HOLDING,
    (_G.HOLDING, _E.ABSENT): _G.CLEAR,
    (_G.HOLDING, _E.DUE): _G.RAISED,
    (_G.RAISED, _E.PRESENT): _G.RAISED,
    (_G.RAISED, _E.WORSE): _G.RAISED,
    (_G.RAISED, _E.ABSENT): _G.ENDING,
    (_G.RAISED, _E.DUE): _G.RAISED,
    (_G.ENDING, _E.PRESENT): _G.RAISED,
    (_G.ENDING, _E.WORSE): _G.RAISED,
    (_G.ENDING, _E.ABSENT): _G.ENDING,
    (_G.ENDING, _E.DUE): _G.CLEAR,
}
SAYS: Final = {
    (_G.HOLDING, _E.DUE): Say.RAISED,
    (_G.RAISED, _E.WORSE): Say.RAISED,
    (_G.ENDING, _E.WORSE): Say.RAISED,
    (_G.RAISED, _E.DUE): Say.AGAIN,
    (_G.ENDING, _E.DUE): Say.OVER,
}
"""What is said of the pairs of the table; of the others nothing."""


def advance(stage: Stage, event: Event) -> Stage:
    """Next stage; IllegalTransition for a pair outside the table."""
    try:
        return TRANSITIONS[(stage, event)]
    except KeyError:
        raise IllegalTransition(f"no {event.value} while {stage.value}") from None


@attrs.define(eq=False)
class Standing:
    """One condition that is, was, or may be again."""

    rule: Rule
    found: Found
    """As last seen."""
    level: AlertLevel
    """The worst so far."""
    began_s: float
    since_s: float
    """Of this stage."""
    said_s: float
    """When it was last said. Coming back from the end is no new beginning: the reminder keeps its pace."""
    stage: Stage = Stage.CLEAR

    def meet(self, event: Event, now_s: float) -> Say:
        before, self.stage = self.stage, advance(self.stage, event)
        said = SAYS.get((before, event), Say.NOTHING)
        self.since_s = self.since_s if self.stage is before else now_s
        self.said_s = self.said_s if said is Say.NOTHING else now_s
        return said


@attrs.frozen
class Said:
    say: Say
    standing: Standing


@attrs.define(eq=False)
class Register:
    """All of them. Times are monotonic seconds of one clock."""

    remind_s: float
    _rows: dict[tuple[str, str], Standing] = attrs.field(factory=dict)

    def see(self, looked: Iterable[tuple[Rule, Sequence[Found]]], now_s: float) -> list[Said]:
        """Hold what is so now against what was: what is to be said, endings last.

        What a rule that could not tell has found before stays as it is.
        """
        rules = list(looked)
        known = {rule.code for rule, _ in rules}
        said = list(self._present([(rule, one) for rule, found in rules for one in found], now_s))
        seen = {key for key, _ in said}
        news = [one for _, one in said if one is not None]
        for key, row in list(self._rows.items()):
            if key not in seen and row.rule.code in known:
                news += self._tell(row, row.meet(Event.ABSENT, now_s))
                news += self._due(row, now_s)
                if row.stage is Stage.CLEAR:
                    del self._rows[key]
        return news

    def raised(self) -> list[Standing]:
        """Those that were said and are not over."""
        return [row for row in self._rows.values() if row.stage in (Stage.RAISED, Stage.ENDING)]

    def _present(
        self, found: Iterable[tuple[Rule, Found]], now_s: float
    ) -> Iterator[tuple[tuple[str, str], Said | None]]:  # fmt: skip
        for rule, one in found:
            key, level = (rule.code, one.subject), one.level or rule.level
            row = self._rows.get(key)
            if row is None:
                if len(self._rows) >= STANDING_MAX:
                    continue
                row = self._rows[key] = Standing(rule, one, level, now_s, now_s, now_s)
            worse = _HEIGHT[level] > _HEIGHT[row.level]
            row.found, row.level = one, level if worse else row.level
            news = [
                *self._tell(row, row.meet(Event.WORSE if worse else Event.PRESENT, now_s)),
                *self._due(row, now_s),
            ]
            yield key, news[-1] if news else None

    def _due(self, row: Standing, now_s: float) -> list[Said]:
        match row.stage:
            case Stage.HOLDING:
                due_s = row.since_s + row.rule.hold_s
            case Stage.RAISED:
                if not row.rule.seldom:
                    return []
                due_s = row.said_s + row.rule.seldom * self.remind_s
            case Stage.ENDING:
                due_s = row.since_s + row.rule.calm_s
            case Stage.CLEAR:
                return []
        if now_s < due_s:
            return []
        return self._tell(row, row.meet(Event.DUE, now_s))

    def _tell(self, row: Standing, say: Say) -> list[Said]:
        mute = say is Say.NOTHING or (say is Say.OVER and not row.rule.over)
        return [] if mute else [Said(say, attrs.evolve(row))]
