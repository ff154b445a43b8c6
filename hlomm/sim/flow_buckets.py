"""Moods of bucket questions: spreads that are wide for a while, and legs whose quotes do not add up.

Recorded bucket legs were wide (0.10 and more) for minutes to hours and tradeable for a third of the day at best (venue
sheet 7.11), and nothing in the venue's engine makes the YES prices of a question sum to one. A mood is a property of
the question, so all makers share it; it is drawn from a stream of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import attrs

from hlomm.sim.board import QuestionSpec
from hlomm.sim.config import FlowConfig

FALLBACK_FAIR: Final = 0.001
"""What makers think the fallback of a price bucket is worth: it cannot win, but nobody sells insurance for nothing."""


@attrs.define(eq=False)
class _Mood:
    """One question now. `shift` is how far makers misjudge `leg`, in probability."""

    wide: bool
    wide_until_ns: int
    next_slip_ns: int
    slip_until_ns: int = 0
    leg: int = 0
    shift: float = 0.0


class BucketMoods:
    """Moods of all questions, moved on once per block and question."""

    def __init__(self, rng: random.Random, config: FlowConfig) -> None:
        self._rng = rng
        self._config = config
        self._moods: dict[int, _Mood] = {}

    def move(self, spec: QuestionSpec, now_ns: int, contested: Callable[[], int]) -> None:
        """Let time pass for one question; `contested` names the leg that is least decided, asked when one slips."""
        mood = self._moods.get(spec.question)
        if mood is None:
            mood = self._moods[spec.question] = _Mood(
                wide=True,
                wide_until_ns=now_ns + self._lasts(self._config.bucket_wide_s),
                next_slip_ns=self._next(now_ns),
            )
        if now_ns >= mood.wide_until_ns:
            mood.wide = not mood.wide
            mean_s = self._config.bucket_wide_s if mood.wide else self._config.bucket_tight_s
            mood.wide_until_ns = now_ns + self._lasts(mean_s)
        if now_ns >= mood.next_slip_ns:
            self._slip(mood, contested(), now_ns)
        if mood.shift and now_ns >= mood.slip_until_ns:
            mood.shift = 0.0

    def forget(self, live: dict[int, QuestionSpec]) -> None:
        """Drop the moods of questions that no longer trade."""
        self._moods = {question: mood for question, mood in self._moods.items() if question in live}

    def extra_spread(self, question: int) -> float:
        """What makers add to their usual spread in the legs; nothing while a leg is misjudged: all sleep alike."""
        mood = self._moods[question]
        return self._config.bucket_wide_spread if mood.wide and not mood.shift else 0.0

    def shift(self, question: int, outcome: int) -> float:
        """How far the makers' idea of a leg is from its fair value."""
        mood = self._moods[question]
        return mood.shift if mood.leg == outcome else 0.0

    def dislocated(self, question: int) -> bool:
        """Whether the YES prices of a question do not add up now."""
        mood = self._moods.get(question)
        return mood is not None and mood.shift != 0.0

    def _slip(self, mood: _Mood, leg: int, now_ns: int) -> None:
        mood.next_slip_ns = self._next(now_ns)
        size = self._config.bucket_slip * self._rng.uniform(0.7, 1.5)
        mood.leg = leg
        mood.shift = size if self._rng.random() < 0.5 else -size
        mood.slip_until_ns = now_ns + self._lasts(self._config.bucket_slip_s)

    def _next(self, now_ns: int) -> int:
        per_hour = self._config.bucket_slips_per_hour
        if per_hour <= 0.0:
            return 1 << 62
        return now_ns + self._lasts(3600.0 / per_hour)

    def _lasts(self, mean_s: float) -> int:
        return round(self._rng.expovariate(1.0 / mean_s) * 1e9)
