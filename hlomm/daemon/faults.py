"""Where a fault was raised, for the one line that an operator reads."""

from __future__ import annotations

import traceback
from typing import Final

PLACES_MAX: Final = 8
FRAMES: Final = 4
"""Innermost ones of each."""


def where(error: BaseException) -> list[str]:
    """One line for each leaf of a group: its innermost frames as `file:line function`, the last one raised it."""
    if isinstance(error, BaseExceptionGroup):
        return [place for one in error.exceptions for place in where(one)][:PLACES_MAX]
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [" > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)]
