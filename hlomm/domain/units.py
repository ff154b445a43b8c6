"""Scaled integers for price, quantity and cash.

All three count units of 1e-8, the finest decimal Hyperliquid prints, so every figure on the wire is an exact
integer here. They stay distinct types: adding a price to a quantity is a type error. Products of a price and a
quantity carry 1e-16 and come back through a function whose name states the rounding direction.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from hlomm.domain.faults import UnitError

Px = NewType("Px", int)
"""Quote units per contract (outcomes: 0..1) or per coin (perps), in 1e-8."""
Qty = NewType("Qty", int)
"""Contracts or coins, in 1e-8; never negative unless a docstring says signed."""
Cash = NewType("Cash", int)
"""Quote currency, in 1e-8; signed."""

DECIMALS: Final = 8
SCALE: Final = 10**DECIMALS
ONE: Final = Px(SCALE)
"""What a winning outcome contract pays."""

_MAX_INT_DIGITS: Final = 15
_POWERS: Final[tuple[int, ...]] = tuple(10**power for power in range(DECIMALS + 1))
_DECIMAL: Final = re.compile(rf"-?[0-9]{{1,{_MAX_INT_DIGITS}}}(?:\.[0-9]{{1,{DECIMALS}}}0*)?", re.ASCII)


def parse(text: str) -> int:
    """Exact value of a plain decimal string in units of 1e-8.

    Accepts an optional minus, up to 15 integer digits and up to 8 significant decimals (further zeros are
    harmless). Raises UnitError for anything else: exponents, spaces, ``nan``, ``inf``, a ninth decimal.

    A memory of what was read before answers faster as long as the processor's caches hold it, and several times slower
    once something else ran in between, as between any two frames of a feed; so there is none.
    """
    whole, point, fraction = text.partition(".")
    digits, missing = whole + fraction, DECIMALS - len(fraction)
    plain = missing >= 0 and digits.isdecimal() and digits.isascii()
    if plain and 0 < len(whole) <= _MAX_INT_DIGITS and (fraction or not point):
        return int(digits) * _POWERS[missing]
    return _parse_any(text)


def _parse_any(text: str) -> int:
    """The whole grammar, and the words for what is outside of it."""
    if _DECIMAL.fullmatch(text) is None:
        raise UnitError(f"expected a plain decimal with at most {DECIMALS} decimals, was {text[:40]!r}")
    whole, _, fraction = text.partition(".")
    # "-0.5" keeps its sign because the digits follow it directly: int("-0" + "50000000").
    return int(whole + fraction[:DECIMALS].ljust(DECIMALS, "0"))


def parse_unsigned(text: str) -> int:
    """Like `parse`, refusing negatives."""
    value = parse(text)
    if value < 0:
        raise UnitError(f"expected a value >= 0, was {text[:40]!r}")
    return value


def to_text(value: int) -> str:
    """Shortest plain decimal of a scaled value: no exponent, no trailing zeros, ``0`` never ``-0``."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), SCALE)
    if fraction == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:08d}".rstrip("0")


def to_fixed(value: int, decimals: int) -> str:
    """Decimal with a fixed number of decimals, truncated toward zero (for display only)."""
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), SCALE)
    if decimals == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:08d}"[: len(sign) + len(str(whole)) + 1 + decimals]


def to_float(value: int) -> float:
    """Nearest float, for `pricing` only."""
    return value / SCALE


def floor_from_float(value: float, step: int) -> int:
    """Largest multiple of `step` (scaled) not above `value` (plain units)."""
    return floor_to(_scaled(value), step)


def ceil_from_float(value: float, step: int) -> int:
    """Smallest multiple of `step` (scaled) not below `value` (plain units)."""
    return ceil_to(_scaled(value), step)


def _scaled(value: float) -> int:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN test without math
        raise UnitError(f"expected a finite number, was {value}")
    return round(value * SCALE)


def floor_to(value: int, step: int) -> int:
    """Round down to a multiple of `step`."""
    return value - value % step


def ceil_to(value: int, step: int) -> int:
    """Round up to a multiple of `step`."""
    return -(-value // step) * step


def complement(px: int) -> Px:
    """Price of the other side of a binary contract: 1 - px."""
    return Px(SCALE - px)


def notional_exact(px: int, qty: int) -> Cash:
    """Price times quantity where the product is known to be a whole number of 1e-8; UnitError otherwise."""
    value, rest = divmod(px * qty, SCALE)
    if rest:
        raise UnitError(f"{to_text(px)} x {to_text(qty)} is finer than 1e-8")
    return Cash(value)


def notional_floor(px: int, qty: int) -> Cash:
    """Price times quantity, rounded down: what we are paid."""
    return Cash(px * qty // SCALE)


def notional_ceil(px: int, qty: int) -> Cash:
    """Price times quantity, rounded up: what we pay or lock."""
    return Cash(-(-px * qty // SCALE))
