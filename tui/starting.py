"""How the terminal is handed the means to start a daemon; it neither knows nor imports how that is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Daemon(Protocol):
    """A daemon started from here, living its own life."""

    @property
    def pid(self) -> int: ...

    def ending(self) -> str | None:
        """What it said last, once it has ended; None while it lives."""


@dataclass(frozen=True)
class Starter:
    log: str
    """Where its output goes."""
    start: Callable[[], Daemon]
    """May raise HlommError."""
