"""Rows about strategies, fills, the log and operator actions.

Settings, log lines and operator actions are no part of a snapshot: whoever watches is told each of them once.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hlomm.domain.units import Cash, Px

MARKOUT_S: Final = (1, 5, 30, 60)
"""Seconds after a fill at which it is looked at again."""


class _Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base: encoded as a map, so that fields can be added."""


class MarkoutRow(_Row, frozen=True):
    """The mean over all fills of this run in which we were the maker, weighted by size, rounded down."""

    horizon_s: int
    mean: Px | None
    fills: int


class StrategyRow(_Row, frozen=True):
    """One strategy of this run."""

    id: str
    state: str
    """`running`, `paused` or `stopped` (after a fault)."""
    why: str = ""
    """Who paused it and what for, or what it failed with."""
    markets: int = 0
    """That it has now."""
    orders: int = 0
    """Of its that live now."""
    result: Cash = Cash(0)
    """What its markets brought since this run began, fees taken off; legs across venues count where they are held."""


class TunedRow(_Row, frozen=True):
    """A setting that an operator changed and that is not as configured. Values as people write them."""

    key: str
    value: str
    was: str
    configured: str
    who: str
    reason: str
    wall_ms: int


class SettingRow(_Row, frozen=True):
    """One setting of a strategy as this run was configured."""

    key: str
    """Dotted: `strategy.avellaneda.gamma`."""
    value: str
    origin: str
    """The layer that set it: a file, the environment, `--set`."""
    bounds: str = ""
    """Of one that can be tuned while the daemon runs; empty for the others."""


class LogRow(_Row, frozen=True):
    """One line of the daemon's log."""

    n: int
    """Counts the lines of this run, from 1."""
    wall_ms: int
    level: str
    area: str
    text: str


class AuditRow(_Row, frozen=True):
    """One link of the chain of operator actions."""

    n: int
    at_ms: int
    action: str
    who: str
    reason: str
    target: str
    result: str
    late: bool = False


class ChainRow(_Row, frozen=True):
    """How the chain stands on disk."""

    links: int
    broken: str = ""
    """Which line breaks it, and how; nothing from there on is believed."""
