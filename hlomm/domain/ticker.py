"""Human names of outcome markets: `OUT:BTC-80354-2026-05-10T0600-YES`.

The side is optional (a market without side is the shared book); the time of day is optional on input.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from hlomm.domain.faults import UnitError
from hlomm.domain.markets import Leg
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, parse_unsigned, to_text

_TICKER: Final = re.compile(
    r"OUT:(?P<underlying>[A-Za-z0-9:._]+)-(?P<strike>[0-9]+(?:\.[0-9]+)?)"
    r"-(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2})(?P<minute>[0-9]{2}))?(?:-(?P<side>YES|NO))?",
    re.ASCII,
)
_DAY_S: Final = 86_400


@attrs.frozen(kw_only=True)
class Ticker:
    """Parsed name. `minute_of_day` is None where the name leaves the time of day open."""

    underlying: str
    strike: Px
    year: int
    month: int
    day: int
    minute_of_day: int | None
    side: Leg | None


def outcome_ticker(underlying: str, strike: Px, expiry_ns: int) -> str:
    """Name of an outcome market, side left open."""
    days, seconds = divmod(expiry_ns // NS_PER_S, _DAY_S)
    year, month, day = civil_from_days(days)
    hour, minute = divmod(seconds // 60, 60)
    return f"OUT:{underlying}-{to_text(strike)}-{year:04d}-{month:02d}-{day:02d}T{hour:02d}{minute:02d}"


def perp_ticker(coin: str) -> str:
    return f"PERP:{coin}"


def parse_ticker(text: str) -> Ticker | None:
    """The parts of an outcome name, or None if it is not one."""
    match = _TICKER.fullmatch(text)
    if match is None:
        return None
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    if not 1 <= month <= 12 or civil_from_days(days_from_civil(year, month, day)) != (year, month, day):
        return None
    try:
        strike = Px(parse_unsigned(match["strike"]))
    except UnitError:
        return None
    minute_of_day = None
    if match["hour"] is not None:
        hour, minute = int(match["hour"]), int(match["minute"])
        if hour > 23 or minute > 59:
            return None
        minute_of_day = hour * 60 + minute
    side = None if match["side"] is None else Leg[match["side"]]
    return Ticker(
        underlying=match["underlying"],
        strike=strike,
        year=year,
        month=month,
        day=day,
        minute_of_day=minute_of_day,
        side=side,
    )


# Civil calendar by integer arithmetic (proleptic Gregorian, era of 400 years starting 1 March): the core may not
# import `datetime`, which also offers a clock.


def civil_from_days(days: int) -> tuple[int, int, int]:
    """(year, month, day) of a count of days since 1970-01-01."""
    shifted = days + 719_468
    era, day_of_era = divmod(shifted, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a civil date."""
    shifted_year = year - (month <= 2)
    era, year_of_era = divmod(shifted_year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def wall_ns_of(year: int, month: int, day: int, minute_of_day: int) -> int:
    """Wall nanoseconds of a UTC minute."""
    return (days_from_civil(year, month, day) * _DAY_S + minute_of_day * 60) * NS_PER_S
