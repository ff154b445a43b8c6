"""Field types of the venue's JSON: figures as text or number, times in seconds, milliseconds or ISO (sheet 7 to 9)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.orders import Side
from hlomm.domain.ticker import civil_from_days, days_from_civil
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.venues.fields import MS_LIMIT, SCALED_LIMIT
from hlomm.venues.polymarket.contracts import TOKEN_LIMIT

TOKEN_DIGITS: Final = 80
TokenText = Annotated[str, Meta(min_length=1, max_length=TOKEN_DIGITS)]
IdText = Annotated[str, Meta(max_length=128)]
LongText = Annotated[str, Meta(max_length=20_000)]
Loose = str | int | float | None
"""A figure that comes as text, as a number, empty or not at all."""

_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:Z|\+00(?::?00)?)", re.ASCII
)
_SECONDS_LIMIT: Final = 10**11
"""A stamp below this counts seconds, from it on milliseconds: both lie between 1973 and 5138."""


def token_number(text: str, kind: str) -> int:
    """An asset id. ProtocolViolation(`kind`) for what is no decimal of 256 bits."""
    digits = text.isascii() and text.isdigit() and len(text) <= TOKEN_DIGITS
    if not digits or (number := int(text)) >= TOKEN_LIMIT or not number:
        raise ProtocolViolation(kind, f"expected an asset id, was {text[:80]!r}")
    return number


def scaled(value: Decimal, kind: str) -> int:
    """Exact value in 1e-8. ProtocolViolation(`kind`) for a finer one, a negative one, or no number."""
    if not value.is_finite() or not 0 <= value <= SCALED_LIMIT // SCALE:
        raise ProtocolViolation(kind, f"expected a value >= 0, was {value}")
    whole = value.scaleb(8)
    if whole != int(whole):
        raise ProtocolViolation(kind, f"expected at most 8 decimals, was {value}")
    return int(whole)


def stamp_ms(value: Loose, kind: str) -> int:
    """Unix milliseconds of a stamp in seconds, milliseconds or ISO; 0 where there is none."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and not value.isdigit():
        return iso_ns(value, kind) // 1_000_000
    try:
        number = int(value)
    except (ValueError, OverflowError):
        raise ProtocolViolation(kind, f"expected a time, was {value!r}") from None
    millis = number if number >= _SECONDS_LIMIT else number * 1_000
    if not 0 <= millis < MS_LIMIT:
        raise ProtocolViolation(kind, f"expected a time, was {value!r}")
    return millis


def iso_ns(text: str, kind: str) -> int:
    """Wall nanoseconds of a UTC second; fractions are cut off."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ProtocolViolation(kind, f"expected a time in UTC, was {text[:40]!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        raise ProtocolViolation(kind, f"expected a time in UTC, was {text[:40]!r}")
    days = days_from_civil(year, month, day)
    if civil_from_days(days) != (year, month, day):
        raise ProtocolViolation(kind, f"no such day: {text[:40]!r}")
    return (days * 86_400 + hour * 3_600 + minute * 60 + second) * NS_PER_S


def iso_text(wall_ns: int) -> str:
    """A UTC second as requests say it."""
    days, seconds = divmod(wall_ns // NS_PER_S, 86_400)
    year, month, day = civil_from_days(days)
    return f"{year:04d}-{month:02d}-{day:02d}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"


def read_side(text: str, kind: str) -> Side:
    if text == "BUY":
        return Side.BUY
    if text == "SELL":
        return Side.SELL
    raise ProtocolViolation(kind, f"expected BUY or SELL, was {text[:20]!r}")
