"""What is in a group of faults, and where each was raised, for the one line that an operator reads."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Final, TypeVar

PLACES_MAX: Final = 8
FRAMES: Final = 4
"""Innermost ones of each."""


Fault = TypeVar("Fault", bound=BaseException)


def leaves(group: BaseExceptionGroup[Fault]) -> Iterator[Fault]:
    """The faults themselves, however deep nurseries have wrapped them."""
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from leaves(one)
        else:
            yield one


def where(error: BaseException) -> list[str]:
    """One line for each leaf of a group: its innermost frames as `file:line function`, the last one raised it."""
    if isinstance(error, BaseExceptionGroup):
        return [place for one in leaves(error) for place in where(one)][:PLACES_MAX]
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [" > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)]
