"""Whoever looks over an engine's shoulder while it is run again: told of every step, able to change none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hlomm.domain.inputs import Input
from hlomm.domain.outputs import Output
from hlomm.domain.times import Now
from hlomm.engine.core import Engine


class Onlooker(Protocol):
    """Reads the engine between two steps and changes nothing of it."""

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        """An input was applied; nothing is decided yet."""

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        """A turn was taken, with these outputs."""
