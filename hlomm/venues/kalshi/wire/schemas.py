"""Field types of Kalshi's JSON: prices and counts are strings, strikes are numbers (venue sheet section 3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.units import DECIMALS, SCALE, Px, Qty, floor_to, to_text
from hlomm.venues.fields import SCALED_LIMIT, unsigned

TickerText = Annotated[str, Meta(min_length=1, max_length=80)]
IdText = Annotated[str, Meta(min_length=1, max_length=64)]
ShardNumber = Annotated[int, Meta(ge=-1, le=1_000)]
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[int, Meta(ge=0, le=10**11)]

COUNT_STEP: Final = 10 ** (DECIMALS - 2)
"""Sizes have two decimals, the smallest is 0.01."""
PRICE_STEP: Final = 10 ** (DECIMALS - 4)
"""Requests carry up to four decimals."""


def price(text: str, kind: str) -> Px:
    """A price from 0 to 1, both included: an empty side reads 0 or 1 in market documents."""
    value = unsigned(text, kind)
    if value > SCALE:
        raise ProtocolViolation(kind, f"expected a price of at most 1, was {text[:40]!r}")
    return Px(value)


def inner_price(text: str, kind: str) -> Px:
    """A price that an order can have: strictly between 0 and 1."""
    value = price(text, kind)
    if not 0 < value < SCALE:
        raise ProtocolViolation(kind, f"expected a price between 0 and 1, was {text[:40]!r}")
    return value


def scaled_number(value: Decimal, kind: str) -> int:
    """A JSON number in 1e-8, exact; ProtocolViolation(`kind`) where it is finer or too large."""
    scaled = value * SCALE
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > SCALED_LIMIT:
        raise ProtocolViolation(kind, f"expected a number with at most {DECIMALS} decimals, was {str(value)[:40]}")
    return int(scaled)


def price_text(px: Px) -> str:
    """A price with the four decimals that requests carry; ValueError for a finer one."""
    return _fixed(px, PRICE_STEP, 4)


def count_text(qty: Qty) -> str:
    """A size with two decimals; ValueError for a finer one."""
    return _fixed(qty, COUNT_STEP, 2)


def sayable(px: Px, qty: Qty) -> bool:
    """Whether an order can have that price and size: four and two decimals, inside the book, more than nothing."""
    return 0 < px < SCALE and px % PRICE_STEP == 0 and qty > 0 and qty % COUNT_STEP == 0


def floor_count(qty: int) -> Qty:
    """Largest size the venue can express that is not above `qty`."""
    return Qty(floor_to(qty, COUNT_STEP))


def _fixed(value: int, step: int, decimals: int) -> str:
    if value < 0 or value % step:
        raise ValueError(f"expected a multiple of {to_text(step)}, was {to_text(value)}")
    whole, fraction = divmod(value // step, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}"
