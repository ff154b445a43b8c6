"""Complete sets: what can be turned into what at exactly its worth, without anybody to trade with.

    split           1 of cash            into  1 YES + 1 NO of an outcome
    merge           1 YES + 1 NO         into  1 of cash
    negate          1 NO of an outcome   into  1 YES of every other outcome of its question
    merge_question  1 YES of every one   into  1 of cash

No payoff changes whichever is done: exactly one of YES and NO, and exactly one outcome of a question, pays 1. Only
whole contracts convert. (Venue sheet 7.5, 7.6.)
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hlomm.domain.fills import FillKind


class SetAction(StrEnum):
    """The values are those of the fills by which a venue reports the conversion."""

    SPLIT = FillKind.SPLIT.value
    MERGE = FillKind.MERGE.value
    NEGATE = FillKind.NEGATE.value
    MERGE_QUESTION = FillKind.MERGE_QUESTION.value


CONVERSIONS: Final = frozenset(FillKind(action.value) for action in SetAction)
"""Kinds of fill that no trade made."""
