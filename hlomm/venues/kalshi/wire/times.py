"""Times of the wire: RFC 3339 in Zulu, unix seconds, unix milliseconds. All become integers."""

from __future__ import annotations

import re
from typing import Final

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ticker import civil_from_days, days_from_civil, wall_ns_of
from hlomm.domain.times import NS_PER_MS, NS_PER_S

_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z", re.ASCII
)


def wall_ns(text: str, kind: str) -> int:
    """Unix nanoseconds of `2026-11-20T22:00:00.123Z`; ProtocolViolation(`kind`) for anything else."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ProtocolViolation(kind, f"expected a time in Zulu, was {text[:40]!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    real = 1 <= month <= 12 and civil_from_days(days_from_civil(year, month, day)) == (year, month, day)
    if not real or hour > 23 or minute > 59 or second > 59:
        raise ProtocolViolation(kind, f"expected a time of the calendar, was {text[:40]!r}")
    nanos = int((match[7] or "0").ljust(9, "0"))
    return wall_ns_of(year, month, day, hour * 60 + minute) + second * NS_PER_S + nanos


def wall_ms(text: str, kind: str) -> int:
    """Unix milliseconds, rounded down."""
    return wall_ns(text, kind) // NS_PER_MS
