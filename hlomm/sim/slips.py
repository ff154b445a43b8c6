"""Misjudgements: now and then all makers of a market hold it for worth more or less than it is, for a while.

Two venues' prices of one event fall apart by a cent or two whenever one is slower than the other; further apart, for
tens of seconds, they fall when the makers of one sleep. Drawn from a stream of its own, market by market in the order
in which they are first asked about.
"""

from __future__ import annotations

import random
from typing import Any, Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_S

_NEVER: Final = 1 << 62


def _number(default: float, low: float, high: float) -> Any:
    """A number in [low, high]; ConfigError names the field."""

    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ConfigError(f"sim.slips.{attribute.name}: expected a number from {low} to {high}, was {value!r}")

    return attrs.field(default=default, validator=check)


@attrs.frozen(kw_only=True)
class SlipConfig:
    per_hour: float = _number(12.0, 0.0, 3600.0)
    """How often, in each market; 0: never."""
    size: float = _number(0.09, 0.0, 0.5)
    """By how much, in probability at even odds, times something between 0.7 and 1.5."""
    lasts_s: float = _number(20.0, 0.1, 1e5)
    """Mean duration."""


@attrs.define(eq=False)
class _Slip:
    next_ns: int
    until_ns: int = 0
    shift: float = 0.0


class Slips:
    """The misjudgements of one venue."""

    def __init__(self, rng: random.Random, config: SlipConfig) -> None:
        self._rng = rng
        self._config = config
        self._slips: dict[object, _Slip] = {}

    def shift(self, market: object, p: float, now_ns: int) -> float:
        """How far makers misjudge a market that is worth `p`; in probability, less toward 0 and 1."""
        slip = self._slips.get(market)
        if slip is None:
            slip = self._slips[market] = _Slip(self._next(now_ns))
        if now_ns >= slip.next_ns:
            size = self._config.size * self._rng.uniform(0.7, 1.5)
            slip.shift = size if self._rng.random() < 0.5 else -size
            slip.until_ns = now_ns + self._draw(self._config.lasts_s)
            slip.next_ns = self._next(slip.until_ns)
        if slip.shift and now_ns >= slip.until_ns:
            slip.shift = 0.0
        return slip.shift * 4.0 * p * (1.0 - p)

    def forget(self, market: object) -> None:
        self._slips.pop(market, None)

    def _next(self, now_ns: int) -> int:
        per_hour = self._config.per_hour
        return now_ns + self._draw(3600.0 / per_hour) if per_hour > 0.0 else _NEVER

    def _draw(self, mean_s: float) -> int:
        return round(self._rng.expovariate(1.0 / mean_s) * NS_PER_S)
