"""What the rules text says, as far as it can be held against the fields (venue sheet section 11).

The digest leaves out exactly what changes from one window to the next and is checked elsewhere (times, dates, the
strike): the hundredth hour of a series has the digest of the first, and any other change of wording gives another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import attrs

_TIME: Final = r"(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2}))? (?P<half>AM|PM) (?P<zone>EST|EDT)"
_DATE: Final = r"(?P<month>[A-Z][a-z]{2})[a-z]* (?P<day>[0-9]{1,2}), (?P<year>[0-9]{4})"
_TIMES: Final = re.compile(_TIME, re.ASCII)
_DATES: Final = re.compile(_DATE, re.ASCII)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER: Final = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?", re.ASCII)
_DIGEST_CHARS: Final = 16


@attrs.frozen(kw_only=True)
class Spoken:
    """A minute as the rules name it. `zone` is EST or EDT."""

    zone: str
    year: int
    month: int
    day: int
    hour: int
    minute: int


def spoken_times(text: str) -> tuple[Spoken, ...]:
    """The minutes named, in order; a time without a date of its own has the nearest date after it, else before it."""
    dates = [(match.start(), match) for match in _DATES.finditer(text)]
    found = []
    for time in _TIMES.finditer(text):
        later = [match for start, match in dates if start > time.start()]
        date = later[0] if later else (dates[-1][1] if dates else None)
        if date is None or date["month"] not in _MONTHS:
            return ()
        hour = int(time["hour"])
        if not 1 <= hour <= 12:
            return ()
        found.append(
            Spoken(
                zone=time["zone"],
                year=int(date["year"]),
                month=_MONTHS.index(date["month"]) + 1,
                day=int(date["day"]),
                hour=hour % 12 + (12 if time["half"] == "PM" else 0),
                minute=int(time["minute"] or 0),
            )
        )
    return tuple(found)


def numbers_after(text: str, word: str) -> tuple[str, ...]:
    """The one or two numbers that follow a comparing word at once (`above 90999.99`, `between 90000-90249.99`)."""
    match = re.search(rf"\bis {re.escape(word)} \$?({_NUMBER.pattern})(?:-\$?({_NUMBER.pattern}))?", text, re.ASCII)
    return () if match is None else tuple(part.replace(",", "") for part in match.groups() if part is not None)


def dollars(text: str) -> tuple[str, ...]:
    """Numbers of a sub-title (`$90,750 or above`, `$90,000 to 90,249.99`), plain."""
    return tuple(match[0].replace(",", "") for match in _NUMBER.finditer(text))


def digest(primary: str, secondary: str, strikes: Sequence[str]) -> str:
    """Sixteen hex digits of the wording."""
    text = f"{primary}\n{secondary}"
    for strike in sorted(strikes, key=len, reverse=True):
        text = text.replace(strike, "<strike>")
    text = _DATES.sub("<date>", _TIMES.sub("<time>", text))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
