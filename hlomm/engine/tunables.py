"""What a change of a strategy's setting is made of: who judges it, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from hlomm.domain.ids import StrategyId


@attrs.frozen(kw_only=True)
class Retune:
    """A change that keeps every bound."""

    strategy: StrategyId
    name: str
    """Of the setting within its strategy."""
    value: float
    was: float
    configured: float


class Tuner(Protocol):
    """Knows the configured settings and their bounds. A pure function: a replay asks the same and hears the same."""

    def weigh(self, tuned: Mapping[str, float], wanted: Mapping[str, str]) -> Mapping[str, Retune]:
        """The changes asked for, by key, with `tuned` already in force; ConfigError says why none is possible."""


@attrs.frozen(kw_only=True)
class Tuned:
    """A setting that is not as configured."""

    change: Retune
    who: str
    reason: str
    wall_ms: int


def said(value: float) -> str:
    """A value as people write it: `0.0005`, `40`."""
    return repr(value).removesuffix(".0")
