"""Which outcome belongs to which question, and the outcomes that are waiting to be told (venue sheet section 7.5).

An outcome and its question come in separate rows, over the stream in separate messages and in any order. A leg says
only which place it has; prices, expiry and underlying stand in the question. So both are kept until they end.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.venues.bounded import BoundedMap
from hlomm.venues.hyperliquid.wire.outcomes import OutcomeSpec, QuestionSpec

QUESTIONS_MAX: Final = 1_024
LEGS_MAX: Final = 4_096


@attrs.define(eq=False)
class Questions:
    """Questions by number, the question of an outcome, and every leg seen so far."""

    _questions: BoundedMap[int, QuestionSpec] = attrs.field(factory=lambda: BoundedMap(QUESTIONS_MAX))
    _of: BoundedMap[int, int] = attrs.field(factory=lambda: BoundedMap(LEGS_MAX))
    _legs: BoundedMap[int, OutcomeSpec] = attrs.field(factory=lambda: BoundedMap(LEGS_MAX))
    _fallback: BoundedMap[int, bool] = attrs.field(factory=lambda: BoundedMap(LEGS_MAX))
    """Whether an outcome is its question's fallback; outlives the outcome, whose last fills may come late."""

    def of(self, outcome: int) -> QuestionSpec | None:
        """The question an outcome belongs to, None if none is known."""
        number = self._of.get(outcome)
        return None if number is None else self._questions.get(number)

    def keep(self, leg: OutcomeSpec) -> None:
        """Remember a leg: its question may come later, or change."""
        self._legs.put(leg.outcome, leg)

    def learn(self, question: QuestionSpec) -> tuple[OutcomeSpec, ...]:
        """Take a question in as it is now; returns its legs that are known, if there is anything new in it."""
        if self._questions.get(question.question) == question:
            return ()
        self._questions.put(question.question, question)
        for outcome in question.outcomes:
            self._of.put(outcome, question.question)
            self._fallback.put(outcome, outcome == question.fallback_outcome)
        legs = (self._legs.get(outcome) for outcome in question.outcomes)
        return tuple(leg for leg in legs if leg is not None)

    def outcomes_of(self, number: int) -> tuple[int, ...]:
        """Outcomes of a question; none if it is unknown."""
        question = self._questions.get(number)
        return () if question is None else question.outcomes

    def is_fallback(self, outcome: int) -> bool | None:
        """Whether an outcome is the fallback of its question; None for one of which no question told."""
        return self._fallback.get(outcome)

    def end(self, outcome: int) -> None:
        """Forget a leg: its number is never used again."""
        self._legs.pop(outcome)
        self._of.pop(outcome)
