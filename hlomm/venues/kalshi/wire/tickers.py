"""Market tickers: a check on what the fields say, never a source (venue sheet section 11).

`KXBTCD-26NOV2017-T90999.99`, `KXBTC-26NOV2017-B90875`, `KXBTC15M-26NOV201615-15`: the date is the Eastern wall clock
of the close.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from hlomm.domain.faults import UnitError
from hlomm.domain.units import Px, parse_unsigned

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_HOURLY: Final = re.compile(
    r"(?P<series>[A-Z0-9]+)-(?P<year>[0-9]{2})(?P<month>[A-Z]{3})(?P<day>[0-9]{2})(?P<hour>[0-9]{2})"
    r"(?P<minute>[0-9]{2})?-(?P<mark>[TB])(?P<number>[0-9]+(?:\.[0-9]+)?)",
    re.ASCII,
)
_QUARTER: Final = re.compile(
    r"(?P<series>[A-Z0-9]+)-(?P<year>[0-9]{2})(?P<month>[A-Z]{3})(?P<day>[0-9]{2})(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})"
    r"-(?P<again>[0-9]{2})",
    re.ASCII,
)


@attrs.frozen(kw_only=True)
class TickerParts:
    """`mark` T: a threshold, B: the middle of a range, empty: none in the ticker. Wall clock is Eastern."""

    series: str
    year: int
    month: int
    day: int
    hour: int
    minute: int
    mark: str = ""
    number: Px | None = None


def read_ticker(text: str) -> TickerParts | None:
    """The parts of a ticker of the forms above, None for any other."""
    match = _HOURLY.fullmatch(text)
    if match is not None:
        try:
            number = Px(parse_unsigned(match["number"]))
        except UnitError:
            return None
        return _parts(match, int(match["minute"] or 0), match["mark"], number)
    match = _QUARTER.fullmatch(text)
    if match is None or match["minute"] != match["again"]:
        return None
    return _parts(match, int(match["minute"]), "", None)


def _parts(match: re.Match[str], minute: int, mark: str, number: Px | None) -> TickerParts | None:
    if match["month"] not in MONTHS:
        return None
    return TickerParts(
        series=match["series"],
        year=2_000 + int(match["year"]),
        month=MONTHS.index(match["month"]) + 1,
        day=int(match["day"]),
        hour=int(match["hour"]),
        minute=minute,
        mark=mark,
        number=number,
    )
