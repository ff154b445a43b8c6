"""Units of the venue and how they are written on its wire (venue sheet sections 2 and 3).

A price is counted in ticks of $0.0001, a size in lots of 0.01 contract; one tick times one lot is a whole number of
1e-8 dollars, so nothing is ever rounded but fees.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import attrs

from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE

TICK: Final = SCALE // 10_000
LOT: Final = SCALE // 100
WHOLE: Final = 10_000
"""Ticks in one dollar: YES and NO of a price add up to this."""
CASH: Final = TICK * LOT // SCALE
"""One tick times one lot, in 1e-8 dollars."""
PAIR: Final = WHOLE * CASH
"""What one lot of YES and NO together pays: one cent."""
CENT: Final = SCALE // 100
MICRO: Final = SCALE // 1_000_000
"""$0.000001, the finest fee, in 1e-8."""

_PRICE: Final = re.compile(r"([0-9]{1,2})(?:\.([0-9]{1,4})0{0,2})?", re.ASCII)
_COUNT: Final = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?", re.ASCII)


class Unreadable(ValueError):  # noqa: N818 - a state, answered with a refusal
    """A figure that is not written as the venue wants it."""


def parse_price(text: str) -> int:
    """Ticks of a dollar string with at most four decimals."""
    return _scaled(_PRICE, text, 4)


def parse_count(text: str) -> int:
    """Lots of a contract string with at most two decimals."""
    return _scaled(_COUNT, text, 2)


def _scaled(pattern: re.Pattern[str], text: str, decimals: int) -> int:
    match = pattern.fullmatch(text)
    if match is None:
        raise Unreadable(text[:40])
    return int(match[1] + (match[2] or "").ljust(decimals, "0"))


def price_text(ticks: int) -> str:
    """`0.5600`."""
    return f"{ticks // WHOLE}.{ticks % WHOLE:04d}"


def price6_text(ticks: int) -> str:
    """`0.560000`, the form of the portfolio."""
    return price_text(ticks) + "00"


def count_text(lots: int) -> str:
    """`10.00`; signed where lots are."""
    sign, size = ("-" if lots < 0 else ""), abs(lots)
    return f"{sign}{size // 100}.{size % 100:02d}"


def dollars(cash: int, decimals: int = 6) -> str:
    """Cash in 1e-8 as a dollar string; what has no place in the decimals is cut off toward zero."""
    sign, size = ("-" if cash < 0 else ""), abs(cash)
    return f"{sign}{size // SCALE}.{size % SCALE:08d}"[: len(sign) + len(str(size // SCALE)) + 1 + decimals]


def iso(ns: int, *, micros: bool = False) -> str:
    """RFC 3339 in UTC: whole seconds without decimals, else milliseconds or microseconds."""
    moment = datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = ns % NS_PER_S
    if micros:
        return f"{moment}.{rest // 1000:06d}Z"
    return f"{moment}Z" if rest < NS_PER_MS else f"{moment}.{rest // NS_PER_MS:03d}Z"


@attrs.frozen
class Band:
    """Prices from `start` to `end` (ticks) that are whole multiples of `step` above the start."""

    start: int
    end: int
    step: int


STRUCTURES: Final[dict[str, tuple[Band, ...]]] = {
    "linear_cent": (Band(0, WHOLE, 100),),
    "deci_cent": (Band(0, WHOLE, 10),),
    "tapered_deci_cent": (Band(0, 1_000, 10), Band(1_000, 9_000, 100), Band(9_000, WHOLE, 10)),
}
"""Price level structures by the venue's names."""


def on_grid(structure: str, ticks: int) -> bool:
    """Whether a price may be named in a market: strictly between 0 and 1 and on the step of a band that holds it."""
    if not 0 < ticks < WHOLE:
        return False
    return any(b.start <= ticks <= b.end and (ticks - b.start) % b.step == 0 for b in STRUCTURES[structure])


def to_grid(structure: str, ticks: int, *, up: bool) -> int:
    """The nearest price of the grid at or above (`up`) or at or below, kept inside (0, 1)."""
    bands = STRUCTURES[structure]
    ticks = min(max(ticks, 1), WHOLE - 1)
    band = next(b for b in bands if b.start <= ticks <= b.end)
    over = (ticks - band.start) % band.step
    if over:
        ticks += band.step - over if up else -over
    low, high = bands[0].step, WHOLE - bands[-1].step
    return min(max(ticks, low), high)
