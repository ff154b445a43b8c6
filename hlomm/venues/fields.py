"""Field types of the venues' JSON and their conversion to scaled integers.

Numbers travel as decimal strings. Every field that a peer fills has a length or a range here, so that no frame can
make us hold, cache or compare something unreasonable.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from hlomm.domain.faults import ProtocolViolation, UnitError
from hlomm.domain.units import DECIMALS, SCALE, Cash, Px, Qty, parse, to_text

MS_LIMIT: Final = 10**14
"""Unix milliseconds beyond this (year 5138) are garbage."""
ID_LIMIT: Final = 2**63 - 1
SCALED_LIMIT: Final = 10**18
"""Ten billion: no figure of this venue comes near, and sums of several still fit into the 64 bits of a record."""

DecimalText = Annotated[str, Meta(max_length=40)]
CoinText = Annotated[str, Meta(min_length=1, max_length=40)]
Word = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=2_000)]
Millis = Annotated[int, Meta(ge=0, le=MS_LIMIT)]
VenueNumber = Annotated[int, Meta(ge=0, le=ID_LIMIT)]
OutcomeNumber = Annotated[int, Meta(ge=0, le=10**10)]


def _scaled(text: str, kind: str) -> int:
    """Value in 1e-8; ProtocolViolation(`kind`) for what is no number or more than a record can hold."""
    try:
        value = parse(text)
    except UnitError as error:
        raise ProtocolViolation(kind, str(error)) from None
    if abs(value) > SCALED_LIMIT:
        raise ProtocolViolation(kind, f"expected at most {to_text(SCALED_LIMIT)}, was {text[:40]!r}")
    return value


def positive(text: str, kind: str) -> int:
    """Scaled value above zero; ProtocolViolation(`kind`) otherwise."""
    value = _scaled(text, kind)
    if value <= 0:
        raise ProtocolViolation(kind, f"expected a value > 0, was {text[:40]!r}")
    return value


def unsigned(text: str, kind: str) -> int:
    """Scaled value >= 0; ProtocolViolation(`kind`) otherwise."""
    value = _scaled(text, kind)
    if value < 0:
        raise ProtocolViolation(kind, f"expected a value >= 0, was {text[:40]!r}")
    return value


def signed(text: str, kind: str) -> int:
    """Scaled value of either sign; ProtocolViolation(`kind`) otherwise."""
    return _scaled(text, kind)


def outcome_px(text: str, kind: str) -> Px:
    """Price of an outcome coin, strictly between 0 and 1."""
    value = positive(text, kind)
    if value >= SCALE:
        raise ProtocolViolation(kind, f"expected an outcome price below 1, was {text[:40]!r}")
    return Px(value)


def qty(text: str, kind: str) -> Qty:
    return Qty(positive(text, kind))


def cash_toward_zero(text: str, kind: str) -> Cash:
    """Signed cash, decimals past the eighth cut off: for figures the venue derives by division (entry notional)."""
    whole, point, fraction = text.partition(".")
    return Cash(signed(whole + point + fraction[:DECIMALS] if fraction else whole, kind))
