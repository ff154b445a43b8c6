"""US Eastern time by integer arithmetic: codecs may not import a calendar that also offers a clock.

Daylight time runs from 2:00 on the second Sunday of March to 2:00 on the first Sunday of November (since 2007).
"""

from __future__ import annotations

from hlomm.domain.ticker import civil_from_days, days_from_civil
from hlomm.domain.times import NS_PER_S

_HOUR_S = 3_600
_DAY_S = 86_400


def eastern_offset_h(wall_ns: int) -> int:
    """Hours that Eastern time is ahead of UTC: -4 or -5."""
    seconds = wall_ns // NS_PER_S
    year, _, _ = civil_from_days(seconds // _DAY_S)
    starts = _sunday(year, 3, 2) * _DAY_S + 7 * _HOUR_S
    ends = _sunday(year, 11, 1) * _DAY_S + 6 * _HOUR_S
    return -4 if starts <= seconds < ends else -5


def eastern(wall_ns: int) -> tuple[int, int, int, int]:
    """(year, month, day, minute of the day) on a clock in New York."""
    days, seconds = divmod(wall_ns // NS_PER_S + eastern_offset_h(wall_ns) * _HOUR_S, _DAY_S)
    return (*civil_from_days(days), seconds // 60)


def _sunday(year: int, month: int, nth: int) -> int:
    """Days since 1970 of the nth Sunday of a month. Day 0 was a Thursday."""
    first = days_from_civil(year, month, 1)
    return first + (3 - first) % 7 + 7 * (nth - 1)
