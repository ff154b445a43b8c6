"""Human names of outcome markets: `OUT:<underlying>-<terms>-<YYYY-MM-DD>[THHMM][-YES|NO]`.

The terms say at which prices of the underlying YES pays:

    80354           at 80354 or above (`priceBinary`)
    above77177      above 77177, not at it (template `binaryPrice`)
    ~79043          below 79043 (first leg of a bucket)
    79043~82270     from 79043 on, below 82270
    82270~          from 82270 on (last leg)
    other           if no named outcome of the question pays (fallback)
    up5m            at the end of a window of 5 minutes (m, h, d) not below its beginning: a strike yet to be made

No two terms read alike, and none needs quoting in a shell: a `<` or `>` in an argument would open a file. Typed in
quotes, `<79043`, `>=82270` and `>77177` are understood as `~79043`, `82270~` and `above77177`. The side is optional (a
market without side is the shared book); the time of day is optional on input. Every name a market gets here parses
back to the parts it was made of.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from hlomm.domain.faults import UnitError
from hlomm.domain.markets import Comparator, Leg
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, parse_unsigned, to_text

OTHER: Final = "other"
_UP: Final = "up"
_ABOVE: Final = "above"

_WINDOW: Final = r"[1-9][0-9]{0,3}[mhd]"
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_TICKER: Final = re.compile(
    rf"OUT:(?P<underlying>[A-Za-z0-9:._]+)-(?P<terms>{OTHER}|{_UP}{_WINDOW}|(?:{_ABOVE}|>=?|<){_NUMBER}"
    rf"|(?:{_NUMBER})?~{_NUMBER}|{_NUMBER}~?)"
    r"-(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:T(?P<hour>[0-9]{2})(?P<minute>[0-9]{2}))?(?:-(?P<side>YES|NO))?",
    re.ASCII,
)
_DAY_S: Final = 86_400


@attrs.frozen(kw_only=True)
class Terms:
    """At which prices YES pays. Of strike, bounds, `other` and `window` exactly one is set; prices are scaled."""

    strike: Px | None = None
    comparator: Comparator = Comparator.AT_LEAST
    floor: Px | None = None
    ceiling: Px | None = None
    other: bool = False
    window: str = ""
    """Length of a window that begins at its strike, e.g. `5m`."""

    def __str__(self) -> str:
        if self.other:
            return OTHER
        if self.window:
            return f"{_UP}{self.window}"
        if self.strike is not None:
            return f"{_ABOVE if self.comparator is Comparator.ABOVE else ''}{to_text(self.strike)}"
        floor = "" if self.floor is None else to_text(self.floor)
        return f"{floor}~{'' if self.ceiling is None else to_text(self.ceiling)}"


@attrs.frozen(kw_only=True)
class Ticker:
    """Parsed name. `minute_of_day` is None where the name leaves the time of day open."""

    underlying: str
    terms: Terms
    year: int
    month: int
    day: int
    minute_of_day: int | None
    side: Leg | None

    @property
    def strike(self) -> Px | None:
        """None for legs of a bucket, for fallbacks, and where it is yet to be made."""
        return self.terms.strike


def outcome_ticker(underlying: str, terms: Px | Terms, expiry_ns: int) -> str:
    """Name of an outcome market, side left open. A bare price is the strike of a `priceBinary`."""
    said = terms if isinstance(terms, Terms) else Terms(strike=terms)
    return f"OUT:{underlying}-{said}-{moment(expiry_ns)}"


def moment(wall_ns: int) -> str:
    """A UTC minute as names say it: `2026-05-11T0600`."""
    days, seconds = divmod(wall_ns // NS_PER_S, _DAY_S)
    year, month, day = civil_from_days(days)
    hour, minute = divmod(seconds // 60, 60)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}{minute:02d}"


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
    terms = _parse_terms(match["terms"])
    if terms is None:
        return None
    minute_of_day = None
    if match["hour"] is not None:
        hour, minute = int(match["hour"]), int(match["minute"])
        if hour > 23 or minute > 59:
            return None
        minute_of_day = hour * 60 + minute
    side = None if match["side"] is None else Leg[match["side"]]
    return Ticker(
        underlying=match["underlying"], terms=terms, year=year, month=month, day=day, minute_of_day=minute_of_day,
        side=side,
    )  # fmt: skip


def _parse_terms(text: str) -> Terms | None:
    """Terms of a form `_TICKER` let through; None for a price too large or too fine, and for bounds out of order."""
    if text == OTHER:
        return Terms(other=True)
    if text.startswith(_UP):
        return Terms(window=text.removeprefix(_UP))
    try:
        if text.startswith((_ABOVE, ">")) and not text.startswith(">="):
            return Terms(strike=_px(text.removeprefix(_ABOVE).removeprefix(">")), comparator=Comparator.ABOVE)
        if text.startswith((">=", "<")):
            text = f"{text[2:]}~" if text.startswith(">=") else f"~{text[1:]}"
        floor, tilde, ceiling = text.partition("~")
        if not tilde:
            return Terms(strike=_px(text))
        bounds = Terms(floor=_px(floor) if floor else None, ceiling=_px(ceiling) if ceiling else None)
    except UnitError:
        return None
    if bounds.floor is not None and bounds.ceiling is not None and bounds.floor >= bounds.ceiling:
        return None
    return bounds


def _px(text: str) -> Px:
    return Px(parse_unsigned(text))


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


def utc_day(wall_ns: int) -> str:
    """YYYY-MM-DD of a wall time, in UTC."""
    year, month, day = civil_from_days(wall_ns // (86_400 * NS_PER_S))
    return f"{year:04d}-{month:02d}-{day:02d}"


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
