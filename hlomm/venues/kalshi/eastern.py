"""US Eastern wall clock, in which tickers and rules speak. The only place that knows time zones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from hlomm.domain.times import NS_PER_S

_EASTERN: Final = ZoneInfo("America/New_York")
_OFFSETS: Final = {"EST": -5, "EDT": -4}
_PAUSE_WEEKDAY: Final = 3
_PAUSE_HOURS: Final = (3, 5)


def instants(year: int, month: int, day: int, hour: int, minute: int) -> tuple[int, ...]:
    """Unix nanoseconds at which Eastern clocks showed that minute: one, two in the repeated hour of autumn, or none.

    Empty also for what is no date.
    """
    try:
        naive = datetime(year, month, day, hour, minute, tzinfo=_EASTERN)
    except ValueError:
        return ()
    found = []
    for fold in (0, 1):
        utc = naive.replace(fold=fold).astimezone(UTC)
        # A minute that spring leaves out comes back as another one.
        if utc.astimezone(_EASTERN).replace(tzinfo=None, fold=0) == naive.replace(tzinfo=None):
            found.append(int(utc.timestamp()) * NS_PER_S)
    return tuple(dict.fromkeys(found))


def instant(zone: str, year: int, month: int, day: int, hour: int, minute: int) -> int | None:
    """Unix nanoseconds of a minute in `EST` or `EDT`; None unless Eastern clocks showed just that then."""
    for wall_ns in instants(year, month, day, hour, minute):
        local = datetime.fromtimestamp(wall_ns // NS_PER_S, _EASTERN)
        offset = local.utcoffset()
        if offset is not None and offset.total_seconds() == _OFFSETS[zone] * 3_600:
            return wall_ns
    return None


def weekly_pause_until(wall_ns: int) -> int:
    """End in unix nanoseconds of the Thursday pause (03:00 to 05:00 Eastern) that holds this instant; 0 outside."""
    local = datetime.fromtimestamp(wall_ns // NS_PER_S, _EASTERN)
    if local.weekday() != _PAUSE_WEEKDAY or not _PAUSE_HOURS[0] <= local.hour < _PAUSE_HOURS[1]:
        return 0
    (end_ns,) = instants(local.year, local.month, local.day, _PAUSE_HOURS[1], 0)
    return end_ns
